-- What must hold of the assignments and of the base model that an experiment reads: one row per check.
select
    'assignments_are_unique' as name,
    '0 customers twice in an experiment' as expected,
    concat(
        count(*),
        ', such as ' || min(concat('experiment ', twice.experiment, ', customer_id ', twice.customer_id, twice.variants))
    ) as found,
    count(*) = 0 as passed
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
from master.experiment_assignments as assigned
where assigned.assigned_at < %(day_end)s::timestamptz and (
    -- Looked up one by one: `not exists` would read every customer there is.
    select min(customer.customer_id) -- one answer, though upstream have a customer twice
    from master.customers as customer
    where customer.customer_id = assigned.customer_id
) is null
union all
-- Published before this run read it: what came later is not in the draft.
select
    split_part(needed.base, '.', 2) || '_is_published',
    concat(needed.base, ' published for ', %(report_date)s::date),
    case
        when not needed.is_there then 'not published'
        when needed.is_held then 'published, run again since and held'
        else 'published'
    end,
    needed.is_there and not needed.is_held
from (
    select
        reads.base,
        exists (
            select
            from investor.publications as publication
            inner join base.readings as reading
                on reading.report = %(report)s and reading.report_date = publication.report_date
            where
                publication.report = reads.base
                and publication.report_date = %(report_date)s::date
                and publication.first_published_at <= reading.read_at
        ) as is_there,
        -- Run again since, and held: what the base model has now was never published.
        exists (
            select
            from base.published_days as published
            where published.report = reads.base and published.report_date = %(report_date)s::date and published.is_held
        ) as is_held
    from (
        values ('experiments.unit_profit', 'base.profit'), ('experiments.daily_growth', 'base.growth')
    ) as reads (report, base)
    where reads.report = %(report)s
) as needed
union all
-- Before its first experiment a shop has none, also when that day is run again later, and its load says so; that all are
-- gone is for a person to say.
select
    'not_empty',
    'at least 1 assigned customer',
    concat(by_rows.assigned, case when by_rows.assigned = 0 then by_rows.said end),
    by_rows.assigned > 0 or by_rows.said = ', as the load of experiment_assignments says'
from (
    select
        count(*) as assigned,
        case
            when
                exists (select from base.variants_published)
                and not exists (select from master.experiment_assignments)
                then ', and there were some'
            when base.said_to_be_empty('experiment_assignments', %(report_date)s::date)
                then ', as the load of experiment_assignments says'
            else ', and no load says so'
        end as said
    from master.experiment_assignments as assignment
    where assignment.assigned_at < %(day_end)s::timestamptz
) as by_rows;
