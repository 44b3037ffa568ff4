"""The experiments' reports and Welch's interval, against the plain calculation and against known values."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import pytest

from oncall.config.oncall_config import load
from pipelines.report_run import Held
from pipelines.stale_days import StalePublications
from tests.pipelines.master_by_hand import DAY, STARTS, add, at, row, rows
from tests.pipelines.model_runs import GENERATED_DAYS, Run
from tests.pipelines.plain_calculation import Master, mean, t_quantile, variance, welch
from tests.pipelines.test_contract import change

LAST = GENERATED_DAYS[-1]
# Tables of Student's t, p = 0.975.
KNOWN = {
    1: 12.706204736432095,
    2: 4.302652729911275,
    3: 3.182446305284263,
    5: 2.570581835636314,
    10: 2.228138851964939,
    30: 2.042272456301238,
    100: 1.983971518523552,
    1_000_000: 1.959966357,
}
PAIR = ("profit_etl", "unit_profit_experiments")
INCLUDE = Path(__file__).resolve().parents[2] / "include"


def test_a_slash_in_the_name_of_an_experiment_restates_nothing(shop: Any, run: Run) -> None:
    """Variant b/c of a is not variant c of a/b, though a restatement writes both alike."""
    for customer, experiment, variant in ((1, "a", "b/c"), (2, "a/b", "c")):
        assigned = {"customer_id": customer, "experiment": experiment, "variant": variant}
        add(shop, "experiment_assignments", assigned)
    run(*PAIR)
    run(*PAIR)
    assert rows(shop, "select * from investor.restatements") == []


def test_unit_profit_equals_the_plain_calculation(generated: Any) -> None:
    """n, mean, variance, difference and Welch's interval of every variant, on the last generated day."""
    master = Master(generated)
    profit = {day: master.profit(day)[3] for day in GENERATED_DAYS}
    units = {
        variant: [
            float(sum(profit[day].get(customer, 0) for day in GENERATED_DAYS if since <= day))
            for customer, since in customers.items()
        ]
        for variant, customers in master.variants(LAST).items()
    }
    found = rows(generated, "select * from experiments.unit_profit where report_date = %s", LAST)
    assert {(f["experiment"], f["variant"]) for f in found} == set(units)
    for f in found:
        mine = units[f["experiment"], f["variant"]]
        assert f["n"] == len(mine)
        assert float(f["mean_profit"]) == pytest.approx(mean(mine), rel=1e-7)
        assert float(f["variance"]) == pytest.approx(variance(mine), rel=1e-7)
        interval = (f["diff_from_control"], f["ci_low"], f["ci_high"])
        if f["variant"] == "control":
            assert interval == (None, None, None)
        else:
            expected = welch(mine, units[f["experiment"], "control"])
            assert [float(x) for x in interval] == pytest.approx(expected, rel=1e-6)


def test_growth_of_variants_equals_the_plain_calculation(generated: Any) -> None:
    """The growth accounting of the customers assigned by then, for every variant and day."""
    master = Master(generated)
    for day in GENERATED_DAYS:
        found = rows(generated, "select * from experiments.daily_growth where report_date = %s", day)
        assert {(f["experiment"], f["variant"]) for f in found} == set(master.variants(day))
        for f in found:
            expected = master.growth(day, master.variants(day)[f["experiment"], f["variant"]])
            assert {k: f[k] for k in expected if k != "quick_ratio"} == {
                k: v for k, v in expected.items() if k != "quick_ratio"
            }
            if expected["quick_ratio"] is None:
                assert f["quick_ratio"] is None
            else:
                assert float(f["quick_ratio"]) == pytest.approx(expected["quick_ratio"], abs=1e-10)


@pytest.mark.parametrize("df", KNOWN)
def test_the_t_quantile_has_the_known_values(warehouse: Any, df: int) -> None:
    """Small and large degrees of freedom alike."""
    found = row(warehouse, "select experiments.student_t_quantile(0.975, %s) as t", float(df))["t"]
    assert found == pytest.approx(KNOWN[df], rel=1e-9)


@pytest.mark.parametrize("df", [1.01, 1.5, 2.75, 7.3, 42.42, 250.5])
def test_the_t_quantile_takes_fractions(warehouse: Any, df: float) -> None:
    """Welch's degrees of freedom are hardly ever whole."""
    found = row(warehouse, "select experiments.student_t_quantile(0.975, %s) as t", df)["t"]
    assert found == pytest.approx(t_quantile(df), rel=1e-7)


