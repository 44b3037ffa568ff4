"""A database that takes connections and never answers: the page comes all the same, once."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from oncall.adapters.postgres import database, session
from oncall.airflow import watcher
from oncall.airflow.run_once import evaluate_once
from tests.airflow.watching import ZONE, pages, soon, watch


class Relay:
    """A way to a database's socket. While `silent`, whatever is sent is taken and nothing ever answers."""

    def __init__(self, target: str) -> None:
        self.target, self.silent, self._sockets = target, threading.Event(), list[socket.socket]()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, far = self._listening.accept()[0], socket.socket(socket.AF_UNIX)
                far.connect(self.target)
                self._sockets += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if not self.silent.is_set():
                    other.sendall(data)

    def end(self) -> None:
        for opened in (self._listening, *self._sockets):
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()


@pytest.fixture
def relay(site: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """The warehouse is reached through it."""
    yield from relay_to("AIRFLOW_CONN_WAREHOUSE", monkeypatch)


@pytest.fixture
def relay_to_oncall_db(site: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    yield from relay_to("AIRFLOW_CONN_ONCALL_DB", monkeypatch)


def relay_to(connection: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    said = json.loads(os.environ[connection])
    relay = Relay(f"{said['host']}/.s.PGSQL.5432")
    through = {**said, "host": "127.0.0.1", "port": relay.port}
    monkeypatch.setenv(connection, json.dumps(through))
    yield relay
    relay.end()


@pytest.mark.parametrize("bounded", [True, False], ids=["bounded", "without any bound"])
def test_a_warehouse_that_takes_and_never_answers_is_paged_about(
    site: Any, relay: Relay, monkeypatch: pytest.MonkeyPatch, bounded: bool
) -> None:
    """The question ends at its own bound; where it has none the watchdog goes on from memory. One page, either way."""
    if not bounded:
        monkeypatch.setattr(session.Session, "left_s", None)
        monkeypatch.setattr(database, "CONNECT_SECONDS", 600)
        monkeypatch.setattr(watcher, "LOOK_S", 4.0)
    due = soon(12)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=1)).time())

    def late() -> bool:
        if dt.datetime.now(ZONE) > due - dt.timedelta(seconds=2):
            relay.silent.set()
        return bool(pages(site)) and bool(site.inbox.messages())

    asyncio.run(watch(late, 60))
    assert relay.silent.is_set(), "it was known before due, and hangs at due"
    (page,) = pages(site)
    assert 0 <= page.created_at - due.timestamp() < 30
    assert page.message.startswith("Cannot see if Growth ETL")
    relay.end()
    evaluate_once(check_before_send=True)
    assert [alert.count for alert in pages(site)] == [1]
    assert len(site.inbox.messages(thread_ts=None)) == 1


def test_an_oncall_db_that_never_answers_is_waited_for_once_in_a_look(
    site: Any, relay_to_oncall_db: Relay
) -> None:
    """It is asked for what was decided, and not for what runs when that has hung: the second wait would be as long."""
    due = soon(12)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=1)).time())

    def late() -> bool:
        if dt.datetime.now(ZONE) > due - dt.timedelta(seconds=2):
            relay_to_oncall_db.silent.set()
        return bool(pages(site))

    asyncio.run(watch(late, 60))
    (page,) = pages(site)
    assert 0 <= page.created_at - due.timestamp() < 14
