-- The day's rows, replaced by the draft that the checks have passed.

delete from investor.daily_profit where report_date = %(report_date)s::date;

insert into investor.daily_profit (report_date, orders, revenue, cost, refunds, marketing, profit)
select draft.report_date, draft.orders, draft.revenue, draft.cost, draft.refunds, draft.marketing, draft.profit
from base.daily_profit_draft as draft
where draft.report_date = %(report_date)s::date;

delete from investor.daily_profit_by_channel where report_date = %(report_date)s::date;

insert into investor.daily_profit_by_channel (report_date, channel, revenue, cost, refunds, marketing, profit)
select draft.report_date, draft.channel, draft.revenue, draft.cost, draft.refunds, draft.marketing, draft.profit
from base.daily_profit_by_channel_draft as draft
where draft.report_date = %(report_date)s::date;

-- What is published now, and how many rows each has.
select 'investor.daily_profit' as name, count(*) as rows
from (
    select report_date from investor.daily_profit where report_date = %(report_date)s::date
    union all
    select report_date from investor.daily_profit_by_channel where report_date = %(report_date)s::date
) as report
union all
select 'base.profit', count(*)
from base.profit
where report_date = %(report_date)s::date;
