-- The draft of the report: a row for the day, and one per channel that adds up to it to the cent.

delete from base.daily_profit_draft where report_date = %(report_date)s::date;

-- Marketing is all the day's spend, also what no channel could take.
insert into base.daily_profit_draft (
    report_date, orders, revenue, cost, refunds, marketing, profit, cancelled_orders, currency
)
select
    %(report_date)s::date,
    money.orders,
    money.revenue,
    money.cost,
    money.refunds,
    spend.marketing,
    money.revenue - money.cost - money.refunds - spend.marketing,
    money.cancelled_orders,
    %(currency)s::text
from (
    select
        count(distinct line.order_id) filter (where line.sold) as orders,
        count(distinct line.order_id) filter (where line.cancelled) as cancelled_orders,
        coalesce(round(sum(line.revenue), 2), 0) as revenue,
        coalesce(round(sum(line.cost), 2), 0) as cost,
        coalesce(round(sum(line.refunds), 2), 0) as refunds
    from base.profit as line
    where line.report_date = %(report_date)s::date
) as money
cross join (
    select coalesce(round(sum(spent.amount), 2), 0) as marketing
    from base.marketing as spent
    where spent.report_date = %(report_date)s::date
) as spend;

delete from base.daily_profit_by_channel_draft where report_date = %(report_date)s::date;

-- Cents by largest remainder: each channel gets its whole cents, and the cents that are left over go to the channels
-- with the largest fractions. So no channel is off by a cent, and together they are the day.
insert into base.daily_profit_by_channel_draft (
    report_date, channel, revenue, cost, refunds, marketing, profit, currency
)
with exact as (
    select credit.channel, credit.revenue, credit.cost, credit.refunds, credit.marketing
    from base.profit_credit as credit
    where credit.report_date = %(report_date)s::date
    union all
    select 'unattributed', 0, 0, 0, spend.amount
    from base.marketing as spend
    where spend.report_date = %(report_date)s::date and not spend.allotted and spend.amount <> 0
),

channels as (
    select
        exact.channel,
        coalesce(sum(exact.revenue), 0) * 100 as revenue,
        coalesce(sum(exact.cost), 0) * 100 as cost,
        coalesce(sum(exact.refunds), 0) * 100 as refunds,
        coalesce(sum(exact.marketing), 0) * 100 as marketing
    from exact
    group by exact.channel
),

cents as (
    select
        channels.channel,
        part.item,
        floor(part.amount) as whole,
        row_number() over (
            partition by part.item
            -- Rounded: the 10th decimal of a shared line must not decide between equal fractions.
            order by round(part.amount - floor(part.amount), 4) desc, channels.channel collate "C"
        ) as turn,
        round(sum(part.amount) over (partition by part.item))
        - sum(floor(part.amount)) over (partition by part.item) as spare
    from channels
    cross join lateral (
        values
            ('revenue', channels.revenue),
            ('cost', channels.cost),
            ('refunds', channels.refunds),
            ('marketing', channels.marketing)
    ) as part (item, amount)
),

money as (
    select
        cents.channel,
        sum(cents.whole + (cents.turn <= cents.spare)::int) filter (where cents.item = 'revenue') / 100 as revenue,
        sum(cents.whole + (cents.turn <= cents.spare)::int) filter (where cents.item = 'cost') / 100 as cost,
        sum(cents.whole + (cents.turn <= cents.spare)::int) filter (where cents.item = 'refunds') / 100 as refunds,
        sum(cents.whole + (cents.turn <= cents.spare)::int) filter (where cents.item = 'marketing') / 100 as marketing
    from cents
    group by cents.channel
)

select
    %(report_date)s::date,
    money.channel,
    money.revenue,
    money.cost,
    money.refunds,
    money.marketing,
    money.revenue - money.cost - money.refunds - money.marketing,
    %(currency)s::text
from money;
