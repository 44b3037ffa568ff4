-- What only all assignments together show. Name, what may be so, how many are, of how many, where, and up to how many in
-- 100 it is ordinary. Profit counts since the assignment: whoever was assigned anew has earned nothing yet.
select
    concat('assignment_times_of_', before.experiment, '_stay') as name,
    'customers who were assigned on another day, as the day before had it' as what,
    count(*) filter (where now.days <> before.days + 1) as odd,
    count(*) as of_all,
    concat('in master.experiment_assignments.assigned_at, such as experiment ', before.experiment, ', customer_id ')
    || min(before.customer_id) filter (where now.days <> before.days + 1) as found,
    case when count(*) >= 20 then 5 else 100 end as ordinary
from base.unit_profit as before
inner join base.unit_profit as now
    on
        now.report_date = %(report_date)s::date
        and now.experiment = before.experiment
        and now.customer_id = before.customer_id
where before.report_date = %(report_date)s::date - 1
group by before.experiment;
