"""The statistics of experiments again, in numpy and from their description in docs/METRICS.md, not from the SQL."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tests.pipelines.plain_calculation import t_quantile

RHO2 = 0.00082
CONCENTRATIONS = (10, 100, 1000, 10_000)


class Unit(NamedTuple):
    """One customer of an experiment: variant, day of the assignment, and whether it was in another variant before."""

    experiment: str
    variant: str
    customer: int
    day: dt.date
    switched: bool = False


def anytime_z(customer_days: float, alpha: float = 0.05) -> float:
    """Theorem 2.2 of Waudby-Smith et al. (2024), as it is printed, divided by the standard error sigma / sqrt(t)."""
    t, rho = customer_days, math.sqrt(RHO2)
    margin = math.sqrt(2 * (t * rho**2 + 1) / (t**2 * rho**2) * math.log(math.sqrt(t * rho**2 + 1) / alpha))
    return margin * math.sqrt(t)


def sample_ratio_p(counts: Sequence[int], shares: Sequence[float]) -> float:
    """1 / the mean of the Bayes factors of Lindon and Malek (2022), at most 1."""
    theta = np.array(shares, float) / sum(shares)
    logs = []
    for concentration in CONCENTRATIONS:
        alpha = concentration * theta
        predictive = math.lgamma(concentration) - math.lgamma(concentration + sum(counts))
        for a, n, share in zip(alpha, counts, theta, strict=True):
            if share == 0:
                if n:
                    return 0.0
                continue
            predictive += math.lgamma(a + n) - math.lgamma(a) - n * math.log(share)
        logs.append(predictive)
    return float(min(1.0, np.exp(-np.logaddexp.reduce(logs) + math.log(len(logs)))))


def compared(
    own: np.ndarray, other: np.ndarray, customer_days: int
) -> tuple[float, float | None, float | None]:
    """The difference of means, and half of the interval for one look and of the confidence sequence."""
    diff = float(own.mean() - other.mean())
    if min(len(own), len(other)) < 2:
        return diff, None, None
    errors = [round(float(x.var(ddof=1)), 10) / len(x) for x in (own, other)]
    error = math.sqrt(sum(errors))
    if error == 0:
        return diff, None, None
    df = sum(errors) ** 2 / (errors[0] ** 2 / (len(own) - 1) + errors[1] ** 2 / (len(other) - 1))
    fixed = t_quantile(df)
    return diff, fixed * error, max(fixed, anytime_z(customer_days)) * error


def unit_profit(
    units: Sequence[Unit],
    profit: Mapping[tuple[int, dt.date], float],
    day: dt.date,
    plans: Mapping[str, tuple[str, Mapping[str, float]]],
) -> dict[tuple[str, str], dict[str, Any]]:
    """The report's rows by experiment and variant; `plans`: control and shares of the experiments that are planned."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for experiment in {unit.experiment for unit in units}:
        mine = [unit for unit in units if unit.experiment == experiment]
        control, shares = plans.get(experiment, ("control", {}))
        names = sorted({unit.variant for unit in mine} | set(shares))
        kept = [unit for unit in mine if not unit.switched]
        y = np.array([_sum(profit, unit.customer, unit.day, day) for unit in kept])
        before = dt.timedelta(days=1)
        x = np.array(
            [_sum(profit, unit.customer, unit.day - 28 * before, unit.day - before) for unit in kept]
        )
        theta = float(np.cov(y, x)[0, 1] / x.var(ddof=1)) if len(x) > 1 and np.ptp(x) > 0 else 0.0
        adjusted = y - theta * (x - x.mean()) if len(x) else y
        place = {name: np.array([unit.variant == name for unit in kept], bool) for name in names}
        days = np.array([(day - unit.day).days + 1 for unit in kept])
        share = [shares.get(name, 0.0) if shares else 1.0 for name in names]
        counts = [int(place[name].sum()) for name in names]
        p = sample_ratio_p(counts, share)
        for name, n, part in zip(names, counts, share, strict=True):
            row: dict[str, Any] = {
                "n": n,
                "switched": sum(unit.variant == name and unit.switched for unit in mine),
                "expected_n": len(kept) * part / sum(share),
                "sample_ratio_p": p,
            }
            for values, mean, variance, prefix, diff in (
                (y, "mean_profit", "variance", "", "diff_from_control"),
                (adjusted, "adjusted_mean", "adjusted_variance", "adjusted_", "adjusted_diff"),
            ):
                own = values[place[name]]
                row[mean] = float(own.mean()) if n else None
                row[variance] = float(own.var(ddof=1)) if n > 1 else None
                row |= dict.fromkeys(
                    [diff, *(f"{prefix}{end}" for end in ("ci_low", "ci_high", "cs_low", "cs_high"))]
                )
                if n and name != control and control in place and place[control].any():
                    both = place[name] | place[control]
                    row[diff], fixed, anytime = compared(own, values[place[control]], int(days[both].sum()))
                    for kind, half in (("ci", fixed), ("cs", anytime)):
                        if half is not None:
                            row[f"{prefix}{kind}_low"], row[f"{prefix}{kind}_high"] = (
                                row[diff] - half,
                                row[diff] + half,
                            )
            found[experiment, name] = row
    return found


def _sum(profit: Mapping[tuple[int, dt.date], float], customer: int, first: dt.date, last: dt.date) -> float:
    return math.fsum(
        amount for (whose, day), amount in profit.items() if whose == customer and first <= day <= last
    )
