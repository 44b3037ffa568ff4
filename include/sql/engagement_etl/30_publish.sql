-- The day's rows, replaced by the draft that the checks have passed. What that changes of a published day is written down.

select investor.publish_draft(
    %(report)s, 'investor.daily_engagement', 'base.daily_engagement_draft', '{}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
);

select investor.publish_draft(
    %(report)s, 'investor.daily_engagement_by_channel', 'base.daily_engagement_by_channel_draft', '{channel}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
);

-- Whose channel was new with this run is kept from now on.
update base.engagement set channel_is_new = false where report_date = %(report_date)s::date and channel_is_new;

-- What is published now, how many rows each has, and what they add up to.
select 'investor.daily_engagement' as name, count(*) as rows, sum(hashtextextended(report.cells, 0)) as digest
from (
    select day::text as cells from investor.daily_engagement as day where report_date = %(report_date)s::date
    union all
    select channel::text from investor.daily_engagement_by_channel as channel where report_date = %(report_date)s::date
) as report
union all
-- Other days ask only who was active, and of which channel.
select 'base.engagement', count(*), sum(hashtextextended(concat(customer.customer_id, ' ', customer.channel), 0))
from base.engagement as customer
where report_date = %(report_date)s::date;
