-- Base profit model: every order line that was sold or refunded on the report date, of orders not cancelled.
-- A refund counts on the day it is made, so that an earlier day never changes because of one.

delete from base.profit_credit where report_date = %(report_date)s::date;

-- An order's credit is shared equally among the customer's distinct touch channels in the 7 days before it: from
-- exactly 168 hours before `ordered_at`, included, to `ordered_at`, excluded. No touch: the acquisition channel.
-- Parts are rounded cumulatively to 10 decimals: they add up to the line, and to the channel's spend, exactly.
insert into base.profit_credit (
    report_date, channel, order_id, line_no, customer_id, sold, revenue, cost, refunds, marketing
)
with sold as (
    select
        line.order_id,
        line.line_no,
        line.quantity * line.unit_price - line.discount as revenue,
        line.quantity * product.unit_cost as cost -- null when the product is missing: a check will say so
    from master.orders as ordered
    inner join master.order_lines as line on line.order_id = ordered.order_id
    left join master.products as product on product.product_id = line.product_id
    where
        ordered.ordered_at >= %(day_start)s::timestamptz
        and ordered.ordered_at < %(day_end)s::timestamptz
        and ordered.status is distinct from 'cancelled'
),

refunded as (
    select refund.order_id, refund.line_no, sum(refund.amount) as refunds
    from master.refunds as refund
    inner join master.orders as ordered on ordered.order_id = refund.order_id
    where
        refund.refunded_at >= %(day_start)s::timestamptz
        and refund.refunded_at < %(day_end)s::timestamptz
        and ordered.status is distinct from 'cancelled'
    group by refund.order_id, refund.line_no
),

lines as (
    select
        order_id,
        line_no,
        sold.order_id is not null as sold,
        case when sold.order_id is null then 0 else sold.revenue end as revenue,
        case when sold.order_id is null then 0 else sold.cost end as cost,
        coalesce(refunded.refunds, 0) as refunds
    from sold
    full join refunded using (order_id, line_no)
),

orders as (
    select ordered.order_id, ordered.customer_id, ordered.ordered_at
    from master.orders as ordered
    where ordered.order_id in (select lines.order_id from lines)
),

touched as (
    select distinct orders.order_id, touch.channel
    from orders
    inner join master.touches as touch
        on
            touch.customer_id = orders.customer_id
            and touch.touched_at >= orders.ordered_at - interval '168 hours'
            and touch.touched_at < orders.ordered_at
),

credited as (
    select touched.order_id, touched.channel
    from touched
    union
    select orders.order_id, coalesce(customer.acquisition_channel, 'unknown')
    from orders
    left join master.customers as customer on customer.customer_id = orders.customer_id
    where not exists (select from touched where touched.order_id = orders.order_id)
),

shares as (
    select
        credited.order_id,
        credited.channel,
        row_number() over (partition by credited.order_id order by credited.channel collate "C") as nth,
        count(*) over (partition by credited.order_id) as parts
    from credited
),

parts as (
    select
        shares.channel,
        lines.order_id,
        lines.line_no,
        orders.customer_id,
        lines.sold,
        round(lines.revenue * nth / parts, 10) - round(lines.revenue * (nth - 1) / parts, 10) as revenue,
        round(lines.cost * nth / parts, 10) - round(lines.cost * (nth - 1) / parts, 10) as cost,
        round(lines.refunds * nth / parts, 10) - round(lines.refunds * (nth - 1) / parts, 10) as refunds
    from lines
    inner join orders using (order_id)
    inner join shares using (order_id)
),

-- A channel's spend goes to that day's lines in proportion to the revenue credited to it.
allotted as (
    select
        parts.*,
        sum(parts.revenue) over (partition by parts.channel) as credited,
        sum(parts.revenue) over (
            partition by parts.channel order by parts.order_id, parts.line_no
            rows between unbounded preceding and current row
        ) as upto
    from parts
),

spent as (
    select spend.channel, sum(spend.amount) as amount
    from master.marketing_spend as spend
    where spend.day = %(report_date)s::date
    group by spend.channel
)

select
    %(report_date)s::date,
    allotted.channel,
    allotted.order_id,
    allotted.line_no,
    allotted.customer_id,
    allotted.sold,
    allotted.revenue,
    allotted.cost,
    allotted.refunds,
    case
        when spent.amount is null or allotted.credited <= 0 then 0
        else
            round(spent.amount * allotted.upto / allotted.credited, 10)
            - round(spent.amount * (allotted.upto - allotted.revenue) / allotted.credited, 10)
    end
from allotted
left join spent on spent.channel = allotted.channel;

delete from base.marketing where report_date = %(report_date)s::date;

insert into base.marketing (report_date, channel, amount, credited_revenue, allotted)
select
    %(report_date)s::date,
    spend.channel,
    sum(spend.amount),
    coalesce(max(credited.revenue), 0),
    coalesce(max(credited.revenue), 0) > 0
from master.marketing_spend as spend
left join (
    select credit.channel, sum(credit.revenue) as revenue
    from base.profit_credit as credit
    where credit.report_date = %(report_date)s::date
    group by credit.channel
) as credited on credited.channel = spend.channel
where spend.day = %(report_date)s::date
group by spend.channel;

delete from base.profit where report_date = %(report_date)s::date;

insert into base.profit (
    report_date, order_id, line_no, customer_id, sold, revenue, cost, refunds, marketing, profit
)
select
    credit.report_date,
    credit.order_id,
    credit.line_no,
    credit.customer_id,
    credit.sold,
    sum(credit.revenue),
    sum(credit.cost),
    sum(credit.refunds),
    sum(credit.marketing),
    sum(credit.revenue) - sum(credit.cost) - sum(credit.refunds) - sum(credit.marketing)
from base.profit_credit as credit
where credit.report_date = %(report_date)s::date
group by credit.report_date, credit.order_id, credit.line_no, credit.customer_id, credit.sold;
