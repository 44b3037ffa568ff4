-- Published days of the report with a load that came after they had read that table, or that is later than the one they
-- have read: it was noted afterwards, by a clock that is behind, or begun before. Touches count for 7 days more. What
-- products cost and where customers came from is kept as it was on the day: a load of those makes no day stale.
insert into investor.late_rows as known (report, report_date, table_name, changed_at)
select %(report)s, publication.report_date, upstream.name, max(greatest(load.loaded_at, read.at + interval '1 microsecond'))
from unnest(%(upstream)s::text[]) as upstream (name)
inner join master.loads as load on load.table_name in (upstream.name, split_part(upstream.name, '.', 2))
inner join investor.publications as publication
    on
        publication.report = %(report)s
        and publication.report_date >= load.business_day
        and publication.report_date <= load.business_day + case upstream.name when 'master.touches' then 7 else 0 end
cross join lateral (
    select
        coalesce(publication.read_at, publication.published_at) as at,
        case when load.business_day = publication.report_date
            then (publication.upstream -> upstream.name ->> 'loaded_at')::timestamptz
        end as loaded_at
) as read
where
    upstream.name not in ('master.customers', 'master.products')
    and load.loaded_at > least(read.at, read.loaded_at)
    and load.loaded_at <= clock_timestamp()
group by publication.report_date, upstream.name
on conflict (report, report_date, table_name) do update
set changed_at = greatest(known.changed_at, excluded.changed_at);

-- Up to here they were looked for.
insert into base.late_rows_sought as known (report, sought_at)
values (%(report)s, clock_timestamp())
on conflict (report) do update
set sought_at = excluded.sought_at;
