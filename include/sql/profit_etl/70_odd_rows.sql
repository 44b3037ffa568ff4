-- What only the day as a whole shows: rows that were loaded twice under new keys, or yesterday's under today's date, or
-- in another unit. Name, what may be so, how many are, of how many, where, and up to how many in 100 it is ordinary.
-- Compared with days that are published alone: what was held for it is no proof of it.
with published as materialized (
    select day.report_date
    from base.published_days as day
    where day.report = 'base.profit' and day.report_date < %(report_date)s::date and day.as_published
),

sold_orders as (
    select ordered.order_id, ordered.customer_id, ordered.ordered_at
    from master.orders as ordered
    where
        ordered.ordered_at >= %(day_start)s::timestamptz
        and ordered.ordered_at < %(day_end)s::timestamptz
        and ordered.order_id in (
            select line.order_id from base.profit as line where line.report_date = %(report_date)s::date and line.sold
        )
),

-- Of one customer at one instant and with the same money, but for the first of them: two or three, as a load that ran
-- again leaves them. Many at one instant are another thing: there upstream says no more than the hour, or the day.
twins as (
    select unnest((array_agg(bought.order_id order by bought.order_id))[2:]) as order_id
    from (
        select sold_orders.order_id, sold_orders.customer_id, sold_orders.ordered_at, array_agg(
            array[line.product_id, line.quantity, line.unit_price, line.discount]
            order by line.product_id, line.quantity, line.unit_price, line.discount
        ) as lines
        from (
            select sold_orders.*, count(*) over (partition by sold_orders.customer_id, sold_orders.ordered_at) as at_once
            from sold_orders
        ) as sold_orders
        inner join master.order_lines as line on line.order_id = sold_orders.order_id
        where sold_orders.at_once > 1 and sold_orders.ordered_at > %(day_start)s::timestamptz
        group by sold_orders.order_id, sold_orders.customer_id, sold_orders.ordered_at
    ) as bought
    group by bought.customer_id, bought.ordered_at, bought.lines
    having count(*) between 2 and 3
),

-- Whose customer ordered at the same time of the day before, too.
again as (
    select sold_orders.ordered_at, min(sold_orders.order_id) as order_id
    from sold_orders
    inner join master.orders as earlier
        on
            earlier.customer_id = sold_orders.customer_id
            and earlier.ordered_at = sold_orders.ordered_at - interval '24 hours'
    where
        earlier.ordered_at >= %(day_start)s::timestamptz - interval '24 hours'
        and earlier.ordered_at < %(day_end)s::timestamptz - interval '24 hours'
    group by sold_orders.ordered_at
),

day_lines as materialized (
    select
        line.order_id, line.line_no, line.product_id, line.quantity::bigint as quantity, line.unit_price, line.discount
    from sold_orders
    inner join master.order_lines as line on line.order_id = sold_orders.order_id
),

-- Copies: all but the first of the lines of one order that are alike. In a large cart some articles have the same price.
carts as (
    select alike.order_id, sum(alike.lines) as lines, sum(alike.lines - 1) as copies
    from (
        select line.order_id, count(*) as lines
        from day_lines as line
        group by line.order_id, line.product_id, line.quantity, line.unit_price, line.discount
    ) as alike
    group by alike.order_id
),

products as (
    select day_lines.product_id, max(day_lines.unit_price) > 30 * min(day_lines.unit_price) as apart
    from day_lines
    where day_lines.unit_price > 0
    group by day_lines.product_id
    having count(*) >= 5
),

-- Lines whose price is 30 times that of most lines of their product, or a thirtieth: cents where units are meant.
odd_prices as (
    select line.product_id, concat('order_id ', line.order_id, ', line_no ', line.line_no, ' (', line.unit_price, ')') as example
    from day_lines as line
    inner join (
        select day_lines.product_id, percentile_disc(0.5) within group (order by day_lines.unit_price) as unit_price
        from day_lines
        where
            day_lines.unit_price > 0
            and day_lines.product_id in (select products.product_id from products where products.apart)
        group by day_lines.product_id
    ) as usual on usual.product_id = line.product_id
    where line.unit_price > 0 and (line.unit_price > 30 * usual.unit_price or usual.unit_price > 30 * line.unit_price)
),

