-- Base engagement model: every customer with a session on the report date. A session belongs to the day it starts.
-- The acquisition channel is the one of that day: a day that is published keeps what it was published with (the statement
-- sees the table as it was before it, so also the rows it is about to replace). Who comes late to it has the channel of the
-- nearest published day.

with forgotten as (
    delete from base.engagement where report_date = %(report_date)s::date
),

used as (
    select
        session.customer_id,
        count(*) as sessions,
        coalesce(sum(session.duration_s), 0) as seconds, -- one that is still running has no duration yet
        array_agg(distinct session.feature order by session.feature) as features
    from master.sessions as session
    where session.started_at >= %(day_start)s::timestamptz and session.started_at < %(day_end)s::timestamptz
    group by session.customer_id
),

kept as (
    select built.customer_id, max(built.channel) as channel
    from base.engagement as built
    inner join investor.publications as publication
        on publication.report = 'base.engagement' and publication.report_date = built.report_date
    where built.report_date = %(report_date)s::date and not built.channel_is_new
    group by built.customer_id
),

known_before as materialized (
    select
        used.customer_id,
        coalesce(
            kept.channel,
            (
                select built.channel
                from base.known_near('base.engagement', %(report_date)s::date) as known (day)
                inner join base.engagement as built on built.report_date = known.day and built.customer_id = used.customer_id
                where not built.channel_is_new
                order by abs(known.day - %(report_date)s::date), known.day
                limit 1
            )
        ) as channel,
        used.sessions,
        used.seconds,
        used.features
    from used
    left join kept on kept.customer_id = used.customer_id
)

insert into base.engagement (report_date, customer_id, channel, sessions, seconds, features, channel_is_new)
select
    %(report_date)s::date,
    known_before.customer_id,
    coalesce(
        known_before.channel,
        -- Looked up one by one: every year there are more customers, but not more of a day.
        (
            select min(customer.acquisition_channel) -- one answer, though upstream have a customer twice
            from master.customers as customer
            where customer.customer_id = known_before.customer_id
        ),
        'unknown' -- a customer nobody knows: a check will say so
    ),
    known_before.sessions,
    known_before.seconds,
    known_before.features,
    known_before.channel is null and exists (
        select
        from investor.publications as publication
        where publication.report = 'base.engagement' and publication.report_date = %(report_date)s::date
    )
from known_before;
