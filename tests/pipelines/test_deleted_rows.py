"""Rows that upstream deletes after a day is published: it is stale, and so is what has read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oncall.config.oncall_config import load
from pipelines.stale_days import StalePublications
from tests.pipelines.conftest import Undone
from tests.pipelines.master_by_hand import at, row
from tests.pipelines.model_runs import GENERATED_DAYS, report_run, run_all

CONFIG = load(Path(__file__).resolve().parents[2] / "include")
LAST = GENERATED_DAYS[-1]
THEN = LAST - dt.timedelta(days=2)  # the day that loses rows
NOT_REFUNDED = (
    "line_no > 1 and order_id not in (select order_id from master.refunds) and mod(order_id, 3) = 0"
)
DAY_OF_LINE = "(select ordered_at from master.orders as o where o.order_id = order_lines.order_id)"


@pytest.fixture
def published(generated: Any) -> Iterator[Any]:
    """Ten published days, all of whose changes are undone."""
    undone = Undone(generated)
    assert stale(undone) == {}
    yield undone
    generated.rollback()


def stale(warehouse: Any) -> dict[str, list[dt.date]]:
    found: dict[str, list[dt.date]] = {}
    for day in StalePublications(warehouse, CONFIG).find():
        found.setdefault(day.pipeline.dag_id, []).append(day.report_date)
    return found


def delete(
    warehouse: Any, table: str, at: str, part: str, since: dt.date = THEN, until: dt.date = THEN
) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute(
            f"delete from master.{table} where ({at} at time zone '<+07:00>-07:00')::date between %s and %s and {part}",
            (since, until),
        )
        assert cursor.rowcount > 0
        cursor.execute("delete from master.loads")  # else it would say that they are missing
    warehouse.commit()


@pytest.mark.parametrize(
    ("table", "at", "part", "dag_id", "days"),
    [
        ("touches", "touched_at", "mod(touch_id, 3) = 0", "profit_etl", 3),  # credited for seven days
        ("refunds", "refunded_at", "true", "profit_etl", 1),
        ("order_lines", DAY_OF_LINE, NOT_REFUNDED, "profit_etl", 1),
        (
            "marketing_spend",
            "day::timestamp at time zone '<+07:00>-07:00'",
            "channel = 'email'",
            "profit_etl",
            1,
        ),
        ("sessions", "started_at", "mod(session_id, 3) = 0", "engagement_etl", 3),
        ("sessions", "started_at", "mod(session_id, 3) = 0", "growth_etl", 2),
    ],
)
def test_what_has_read_deleted_rows_is_stale(
    published: Any, table: str, at: str, part: str, dag_id: str, days: int
) -> None:
    """The day, and each later one that counts it too; run again, it is not."""
    delete(published, table, at, part)
    found = stale(published)[dag_id]
    assert found[:days] == [THEN + dt.timedelta(days=n) for n in range(days)]
    StalePublications(published, CONFIG).rerun("again")
    assert stale(published) == {}


def test_a_deleted_order_is_taken_out_of_its_day(published: Any) -> None:
    """With its lines: the day's orders are those that there are."""
    of_day = f"(ordered_at at time zone '<+07:00>-07:00')::date = '{THEN}'"
    kept = f"select count(*) as n from master.orders where status <> 'cancelled' and {of_day}"
    with published.cursor() as cursor:
        cursor.execute(
            f"create temp table gone as select order_id from master.orders o where status <> 'cancelled' and {of_day}"
            " and not exists (select from master.refunds r where r.order_id = o.order_id) limit 3"
        )
        cursor.execute("delete from master.order_lines where order_id in (select order_id from gone)")
    delete(published, "orders", "ordered_at", "order_id in (select order_id from gone)")
    assert THEN in stale(published)["profit_etl"]
    run_all(published, report_run("profit_etl", THEN))
    told = row(published, "select orders from investor.daily_profit where report_date = %s", THEN)
    assert told["orders"] == row(published, kept)["n"]


def test_what_came_back_of_a_deleted_order_is_taken_out_too(published: Any) -> None:
    """It is not taken back on the day of its cancellation, either."""
    found = row(
        published,
        "select order_id, ordered_on, cancelled_on from base.cancellations where report_date = cancelled_on"
        " and ordered_on between %s and cancelled_on - 1 order by 1 limit 1",
        THEN - dt.timedelta(days=4),
    )
    order, sold, cancelled = found.values()
    with published.cursor() as cursor:
        for table in ("refunds", "order_lines", "orders"):
            cursor.execute(f"delete from master.{table} where order_id = %s", (order,))
        cursor.execute("delete from master.loads")
    published.commit()
    assert {sold, cancelled} <= {*stale(published)["profit_etl"]}
    StalePublications(published, CONFIG).rerun("again")
    assert stale(published) == {}
    left = row(published, "select count(*) as lines from base.profit where order_id = %s", order)
    assert left == {"lines": 0}


@pytest.mark.parametrize("dag_id", ["unit_profit_experiments", "daily_growth_experiments"])
def test_every_day_that_counted_a_deleted_assignment_is_stale(published: Any, dag_id: str) -> None:
    """Run again, none is. Not of an experiment that upstream puts away."""
    gone = "delete from master.experiment_assignments where experiment = 'checkout_bundles'"
    of_one = (
        f" and customer_id = (select min(customer_id) from base.unit_profit where report_date = '{THEN}')"
    )
    with published.cursor() as cursor:
        cursor.execute(gone)
    assert dag_id not in stale(published)
    published.undo()
    with published.cursor() as cursor:
        cursor.execute(gone + of_one)
        assert cursor.rowcount == 1
        cursor.execute("delete from master.loads")  # else it would say that one is missing
    published.commit()
    found = stale(published)[dag_id]
    assert found[-3:] == [THEN + dt.timedelta(days=n) for n in range(3)]
    done = StalePublications(published, CONFIG).rerun("again")
    assert [str(rerun) for rerun in done if rerun.held] == []
    assert stale(published) == {}


def test_older_days_are_counted_anew_when_somebody_asks(published: Any) -> None:
    """Each search counts the last eight; one that looks further back, all since then."""
    old = GENERATED_DAYS[1]
    assert old < LAST - dt.timedelta(days=7)
    delete(published, "touches", "touched_at", "mod(touch_id, 3) = 0", old, old)
    assert stale(published) == {}
    found = StalePublications(published, CONFIG).find(at("00:00", old))
    assert ("profit_etl", old) in [(day.pipeline.dag_id, day.report_date) for day in found]


def test_old_rows_that_upstream_puts_away_make_nothing_stale(published: Any) -> None:
    """The oldest first, and at the edge a part of a day: what was published of them stands."""
    delete(published, "sessions", "started_at", "true", GENERATED_DAYS[0], LAST - dt.timedelta(days=3))
    delete(
        published,
        "sessions",
        "started_at",
        "mod(session_id, 2) = 0",
        LAST - dt.timedelta(days=2),
        LAST - dt.timedelta(days=2),
    )
    assert stale(published) == {}
