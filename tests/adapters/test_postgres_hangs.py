"""Whatever hangs, asking ends: the bound is kept on this side, since a frozen server keeps none."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg
import pytest

from oncall.adapters.postgres import lasting_connections, session, task_log
from oncall.adapters.postgres.database import connect_by, connect_to
from oncall.adapters.postgres.lasting_connections import (
    MOST_HANGING,
    ConnectionPool,
    LastingConnection,
    SharedConnection,
)
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.postgres.task_log import TaskLog
from oncall.core.errors import Unreadable
from sandbox.stack.postgres import Server

CONNECTED_S, ANSWERED_S = 3.5, 6.5
HASTY_S = 3.0
DAY = dt.date(2026, 11, 22)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds for the answers of an operation instead of six: two tests below wait for all of them."""
    monkeypatch.setattr(session.Session, "left_s", 2.0)
    monkeypatch.setattr(session.Session.be_patient, "__defaults__", (2.0,))


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def pid_of(link: Any) -> int:
    with link.cursor() as cursor:
        return int(cursor.execute("select pg_backend_pid()").fetchall()[0][0])


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("kind", ["one", "many", "shared"])
def test_a_frozen_backend_is_left_and_another_one_asked(fresh_database: str, kind: str) -> None:
    """Over a socket file, where no setting of TCP helps; statements and transactions alike."""
    connect = connect_to(fresh_database)
    link: Any = {
        "one": lambda: LastingConnection(connect, "warehouse"),
        "many": lambda: ConnectionPool(connect, "warehouse"),
        "shared": lambda: LastingConnection(SharedConnection(connect), "warehouse"),
    }[kind]()
    refused = pytest.raises(Unreadable, match="no answer in time")
    with frozen(pid_of(link)), at_most(HASTY_S), refused, link.cursor() as cursor:
        cursor.execute("select 1")
    with link.cursor() as cursor:
        assert cursor.execute("select 1").fetchall() == [(1,)]


