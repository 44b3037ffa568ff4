-- Base profit model: every order line that was sold, refunded or cancelled on the report date.
-- A sale counts on the day of the order. A refund counts on the day it is made, and a cancellation on a later day takes
-- back on that day what was sold and not refunded until then, so that an earlier day never changes because of either.

-- On which day cancelled orders were cancelled: on the business day on which upstream wrote their row last. What the
-- day's first load brings after midnight still belongs to the day that it closes, and an order that came cancelled with
-- the first load of its own day was cancelled on that day. What any day has said before stands.
with forgotten as (
    delete from base.cancellations where report_date = %(report_date)s::date
),

cancelled as (
    select ordered.order_id, ordered.ordered_at, ordered.updated_at
    from master.orders as ordered
    where
        ordered.status = 'cancelled'
        and ordered.ordered_at >= %(day_start)s::timestamptz
        and ordered.ordered_at < %(day_end)s::timestamptz
    union
    select ordered.order_id, ordered.ordered_at, ordered.updated_at
    from master.orders as ordered
    where
        ordered.status = 'cancelled'
        and ordered.ordered_at < %(day_start)s::timestamptz
        and ordered.updated_at >= %(day_start)s::timestamptz
        and ordered.updated_at < %(day_end)s::timestamptz + interval '1 day'
    union
    select ordered.order_id, ordered.ordered_at, ordered.updated_at
    from base.cancellations as known
    inner join master.orders as ordered on ordered.order_id = known.order_id and ordered.status = 'cancelled'
    where known.cancelled_on = %(report_date)s::date
    union
    select ordered.order_id, ordered.ordered_at, ordered.updated_at
    from master.refunds as refund
    inner join master.orders as ordered on ordered.order_id = refund.order_id and ordered.status = 'cancelled'
    where refund.refunded_at >= %(day_start)s::timestamptz and refund.refunded_at < %(day_end)s::timestamptz
),

written as (
    select
        cancelled.order_id,
        cancelled.updated_at,
        base.day_of(cancelled.ordered_at, %(zone)s) as ordered_on,
        base.day_of(cancelled.updated_at, %(zone)s) as written_on
    from cancelled
),

dated as (
    select
        written.order_id,
        written.ordered_on,
        coalesce(
            (select min(known.cancelled_on) from base.cancellations as known where known.order_id = written.order_id),
            case
                when written.updated_at <= own.loaded_at then written.ordered_on
                else
                    greatest(
                        written.ordered_on,
                        written.written_on - case when written.updated_at <= before.loaded_at then 1 else 0 end
                    )
            end
        ) as cancelled_on
    from written
    left join lateral (
        select min(load.loaded_at) as loaded_at
        from master.loads as load
        where load.table_name in ('orders', 'master.orders') and load.business_day = written.ordered_on
    ) as own on true
    left join lateral (
        select min(load.loaded_at) as loaded_at
        from master.loads as load
        where load.table_name in ('orders', 'master.orders') and load.business_day = written.written_on - 1
    ) as before on true
)

insert into base.cancellations (report_date, order_id, ordered_on, cancelled_on)
select %(report_date)s::date, dated.order_id, dated.ordered_on, dated.cancelled_on
from dated
where
    dated.ordered_on = %(report_date)s::date
    or dated.cancelled_on = %(report_date)s::date
    or dated.order_id in (
        select refund.order_id
        from master.refunds as refund
        where refund.refunded_at >= %(day_start)s::timestamptz and refund.refunded_at < %(day_end)s::timestamptz
    );

-- An order's credit is shared equally among the customer's distinct touch channels in the 7 days before it: from
-- exactly 168 hours before `ordered_at`, included, to `ordered_at`, excluded. No touch: the acquisition channel.
-- Parts are rounded cumulatively to 10 decimals, but for what is left for the last one: they add up to the line, and to
-- the channel's spend, exactly, whatever decimals upstream writes.
-- Unit costs and acquisition channels are those of the order's day: a day that is published keeps what it was published
-- with (each statement sees the tables as they were before it, so also the rows it is about to replace).
with forgotten_credit as (
    delete from base.profit_credit where report_date = %(report_date)s::date
),

forgotten_lines as (
    delete from base.profit where report_date = %(report_date)s::date
),

forgotten_costs as (
    delete from base.product_costs where report_date = %(report_date)s::date and not published
),

