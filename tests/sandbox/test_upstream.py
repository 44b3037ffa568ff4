"""Upstream's loads in a real PostgreSQL: in time, late, thin, again, withheld."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection

from sandbox.master_data.business_day import ZONE, first_id
from sandbox.master_data.generator import TABLES, Universe, rows
from sandbox.master_data.loading import Load, Loader, create_schema, usual_load_time
from sandbox.master_data.sales import cancelled_after, cancelled_on
from sandbox.stack.postgres import Server
from tests.spare_databases import SpareDatabases

DAY = dt.date(2026, 11, 20)
NEXT = DAY + dt.timedelta(days=1)
SCALE = 0.02
CONTENT = "select md5(string_agg(t::text, '' order by t::text)) from (select * from master.{} where {}) t"


@pytest.fixture(scope="module")
def warehouses(postgres: Server) -> SpareDatabases:
    with closing(psycopg2.connect(postgres.ensure_database("master_tables"))) as conn:
        create_schema(conn)
    return SpareDatabases(postgres, "master_tables")


@pytest.fixture
def warehouse(warehouses: SpareDatabases) -> Iterator[connection]:
    """A connection to a warehouse with an empty schema `master`."""
    with warehouses.one() as dsn, closing(psycopg2.connect(dsn)) as conn:
        yield conn


def ask(conn: connection, question: str, *values: Any) -> Any:
    """The only column of the only row."""
    with conn, conn.cursor() as db:
        db.execute(question, values)
        (answer,) = db.fetchone() or (None,)
        return answer


def test_the_schema_is_the_one_that_was_agreed(warehouse: connection) -> None:
    """Tables and columns, in order, those of money with `currency`; creating them again changes nothing."""
    create_schema(warehouse)
    with warehouse, warehouse.cursor() as db:
        db.execute(
            """select table_name, string_agg(column_name, ' ' order by ordinal_position)
               from information_schema.columns where table_schema = 'master' group by 1"""
        )
        found = dict(db.fetchall())
    assert found == {
        "customers": "customer_id signed_up_at country acquisition_channel updated_at",
        "products": "product_id category unit_cost updated_at currency",
        "orders": "order_id customer_id ordered_at status updated_at currency",
        "order_lines": "order_id line_no product_id quantity unit_price discount updated_at currency",
        "refunds": "refund_id order_id line_no amount refunded_at updated_at currency",
        "marketing_spend": "day channel amount updated_at currency",
        "touches": "touch_id customer_id touched_at channel updated_at",
        "sessions": "session_id customer_id started_at duration_s feature updated_at",
        "experiment_assignments": "experiment customer_id variant assigned_at updated_at",
        "loads": "table_name business_day loaded_at row_count",
    }


def test_loaders_that_start_at_once_do_not_trip_over_each_other(fresh_database: str) -> None:
    """The nightly one and one that a person started with `--once`."""

    def start(_: int) -> None:
        with closing(psycopg2.connect(fresh_database)) as conn:
            create_schema(conn)

    with ThreadPoolExecutor(4) as loaders:
        list(loaders.map(start, range(12)))


def test_a_day_is_loaded_whole_in_the_night_after_it(warehouse: connection) -> None:
    """Every table gets its rows and one load, between 00:40 and 01:30 UTC+7, counting the day's rows."""
    loads = Loader(warehouse, SCALE).load(DAY)
    assert [load.table_name for load in loads] == list(TABLES)
    midnight = dt.datetime.combine(NEXT, dt.time(), tzinfo=ZONE)
    for load in loads:
        assert midnight + dt.timedelta(minutes=40) <= load.loaded_at <= midnight + dt.timedelta(minutes=90)
        assert load.loaded_at == usual_load_time(load.table_name, DAY)
        written = f"select count(*) from master.{load.table_name} where updated_at = %s"
        if load.table_name != "customers":  # the first load brings the older ones too
            assert ask(warehouse, written, load.loaded_at) == load.row_count
    with warehouse, warehouse.cursor() as db:
        db.execute("select * from master.loads")
        assert [Load(*row) for row in db.fetchall()] == loads


