-- The day's rows, replaced by the draft that the checks have passed.

delete from investor.daily_engagement where report_date = %(report_date)s::date;

insert into investor.daily_engagement (
    report_date, active_1d, active_7d, active_28d, stickiness, sessions, seconds, sessions_per_active,
    seconds_per_active
)
select
    draft.report_date,
    draft.active_1d,
    draft.active_7d,
    draft.active_28d,
    draft.stickiness,
    draft.sessions,
    draft.seconds,
    draft.sessions_per_active,
    draft.seconds_per_active
from base.daily_engagement_draft as draft
where draft.report_date = %(report_date)s::date;

delete from investor.daily_engagement_by_channel where report_date = %(report_date)s::date;

insert into investor.daily_engagement_by_channel (
    report_date, channel, active_1d, active_7d, active_28d, stickiness, sessions, seconds, sessions_per_active,
    seconds_per_active
)
select
    draft.report_date,
    draft.channel,
    draft.active_1d,
    draft.active_7d,
    draft.active_28d,
    draft.stickiness,
    draft.sessions,
    draft.seconds,
    draft.sessions_per_active,
    draft.seconds_per_active
from base.daily_engagement_by_channel_draft as draft
where draft.report_date = %(report_date)s::date;

-- What is published now, and how many rows each has.
select 'investor.daily_engagement' as name, count(*) as rows
from (
    select report_date from investor.daily_engagement where report_date = %(report_date)s::date
    union all
    select report_date from investor.daily_engagement_by_channel where report_date = %(report_date)s::date
) as report
union all
select 'base.engagement', count(*)
from base.engagement
where report_date = %(report_date)s::date;
