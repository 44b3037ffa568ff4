-- The draft's numbers (0 days ago) and those published before, to be compared: name, days ago, amount, and the size of
-- one of what the number is made of (an order), by which it varies of itself; null where it is made of nothing countable.
with days as (
    select 0 as ago, draft.orders, draft.revenue, draft.cost, draft.refunds, draft.marketing
    from base.daily_profit_draft as draft
    where draft.report_date = %(report_date)s::date
    union all
    select
        %(report_date)s::date - published.report_date,
        published.orders,
        published.revenue,
        published.cost,
        published.refunds,
        published.marketing
    from investor.daily_profit as published
    where published.report_date >= %(report_date)s::date - 63 and published.report_date < %(report_date)s::date
)

select number.name, days.ago, number.amount, number.unit
from days
cross join lateral (
    values
        ('orders', days.orders::numeric, 1::numeric),
        ('revenue', days.revenue, days.revenue / nullif(days.orders, 0)),
        ('cost', days.cost, days.cost / nullif(days.orders, 0)),
        ('refunds', days.refunds, days.revenue / nullif(days.orders, 0)),
        ('marketing', days.marketing, null)
) as number (name, amount, unit)
order by number.name, days.ago;
