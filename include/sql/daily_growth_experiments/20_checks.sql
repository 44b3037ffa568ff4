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
    'active_is_accounted_for' as name,
    '0 variants where active is not new + retained + resurrected' as expected,
    count(*)::text as found,
    count(*) = 0 as passed
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
