-- The row that says: `name` is complete and visible for the report date. The first publication is remembered, and when
-- its rows last became other ones. Where a draft stood in between that was never published, others may have counted with it:
-- then they have changed, whatever they are now.
insert into investor.publications as existing (
    report, report_date, published_at, run_id, rows, upstream, first_published_at, read_at, digest, changed_at
)
select
    %(name)s,
    %(report_date)s::date,
    publication.instant,
    %(run_id)s,
    %(rows)s,
    reading.upstream,
    publication.instant,
    reading.read_at,
    %(digest)s,
    case when reading.held then publication.instant end
from base.readings as reading
cross join (select coalesce(%(at)s::timestamptz, clock_timestamp()) as instant) as publication
where
    reading.report = %(report)s
    and reading.report_date = %(report_date)s::date
    -- Another run may have made the draft anew since this one has checked it.
    and coalesce(reading.passed, true)
on conflict (report, report_date) do update
set
    published_at = excluded.published_at,
    run_id = excluded.run_id,
    rows = excluded.rows,
    first_published_at = least(existing.first_published_at, excluded.first_published_at),
    upstream = excluded.upstream,
    read_at = excluded.read_at,
    digest = excluded.digest,
    changed_at = case
        when existing.digest = excluded.digest and excluded.changed_at is null
            then coalesce(existing.changed_at, existing.published_at)
        else excluded.published_at
    end;
