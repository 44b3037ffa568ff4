-- The day's rows, replaced by the draft that the checks have passed. What that changes of a published day is written down.

-- Of days published before their currency was said: they had no other.
update experiments.unit_profit set currency = %(currency)s where currency is null;

select investor.note_restatements(
    %(report)s, 'experiments.unit_profit', 'base.unit_profit_draft', '{experiment,variant}', %(report_date)s::date, %(reason)s,
    %(run_id)s, %(at)s::timestamptz
);

delete from experiments.unit_profit where report_date = %(report_date)s::date;

insert into experiments.unit_profit (
    report_date, experiment, variant, n, mean_profit, variance, diff_from_control, ci_low, ci_high, switched, expected_n,
    sample_ratio_p, cs_low, cs_high, adjusted_mean, adjusted_variance, adjusted_diff, adjusted_ci_low, adjusted_ci_high,
    adjusted_cs_low, adjusted_cs_high, currency
)
select
    draft.report_date,
    draft.experiment,
    draft.variant,
    draft.n,
    draft.mean_profit,
    draft.variance,
    draft.diff_from_control,
    draft.ci_low,
    draft.ci_high,
    draft.switched,
    draft.expected_n,
    draft.sample_ratio_p,
    draft.cs_low,
    draft.cs_high,
    draft.adjusted_mean,
    draft.adjusted_variance,
    draft.adjusted_diff,
    draft.adjusted_ci_low,
    draft.adjusted_ci_high,
    draft.adjusted_cs_low,
    draft.adjusted_cs_high,
    draft.currency
from base.unit_profit_draft as draft
where draft.report_date = %(report_date)s::date;

-- Who was in which variant, so that a later change is seen.
insert into base.variants_published (experiment, customer_id, variant)
select distinct unit.experiment, unit.customer_id, unit.variant
from base.unit_profit as unit
left join base.variants_published as known
    on known.experiment = unit.experiment and known.customer_id = unit.customer_id and known.variant = unit.variant
where unit.report_date = %(report_date)s::date and known.customer_id is null
on conflict do nothing;

-- What is published now, how many rows it has, and what they add up to.
select 'experiments.unit_profit' as name, count(*) as rows, sum(hashtextextended(variant::text, 0)) as digest
from experiments.unit_profit as variant
where report_date = %(report_date)s::date;
