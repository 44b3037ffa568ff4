-- Base model: the profit of each assigned customer since assignment. Profit is known by day (refunds and marketing
-- have no hour), so it counts from the business day of the assignment to the report date, both included. Customers
-- assigned after the report date are left out; those without an order count as 0. Of the 28 days before the assignment
-- what base.profit knows is summed beside it.

delete from base.unit_profit where report_date = %(report_date)s::date;

insert into base.unit_profit (report_date, experiment, variant, customer_id, profit, pre_profit, days, switched)
-- Whoever a published day has counted in another variant.
with switched as (
    select distinct assigned.experiment, assigned.customer_id, assigned.variant
    from master.experiment_assignments as assigned
    inner join base.variants_published as published
        on published.experiment = assigned.experiment and published.customer_id = assigned.customer_id
    where published.variant <> assigned.variant
),

-- The day of each assignment is worked out once, not for each line that is joined to it.
assigned as materialized (
    select
        assignment.experiment,
        assignment.variant,
        assignment.customer_id,
        base.day_of(assignment.assigned_at, %(zone)s) as day,
        switched.customer_id is not null as switched
    from master.experiment_assignments as assignment
    left join switched
        on
            switched.experiment = assignment.experiment
            and switched.customer_id = assignment.customer_id
            and switched.variant = assignment.variant
    where assignment.assigned_at < %(day_end)s::timestamptz
)

select
    %(report_date)s::date,
    assigned.experiment,
    assigned.variant,
    assigned.customer_id,
    coalesce(sum(line.profit) filter (where line.report_date >= assigned.day), 0),
    coalesce(sum(line.profit) filter (where line.report_date < assigned.day), 0),
    %(report_date)s::date - min(assigned.day) + 1,
    bool_or(assigned.switched)
from assigned
left join base.profit as line
    on
        line.customer_id = assigned.customer_id
        and line.report_date >= assigned.day - 28
        and line.report_date <= %(report_date)s::date
        -- Follows from the above, and keeps the days before any experiment from being read.
        and line.report_date >= (
            select base.day_of(min(first.assigned_at), %(zone)s) - 28 from master.experiment_assignments as first
        )
group by assigned.experiment, assigned.variant, assigned.customer_id
order by assigned.customer_id; -- so that the index grows at its end
