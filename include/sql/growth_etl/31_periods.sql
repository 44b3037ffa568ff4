-- The week, the month and the cohorts that end with the day, replaced by their drafts. Where there is none, what was
-- published stays.

select investor.note_restatements(
    'investor.weekly_growth', 'investor.weekly_growth', 'base.weekly_growth_draft', '{}', draft.report_date, %(reason)s,
    %(run_id)s, %(at)s::timestamptz
)
from base.weekly_growth_draft as draft
where draft.report_date = %(report_date)s::date;

delete from investor.weekly_growth as published
using base.weekly_growth_draft as draft
where draft.report_date = %(report_date)s::date and published.report_date = draft.report_date;

insert into investor.weekly_growth (
    report_date, first_day, active, new, retained, resurrected, churned, quick_ratio
)
select
    draft.report_date,
    draft.first_day,
    draft.active,
    draft.new,
    draft.retained,
    draft.resurrected,
    draft.churned,
    draft.quick_ratio
from base.weekly_growth_draft as draft
where draft.report_date = %(report_date)s::date;

select investor.note_restatements(
    'investor.monthly_growth', 'investor.monthly_growth', 'base.monthly_growth_draft', '{}', draft.report_date, %(reason)s,
    %(run_id)s, %(at)s::timestamptz
)
from base.monthly_growth_draft as draft
where draft.report_date = %(report_date)s::date;

delete from investor.monthly_growth as published
using base.monthly_growth_draft as draft
where draft.report_date = %(report_date)s::date and published.report_date = draft.report_date;

insert into investor.monthly_growth (
    report_date, first_day, active, new, retained, resurrected, churned, quick_ratio
)
select
    draft.report_date,
    draft.first_day,
    draft.active,
    draft.new,
    draft.retained,
    draft.resurrected,
    draft.churned,
    draft.quick_ratio
from base.monthly_growth_draft as draft
where draft.report_date = %(report_date)s::date;

select investor.note_restatements(
    'investor.signup_cohorts', 'investor.signup_cohorts', 'base.signup_cohorts_draft', '{cohort}', draft.report_date,
    %(reason)s, %(run_id)s, %(at)s::timestamptz
)
from (
    select distinct report_date from base.signup_cohorts_draft where report_date = %(report_date)s::date
) as draft;

delete from investor.signup_cohorts as published
using base.signup_cohorts_draft as draft
where draft.report_date = %(report_date)s::date and published.report_date = draft.report_date;

insert into investor.signup_cohorts (report_date, cohort, months, customers, active, retained_share)
select draft.report_date, draft.cohort, draft.months, draft.customers, draft.active, draft.retained_share
from base.signup_cohorts_draft as draft
where draft.report_date = %(report_date)s::date;

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
