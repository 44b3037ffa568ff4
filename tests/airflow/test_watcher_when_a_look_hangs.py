"""What is held, frozen or slow beside a look does not stop the page."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg
import psycopg2
import pytest
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import BaseHook

from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.oncall_db import LOCK, OncallDb
from oncall.airflow import look, watcher
from oncall.airflow.run_once import evaluate_once
from oncall.core.errors import Unreadable
from oncall.usecases.timekeeping import read_clocks
from tests.airflow.watching import pages, soon, watch


@pytest.mark.parametrize("where", ["installing the tables", "the first reading of clocks", "a later reading"])
def test_what_hangs_beside_a_look_does_not_stop_the_page(
    site: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """oncall_db is frozen before the first look or between two: the page comes at its time all the same."""
    let_go, readings = threading.Event(), []

    def hangs(*_: object) -> None:
        let_go.wait(60)

    def reads(clocks: Any, before: Any) -> Any:
        readings.append(clocks)
        if where == "the first reading of clocks" or len(readings) > 2:
            hangs()
        return read_clocks(clocks, before)

    monkeypatch.setattr(watcher, "LOOK_S", 2.0)
    if where == "installing the tables":
        monkeypatch.setattr(OncallDb, "install", hangs)
    else:
        monkeypatch.setattr(look, "read_clocks", reads)
    due = soon(10)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=1)).time())
    try:
        asyncio.run(watch(lambda: bool(pages(site)), 25))
    finally:
        let_go.set()
    (page,) = pages(site)
    assert 0 <= page.created_at - due.timestamp() < 5


def test_a_secrets_backend_that_hangs_does_not_stop_the_page(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections are read again now and then: what is in use goes on, and the report is judged by what is read."""
    let_go, from_backend = threading.Event(), BaseHook.get_connection
    hangs_from = time.monotonic() + 4

    def slow(conn_id: str) -> Any:
        if time.monotonic() > hangs_from:
            let_go.wait(60)
        return from_backend(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", slow)
    monkeypatch.setattr(look, "RENEW_S", 1.0)
    due = soon(12)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=1)).time())
    try:
        asyncio.run(watch(lambda: bool(pages(site)), 27))
    finally:
        let_go.set()
    (page,) = pages(site)
    assert 0 <= page.created_at - due.timestamp() < 5
    assert "annot" not in page.message


@pytest.mark.parametrize("why", ["the servers take no more", "Airflow does not answer"])
def test_connections_that_cannot_be_made_anew_go_on(
    site: Any, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Those in use can be read: a report is late for its own reason, and nobody is woken because of the renewal."""
    let_go, connects = threading.Event(), PostgresHook.get_conn
    refused_from = time.monotonic() + 4

    def anew(hook: Any) -> Any:
        if time.monotonic() > refused_from:
            if why == "Airflow does not answer":
                let_go.wait(60)
            raise psycopg.OperationalError("FATAL: sorry, too many clients already")
        return connects(hook)

    monkeypatch.setattr(PostgresHook, "get_conn", anew)
    monkeypatch.setattr(look, "RENEW_S", 1.0)
    due = soon(14)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=1)).time())
    try:
        asyncio.run(watch(lambda: bool(pages(site)), 30))
    finally:
        let_go.set()
    (page,) = pages(site)
    # Airflow hangs for a minute.
    assert 0 <= page.created_at - due.timestamp() < 15
    assert "annot" not in page.message


def test_a_slow_clock_and_a_look_share_no_connection(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads on one connection would end each other's transactions: the look would lose what it has decided."""
    at_work, shared, slow = dict[int, int](), list[str](), threading.Event()
    connected = LastingConnection._connected

    @contextmanager
    def alone(link: LastingConnection) -> Iterator[Any]:
        thread = threading.get_ident()
        if at_work.setdefault(id(link), thread) != thread:
            shared.append(link._name)
        try:
            with connected(link) as connection:
                if threading.current_thread().name.startswith("slow"):
                    slow.wait(3)
                yield connection
        finally:
            at_work.pop(id(link), None)

    def reads(clocks: Any, before: Any) -> Any:
        threading.current_thread().name = "slow clock"
        try:
            return read_clocks(clocks, before)
        finally:
            threading.current_thread().name = "oncall"

    monkeypatch.setattr(LastingConnection, "_connected", alone)
    monkeypatch.setattr(look, "read_clocks", reads)
    due = soon(8)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=1)).time())
    asyncio.run(watch(lambda: bool(pages(site)), 25))
    slow.set()
    assert len(pages(site)) == 1
    assert not shared


def test_a_worker_waits_for_a_look_that_is_frozen_with_the_lock(site: Any) -> None:
    """Its own question ends after five seconds, the frozen one's lock after ten: then the worker pages."""
    site.promise(dt.time(0, 0, 1), dt.time(0, 0))
    evaluate_once(dt.datetime.now(dt.UTC) - dt.timedelta(days=1))
    said = json.loads(os.environ["AIRFLOW_CONN_ONCALL_DB"])
    with closing(psycopg2.connect(host=said["host"], user=said["login"], dbname=said["schema"])) as frozen:
        with frozen.cursor() as cursor:
            cursor.execute("set idle_in_transaction_session_timeout = '15 s'")
            cursor.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        with pytest.raises(Unreadable):
            evaluate_once()
        assert not pages(site)
        evaluate_once(stay_s=20)
    assert len(pages(site)) == 1


def test_a_page_whose_row_somebody_holds_goes_out_from_memory(site: Any) -> None:
    """`begin; select … for update;` in psql, and a coffee: when Opsgenie is back the page does not wait for it."""
    site.inbox.fail("opsgenie", "create", kind="refuse")
    due = soon(6)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    said = json.loads(os.environ["AIRFLOW_CONN_ONCALL_DB"])
    with closing(psycopg2.connect(host=said["host"], user=said["login"], dbname=said["schema"])) as psql:
        held: list[float] = []

        def paged() -> bool:
            if held:
                return bool(pages(site))
            psql.rollback()
            with suppress(psycopg2.Error), psql.cursor() as cursor:
                cursor.execute(
                    "select 1 from oncall.deliveries where step = 'page-1-primary' and channel = 'pager'"
                    " and attempts > 1 for update nowait"
                )
                if cursor.fetchall():
                    held.append(time.time())
                    site.inbox.heal()
            return False

        asyncio.run(watch(paged, 75))
        (page,) = pages(site)
        assert page.created_at - held[0] < 45
    evaluate_once()
    assert [alert.count for alert in pages(site)] == [1]
