"""What a day costs grows with its rows, not with their square, whatever the planner knows of the tables.

A join that it plans for one row, because the day has not been counted, looks through all rows for each. On a small day
nobody notices; on one of ten times as many rows a check runs for minutes.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, ClassVar

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class, whatever psycopg2 calls it

from oncall.config.oncall_config import load
from pipelines.stale_days import StalePublications
from sandbox.master_data.loading import Loader
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import Server
from tests.pipelines.model_runs import REPORTS, report_run, run_all

DAY = dt.date(2026, 11, 20)
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
SCALE = 0.2
PER_ROW = 8  # row of plan for each row stored; the most that any statement needs is 5
LARGE_CATALOGUE = """
    insert into master.products select id, 'toys', 4, now() from generate_series(1, %(products)s) as id
    on conflict (product_id) do update set unit_cost = excluded.unit_cost;
    update master.order_lines
    set product_id = 1 + (order_id * 31 + line_no * 7) %% %(products)s, unit_price = 10, discount = 0;
    update master.refunds set amount = 1;
    update master.loads set row_count = %(products)s where table_name = 'products' and business_day = %(day)s;
"""
PLANNED = ("with", "select", "insert", "update", "delete")


class Explaining(Cursor):
    """A cursor that first has each statement explained as it runs, and undoes that."""

    plans: ClassVar[list[tuple[str, Mapping[str, Any]]]] = []

    def execute(self, statement: Any, parameters: Any = None) -> None:
        text = str(statement)
        code = " ".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
        if code.split()[:1] and code.split()[0].lower() in PLANNED:
            super().execute("savepoint explained")
            super().execute("explain (analyze, timing off, format json) " + text, parameters)
            self.plans.append((text, self.fetchall()[0][0][0]["Plan"]))
            super().execute("rollback to savepoint explained")
        super().execute(statement, parameters)


def looked_at(plan: Mapping[str, Any]) -> float:
    """How many rows the plan's steps gave or threw away."""
    rows = sum(
        plan.get(each, 0) for each in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter")
    )
    return float(plan["Actual Loops"] * rows) + sum(looked_at(step) for step in plan.get("Plans", ()))


def asked(connection: Any, statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()]


def analyze(connection: Any) -> None:
    connection.commit()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("analyze")
    connection.autocommit = False


@pytest.fixture
def uncounted(postgres: Server, empty_warehouse: str) -> Iterator[Any]:
    """An empty warehouse in which nothing is counted but what the runs themselves have counted."""
    dsn = postgres.ensure_database(f"work_{uuid.uuid4().hex}", empty_warehouse)
    with closing(psycopg2.connect(dsn)) as connection:
        for statement in asked(
            connection,
            "select format('alter table %I.%I set (autovacuum_enabled = false)', schemaname, tablename) from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')",
        ):
            with connection.cursor() as cursor:
                cursor.execute(statement)
        yield connection


def load_day(connection: Any, day: dt.date, catalogue: int) -> None:
    """Of a `catalogue` of more than the loader's products each line names another one, at one price."""
    Loader(connection, SCALE).load(day)
    if catalogue:
        with connection.cursor() as cursor:
            cursor.execute(LARGE_CATALOGUE, {"products": catalogue, "day": day})
        connection.commit()


@pytest.mark.parametrize(
    ("days_before", "counted", "catalogue"),
    [
        pytest.param(0, "while empty", 0, id="the first day, all tables counted while they were empty"),
        pytest.param(1, "never", 0, id="the second day, no table ever counted"),
        pytest.param(4, "each day", 0, id="the fifth day, counted after each of the days before"),
        pytest.param(4, "not the day before", 0, id="the fifth day, counted last two days before"),
        pytest.param(2, "each day", 5_000, id="the third day of a shop of many products"),
    ],
)
def test_no_statement_of_a_day_looks_through_all_rows_for_each(
    uncounted: Any, days_before: int, counted: str, catalogue: int
) -> None:
    if counted == "while empty":
        analyze(uncounted)
    for ago in range(days_before, 0, -1):
        day = DAY - dt.timedelta(days=ago)
        load_day(uncounted, day, catalogue)
        for dag_id in REPORTS if ago < days_before else ():  # on its first day nothing can be given back
            run_all(uncounted, report_run(dag_id, day))
        if counted == "each day" or (counted == "not the day before" and ago > 1):
            analyze(uncounted)
    load_day(uncounted, DAY, catalogue)
    tables = asked(
        uncounted, "select format('master.%I', tablename) from pg_tables where schemaname = 'master'"
    )
    stored = sum(asked(uncounted, f"select count(*) from {table}")[0] for table in tables)
    uncounted.commit()

    uncounted.cursor_factory = Explaining
    Explaining.plans.clear()
    for dag_id in REPORTS:
        run_all(uncounted, report_run(dag_id, DAY))
    StalePublications(uncounted, load(REPOSITORY / "include")).find(LONG_AGO)

    assert len(Explaining.plans) > 100
    far = {text[:300]: round(looked_at(plan) / stored) for text, plan in Explaining.plans}
    assert {text: times for text, times in far.items() if times > PER_ROW} == {}


def read_from(plan: Mapping[str, Any], table: str) -> float:
    """How many rows the plan's steps read from one table."""
    own = plan["Actual Loops"] * plan["Actual Rows"] if plan.get("Relation Name") == table else 0
    return float(own) + sum(read_from(step, table) for step in plan.get("Plans", ()))


def test_what_customers_did_long_ago_is_not_read_to_see_whether_rows_came_again(uncounted: Any) -> None:
    """Also where the planner looks each row up: it would go by the customer, and read all that each has ever done."""
    Loader(uncounted, 0.02).load(DAY, ["customers", "sessions"])
    with uncounted.cursor() as cursor:
        cursor.execute(
            "insert into master.sessions select session_id - 1000000 * ago, customer_id,"
            " started_at - ago * interval '1 day', duration_s, feature, updated_at - ago * interval '1 day'"
            " from master.sessions, generate_series(10, 110) as ago"
        )
    analyze(uncounted)
    (of_the_day,) = asked(
        uncounted, "select count(*) from master.sessions where started_at >= '2026-11-20 00:00+07'"
    )
    run = report_run("growth_etl", DAY)
    uncounted.cursor_factory = Explaining
    Explaining.plans.clear()
    with closing(uncounted.cursor()) as cursor:
        cursor.execute("set local enable_hashjoin = off")
        cursor.execute("set local enable_mergejoin = off")
        run.execute(cursor, "sessions/18_parts.sql")
    uncounted.rollback()

    (plan,) = [plan for text, plan in Explaining.plans if "sessions_again" in text]
    assert read_from(plan, "sessions") < 5 * of_the_day  # of the day, and of those before that are asked for
