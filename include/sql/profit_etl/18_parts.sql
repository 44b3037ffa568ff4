-- What the day is made of, to be compared with the days before: of every part of its orders, lines and touches there are
-- some (rows), of others hardly any (rare; again), what something costs or is given back as a rule (typical), and what is
-- spent on each channel (money).
insert into base.day_parts (report, report_date, measure, part, kind, amount, of_all, rows)
with ordered as materialized (
    select
        given.order_id,
        given.customer_id,
        given.ordered_at,
        given.status <> 'cancelled' as stands,
        extract(hour from given.ordered_at at time zone %(zone)s)::integer as hour,
        mod(given.order_id::bigint, 16) as sixteenth,
        mod(given.customer_id::bigint, 10) as tenth_customer,
        mod(given.customer_id::bigint, 16) as sixteenth_customer,
        customer.country,
        customer.acquisition_channel,
        case when customer.signed_up_at >= %(day_start)s::timestamptz then 'that day' else 'earlier' end as signed_up
    from master.orders as given
    left join lateral (
        -- Looked up one by one: every year there are more customers, but not more of a day.
        select
            min(known.country) as country, -- one answer, though upstream have a customer twice
            min(known.acquisition_channel) as acquisition_channel,
            min(known.signed_up_at) as signed_up_at
        from master.customers as known
        where known.customer_id = given.customer_id
    ) as customer on true
    where given.ordered_at >= %(day_start)s::timestamptz and given.ordered_at < %(day_end)s::timestamptz
),

-- Costs are as the report has them: a day that is run again keeps what its goods cost then. (Looked up one by one: joined,
-- a day of which nothing is counted yet would be taken for empty, and read for each line.)
goods as materialized (
    select
        product.product_id,
        product.category,
        coalesce(
            (
                select max(kept.unit_cost) -- one answer, though upstream have a product twice
                from base.product_costs as kept
                where
                    kept.product_id = product.product_id
                    and kept.report_date = %(report_date)s::date
                    and not kept.published
            ),
            product.unit_cost
        ) as unit_cost
    from master.products as product
),

lines as materialized (
    select
        ordered.order_id,
        ordered.customer_id,
        ordered.ordered_at,
        ordered.stands,
        ordered.country,
        line.product_id,
        product.category,
        least(line.line_no, 3) as line_no,
        line.line_no as numbered,
        line.quantity,
        line.quantity > 1 as several,
        line.discount > 0 as discounted,
        line.unit_price,
        product.unit_cost,
        line.quantity::bigint * line.unit_price as listed,
        line.quantity::bigint * product.unit_cost as cost,
        line.discount
    from ordered
    inner join master.order_lines as line on line.order_id = ordered.order_id
    inner join goods as product on product.product_id = line.product_id
),

-- By customer how many orders, and of them those that are alike: as many lines, of the same articles for the same money.
-- The same for those of one instant, whoever is said to have bought them.
buyers as (
    select ordered.customer_id, count(*) as orders
    from ordered
    where ordered.stands
    group by ordered.customer_id
),

bought as materialized (
    select
        lines.customer_id,
        lines.ordered_at,
        count(*) as lines,
        sum(mod(lines.product_id::bigint, 1000003) * mod(lines.product_id::bigint, 1000003) * lines.quantity) as articles,
        sum(lines.listed) as listed,
        sum(lines.discount) as discount
    from lines
    where
        lines.stands
        and (
            lines.customer_id in (select buyers.customer_id from buyers where buyers.orders > 1)
            or lines.ordered_at in (
                select ordered.ordered_at from ordered where ordered.stands group by ordered.ordered_at having count(*) > 1
            )
        )
    group by lines.customer_id, lines.ordered_at, lines.order_id
),

alike as (
    select count(*) as orders
    from bought
    group by bought.customer_id, bought.lines, bought.articles, bought.listed, bought.discount
),

in_a_row as (
    select
        ordered.order_id,
        given.back,
        lag(ordered.order_id, given.back) over (partition by given.back order by ordered.order_id) as order_before
    from ordered
    cross join (values (1), (2)) as given (back)
    where ordered.stands
),

alike_at_once as (
    select count(*) as orders
    from bought
    group by bought.ordered_at, bought.lines, bought.articles, bought.listed, bought.discount
),

