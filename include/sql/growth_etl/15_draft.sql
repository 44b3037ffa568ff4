-- The draft of the report: growth accounting in all and by acquisition channel.

delete from base.daily_growth_draft where report_date = %(report_date)s::date;

delete from base.daily_growth_by_channel_draft where report_date = %(report_date)s::date;

with counted as (
    select
        grouping(growth.channel) = 1 as whole_day,
        growth.channel,
        count(*) filter (where growth.status <> 'churned') as active,
        count(*) filter (where growth.status = 'new') as new,
        count(*) filter (where growth.status = 'retained') as retained,
        count(*) filter (where growth.status = 'resurrected') as resurrected,
        count(*) filter (where growth.status = 'churned') as churned
    from base.growth as growth
    where growth.report_date = %(report_date)s::date
    group by grouping sets ((), (growth.channel))
),

measured as (
    select
        counted.*,
        round((counted.new + counted.resurrected)::numeric / nullif(counted.churned, 0), 10) as quick_ratio
    from counted
),

whole_day as (
    insert into base.daily_growth_draft (report_date, active, new, retained, resurrected, churned, quick_ratio)
    select
        %(report_date)s::date,
        measured.active,
        measured.new,
        measured.retained,
        measured.resurrected,
        measured.churned,
        measured.quick_ratio
    from measured
    where measured.whole_day
)

insert into base.daily_growth_by_channel_draft (
    report_date, channel, active, new, retained, resurrected, churned, quick_ratio
)
select
    %(report_date)s::date,
    measured.channel,
    measured.active,
    measured.new,
    measured.retained,
    measured.resurrected,
    measured.churned,
    measured.quick_ratio
from measured
where not measured.whole_day;
