-- What only the day as a whole shows: customers whom another load has given other acquisition channels, two of which may
-- have been exchanged. Name, what may be so, how many are, of how many, where, and up to how many in 100 it is ordinary.
-- A few were attributed wrongly. Compared with days that are published alone: what was held for it is no proof of it.
with published as materialized (
    select day.report_date
    from base.published_days as day
    where
        day.report = %(report)s
        and day.as_published
        and day.report_date < %(report_date)s::date
        and day.report_date >= %(report_date)s::date - 63
),

customers as (
    select now.customer_id, now.channel, before.channel as before
    from base.engagement as now
    inner join base.engagement as before on before.customer_id = now.customer_id
    where
        %(report)s = 'investor.daily_engagement'
        and now.report_date = %(report_date)s::date
        and before.report_date = (select max(published.report_date) from published)
    union all
    select now.customer_id, now.channel, before.channel
    from base.growth as now
    inner join base.growth as before on before.customer_id = now.customer_id
    where
        %(report)s = 'investor.daily_growth'
        and now.report_date = %(report_date)s::date
        and before.report_date = (select max(published.report_date) from published)
    union all
    -- Hardly anybody buys on two days in a row: whom their last order was credited to.
    select now.customer_id, now.channel, before.channel
    from (
        select line.customer_id, min(line.acquisition_channel) as channel
        from base.profit as line
        where line.report_date = %(report_date)s::date and line.sold and line.acquisition_channel is not null
        group by line.customer_id
    ) as now
    cross join lateral (
        select earlier.acquisition_channel as channel
        from base.profit as earlier
        where
            earlier.customer_id = now.customer_id
            and earlier.acquisition_channel is not null
            and earlier.report_date < %(report_date)s::date
            and earlier.report_date in (select published.report_date from published)
        order by earlier.report_date desc
        limit 1
    ) as before
    where %(report)s = 'investor.daily_profit'
)

select
    'acquisition_channels_stay' as name,
    'customers with another acquisition channel than was published last' as what,
    count(*) filter (where customers.channel <> customers.before) as odd,
    count(*) as of_all,
    'in master.customers.acquisition_channel, such as customer_id '
    || min(concat(customers.customer_id, ' (', customers.channel, ', ', customers.before, ' before)'))
    filter (where customers.channel <> customers.before) as found,
    case when count(*) >= 20 then 5 else 100 end as ordinary
from customers;
