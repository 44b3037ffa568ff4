-- What must hold before the day's profit is published: one row per check.
with lines as (
    select line.* from base.profit as line where line.report_date = %(report_date)s::date
),

credits as (
    select credit.* from base.profit_credit as credit where credit.report_date = %(report_date)s::date
),

spend as (
    select spent.* from base.marketing as spent where spent.report_date = %(report_date)s::date
),

day as (
    select draft.* from base.daily_profit_draft as draft where draft.report_date = %(report_date)s::date
),

channels as (
    select
        coalesce(sum(draft.revenue), 0) as revenue,
        coalesce(sum(draft.cost), 0) as cost,
        coalesce(sum(draft.refunds), 0) as refunds,
        coalesce(sum(draft.marketing), 0) as marketing,
        coalesce(sum(draft.profit), 0) as profit
    from base.daily_profit_by_channel_draft as draft
    where draft.report_date = %(report_date)s::date
),

sold_orders as (
    select ordered.order_id, ordered.customer_id, ordered.ordered_at
    from master.orders as ordered
    where
        ordered.ordered_at >= %(day_start)s::timestamptz
        and ordered.ordered_at < %(day_end)s::timestamptz
        and (
            ordered.status is distinct from 'cancelled'
            or ordered.order_id in (
                select known.order_id
                from base.cancellations as known
                where known.report_date = %(report_date)s::date and known.cancelled_on > %(report_date)s::date
            )
        )
),

counted as (
    select
        'lines_are_unique' as name,
        '0 order lines that come twice' as expected,
        count(*) as found,
        ' in master.order_lines, such as ' || min(concat('order_id ', twice.order_id, ', line_no ', twice.line_no)) as example
    from (
        select credits.order_id, credits.line_no, credits.channel
        from credits
        group by credits.order_id, credits.line_no, credits.channel
        having count(*) > 1
    ) as twice
    union all
    select
        'orders_have_lines',
        '0 orders without lines',
        count(*),
        ' in master.orders, such as ' || min(concat('order_id ', sold_orders.order_id))
    from sold_orders
    where not exists (select from master.order_lines as line where line.order_id = sold_orders.order_id)
    union all
    -- Of orders that were refunded or cancelled on the day too.
    select
        'orders_have_customers',
        '0 orders of unknown customers',
        count(*),
        ' in master.orders.customer_id, such as '
        || min(concat('order_id ', ordered.order_id, ' (', ordered.customer_id, ')'))
    from (
        select sold_orders.order_id, sold_orders.customer_id
        from sold_orders
        union
        select lines.order_id, lines.customer_id
        from lines
        where not lines.sold
    ) as ordered
    where
        -- Looked up one by one: `not exists` would read every customer there is.
        (
            select min(customer.customer_id) -- one answer, though upstream have a customer twice
            from master.customers as customer
            where customer.customer_id = ordered.customer_id
        ) is null
    union all
    -- What was sold can only be taken back while it is there.
    select
        'cancelled_lines_are_there',
        '0 sold lines missing of orders that are cancelled',
        count(*),
        ' not in master.order_lines, such as ' || min(concat('order_id ', booked.order_id, ', line_no ', booked.line_no))
    from base.cancellations as known
    inner join base.profit as booked
        on booked.report_date = known.ordered_on and booked.order_id = known.order_id and booked.sold
    where
        known.report_date = %(report_date)s::date
        and known.cancelled_on = %(report_date)s::date
        and known.ordered_on < %(report_date)s::date
        and not exists (
            select
            from master.order_lines as line
            where line.order_id = booked.order_id and line.line_no = booked.line_no
        )
    union all
    select
        'channels_are_well_written',
        '0 channels that are empty or not written in small letters',
        count(*),
        ', such as ' || min(quote_literal(draft.channel))
    from base.daily_profit_by_channel_draft as draft
    where draft.report_date = %(report_date)s::date and draft.channel !~ '^[a-z0-9]+([_.-][a-z0-9]+)*$'
    union all
    select
        'lines_have_products',
        '0 order lines of unknown products',
        count(*),
        ' in master.order_lines.product_id, such as '
        || min(concat('order_id ', line.order_id, ', line_no ', line.line_no, ' (', line.product_id, ')'))
    from sold_orders
    inner join master.order_lines as line on line.order_id = sold_orders.order_id
    where not exists (select from master.products as product where product.product_id = line.product_id)
    union all
    select
        'refunds_have_lines',
        '0 refunds of unknown order lines',
        count(*),
        ' in master.refunds, such as ' || min(concat('refund_id ', refund.refund_id))
    from master.refunds as refund
    where
        refund.refunded_at >= %(day_start)s::timestamptz
        and refund.refunded_at < %(day_end)s::timestamptz
        and not exists (
            select
            from master.orders as ordered
            inner join master.order_lines as line on line.order_id = ordered.order_id
            where ordered.order_id = refund.order_id and line.line_no = refund.line_no
        )
)

