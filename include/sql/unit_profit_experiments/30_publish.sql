-- The day's rows, replaced by the draft that the checks have passed.

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

-- What is published now, and how many rows it has.
select 'experiments.unit_profit' as name, count(*) as rows
from experiments.unit_profit
where report_date = %(report_date)s::date;
