-- Published days of the experiment for which upstream has written assignments since they were read: each day from the
-- assignment on, and from the first on that has counted the customer, when they are assigned later than it was said then.
-- And each day that has counted somebody who is assigned no more.
insert into investor.late_rows as known (report, report_date, table_name, changed_at)
with assignments as (
    select
        assigned.experiment,
        assigned.customer_id,
        base.day_of(assigned.assigned_at, %(zone)s) as day,
        assigned.updated_at
    from master.experiment_assignments as assigned
    where
        assigned.updated_at > (select base.late_since(%(report)s, %(since)s::timestamptz))
        and assigned.updated_at <= clock_timestamp()
),

-- Whom the experiment's base model has counted, on which day.
counted as (
    select unit.report_date, unit.experiment, unit.customer_id
    from base.unit_profit as unit
    where %(report)s = 'experiments.unit_profit'
    union all
    select status.report_date, status.experiment, status.customer_id
    from base.experiment_growth as status
    where %(report)s = 'experiments.daily_growth'
),

lately as materialized (
    select publication.report_date, coalesce(publication.read_at, publication.published_at) as read_at
    from investor.publications as publication
    where publication.report = %(report)s
    order by publication.report_date desc
    limit 8
),

-- Not of an experiment that upstream has put away; and once, however long the customer stays gone.
gone as materialized (
    select known.experiment, known.customer_id
    from (
        select distinct published.experiment, published.customer_id from base.variants_published as published
    ) as known
    where
        not exists (
            select
            from master.experiment_assignments as assigned
            where assigned.experiment = known.experiment and assigned.customer_id = known.customer_id
        )
        and exists (select from master.experiment_assignments as other where other.experiment = known.experiment)
        and exists (
            select
            from lately
            inner join counted on counted.report_date = lately.report_date
            where counted.experiment = known.experiment and counted.customer_id = known.customer_id
        )
),

written as (
    select assignments.day, 'infinity'::date as until, max(assignments.updated_at) as updated_at
    from assignments
    group by assignments.day
    union all
    select
        counted.report_date,
        counted.report_date,
        (select max(lately.read_at) + interval '1 microsecond' from lately)
    from gone
    inner join counted on counted.experiment = gone.experiment and counted.customer_id = gone.customer_id
    group by counted.report_date
    union all
    select first.day, 'infinity', assignments.updated_at
    from assignments
    inner join counted
        on
            counted.report_date = assignments.day - 1
            and counted.customer_id = assignments.customer_id
            and counted.experiment = assignments.experiment
    cross join lateral (
        select min(publication.report_date) as day
        from investor.publications as publication
        inner join counted as built
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
        and publication.report_date between written.day and written.until
        and written.updated_at > coalesce(publication.read_at, publication.published_at)
group by publication.report_date
on conflict (report, report_date, table_name) do update
set changed_at = greatest(known.changed_at, excluded.changed_at);
