-- Base growth model: every customer active (a session that day) on the report date or on the day before it.
-- It asks the sessions, not yesterday's run, so that a day is right in whatever order days are run.

delete from base.growth where report_date = %(report_date)s::date;

insert into base.growth (report_date, customer_id, channel, status)
with today as (
    select distinct session.customer_id
    from master.sessions as session
    where session.started_at >= %(day_start)s::timestamptz and session.started_at < %(day_end)s::timestamptz
),

yesterday as (
    select distinct session.customer_id
    from master.sessions as session
    where
        session.started_at >= %(day_before_start)s::timestamptz
        and session.started_at < %(day_start)s::timestamptz
),

-- Whether today's customers were ever active before yesterday: asked only for those who were not active yesterday.
earlier as (
    select today.customer_id
    from today
    where
        not exists (select from yesterday where yesterday.customer_id = today.customer_id)
        and exists (
            select
            from master.sessions as session
            where
                session.customer_id = today.customer_id
                and session.started_at < %(day_before_start)s::timestamptz
        )
)

select
    %(report_date)s::date,
    customer_id,
    coalesce(customer.acquisition_channel, 'unknown'), -- a customer nobody knows: a check will say so
    case
        when today.customer_id is null then 'churned'
        when yesterday.customer_id is not null then 'retained'
        when earlier.customer_id is not null then 'resurrected'
        else 'new'
    end
from today
full join yesterday using (customer_id)
left join earlier using (customer_id)
left join master.customers as customer using (customer_id);
