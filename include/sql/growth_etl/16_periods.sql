-- Drafts of growth by week and by month, and of the sign-up cohorts' month: on the last day of each, when every other day
-- that they are made of is published as its base model stands. Where one is not, what was published stays as it was.

delete from base.weekly_growth_draft where report_date = %(report_date)s::date;

delete from base.monthly_growth_draft where report_date = %(report_date)s::date;

delete from base.signup_cohorts_draft where report_date = %(report_date)s::date;

with period as (
    select ends.kind, ends.first_day, ends.before_first
    from (
        values
            (
                'week',
                %(report_date)s::date - 6,
                %(report_date)s::date - 13,
                extract(isodow from %(report_date)s::date) = 7
            ),
            (
                'month',
                date_trunc('month', %(report_date)s::date)::date,
                (date_trunc('month', %(report_date)s::date) - interval '1 month')::date,
                extract(day from %(report_date)s::date + 1) = 1
            )
    ) as ends (kind, first_day, before_first, today)
    where ends.today
),

settled as (
    select day.report_date
    from base.published_days as day
    where
        day.report = %(report)s
        and day.report_date >= (select min(period.before_first) from period)
        and day.report_date < %(report_date)s::date
        and day.as_published
),

complete as (
    select period.kind, period.first_day, period.before_first
    from period
    where
        (select count(*) from settled where settled.report_date >= period.before_first)
        = %(report_date)s::date - period.before_first
),

customers as (
    select
        complete.kind,
        growth.customer_id,
        bool_or(growth.report_date >= complete.first_day) as is_active,
        bool_or(growth.report_date < complete.first_day) as was_active,
        bool_or(growth.report_date >= complete.first_day and growth.status = 'new') as is_new
    from complete
    inner join base.growth as growth
        on
            growth.report_date >= complete.before_first
            and growth.report_date <= %(report_date)s::date
            and growth.status <> 'churned'
    group by complete.kind, growth.customer_id
),

counted as (
    select
        complete.kind,
        complete.first_day,
        count(*) filter (where customers.is_active) as active,
        count(*) filter (where customers.is_new and not customers.was_active) as new,
        count(*) filter (where customers.is_active and customers.was_active) as retained,
        count(*) filter (
            where customers.is_active and not customers.is_new and not customers.was_active
        ) as resurrected,
        count(*) filter (where not customers.is_active) as churned
    from complete
    left join customers on customers.kind = complete.kind
    group by complete.kind, complete.first_day
),

measured as (
    select
        counted.*,
        round((counted.new + counted.resurrected)::numeric / nullif(counted.churned, 0), 10) as quick_ratio
    from counted
),

weeks as (
    insert into base.weekly_growth_draft (
        report_date, first_day, active, new, retained, resurrected, churned, quick_ratio
    )
    select
        %(report_date)s::date,
        measured.first_day,
        measured.active,
        measured.new,
        measured.retained,
        measured.resurrected,
        measured.churned,
        measured.quick_ratio
    from measured
    where measured.kind = 'week'
),

months as (
    insert into base.monthly_growth_draft (
        report_date, first_day, active, new, retained, resurrected, churned, quick_ratio
    )
    select
        %(report_date)s::date,
        measured.first_day,
        measured.active,
        measured.new,
        measured.retained,
        measured.resurrected,
        measured.churned,
        measured.quick_ratio
    from measured
    where measured.kind = 'month'
),

-- A cohort's month needs no day of the month before.
month as (
    select period.first_day
    from period
    where
        period.kind = 'month'
        and (select count(*) from settled where settled.report_date >= period.first_day)
        = %(report_date)s::date - period.first_day
),

users as (
    select distinct growth.customer_id
    from month
    inner join base.growth as growth
        on
            growth.report_date >= month.first_day
            and growth.report_date <= %(report_date)s::date
            and growth.status <> 'churned'
),

cohorts as (
    select
        date_trunc('month', base.day_of(customer.signed_up_at, %(zone)s)::timestamp)::date as first_day,
        count(*) as customers,
        count(users.customer_id) as active
    from master.customers as customer
    left join users on users.customer_id = customer.customer_id
    where
        customer.signed_up_at < %(day_end)s::timestamptz
        and customer.signed_up_at >= '0001-01-01' -- of an earlier one nobody knows when it was
        and exists (select from month)
    group by 1
)

insert into base.signup_cohorts_draft (report_date, cohort, months, customers, active, retained_share)
select
    %(report_date)s::date,
    to_char(cohorts.first_day, 'YYYY-MM'),
    (extract(year from month.first_day) - extract(year from cohorts.first_day)) * 12
    + extract(month from month.first_day) - extract(month from cohorts.first_day),
    cohorts.customers,
    cohorts.active,
    round(cohorts.active::numeric / cohorts.customers, 10)
from cohorts
cross join month;
