-- When the report's days were due, of those that do not say it yet: this run's, and those from before it was promised. A
-- day that another run is publishing is left to that run.
with unsaid as (
    select
        publication.report,
        publication.report_date,
        promised.due_at
    from unnest(%(days)s::date[], %(dues)s::timestamptz[]) as promised (report_date, due_at)
    inner join investor.publications as publication
        on publication.report = %(report)s and publication.report_date = promised.report_date
    where publication.due_at is null
    for update of publication skip locked
)

update investor.publications as existing
set due_at = unsaid.due_at
from unsaid
where existing.report = unsaid.report and existing.report_date = unsaid.report_date;
