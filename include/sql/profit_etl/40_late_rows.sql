-- Published days of profit for which upstream has written rows since they were read.
insert into investor.late_rows as known (report, report_date, table_name, changed_at)
with recent as (
    select base.late_since(%(report)s, %(since)s::timestamptz) as since
),

orders as (
    select
        ordered.order_id,
        ordered.customer_id,
        ordered.status,
        base.day_of(ordered.ordered_at, %(zone)s) as ordered_on,
        base.day_of(ordered.updated_at, %(zone)s) as written_on,
        ordered.updated_at
    from master.orders as ordered
    where ordered.updated_at > (select recent.since from recent)
),

-- Cancelled, and no day has heard of it, though its own has sold it and the day on which it says that it was written was
-- read since: the row came later than it says.
unheard as (
    select cancelled.ordered_on, cancelled.written_on
    from (
        select
            ordered.order_id,
            ordered.updated_at,
            base.day_of(ordered.ordered_at, %(zone)s) as ordered_on,
            base.day_of(ordered.updated_at, %(zone)s) as written_on
        from master.orders as ordered
        where
            ordered.status = 'cancelled'
            and ordered.updated_at > (select recent.since from recent) - interval '28 days'
            -- What the day of a refund has asked after is not known to the day of the cancellation.
            and not exists (
                select
                from base.cancellations as known
                where known.order_id = ordered.order_id and known.report_date = known.cancelled_on
            )
    ) as cancelled
    where
        exists (
            select
            from base.profit as line
            where line.report_date = cancelled.ordered_on and line.order_id = cancelled.order_id and line.sold
        )
        and exists (
            select
            from investor.publications as publication
            where
                publication.report = %(report)s
                and publication.report_date = greatest(cancelled.ordered_on, cancelled.written_on)
                and coalesce(publication.read_at, publication.published_at) > cancelled.updated_at
        )
),

-- Days of which some rows are gone.
gone as materialized (
    select shrunk.table_name, shrunk.day, shrunk.changed_at
    from base.shrunk_days(
        %(report)s, %(zone)s, '{orders,order_lines,refunds,marketing_spend,touches}', %(since)s::timestamptz
    ) as shrunk
),

-- Days that may have read a touch which was another customer's, or of another time, until it was written again. Those whose
-- touches upstream has put away are not asked.
retouched as materialized (
    select publication.report_date, max(touch.updated_at) as updated_at
    from (
        select base.day_of(written.touched_at, %(zone)s) as day, max(written.updated_at) as updated_at
        from master.touches as written
        where written.updated_at > (select recent.since from recent) and written.updated_at <= clock_timestamp()
        group by 1
    ) as touch
    inner join investor.publications as publication
        on
            publication.report = %(report)s
            and publication.report_date between touch.day - 7 and touch.day + 7
            and touch.updated_at > coalesce(publication.read_at, publication.published_at)
    where publication.report_date >= (select base.day_of(min(kept.touched_at), %(zone)s) + 7 from master.touches as kept)
    group by publication.report_date
),

