-- Base model: the profit of each assigned customer since assignment. Profit is known by day (refunds and marketing
-- have no hour), so it counts from the business day of the assignment to the report date, both included. Customers
-- assigned after the report date are left out; those without an order count as 0.

delete from base.unit_profit where report_date = %(report_date)s::date;

insert into base.unit_profit (report_date, experiment, variant, customer_id, profit)
select
    %(report_date)s::date,
    assigned.experiment,
    assigned.variant,
    assigned.customer_id,
    coalesce(sum(line.profit), 0)
from master.experiment_assignments as assigned
left join base.profit as line
    on
        line.customer_id = assigned.customer_id
        and line.report_date >= (assigned.assigned_at at time zone %(zone)s)::date
        and line.report_date <= %(report_date)s::date
        -- Follows from the above, and keeps the days before any experiment from being read.
        and line.report_date >= (
            select (min(first.assigned_at) at time zone %(zone)s)::date from master.experiment_assignments as first
        )
where assigned.assigned_at < %(day_end)s::timestamptz
group by assigned.experiment, assigned.variant, assigned.customer_id
order by assigned.customer_id; -- so that the index grows at its end
