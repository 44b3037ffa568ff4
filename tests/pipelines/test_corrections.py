"""What may change a published day: laws over random histories, and each kind of correction by hand."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from oncall.config.oncall_config import load
from tests.exploring import examples
from tests.pipelines.master_by_hand import DAY, row, rows
from tests.pipelines.model_runs import REPORTS
from tests.pipelines.plain_calculation import ITEMS, Master
from tests.pipelines.shop_history import CHANNELS, CUSTOMERS, FIRST, PRODUCTS, Shop, sums

INCLUDE = Path(__file__).resolve().parents[2] / "include"
NEXT = DAY + dt.timedelta(days=1)


@pytest.fixture(scope="module")
def shop_warehouse(postgres: Any, empty_warehouse: str) -> Iterator[Any]:
    """A warehouse that each history empties before it begins."""
    name = f"shop_{empty_warehouse}"
    with closing(psycopg2.connect(postgres.ensure_database(name, empty_warehouse))) as connection:
        # Of next to no rows each way of reading them is quick: to look for the best one is what takes long.
        with connection.cursor() as cursor:
            cursor.execute("set join_collapse_limit = 1; set from_collapse_limit = 1")
        connection.commit()
        yield connection
    postgres.drop_database(name)


def open_shop(connection: Any) -> Shop:
    with connection.cursor() as cursor:
        cursor.execute(
            "select string_agg(format('delete from %I.%I', schemaname, tablename), '; ') from pg_tables"
            " where schemaname in ('master', 'base', 'investor', 'experiments')"
        )
        cursor.execute(cursor.fetchone()[0])
        # The shop asks for what was written last: room that is left by earlier rows is not to be used again.
        cursor.execute("truncate investor.restatements")
    connection.commit()
    return Shop(connection, load(INCLUDE))


# What may happen, as a name and its numbers: the shop makes sense of them. Cancellations and refunds come often.
NTH, AGO, MONEY = some.integers(0, 9), some.integers(0, 3), some.integers(1, 30)
CUSTOMER, PRODUCT, CHANNEL = (
    some.sampled_from(CUSTOMERS),
    some.sampled_from(PRODUCTS),
    some.sampled_from(CHANNELS),
)


def night_passes(shop: Shop) -> None:
    """Midnight, the loads, and the five reports of the day that is over."""
    day = shop.today
    shop.now = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(1), tzinfo=shop.now.tzinfo)
    for table in ("orders", "sessions"):
        counted = "ordered_at" if table == "orders" else "started_at"
        shop.change(
            f"insert into master.loads (loaded_at, table_name, business_day, row_count) select %s, '{table}', %s,"
            f" count(*) from master.{table} where ({counted} at time zone 'Asia/Bangkok')::date = %s",
            day, day,
        )  # fmt: skip
    shop.run_all([day])


def run_some_day(shop: Shop, dag_id: str, nth: int) -> None:
    if days := shop.days()[:-1]:
        shop.run(dag_id, days[nth % len(days)])
        shop.look()


# Name → what it does, of which of the shop's things its first numbers choose one each, and what else it is told.
HAPPENS: dict[str, tuple[Callable[..., Any], tuple[str, ...], tuple[some.SearchStrategy[Any], ...]]] = {
    "sell": (Shop.sell, (), (AGO, CUSTOMER, PRODUCT, MONEY)),
    "refund": (Shop.refund, ("orders",), (AGO, some.integers(1, 5))),
    "cancel": (Shop.set_status, ("orders",), (some.just("cancelled"),)),
    "reinstate": (Shop.set_status, ("orders",), (some.just("paid"),)),
    "price": (Shop.correct_price, ("orders",), (MONEY,)),
    "cost": (Shop.set_cost, (), (PRODUCT, some.integers(1, 9))),
    "channel": (Shop.set_channel, (), (CUSTOMER, some.sampled_from(("organic", *CHANNELS)))),
    "touch": (Shop.touch, (), (CUSTOMER, AGO, CHANNEL)),
    "spend": (Shop.spend, (), (AGO, CHANNEL, some.integers(1, 9))),
    "session": (Shop.come, (), (CUSTOMER, AGO)),
    "another's": (Shop.give, ("sessions",), (CUSTOMER,)),
    "move": (Shop.move, ("orders",), (AGO,)),
    "hand over": (Shop.hand_over, ("orders",), (CUSTOMER, AGO)),
    "refund another": (Shop.refund_another, ("refunds", "orders"), (AGO,)),
    "move session": (Shop.move_session, ("sessions",), (AGO,)),
    "move touch": (Shop.move_touch, ("touches",), (CUSTOMER, AGO)),
    "move line": (Shop.move_line, ("orders", "orders"), ()),
    "merge": (Shop.merge, (), (CUSTOMER, CUSTOMER)),
    **{
        f"delete of {table}": (lambda shop, number, of=table: shop.delete(of, number), (table,), ())
        for table in ("orders", "refunds", "sessions", "touches")
    },
    "assign": (Shop.assign, (), (some.sampled_from(CUSTOMERS[1:]), AGO)),  # somebody is always in it
    "night": (night_passes, (), ()),
    "run": (run_some_day, (), (some.sampled_from(tuple(REPORTS)), NTH)),
    "mend": (Shop.rerun_stale, (), ()),
}
OFTEN = ("sell", "sell", "sell", "refund", "cancel", "night", "night", "session")
EVENTS = some.sampled_from((*HAPPENS, *OFTEN)).flatmap(
    lambda name: some.tuples(some.just(name), *[NTH] * len(HAPPENS[name][1]), *HAPPENS[name][2])
)


def happen(shop: Shop, event: tuple[Any, ...]) -> None:
    """Nothing while the shop has none of the things that it is about."""
    name, *numbers = event
    action, kinds, _ = HAPPENS[name]
    things = [getattr(shop, kind) for kind in kinds]
    if all(things):
        chosen = [of[nth % len(of)] for of, nth in zip(things, numbers, strict=False)]
        action(shop, *chosen, *numbers[len(things) :])


def whole(shop: Shop) -> None:
    """Every day of the shop's is published, and nothing is stale: what was held by an older day is run after that."""
    night_passes(shop)
    shop.rerun_stale()
    for day in shop.days()[:-1]:
        for dag_id, report in REPORTS.items():
            if (report, day) not in shop.published:
                shop.run(dag_id, day)
        shop.look()
    shop.rerun_stale()
    assert shop.stale() == []


