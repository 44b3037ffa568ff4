-- Published days of the report with a load that came after they had read that table; touches count for 7 days more. What
-- products cost and where customers came from is kept as it was on the day: a load of those makes no day stale.
insert into investor.late_rows as known (report, report_date, table_name, changed_at)
select %(report)s, publication.report_date, upstream.name, max(load.loaded_at)
from unnest(%(upstream)s::text[]) as upstream (name)
inner join master.loads as load on load.table_name in (upstream.name, split_part(upstream.name, '.', 2))
inner join investor.publications as publication
    on
        publication.report = %(report)s
        and publication.report_date >= load.business_day
        and publication.report_date <= load.business_day + case upstream.name when 'master.touches' then 7 else 0 end
        and load.loaded_at > coalesce(publication.read_at, publication.published_at)
where upstream.name not in ('master.customers', 'master.products') and load.loaded_at <= clock_timestamp()
group by publication.report_date, upstream.name
on conflict (report, report_date, table_name) do update
set changed_at = greatest(known.changed_at, excluded.changed_at);

-- Up to here they were looked for.
insert into base.late_rows_sought as known (report, sought_at)
values (%(report)s, clock_timestamp())
on conflict (report) do update
set sought_at = excluded.sought_at;
