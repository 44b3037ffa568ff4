"""Behind a real PgBouncer in transaction mode, as installed: nothing may rest on a session."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from oncall.adapters.postgres.database import Connect, connect_by, work_by
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.postgres.session import WORKING
from oncall.adapters.postgres.task_log import TaskLog
from oncall.core.errors import Unreadable
from oncall.core.incidents.incident import Incident, Plan
from oncall.core.promises.facts import Task
from sandbox.stack.postgres import Server
from tests.adapters.pgbouncer import find, running_pgbouncer

pytestmark = pytest.mark.skipif(
    not find(), reason="there is no pgbouncer on this machine: apt-get install pgbouncer"
)
AT = dt.datetime(2026, 11, 22, 22, tzinfo=dt.UTC)
DAY = dt.date(2026, 11, 22)


@pytest.fixture(scope="module", params=["as installed", "ignores options"])
def port(request: pytest.FixtureRequest, postgres: Server) -> Iterator[int]:
    more = ["ignore_startup_parameters = options"] if request.param == "ignores options" else []
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        Path(name).chmod(0o755)
        with running_pgbouncer(postgres, Path(name), *more) as port:
            yield port


@pytest.fixture
def connect(port: int, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """By an ordinary Airflow connection."""
    database = psycopg.conninfo.conninfo_to_dict(fresh_database)["dbname"]
    value = {
        "conn_type": "postgres",
        "host": "127.0.0.1",
        "port": port,
        "login": "anybody",
        "schema": database,
    }
    monkeypatch.setenv("AIRFLOW_CONN_BEHIND", json.dumps(value))
    return connect_by("behind")


def test_the_store_works_with_many_at_once(connect: Connect) -> None:
    """Tables, decisions, notes, what tasks said: more clients than server connections, again and again."""
    OncallDb(connect).install()

    def one(number: int) -> None:
        store, log = OncallDb(connect), TaskLog(connect)
        for turn in range(12):
            with store.decision_lock() as decision:
                known = decision.incidents()
                incident = Incident(f"i{number}", "profit_etl", DAY, AT, changes=turn)
                decision.record(Plan(incidents=(incident,)), AT)
            store.set_note(f"n{number}", str(turn))
            assert store.get_note(f"n{number}") == str(turn)
            log.write(("profit_etl", DAY), Task.as_of(AT, "transform", "running", f"r{number}"))
            assert log.read({("profit_etl", DAY): None}, AT).tasks
            assert turn == 0 or incident.key in {each.key for each in known}

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(one, range(8)))


def test_the_time_outs_hold_in_every_transaction_and_only_there(
    connect: Connect, fresh_database: str
) -> None:
    """Whoever gets the same server connection next has none of ours."""
    link = LastingConnection(connect, "behind")
    asked = (
        "select current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
    )
    for scope in (link.cursor, link.transaction):
        with scope() as cursor:
            assert cursor.execute(asked).fetchall() == [("5s", "10s")]
    began = time.monotonic()
    with pytest.raises(Unreadable, match="statement timeout"), link.cursor() as cursor:
        cursor.execute("select pg_sleep(30)")
    assert time.monotonic() - began < 6
    with connect() as bare:
        assert bare.execute(asked).fetchall() == [("0", "0")]


def test_work_brings_its_time_outs_into_every_transaction(connect: Connect) -> None:
    """A worker that is frozen is noticed by the server; who gets the server connection next has none of it."""
    asked = (
        "select current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
    )
    with closing(work_by("behind")) as work:
        for _ in range(3):
            assert work.cursor().execute(asked).fetchall() == [("0", "5min")]
            assert work.execute(asked).fetchall() == [("0", "5min")]
            work.commit()
            with work.transaction():
                assert work.execute(asked).fetchall() == [("0", "5min")]
            with suppress(psycopg.errors.DivisionByZero):
                work.execute("select 1 / 0")
            work.rollback()
    with connect() as bare:
        assert bare.execute(asked).fetchall() == [("0", "0")]


def test_a_frozen_worker_gives_the_report_date_back(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction holds the lock of the date: the server ends it, and the next run goes on."""
    monkeypatch.setitem(WORKING, "idle_in_transaction_session_timeout", "300")
    with closing(work_by("behind")) as frozen, closing(work_by("behind")) as following:
        frozen.execute("select pg_advisory_xact_lock(7)")
        began = time.monotonic()
        following.execute("select pg_advisory_xact_lock(7)")
        assert time.monotonic() - began < 10
        following.rollback()
        with pytest.raises(psycopg.Error, match="idle-in-transaction"):
            frozen.execute("select 1")


def test_a_role_that_reads_only_and_another_date_style_do_not_matter(
    connect: Connect, fresh_database: str
) -> None:
    """Also behind a pooler, where the session is not ours to set."""
    database = psycopg.conninfo.conninfo_to_dict(fresh_database)["dbname"]
    with closing(psycopg.connect(fresh_database, autocommit=True)) as admin:
        for setting in (
            "default_transaction_read_only = on",
            "datestyle = German",
            "timezone = 'Asia/Tokyo'",
        ):
            admin.execute(f'alter database "{database}" set {setting}')
    store = OncallDb(connect)
    store.install()
    with store.decision_lock() as decision:
        decision.record(Plan(incidents=(Incident("a", "profit_etl", DAY, AT),)), AT)
        assert [each.opened_at for each in decision.incidents()] == [AT]


def test_a_pipeline_works_in_transactions_of_its_own(connect: Connect) -> None:
    """No statement is prepared by name: the tenth time it is another's."""
    for _ in range(3):
        with closing(work_by("behind")) as first, closing(work_by("behind")) as second:
            for turn in range(12):
                for each in (first, second):
                    assert each.execute("select %s::date, %s::int", (DAY, turn)).fetchall() == [(DAY, turn)]
                    each.commit()


def test_a_pooler_of_single_statements_is_told_what_to_change(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be decided there: a decision is several statements."""
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        Path(name).chmod(0o755)
        with running_pgbouncer(postgres, Path(name), "pool_mode = statement") as port:
            value = {
                "conn_type": "postgres",
                "host": "127.0.0.1",
                "port": port,
                "login": "anybody",
                "schema": "postgres",
            }
            monkeypatch.setenv("AIRFLOW_CONN_BEHIND", json.dumps(value))
            with pytest.raises(
                Unreadable, match=r"let PgBouncer pool transactions \(pool_mode = transaction\)"
            ):
                OncallDb(connect_by("behind")).clock()
