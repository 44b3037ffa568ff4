-- The week, the month and the cohorts that end with the day, replaced by their drafts. Where there is none, what was
-- published stays.

select investor.publish_draft(
    'investor.weekly_growth', 'investor.weekly_growth', 'base.weekly_growth_draft', '{}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
)
where exists (select from base.weekly_growth_draft where report_date = %(report_date)s::date);

select investor.publish_draft(
    'investor.monthly_growth', 'investor.monthly_growth', 'base.monthly_growth_draft', '{}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
)
where exists (select from base.monthly_growth_draft where report_date = %(report_date)s::date);

select investor.publish_draft(
    'investor.signup_cohorts', 'investor.signup_cohorts', 'base.signup_cohorts_draft', '{cohort}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
)
where exists (select from base.signup_cohorts_draft where report_date = %(report_date)s::date);

-- What of these is published now, how many rows each has, and what they add up to.
select report.name, count(*) as rows, sum(hashtextextended(report.cells, 0)) as digest
from (
    select 'investor.weekly_growth' as name, week::text as cells
    from base.weekly_growth_draft as week
    where report_date = %(report_date)s::date
    union all
    select 'investor.monthly_growth', month::text
    from base.monthly_growth_draft as month
    where report_date = %(report_date)s::date
    union all
    select 'investor.signup_cohorts', cohort::text
    from base.signup_cohorts_draft as cohort
    where report_date = %(report_date)s::date
) as report
group by report.name;
