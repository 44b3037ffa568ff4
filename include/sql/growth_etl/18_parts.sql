-- Who was new, to be compared with the days before: of all who were active they are few, and may be missing, or all be of
-- one channel, while the whole looks as ever. Missing altogether they are compared with how busy the day was.
insert into base.day_parts (report, report_date, measure, part, kind, amount, of_all, rows)
with by_channel as (
    select
        found.channel,
        count(*) filter (where found.status = 'new') as new,
        count(*) filter (where found.status <> 'churned') as active
    from base.growth as found
    where found.report_date = %(report_date)s::date
    group by found.channel
)

select %(report)s, %(report_date)s::date, part.measure, part.name, 'rows', part.rows, part.of_all, part.rows
from (
    select
        'new_customers_by_channel' as measure,
        by_channel.channel as name,
        by_channel.new as rows,
        sum(by_channel.new) over () as of_all
    from by_channel
    union all
    select 'new_customers', 'all', coalesce(sum(by_channel.new), 0), coalesce(sum(by_channel.active), 0)
    from by_channel
) as part;
