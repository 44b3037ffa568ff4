-- The draft's numbers (0 days ago) and those published before, to be compared: name, days ago, amount, and the size of
-- one of what the number is made of (a customer), by which it varies of itself.
with days as (
    select 0 as ago, draft.active, draft.new, draft.resurrected, draft.churned
    from base.daily_growth_draft as draft
    where draft.report_date = %(report_date)s::date
    union all
    select
        %(report_date)s::date - published.report_date,
        published.active,
        published.new,
        published.resurrected,
        published.churned
    from investor.daily_growth as published
    where published.report_date >= %(report_date)s::date - 63 and published.report_date < %(report_date)s::date
)

select number.name, days.ago, number.amount, 1 as unit
from days
cross join lateral (
    values
        ('active', days.active),
        ('new', days.new),
        ('resurrected', days.resurrected),
        ('churned', days.churned)
) as number (name, amount)
order by number.name, days.ago;
