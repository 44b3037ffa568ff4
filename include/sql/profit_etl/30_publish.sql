-- The day's rows, replaced by the draft that the checks have passed. What that changes of a published day is written down.

-- Of days published before their currency was said: they had no other.
update investor.daily_profit set currency = %(currency)s where currency is null;

update investor.daily_profit_by_channel set currency = %(currency)s where currency is null;

select investor.publish_draft(
    %(report)s, 'investor.daily_profit', 'base.daily_profit_draft', '{}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
);

select investor.publish_draft(
    %(report)s, 'investor.daily_profit_by_channel', 'base.daily_profit_by_channel_draft', '{channel}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
);

-- What its goods cost is remembered from now on. Of those that are not there any more it goes on being so: they may be back.
delete from base.product_costs
where
    report_date = %(report_date)s::date
    and published
    and product_id in (
        select draft.product_id
        from base.product_costs as draft
        where draft.report_date = %(report_date)s::date and not draft.published
    );

update base.product_costs set published = true where report_date = %(report_date)s::date and not published;

-- Whose channel was new with this run is kept from now on.
update base.profit set channel_is_new = false where report_date = %(report_date)s::date and channel_is_new;

-- What is published now, how many rows each has, and what they add up to.
select 'investor.daily_profit' as name, count(*) as rows, sum(hashtextextended(report.cells, 0)) as digest
from (
    select day::text as cells from investor.daily_profit as day where report_date = %(report_date)s::date
    union all
    select channel::text from investor.daily_profit_by_channel as channel where report_date = %(report_date)s::date
) as report
union all
select 'base.profit', count(*), sum(hashtextextended(row(
    line.report_date, line.order_id, line.line_no, line.customer_id, line.sold, line.revenue, line.cost, line.refunds,
    line.marketing, line.profit, line.cancelled, line.acquisition_channel
)::text, 0))
from base.profit as line
where report_date = %(report_date)s::date;
