-- What the day is made of, to be compared with the days before: of every part of its orders, lines and touches there are
-- some (rows), what something costs or is given back as a rule (typical), and what is spent on each channel (money).
insert into base.day_parts (report, report_date, measure, part, kind, amount, of_all, rows)
with ordered as materialized (
    select
        given.order_id,
        given.status <> 'cancelled' as stands,
        extract(hour from given.ordered_at at time zone %(zone)s)::integer as hour,
        mod(given.order_id::bigint, 16) as sixteenth,
        mod(given.customer_id::bigint, 10) as tenth_customer,
        mod(given.customer_id::bigint, 16) as sixteenth_customer,
        customer.country,
        customer.acquisition_channel
    from master.orders as given
    left join lateral (
        -- Looked up one by one: every year there are more customers, but not more of a day.
        select
            min(known.country) as country, -- one answer, though upstream have a customer twice
            min(known.acquisition_channel) as acquisition_channel
        from master.customers as known
        where known.customer_id = given.customer_id
    ) as customer on true
    where given.ordered_at >= %(day_start)s::timestamptz and given.ordered_at < %(day_end)s::timestamptz
),

lines as materialized (
    select
        ordered.country,
        product.category,
        least(line.line_no, 3) as line_no,
        line.quantity,
        line.quantity > 1 as several,
        line.discount > 0 as discounted,
        line.quantity::bigint * line.unit_price as listed,
        line.quantity::bigint * product.unit_cost as cost,
        line.discount
    from ordered
    inner join master.order_lines as line on line.order_id = ordered.order_id
    inner join master.products as product on product.product_id = line.product_id
),

counted as (
    select
        case
            when grouping(ordered.hour) = 0 then 'orders_by_hour'
            when grouping(ordered.country) = 0 then 'orders_by_country'
            when grouping(ordered.acquisition_channel) = 0 then 'orders_by_channel'
            when grouping(ordered.sixteenth) = 0 then 'orders_by_order_id_modulo_16'
            when grouping(ordered.tenth_customer) = 0 then 'orders_by_customer_id_modulo_10'
            else 'orders_by_customer_id_modulo_16'
        end as measure,
        coalesce(
            ordered.country, ordered.acquisition_channel, ordered.hour::text, ordered.sixteenth::text,
            ordered.tenth_customer::text, ordered.sixteenth_customer::text, 'none'
        ) as part,
        count(*) as rows
    from ordered
    where ordered.stands
    group by
        grouping sets (
            (ordered.hour), (ordered.country), (ordered.acquisition_channel), (ordered.sixteenth), (ordered.tenth_customer),
            (ordered.sixteenth_customer)
        )
    union all
    select 'orders_by_status', case when ordered.stands then 'sold' else 'cancelled' end, count(*)
    from ordered
    group by ordered.stands
    union all
    select
        'orders_by_credit',
        case when line.acquisition_channel is null then 'touched' else 'not touched' end,
        count(distinct line.order_id)
    from base.profit as line
    where line.report_date = %(report_date)s::date and line.sold
    group by 2
    union all
    select
        case
            when grouping(lines.category) = 0 then 'lines_by_category'
            when grouping(lines.line_no) = 0 then 'lines_by_line_no'
            when grouping(lines.several) = 0 then 'lines_by_quantity'
            else 'lines_by_discount'
        end,
        coalesce(
            lines.category,
            case lines.line_no when 3 then '3 or more' else lines.line_no::text end,
            case when lines.several then 'more than 1' when not lines.several then '1' end,
            case when lines.discounted then 'discounted' else 'none' end
        ),
        count(*)
    from lines
    group by grouping sets ((lines.category), (lines.line_no), (lines.several), (lines.discounted))
    union all
    select
        case when grouping(touch.channel) = 0 then 'touches_by_channel' else 'touches_by_hour' end,
        coalesce(touch.channel, extract(hour from touch.touched_at at time zone %(zone)s)::integer::text),
        count(*)
    from master.touches as touch
    where touch.touched_at >= %(day_start)s::timestamptz and touch.touched_at < %(day_end)s::timestamptz
    group by
        grouping sets ((touch.channel), (extract(hour from touch.touched_at at time zone %(zone)s)::integer))
),

given_back as (
    select count(*) as rows, exp(avg(ln(0.01 + refund.amount::float8))) as amount
    from master.refunds as refund
    where refund.refunded_at >= %(day_start)s::timestamptz and refund.refunded_at < %(day_end)s::timestamptz
),

measured (measure, part, kind, amount, of_all, rows) as (
    select
        counted.measure,
        counted.part,
        'rows',
        counted.rows,
        sum(counted.rows) over (partition by counted.measure),
        counted.rows
    from counted
    union all
    select 'refunds', 'all', 'rows', given_back.rows, (select count(*) from ordered), given_back.rows
    from given_back
    union all
    select 'amount_of_refunds', 'all', 'typical', given_back.amount::numeric, 1, given_back.rows
    from given_back
    where given_back.rows > 0
    union all
    select
        case when grouping(lines.country) = 0 then 'cost_to_price_by_country' else 'cost_to_price_by_category' end,
        coalesce(lines.country, lines.category),
        'typical',
        sum(lines.cost),
        sum(lines.listed),
        count(*)
    from lines
    group by grouping sets ((lines.country), (lines.category))
    union all
    select 'pieces_by_category', lines.category, 'typical', exp(avg(ln(lines.quantity::float8)))::numeric, 1, count(*)
    from lines
    where lines.quantity > 0
    group by lines.category
    union all
    select 'discount_to_price', 'all', 'least', sum(lines.discount), sum(lines.listed), count(*)
    from lines
    where lines.discounted
    having count(*) > 0
    union all
    select 'spend_by_channel', spend.channel, 'money', spend.amount, sum(spend.amount) over (), 1
    from base.marketing as spend
    where spend.report_date = %(report_date)s::date
)

select
    %(report)s,
    %(report_date)s::date,
    measured.measure,
    measured.part,
    measured.kind,
    measured.amount,
    measured.of_all,
    measured.rows
from measured;
