"""No clean day is held: two months of an ordinary shop, with growth, quiet Sundays and a public holiday."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.config.load_volume import volume_in_force
from pipelines import runner
from pipelines.report_run import Held
from sandbox.master_data.generator import TABLES
from sandbox.master_data.loading import Loader, create_schema
from sandbox.stack.postgres import Server
from tests.pipelines.model_runs import REPORTS, report_run, run_all

LAST = dt.date(2026, 9, 20)
DAYS = [LAST - dt.timedelta(days=ago) for ago in reversed(range(60))]
HOLIDAYS = (dt.date(2026, 9, 1), dt.date(2026, 9, 2))
# What comes with an order or a session goes with it.
THIN_OUT = """
    delete from master.orders where {of_day} and order_id %% 100 >= %(kept)s;
    delete from master.order_lines as line where {of_day}
        and not exists (select from master.orders as o where o.order_id = line.order_id);
    delete from master.refunds as refund where not exists
        (select from master.orders as o where o.order_id = refund.order_id);
    delete from master.sessions where started_at >= %(starts)s and session_id %% 100 >= %(kept)s;
    delete from master.touches where touched_at >= %(starts)s and touch_id %% 100 >= %(kept)s;
    update master.loads as load set row_count = counted.rows from (
        select 'orders' as name, count(*) as rows from master.orders where {of_day}
        union all select 'order_lines', count(*) from master.order_lines where {of_day}
        union all select 'refunds', count(*) from master.refunds where refunded_at >= %(starts)s
        union all select 'sessions', count(*) from master.sessions where started_at >= %(starts)s
        union all select 'touches', count(*) from master.touches where touched_at >= %(starts)s
    ) as counted where load.table_name = counted.name and load.business_day = %(day)s;
"""

# Nobody bought, signed up or was reached, and every load says so.
NOTHING = """
    delete from master.orders where ordered_at >= %(starts)s;
    delete from master.order_lines as line
        where not exists (select from master.orders as o where o.order_id = line.order_id);
    delete from master.refunds where refunded_at >= %(starts)s;
    delete from master.touches where touched_at >= %(starts)s;
    delete from master.customers where signed_up_at >= %(starts)s;
    delete from master.experiment_assignments where assigned_at >= %(starts)s;
    delete from master.marketing_spend where day = %(day)s;
    update master.loads set row_count = 0 where business_day = %(day)s and table_name not in ('products', 'sessions');
"""


def busy(day: dt.date) -> float:
    """The share of the shop's usual business: a percent more each day, little on Sundays and holidays."""
    share = 1.01 ** (day - LAST).days
    return share * (0.3 if day in HOLIDAYS else 0.4 if day.isoweekday() == 7 else 1)


def starts(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.timezone(dt.timedelta(hours=7)))


def load(connection: Any, day: dt.date, scale: float) -> None:
    Loader(connection, scale).load(day)
    values = {"kept": round(busy(day) * 100), "starts": starts(day), "day": day}
    with connection.cursor() as cursor:
        cursor.execute("select min(order_id) from master.orders where ordered_at >= %s", (values["starts"],))
        values["first"] = cursor.fetchone()[0]
        cursor.execute(THIN_OUT.format(of_day="order_id >= %(first)s"), values)
    connection.commit()


Unexpected = list[tuple[dt.date, str, str]]


@pytest.fixture(scope="module")
def two_months(postgres: Server, empty_warehouse: str) -> Iterator[tuple[Any, Warehouse, Unexpected]]:
    """A warehouse in which sixty days were loaded and run, and what of them was held, or called other than fresh."""
    dsn = postgres.ensure_database(f"clean_{uuid.uuid4().hex}", empty_warehouse)
    loads = Warehouse(connect_to(dsn), volume_in_force)
    unexpected: Unexpected = []
    with closing(psycopg2.connect(dsn)) as connection:
        for day in DAYS:
            load(connection, day, scale=0.02)
            states = {
                load.table: load.state for load in loads.loads([f"master.{name}" for name in TABLES], day)
            }
            unexpected += [(day, table, found) for table, found in states.items() if found != "fresh"]
            for dag_id in REPORTS if day > LAST - dt.timedelta(days=3) else tuple(REPORTS)[:3]:
                try:
                    run_all(connection, report_run(dag_id, day))
                except Held as held:
                    unexpected.append((day, dag_id, str(held)))
        yield connection, loads, unexpected


@pytest.mark.timeout(900)
def test_sixty_clean_days_are_published(two_months: tuple[Any, Warehouse, Unexpected]) -> None:
    """No report is held and no load is called partial, whatever the weekday."""
    _, _, unexpected = two_months
    assert not unexpected, "\n".join(map(str, unexpected))


@pytest.mark.timeout(900)
def test_a_day_without_a_sale_is_published_with_zeros(two_months: tuple[Any, Warehouse, Unexpected]) -> None:
    """Once somebody has said that it is true: no load is waited for for ever. One load of the two alone is."""
    connection, loads, _ = two_months
    day = LAST + dt.timedelta(days=1)
    asked = [f"master.{name}" for name in TABLES if name != "sessions"]
    load(connection, day, scale=0.02)
    with connection.cursor() as cursor:
        cursor.execute(NOTHING, {"day": day, "starts": starts(day)})
    connection.commit()
    assert {load.table: load.state for load in loads.loads(asked, day)} == dict.fromkeys(asked, "fresh")
    assert [load.state for load in loads.loads(["master.orders"], day)] == ["partial"]
    zero = report_run("profit_etl", day)
    with pytest.raises(Held, match=r"orders_is_usual: expected about .*; found 0, 0.0 times the usual"):
        run_all(connection, zero)
    runner.release(connection, zero, "anna@example.com", "closed for the move")
    run_all(connection, zero)
    with connection.cursor() as cursor:
        cursor.execute(
            "select orders, revenue, profit from investor.daily_profit where report_date = %s", (day,)
        )
        assert cursor.fetchall() == [(0, 0, 0)]
        cursor.execute(
            "select found from investor.checks where name = 'orders_is_usual' and report_date = %s", (day,)
        )
        assert "released by anna@example.com" in cursor.fetchall()[-1][0]


@pytest.mark.timeout(300)
def test_the_first_days_of_a_large_shop_are_published(fresh_database: str) -> None:
    """It begins on a Monday, on which nothing can be returned yet; the Monday after it is like the other days."""
    with closing(psycopg2.connect(fresh_database)) as connection:
        create_schema(connection)
        runner.install(connection)
        for day in (dt.date(2026, 9, 7) + dt.timedelta(days=ago) for ago in range(9)):
            Loader(connection, 0.2).load(day)
            run_all(connection, report_run("profit_etl", day))
