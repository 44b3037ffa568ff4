-- Base model: the growth status of each customer assigned on or before the report date.

delete from base.experiment_growth where report_date = %(report_date)s::date;

insert into base.experiment_growth (report_date, experiment, variant, customer_id, status, switched)
-- Whoever a published day has counted in another variant.
with switched as (
    select distinct assigned.experiment, assigned.customer_id, assigned.variant
    from master.experiment_assignments as assigned
    inner join base.variants_published as published
        on published.experiment = assigned.experiment and published.customer_id = assigned.customer_id
    where published.variant <> assigned.variant
)

select
    %(report_date)s::date,
    assigned.experiment,
    assigned.variant,
    assigned.customer_id,
    coalesce(growth.status, 'inactive'),
    switched.customer_id is not null
from master.experiment_assignments as assigned
left join switched
    on
        switched.experiment = assigned.experiment
        and switched.customer_id = assigned.customer_id
        and switched.variant = assigned.variant
left join base.growth as growth
    on growth.customer_id = assigned.customer_id and growth.report_date = %(report_date)s::date
where assigned.assigned_at < %(day_end)s::timestamptz
order by assigned.customer_id; -- so that the index grows at its end
