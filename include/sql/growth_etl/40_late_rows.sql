-- Published days of growth for which upstream has written sessions since they were read: the day of the session, the day
-- after it, and a later day on which the customer was new: there they are not new any more. Or the other way round.
insert into investor.late_rows as known (report, report_date, table_name, changed_at)
with written as (
    select
        session.customer_id,
        base.day_of(session.started_at, %(zone)s) as day,
        session.updated_at
    from master.sessions as session
    where
        session.updated_at > (select base.late_since(%(report)s, %(since)s::timestamptz))
        and session.updated_at <= clock_timestamp()
),

-- Loads too: they may have taken sessions away.
changed as (
    select written.day, max(written.updated_at) as changed_at
    from written
    group by written.day
    union all
    select load.business_day, max(load.loaded_at)
    from master.loads as load
    where
        load.table_name in ('sessions', 'master.sessions')
        and load.loaded_at <= clock_timestamp()
        and load.business_day < date '9999-01-01'
    group by load.business_day
    union all
    select gone.day, gone.changed_at
    from base.shrunk_days(%(report)s, %(zone)s, '{sessions}', %(since)s::timestamptz) as gone
),

-- Customers who were written since, of months that were counted.
written_customers as (
    select
        date_trunc('month', base.day_of(customer.signed_up_at, %(zone)s)::timestamp) as first_day,
        customer.updated_at
    from master.customers as customer
    where
        customer.updated_at > (select base.late_since(%(report)s, %(since)s::timestamptz))
        and customer.updated_at <= clock_timestamp()
        and customer.signed_up_at >= '0001-01-01'
        and customer.signed_up_at < (
            select (max(cohort.report_date)::timestamp + interval '1 day') at time zone %(zone)s
            from investor.signup_cohorts as cohort
        )
),

-- Where more have signed up in such a month than were counted.
grown as (
    select ended.report_date
    from (
        select
            date_trunc('month', base.day_of(customer.signed_up_at, %(zone)s)::timestamp) as first_day,
            count(*) as customers
        from master.customers as customer
        where
            exists (select from written_customers)
            and customer.signed_up_at >= (
                select min(written_customers.first_day) at time zone %(zone)s from written_customers
            )
        group by 1
    ) as now
    inner join (select distinct counted.report_date from investor.signup_cohorts as counted) as ended
        on now.first_day <= ended.report_date
    left join investor.signup_cohorts as cohort
        on cohort.report_date = ended.report_date and cohort.cohort = to_char(now.first_day, 'YYYY-MM')
    where
        now.first_day in (select written_customers.first_day from written_customers)
        and now.customers > coalesce(cohort.customers, 0)
    group by ended.report_date
),

touched (report_date, changed_at, table_name) as (
    select changed.day + later.days, changed.changed_at, 'master.sessions'
    from changed
    cross join (values (0), (1)) as later (days)
    union all
    select built.report_date, written.updated_at, 'master.sessions'
    from written
    inner join base.growth as built
        on
            built.customer_id = written.customer_id
            and built.status = 'new'
            and built.report_date > written.day
    where
        written.day < (
            select max(publication.report_date)
            from investor.publications as publication
            where publication.report = %(report)s
        )
    union all
    -- Who was new on such a day and has no session of it any more is new when they come next.
    select base.day_of(next.started_at, %(zone)s), changed.changed_at, 'master.sessions'
    from changed
    inner join investor.publications as own
        on
            own.report = %(report)s
            and own.report_date = changed.day
            and changed.changed_at > coalesce(own.read_at, own.published_at)
    inner join base.growth as built on built.report_date = changed.day and built.status = 'new'
    cross join lateral (
        select min(session.started_at) as started_at
        from master.sessions as session
        where
            session.customer_id = built.customer_id
            and session.started_at >= changed.day::timestamp at time zone %(zone)s
    ) as next
    where next.started_at >= (changed.day::timestamp + interval '1 day') at time zone %(zone)s
    union all
    -- Cohorts count who signed up until their month ended. A row of a customer is written for many reasons: a load tells, or
    -- a month in which more have signed up than were counted.
    select
        (date_trunc('month', load.business_day) + interval '1 month')::date - 1,
        max(load.loaded_at),
        'master.customers'
    from master.loads as load
    where
        load.table_name in ('customers', 'master.customers')
        and load.loaded_at <= clock_timestamp()
        and load.business_day < date '9999-01-01'
    group by 1
    union all
    select grown.report_date, (select max(written_customers.updated_at) from written_customers), 'master.customers'
    from grown
)

select %(report)s, touched.report_date, touched.table_name, max(touched.changed_at)
from touched
inner join investor.publications as publication
    on
        publication.report = %(report)s
        and publication.report_date = touched.report_date
        and touched.changed_at > coalesce(publication.read_at, publication.published_at)
-- A month whose last day has no sessions any more, since upstream has put them away, cannot be counted again.
where
    touched.table_name <> 'master.customers'
    or touched.report_date > (select base.day_of(min(kept.started_at), %(zone)s) from master.sessions as kept)
    or base.said_to_be_empty('sessions', touched.report_date)
group by touched.report_date, touched.table_name
on conflict (report, report_date, table_name) do update
set changed_at = greatest(known.changed_at, excluded.changed_at);