def assign(warehouse: Any, **variants: str) -> None:
    """Customers c1=control, c2=new … assigned at noon of the day before DAY, each with an order of DAY to come."""
    add(warehouse, "products", {"product_id": 1})
    for name, variant in variants.items():
        customer = int(name[1:])
        add(warehouse, "customers", {"customer_id": customer})
        noon = at("12:00", DAY - dt.timedelta(days=1))
        assigned = {"customer_id": customer, "variant": variant, "assigned_at": noon}
        add(warehouse, "experiment_assignments", assigned)


def buy(warehouse: Any, order_id: int, customer: int, price: str, ordered_at: dt.datetime = STARTS) -> None:
    add(warehouse, "orders", {"order_id": order_id, "customer_id": customer, "ordered_at": ordered_at})
    add(warehouse, "order_lines", {"order_id": order_id, "unit_price": price})


def unit_profit(warehouse: Any) -> dict[str, dict[str, Any]]:
    return {
        f["variant"]: f
        for f in rows(warehouse, "select * from experiments.unit_profit where report_date = %s", DAY)
    }


def test_two_customers_a_side_by_hand(warehouse: Any, run: Run) -> None:
    """Profits 0 and 10 against 20 and 40: the customer who bought nothing counts, and df is 1.47…"""
    assign(warehouse, c1="control", c2="control", c3="red", c4="red")
    for order_id, (customer, price) in enumerate({2: "10.00", 3: "20.00", 4: "40.00"}.items()):
        buy(warehouse, order_id, customer, price)
    run(*PAIR)
    found = unit_profit(warehouse)
    assert (found["control"]["n"], found["control"]["mean_profit"], found["control"]["variance"]) == (
        2,
        5,
        50,
    )
    red = found["red"]
    assert (red["mean_profit"], red["variance"], red["diff_from_control"]) == (30, 200, 25)
    half = t_quantile(125**2 / (100**2 + 25**2)) * math.sqrt(125)
    assert [float(red["ci_low"]), float(red["ci_high"])] == pytest.approx([25 - half, 25 + half], rel=1e-7)


def test_profit_counts_from_the_day_of_assignment(warehouse: Any, run: Run) -> None:
    """The whole business day of the assignment counts, the day before it does not."""
    assign(warehouse, c1="control")
    assigned = DAY - dt.timedelta(days=1)
    buy(warehouse, 1, 1, "1.00", at("23:59:59.999999", assigned - dt.timedelta(days=1)))
    buy(warehouse, 2, 1, "20.00", at("00:00", assigned))
    buy(warehouse, 3, 1, "300.00")
    run("profit_etl", day=assigned - dt.timedelta(days=1))
    run("profit_etl", day=assigned)
    run(*PAIR)
    assert unit_profit(warehouse)["control"]["mean_profit"] == 320


def test_days_of_profit_that_never_ran_are_made_first(warehouse: Any, run: Run) -> None:
    """The first report of a new warehouse is right, although only its own day was run."""
    assign(warehouse, c1="control")
    buy(warehouse, 2, 1, "20.00", at("12:00", DAY - dt.timedelta(days=1)))
    buy(warehouse, 3, 1, "300.00")
    run(*PAIR)
    assert unit_profit(warehouse)["control"]["mean_profit"] == 320


def test_samples_too_small_or_without_spread_have_nulls_and_no_error(warehouse: Any, run: Run) -> None:
    """One customer has no variance and no interval; nor has no spread at all, which is no certainty."""
    assign(warehouse, c1="control", c2="control", c3="alone", c4="flat", c5="flat")
    buy(warehouse, 1, 3, "9.00")
    buy(warehouse, 2, 4, "5.00")
    buy(warehouse, 3, 5, "5.00")
    run(*PAIR)
    found = unit_profit(warehouse)
    alone, flat = found["alone"], found["flat"]
    assert (alone["n"], alone["variance"], alone["diff_from_control"], alone["ci_low"]) == (1, None, 9, None)
    assert (flat["variance"], flat["diff_from_control"]) == (0, 5)
    intervals = {
        f"{kind}{of}_{end}" for kind in ("", "adjusted_") for of in ("ci", "cs") for end in ("low", "high")
    }
    assert {flat[name] for name in intervals} == {None}


def test_who_is_assigned_after_the_day_is_left_out(warehouse: Any, run: Run) -> None:
    """The last instant of the day still counts, the first of the next does not."""
    assign(warehouse, c1="control")
    add(warehouse, "customers", {"customer_id": 2}, {"customer_id": 3})
    end = STARTS + dt.timedelta(days=1)
    add(
        warehouse,
        "experiment_assignments",
        {"customer_id": 2, "assigned_at": end - dt.timedelta(microseconds=1)},
        {"customer_id": 3, "assigned_at": end},
    )
    buy(warehouse, 1, 1, "1.00")
    run(*PAIR)
    assert unit_profit(warehouse)["control"]["n"] == 2


