-- The day's rows, replaced by the draft that the checks have passed. What that changes of a published day is written down.

-- Of days published before their currency was said: they had no other.
update experiments.unit_profit set currency = %(currency)s where currency is null;

select investor.publish_draft(
    %(report)s, 'experiments.unit_profit', 'base.unit_profit_draft', '{experiment,variant}',
    %(report_date)s::date, %(reason)s, %(run_id)s, %(at)s::timestamptz
);

-- Who was in which variant, so that a later change is seen.
insert into base.variants_published (experiment, customer_id, variant)
select distinct unit.experiment, unit.customer_id, unit.variant
from base.unit_profit as unit
left join base.variants_published as known
    on known.experiment = unit.experiment and known.customer_id = unit.customer_id and known.variant = unit.variant
where unit.report_date = %(report_date)s::date and known.customer_id is null
on conflict do nothing;

-- What is published now, how many rows it has, and what they add up to.
select 'experiments.unit_profit' as name, count(*) as rows, sum(hashtextextended(variant::text, 0)) as digest
from experiments.unit_profit as variant
where report_date = %(report_date)s::date;
