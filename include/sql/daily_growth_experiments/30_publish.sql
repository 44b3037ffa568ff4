-- The day's rows, replaced by the draft that the checks have passed. What that changes of a published day is written down.

select investor.note_restatements(
    %(report)s, 'experiments.daily_growth', 'base.experiment_growth_draft', '{experiment,variant}', %(report_date)s::date, %(reason)s,
    %(run_id)s, %(at)s::timestamptz
);

delete from experiments.daily_growth where report_date = %(report_date)s::date;

insert into experiments.daily_growth (
    report_date, experiment, variant, active, new, retained, resurrected, churned, quick_ratio, n, switched,
    expected_n, sample_ratio_p
)
select
    draft.report_date,
    draft.experiment,
    draft.variant,
    draft.active,
    draft.new,
    draft.retained,
    draft.resurrected,
    draft.churned,
    draft.quick_ratio,
    draft.n,
    draft.switched,
    draft.expected_n,
    draft.sample_ratio_p
from base.experiment_growth_draft as draft
where draft.report_date = %(report_date)s::date;

-- Who was in which variant, so that a later change is seen.
insert into base.variants_published (experiment, customer_id, variant)
select distinct status.experiment, status.customer_id, status.variant
from base.experiment_growth as status
left join base.variants_published as known
    on known.experiment = status.experiment and known.customer_id = status.customer_id and known.variant = status.variant
where status.report_date = %(report_date)s::date and known.customer_id is null
on conflict do nothing;

-- What is published now, how many rows it has, and what they add up to.
select 'experiments.daily_growth' as name, count(*) as rows, sum(hashtextextended(variant::text, 0)) as digest
from experiments.daily_growth as variant
where report_date = %(report_date)s::date;
