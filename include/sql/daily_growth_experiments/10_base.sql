-- Base model: the growth status of each customer assigned on or before the report date.

delete from base.experiment_growth where report_date = %(report_date)s::date;

insert into base.experiment_growth (report_date, experiment, variant, customer_id, status, switched)
select
    %(report_date)s::date,
    assigned.experiment,
    assigned.variant,
    assigned.customer_id,
    coalesce(growth.status, 'inactive'),
    coalesce(assigned.variant <> known.first or assigned.variant <> known.last, false)
from master.experiment_assignments as assigned
left join (
    select
        published.experiment,
        published.customer_id,
        min(published.variant) as first,
        max(published.variant) as last
    from base.variants_published as published
    group by published.experiment, published.customer_id
) as known
    on known.experiment = assigned.experiment and known.customer_id = assigned.customer_id
left join base.growth as growth
    on growth.customer_id = assigned.customer_id and growth.report_date = %(report_date)s::date
where assigned.assigned_at < %(day_end)s::timestamptz
order by assigned.customer_id; -- so that the index grows at its end