-- Of each product that was sold, how much, and what a piece costs, or was sold for, beside the last days before that sold
-- it. Some, such as postage, are sold at any price: those days show it.
goods as materialized (
    select
        bought.product_id,
        bought.pieces,
        good.is_cost,
        good.now,
        case when good.now > good.most then good.most else good.least end as before,
        -- One of which each line has a price of its own is as far apart on other days: twice what it had there is more.
        least(good.least, 4 * piece.lowest_price) as least,
        greatest(good.most, piece.highest_price / 4) as most,
        -- Some, such as postage, are sold at any price: those days show it.
        good.days >= 3 and good.most <= 8 * good.least as has_a_price,
        good.now > 1.25 * good.most as above,
        good.least > 1.25 * good.now as below
    from (
        select day_lines.product_id, sum(day_lines.quantity) as pieces
        from day_lines
        group by day_lines.product_id
    ) as bought
    -- Looked up one by one: every day is one day more of them.
    cross join lateral (
        select
            max(lately.unit_cost) filter (where lately.report_date = %(report_date)s::date) as cost,
            max(lately.unit_price) filter (where lately.report_date = %(report_date)s::date) as price,
            (
                array_agg(lately.unit_cost order by lately.report_date desc)
                filter (where lately.report_date < %(report_date)s::date)
            )[1] as cost_before,
            count(lately.unit_price) filter (where lately.report_date < %(report_date)s::date) as days,
            min(lately.unit_price) filter (where lately.report_date < %(report_date)s::date) as least_price,
            max(lately.unit_price) filter (where lately.report_date < %(report_date)s::date) as most_price,
            min(lately.lowest_price) filter (where lately.report_date < %(report_date)s::date) as lowest_price,
            max(lately.highest_price) filter (where lately.report_date < %(report_date)s::date) as highest_price
        from (
            select kept.report_date, kept.unit_cost, kept.unit_price, kept.lowest_price, kept.highest_price
            from base.product_costs as kept
            where
                kept.product_id = bought.product_id
                and (
                    (kept.report_date = %(report_date)s::date and not kept.published)
                    or (kept.report_date in (select published.report_date from published) and kept.published)
                )
            order by kept.report_date desc
            limit 8
        ) as lately
    ) as piece
    cross join lateral (
        values
            (true, piece.cost, piece.cost_before, piece.cost_before, piece.days),
            (false, piece.price, piece.least_price, piece.most_price, piece.days)
    ) as good (is_cost, now, least, most, days)
    where good.least > 0 and good.now is not null
),

sold as (
    select count(*) as orders, count(distinct sold_orders.ordered_at) as times from sold_orders
)

-- A few may be a finger that slipped; many are a load that ran again. On a small day it is told by every order.
select
    'orders_come_once' as name,
    'orders that are there under another order_id too: same customer, instant and lines' as what,
    twin.orders as odd,
    sold.orders as of_all,
    'in master.orders, such as order_id ' || twin.example as found,
    case when sold.times >= 20 then 1 when sold.times >= 5 then 49.9 else 100 end as ordinary
from (select count(*) as orders, min(twins.order_id) as example from twins) as twin
cross join sold
union all
-- One article twice in a cart is nothing, also in most carts that are large; a quarter of all lines are lines that were
-- loaded twice under new numbers.
select
    'lines_come_once',
    'order lines that are there under another line_no too',
    coalesce(sum(carts.copies), 0),
    coalesce(sum(carts.lines), 0),
    'in master.order_lines, such as order_id ' || min(carts.order_id) filter (where carts.copies > 0),
    case when count(*) >= 20 then 25 else 100 end
from carts
union all
-- A few products may well be sold at any price, such as postage; many at once are not.
select
    'prices_are_in_one_unit',
    'products with a price 30 times, or a thirtieth, of what most of their lines cost',
    odd.products,
    judged.products,
    'in master.order_lines.unit_price, such as ' || odd.example,
    case when judged.products > 0 then greatest(1, 100 * 4.5 / judged.products) else 100 end
