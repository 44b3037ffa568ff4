-- Base growth model: every customer active (a session that day) on the report date or on the day before it.
-- It asks the sessions, not yesterday's run, so that a day is right in whatever order days are run.
-- The acquisition channel is the one of that day: a day that is published keeps what it was published with (the statement
-- sees the table as it was before it, so also the rows it is about to replace). Who comes late to it has the channel of the
-- nearest published day. In order of customers: neighbours are looked up together, and the index grows at its end.

with forgotten as (
    delete from base.growth where report_date = %(report_date)s::date
),

kept as (
    select built.customer_id, max(built.channel) as channel
    from base.growth as built
    inner join investor.publications as publication
        on publication.report = 'base.growth' and publication.report_date = built.report_date
    where built.report_date = %(report_date)s::date and not built.channel_is_new
    group by built.customer_id
),

active as (
    select
        session.customer_id,
        max(session.started_at) >= %(day_start)s::timestamptz as is_active,
        min(session.started_at) < %(day_start)s::timestamptz as was_active
    from master.sessions as session
    where session.started_at >= %(day_before_start)s::timestamptz and session.started_at < %(day_end)s::timestamptz
    group by session.customer_id
),

known_before as materialized (
    select
        active.*,
        coalesce(
            kept.channel,
            (
                select built.channel
                from base.known_near('base.growth', %(report_date)s::date) as known (day)
                inner join base.growth as built on built.report_date = known.day and built.customer_id = active.customer_id
                where not built.channel_is_new
                order by abs(known.day - %(report_date)s::date), known.day
                limit 1
            )
        ) as channel
    from active
    left join kept on kept.customer_id = active.customer_id
)

insert into base.growth (report_date, customer_id, channel, status, channel_is_new)
select
    %(report_date)s::date,
    active.customer_id,
    coalesce(
        active.channel,
        -- Looked up one by one: every year there are more customers, but not more of a day.
        (
            select min(customer.acquisition_channel) -- one answer, though upstream have a customer twice
            from master.customers as customer
            where customer.customer_id = active.customer_id
        ),
        'unknown' -- a customer nobody knows: a check will say so
    ),
    case
        when not active.is_active then 'churned'
        when active.was_active then 'retained'
        -- Asked only of who was not active yesterday, and one by one: `exists` would read every session there ever was.
        when (
            select min(session.started_at)
            from master.sessions as session
            where session.customer_id = active.customer_id and session.started_at < %(day_before_start)s::timestamptz
        ) is not null then 'resurrected'
        else 'new'
    end,
    active.channel is null and exists (
        select
        from investor.publications as publication
        where publication.report = 'base.growth' and publication.report_date = %(report_date)s::date
    )
from known_before as active
order by active.customer_id;
