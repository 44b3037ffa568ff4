-- Who was assigned on the day, by variant of each experiment, to be compared with the days before.
insert into base.day_parts (report, report_date, measure, part, kind, amount, of_all, rows)
select
    %(report)s,
    %(report_date)s::date,
    'assignments_of_' || counted.experiment,
    counted.variant,
    'rows',
    counted.rows,
    sum(counted.rows) over (partition by counted.experiment),
    counted.rows
from (
    select assigned.experiment, assigned.variant, count(*) as rows
    from master.experiment_assignments as assigned
    where assigned.assigned_at >= %(day_start)s::timestamptz and assigned.assigned_at < %(day_end)s::timestamptz
    group by assigned.experiment, assigned.variant
) as counted;
