-- What must hold before the experiments' growth is published: one row per check.
with assigned as (
    select growth.* from base.experiment_growth as growth where growth.report_date = %(report_date)s::date
),

drafts as (
    select draft.* from base.experiment_growth_draft as draft where draft.report_date = %(report_date)s::date
),

-- The same customers on the day before, where base.growth has it.
day_before as (
    select assigned.experiment, assigned.variant, count(*) filter (where growth.status <> 'churned') as active
    from assigned
    left join base.growth as growth
        on growth.customer_id = assigned.customer_id and growth.report_date = %(report_date)s::date - 1
    where
        not assigned.switched
        and exists (select from base.growth as built where built.report_date = %(report_date)s::date - 1)
    group by assigned.experiment, assigned.variant
)

select
    'not_empty' as name,
    'at least 1 assigned customer' as expected,
    count(*)::text as found,
    count(*) > 0 as passed
from assigned
union all
select
    'assignments_are_unique',
    '0 customers twice in an experiment',
    concat(
        count(*),
        ', such as ' || min(concat('experiment ', twice.experiment, ', customer_id ', twice.customer_id, twice.variants))
    ),
    count(*) = 0
from (
    select
        assignment.experiment,
        assignment.customer_id,
        ' in ' || string_agg(distinct assignment.variant, ' and ' order by assignment.variant) as variants
    from master.experiment_assignments as assignment
    where assignment.assigned_at < %(day_end)s::timestamptz
    group by assignment.experiment, assignment.customer_id
    having count(*) > 1
) as twice
union all
select
    'assignments_have_customers',
    '0 assigned customers that are unknown',
    concat(
        count(*),
        ' in master.experiment_assignments.customer_id, such as '
        || min(concat('experiment ', assigned.experiment, ', customer_id ', assigned.customer_id))
    ),
    count(*) = 0
from assigned
where (
    -- Looked up one by one: `not exists` would read every customer there is.
    select min(customer.customer_id) -- one answer, though upstream have a customer twice
    from master.customers as customer
    where customer.customer_id = assigned.customer_id
) is null
union all
-- Published before this run read it: what came later is not in the draft.
select
    'growth_is_published',
    concat('base.growth published for ', %(report_date)s::date),
    case when count(*) > 0 then 'published' else 'not published' end,
    count(*) > 0
from investor.publications as publication
inner join base.readings as reading
    on reading.report = %(report)s and reading.report_date = publication.report_date
where
    publication.report = 'base.growth'
    and publication.report_date = %(report_date)s::date
    and publication.first_published_at <= reading.read_at
union all
select
    'active_is_accounted_for',
    '0 variants where active is not new + retained + resurrected',
    count(*)::text,
    count(*) = 0
from drafts
where drafts.active <> drafts.new + drafts.retained + drafts.resurrected
union all
select
    'balances_with_the_day_before',
    'active = active the day before + new + resurrected - churned, in every variant',
    coalesce(
        'not in ' || string_agg(concat(drafts.experiment, '/', drafts.variant), ', ' order by drafts.experiment, drafts.variant),
        'every variant'
    ),
    count(*) = 0
from drafts
inner join day_before using (experiment, variant)
where drafts.active <> day_before.active + drafts.new + drafts.resurrected - drafts.churned;