# Two orders that are sold and published: of an empty shop nothing can be corrected, and it is what is tried first.
OPENING = [
    ("sell", 0, 1, 1, 21),
    ("sell", 0, 2, 2, 14),
    ("touch", 1, 0, "email"),
    ("session", 1, 0),
    ("night",),
]

HISTORIES = settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
)


@pytest.mark.timeout(900)
@HISTORIES
@example(  # a cost and a channel change, an order is cancelled, and that is written again
    events=[
        ("cost", 1, 9),
        ("channel", 1, "social"),
        ("refund", 0, 0, 4),
        ("cancel", 0, "cancelled"),
        ("night",),
        ("cancel", 0, "cancelled"),
        ("night",),
    ],
    order=random.Random(2),
)
@example(  # an order, a session and a refund come late
    events=[
        ("night",),
        ("sell", 2, 3, 2, 9),
        ("session", 2, 2),
        ("refund", 1, 1, 3),
        ("reinstate", 1, "paid"),
    ],
    order=random.Random(3),
)
@example(  # the lines of an order that moves were loaded again before
    events=[
        ("sell", 0, 1, 1, 26),
        ("night",),
        ("sell", 3, 1, 1, 24),
        ("move line", 0, 0),
        ("night",),
        ("hand over", 1, 1, 0),
    ],
    order=random.Random(1),
)
@given(events=some.lists(EVENTS, min_size=12, max_size=25), order=some.randoms(use_true_random=False))
def test_all_days_together_are_the_truth_of_today(shop_warehouse: Any, events: list[Any], order: Any) -> None:
    """Once nothing is stale: whatever was sold, refunded, cancelled, late or corrected, and run in whatever order.

    On the way no published number changes without a restatement (the shop looks after each run). Then a run more, of
    half of all days in any order, changes nothing at all.
    """
    shop = open_shop(shop_warehouse)
    for event in (*OPENING, *events):
        happen(shop, event)
    whole(shop)
    found, master = sums(shop_warehouse), Master(shop_warehouse)
    kept = [order for order in master.orders.values() if order["status"] != "cancelled"]
    lines = [line for line in master.lines if master.orders[line["order_id"]] in kept]
    given_back = sum(
        (
            Fraction(refund["amount"])
            for refund in master.refunds
            if master.orders[refund["order_id"]] in kept
        ),
        Fraction(),
    )
    assert found["orders"] == len(kept)
    assert (
        found["kept"] == sum(line["quantity"] * Fraction(line["unit_price"]) for line in lines) - given_back
    )
    assert found["marketing"] == sum((Fraction(spend["amount"]) for spend in master.spend), Fraction())
    assert found["profit"] == found["kept"] - found["cost"] - found["marketing"]
    cost_is_known = not any(event[0] == "cost" for event in events)
    if cost_is_known:
        assert found["cost"] == sum(line["quantity"] * master.unit_cost[line["product_id"]] for line in lines)
    check_cancelled(shop_warehouse)
    for day in shop.days()[:-1]:
        check_use(shop_warehouse, master, day)
        if shop.simple and cost_is_known:
            check_profit(shop_warehouse, master, day)

    before, restated = shop.cells(), shop.restatements()
    again = [(dag_id, day) for day in shop.days()[:-1] for dag_id in REPORTS]
    for dag_id, day in order.sample(again, len(again) // 2):
        shop.run(dag_id, day)
    shop.look()
    assert (shop.cells(), shop.restatements()) == (before, restated)


def check_cancelled(warehouse: Any) -> None:
    """Each cancelled order adds up to nothing over all days, and so does each of its lines."""
    query = """
        select line.order_id, line.line_no from base.profit as line
        inner join master.orders as ordered on ordered.order_id = line.order_id and ordered.status = 'cancelled'
        group by 1, 2 having sum(line.revenue - line.refunds) <> 0 or sum(line.cost) <> 0"""
    assert rows(warehouse, query) == []


def check_profit(warehouse: Any, master: Master, day: dt.date) -> None:
    """One day's money, and what each customer has brought by then, against the plain calculation."""
    orders, whole_day, _, _ = master.profit(day)
    found = row(warehouse, "select * from investor.daily_profit where report_date = %s", day)
    assert {"orders": found["orders"]} | {item: Fraction(found[item]) for item in ITEMS} == {
        "orders": orders,
        **whole_day,
    }
    days = [FIRST + dt.timedelta(days=n) for n in range((day - FIRST).days + 1)]
    assigned = {who: since for customers in master.variants(day).values() for who, since in customers.items()}
    total = sum(
        (
            profit
            for each in days
            for who, profit in master.profit(each)[3].items()
            if assigned.get(who, dt.date.max) <= each
        ),
        Fraction(),
    )
    found = row(
        warehouse,
        "select sum(n * mean_profit) as total, sum(n) as n from experiments.unit_profit where report_date = %s",
        day,
    )
    assert found["n"] == len(assigned)
    assert float(found["total"]) == pytest.approx(float(total), abs=1e-6)


def check_use(warehouse: Any, master: Master, day: dt.date) -> None:
    """Engagement and growth of one day against the plain calculation."""
    for report, expected in (
        ("daily_engagement", master.engagement(day)),
        ("daily_growth", master.growth(day)),
    ):
        found = row(warehouse, f"select * from investor.{report} where report_date = %s", day)
        counted = {name: value for name, value in expected.items() if isinstance(value, int)}
        assert {name: found[name] for name in counted} == counted


def test_what_moves_to_another_day_is_stale_on_both(shop_warehouse: Any) -> None:
    """Whatever else of it changes at once: an order its customer, a refund its order."""
    shop = open_shop(shop_warehouse)
    shop.sell(0, 1, 1, 10)
    night_passes(shop)
    for _ in range(2):
        shop.sell(0, 1, 1, 10)
    shop.refund(shop.orders[1], 0, 4)
    night_passes(shop)
    shop.rerun_stale()
    first, second = FIRST, FIRST + dt.timedelta(days=1)

    def stale() -> set[dt.date]:
        return {day for dag_id, day in shop.stale() if dag_id == "profit_etl"}

    assert stale() == set()
    shop.hand_over(shop.orders[2], customer=2, days_ago=2)
    assert stale() == {first, second}
    shop.rerun_stale()
    night_passes(shop)
    shop.refund_another(shop.refunds[0], shop.orders[0], days_ago=0)
    assert stale() == {second}
    whole(shop)
    assert sums(shop_warehouse)["kept"] == 3 * 10 - 4
