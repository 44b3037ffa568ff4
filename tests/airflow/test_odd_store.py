"""One odd value in any column of `oncall.*` silences nobody: the look, the outbox, every page and the command line."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from oncall.adapters.postgres.database import connect_by
from oncall.airflow.run_once import evaluate_once
from oncall.cli.main import main
from tests.adapters.test_odd_rows import loosen
from tests.airflow.conftest_site import ZONE, Site
from tests.airflow.watching import soon
from tests.exploring import EXPLORE

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

DAY = (dt.datetime.now(ZONE) - dt.timedelta(minutes=1)).date() - dt.timedelta(days=1)
GOOD, ODD_ONE = f"profit_etl:{DAY}", f"growth_etl:{DAY}"
# No index holds it, or it would be the other one: then it stands in no row.
REFUSED = (psycopg.errors.ProgramLimitExceeded, psycopg.errors.UniqueViolation)
PATHS = (
    "/", "/incidents", f"/incidents/{GOOD}", f"/incidents/{ODD_ONE}", "/rota", "/runbooks/growth_etl", "/links",
    "/api/incidents", f"/api/incidents/{ODD_ONE}", "/api/promises", "/api/now", "/api/troubles", "/api/home",
    "/api/load", "/api/upstream",
)  # fmt: skip
HUGE = "x" * 300_000
VALUES: dict[str, list[Any]] = {
    "text": [None, "", "telegraph", HUGE, "\u202e\x1b[31m\ud7ff\u0001", "growth_etl", "-1", "{}", "9999-12-31"],
    "date": [None, "infinity", "-infinity", "0044-03-15 BC", "9999-12-31", "2999-01-01"],
    "timestamp with time zone": [None, "infinity", "-infinity", "4713-01-01 BC", "9999-12-31 23:59+00", "1970-01-01"],
    "integer": [None, -1, 2**31 - 1, -(2**31)],
    "boolean": [None, True, False],
    "double precision": [None, "NaN", "Infinity", -1.0, 1e308],
    "jsonb": [None, "null", "[]", '"x"', '{"recipients": [null]}', '{"title": {}}', f'{{"title": "{HUGE}"}}'],
    "ARRAY": [None, [], [None], ["telegraph", HUGE]],
}  # fmt: skip
# Each took a page away from everybody, or stopped every look.
FOUND: list[tuple[str, str, Any]] = [
    *(("deliveries", name, None) for name in ("step", "channel", "state", "attempts", "channel_id", "owed_at", "op")),
    ("deliveries", "channel", "telegraph"), ("deliveries", "message", '{"recipients": [null]}'),
    *(("incidents", name, None) for name in ("dag_id", "report_date", "opened_at")),
    ("tasks", "task_id", None), ("tasks", "state", None), ("tasks", "run_id", None), ("tasks", "error", None),
    ("deliveries", "alias", HUGE), ("events", "at", None), ("events", "what", None),
]  # fmt: skip


@pytest.fixture
def late(site: Site) -> Site:
    """Growth and profit were due a minute ago, and somebody was paged."""
    due = soon(-60).time().replace(second=0)
    for path in (site.include / "runbooks").glob("*.md"):
        promised = path.stem in ("growth_etl", "profit_etl")
        said = f'promise: {{due: "{due.isoformat()}", warn_upstream_at: "00:00"}}\n'
        lines = path.read_text().splitlines(keepends=True)
        kept = [said if line.startswith("promise:") and promised else line for line in lines]
        path.write_text("".join(line for line in kept if promised or not line.startswith("promise:")))
    evaluate_once(dt.datetime.now(dt.UTC) - dt.timedelta(days=1))
    evaluate_once()
    return site


@pytest.fixture
def store(late: Site) -> Iterator[psycopg.Connection[Any]]:
    """Its `oncall_db`, whose tables take any value; a task has failed, and further messages are owed."""
    with closing(connect_by("oncall_db")()) as session:
        dsn = session.info.dsn
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        for table in tables(connection):
            loosen(connection, f"oncall.{table}")
        connection.execute(
            "insert into oncall.dags (dag_id, seen_at) values ('growth_etl', now()) on conflict do nothing"
        )
        connection.execute(
            "insert into oncall.tasks (dag_id, run_id, task_id, report_date, state, started_at, ended_at, error)"
            " values ('growth_etl', 'r', 't', %s, 'failed', now(), now(), 'x')",
            (DAY,),
        )
        connection.execute(
            "insert into oncall.deliveries (key, step, channel, op, message, owed_at, next_at)"
            " select key, 'odd-' || step, channel, op, message, now(), now() from oncall.deliveries where key = %s",
            (ODD_ONE,),
        )
        for table in tables(connection):
            connection.execute(f"create table kept_{table} as table oncall.{table}")
        yield connection


@pytest.fixture
def page(airflow_auth: None) -> Iterator[TestClient]:
    """The On-call page of Airflow's connections, for an admin."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    with TestClient(FastAPI(), base_url="http://airflow.test", raise_server_exceptions=False) as client:
        user = SimpleAuthManagerUser(username="anna", role="ADMIN")
        client.cookies.set("_token", get_auth_manager().generate_jwt(user))
        yield client


