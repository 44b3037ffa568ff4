-- The draft of the report: growth accounting per experiment and variant.

delete from base.experiment_growth_draft where report_date = %(report_date)s::date;

insert into base.experiment_growth_draft (
    report_date, experiment, variant, active, new, retained, resurrected, churned, quick_ratio
)
with counted as (
    select
        growth.experiment,
        growth.variant,
        count(*) filter (where growth.status in ('new', 'retained', 'resurrected')) as active,
        count(*) filter (where growth.status = 'new') as new,
        count(*) filter (where growth.status = 'retained') as retained,
        count(*) filter (where growth.status = 'resurrected') as resurrected,
        count(*) filter (where growth.status = 'churned') as churned
    from base.experiment_growth as growth
    where growth.report_date = %(report_date)s::date
    group by growth.experiment, growth.variant
)

select
    %(report_date)s::date,
    counted.experiment,
    counted.variant,
    counted.active,
    counted.new,
    counted.retained,
    counted.resurrected,
    counted.churned,
    round((counted.new + counted.resurrected)::numeric / nullif(counted.churned, 0), 10)
from counted;
