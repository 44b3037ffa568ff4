-- The day's rows, replaced by the draft that the checks have passed. What that changes of a published day is written down.

select investor.publish_draft(
    %(report)s, 'experiments.daily_growth', 'base.experiment_growth_draft', '{experiment,variant}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
);

-- Who was in which variant, so that a later change is seen.
insert into base.variants_published (experiment, customer_id, variant)
select distinct status.experiment, status.customer_id, status.variant
from base.experiment_growth as status
left join base.variants_published as known
    on known.experiment = status.experiment and known.customer_id = status.customer_id and known.variant = status.variant
where status.report_date = %(report_date)s::date and known.customer_id is null
on conflict do nothing;

-- What is published now, how many rows it has, and what they add up to.
select 'experiments.daily_growth' as name, count(*) as rows, sum(hashtextextended(variant::text, 0)) as digest
from experiments.daily_growth as variant
where report_date = %(report_date)s::date;
