"""Rows that call a report or a table by almost its name are named, to whoever waits for it."""

from __future__ import annotations

import datetime as dt
from contextlib import closing

import psycopg
import pytest

from oncall.adapters.postgres.check import Database
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.adapters.postgres.warehouse_rows import WarehouseRows
from oncall.core.check_result import CheckResult
from oncall.core.promises.cause import late_words
from oncall.core.promises.facts import Load
from oncall.core.time_format import day as short
from tests.adapters.test_odd_rows import DAY, GROWTH, REPORT, REPOSITORY, dsn, emptied, put_in_order

assert dsn  # a fixture


CALLED = [
    f" {REPORT} ",
    REPORT.upper(),
    f"{REPORT}\u00a0",
    "daily_growth",
    "Investor Daily-Growth",
    "\ufeff" + REPORT,
]


@pytest.mark.parametrize("called", CALLED)
def test_a_row_that_calls_a_report_by_almost_its_name_is_named(dsn: str, called: str) -> None:
    """Whether the report is there nobody can tell: on its own day, and on no other; `check` names it too."""
    today = dt.datetime.now(dt.UTC)
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        emptied(connection)
        put_in_order(connection, dsn)
        connection.execute("update investor.publications set report = %s, published_at = %s", (called, today))
        connection.execute("insert into investor.publications (report, report_date, published_at) values"
                           " ('investor.daily_growth_by_channel', %s, now())", (DAY,))  # fmt: skip
    before = DAY - dt.timedelta(days=1)
    found = Warehouse(connect_to(dsn)).read([(GROWTH, DAY), (GROWTH, before)], [GROWTH], before)
    (said,) = found["growth_etl", DAY].unreadable
    assert said.startswith(
        f"investor.publications has a row of {DAY} whose report is {called!r}, which is no report"
    )
    assert found["growth_etl", before].unreadable == ()
    checked = CheckResult()
    reports = (REPORT, "investor.daily_growth_by_channel")
    Database("warehouse", lambda: connect_to(dsn), checked).ask(("investor.publications",), (), None, reports)
    (problem,) = checked.problems
    assert problem.key == REPORT
    assert repr(called) in problem.found


def test_a_warehouse_whose_tables_are_still_to_be_made_is_in_order(fresh_database: str) -> None:
    """The first run makes them: until then no row can call a report anything."""
    with closing(psycopg.connect(fresh_database, autocommit=True)) as connection:
        connection.execute("create schema investor")
    checked = CheckResult()
    database = Database("warehouse", lambda: connect_to(fresh_database), checked)
    database.ask(("investor.publications",), (), None, (REPORT,))
    assert checked.problems == []


@pytest.mark.parametrize("called", [" sessions", "MASTER.SESSIONS", "Sessions\u200b", "master_sessions"])
def test_a_load_that_calls_a_table_by_almost_its_name_is_named_where_the_table_is_missing(
    dsn: str, called: str
) -> None:
    """The pipelines wait for the table by its letters: so it has not arrived, and the row to correct is told."""
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        emptied(connection)
        put_in_order(connection, dsn)
        connection.execute("delete from investor.publications")
        connection.execute(
            "update master.loads set table_name = %s where table_name like '%%sessions'", (called,)
        )
    facts = Warehouse(connect_to(dsn)).read([(GROWTH, DAY)])["growth_etl", DAY]
    (late,) = facts.late_loads
    assert late_words(late, dt.UTC) == (
        f"master.sessions has not arrived (a row of master.loads calls it {called!r}: correct it)"
    )
    assert facts.unreadable == ()


@pytest.mark.parametrize("style", ["DD.MM.YYYY", "MM/DD/YYYY", "YYYY/MM/DD", "DD Mon YYYY"])
def test_a_load_whose_day_is_written_in_another_way_is_named_where_the_table_is_missing(
    fresh_database: str, style: str
) -> None:
    """Which day is meant nobody can tell for sure (7 December or 12 July): the row to correct is told, and how to write
    the day that is missing."""
    with closing(psycopg.connect(fresh_database, autocommit=True)) as connection:
        for name in ("sandbox/master_data/master.sql", "include/sql/warehouse.sql"):
            connection.execute((REPOSITORY / name).read_text())
        ((day, written),) = connection.execute(
            "select current_date - 1, to_char(current_date - 1, %s)", (style,)
        ).fetchall()
        connection.execute(
            "insert into master.loads values ('sessions', %s, now(), 100), ('customers', %s, now(), 100),"
            " ('sessions', %s, now() - interval '40 hours', 100)",
            (day, day, day - dt.timedelta(days=1)),
        )
        connection.execute(
            "alter table master.loads alter business_day type text using case when table_name = 'sessions'"
            f" then to_char(business_day, '{style}') else business_day::text end"
        )
    facts = Warehouse(connect_to(fresh_database)).read([(GROWTH, day)])["growth_etl", day]
    (late,) = facts.late_loads
    assert late_words(late, dt.UTC) == (
        f"master.sessions has not arrived (a row of master.loads has {written!r} for its day: if it is that of"
        f" {short(day)}, write it as {day})"
    )
    assert facts.unreadable == ()


@pytest.mark.parametrize(("expected", "is_said"), [(None, True), (-1, True), (11, True), (13, False)])
def test_a_load_of_long_before_is_not_taken_for_one_that_is_missing(
    expected: int | None, is_said: bool
) -> None:
    """What came half a day and more before it usually comes is that of another day: it came so many hours early."""
    came = dt.datetime(2026, 11, 23, 1, tzinfo=dt.UTC)
    usually = came + dt.timedelta(hours=expected) if expected is not None else None
    found = WarehouseRows(
        {("master.sessions", DAY): Load("master.sessions", expected_at=usually)}, {}, {}, {}
    )
    rows = [("sessions", "21.11.2026", came - dt.timedelta(days=1)), ("master.sessions", "22.11.2026", came)]
    (load,) = found.without_a_day(rows).loads.values()
    assert load.no_day == (("22.11.2026", DAY) if is_said else None)