cancelled as materialized (
    select
        known.order_id,
        known.ordered_on,
        known.cancelled_on,
        exists (
            select
            from investor.publications as publication
            where publication.report = 'base.profit' and publication.report_date = known.ordered_on
        ) as published,
        -- A run since then may have made its lines anew and be held: what they cost when they were published is kept.
        exists (
            select
            from base.published_days as day
            where day.report = 'base.profit' and day.report_date = known.ordered_on and not day.as_published
        ) as made_anew
    from base.cancellations as known
    where known.report_date = %(report_date)s::date
),

-- A day that was published before costs were kept has them in its lines, until it is made anew: they are kept from then on.
costs_of_before as (
    select
        line.product_id,
        mode() within group (order by booked.cost / nullif(line.quantity::bigint, 0)) as unit_cost
    from base.profit as booked
    inner join investor.publications as publication
        on publication.report = 'base.profit' and publication.report_date = booked.report_date
    inner join master.order_lines as line
        on line.order_id = booked.order_id and line.line_no = booked.line_no
    where
        booked.report_date = %(report_date)s::date
        and booked.sold
        and not exists (
            select from base.product_costs as kept where kept.report_date = %(report_date)s::date and kept.published
        )
    group by line.product_id
),

-- The day's orders that count: read once, for their lines and for their customers.
sold_orders as materialized (
    select
        ordered.order_id,
        ordered.customer_id,
        ordered.ordered_at
    from master.orders as ordered
    where
        ordered.ordered_at >= %(day_start)s::timestamptz
        and ordered.ordered_at < %(day_end)s::timestamptz
        and (
            ordered.status is distinct from 'cancelled'
            or ordered.order_id in (
                select cancelled.order_id from cancelled where cancelled.cancelled_on > %(report_date)s::date
            )
        )
),

sold as (
    select
        line.order_id,
        line.line_no,
        line.product_id,
        line.quantity::bigint * line.unit_price - line.discount as revenue,
        line.quantity::bigint * priced.unit_cost as cost, -- null when the product is missing: a check will say so
        priced.unit_cost,
        line.unit_price
    from sold_orders
    inner join master.order_lines as line on line.order_id = sold_orders.order_id
    left join (
        select
            product.product_id,
            coalesce(
                before.unit_cost,
                case
                    when (
                        select count(*)
                        from investor.publications as publication
                        where publication.report = 'base.profit' and publication.report_date = %(report_date)s::date
                    ) > 0
                        then (
                            select kept.unit_cost
                            from base.product_costs as kept
                            where
                                kept.product_id = product.product_id
                                and kept.published
                                and kept.report_date <= %(report_date)s::date
                                and exists (
                                    select
                                    from investor.publications as known
                                    where known.report = 'base.profit' and known.report_date = kept.report_date
                                )
                            order by kept.report_date desc
                            limit 1
                        )
                end,
                product.unit_cost
            ) as unit_cost
        from master.products as product
        left join costs_of_before as before on before.product_id = product.product_id
    ) as priced on priced.product_id = line.product_id
),

taken_back as (
    select
        line.order_id,
        line.line_no,
        coalesce(
            (
                select sum(refund.amount)
                from master.refunds as refund
                where
                    refund.order_id = line.order_id
                    and refund.line_no = line.line_no
                    and refund.refunded_at < %(day_end)s::timestamptz
            ),
            0
        ) - (line.quantity::bigint * line.unit_price - line.discount) as revenue,
        -- What it was sold at; where that day has not been published, what it would be.
        coalesce(
            case
                when cancelled.made_anew
                    then - line.quantity::bigint * (
                        select max(kept.unit_cost) -- one answer, though upstream have a product twice
                        from base.product_costs as kept
                        where
                            kept.product_id = line.product_id
                            and kept.report_date = cancelled.ordered_on
                            and kept.published
                    )
            end,
            case
                when cancelled.published
                    then (
                        select - sum(booked.cost)
                        from base.profit as booked
                        where
                            booked.report_date = cancelled.ordered_on
                            and booked.order_id = line.order_id
                            and booked.line_no = line.line_no
                            and booked.sold
                    )
            end,
            - line.quantity::bigint * product.unit_cost
        ) as cost
    from cancelled
    inner join master.order_lines as line on line.order_id = cancelled.order_id
    left join master.products as product on product.product_id = line.product_id
    where cancelled.cancelled_on = %(report_date)s::date and cancelled.ordered_on < %(report_date)s::date
),