-- When in their hour customers ordered the day before and a week before: another time zone is no other time. Read by their
-- days: looked up by customer, all that a customer ever ordered would be read.
earlier as materialized (
    select given.customer_id, given.ordered_at - date_trunc('hour', given.ordered_at) as in_hour
    from (values (interval '24 hours'), (interval '168 hours')) as moved (back)
    inner join master.orders as given
        on
            given.ordered_at >= %(day_start)s::timestamptz - moved.back
            and given.ordered_at < %(day_end)s::timestamptz - moved.back
),

-- Of the days between two hours are enough: a file that comes again comes whole.
at_noon as (
    select ordered.customer_id, ordered.ordered_at
    from ordered
    where
        ordered.stands
        and ordered.ordered_at >= %(day_start)s::timestamptz + interval '12 hours'
        and ordered.ordered_at < %(day_start)s::timestamptz + interval '14 hours'
),

earlier_at_noon as materialized (
    select given.customer_id, given.ordered_at + moved.back as ordered_at
    from (
        values (interval '48 hours'), (interval '72 hours'), (interval '96 hours'), (interval '120 hours'), (interval '144 hours')
    ) as moved (back)
    inner join master.orders as given
        on
            given.ordered_at >= %(day_start)s::timestamptz + interval '12 hours' - moved.back
            and given.ordered_at < %(day_start)s::timestamptz + interval '14 hours' - moved.back
),

earlier_touches as materialized (
    select given.customer_id, given.touched_at - date_trunc('hour', given.touched_at) as in_hour
    from (values (interval '24 hours'), (interval '168 hours')) as moved (back)
    inner join master.touches as given
        on
            given.touched_at >= %(day_start)s::timestamptz - moved.back
            and given.touched_at < %(day_end)s::timestamptz - moved.back
),

-- What went out to many in one instant, such as a newsletter: tomorrow it goes to them at that time again.
sent_at_once as materialized (
    select sent.touched_at
    from (
        select touch.touched_at, count(*) as touches, sum(count(*)) over () as of_all
        from master.touches as touch
        where touch.touched_at >= %(day_start)s::timestamptz and touch.touched_at < %(day_end)s::timestamptz
        group by touch.touched_at
    ) as sent
    where sent.touches >= 10 and sent.touches * 100 > sent.of_all
),

given_back as materialized (
    select
        ordered.customer_id,
        count(*) as rows,
        count(*) filter (where refund.amount <> trunc(refund.amount)) as with_cents,
        sum(refund.amount) as amount,
        sum(line.quantity::bigint * line.unit_price - line.discount) as paid
    from master.refunds as refund
    inner join master.orders as ordered on ordered.order_id = refund.order_id
    inner join master.order_lines as line on line.order_id = refund.order_id and line.line_no = refund.line_no
    where refund.refunded_at >= %(day_start)s::timestamptz and refund.refunded_at < %(day_end)s::timestamptz
    group by ordered.customer_id
),

-- What one customer alone buys may be anything: what a thing is as a rule is asked of the customers, not of their lines.
-- (Measures of another meaning have another name: days that were counted by lines are not compared with.)
of_customers as materialized (
    select
        case when grouping(lines.country) = 0 then 'country' else 'category' end as parted_by,
        coalesce(lines.country, lines.category) as part,
        count(*) filter (where lines.listed <= lines.discount) as for_nothing,
        sum(lines.listed) as listed,
        sum(lines.cost) filter (where lines.listed > 0) as cost, -- what is given away has no price to stand beside
        avg(ln(lines.quantity::float8)) filter (where lines.quantity > 0) as pieces
    from lines
    group by grouping sets ((lines.country, lines.customer_id), (lines.category, lines.customer_id))
),