from (select count(distinct odd_prices.product_id) as products, min(odd_prices.example) as example from odd_prices) as odd
cross join (select count(*) as products from products) as judged
union all
select
    'orders_are_not_those_of_the_day_before',
    'times at which the same customer ordered as on the day before',
    repeated.times,
    sold.times,
    'in master.orders.ordered_at, such as order_id ' || repeated.example,
    case when sold.times >= 20 then 50 else 100 end
from (select count(*) as times, min(again.order_id) as example from again) as repeated
cross join sold
union all
-- A decimal point that slipped, or cents: of every line, or of a few of them. Of what is hardly sold it does not matter.
select
    case when changed.is_cost then 'costs_are_in_one_unit' else 'product_prices_are_in_one_unit' end,
    case
        when changed.is_cost
            then 'of the cost of the day is of products that cost 8 times what they did before, an eighth, or nothing'
        else 'of the revenue of the day is of lines with a price 8 times what their product had before, or an eighth'
    end,
    changed.money,
    changed.money + case when changed.is_cost then whole.cost else whole.revenue end,
    concat(
        case when changed.is_cost then 'in master.products.unit_cost' else 'in master.order_lines.unit_price' end,
        ', such as product_id ' || changed.example
    ),
    case when changed.is_cost then 2 else 4 end
from (
    select
        other.is_cost,
        coalesce(sum(other.pieces * abs(other.money - other.before)) filter (where apart), 0)::bigint as money,
        min(concat(other.product_id, ' (', round(other.money, 2), ', ', round(other.before, 2), ' before)'))
        filter (where apart) as example
    from (
        select goods.is_cost, goods.product_id, goods.pieces, goods.now as money, goods.before
        from goods
        where goods.is_cost
        union all
        select
            false,
            line.product_id,
            line.quantity,
            line.unit_price,
            case
                when line.unit_price > goods.most then goods.most
                when line.unit_price < goods.least then goods.least
                else line.unit_price -- as on the days before
            end
        from day_lines as line
        inner join goods on goods.product_id = line.product_id and not goods.is_cost and goods.has_a_price
        where line.unit_price > 0
    ) as other
    cross join lateral (select other.money > 8 * other.before or other.before > 8 * other.money as apart) as judged
    group by other.is_cost
) as changed
cross join (
    select coalesce(sum(line.cost), 0)::bigint as cost, coalesce(sum(line.revenue), 0)::bigint as revenue
    from base.profit as line
    where line.report_date = %(report_date)s::date and line.sold
) as whole
union all
-- Prices are cut for a sale; what most of an assortment costs does not change by so much in a day.
select
    'costs_stay',
    'products whose unit cost is 1.6 times what it was when they were sold last, or less than it by as much',
    count(*) filter (where costs.changed),
    count(*),
    'in master.products.unit_cost, such as product_id '
    || min(concat(costs.product_id, ' (', round(costs.now, 2), ', ', round(costs.before, 2), ' before)'))
    filter (where costs.changed),
    case when count(*) >= 5 then 50 else 100 end
from (
    select goods.*, goods.now > 1.6 * goods.before or goods.before > 1.6 * goods.now as changed
    from goods
    where goods.is_cost
) as costs
union all
-- In a sale, or after one, all go one way. Some up and as many down are lines that name another product than was sold.
select
    'product_prices_stay',
    'products with a price a quarter above what it was on the last seven days that sold them, and as many as far below it',
    2 * least(count(*) filter (where prices.above), count(*) filter (where prices.below)),
    count(*),
    'in master.order_lines.product_id, such as product_id '
    || min(concat(prices.product_id, ' (', round(prices.now, 2), ', ', round(prices.before, 2), ' before)'))
    filter (where prices.above),
    case when count(*) >= 10 then 30 else 100 end
