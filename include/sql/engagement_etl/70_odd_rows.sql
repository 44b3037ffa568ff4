-- What only the day as a whole shows: rows that were loaded twice under new keys, or yesterday's under today's date, or
-- in another unit. Name, what may be so, how many are, of how many, where, and up to how many in 100 it is ordinary.
-- A few may be an app that sent twice; many are a load that ran again. On a small day it is told by every session.
select
    'sessions_come_once' as name,
    'sessions that are there under another session_id too' as what,
    coalesce(sum(twin.more), 0) as odd,
    coalesce(sum(twin.sessions), 0) as of_all,
    'in master.sessions, such as session_id ' || max(twin.example) as found,
    case
        when count(distinct twin.started_at) >= 20 then 1
        when count(distinct twin.started_at) >= 5 then 49.9
        else 100
    end as ordinary
from (
    select
        session.started_at,
        count(*) as sessions,
        -- Two or three, as a load that ran again leaves them; many at one instant are those of an upstream that says no more.
        case
            when session.started_at > %(day_start)s::timestamptz and count(*) between 2 and 3 then count(*) - 1
            else 0
        end as more,
        case when count(*) between 2 and 3 then max(session.session_id) end as example
    from master.sessions as session
    where session.started_at >= %(day_start)s::timestamptz and session.started_at < %(day_end)s::timestamptz
    group by session.customer_id, session.started_at, session.duration_s, session.feature
) as twin;
