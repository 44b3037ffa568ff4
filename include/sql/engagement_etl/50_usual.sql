-- The draft's numbers (0 days ago) and those published before, to be compared: name, days ago, amount, and the size of
-- one of what the number is made of (a customer, a session), by which it varies of itself.
with days as (
    select 0 as ago, draft.active_1d, draft.active_7d, draft.active_28d, draft.sessions, draft.seconds
    from base.daily_engagement_draft as draft
    where draft.report_date = %(report_date)s::date
    union all
    select
        %(report_date)s::date - published.report_date,
        published.active_1d,
        published.active_7d,
        published.active_28d,
        published.sessions,
        published.seconds
    from investor.daily_engagement as published
    where published.report_date >= %(report_date)s::date - 63 and published.report_date < %(report_date)s::date
)

select number.name, days.ago, number.amount, number.unit
from days
cross join lateral (
    values
        ('active_1d', days.active_1d::numeric, 1::numeric),
        ('active_7d', days.active_7d, 1),
        ('active_28d', days.active_28d, 1),
        ('sessions', days.sessions, 1),
        ('seconds', days.seconds, days.seconds::numeric / nullif(days.sessions, 0))
) as number (name, amount, unit)
order by number.name, days.ago;