refunded as (
    select refund.order_id, refund.line_no, sum(refund.amount) as refunds
    from master.refunds as refund
    inner join master.orders as ordered on ordered.order_id = refund.order_id
    where
        refund.refunded_at >= %(day_start)s::timestamptz
        and refund.refunded_at < %(day_end)s::timestamptz
        and (
            ordered.status is distinct from 'cancelled'
            or ordered.order_id in (
                select cancelled.order_id
                from cancelled
                where
                    cancelled.cancelled_on >= %(report_date)s::date
                    and cancelled.cancelled_on > cancelled.ordered_on
            )
        )
    group by refund.order_id, refund.line_no
),

booked as (
    select sold.order_id, sold.line_no, true as sold, false as cancelled, sold.revenue, sold.cost
    from sold
    union all
    select taken_back.order_id, taken_back.line_no, false, true, taken_back.revenue, taken_back.cost
    from taken_back
),

lines as materialized (
    select
        order_id,
        line_no,
        coalesce(booked.sold, false) as sold,
        coalesce(booked.cancelled, false) as cancelled,
        case when booked.order_id is null then 0 else booked.revenue end as revenue,
        case when booked.order_id is null then 0 else booked.cost end as cost,
        coalesce(refunded.refunds, 0) as refunds
    from booked
    full join refunded using (order_id, line_no)
),

orders as materialized (
    select sold_orders.order_id, sold_orders.customer_id, sold_orders.ordered_at, %(report_date)s::date as ordered_on
    from sold_orders
    union all
    select
        ordered.order_id,
        ordered.customer_id,
        ordered.ordered_at,
        base.day_of(ordered.ordered_at, %(zone)s)
    from master.orders as ordered
    where
        ordered.order_id in (
            select lines.order_id from lines where not lines.sold
            except
            select sold_orders.order_id from sold_orders
        )
),

touched as (
    select distinct orders.order_id, coalesce(touch.channel, '') as channel -- without a name: a check will say so
    from orders
    inner join master.touches as touch
        on
            touch.customer_id = orders.customer_id
            and touch.touched_at >= orders.ordered_at - interval '168 hours'
            and touch.touched_at < orders.ordered_at
),

-- Each order with its customer and, when nothing has touched the customer, whom to credit instead. All orders stand
-- here, so that the planner does not take those that are not touched for none and look through them for every line.
credited as materialized (
    select
        known.order_id,
        known.customer_id,
        known.is_touched,
        known.channel,
        case
            when not known.is_touched
                then
                    coalesce(
                        known.channel,
                        -- Looked up one by one: every year there are more customers, but not more of a day.
                        (
                            select min(customer.acquisition_channel) -- one answer, though upstream have a customer twice
                            from master.customers as customer
                            where customer.customer_id = known.customer_id
                        ),
                        'unknown'
                    )
        end as acquisition_channel
    from (
        select
            orders.order_id,
            orders.customer_id,
            reached.order_id is not null as is_touched,
            case
                when reached.order_id is null and publication.report is not null
                    then (
                        select kept.acquisition_channel
                        from base.profit as kept
                        where
                            kept.customer_id = orders.customer_id
                            and kept.report_date <= orders.ordered_on
                            and kept.acquisition_channel is not null
                            and exists (
                                select
                                from investor.publications as known
                                where known.report = 'base.profit' and known.report_date = kept.report_date
                            )
                            and not kept.channel_is_new
                        order by kept.report_date desc
                        limit 1
                    )
            end as channel
        from orders
        left join (select distinct touched.order_id from touched) as reached on reached.order_id = orders.order_id
        left join investor.publications as publication
            on publication.report = 'base.profit' and publication.report_date = orders.ordered_on
    ) as known
),

shares as (
    select
        given.order_id,
        given.channel,
        row_number() over (partition by given.order_id order by given.channel collate "C") as nth,
        count(*) over (partition by given.order_id) as parts
    from (
        select touched.order_id, touched.channel
        from touched
        union all
        select credited.order_id, credited.acquisition_channel
        from credited
        where credited.acquisition_channel is not null
    ) as given
),

parts as materialized (
    select
        shares.channel,
        lines.order_id,
        lines.line_no,
        credited.customer_id,
        lines.sold,
        case
            when parts = 1 then lines.revenue
            when nth = parts then lines.revenue - round(lines.revenue * (nth - 1) / parts, 10)
            else round(lines.revenue * nth / parts, 10) - round(lines.revenue * (nth - 1) / parts, 10)
        end as revenue,
        case
            when parts = 1 then lines.cost
            when nth = parts then lines.cost - round(lines.cost * (nth - 1) / parts, 10)
            else round(lines.cost * nth / parts, 10) - round(lines.cost * (nth - 1) / parts, 10)
        end as cost,
        case
            when parts = 1 then lines.refunds
            when nth = parts then lines.refunds - round(lines.refunds * (nth - 1) / parts, 10)
            else round(lines.refunds * nth / parts, 10) - round(lines.refunds * (nth - 1) / parts, 10)
        end as refunds
    from lines
    inner join credited using (order_id)
    inner join shares using (order_id)
),