def test_money_arrives_to_the_cent_and_times_to_the_second(warehouse: connection) -> None:
    """What stands in the tables is what was generated."""
    Loader(warehouse, SCALE).load(DAY, ["order_lines", "orders", "marketing_spend"])
    lines = rows("order_lines", DAY, Universe(7, SCALE))
    cents = sum(lines.columns[lines.names.index("unit_price")].tolist())
    assert ask(warehouse, "select sum(unit_price) from master.order_lines") == Decimal(cents) / 100
    orders = rows("orders", DAY, Universe(7, SCALE))
    seconds = int(orders.columns[orders.names.index("ordered_at")].sum())
    assert ask(warehouse, "select sum(extract(epoch from ordered_at)) from master.orders") == seconds
    assert ask(warehouse, "select min(day) from master.marketing_spend") == DAY


@pytest.mark.parametrize(
    ("rows_of", "missing"),
    [
        ("orders", "not exists (select from master.customers c where c.customer_id = t.customer_id"
                   " and c.signed_up_at <= t.ordered_at)"),
        ("sessions", "not exists (select from master.customers c where c.customer_id = t.customer_id"
                     " and c.signed_up_at <= t.started_at)"),
        ("touches", "not exists (select from master.customers c where c.customer_id = t.customer_id)"),
        ("experiment_assignments", "not exists (select from master.customers c"
                                   " where c.customer_id = t.customer_id and c.signed_up_at < t.assigned_at)"),
        ("order_lines", "not exists (select from master.orders o where o.order_id = t.order_id)"),
        ("order_lines", "not exists (select from master.products p where p.product_id = t.product_id)"),
        ("refunds", "not exists (select from master.order_lines l join master.orders o using (order_id)"
                    " where (l.order_id, l.line_no) = (t.order_id, t.line_no) and o.ordered_at < t.refunded_at)"),
    ],
)  # fmt: skip
def test_references_hold(three_days: connection, rows_of: str, missing: str) -> None:
    """No row points at nothing, also when the days come out of order."""
    assert ask(three_days, f"select count(*) from master.{rows_of}") > 0
    assert ask(three_days, f"select count(*) from master.{rows_of} t where {missing}") == 0


@pytest.fixture
def three_days(warehouse: connection) -> connection:
    """Three days, loaded out of order."""
    for day in (DAY, NEXT, DAY - dt.timedelta(days=1)):
        Loader(warehouse, SCALE).load(day)
    return warehouse


@pytest.mark.parametrize("table", TABLES)
def test_loading_again_replaces_the_day(warehouse: connection, table: str) -> None:
    """The same load twice leaves the same rows and two load rows; also after a thin one."""
    Loader(warehouse, SCALE).load(DAY)
    before = ask(warehouse, CONTENT.format(table, "true"))
    Loader(warehouse, SCALE).load(DAY, [table], partial=0.3)
    Loader(warehouse, SCALE).load(DAY, [table])
    assert ask(warehouse, CONTENT.format(table, "true")) == before
    assert ask(warehouse, "select count(*) from master.loads where table_name = %s", table) == 3


def test_a_late_load_says_when_it_came(warehouse: connection) -> None:
    """`loaded_at` is the load's and the rows' time."""
    late = dt.datetime(2026, 11, 21, 5, 42, tzinfo=ZONE)
    (load,) = Loader(warehouse, SCALE).load(DAY, ["orders"], loaded_at=late)
    assert load.loaded_at == late
    assert ask(warehouse, "select loaded_at from master.loads") == late
    assert ask(warehouse, "select min(updated_at) from master.orders") == late


def test_a_thin_load_counts_what_came(warehouse: connection) -> None:
    """`partial` loads the beginning and says so in `row_count`."""
    whole = len(rows("sessions", DAY, Universe(7, SCALE)))
    (load,) = Loader(warehouse, SCALE).load(DAY, ["sessions"], partial=0.3)
    assert load.row_count == ask(warehouse, "select count(*) from master.sessions") == round(0.3 * whole)