written (table_name, report_date, updated_at) as (
    select 'master.' || gone.table_name, gone.day + later.days, gone.changed_at
    from gone
    inner join generate_series(0, 7) as later (days) on later.days = 0 or gone.table_name = 'touches'
    union all
    -- Where an order that is gone was refunded or cancelled; and the cancellation that left out a refund that is gone.
    select 'master.orders', later.report_date, gone.changed_at
    from gone
    inner join base.profit as line on line.report_date = gone.day and line.sold
    inner join base.profit as later on later.order_id = line.order_id and later.report_date > gone.day
    where
        gone.table_name = 'orders'
        and not exists (select from master.orders as ordered where ordered.order_id = line.order_id)
    union all
    select 'master.refunds', known.cancelled_on, gone.changed_at
    from gone
    inner join base.refunds_read as read on read.report_date = gone.day
    inner join base.cancellations as known on known.order_id = read.order_id and known.cancelled_on >= gone.day
    where
        gone.table_name = 'refunds'
        and not exists (select from master.refunds as refund where refund.refund_id = read.refund_id)
    union all
    -- It is of one of these days: which, the loads of orders say.
    select 'master.orders', booked.report_date, clock_timestamp()
    from unheard
    cross join lateral (
        values (unheard.ordered_on), (unheard.written_on - 1), (unheard.written_on)
    ) as booked (report_date)
    where booked.report_date >= unheard.ordered_on
    union all
    -- An order that was sold on its day and cancelled on a later one changes nothing of its own day, unless it is another's.
    select 'master.orders', orders.ordered_on, orders.updated_at
    from orders
    where
        orders.status is distinct from 'cancelled'
        or not exists (
            select
            from base.profit as line
            where
                line.report_date = orders.ordered_on
                and line.order_id = orders.order_id
                and line.customer_id = orders.customer_id
                and line.sold
                and orders.written_on > orders.ordered_on
        )
        and not exists (
            select
            from base.cancellations as known
            where known.order_id = orders.order_id and known.cancelled_on = orders.ordered_on
        )
    union all
    -- Cancelled on a day that had not heard of it,
    select 'master.orders', orders.written_on, orders.updated_at
    from orders
    where
        orders.status = 'cancelled'
        and orders.written_on > orders.ordered_on
        and not exists (
            select
            from base.cancellations as known
            where known.order_id = orders.order_id and known.report_date = known.cancelled_on
        )
    union all
    -- or not cancelled any more.
    select 'master.orders', known.cancelled_on, orders.updated_at
    from orders
    inner join base.cancellations as known on known.order_id = orders.order_id
    where orders.status is distinct from 'cancelled'
    union all
    -- Sold on another day than it says now.
    select 'master.orders', line.report_date, orders.updated_at
    from orders
    inner join base.profit as line
        on line.order_id = orders.order_id and line.sold and line.report_date <> orders.ordered_on
    union all
    select 'master.order_lines', booked.report_date, line.updated_at
    from master.order_lines as line
    inner join master.orders as ordered on ordered.order_id = line.order_id
    left join base.cancellations as known on known.order_id = line.order_id
    cross join lateral (
        values (base.day_of(ordered.ordered_at, %(zone)s)), (known.cancelled_on)
    ) as booked (report_date)
    where line.updated_at > (select recent.since from recent)
    union all
    -- A refund counts on its day, and on the day of its order's cancellation; so do the day and the order that it had when
    -- it was counted.
    select 'master.refunds', booked.report_date, refund.updated_at
    from master.refunds as refund
    left join base.refunds_read as read on read.refund_id = refund.refund_id
    cross join lateral (
        values (refund.order_id, base.day_of(refund.refunded_at, %(zone)s)), (read.order_id, read.report_date)
    ) as given_back (order_id, day)
    left join base.cancellations as known on known.order_id = given_back.order_id and known.cancelled_on >= given_back.day
    cross join lateral (
        values (given_back.day), (known.cancelled_on)
    ) as booked (report_date)
    where refund.updated_at > (select recent.since from recent)
    union all
    select 'master.marketing_spend', spend.day, spend.updated_at
    from master.marketing_spend as spend
    where spend.updated_at > (select recent.since from recent)
    union all
    select 'master.touches', line.report_date, touch.updated_at
    from master.touches as touch
    inner join base.profit as line
        on
            line.customer_id = touch.customer_id
            and line.sold
            and line.report_date >= base.day_of(touch.touched_at, %(zone)s)
            and line.report_date <= base.day_of(touch.touched_at, %(zone)s) + 7
    where touch.updated_at > (select recent.since from recent)
    union all
    -- Credited to a channel that has not touched the customer: whose order is not touched has an acquisition channel here.
    select 'master.touches', retouched.report_date, retouched.updated_at
    from retouched
    where
        exists (
            select
            from base.profit_credit as credit
            inner join base.profit as line
                on
                    line.report_date = credit.report_date
                    and line.order_id = credit.order_id
                    and line.line_no = credit.line_no
                    and line.acquisition_channel is null
            inner join master.orders as ordered on ordered.order_id = credit.order_id
            where
                credit.report_date = retouched.report_date
                and credit.sold
                and not exists (
                    select
                    from master.touches as touch
                    where
                        touch.customer_id = credit.customer_id
                        and touch.channel = credit.channel
                        and touch.touched_at >= ordered.ordered_at - interval '168 hours'
                        and touch.touched_at < ordered.ordered_at
                )
        )
)

select %(report)s, written.report_date, written.table_name, max(written.updated_at)
from written
inner join investor.publications as publication
    on
        publication.report = %(report)s
        and publication.report_date = written.report_date
        and written.updated_at > coalesce(publication.read_at, publication.published_at)
where written.updated_at <= clock_timestamp()
group by written.report_date, written.table_name
on conflict (report, report_date, table_name) do update
set changed_at = greatest(known.changed_at, excluded.changed_at);
