-- What only all assignments together show. Name, what may be so, how many are, of how many, where, and up to how many in
-- 100 it is ordinary. A few customers switch variants or are forgotten; many at once were assigned anew by mistake.
select
    concat('assignments_of_', known.experiment, '_stay') as name,
    'customers who were in another variant on a published day, or are in none now' as what,
    count(*) filter (where assigned.variant is null or assigned.variant <> known.first or assigned.variant <> known.last) as odd,
    count(*) as of_all,
    concat('in master.experiment_assignments, such as experiment ', known.experiment, ', customer_id ')
    || min(known.customer_id) filter (
        where assigned.variant is null or assigned.variant <> known.first or assigned.variant <> known.last
    ) as found,
    case when count(*) >= 20 then 5 else 100 end as ordinary
from (
    select
        published.experiment,
        published.customer_id,
        min(published.variant) as first,
        max(published.variant) as last
    from base.variants_published as published
    group by published.experiment, published.customer_id
) as known
left join master.experiment_assignments as assigned
    on assigned.experiment = known.experiment and assigned.customer_id = known.customer_id
group by known.experiment
having count(assigned.customer_id) > 0; -- of one that upstream has put away nothing is published