def tables(connection: psycopg.Connection[Any]) -> list[str]:
    found = connection.execute("select tablename::text from pg_tables where schemaname = 'oncall' order by 1")
    return [name for (name,) in found]


@contextmanager
def changed(connection: psycopg.Connection[Any], table: str, column: str, value: Any) -> Iterator[None]:
    """One value of the odd incident's rows is another, and the good one's page is owed again; then all is as before."""
    of_odd_one = f" where key = '{ODD_ONE}'" if table in ("incidents", "deliveries", "events") else ""
    change = sql.SQL("update oncall.{} set {} = %s" + of_odd_one)
    with suppress(*REFUSED):
        connection.execute(change.format(sql.Identifier(table), sql.Identifier(column)), (value,))
    connection.execute(
        "update oncall.deliveries set state = 'owed', done_at = null, next_at = now()"
        " where key = %s and step = 'page-1-primary'",
        (GOOD,),
    )
    yield
    for name in tables(connection):
        connection.execute(
            f"delete from oncall.{name}; insert into oncall.{name} overriding system value table kept_{name}"
        )


def cases(connection: psycopg.Connection[Any]) -> list[tuple[str, str, Any]]:
    """What was found once and five others, the same each time; with EXPLORE each column with each value."""
    columns = connection.execute(
        "select table_name::text, column_name::text, data_type::text from information_schema.columns"
        " where table_schema = 'oncall' and is_identity = 'NO' order by table_name, ordinal_position"
    ).fetchall()
    every = [(table, column, value) for table, column, kind in columns for value in VALUES[kind]]
    return every if EXPLORE else [*FOUND, *random.Random(5).sample(every, 5)]


def faults(late: Site, store: psycopg.Connection[Any], page: TestClient) -> Iterator[str]:
    """What does not work."""
    from oncall.airflow.page_source import PageSource
    from oncall.web.app import create_app

    evaluate_once()
    states = store.execute(
        "select state from oncall.deliveries where key = %s and step = 'page-1-primary'", (GOOD,)
    ).fetchall()
    if not states or {state for (state,) in states} - {"done", "accepted"}:
        yield f"the other's page is {states}"
    outer: Any = page.app
    outer.router.routes.clear()
    outer.mount("/oncall", create_app(PageSource()))
    for path in PATHS:
        answer = page.get(f"/oncall{path}")
        # The odd one may be no incident any more.
        if answer.status_code != 200 and not (answer.status_code == 404 and ODD_ONE in path):
            yield f"{path}: {answer.status_code}"
        if path == "/incidents" and GOOD not in answer.text:
            yield f"{path}: the other is not there"
    for command in (["incidents"], ["why", "profit_etl"], ["why", "growth_etl"]):
        main([*command, "--include", str(late.include)])


@pytest.mark.timeout(0)
def test_an_odd_value_in_a_row_leaves_the_others_as_they_are(
    late: Site, store: psycopg.Connection[Any], page: TestClient
) -> None:
    """The look goes on, what another incident owes is sent, each page opens, the command line raises nothing."""
    wrong = []
    for table, column, value in cases(store):
        with changed(store, table, column, value):
            name = f"{table}.{column} = {str(value)[:30]!a}"
            try:
                wrong += [f"{name}: {fault}" for fault in faults(late, store, page)]
            except Exception as error:  # noqa: BLE001 - all that is wrong is told at once
                wrong.append(f"{name}: {type(error).__name__}: {error}")
    assert wrong == []
