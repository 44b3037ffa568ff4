-- The day's rows, replaced by the draft that the checks have passed. What that changes of a published day is written down.

select investor.note_restatements(
    %(report)s, 'investor.daily_engagement', 'base.daily_engagement_draft', '{}', %(report_date)s::date, %(reason)s,
    %(run_id)s, %(at)s::timestamptz
);

select investor.note_restatements(
    %(report)s, 'investor.daily_engagement_by_channel', 'base.daily_engagement_by_channel_draft', '{channel}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
);

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

-- What is published now, how many rows each has, and what they add up to.
select 'investor.daily_engagement' as name, count(*) as rows, sum(hashtextextended(report.cells, 0)) as digest
from (
    select day::text as cells from investor.daily_engagement as day where report_date = %(report_date)s::date
    union all
    select channel::text from investor.daily_engagement_by_channel as channel where report_date = %(report_date)s::date
) as report
union all
select 'base.engagement', count(*), sum(hashtextextended(customer::text, 0))
from base.engagement as customer
where report_date = %(report_date)s::date;
