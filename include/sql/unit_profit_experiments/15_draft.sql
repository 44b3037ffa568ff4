-- The draft of the report: per experiment and variant, the sample's mean and variance (n - 1), and the difference of
-- means from the control that the contract names. The same adjusted by profit before the assignment (CUPED: Deng, Xu, Kohavi
-- and Walker, 2013), with one theta for the whole experiment; without anything before, it is the same number. Sums are exact,
-- so that the order of rows changes nothing. Rounded to 10 decimals. The control itself has no difference; a variance needs 2
-- customers.

delete from base.unit_profit_draft where report_date = %(report_date)s::date;

insert into base.unit_profit_draft (
    report_date, experiment, variant, n, mean_profit, variance, diff_from_control, ci_low, ci_high, switched, expected_n,
    sample_ratio_p, cs_low, cs_high, adjusted_mean, adjusted_variance, adjusted_diff, adjusted_ci_low, adjusted_ci_high,
    adjusted_cs_low, adjusted_cs_high, currency
)
with units as (
    select
        unit.experiment,
        unit.variant,
        case when not unit.switched then unit.profit end as y,
        case when not unit.switched then unit.pre_profit end as x,
        case when not unit.switched then unit.days end as days
    from base.unit_profit as unit
    where unit.report_date = %(report_date)s::date
),

counted as (
    select
        units.experiment,
        units.variant,
        count(units.y) as n,
        count(*) - count(units.y) as switched,
        avg(units.y) as mean,
        var_samp(units.y) as variance,
        sum(units.days)::numeric as days,
        sum(units.y) as y,
        sum(units.x) as x,
        sum(units.x * units.x) as xx,
        sum(units.x * units.y) as xy
    from units
    group by units.experiment, units.variant
),

fitted as (
    select
        counted.*,
        sum(counted.x) over experiment / nullif(sum(counted.n) over experiment, 0) as mean_x,
        coalesce(
            (
                sum(counted.n) over experiment * sum(counted.xy) over experiment
                - sum(counted.x) over experiment * sum(counted.y) over experiment
            ) / nullif(
                sum(counted.n) over experiment * sum(counted.xx) over experiment - (sum(counted.x) over experiment) ^ 2, 0
            ),
            0
        ) as theta
    from counted
    window experiment as (partition by counted.experiment)
),

measured as (
    select
        fitted.experiment,
        fitted.variant,
        fitted.n,
        fitted.switched,
        fitted.days,
        fitted.mean,
        fitted.variance,
        fitted.mean - fitted.theta * (fitted.x / nullif(fitted.n, 0) - fitted.mean_x) as adjusted_mean,
        case
            when fitted.n > 1
                then greatest(
                    fitted.variance + (
                        fitted.theta ^ 2 * (fitted.xx - fitted.x ^ 2 / fitted.n)
                        - 2 * fitted.theta * (fitted.xy - fitted.x * fitted.y / fitted.n)
                    ) / (fitted.n - 1),
                    0
                )
        end as adjusted_variance
    from fitted
)

select
    %(report_date)s::date,
    ratio.experiment,
    ratio.variant,
    ratio.n,
    round(own.mean, 10),
    round(own.variance, 10),
    plain.diff,
    plain.ci_low,
    plain.ci_high,
    coalesce(own.switched, 0),
    ratio.expected_n,
    ratio.sample_ratio_p,
    plain.cs_low,
    plain.cs_high,
    round(own.adjusted_mean, 10),
    round(own.adjusted_variance, 10),
    adjusted.diff,
    adjusted.ci_low,
    adjusted.ci_high,
    adjusted.cs_low,
    adjusted.cs_high,
    %(currency)s::text
from experiments.sample_ratios(
    %(planned)s::jsonb,
    (
        select jsonb_agg(jsonb_build_object('experiment', one.experiment, 'variant', one.variant, 'n', one.n))
        from counted as one
    ),
    %(control)s
) as ratio
left join measured as own on own.experiment = ratio.experiment and own.variant = ratio.variant
left join measured as control
    on control.experiment = ratio.experiment and control.variant = ratio.control and ratio.variant <> ratio.control
cross join lateral experiments.difference(
    own.mean, own.variance, own.n, control.mean, control.variance, control.n, own.days + control.days
) as plain
cross join lateral experiments.difference(
    own.adjusted_mean, own.adjusted_variance, own.n, control.adjusted_mean, control.adjusted_variance, control.n,
    own.days + control.days
) as adjusted;
