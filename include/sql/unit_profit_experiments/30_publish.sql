-- The day's rows, replaced by the draft that the checks have passed. What that changes of a published day is written down.

select investor.note_restatements(
    %(report)s, 'experiments.unit_profit', 'base.unit_profit_draft', '{experiment,variant}', %(report_date)s::date, %(reason)s,
    %(run_id)s, %(at)s::timestamptz
);

delete from experiments.unit_profit where report_date = %(report_date)s::date;

insert into experiments.unit_profit (
    report_date, experiment, variant, n, mean_profit, variance, diff_from_control, ci_low, ci_high
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
    draft.ci_high
from base.unit_profit_draft as draft
where draft.report_date = %(report_date)s::date;

-- What is published now, how many rows it has, and what they add up to.
select 'experiments.unit_profit' as name, count(*) as rows, sum(hashtextextended(variant::text, 0)) as digest
from experiments.unit_profit as variant
where report_date = %(report_date)s::date;
