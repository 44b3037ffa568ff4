-- What the day's sessions are made of, to be compared with the days before: of every part there are some.
insert into base.day_parts (report, report_date, measure, part, kind, amount, of_all, rows)
with used as materialized (
    select
        extract(hour from session.started_at at time zone %(zone)s)::integer as hour,
        session.feature,
        mod(session.session_id::bigint, 16) as sixteenth,
        mod(session.customer_id::bigint, 10) as tenth_customer,
        mod(session.customer_id::bigint, 16) as sixteenth_customer,
        customer.country,
        customer.acquisition_channel
    from master.sessions as session
    left join lateral (
        -- Looked up one by one: every year there are more customers, but not more of a day.
        select
            min(known.country) as country, -- one answer, though upstream have a customer twice
            min(known.acquisition_channel) as acquisition_channel
        from master.customers as known
        where known.customer_id = session.customer_id
    ) as customer on true
    where session.started_at >= %(day_start)s::timestamptz and session.started_at < %(day_end)s::timestamptz
)

select
    %(report)s,
    %(report_date)s::date,
    counted.measure,
    counted.part,
    'rows',
    counted.rows,
    sum(counted.rows) over (partition by counted.measure),
    counted.rows
from (
    select
        case
            when grouping(used.hour) = 0 then 'sessions_by_hour'
            when grouping(used.feature) = 0 then 'sessions_by_feature'
            when grouping(used.country) = 0 then 'sessions_by_country'
            when grouping(used.acquisition_channel) = 0 then 'sessions_by_channel'
            when grouping(used.sixteenth) = 0 then 'sessions_by_session_id_modulo_16'
            when grouping(used.tenth_customer) = 0 then 'sessions_by_customer_id_modulo_10'
            else 'sessions_by_customer_id_modulo_16'
        end as measure,
        coalesce(
            used.feature, used.country, used.acquisition_channel, used.hour::text, used.sixteenth::text,
            used.tenth_customer::text, used.sixteenth_customer::text, 'none'
        ) as part,
        count(*) as rows
    from used
    group by
        grouping sets (
            (used.hour), (used.feature), (used.country), (used.acquisition_channel), (used.sixteenth), (used.tenth_customer),
            (used.sixteenth_customer)
        )
) as counted;
