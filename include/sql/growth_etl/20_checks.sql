-- What must hold before the day's growth is published: one row per check.
with base_day as (
    select growth.* from base.growth as growth where growth.report_date = %(report_date)s::date
),

day as (
    select draft.* from base.daily_growth_draft as draft where draft.report_date = %(report_date)s::date
),

channels as (
    select
        coalesce(sum(draft.active), 0) as active,
        coalesce(sum(draft.new), 0) as new,
        coalesce(sum(draft.retained), 0) as retained,
        coalesce(sum(draft.resurrected), 0) as resurrected,
        coalesce(sum(draft.churned), 0) as churned
    from base.daily_growth_by_channel_draft as draft
    where draft.report_date = %(report_date)s::date
)

select
    'customers_are_unique' as name,
    '0 customers that come twice' as expected,
    count(*)::text as found,
    count(*) = 0 as passed
from (
    select base_day.customer_id
    from base_day
    group by base_day.customer_id
    having count(*) > 1
) as twice
union all
select
    'sessions_have_customers',
    '0 active customers that are unknown',
    concat(count(*), ' in master.sessions.customer_id, such as ' || min(concat('customer_id ', base_day.customer_id))),
    count(*) = 0
from base_day
where (
    -- Looked up one by one, as in the base model: `not exists` would read every customer there is.
    select min(customer.customer_id) -- one answer, though upstream have a customer twice
    from master.customers as customer
    where customer.customer_id = base_day.customer_id
) is null
union all
select
    'active_is_accounted_for',
    concat('active = new + retained + resurrected = ', day.new + day.retained + day.resurrected),
    day.active::text,
    day.active = day.new + day.retained + day.resurrected
from day
union all
-- Against what investors were told of the day before. Sessions that came after it was published break this: then
-- the day before has to be run again first.
select
    'balances_with_the_day_before',
    concat(
        'active = ', day_before.active, ' published for ', day_before.report_date, ' + ', day.new, ' new + ',
        day.resurrected, ' resurrected - ', day.churned, ' churned = ',
        day_before.active + day.new + day.resurrected - day.churned
    ),
    case
        when day.active = day_before.active + day.new + day.resurrected - day.churned then day.active::text
        else concat(day.active, ': sessions of ', day_before.report_date, ' have changed, run that day again first')
    end,
    day.active = day_before.active + day.new + day.resurrected - day.churned
from day
inner join investor.daily_growth as day_before on day_before.report_date = day.report_date - 1
union all
-- Of a day that is not published nobody knows that all of its sessions are there, unless a load says so.
select
    'day_before_is_complete',
    'the day before published, or loaded',
    coalesce(string_agg(concat('no sessions were loaded for ', hole.day), ', ' order by hole.day), 'the day before is'),
    count(*) = 0
from base.unknown_days(%(report)s, 'sessions', %(report_date)s::date - 1, %(report_date)s::date - 1) as hole (day)
union all
select
    'channels_add_up_to_the_day',
    array[day.active, day.new, day.retained, day.resurrected, day.churned]::text,
    array[channels.active, channels.new, channels.retained, channels.resurrected, channels.churned]::text,
    (day.active, day.new, day.retained, day.resurrected, day.churned)
    = (channels.active, channels.new, channels.retained, channels.resurrected, channels.churned)
from day
cross join channels
union all
select
    period.name || '_is_accounted_for',
    concat('active = new + retained + resurrected = ', period.new + period.retained + period.resurrected),
    period.active::text,
    period.active = period.new + period.retained + period.resurrected
from (
    select 'week' as name, draft.*
    from base.weekly_growth_draft as draft
    where draft.report_date = %(report_date)s::date
    union all
    select 'month', draft.*
    from base.monthly_growth_draft as draft
    where draft.report_date = %(report_date)s::date
) as period
union all
select 'cohorts_are_within_the_month', '0 cohorts with more active customers than customers', count(*)::text, count(*) = 0
from base.signup_cohorts_draft as draft
where draft.report_date = %(report_date)s::date and draft.active > draft.customers;
