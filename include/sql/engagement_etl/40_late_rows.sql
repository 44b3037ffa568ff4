-- Published days of engagement for which upstream has written sessions since they were read: the day of the session; when
-- that is not published, the days whose 28 it is among.
insert into investor.late_rows as known (report, report_date, table_name, changed_at)
with written as (
    select base.day_of(session.started_at, %(zone)s) as day, max(session.updated_at) as updated_at
    from master.sessions as session
    where
        session.updated_at > (select base.late_since(%(report)s, %(since)s::timestamptz))
        and session.updated_at <= clock_timestamp()
    group by 1
    union all
    select gone.day, gone.changed_at
    from base.shrunk_days(%(report)s, %(zone)s, '{sessions}', %(since)s::timestamptz) as gone
)

select %(report)s, publication.report_date, 'master.sessions', max(written.updated_at)
from written
inner join investor.publications as publication
    on
        publication.report = %(report)s
        and publication.report_date between written.day and written.day + 27
        and written.updated_at > coalesce(publication.read_at, publication.published_at)
where
    publication.report_date = written.day
    or not exists (
        select
        from investor.publications as own
        where own.report = %(report)s and own.report_date = written.day
    )
group by publication.report_date
on conflict (report, report_date, table_name) do update
set changed_at = greatest(known.changed_at, excluded.changed_at);
