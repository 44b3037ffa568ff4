-- How long a session lasts as a rule (the geometric mean: a long one alone changes little), to be compared with the days
-- before, for each feature and channel.
insert into base.day_parts (report, report_date, measure, part, kind, amount, of_all, rows)
with used as materialized (
    select
        session.customer_id,
        session.feature,
        ln(1 + greatest(session.duration_s, 0)::float8) as seconds
    from master.sessions as session
    where
        session.started_at >= %(day_start)s::timestamptz
        and session.started_at < %(day_end)s::timestamptz
        and session.duration_s is not null -- one that is still running lasts for nobody knows how long
),

-- With the channel of each: put under one another, not joined. Of a day that is new the planner expects no row, and would
-- look through all for each.
by_customer as (
    select min(given.channel) as channel, sum(given.seconds) as seconds, count(given.seconds) as rows
    from (
        select used.customer_id, null as channel, used.seconds
        from used
        union all
        select built.customer_id, built.channel, null
        from base.engagement as built
        where built.report_date = %(report_date)s::date
    ) as given
    group by given.customer_id
)

select %(report)s, %(report_date)s::date, typical.measure, typical.part, 'typical', typical.amount, 1, typical.rows
from (
    select 'session_seconds_by_feature' as measure, used.feature as part, exp(avg(used.seconds)) as amount, count(*) as rows
    from used
    group by used.feature
    union all
    select
        'session_seconds_by_channel',
        by_customer.channel,
        exp(sum(by_customer.seconds) / sum(by_customer.rows)),
        sum(by_customer.rows)
    from by_customer
    where by_customer.rows > 0
    group by by_customer.channel
) as typical
union all
-- A feature whose durations are lost lacks these sessions alone.
select
    %(report)s, %(report_date)s::date, 'timed_sessions_by_feature', used.feature, 'rows', count(*), sum(count(*)) over (), count(*)
from used
group by used.feature
union all
select %(report)s, %(report_date)s::date, part.measure, part.part, part.kind, part.rows, part.of_all, part.rows
from (
    select coalesce(sum(alike.sessions), 0) as sessions, coalesce(sum(alike.sessions - 1), 0) as more, coalesce(
        sum(alike.sessions) filter (where alike.duration_s is null), 0
    ) as running
    from (
        select session.duration_s, count(*) as sessions
        from master.sessions as session
        where session.started_at >= %(day_start)s::timestamptz and session.started_at < %(day_end)s::timestamptz
        group by session.customer_id, session.feature, session.duration_s
    ) as alike
) as day
cross join (
    select coalesce(max(timed.sessions), 0) as sessions
    from (
        select count(*) as sessions
        from master.sessions as session
        where session.started_at >= %(day_start)s::timestamptz and session.started_at < %(day_end)s::timestamptz
        group by session.duration_s
        having session.duration_s is not null
    ) as timed
) as alike_long
cross join (
    select coalesce(sum(begun.sessions - 1), 0) as sessions
    from (
        select count(*) as sessions
        from master.sessions as session
        where session.started_at >= %(day_start)s::timestamptz and session.started_at < %(day_end)s::timestamptz
        group by session.customer_id, floor(extract(epoch from session.started_at) / 10)
    ) as begun
) as begun_together
cross join lateral (
    values
        ('rare_sessions', 'without a duration', 'rare', day.running, day.sessions),
        ('rare_sessions', 'of one duration', 'rare', alike_long.sessions, day.sessions),
        ('sessions_again', 'same customer within ten seconds', 'again', begun_together.sessions, day.sessions),
        ('sessions_again', 'same customer, feature and duration', 'again', day.more, day.sessions)
) as part (measure, part, kind, rows, of_all);
