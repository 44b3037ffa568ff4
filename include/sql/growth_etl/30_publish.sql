-- The day's rows, replaced by the draft that the checks have passed.

delete from investor.daily_growth where report_date = %(report_date)s::date;

insert into investor.daily_growth (report_date, active, new, retained, resurrected, churned, quick_ratio)
select
    draft.report_date,
    draft.active,
    draft.new,
    draft.retained,
    draft.resurrected,
    draft.churned,
    draft.quick_ratio
from base.daily_growth_draft as draft
where draft.report_date = %(report_date)s::date;

delete from investor.daily_growth_by_channel where report_date = %(report_date)s::date;

insert into investor.daily_growth_by_channel (
    report_date, channel, active, new, retained, resurrected, churned, quick_ratio
)
select
    draft.report_date,
    draft.channel,
    draft.active,
    draft.new,
    draft.retained,
    draft.resurrected,
    draft.churned,
    draft.quick_ratio
from base.daily_growth_by_channel_draft as draft
where draft.report_date = %(report_date)s::date;

-- What is published now, and how many rows each has.
select 'investor.daily_growth' as name, count(*) as rows
from (
    select report_date from investor.daily_growth where report_date = %(report_date)s::date
    union all
    select report_date from investor.daily_growth_by_channel where report_date = %(report_date)s::date
) as report
union all
select 'base.growth', count(*)
from base.growth
where report_date = %(report_date)s::date;
