-- The draft of the report: per experiment and variant, the sample's mean and variance (n - 1), and the difference of
-- means from the variant named `control` with Welch's 95 percent interval. Rounded to 10 decimals. The control itself has
-- no difference; a variance needs 2 customers, and an interval needs 2 in both.

delete from base.unit_profit_draft where report_date = %(report_date)s::date;

insert into base.unit_profit_draft (
    report_date, experiment, variant, n, mean_profit, variance, diff_from_control, ci_low, ci_high
)
with variants as (
    select
        unit.experiment,
        unit.variant,
        count(*) as n,
        avg(unit.profit) as mean,
        var_samp(unit.profit) as variance,
        var_samp(unit.profit) / count(*) as error -- squared standard error of the mean
    from base.unit_profit as unit
    where unit.report_date = %(report_date)s::date
    group by unit.experiment, unit.variant
),

compared as (
    select
        variants.*,
        variants.mean - control.mean as diff,
        variants.error + control.error as error_of_diff,
        (variants.error + control.error) ^ 2 / nullif(
            variants.error ^ 2 / nullif(variants.n - 1, 0) + control.error ^ 2 / nullif(control.n - 1, 0), 0
        ) as df -- Welch–Satterthwaite; null when neither varies
    from variants
    left join variants as control
        on
            control.experiment = variants.experiment
            and control.variant = 'control'
            and variants.variant <> 'control'
),

intervals as (
    select
        compared.*,
        case
            when compared.error_of_diff = 0 then 0
            else
                sqrt(compared.error_of_diff)
                * experiments.student_t_quantile(0.975, compared.df::double precision)::numeric
        end as half_width
    from compared
)

select
    %(report_date)s::date,
    intervals.experiment,
    intervals.variant,
    intervals.n,
    round(intervals.mean, 10),
    round(intervals.variance, 10),
    round(intervals.diff, 10),
    round(intervals.diff - intervals.half_width, 10),
    round(intervals.diff + intervals.half_width, 10)
from intervals;
