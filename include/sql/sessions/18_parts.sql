-- What the day's sessions are made of, to be compared with the days before: of every part there are some (rows), of others
-- hardly any (rare; again).
insert into base.day_parts (report, report_date, measure, part, kind, amount, of_all, rows)
with used as materialized (
    select
        extract(hour from session.started_at at time zone %(zone)s)::integer as hour,
        session.feature,
        mod(session.session_id::bigint, 16) as sixteenth,
        session.customer_id,
        session.started_at,
        session.duration_s,
        mod(session.customer_id::bigint, 10) as tenth_customer,
        mod(session.customer_id::bigint, 16) as sixteenth_customer,
        customer.country,
        customer.acquisition_channel,
        case when customer.signed_up_at >= %(day_start)s::timestamptz then 'that day' else 'earlier' end as signed_up
    from master.sessions as session
    left join lateral (
        -- Looked up one by one: every year there are more customers, but not more of a day.
        select
            min(known.country) as country, -- one answer, though upstream have a customer twice
            min(known.acquisition_channel) as acquisition_channel,
            min(known.signed_up_at) as signed_up_at
        from master.customers as known
        where known.customer_id = session.customer_id
    ) as customer on true
    where session.started_at >= %(day_start)s::timestamptz and session.started_at < %(day_end)s::timestamptz
),

by_customer as (
    select count(*) as sessions from used group by used.customer_id
),

-- Of the days between yesterday and a week ago two hours are enough: a file that comes again comes whole.
at_noon as (
    select used.customer_id, used.started_at
    from used
    where
        used.started_at >= %(day_start)s::timestamptz + interval '12 hours'
        and used.started_at < %(day_start)s::timestamptz + interval '14 hours'
),

-- When in their hour customers came the day before and a week before: another time zone is no other time. Read by their
-- days: looked up by customer, all that a customer ever did would be read.
earlier as materialized (
    select given.customer_id, given.started_at - date_trunc('hour', given.started_at) as in_hour
    from (values (interval '24 hours'), (interval '168 hours')) as moved (back)
    inner join master.sessions as given
        on
            given.started_at >= %(day_start)s::timestamptz - moved.back
            and given.started_at < %(day_end)s::timestamptz - moved.back
),

earlier_at_noon as materialized (
    select given.customer_id, given.started_at + moved.back as started_at
    from (
        values (interval '48 hours'), (interval '72 hours'), (interval '96 hours'), (interval '120 hours'), (interval '144 hours')
    ) as moved (back)
    inner join master.sessions as given
        on
            given.started_at >= %(day_start)s::timestamptz + interval '12 hours' - moved.back
            and given.started_at < %(day_start)s::timestamptz + interval '14 hours' - moved.back
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
            when grouping(used.six_hours) = 0 then 'sessions_by_six_hours'
            when grouping(used.feature) = 0 then 'sessions_by_feature'
            when grouping(used.country) = 0 then 'sessions_by_country'
            when grouping(used.acquisition_channel) = 0 then 'sessions_by_channel'
            when grouping(used.signed_up) = 0 then 'sessions_by_sign_up'
            when grouping(used.sixteenth) = 0 then 'sessions_by_session_id_modulo_16'
            when grouping(used.tenth_customer) = 0 then 'sessions_by_customer_id_modulo_10'
            else 'sessions_by_customer_id_modulo_16'
        end as measure,
        coalesce(
            used.feature, used.country, used.acquisition_channel, used.hour::text, used.six_hours, used.signed_up,
            used.sixteenth::text, used.tenth_customer::text, used.sixteenth_customer::text, 'none'
        ) as part,
        count(*) as rows
    from (
        select given.*, concat(given.hour - mod(given.hour, 6), ' to ', given.hour - mod(given.hour, 6) + 6) as six_hours
        from used as given
    ) as used
    group by
        grouping sets (
            (used.hour), (used.six_hours), (used.feature), (used.country), (used.acquisition_channel), (used.signed_up),
            (used.sixteenth), (used.tenth_customer), (used.sixteenth_customer)
        )
) as counted
union all
select
    %(report)s,
    %(report_date)s::date,
    part.measure,
    part.part,
    part.kind,
    part.rows,
    part.of_all,
    part.rows
from (
    select count(*) as sessions, count(*) filter (where used.signed_up = 'that day') as of_new
    from used
) as day
cross join lateral (
    values
        ('rare_sessions', 'of one customer', 'rare', (select coalesce(max(by_customer.sessions), 0) from by_customer), day.sessions),
        ('rare_sessions', 'of customers who signed up that day', 'rare', day.of_new, day.sessions - day.of_new),
        (
            'sessions_again', 'same instant, feature and duration', 'again',
            (
                select coalesce(sum(alike.sessions - 1), 0)
                from (select count(*) as sessions from used group by used.started_at, used.feature, used.duration_s) as alike
            ),
            day.sessions
        ),
        (
            'sessions_again', 'same customer and time as a day or a week before', 'again',
            (
                select count(*)
                from used
                where
                    (used.customer_id, used.started_at - date_trunc('hour', used.started_at)) in (
                        select earlier.customer_id, earlier.in_hour from earlier
                    )
            ),
            day.sessions
        ),
        (
            'sessions_again', 'same customer and time as two to six days before, at noon', 'again',
            (
                select count(*)
                from at_noon
                where
                    (at_noon.customer_id, at_noon.started_at) in (
                        select earlier.customer_id, earlier.started_at from earlier_at_noon as earlier
                    )
            ),
            (select count(*) from at_noon)
        )
) as part (measure, part, kind, rows, of_all)
union all
select
    %(report)s,
    %(report_date)s::date,
    'sessions_per_customer',
    'all',
    'typical',
    exp(avg(ln(by_customer.sessions::float8)))::numeric,
    1,
    count(*)
from by_customer
having count(*) > 0
union all
-- Numbers that are cut, or counted from one again, may be those of other customers.
select
    %(report)s,
    %(report_date)s::date,
    'customer_id_of_sessions',
    'all',
    'least',
    exp(avg(ln(greatest(abs(used.customer_id::float8), 1))))::numeric,
    1,
    count(*)
from used
having count(*) > 0;
