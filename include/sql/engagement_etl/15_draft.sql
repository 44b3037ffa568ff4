-- The draft of the report: the day, the 7 and the 28 days that end with it (all ends included), in all and by
-- acquisition channel. Days that this pipeline has run for are read from base.engagement; a day of the window that
-- it has never run for (a new warehouse, a gap) is read from the sessions.

delete from base.daily_engagement_draft where report_date = %(report_date)s::date;

delete from base.daily_engagement_by_channel_draft where report_date = %(report_date)s::date;

with gaps as (
    select
        gap.day::date as report_date,
        gap.day at time zone %(zone)s as starts,
        (gap.day + interval '1 day') at time zone %(zone)s as ends
    from
        generate_series(
            %(report_date)s::date::timestamp - interval '27 days',
            %(report_date)s::date::timestamp - interval '1 day',
            interval '1 day'
        ) as gap (day)
    where not exists (select from base.engagement as built where built.report_date = gap.day::date)
),

activity as (
    select built.report_date, built.customer_id, built.channel, built.sessions, built.seconds
    from base.engagement as built
    where built.report_date between %(report_date)s::date - 27 and %(report_date)s::date
    union all
    select distinct gaps.report_date, session.customer_id, coalesce(customer.acquisition_channel, 'unknown'), 0, 0
    from gaps
    inner join master.sessions as session on session.started_at >= gaps.starts and session.started_at < gaps.ends
    left join master.customers as customer on customer.customer_id = session.customer_id
),

customers as (
    select
        activity.customer_id,
        max(activity.report_date) as last_active,
        (array_agg(activity.channel order by activity.report_date desc))[1] as channel,
        sum(activity.sessions) filter (where activity.report_date = %(report_date)s::date) as sessions,
        sum(activity.seconds) filter (where activity.report_date = %(report_date)s::date) as seconds
    from activity
    group by activity.customer_id
),

counted as (
    select
        grouping(customers.channel) = 1 as whole_day,
        customers.channel,
        count(*) filter (where customers.last_active = %(report_date)s::date) as active_1d,
        count(*) filter (where customers.last_active > %(report_date)s::date - 7) as active_7d,
        count(*) as active_28d,
        coalesce(sum(customers.sessions), 0) as sessions,
        coalesce(sum(customers.seconds), 0) as seconds
    from customers
    group by grouping sets ((), (customers.channel))
),

measured as (
    select
        counted.*,
        round(counted.active_1d::numeric / nullif(counted.active_28d, 0), 10) as stickiness,
        round(counted.sessions::numeric / nullif(counted.active_1d, 0), 10) as sessions_per_active,
        round(counted.seconds::numeric / nullif(counted.active_1d, 0), 10) as seconds_per_active
    from counted
),

whole_day as (
    insert into base.daily_engagement_draft (
        report_date, active_1d, active_7d, active_28d, stickiness, sessions, seconds, sessions_per_active,
        seconds_per_active
    )
    select
        %(report_date)s::date,
        measured.active_1d,
        measured.active_7d,
        measured.active_28d,
        measured.stickiness,
        measured.sessions,
        measured.seconds,
        measured.sessions_per_active,
        measured.seconds_per_active
    from measured
    where measured.whole_day
)

insert into base.daily_engagement_by_channel_draft (
    report_date, channel, active_1d, active_7d, active_28d, stickiness, sessions, seconds, sessions_per_active,
    seconds_per_active
)
select
    %(report_date)s::date,
    measured.channel,
    measured.active_1d,
    measured.active_7d,
    measured.active_28d,
    measured.stickiness,
    measured.sessions,
    measured.seconds,
    measured.sessions_per_active,
    measured.seconds_per_active
from measured
where not measured.whole_day;
