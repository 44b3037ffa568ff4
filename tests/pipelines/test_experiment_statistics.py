"""The experiments' numbers: control and shares from the contract, sample ratio, intervals, profit of before."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import psycopg2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from pipelines import runner
from tests.exploring import examples
from tests.pipelines.master_by_hand import DAY, at, row, rows
from tests.pipelines.model_runs import report_run
from tests.pipelines.plain_experiments import RHO2, Unit, anytime_z, sample_ratio_p, unit_profit

PLANS = {
    "checkout_bundles": ("control", {"control": 50, "bundles": 50}),
    "streak_reminders": ("control", {"control": 1, "streak": 1, "streak_and_reminders": 1}),
}
VARIANTS = {
    "checkout_bundles": ("control", "bundles"),
    "streak_reminders": ("control", "streak", "streak_and_reminders"),
    "button": ("control", "red", "blue"),
    "alone": ("red",),
}


@pytest.fixture(scope="module")
def bench(postgres: Any, empty_warehouse: str) -> Iterator[Any]:
    """A warehouse that each example empties before it begins."""
    name = f"bench_{empty_warehouse}"
    with closing(psycopg2.connect(postgres.ensure_database(name, empty_warehouse))) as connection:
        yield connection
    postgres.drop_database(name)


def write(connection: Any, units: list[Unit], profit: dict[tuple[int, dt.date], float]) -> None:
    """These assignments and this base.profit, and nothing else."""
    with connection.cursor() as cursor:
        cursor.execute("truncate master.experiment_assignments, base.profit, base.variants_published")
        cursor.execute("delete from master.customers")
        for customer in {unit.customer for unit in units}:
            cursor.execute(
                "insert into master.customers values (%s, '2020-01-01', 'VN', 'organic', now())", (customer,)
            )
        for unit in units:
            cursor.execute(
                "insert into master.experiment_assignments values (%s, %s, %s, %s, %s)",
                (unit.experiment, unit.customer, unit.variant, at("23:30", unit.day), at("23:30", unit.day)),
            )
            if unit.switched:
                was = (unit.experiment, unit.customer, "elsewhere")
                cursor.execute("insert into base.variants_published values (%s, %s, %s)", was)
        for (customer, day), amount in profit.items():
            cursor.execute(
                "insert into base.profit (report_date, order_id, line_no, customer_id, sold, profit)"
                " values (%s, 1, 1, %s, true, %s)",
                (day, customer, amount),
            )
    connection.commit()


def drafts(connection: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """The report's rows as transform leaves them, as plain numbers."""
    runner.transform(connection, report_run("unit_profit_experiments"))
    return {
        (row["experiment"], row["variant"]): {
            name: None if value is None else float(value)
            for name, value in row.items()
            if name not in ("report_date", "experiment", "variant", "currency")
        }
        for row in rows(connection, "select * from base.unit_profit_draft where report_date = %s", DAY)
    }


@some.composite
def experiments(draw: some.DrawFn) -> tuple[list[Unit], dict[tuple[int, dt.date], float]]:
    """Some customers in some experiments, assigned around DAY, and what they earned since 40 days before it."""
    customers = draw(some.lists(some.integers(1, 14), unique=True, max_size=14))
    units = []
    for experiment in draw(some.lists(some.sampled_from(sorted(VARIANTS)), unique=True, max_size=3)):
        for customer in customers:
            variant = draw(some.sampled_from((*VARIANTS[experiment], None)))
            if variant:
                day = DAY - dt.timedelta(days=draw(some.integers(-1, 8)))
                units.append(Unit(experiment, variant, customer, day, draw(some.integers(0, 9)) == 0))
    amount = draw(some.sampled_from((some.just(500), some.integers(-3000, 90_000))))
    when = some.tuples(some.sampled_from(customers or [1]), some.integers(-1, 40))
    earned = draw(some.dictionaries(when, amount, max_size=40))
    return units, {(who, DAY - dt.timedelta(days=ago)): cents / 100 for (who, ago), cents in earned.items()}


KINDS = (("as is", "mean_profit", "variance"), ("adjusted", "adjusted_mean", "adjusted_variance"))
DAY_BEFORE = DAY - dt.timedelta(days=1)


