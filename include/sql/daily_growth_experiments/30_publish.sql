-- The day's rows, replaced by the draft that the checks have passed.

delete from experiments.daily_growth where report_date = %(report_date)s::date;

insert into experiments.daily_growth (
    report_date, experiment, variant, active, new, retained, resurrected, churned, quick_ratio
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
    draft.quick_ratio
from base.experiment_growth_draft as draft
where draft.report_date = %(report_date)s::date;

-- What is published now, and how many rows it has.
select 'experiments.daily_growth' as name, count(*) as rows
from experiments.daily_growth
where report_date = %(report_date)s::date;