@pytest.mark.parametrize("dag_id", ["unit_profit_experiments", "daily_growth_experiments"])
def test_nothing_is_published_before_its_base_model(warehouse: Any, run: Run, dag_id: str) -> None:
    """An experiment's report without a published base model is held, and says for what."""
    assign(warehouse, c1="control")
    with pytest.raises(
        Held, match=r"_is_published: expected base\.\w+ published for 2026-11-20; found not published"
    ):
        run(dag_id)


def test_held_profit_holds_the_experiments_of_later_days(warehouse: Any, run: Run) -> None:
    """What was too wrong for investors is too wrong for an experiment's mean."""
    assign(warehouse, c1="control")
    buy(warehouse, 1, 1, "5.00")
    held = DAY - dt.timedelta(days=1)
    add(warehouse, "orders", {"order_id": 7, "ordered_at": at("12:00", held)})
    with pytest.raises(Held, match="orders_have_lines"):
        run("profit_etl", day=held)
    with pytest.raises(Held, match=f"no_day_of_profit_is_held: expected .*; found {held}"):
        run(*PAIR)


def test_held_profit_of_the_days_before_the_assignment_holds_its_experiment_too(
    warehouse: Any, run: Run
) -> None:
    """The report is adjusted by what those days have; one on which nothing can have been counted is not missed."""
    assign(warehouse, c1="control", c2="control", c3="red", c4="red")
    change(warehouse, f"update master.experiment_assignments set assigned_at = '{STARTS}'")
    first, nothing = DAY - dt.timedelta(days=28), DAY - dt.timedelta(days=3)
    for order, day in enumerate((first, DAY), 1):
        buy(warehouse, order, 1, "5.00", at("12:00", day))
        run("profit_etl", day=day)
    add(warehouse, "orders", {"order_id": 8, "ordered_at": at("12:00", nothing)})
    with pytest.raises(Held, match="orders_have_lines"):
        run("profit_etl", day=nothing)
    run("unit_profit_experiments")
    change(
        warehouse,
        "delete from master.order_lines where order_id = 1; delete from master.orders where order_id = 1",
    )
    with pytest.raises(Held, match="not_empty"):
        run("profit_etl", day=first)
    with pytest.raises(Held, match=f"no_day_of_profit_is_held: expected .*; found {first}"):
        run("unit_profit_experiments")


@pytest.mark.parametrize(
    ("base", "dag_id"),
    [("profit_etl", "unit_profit_experiments"), ("growth_etl", "daily_growth_experiments")],
)
def test_a_shop_without_an_experiment_publishes_none(
    warehouse: Any, run: Run, base: str, dag_id: str
) -> None:
    """When a load says that nobody was assigned; once there were some, they are asked for."""
    assign(warehouse, c1="control")
    add(warehouse, "sessions", {"session_id": 1})
    buy(warehouse, 1, 1, "5.00")
    gone = "truncate master.experiment_assignments"
    change(warehouse, gone)
    run(base)
    with pytest.raises(Held, match="not_empty: expected at least 1 assigned customer; found 0, and no load"):
        run(dag_id)
    change(
        warehouse,
        f"insert into master.loads values ('experiment_assignments', '{DAY}', '{DAY}T20:00Z', 0)",
    )
    assert set(run(dag_id).values()) == {0}

    assign_again = {"customer_id": 1, "variant": "control", "assigned_at": at("12:00")}
    add(warehouse, "experiment_assignments", assign_again)
    change(warehouse, "update master.loads set row_count = 1")
    run(dag_id)
    change(warehouse, f"{gone}; update master.loads set row_count = 0")
    with pytest.raises(Held, match=r"not_empty: .*; found 0, and there were some"):
        run(dag_id)


def test_a_day_before_the_first_experiment_is_run_again_without_one(warehouse: Any, run: Run) -> None:
    """As it was published, though somebody is assigned by now. What depends on experiments alone is not stale there."""
    before = DAY - dt.timedelta(days=2)
    assign(warehouse, c1="control")
    change(
        warehouse,
        "insert into master.loads select 'experiment_assignments', day, day + interval '20 hours', n"
        f" from (values (date '{before}', 0), ('{DAY}', 0)) as loaded (day, n)",
    )
    for day in (before, DAY):
        add(warehouse, "sessions", {"session_id": day.day, "started_at": at("10:00", day)})
        buy(warehouse, day.day, 1, "5.00", at("10:00", day))
        run(*PAIR, day=day)
    buy(warehouse, 1, 1, "7.00", at("11:00", before))
    run("profit_etl", day=before)
    stale = StalePublications(warehouse, load(INCLUDE)).find()
    assert [(day.pipeline.dag_id, day.report_date) for day in stale] == [("unit_profit_experiments", DAY)]
    assert set(run("unit_profit_experiments", day=before).values()) == {0}