@settings(
    max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(experiments())
@example(([], {}))
@example(([Unit("button", "control", 1, DAY)], {}))
@example(([Unit("button", "control", 1, DAY, True), Unit("button", "red", 2, DAY)], {(2, DAY): 5.0}))
@example(([Unit("checkout_bundles", "bundles", n, DAY_BEFORE) for n in (1, 2, 3)], {(1, DAY): 5.0}))
@example((
    [Unit("button", v, n, DAY_BEFORE) for n, v in enumerate(("control", "red", "control", "red"))],
    {(n, day): 10.0 * n + 1 for n in range(4) for day in (DAY, DAY - dt.timedelta(days=2))},
))  # fmt: skip
def test_every_number_is_that_of_the_plain_calculation(
    bench: Any, given_rows: tuple[list[Unit], dict[tuple[int, dt.date], float]]
) -> None:
    """Nobody, one customer, all alike, one variant, three, assigned after the day, switched."""
    units, profit = given_rows
    write(bench, units, profit)
    found = drafts(bench)
    expected = unit_profit([unit for unit in units if unit.day <= DAY], profit, DAY, PLANS)
    assert found.keys() == expected.keys()
    for key, numbers in expected.items():
        assert found[key] == pytest.approx(numbers, rel=1e-6, abs=1e-6), key


@settings(
    max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(experiments())
def test_what_is_adjusted_varies_no_more_over_the_whole_experiment(
    bench: Any, given_rows: tuple[list[Unit], dict[tuple[int, dt.date], float]]
) -> None:
    """And its mean over all customers is the same; with nothing before it is the same number."""
    units, profit = given_rows
    write(bench, units, profit)
    by_experiment: dict[str, list[dict[str, Any]]] = {}
    for (experiment, _), numbers in drafts(bench).items():
        by_experiment.setdefault(experiment, []).append(numbers)
    for found in by_experiment.values():
        means, variances, squares = {}, {}, {}
        for kind, mean, variance in KINDS:
            n = np.array([one["n"] for one in found])
            middle = np.array([one[mean] or 0.0 for one in found])
            means[kind] = float((n * middle).sum())
            variances[kind] = [one[variance] for one in found]
            within = sum((one["n"] - 1) * (one[variance] or 0.0) for one in found if one["n"])
            between = float((n * (middle - means[kind] / max(n.sum(), 1)) ** 2).sum())
            squares[kind] = within + between
        assert means["adjusted"] == pytest.approx(means["as is"], abs=1e-4)
        assert squares["adjusted"] <= squares["as is"] * (1 + 1e-9) + 1e-4


def test_without_profit_before_the_adjusted_numbers_are_the_same(bench: Any) -> None:
    """To the last decimal: as many customers sign up in an experiment's first second."""
    units = [Unit("button", ("control", "red")[n % 2], n, DAY_BEFORE) for n in range(1, 9)]
    write(bench, units, {(n, DAY): n * n / 7 for n in range(1, 9)})
    red = drafts(bench)["button", "red"]
    assert red["diff_from_control"] == red["adjusted_diff"]
    assert red["mean_profit"] == red["adjusted_mean"]
    for name in ("variance", "ci_low", "ci_high", "cs_low", "cs_high"):
        assert red[name] == red[f"adjusted_{name}"]


def test_what_was_earned_before_is_taken_out_by_hand(bench: Any) -> None:
    """X 0, 20 | 10, 30 and Y 5, 25 | 35, 55: theta is 1 within the variants, and 1.4 over all; see docs/METRICS.md."""
    before, after = DAY - dt.timedelta(days=29), DAY
    units = [Unit("button", v, n, DAY_BEFORE) for n, v in enumerate(("control", "control", "red", "red"))]
    earlier = {(n, before): float(x) for n, x in enumerate((0, 20, 10, 30))}
    later = {(n, after): float(y) for n, y in enumerate((5, 25, 35, 55))}
    write(bench, units, earlier | later)
    found = drafts(bench)
    assert (found["button", "red"]["diff_from_control"], found["button", "red"]["adjusted_diff"]) == (30, 16)
    assert (found["button", "control"]["adjusted_mean"], found["button", "red"]["adjusted_mean"]) == (22, 38)
    assert found["button", "red"]["variance"] == 200
    assert found["button", "red"]["adjusted_variance"] == pytest.approx(32)


def test_the_28_days_before_the_assignment_are_what_is_before(bench: Any) -> None:
    """Not the day of the assignment, nor the 29th day before it."""
    edges = {(1, DAY_BEFORE - dt.timedelta(days=ago)): 10.0**ago for ago in (0, 1)}
    edges |= {(1, DAY_BEFORE - dt.timedelta(days=ago)): float(ago) for ago in (28, 29)}
    write(bench, [Unit("button", "control", 1, DAY_BEFORE)], edges)
    drafts(bench)
    found = row(bench, "select profit, pre_profit, days from base.unit_profit where report_date = %s", DAY)
    assert (found["profit"], found["pre_profit"], found["days"]) == (1, 38, 2)


@pytest.mark.parametrize("days", [1, 8, 730, 10_000, 1_000_000, 10**9])
def test_the_confidence_sequence_is_the_papers(warehouse: Any, days: int) -> None:
    """The printed formula of the theorem."""
    found = row(warehouse, "select experiments.anytime_z(%s) as z", days)["z"]
    assert float(found) == pytest.approx(anytime_z(days), rel=1e-12)


def test_the_confidence_sequence_is_narrowest_where_it_was_chosen_to_be() -> None:
    """10,000 customer-days; the paper's rho for them is sqrt((-2 log a + log(-2 log a + 1)) / t), about ours."""
    z = {t: anytime_z(t) for t in range(5_000, 20_001, 100)}
    assert min(z, key=lambda t: z[t]) == pytest.approx(10_000, rel=0.03)
    assert z[10_000] == pytest.approx(3.04, abs=0.01)
    assert (-2 * math.log(0.05) + math.log(-2 * math.log(0.05) + 1)) / 10_000 == pytest.approx(RHO2, rel=0.05)


@pytest.mark.parametrize("arrivals", ["every day", "on the first day"])
def test_looked_at_every_day_the_sequence_holds_and_welchs_interval_does_not(
    warehouse: Any, arrivals: str
) -> None:
    """Two months of daily looks at variants without a difference: skewed profits that go on coming in, refunds too."""
    dice = np.random.default_rng(15)
    experiments, looks, a_day = 400, 60, 20
    customers = a_day * looks if arrivals == "every day" else 400
    days = np.arange(looks)
    starts = np.repeat(days, a_day) if arrivals == "every day" else np.zeros(customers, int)
    in_force = starts[:, None] <= days[None, :]
    n = in_force.sum(0)
    customer_days = np.maximum(days[None, :] - starts[:, None] + 1, 0).sum(0)
    z = np.array(
        [
            float(one["z"])
            for one in rows(
                warehouse,
                "select experiments.anytime_z(days) as z from unnest(%s) with ordinality as t (days, nth) order by nth",
                [int(t) for t in customer_days],
            )
        ]
    )
    wrong = {"welch": 0, "sequence": 0}
    for _ in range(experiments):
        habit = dice.lognormal(0, 1, customers)[:, None]
        buys = dice.random((customers, looks)) < 0.1
        earned = np.where(buys, habit * dice.normal(1, 0.7, (customers, looks)), 0) * in_force
        y, red = earned.cumsum(1), dice.random(customers) < 0.5
        means, errors = [], []
        for group in (red, ~red):
            size = np.maximum((in_force & group[:, None]).sum(0), 2)
            total, squares = (y * group[:, None]).sum(0), (y**2 * group[:, None]).sum(0)
            means.append(total / size)
            errors.append((squares - total**2 / size) / (size - 1) / size)
        off = np.abs(means[0] - means[1]) / np.sqrt(np.maximum(sum(errors), 1e-12))
        looked = n >= 40
        wrong["welch"] += bool((off > 1.96)[looked].any())
        wrong["sequence"] += bool((off > z)[looked].any())
    assert wrong["sequence"] <= 0.05 * experiments, wrong
    assert wrong["welch"] > 0.12 * experiments, wrong


COUNTS = [
    ((40, 10), (1, 1)),
    ((20, 0), (50, 50)),
    ((1000, 800), (1, 1)),
    ((500_000, 500_400), (1, 1)),
    ((900_000, 98_000), (9, 1)),
    ((7, 0, 1), (1, 1, 1)),
    ((3, 3), (0.01, 0.99)),
    ((0, 0), (1, 1)),
    ((12,), (1,)),
    ((5, 0, 1), (1, 1, 0)),
    ((5, 6, 0), (1, 1, 0)),
    ((10**9, 0), (1, 1)),
]


@pytest.mark.parametrize(("counts", "shares"), COUNTS)
def test_the_sample_ratios_p_is_that_of_the_paper(
    warehouse: Any, counts: tuple[int, ...], shares: tuple[float, ...]
) -> None:
    """Lindon and Malek's Bayes factor, of few and of very many."""
    asked = "select experiments.sample_ratio_p(%s::bigint[], %s::numeric[]) as p"
    found = row(warehouse, asked, list(counts), list(shares))["p"]
    assert found == pytest.approx(sample_ratio_p(counts, shares), rel=1e-6, abs=1e-300)


def test_planned_shares_are_hardly_ever_taken_for_others_however_often_one_looks(warehouse: Any) -> None:
    """Of 300 experiments looked at on 60 days at most a hundredth; a difference of a tenth is seen in all of them."""
    dice = np.random.default_rng(15)
    for odds, least, most in ((0.5, 0, 3), (0.45, 295, 300)):
        control = dice.binomial(100, odds, (300, 60)).cumsum(1)
        held = row(
            warehouse,
            "select count(distinct experiment) as held from ("
            " select (nth - 1) / 60 as experiment, experiments.sample_ratio_p("
            "   array[n, 100 * ((nth - 1) %% 60 + 1) - n]::bigint[], '{1,1}') as p"
            " from unnest(%s) with ordinality as t (n, nth)) as looked where p < 0.01",
            [int(n) for n in control.ravel()],
        )["held"]
        assert least <= held <= most
