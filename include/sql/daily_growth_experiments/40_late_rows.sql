-- Published days of the experiment for which upstream has written assignments since they were read: each day from the
-- assignment on, and from the first on that has counted the customer, when they are assigned later than it was said then.
-- Looked through is what was written since the last time, and the day before it: what is committed late bears an earlier time.
insert into investor.late_rows as known (report, report_date, table_name, changed_at)
with assignments as (
    select
        assigned.experiment,
        assigned.customer_id,
        base.day_of(assigned.assigned_at, %(zone)s) as day,
        assigned.updated_at
    from master.experiment_assignments as assigned
    where
        assigned.updated_at > coalesce(
            %(since)s::timestamptz,
            (select max(sought.sought_at) - interval '1 day' from base.late_rows_sought as sought where sought.report = %(report)s),
            clock_timestamp() - interval '7 days'
        )
        and assigned.updated_at <= clock_timestamp()
),

written as (
    select assignments.day, max(assignments.updated_at) as updated_at
    from assignments
    group by assignments.day
    union all
    select first.day, assignments.updated_at
    from assignments
    inner join base.experiment_growth as counted
        on
            counted.report_date = assignments.day - 1
            and counted.customer_id = assignments.customer_id
            and counted.experiment = assignments.experiment
    cross join lateral (
        select min(publication.report_date) as day
        from investor.publications as publication
        inner join base.experiment_growth as built
            on
                built.report_date = publication.report_date
                and built.customer_id = assignments.customer_id
                and built.experiment = assignments.experiment
        where publication.report = %(report)s and publication.report_date < assignments.day
    ) as first
)

select %(report)s, publication.report_date, 'master.experiment_assignments', max(written.updated_at)
from written
inner join investor.publications as publication
    on
        publication.report = %(report)s
        and publication.report_date >= written.day
        and written.updated_at > coalesce(publication.read_at, publication.published_at)
group by publication.report_date
on conflict (report, report_date, table_name) do update
set changed_at = greatest(known.changed_at, excluded.changed_at);