def test_a_server_that_breaks_nothing_off_is_not_asked_until_it_has_no_connection_left(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one whose foreign table's server hangs. It is asked anew when it is rid of a question, and after a while."""
    monkeypatch.setattr(session.Session, "be_patient", lambda one: setattr(one, "left_s", 0.5))
    link = LastingConnection(connect_to(fresh_database), "warehouse")

    def hang() -> Unreadable:
        with pytest.raises(Unreadable) as raised, link.cursor() as cursor:
            cursor.execute("select 1")
        return raised.value

    with ExitStack() as asked:
        for _ in range(MOST_HANGING):
            asked.enter_context(frozen(pid_of(link)))
            assert "does not break off" not in str(hang())
        for _ in range(3):
            assert "the server does not break off what was asked before" in str(hang())
        with monkeypatch.context() as later:
            later.setattr(lasting_connections, "ASK_ANEW_S", 0.0)
            assert pid_of(link)
        link.close()
        assert "does not break off" in str(hang())
    for _ in range(100):  # let go, they end
        try:
            assert pid_of(link)
            break
        except Unreadable:
            time.sleep(0.1)
    else:
        pytest.fail("nobody asks any more")


def test_a_backend_that_freezes_within_a_transaction_holds_nobody_up_twice(fresh_database: str) -> None:
    """The way out (rollback) asks nothing more of it; all waits of one operation together are bounded."""
    link = LastingConnection(connect_to(fresh_database), "oncall_db")
    with at_most(ANSWERED_S), pytest.raises(Unreadable), link.transaction() as cursor:
        pid = cursor.execute("select pg_backend_pid()").fetchall()[0][0]
        cursor.execute("select pg_sleep(2)")
        with frozen(pid):
            cursor.execute("select 1")


@pytest.mark.usefixtures("hasty")
def test_tables_are_not_waited_for_either(fresh_database: str) -> None:
    """Making tables may take its time, finding out whether to make them may not."""
    link = SharedConnection(connect_to(fresh_database))
    store = OncallDb(link)
    store.install()
    with frozen(link().info.backend_pid), at_most(HASTY_S), pytest.raises(Unreadable):
        store.install()


def test_a_server_that_takes_connections_and_never_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen postmaster, or a network that swallows what is sent."""
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        port = silent.getsockname()[1]
        monkeypatch.setenv("AIRFLOW_CONN_SILENT", f"postgres://u:p@127.0.0.1:{port}/d?connect_timeout=60")
        monkeypatch.setenv("AIRFLOW_CONN_MANY", f"postgres://u:p@127.0.0.1,127.0.0.1,127.0.0.1:{port}/d")
        for connect in (
            connect_to(f"postgresql://u@127.0.0.1:{port}/d"),
            connect_by("silent"),
            connect_to(f"host=127.0.0.1,127.0.0.1,127.0.0.1 port={port} dbname=d"),
        ):
            with at_most(CONNECTED_S), pytest.raises(Unreadable):
                pid_of(LastingConnection(connect, "warehouse"))


def test_a_frozen_postmaster(postgres: Server, fresh_database: str) -> None:
    """The kernel takes the connection for it."""
    postmaster = int((postgres.data_dir / "postmaster.pid").read_text().splitlines()[0])
    with frozen(postmaster), at_most(CONNECTED_S), pytest.raises(Unreadable):
        pid_of(LastingConnection(connect_to(fresh_database), "warehouse"))
    assert pid_of(LastingConnection(connect_to(fresh_database), "warehouse"))


def test_a_provider_that_hangs_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, fresh_database: str
) -> None:
    """A name that is not resolved, a token that does not come. What comes too late is closed again."""
    let_go, closed = threading.Event(), threading.Event()
    from oncall.adapters.postgres import session

    def late(*_: Any, **__: Any) -> Any:
        let_go.wait(20)

        class Late:
            def begin(self, _: Any) -> None: ...
            def close(self) -> None:
                closed.set()

        return Late()

    monkeypatch.setattr(session.Session, "connect", late)
    with at_most(CONNECTED_S), pytest.raises(Unreadable, match="no connection within 3 s"):
        pid_of(LastingConnection(connect_to(fresh_database), "warehouse"))
    let_go.set()
    assert closed.wait(5)


@pytest.mark.usefixtures("hasty")
def test_a_server_that_drips(fresh_database: str) -> None:
    """A little now and then is no answer either."""
    link = LastingConnection(connect_to(fresh_database), "warehouse")
    with at_most(HASTY_S), pytest.raises(Unreadable), link.cursor() as cursor:
        for _ in range(20):
            cursor.execute("select pg_sleep(0.9)")


def test_a_lock_that_a_frozen_process_holds(fresh_database: str) -> None:
    """Who decides next waits for it no longer than the bound; the server drops it in the end."""
    store = OncallDb(connect_to(fresh_database))
    store.install()
    with closing(psycopg.connect(fresh_database)) as holder:
        holder.execute("select pg_advisory_xact_lock(%s)", (0x0C_A11,))
        with at_most(ANSWERED_S), pytest.raises(Unreadable), store.decision_lock():
            pass


def test_usual_durations_that_take_too_long_are_not_asked_for_at_every_look(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four weeks of very many runs: cut off once in a while; what was known before counts, for a new wiring too."""
    monkeypatch.setitem(session.ASKING, "statement_timeout", "300")
    kept = task_log.UsualKept()

    def usual(day: dt.date) -> object:
        return TaskLog(connect_to(fresh_database), kept).usual(day)

    OncallDb(connect_to(fresh_database)).install()
    with closing(psycopg.connect(fresh_database)) as hindrance:
        hindrance.execute("lock table oncall.tasks in access exclusive mode")
        for seconds in (3.0, 0.2):  # nobody is asked the second time
            with at_most(seconds), pytest.raises(Unreadable, match="usual durations: not read, asked again"):
                usual(DAY)
        hindrance.rollback()
        kept.ask_at = 0.0
        assert usual(DAY) == {}
        hindrance.execute("lock table oncall.tasks in access exclusive mode")
        monkeypatch.setitem(session.ASKING, "statement_timeout", "300")
        assert usual(DAY + dt.timedelta(days=1)) == {}
        assert kept.ask_at > time.monotonic() + 500
