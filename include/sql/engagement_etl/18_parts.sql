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
from base.engagement as built
inner join master.sessions as session on session.customer_id = built.customer_id
where
    built.report_date = %(report_date)s::date
    and session.started_at >= %(day_start)s::timestamptz
    and session.started_at < %(day_end)s::timestamptz
group by grouping sets ((session.feature), (built.channel));
