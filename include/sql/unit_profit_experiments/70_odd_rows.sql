-- What only all assignments together show. Name, what may be so, how many are, of how many, where, and up to how many in
-- 100 it is ordinary. Profit counts since the assignment: whoever was assigned anew has earned nothing yet. Compared with
-- the last day that is published: what was held for it is no proof of it.
-- Both days are read side by side, not joined: of a day that is new the planner expects no row, and would look through
-- all of the other for each.
with published as materialized (
    select max(known.report_date) as day
    from base.published_days as known
    where known.report = %(report)s and known.report_date < %(report_date)s::date and known.as_published
)

select
    concat('assignment_times_of_', both_days.experiment, '_stay') as name,
    'customers who were assigned on another day, as was published last' as what,
    count(*) filter (where both_days.now <> both_days.before) as odd,
    count(*) as of_all,
    concat('in master.experiment_assignments.assigned_at, such as experiment ', both_days.experiment, ', customer_id ')
    || min(both_days.customer_id) filter (where both_days.now <> both_days.before) as found,
    case when count(*) >= 20 then 5 else 100 end as ordinary
from (
    select
        kept.experiment,
        kept.customer_id,
        max(%(report_date)s::date - kept.report_date + kept.days)
        filter (where kept.report_date < %(report_date)s::date) as before,
        max(kept.days) filter (where kept.report_date = %(report_date)s::date) as now
    from base.unit_profit as kept
    where kept.report_date in ((select published.day from published), %(report_date)s::date)
    group by kept.experiment, kept.customer_id
) as both_days
where both_days.before is not null and both_days.now is not null
group by both_days.experiment;
