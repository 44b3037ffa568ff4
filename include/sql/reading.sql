-- Which upstream loads (or published base models) stand now, just before they are read.
insert into base.readings as before (report, report_date, passed, read_at, upstream)
select
    %(report)s,
    %(report_date)s::date,
    false,
    coalesce(%(at)s::timestamptz, clock_timestamp()),
    coalesce(
        jsonb_object_agg(
            upstream.name,
            jsonb_build_object('loaded_at', source.loaded_at, 'row_count', source.row_count)
        ),
        '{}'
    )
from unnest(%(upstream)s::text[]) as upstream (name)
left join lateral (
    select load.loaded_at, load.row_count
    from master.loads as load
    where
        load.table_name in (upstream.name, split_part(upstream.name, '.', 2))
        and load.business_day = %(report_date)s::date
    union all
    select publication.published_at, publication.rows
    from investor.publications as publication
    where publication.report = upstream.name and publication.report_date = %(report_date)s::date
    order by loaded_at desc
    limit 1
) as source on true
on conflict (report, report_date) do update
set
    passed = excluded.passed,
    read_at = excluded.read_at,
    upstream = excluded.upstream,
    held = not exists (
        select
        from investor.publications as publication
        where
            publication.report = before.report
            and publication.report_date = before.report_date
            and publication.read_at = before.read_at
    );

-- What an earlier run of the day has counted is not what this one counts.
delete from base.day_parts where report = %(report)s and report_date = %(report_date)s::date;