-- A channel's spend goes to the lines sold that day in proportion to the revenue credited to it.
allotted as (
    select
        parts.*,
        sum(parts.revenue) filter (where parts.sold) over (
            partition by parts.channel order by parts.order_id, parts.line_no
            rows between unbounded preceding and current row
        ) as upto
    from parts
),

-- What is spent on channels that have credited revenue to take it.
spent as (
    select spend.channel, spend.amount, credited.revenue
    from (
        select marketing.channel, round(sum(marketing.amount), 10) as amount
        from master.marketing_spend as marketing
        where marketing.day = %(report_date)s::date
        group by marketing.channel
    ) as spend
    inner join (
        select parts.channel, sum(parts.revenue) as revenue
        from parts
        where parts.sold
        group by parts.channel
        having sum(parts.revenue) > 0
    ) as credited on credited.channel = spend.channel
),

credit as (
    insert into base.profit_credit (
        report_date, channel, order_id, line_no, customer_id, sold, revenue, cost, refunds, marketing
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
            when spent.amount is null or not allotted.sold then 0
            else
                round(spent.amount * allotted.upto / spent.revenue, 10)
                - round(spent.amount * (allotted.upto - allotted.revenue) / spent.revenue, 10)
        end
    from allotted
    left join spent on spent.channel = allotted.channel
    returning order_id, line_no, marketing
),

costs as (
    insert into base.product_costs (
        report_date, product_id, unit_cost, unit_price, published, lowest_price, highest_price
    )
    select
        %(report_date)s::date,
        sold.product_id,
        sold.unit_cost,
        avg(nullif(sold.unit_price, 0)),
        false,
        min(nullif(sold.unit_price, 0)),
        max(nullif(sold.unit_price, 0))
    from sold
    where sold.unit_cost is not null
    group by sold.product_id, sold.unit_cost
    union all
    select %(report_date)s::date, before.product_id, before.unit_cost, null, true, null, null
    from costs_of_before as before
    where before.unit_cost is not null
)

insert into base.profit (
    report_date, order_id, line_no, customer_id, sold, cancelled, revenue, cost, refunds, marketing, profit,
    acquisition_channel, channel_is_new
)
select
    %(report_date)s::date,
    lines.order_id,
    lines.line_no,
    credited.customer_id,
    lines.sold,
    lines.cancelled,
    lines.revenue,
    lines.cost,
    lines.refunds,
    allotment.marketing,
    lines.revenue - lines.cost - lines.refunds - allotment.marketing,
    credited.acquisition_channel,
    credited.acquisition_channel is not null and credited.channel is null and exists (
        select
        from investor.publications as publication
        where publication.report = 'base.profit' and publication.report_date = %(report_date)s::date
    )
from lines
inner join credited on credited.order_id = lines.order_id
inner join (
    select credit.order_id, credit.line_no, sum(credit.marketing) as marketing
    from credit
    group by credit.order_id, credit.line_no
) as allotment on allotment.order_id = lines.order_id and allotment.line_no = lines.line_no
order by lines.order_id, lines.line_no; -- so that the index grows at its end

delete from base.marketing where report_date = %(report_date)s::date;

insert into base.marketing (report_date, channel, amount, credited_revenue, allotted)
select
    %(report_date)s::date,
    spend.channel,
    round(sum(spend.amount), 10),
    coalesce(max(credited.revenue), 0),
    coalesce(max(credited.revenue), 0) > 0
from master.marketing_spend as spend
left join (
    select credit.channel, sum(credit.revenue) as revenue
    from base.profit_credit as credit
    where credit.report_date = %(report_date)s::date and credit.sold
    group by credit.channel
) as credited on credited.channel = spend.channel
where spend.day = %(report_date)s::date
group by spend.channel;

-- Which refunds the day has counted, so that one is found that moves to another day or order, or is gone.
delete from base.refunds_read where report_date = %(report_date)s::date;

insert into base.refunds_read (report_date, refund_id, order_id)
select distinct %(report_date)s::date, refund.refund_id, refund.order_id
from master.refunds as refund
where refund.refunded_at >= %(day_start)s::timestamptz and refund.refunded_at < %(day_end)s::timestamptz;
