-- How long a session lasts as a rule (the geometric mean: a long one alone changes little), to be compared with the days
-- before, for each feature and channel.
insert into base.day_parts (report, report_date, measure, part, kind, amount, of_all, rows)
select
    %(report)s,
    %(report_date)s::date,
    case when grouping(session.feature) = 0 then 'seconds_by_feature' else 'seconds_by_channel' end,
    coalesce(session.feature, built.channel),
    'typical',
    exp(avg(ln(1 + greatest(coalesce(session.duration_s, 0), 0)::float8))),
    1,
    count(*)
from master.sessions as session
cross join lateral (
    -- Looked up one by one: of a day that is new the planner expects no row, and would look through all for each.
    select kept.channel
    from base.engagement as kept
    where kept.report_date = %(report_date)s::date and kept.customer_id = session.customer_id
    order by kept.channel
    limit 1
) as built
where
    session.started_at >= %(day_start)s::timestamptz
    and session.started_at < %(day_end)s::timestamptz
group by grouping sets ((session.feature), (built.channel));