def test_a_withheld_table_has_no_row_and_no_load(warehouse: connection) -> None:
    """What is not named is not touched."""
    Loader(warehouse, SCALE).load(DAY, [table for table in TABLES if table != "orders"])
    assert ask(warehouse, "select count(*) from master.orders") == 0
    assert ask(warehouse, "select count(*) from master.loads where table_name = 'orders'") == 0
    assert ask(warehouse, "select count(*) from master.loads") == len(TABLES) - 1


def test_an_unknown_table_is_refused_before_anything_is_loaded(warehouse: connection) -> None:
    """The error names what is known."""
    with pytest.raises(ValueError, match="no such table: order; write some of customers, products"):
        Loader(warehouse, SCALE).load(DAY, ["order", "orders"])
    assert ask(warehouse, "select count(*) from master.loads") == 0


def test_a_load_that_fails_leaves_the_day_as_it_was(warehouse: connection) -> None:
    """Rows and load row come together or not at all."""
    Loader(warehouse, SCALE).load(DAY, ["orders"])
    before = ask(warehouse, CONTENT.format("orders", "true"))
    with warehouse, warehouse.cursor() as db:
        db.execute(
            "alter table master.loads add constraint full_disk check (loaded_at < '2026-11-21 05:00+07')"
        )
    with pytest.raises(psycopg2.errors.CheckViolation):
        Loader(warehouse, SCALE).load(DAY, ["orders"], loaded_at=dt.datetime(2026, 11, 21, 6, tzinfo=ZONE))
    assert ask(warehouse, CONTENT.format("orders", "true")) == before
    assert ask(warehouse, "select count(*) from master.loads") == 1


def test_a_load_of_orders_brings_the_cancellations_of_earlier_ones(warehouse: connection) -> None:
    """With the time of that load; they stay cancelled when their own day is loaded anew."""
    for day in (DAY, NEXT):
        Loader(warehouse, 0.5, cancelling=True).load(day, ["orders"])
    cancelled = (
        "select count(*) from master.orders where status = 'cancelled' and updated_at = %s and order_id < %s"
    )
    found = ask(warehouse, cancelled, usual_load_time("orders", NEXT), first_id(NEXT))
    assert found > 0
    again = dt.datetime(2026, 11, 23, 9, 30, tzinfo=ZONE)
    Loader(warehouse, 0.5, cancelling=True).load(DAY, ["orders"], loaded_at=again)
    own = int(cancelled_after(DAY, 7, 0.5)[cancelled_after(DAY, 7, 0.5) == 1].size)
    still = "select count(*) from master.orders where order_id = any(%s) and status = 'cancelled'"
    assert ask(warehouse, still, cancelled_on(NEXT, 7, 0.5, DAY).tolist()) == own == found


@pytest.mark.parametrize(
    ("table", "condition"),
    [
        ("customers", "signed_up_at >= '2026-11-20 00:00+07' and signed_up_at < '2026-11-21 00:00+07'"),
        ("orders", "ordered_at >= '2026-11-20 00:00+07' and ordered_at < '2026-11-21 00:00+07'"),
        ("refunds", "refunded_at >= '2026-11-20 00:00+07' and refunded_at < '2026-11-21 00:00+07'"),
        ("touches", "touched_at >= '2026-11-20 00:00+07' and touched_at < '2026-11-21 00:00+07'"),
        ("sessions", "started_at >= '2026-11-20 00:00+07' and started_at < '2026-11-21 00:00+07'"),
        (
            "experiment_assignments",
            "assigned_at >= '2026-11-20 00:00+07' and assigned_at < '2026-11-21 00:00+07'",
        ),
        ("marketing_spend", "day = '2026-11-20'"),
        ("loads", "table_name = 'orders' and business_day = '2026-11-20'"),
    ],
)
def test_reading_a_day_can_be_an_index_range(warehouse: connection, table: str, condition: str) -> None:
    """There is an index for a day of each table that has days."""
    with warehouse, warehouse.cursor() as db:
        db.execute("set local enable_seqscan = off")
        db.execute(f"explain select * from master.{table} where {condition}")
        plan = "\n".join(line for (line,) in db.fetchall())
    assert "Index Cond" in plan