counted as (
    select
        case
            when grouping(ordered.hour) = 0 then 'orders_by_hour'
            when grouping(ordered.six_hours) = 0 then 'orders_by_six_hours'
            when grouping(ordered.country) = 0 then 'orders_by_country'
            when grouping(ordered.acquisition_channel) = 0 then 'orders_by_channel'
            when grouping(ordered.signed_up) = 0 then 'orders_by_sign_up'
            when grouping(ordered.sixteenth) = 0 then 'orders_by_order_id_modulo_16'
            when grouping(ordered.tenth_customer) = 0 then 'orders_by_customer_id_modulo_10'
            else 'orders_by_customer_id_modulo_16'
        end as measure,
        coalesce(
            ordered.country, ordered.acquisition_channel, ordered.hour::text, ordered.six_hours, ordered.signed_up,
            ordered.sixteenth::text, ordered.tenth_customer::text, ordered.sixteenth_customer::text, 'none'
        ) as part,
        count(*) as rows
    from (
        select given.*, concat(given.hour - mod(given.hour, 6), ' to ', given.hour - mod(given.hour, 6) + 6) as six_hours
        from ordered as given
        where given.stands
    ) as ordered
    group by
        grouping sets (
            (ordered.hour), (ordered.six_hours), (ordered.country), (ordered.acquisition_channel), (ordered.signed_up),
            (ordered.sixteenth), (ordered.tenth_customer), (ordered.sixteenth_customer)
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
            else 'lines_by_quantity'
        end,
        coalesce(
            lines.category,
            case lines.line_no when 3 then '3 or more' else lines.line_no::text end,
            case when lines.several then 'more than 1' else '1' end
        ),
        count(*)
    from lines
    group by grouping sets ((lines.category), (lines.line_no), (lines.several))
    union all
    select
        case
            when grouping(touch.channel) = 0 then 'touches_by_channel'
            when grouping(touch.hour) = 0 then 'touches_by_hour'
            when grouping(touch.bought) = 0 then 'touches_by_customer'
            else 'touches'
        end,
        coalesce(
            touch.channel,
            touch.hour::text,
            case when touch.bought then 'who bought' when not touch.bought then 'who did not' end,
            'all'
        ),
        count(*)
    from (
        select
            given.channel,
            extract(hour from given.touched_at at time zone %(zone)s)::integer as hour,
            given.customer_id in (select ordered.customer_id from ordered) as bought
        from master.touches as given
        where given.touched_at >= %(day_start)s::timestamptz and given.touched_at < %(day_end)s::timestamptz
    ) as touch
    group by grouping sets ((touch.channel), (touch.hour), (touch.bought), ())
    union all
    -- Money that is rounded to whole units loses a few percent, and looks ordinary. (In a sale every line has a discount.)
    select part.measure, part.part, part.rows
    from (
        select
            count(*) filter (where lines.discounted) as discounted,
            count(*) filter (where lines.unit_price <> trunc(lines.unit_price)) as prices,
            count(*) filter (where lines.unit_cost <> trunc(lines.unit_cost)) as costs,
            count(*) filter (where lines.discount <> trunc(lines.discount)) as discounts
        from lines
    ) as of_lines
    cross join (select coalesce(sum(refund.with_cents), 0) as with_cents from given_back as refund) as given_back
    cross join lateral (
        values
            ('lines_by_discount', 'discounted', of_lines.discounted),
            ('money_with_cents', 'prices', of_lines.prices),
            ('money_with_cents', 'costs', of_lines.costs),
            ('money_with_cents', 'discounts', of_lines.discounts),
            ('money_with_cents', 'refunds', given_back.with_cents)
    ) as part (measure, part, rows)
),

measured (measure, part, kind, amount, of_all, rows) as (
    select
        counted.measure,
        counted.part,
        'rows',
        counted.rows,
        case
            -- What may be missing altogether is compared with how busy the day was.
            when counted.measure = 'touches' then (select count(*) from ordered)
            when counted.measure in ('lines_by_discount', 'money_with_cents') then (select count(*) from lines)
            else sum(counted.rows) over (partition by counted.measure)
        end,
        counted.rows
    from counted
    union all
    select part.measure, part.part, part.kind, part.rows, part.of_all, part.rows
    from (
        select
            count(*) as orders,
            count(*) filter (where not ordered.stands) as cancelled,
            count(*) filter (where ordered.stands and ordered.signed_up = 'that day') as of_new
        from ordered
    ) as day
    cross join (
        select
            count(*) as lines,
            (
                select coalesce(sum(bought.for_nothing) - max(bought.for_nothing), 0)
                from of_customers as bought
                where bought.parted_by = 'country'
            ) as for_nothing,
            count(*) filter (where lines.unit_cost = 0) as without_cost,
            -- A column that has the other's values, cents included: of nearly all lines. At half its price a sale may be at cost.
            case
                when avg((lines.unit_price = lines.unit_cost and lines.unit_cost > 0)::integer) > 0.8 then count(*)
                else 0
            end as at_cost,
            coalesce(
                max(lines.listed - lines.discount) filter (where lines.stands)
                / nullif(sum(lines.listed - lines.discount) filter (where lines.stands), 0),
                0
            ) as share_of_dearest
        from lines
    ) as sold
    cross join (
        select max(published.orders) as orders
        from investor.daily_profit as published
        where published.report_date >= %(report_date)s::date - 7 and published.report_date < %(report_date)s::date
    ) as lately
    cross join lateral (
        values
            ('rare_orders', 'cancelled', 'rare', day.cancelled, day.orders),
            (
                'rare_orders', 'of one customer', 'rare', (select coalesce(max(buyers.orders), 0) from buyers),
                day.orders - day.cancelled
            ),
            -- As many of the orders as their share of the money: thirty test orders of a hundred pieces are few. A few
            -- large orders are ordinary.
            (
                'rare_orders', 'of one customer, by what was paid for all but one', 'rare',
                (
                    select
                        coalesce(
                            round((day.orders - day.cancelled) * max(buyer.paid - buyer.most) / nullif(sum(buyer.paid), 0)), 0
                        )
                    from (
                        select sum(bought.paid) as paid, case when count(*) < 5 then sum(bought.paid) else max(bought.paid) end as most
                        from (
                            select lines.order_id, lines.customer_id, sum(lines.listed - lines.discount) as paid
                            from lines
                            where lines.stands
                            group by lines.order_id, lines.customer_id
                        ) as bought
                        group by bought.customer_id
                    ) as buyer
                ),
                day.orders - day.cancelled
            ),
            (
                'rare_orders', 'of customers who signed up that day', 'rare', day.of_new,
                day.orders - day.cancelled - day.of_new
            ),
            -- The first of them was lost, or one in the middle.
            (
                'rare_orders', 'without one of their lines', 'rare',
                (
                    select count(*)
                    from (
                        select
                        from lines
                        where lines.stands
                        group by lines.order_id
                        having count(*) < max(lines.numbered)
                    ) as lacking
                ),
                day.orders - day.cancelled
            ),
            -- Beside the days before, too: on a day on which the shop is closed orders are cancelled all the same, and on a quiet
            -- holiday one line is much of what there is.
            (
                'rare_orders', 'cancelled, of earlier days', 'rare',
                (
                    select coalesce(max(draft.cancelled_orders), 0)
                    from base.daily_profit_draft as draft
                    where draft.report_date = %(report_date)s::date
                ),
                greatest(day.orders, lately.orders)
            ),
            (
                'rare_orders', 'of the dearest line, by what was paid for it', 'rare',
                round((day.orders - day.cancelled) * sold.share_of_dearest), greatest(day.orders - day.cancelled, lately.orders)
            ),
            ('rare_lines', 'for nothing', 'rare', sold.for_nothing, sold.lines),
            ('rare_lines', 'without a cost', 'rare', sold.without_cost, sold.lines),
            ('rare_lines', 'at cost', 'rare', sold.at_cost, sold.lines),
            (
                'lines_again', 'same article and money in one order', 'again',
                (
                    select coalesce(sum(twice.lines - 1), 0)
                    from (
                        select count(*) as lines
                        from lines
                        group by lines.order_id, lines.product_id, lines.quantity, lines.unit_price, lines.discount
                    ) as twice
                ),
                sold.lines
            ),
            -- A join that is off by one: what many buy is in the order before that one as often.
            (
                'lines_again', 'same article and money in the order before', 'again',
                (
                    select
                        greatest(
                            count(*) filter (where in_a_row.back = 1) - count(*) filter (where in_a_row.back = 2), 0
                        )
                    from lines
                    inner join in_a_row on in_a_row.order_id = lines.order_id
                    where
                        (in_a_row.order_before, lines.product_id, lines.quantity, lines.unit_price, lines.discount) in (
                            select earlier.order_id, earlier.product_id, earlier.quantity, earlier.unit_price, earlier.discount
                            from lines as earlier
                        )
                ),
                sold.lines
            ),
            (
                'orders_again', 'same customer and goods', 'again',
                (select coalesce(sum(alike.orders - 1), 0) from alike), day.orders - day.cancelled
            ),
            (
                'orders_again', 'same instant and goods', 'again',
                (select coalesce(sum(alike.orders - 1), 0) from alike_at_once as alike), day.orders - day.cancelled
            ),
            (
                'orders_again', 'same customer within ten seconds', 'again',
                (
                    select coalesce(sum(begun.orders - 1), 0)
                    from (
                        select count(*) as orders
                        from ordered
                        where ordered.stands
                        group by ordered.customer_id, floor(extract(epoch from ordered.ordered_at) / 10)
                    ) as begun
                ),
                day.orders - day.cancelled
            ),
            (
                'orders_again', 'same customer and time as a day or a week before', 'again',
                (
                    select count(*)
                    from ordered
                    where
                        ordered.stands
                        and (ordered.customer_id, ordered.ordered_at - date_trunc('hour', ordered.ordered_at)) in (
                            select earlier.customer_id, earlier.in_hour from earlier
                        )
                ),
                day.orders - day.cancelled
            ),
            (
                'orders_again', 'same customer and time as two to six days before, at noon', 'again',
                (
                    select count(*)
                    from at_noon
                    where (at_noon.customer_id, at_noon.ordered_at) in (
                        select earlier.customer_id, earlier.ordered_at from earlier_at_noon as earlier
                    )
                ),
                (select count(*) from at_noon)
            ),
            (
                'touches_again', 'same customer and time as a day or a week before', 'again',
                (
                    select count(*)
                    from master.touches as touch
                    where
                        touch.touched_at >= %(day_start)s::timestamptz
                        and touch.touched_at < %(day_end)s::timestamptz
                        and (touch.customer_id, touch.touched_at - date_trunc('hour', touch.touched_at)) in (
                            select earlier.customer_id, earlier.in_hour from earlier_touches as earlier
                        )
                        and touch.touched_at not in (select sent.touched_at from sent_at_once as sent)
                ),
                (
                    select count(*)
                    from master.touches as touch
                    where
                        touch.touched_at >= %(day_start)s::timestamptz
                        and touch.touched_at < %(day_end)s::timestamptz
                )
            )
    ) as part (measure, part, kind, rows, of_all)
    union all
    select
        'refunds', 'all', 'rows', coalesce(sum(given_back.rows), 0), (select count(*) from ordered), coalesce(sum(given_back.rows), 0)
    from given_back
    union all
    select
        'customer_refunds_to_price', 'all', 'typical',
        sum(given_back.amount / nullif(given_back.paid, 0)), count(*), count(*)
    from given_back
    where given_back.paid > 0
    having count(*) > 0
    union all
    -- One who buys for more than three customers counts as three.
    select
        concat('customer_cost_to_price_by_', bought.parted_by), bought.part, 'price',
        sum(bought.cost * least(1, 3 * bought.usual / bought.listed)), sum(least(bought.listed, 3 * bought.usual)), count(*)
    from (
        select
            of_customers.*,
            avg(of_customers.listed) over (partition by of_customers.parted_by, of_customers.part) as usual
        from of_customers
    ) as bought
    where bought.listed > 0
    group by bought.parted_by, bought.part
    union all
    -- Lines that are joined to each order of a customer, orders that are there once for each of their payments.
    select 'lines_per_order', 'all', 'typical', exp(avg(ln(cart.lines::float8)))::numeric, 1, count(*)
    from (select count(*) as lines from lines where lines.stands group by lines.order_id) as cart
    having count(*) > 0
    union all
    select 'orders_per_customer', 'all', 'typical', exp(avg(ln(buyers.orders::float8)))::numeric, 1, count(*)
    from buyers
    having count(*) > 0
    union all
    -- Numbers that are cut, or counted from one again, may be those of other customers.
    select
        'customer_id_of_orders', 'all', 'least',
        exp(avg(ln(greatest(abs(ordered.customer_id::float8), 1))))::numeric, 1, count(*)
    from ordered
    where ordered.stands
    having count(*) > 0
    union all
    select 'customer_pieces_by_category', bought.part, 'typical', exp(avg(bought.pieces))::numeric, 1, count(*)
    from of_customers as bought
    where bought.parted_by = 'category' and bought.pieces is not null
    group by bought.part
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