select
    counted.name,
    counted.expected,
    concat(counted.found, counted.example) as found,
    counted.found = 0 as passed
from counted
union all
-- A day without a sale is a day like any other when upstream says so: its load is there and has no rows, or all of its
-- orders were cancelled.
select
    'not_empty',
    'at least 1 order line',
    case
        when passed.by_lines > 0 then passed.by_lines::text
        when passed.by_upstream then '0, as the load of orders says'
        else '0, and no load says so'
    end,
    passed.by_lines > 0 or passed.by_upstream
from (
    select
        (select count(*) from lines where lines.sold) as by_lines,
        exists (
            select
            from base.cancellations as known
            where known.report_date = %(report_date)s::date and known.ordered_on = %(report_date)s::date
        )
        or coalesce(base.said_to_be_empty('orders', %(report_date)s::date), false) as by_upstream
) as passed
union all
select 'credit_adds_up_to_lines', line_sum.money::text, credit_sum.money::text, line_sum.money = credit_sum.money
from (
    select array[
        coalesce(sum(lines.revenue), 0), coalesce(sum(lines.cost), 0), coalesce(sum(lines.refunds), 0),
        coalesce(sum(lines.marketing), 0)
    ] as money
    from lines
) as line_sum
cross join (
    select array[
        coalesce(sum(credits.revenue), 0), coalesce(sum(credits.cost), 0), coalesce(sum(credits.refunds), 0),
        (select coalesce(sum(spend.amount) filter (where spend.allotted), 0) from spend)
    ] as money
    from credits
) as credit_sum
union all
select
    'profit_is_what_is_left',
    (day.revenue - day.cost - day.refunds - day.marketing)::text,
    day.profit::text,
    day.profit = day.revenue - day.cost - day.refunds - day.marketing
from day
union all
select
    'channels_add_up_to_the_day',
    array[day.revenue, day.cost, day.refunds, day.marketing, day.profit]::text,
    array[channels.revenue, channels.cost, channels.refunds, channels.marketing, channels.profit]::text,
    (day.revenue, day.cost, day.refunds, day.marketing, day.profit)
    is not distinct from (channels.revenue, channels.cost, channels.refunds, channels.marketing, channels.profit)
from day
cross join channels
union all
-- What is added up over days, here or by whoever reads the report, must be in one currency. Days run again from the oldest
-- on may come to another one.
select
    'days_are_in_one_currency',
    concat('0 earlier days in another currency than ', %(currency)s::text),
    concat(
        count(*),
        ', the last of them ' || max(earlier.report_date) || ' in ' || max(earlier.currency)
        || ': publish them again, oldest first, in the currency of the contract'
    ),
    count(*) = 0
from investor.daily_profit as earlier
where earlier.report_date < %(report_date)s::date and earlier.currency <> %(currency)s::text;
