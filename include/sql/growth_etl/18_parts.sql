-- Who was new and who came back, to be compared with the days before: of all who were active they are few, and may be
-- missing, or all be of one channel, while the whole looks as ever.
insert into base.day_parts (report, report_date, measure, part, kind, amount, of_all, rows)
with by_channel as (
    select
        found.channel,
        count(*) filter (where found.status = 'new') as new,
        count(*) filter (where found.status = 'retained') as retained,
        count(*) filter (where found.status = 'resurrected') as resurrected,
        count(*) filter (where found.status <> 'churned') as active
    from base.growth as found
    where found.report_date = %(report_date)s::date
    group by found.channel
)

select %(report)s, %(report_date)s::date, part.measure, part.name, part.kind, part.rows, part.of_all, part.rows
from (
    select
        'new_customers_by_channel' as measure,
        by_channel.channel as name,
        'rows' as kind,
        by_channel.new as rows,
        sum(by_channel.new) over () as of_all
    from by_channel
    union all
    select 'active_customers', status.name, 'rows', status.rows, day.active
    from (
        select
            coalesce(sum(by_channel.new), 0) as new,
            coalesce(sum(by_channel.retained), 0) as retained,
            coalesce(sum(by_channel.resurrected), 0) as resurrected,
            coalesce(sum(by_channel.active), 0) as active
        from by_channel
    ) as day
    cross join lateral (
        values ('new', day.new), ('retained', day.retained), ('resurrected', day.resurrected)
    ) as status (name, rows)
    union all
    -- Sessions that name other customers than those who came: most of these signed up long ago, and never came.
    select
        'rare_customers', 'new, but signed up earlier', 'rare',
        count(*) filter (where active.signed_up_at < %(day_start)s::timestamptz),
        count(*) filter (where active.signed_up_at < %(day_start)s::timestamptz is not true)
    from (
        select
            case
                when found.status = 'new'
                    then (
                        select min(known.signed_up_at)
                        from master.customers as known
                        where known.customer_id = found.customer_id
                    )
            end as signed_up_at
        from base.growth as found
        where found.report_date = %(report_date)s::date and found.status <> 'churned'
    ) as active
) as part;
