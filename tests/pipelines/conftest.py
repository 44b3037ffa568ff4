"""A warehouse with upstream's empty tables and our own, and a way to run a pipeline in it."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from pipelines import runner
from sandbox.master_data.loading import Loader, create_schema
from sandbox.stack.postgres import Server
from tests.pipelines import master_by_hand as by_hand
from tests.pipelines.contract_cases import BARE
from tests.pipelines.model_runs import GENERATED_DAYS, REPORTS, Run, report_run, run_all
from tests.spare_databases import SpareDatabases


@pytest.fixture(scope="session")
def empty_warehouse(postgres: Server) -> str:
    """The name of a database with all tables and no rows, to be copied."""
    name = f"models_{uuid.uuid4().hex}"
    with closing(psycopg2.connect(postgres.ensure_database(name))) as connection:
        create_schema(connection)
        runner.install(connection)
    return name


@pytest.fixture(scope="session")
def warehouses(postgres: Server, empty_warehouse: str) -> SpareDatabases:
    return SpareDatabases(postgres, empty_warehouse)


@pytest.fixture
def warehouse(warehouses: SpareDatabases) -> Iterator[Any]:
    """A connection to an empty warehouse, as good as new, for this test alone."""
    with warehouses.one() as dsn, closing(psycopg2.connect(dsn)) as connection:
        yield connection


@pytest.fixture
def known_to_airflow(warehouse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warehouse is the Airflow connection of that name, as the command line needs it."""
    parameters = warehouse.get_dsn_parameters()
    host, database = parameters["host"], parameters["dbname"]
    said = {"conn_type": "postgres", "host": host, "login": "postgres", "schema": database}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(said))


@pytest.fixture
def run(warehouse: Any) -> Run:
    """Run pipelines for a day, transform to publish; the rows published by the last one."""

    def go(*dag_ids: str, day: dt.date = by_hand.DAY, **more: Any) -> dict[str, int]:
        published: dict[str, int] = {}
        for dag_id in dag_ids:
            published = run_all(warehouse, report_run(dag_id, day, **more))
        return published

    return go


@pytest.fixture(scope="session")
def generated(postgres: Server) -> Iterator[Any]:
    """A connection to a warehouse with generated days, all five pipelines published for each. Not to be changed."""
    with closing(psycopg2.connect(postgres.ensure_database(f"generated_{uuid.uuid4().hex}"))) as connection:
        create_schema(connection)
        runner.install(connection)
        for day in GENERATED_DAYS:
            Loader(connection, 0.02, cancelling=True).load(day)
            for dag_id in REPORTS:
                run_all(connection, report_run(dag_id, day))
        yield connection


class Undone:
    """A connection of which nothing stays: all its transactions are savepoints of one that is rolled back."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._to_database("savepoint here")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> Undone:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self.rollback() if failed else self.commit()

    def commit(self) -> None:
        self._to_database("release savepoint here; savepoint here")

    def rollback(self) -> None:
        self._to_database("rollback to savepoint here")

    def undo(self) -> None:
        """As it was in the beginning."""
        self._connection.rollback()
        self._to_database("savepoint here")

    def _to_database(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.fixture(scope="session")
def shop_opened(postgres: Server, empty_warehouse: str) -> Iterator[Any]:
    """A connection to the warehouse of `shop`, whose day is never changed."""
    name = f"shop_of_{empty_warehouse}"
    with closing(psycopg2.connect(postgres.uri())) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute(f"create database {name} template {empty_warehouse}")
    with closing(psycopg2.connect(postgres.uri(name))) as connection:
        yield open_shop(connection)


@pytest.fixture
def good_day(shop_opened: Any) -> Iterator[Any]:
    """The same as `shop`, to be asked by one connection only: all of it is undone afterwards, which is quick."""
    yield Undone(shop_opened)
    shop_opened.rollback()


@pytest.fixture
def shop(warehouse: Any) -> Any:
    """A small good day in a warehouse that enforces nothing."""
    return open_shop(warehouse)


def open_shop(warehouse: Any) -> Any:
    """Three orders of the day, one of an earlier one, and what goes with them."""
    with warehouse.cursor() as cursor:
        cursor.execute(BARE)
    warehouse.commit()
    earlier = by_hand.DAY - dt.timedelta(days=3)
    by_hand.add(
        warehouse,
        "customers",
        {"customer_id": 1},
        {"customer_id": 2, "signed_up_at": by_hand.at("08:00", earlier)},
    )
    by_hand.add(warehouse, "products", {"product_id": 1, "unit_cost": "2.50"})
    by_hand.add(warehouse, "orders", {"order_id": 90, "ordered_at": by_hand.at("10:00", earlier)})
    by_hand.add(
        warehouse, "orders", *({"order_id": n, "ordered_at": by_hand.at("12:00")} for n in (101, 102))
    )
    by_hand.add(
        warehouse,
        "orders",
        {"order_id": 103, "ordered_at": by_hand.at("23:59"), "status": "cancelled", "customer_id": 2},
    )
    for order in (90, 101, 102, 103):
        by_hand.add(
            warehouse,
            "order_lines",
            {"order_id": order, "unit_price": "10.00", "quantity": 2, "discount": "1.00"},
        )
    by_hand.add(warehouse, "order_lines", {"order_id": 102, "line_no": 2, "unit_price": "5.00"})
    by_hand.add(
        warehouse,
        "refunds",
        {"refund_id": 1, "order_id": 90, "amount": "4.00", "refunded_at": by_hand.at("09:00")},
    )
    by_hand.add(
        warehouse,
        "marketing_spend",
        {"channel": "email", "amount": "3.00"},
        {"channel": "tv", "amount": "1.00"},
    )
    by_hand.add(warehouse, "touches", {"touch_id": 1, "touched_at": by_hand.at("11:00"), "channel": "email"})
    by_hand.add(
        warehouse,
        "sessions",
        {"session_id": 1, "started_at": by_hand.at("11:00")},
        {"session_id": 2, "customer_id": 2, "started_at": by_hand.at("12:00")},
    )
    by_hand.add(
        warehouse,
        "experiment_assignments",
        {"customer_id": 1, "variant": "control"},
        {"customer_id": 2, "variant": "blue"},
    )
    return warehouse
