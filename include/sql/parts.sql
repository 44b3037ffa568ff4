-- What the day is made of (0 days ago), and what the published days of the four weeks before it were made of.
select
    part.measure,
    part.part,
    part.kind,
    %(report_date)s::date - part.report_date as ago,
    part.amount,
    part.of_all,
    part.rows
from base.day_parts as part
where
    part.report = %(report)s
    and part.report_date >= %(report_date)s::date - 28
    and part.report_date <= %(report_date)s::date
    and (
        part.report_date = %(report_date)s::date
        or exists (
            select
            from base.published_days as published
            where
                published.report = part.report
                and published.report_date = part.report_date
                and published.as_published
        )
    )
    -- In spring there is a day without two o'clock: nobody misses it then.
    and (
        part.measure not like '%%\_by\_hour'
        or part.part in (
            select extract(hour from there.hour at time zone %(zone)s)::integer::text
            from generate_series(
                %(day_start)s::timestamptz, %(day_end)s::timestamptz - interval '1 hour', interval '1 hour'
            ) as there (hour)
        )
    )
order by part.measure, ago, part.part;
