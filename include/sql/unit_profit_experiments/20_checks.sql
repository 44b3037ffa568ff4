-- What must hold before the experiments' profit is published: one row per check.
with assigned as (
    select unit.* from base.unit_profit as unit where unit.report_date = %(report_date)s::date
)

select
    'no_day_of_profit_is_held' as name,
    'no day since the first assignment, or of the 28 before it' as expected,
    coalesce(string_agg(distinct held.report_date::text, ', '), 'no such day') as found,
    count(*) = 0 as passed
from (
    select failed.report_date from investor.checks as failed where failed.report = 'investor.daily_profit' and not failed.passed
    union
    -- Held by a run whose failed checks the next one has cleared.
    select reading.report_date
    from base.readings as reading
    where reading.report = 'investor.daily_profit' and reading.held and not reading.passed
    union
    select published.report_date from base.published_days as published where published.report = 'base.profit' and published.is_held
) as held
where
    held.report_date <= %(report_date)s::date
    and held.report_date >= (
        select base.day_of(min(assignment.assigned_at), %(zone)s) - 28
        from master.experiment_assignments as assignment
    )
    and (
        held.report_date >= (
            select base.day_of(min(assignment.assigned_at), %(zone)s)
            from master.experiment_assignments as assignment
        )
        -- Before an assignment counts what there is: a day of which there never was anything is not missed.
        or exists (select from base.profit as line where line.report_date = held.report_date)
        or exists (
            select
            from investor.publications as known
            where known.report = 'base.profit' and known.report_date = held.report_date
        )
    )
    and not exists (
        select
        from base.published_days as published
        where published.report = 'base.profit' and published.report_date = held.report_date and not published.is_held
    )
union all
-- What is added up over days must be in one currency.
select
    'profit_is_in_one_currency',
    concat('0 days of profit in another currency than ', %(currency)s::text),
    concat(
        count(*), ' in investor.daily_profit.currency, such as ' || min(concat(day.report_date, ' (', day.currency, ')'))
        || ': publish them again, oldest first'
    ),
    count(*) = 0
from investor.daily_profit as day
where
    day.report_date <= %(report_date)s::date
    and day.report_date >= (
        select base.day_of(min(assignment.assigned_at), %(zone)s) - 28
        from master.experiment_assignments as assignment
    )
    and day.currency <> %(currency)s::text
union all
select 'everybody_is_in_a_variant', count(*)::text, coalesce(max(draft.n), 0)::text, count(*) = coalesce(max(draft.n), 0)
from assigned
cross join (
    select sum(unit.n + unit.switched) as n
    from base.unit_profit_draft as unit
    where unit.report_date = %(report_date)s::date
) as draft
union all
-- Nothing is wrong with the numbers that there are.
select
    'differences_have_a_control',
    'somebody in the control of every experiment, or no difference',
    coalesce(string_agg(concat('nobody in the control of ', alone.experiment, ': no difference'), ', '), 'somebody in every control'),
    true
from (
    select draft.experiment
    from base.unit_profit_draft as draft
    where draft.report_date = %(report_date)s::date
    group by draft.experiment
    having count(draft.diff_from_control) = 0 and count(*) filter (where draft.n > 0) > 0
) as alone;