from goods as prices
where not prices.is_cost
union all
-- A budget is the same every day, and a round one may be so of two channels; what was billed is not, unless it is so
-- little that there are few amounts to choose from.
select
    'spend_comes_once',
    'of the spend of the day is there under another channel too, to the cent',
    coalesce(sum(spend.amount) filter (where spend.again), 0)::bigint,
    coalesce(sum(spend.amount), 0)::bigint,
    'in master.marketing_spend, such as ' || min(concat(spend.channel, ' (', round(spend.amount, 2), ')'))
    filter (where spend.again),
    case when count(*) filter (where spend.known) > 0 then 2 else 100 end
from (
    select
        billed.channel,
        billed.amount,
        earlier.days > 0 as known,
        billed.amount <> trunc(billed.amount)
        and billed.amount >= 50
        and count(*) over (partition by billed.amount) > 1
        and max(earlier.alike) over (partition by billed.amount) = 0 as again
    from base.marketing as billed
    left join lateral (
        select count(*) as days, count(*) filter (where before.amount = billed.amount) as alike
        from base.marketing as before
        where
            before.channel = billed.channel
            and before.report_date >= %(report_date)s::date - 28
            and before.report_date in (select published.report_date from published)
    ) as earlier on true
    where billed.report_date = %(report_date)s::date
) as spend
union all
-- A few were corrected. Of many another row has taken the number, and the day before lacks what it was published with.
select
    'orders_are_sold_on_one_day',
    'orders that are published as sold on an earlier day too',
    count(known.report_date),
    count(*),
    'in master.orders.ordered_at, such as order_id ' || min(concat(sold_orders.order_id, ' (', known.report_date, ')'))
    filter (where known.report_date is not null) || ': if it has moved, run that day again first',
    case when count(known.report_date) >= 5 then 1 else 100 end
from sold_orders
left join lateral (
    select max(line.report_date) as report_date
    from base.profit as line
    where
        line.order_id = sold_orders.order_id
        and line.sold
        and line.report_date in (select published.report_date from published)
) as known on true
union all
select
    'refunds_are_paid_on_one_day',
    'refunds that are published as paid on an earlier day too',
    count(*) filter (where paid.before is not null),
    count(*),
    'in master.refunds.refunded_at, such as refund_id ' || min(concat(paid.refund_id, ' (', paid.before, ')'))
    filter (where paid.before is not null),
    case when count(*) filter (where paid.before is not null) >= 5 then 1 else 100 end
from (
    select
        now.refund_id,
        (
            select max(earlier.report_date)
            from base.refunds_read as earlier
            where
                earlier.refund_id = now.refund_id
                and earlier.report_date in (select published.report_date from published)
        ) as before
    from base.refunds_read as now
    where now.report_date = %(report_date)s::date
) as paid
union all
-- Yesterday's bill under today's date. One channel may have an amount again by chance, and a budget always.
select
    'spend_is_that_of_its_day',
    'of the spend of the day is to the cent what the same channels had on one day before it',
    coalesce(max(alike.amount), 0)::bigint,
    coalesce((
        select sum(billed.amount) from base.marketing as billed where billed.report_date = %(report_date)s::date
    ), 0)::bigint,
    'in master.marketing_spend, such as ' || (array_agg(alike.example order by alike.amount desc))[1],
    2
from (
    select sum(billed.amount) as amount, concat(min(billed.channel), ' (', before.report_date, ')') as example
    from base.marketing as billed
    inner join base.marketing as before
        on
            before.channel = billed.channel
            and before.amount = billed.amount
            and before.report_date >= %(report_date)s::date - 28
            and before.report_date in (select published.report_date from published)
    where
        billed.report_date = %(report_date)s::date
        and billed.amount <> trunc(billed.amount)
        and billed.channel in (
            -- More than a week: by then a plan by weekday has come again.
            select varied.channel
            from base.marketing as varied
            where
                varied.report_date >= %(report_date)s::date - 28
                and varied.report_date in (select published.report_date from published)
                and varied.amount <> trunc(varied.amount)
            group by varied.channel
            having count(*) >= 8 and count(*) = count(distinct varied.amount)
        )
    group by before.report_date
    having count(*) > 1
) as alike;
