-- What only the day as a whole shows: rows that were loaded twice under new keys, or yesterday's under today's date, or
-- in another unit. Name, what may be so, how many are, of how many, where, and up to how many in 100 it is ordinary.
-- Rows of yesterday that were loaded again under today's date look like a day on which everybody came back.
select
    'sessions_are_not_those_of_the_day_before' as name,
    'times at which the same customer came as on the day before' as what,
    count(*) filter (where today.again is not null) as odd,
    count(*) as of_all,
    'in master.sessions.started_at, such as session_id ' || min(today.again) as found,
    case when count(*) >= 20 then 50 else 100 end as ordinary
from (
    select
        session.started_at,
        min(session.session_id) filter (
            where (session.customer_id, session.started_at) in (
                select earlier.customer_id, earlier.started_at + interval '24 hours'
                from master.sessions as earlier
                where
                    earlier.started_at >= %(day_start)s::timestamptz - interval '24 hours'
                    and earlier.started_at < %(day_end)s::timestamptz - interval '24 hours'
            )
        ) as again
    from master.sessions as session
    where session.started_at >= %(day_start)s::timestamptz and session.started_at < %(day_end)s::timestamptz
    group by session.started_at
) as today;
