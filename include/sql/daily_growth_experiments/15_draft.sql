-- The draft of the report: growth accounting per experiment and variant.

delete from base.experiment_growth_draft where report_date = %(report_date)s::date;

insert into base.experiment_growth_draft (
    report_date, experiment, variant, active, new, retained, resurrected, churned, quick_ratio, n, switched,
    expected_n, sample_ratio_p
)
with counted as (
    select
        growth.experiment,
        growth.variant,
        count(*) filter (where not growth.switched) as n,
        count(*) filter (where growth.switched) as switched,
        count(*) filter (where not growth.switched and growth.status in ('new', 'retained', 'resurrected')) as active,
        count(*) filter (where not growth.switched and growth.status = 'new') as new,
        count(*) filter (where not growth.switched and growth.status = 'retained') as retained,
        count(*) filter (where not growth.switched and growth.status = 'resurrected') as resurrected,
        count(*) filter (where not growth.switched and growth.status = 'churned') as churned
    from base.experiment_growth as growth
    where growth.report_date = %(report_date)s::date
    group by growth.experiment, growth.variant
)

select
    %(report_date)s::date,
    ratio.experiment,
    ratio.variant,
    coalesce(counted.active, 0),
    coalesce(counted.new, 0),
    coalesce(counted.retained, 0),
    coalesce(counted.resurrected, 0),
    coalesce(counted.churned, 0),
    round((counted.new + counted.resurrected)::numeric / nullif(counted.churned, 0), 10),
    ratio.n,
    coalesce(counted.switched, 0),
    ratio.expected_n,
    ratio.sample_ratio_p
from experiments.sample_ratios(
    %(planned)s::jsonb,
    (
        select jsonb_agg(jsonb_build_object('experiment', one.experiment, 'variant', one.variant, 'n', one.n))
        from counted as one
    ),
    %(control)s
) as ratio
left join counted on counted.experiment = ratio.experiment and counted.variant = ratio.variant;
