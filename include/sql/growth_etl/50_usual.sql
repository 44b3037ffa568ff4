-- The draft's number (0 days ago) and those published before, to be compared: name, days ago, amount, and the size of one
-- of what the number is made of (a customer), by which it varies of itself. Of the active alone: the parts of growth are
-- all new customers in a young warehouse, and settle down by themselves.
select 'active' as name, 0 as ago, draft.active as amount, 1 as unit
from base.daily_growth_draft as draft
where draft.report_date = %(report_date)s::date
union all
select 'active', %(report_date)s::date - published.report_date, published.active, 1
from investor.daily_growth as published
where published.report_date >= %(report_date)s::date - 63 and published.report_date < %(report_date)s::date
order by ago;
