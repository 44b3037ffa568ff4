-- What must hold of the day's sessions, whichever report reads them. A day without one is a day like any other when upstream
-- says so: its load is there and has no rows.
select
    'not_empty' as name,
    'at least 1 session' as expected,
    case
        when passed.by_rows > 0 then passed.by_rows::text
        when passed.by_upstream then '0, as the load of sessions says'
        else '0, and no load says so'
    end as found,
    passed.by_rows > 0 or passed.by_upstream as passed
from (
    select
        count(*) as by_rows,
        coalesce(base.said_to_be_empty('sessions', %(report_date)s::date), false) as by_upstream
    from master.sessions as session
    where session.started_at >= %(day_start)s::timestamptz and session.started_at < %(day_end)s::timestamptz
) as passed;
