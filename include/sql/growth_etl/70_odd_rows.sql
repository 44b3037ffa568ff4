-- What only the day as a whole shows. Name, what may be so, how many are, of how many, where, and up to how many in 100 it is
-- ordinary. A few customers are forgotten by law; many whose earlier sessions are gone would all be new again.
with published as materialized (
    select day.report_date
    from base.published_days as day
    where day.report = 'base.growth' and day.report_date < %(report_date)s::date and day.as_published
)

select
    'new_customers_come_once' as name,
    'new customers who were new on an earlier day too, and whose sessions of then are gone' as what,
    count(*) filter (where seen.report_date is not null) as odd,
    count(*) as of_all,
    'in master.sessions, such as customer_id ' || min(concat(new.customer_id, ' of ', seen.report_date))
    filter (where seen.report_date is not null) as found,
    case when count(*) >= 20 then 5 else 100 end as ordinary
from base.growth as new
left join lateral (
    select max(earlier.report_date) as report_date
    from base.growth as earlier
    where
        earlier.customer_id = new.customer_id
        and earlier.report_date < new.report_date
        and earlier.report_date in (select published.report_date from published)
        and earlier.status = 'new'
) as seen on true
where new.report_date = %(report_date)s::date and new.status = 'new';
