-- The day's rows, replaced by the draft that the checks have passed. What that changes of a published day is written down.

select investor.publish_draft(
    %(report)s, 'investor.daily_growth', 'base.daily_growth_draft', '{}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
);

select investor.publish_draft(
    %(report)s, 'investor.daily_growth_by_channel', 'base.daily_growth_by_channel_draft', '{channel}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
);

-- Whose channel was new with this run is kept from now on.
update base.growth set channel_is_new = false where report_date = %(report_date)s::date and channel_is_new;

-- What is published now, how many rows each has, and what they add up to.
select 'investor.daily_growth' as name, count(*) as rows, sum(hashtextextended(report.cells, 0)) as digest
from (
    select day::text as cells from investor.daily_growth as day where report_date = %(report_date)s::date
    union all
    select channel::text from investor.daily_growth_by_channel as channel where report_date = %(report_date)s::date
) as report
union all
select 'base.growth', count(*), sum(hashtextextended(row(
    customer.report_date, customer.customer_id, customer.channel, customer.status
)::text, 0))
from base.growth as customer
where report_date = %(report_date)s::date;
