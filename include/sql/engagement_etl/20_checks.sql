-- What must hold before the day's engagement is published: one row per check.
with base_day as (
    select built.* from base.engagement as built where built.report_date = %(report_date)s::date
),

day as (
    select draft.* from base.daily_engagement_draft as draft where draft.report_date = %(report_date)s::date
),

channels as (
    select
        coalesce(sum(draft.active_1d), 0) as active_1d,
        coalesce(sum(draft.active_7d), 0) as active_7d,
        coalesce(sum(draft.active_28d), 0) as active_28d,
        coalesce(sum(draft.sessions), 0) as sessions,
        coalesce(sum(draft.seconds), 0) as seconds
    from base.daily_engagement_by_channel_draft as draft
    where draft.report_date = %(report_date)s::date
)

select
    'customer_days_are_unique' as name,
    '0 customers that come twice' as expected,
    count(*)::text as found,
    count(*) = 0 as passed
from (
    select base_day.customer_id
    from base_day
    group by base_day.customer_id
    having count(*) > 1
) as twice
union all
select
    'sessions_have_customers',
    '0 active customers that are unknown',
    concat(
        count(*),
        ' in master.sessions.customer_id, such as '
        || min(concat('customer_id ', coalesce(active.customer_id::text, 'null')))
    ),
    count(*) = 0
from (
    select base_day.customer_id
    from base_day
    union all
    -- Days of the window that this pipeline has never run for.
    select session.customer_id
    from generate_series(
        %(report_date)s::date::timestamp - interval '27 days', %(report_date)s::date::timestamp - interval '1 day', interval '1 day'
    ) as gap (day)
    inner join master.sessions as session
        on
            session.started_at >= gap.day at time zone %(zone)s
            and session.started_at < (gap.day + interval '1 day') at time zone %(zone)s
    where not exists (select from base.engagement as built where built.report_date = gap.day::date)
) as active
where not exists (select from master.customers as customer where customer.customer_id = active.customer_id)
union all
-- Of a day that is not published nobody knows that all of its sessions are there, unless a load says so.
select
    'window_is_complete',
    'each of the 27 days before published, or loaded',
    coalesce(string_agg(concat('no sessions were loaded for ', hole.day), ', ' order by hole.day), 'every day'),
    count(*) = 0
from base.unknown_days(%(report)s, 'sessions', %(report_date)s::date - 27, %(report_date)s::date - 1) as hole (day)
union all
-- What such a day has now was never published: investors were told of another one.
select
    'window_is_as_published',
    'each published day of the 27 before as it was published',
    coalesce(
        string_agg(concat(day.report_date, ' was run again since, and held'), ', ' order by day.report_date), 'every day'
    ),
    count(*) = 0
from base.published_days as day
where
    day.report = %(report)s
    and day.report_date between %(report_date)s::date - 27 and %(report_date)s::date - 1
    and day.is_held
union all
select
    'day_is_the_base_model',
    array[base_sum.active, base_sum.sessions, base_sum.seconds]::text,
    array[day.active_1d, day.sessions, day.seconds]::text,
    (base_sum.active, base_sum.sessions, base_sum.seconds) = (day.active_1d, day.sessions, day.seconds)
from day
cross join (
    select
        count(distinct base_day.customer_id) as active,
        coalesce(sum(base_day.sessions), 0) as sessions,
        coalesce(sum(base_day.seconds), 0) as seconds
    from base_day
) as base_sum
union all
select
    'windows_nest',
    'active of 1 day <= of 7 days <= of 28 days',
    concat_ws(', ', day.active_1d, day.active_7d, day.active_28d),
    day.active_1d <= day.active_7d and day.active_7d <= day.active_28d
from day
union all
select
    'channels_add_up_to_the_day',
    array[day.active_1d, day.active_7d, day.active_28d, day.sessions, day.seconds]::text,
    array[channels.active_1d, channels.active_7d, channels.active_28d, channels.sessions, channels.seconds]::text,
    (day.active_1d, day.active_7d, day.active_28d, day.sessions, day.seconds)
    = (channels.active_1d, channels.active_7d, channels.active_28d, channels.sessions, channels.seconds)
from day
cross join channels;
