"""A warehouse with upstream's empty tables and our own, and a way to run a pipeline in it."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import master_by_hand as by_hand
import psycopg2
import pytest
from model_runs import GENERATED_DAYS, REPORTS, Run, report_run, run_all

from oncall import reports
from sandbox.loading import create_schema, load_day
from sandbox.postgres import Server


@pytest.fixture(scope="session")
def empty_warehouse(postgres: Server) -> str:
    """The name of a database with all tables and no rows, to be copied."""
    name = f"models_{uuid.uuid4().hex}"
    with closing(psycopg2.connect(postgres.ensure_database(name))) as connection:
        create_schema(connection)
        reports.install(connection)
    return name


@pytest.fixture
def warehouse(postgres: Server, empty_warehouse: str) -> Iterator[Any]:
    """A connection to a copy of the empty warehouse."""
    name = f"test_{uuid.uuid4().hex}"
    with closing(psycopg2.connect(postgres.uri())) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute(f"create database {name} template {empty_warehouse}")
    with closing(psycopg2.connect(postgres.uri(name))) as connection:
        yield connection
    postgres.drop_database(name)


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
        reports.install(connection)
        for day in GENERATED_DAYS:
            load_day(connection, day, scale=0.02, cancelling=True)
            for dag_id in REPORTS:
                run_all(connection, report_run(dag_id, day))
        yield connection
