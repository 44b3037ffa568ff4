"""A run of a day while upstream loads the day after it, or the day itself again: the same numbers, or held."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from oncall.config.oncall_config import load
from pipelines.report_run import Held
from sandbox.master_data.generator import TABLES
from sandbox.master_data.loading import Load, Loader
from tests.exploring import examples
from tests.pipelines.conftest import Undone
from tests.pipelines.master_by_hand import DAY, rows
from tests.pipelines.model_runs import REPORTS, report_run, run_all
from tests.pipelines.shop_history import PUBLISHED

CONFIG = load(Path(__file__).resolve().parents[2] / "include")
BEFORE, NEXT = DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=1)
SCALE = 0.005
# When it happened in the shop, of which some upstreams keep their rows' `updated_at`; cancelled is what is by evening.
HAPPENED = {
    "customers": "signed_up_at",
    "orders": "case when status = 'cancelled' then updated_at - interval '6 hours' else ordered_at end",
    "order_lines": "updated_at - interval '24 hours' + order_id % 24 * interval '1 hour'",
    "refunds": "refunded_at",
    "touches": "touched_at",
    "sessions": "started_at",
    "experiment_assignments": "assigned_at",
}
# What the day after changes of older rows; a day that is published keeps what it was published with.
CHANGES = {
    "customers": "update master.customers set acquisition_channel = 'tv', updated_at = '2026-11-22 01:00+07'",
    "products": "update master.products set unit_cost = unit_cost + 1, updated_at = '2026-11-22 01:00+07'",
}
SOME_TABLES = some.permutations(TABLES).flatmap(lambda order: some.integers(1, 9).map(lambda n: order[:n]))

Outcome = dict[str, list[Any]]


def execute(connection: Any, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.commit()


def load_day(
    connection: Any, day: dt.date, tables: Any = TABLES, in_the_shop: bool = False, partial: float = 1.0
) -> list[Load]:
    loads = [
        load
        for table in tables
        for load in Loader(connection, SCALE, cancelling=True).load(day, [table], partial=partial)
    ]
    for loaded in loads if in_the_shop else ():
        if happened := HAPPENED.get(loaded.table_name):
            written = f"update master.{loaded.table_name} set updated_at = {happened}"
            execute(connection, f"{written} where updated_at = '{loaded.loaded_at}'")
    return loads


def run_reports(connection: Any, day: dt.date = DAY) -> None:
    for dag_id in REPORTS:
        upstream = CONFIG.pipelines[dag_id].upstream
        try:
            run_all(connection, report_run(dag_id, day, run_id=str(day), upstream=upstream))
        except Held:
            assert day == DAY


def outcome(connection: Any) -> Outcome:
    """What the checks of the day have found, and its published numbers."""
    asked = {
        table: f"select t::text as it from {table} as t where report_date = '{DAY}'" for table in PUBLISHED
    }
    checked = "concat_ws(' ', report, name, expected, found, passed)"
    asked["checks"] = f"select {checked} as it from investor.checks where run_id = '{DAY}'"
    return {
        name: [row["it"] for row in rows(connection, f"{query} order by 1")] for name, query in asked.items()
    }


@pytest.fixture
def two_days(warehouse: Any, in_the_shop: bool) -> Any:
    """A day that is published, and one that is loaded."""
    load_day(warehouse, BEFORE, in_the_shop=in_the_shop)
    run_reports(warehouse, BEFORE)
    load_day(warehouse, DAY, in_the_shop=in_the_shop)
    return warehouse


@pytest.mark.parametrize("is_published", [True, False], ids=["published", "not published"])
@pytest.mark.parametrize("in_the_shop", [True, False], ids=["written in the shop", "written with the load"])
def test_a_day_is_the_same_whatever_of_the_next_day_is_loaded_already(
    two_days: Any, in_the_shop: bool, is_published: bool
) -> None:
    """Run in the night after, or again: in whichever order its tables come, and whatever they say was written when."""
    if is_published:
        run_reports(two_days)
    undone = Undone(two_days)
    run_reports(undone)
    alone = outcome(undone)
    assert alone["investor.daily_profit"]
    assert alone["experiments.unit_profit"]

    @settings(max_examples=examples(3), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @example(loaded=["order_lines"])
    @given(loaded=SOME_TABLES)
    def law(loaded: list[str]) -> None:
        undone.undo()
        load_day(undone, NEXT, loaded, in_the_shop)
        for table in CHANGES.keys() & loaded if is_published else ():
            execute(undone, CHANGES[table])
        run_reports(undone)
        assert outcome(undone) == alone

    law()


@pytest.mark.parametrize("in_the_shop", [False])
def test_a_day_that_is_being_loaded_again_is_not_published_with_what_is_left(two_days: Any) -> None:
    """Once its rows are deleted and before they are back, in a transaction of their own: it stays as it was.

    But for assignments: an experiment that is put away takes all of its own with it.
    """
    run_reports(two_days)
    before = outcome(two_days)
    undone = Undone(two_days)
    for table in TABLES[:-1]:
        load_day(undone, DAY, [table], partial=0)
        execute(undone, "delete from master.loads where row_count = 0")
        run_reports(undone)
        found = outcome(undone)
        assert found.pop("checks") != before["checks"], table
        assert found == {name: cells for name, cells in before.items() if name != "checks"}, table
        undone.undo()
