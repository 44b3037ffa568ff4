"""The watcher on real databases and a real inbox: pages to the moment, also from memory, and goes on whatever fails."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg2
import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.adapters.postgres import database, session
from oncall.adapters.postgres.database import Link, connect_by
from oncall.adapters.postgres.oncall_db import LOCK, OncallDb
from oncall.airflow import watcher
from oncall.airflow.composition import Wiring
from oncall.airflow.run_once import evaluate_once
from oncall.airflow.watcher import SlaWatch
from oncall.core.errors import Unreadable
from oncall.core.incidents.context import post
from oncall.core.incidents.incident import Plan
from oncall.core.message import Message
from oncall.usecases.evaluate import SINCE
from oncall.usecases.ports import EVERYTHING
from oncall.usecases.timekeeping import read_clocks
from sandbox.inbox.records import Alert, SlackMessage

ZONE = dt.timezone(dt.timedelta(hours=7))
KEY_OF_PAGE = "page-1-primary"


def soon(seconds: float) -> dt.datetime:
    """A whole second of today's wall clock, a little ahead."""
    at = dt.datetime.now(ZONE) + dt.timedelta(seconds=seconds)
    if at.date() != dt.datetime.now(ZONE).date():
        pytest.skip("midnight is too near for a due time of today")
    return at.replace(microsecond=0)


async def watch(until: Callable[[], bool], seconds: float) -> None:
    """Run the watcher as the triggerer does until the condition holds, at most so long."""

    async def forever() -> None:
        async for _ in SlaWatch(tick_s=1.0).run():
            pass

    running = asyncio.create_task(forever())
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(until) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def pages(site: Any) -> list[Alert]:
    return [alert for alert in site.inbox.alerts() if alert.alias.endswith(KEY_OF_PAGE)]


def threads(site: Any) -> list[SlackMessage]:
    """What stands in our own channel by itself; the upstream team hears of it in theirs."""
    return [m for m in site.inbox.messages(thread_ts=None) if m.channel_name == "de-oncall"]


def test_the_page_is_taken_within_a_second_of_the_due_instant(site: Any) -> None:
    """Not before it, and once; the thread has it too; the heartbeat has been told that we live."""
    due = soon(8)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    asyncio.run(watch(lambda: bool(pages(site)) and len(site.inbox.messages()) >= 2, 25))
    (page,) = pages(site)
    taken = page.created_at - due.timestamp()
    assert 0 <= taken < 1.0, f"taken {taken:.3f} s after the due instant"
    assert len(threads(site)) == 1
    assert site.inbox.calls(operation="ping")


def test_without_its_database_it_pages_from_memory_and_hands_over_when_it_is_back(
    site: Any, monkeypatch: pytest.MonkeyPatch, fresh_database: str
) -> None:
    """oncall_db is down at the due instant: one page all the same, and none again when it is back."""
    good = os.environ["AIRFLOW_CONN_ONCALL_DB"]
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", "postgresql://postgres@127.0.0.1:1/nowhere")
    due = soon(8)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    asyncio.run(watch(lambda: bool(pages(site)), 25))
    assert len(pages(site)) == 1
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", good)
    evaluate_once(check_before_send=True)
    evaluate_once()
    assert len(pages(site)) == 1
    assert pages(site)[0].count == 1
    assert len(threads(site)) == 1


BY_HAND = [
    "alter table oncall.deliveries alter next_at drop default, alter next_at type text using next_at::text",
    "alter table oncall.deliveries alter lease_until type text using lease_until::text",
    "alter table oncall.deliveries drop column pending_since",
    "alter table oncall.incidents alter names type text using names::text",
    "alter table oncall.incidents alter ladder drop default, alter ladder type text using ladder::text",
    "alter table oncall.events rename to events_of_before",
    "create rule nothing as on update to oncall.deliveries do instead nothing",
    # A replica that was promoted to nothing; no room on the disk; two looks that wait for each other.
    "do $$ begin execute"
    " format('alter database %I set default_transaction_read_only = on', current_database()); end $$",
    *(
        "create function oncall.fails() returns trigger language plpgsql as $$ begin raise exception using"
        f" errcode = '{code}', message = 'fails'; end $$; create trigger fails before {acts} on oncall.{table}"
        " for each statement execute function oncall.fails()"
        for code, acts, table in (
            ("53100", "insert", "deliveries"),
            ("53100", "update", "deliveries"),
            ("53100", "insert or update", "memory"),
            ("40P01", "insert", "deliveries"),
            ("40P01", "update", "deliveries"),
            ("40001", "insert or update", "incidents"),
        )
    ),
]


@pytest.mark.parametrize("change", BY_HAND)
def test_a_store_that_somebody_changed_by_hand_silences_nobody(site: Any, change: str) -> None:
    """Also one that takes all that is decided and lets nothing be sent: the page goes out from memory, once."""
    Wiring().store().install()
    due = soon(-5)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    store = Link(connect_by("oncall_db"), "oncall_db")
    with store.cursor() as cursor:
        since = (due - dt.timedelta(hours=5)).isoformat()
        cursor.execute("insert into oncall.memory (name, value) values (%s, %s)", (SINCE, since))
        cursor.execute(change)
    asyncio.run(watch(lambda: bool(pages(site)) and bool(threads(site)), 25))
    (page,) = pages(site)
    assert page.count == 1
    assert len(threads(site)) == 1


@pytest.mark.parametrize("right", ["insert", "update", "select"])
def test_a_right_that_was_taken_away_silences_nobody(
    site: Any, monkeypatch: pytest.MonkeyPatch, right: str
) -> None:
    """Somebody tidied up the roles: the page goes out from memory, once."""
    Wiring().store().install()
    with Link(connect_by("oncall_db"), "oncall_db").cursor() as cursor:
        cursor.execute(
            "do $$ begin create role oncall_app login; exception when duplicate_object then null; end $$;"
            " grant usage on schema oncall to oncall_app; grant all on all tables in schema oncall to oncall_app;"
            f" revoke {right} on all tables in schema oncall from oncall_app"
        )
    said = json.loads(os.environ["AIRFLOW_CONN_ONCALL_DB"])
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", json.dumps({**said, "login": "oncall_app"}))
    due = soon(-5)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    asyncio.run(watch(lambda: bool(pages(site)) and bool(threads(site)), 25))
    (page,) = pages(site)
    assert page.count == 1


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


def test_that_oncall_db_stays_away_is_said_and_that_it_is_back(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of a restart; once, with the reason, and what to do until then."""
    monkeypatch.setattr(watcher, "STAYS_AWAY", dt.timedelta(seconds=3))
    Wiring().store().install()
    tables = Link(connect_by("oncall_db"), "oncall_db")

    def said(words: str) -> list[SlackMessage]:
        return [message for message in site.inbox.messages() if words in message.text]

    def mended() -> bool:
        if said("oncall_db cannot be used since"):
            with tables.cursor() as cursor:
                cursor.execute("alter table if exists oncall.deliveries_of_before rename to deliveries")
        return bool(said("oncall_db can be used again"))

    with tables.cursor() as cursor:
        cursor.execute("alter table oncall.deliveries rename to deliveries_of_before")
    due = soon(-5)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    asyncio.run(watch(mended, 30))
    (down,) = said("oncall_db cannot be used since")
    assert "oncall.deliveries" in str(down)
    assert len(said("oncall_db can be used again")) == 1


def test_whoever_begins_without_the_database_looks_back(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """oncall_db is down, and the watcher was started anew after the due instant: it pages at once."""
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", "postgresql://postgres@127.0.0.1:1/nowhere")
    due = soon(-5)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    asyncio.run(watch(lambda: bool(pages(site)) and bool(site.inbox.messages()), 25))
    assert len(pages(site)) == 1
    assert len(threads(site)) == 1


def test_a_warehouse_that_cannot_be_read_is_paged_as_such(site: Any) -> None:
    """Somebody dropped the schema: the page says what could not be read."""
    site.query("drop schema investor cascade")
    due = soon(6)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=1)).time())
    asyncio.run(watch(lambda: bool(pages(site)), 25))
    (page,) = pages(site)
    assert "Cannot see if Growth ETL" in page.message


@pytest.mark.parametrize(
    ("table", "title"),
    [
        ("investor.publications", "Cannot see if Growth ETL"),
        ("master.loads", "Growth ETL, "),
        ("investor.checks", "Growth ETL, "),  # it waits for its sessions: no check has run
    ],
)
def test_a_right_on_the_warehouse_that_was_taken_away_is_paged_about(
    site: Any, monkeypatch: pytest.MonkeyPatch, table: str, title: str
) -> None:
    """Without the publications nobody can tell; without the rest the report is late all the same."""
    site.query(
        "do $$ begin create role warehouse_app login; exception when duplicate_object then null; end $$;"
        " grant usage on schema investor, master to warehouse_app;"
        " grant select on all tables in schema investor, master to warehouse_app;"
        f" revoke all on {table} from warehouse_app"
    )
    said = json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"])
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**said, "login": "warehouse_app"}))
    due = soon(4)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=1)).time())
    asyncio.run(watch(lambda: bool(pages(site)), 25))
    (page,) = pages(site)
    assert page.message.startswith(title)
    reason = f"permission denied for table {table.partition('.')[2]}"
    assert (reason in page.message + page.description) == (table != "investor.checks")


def test_a_broken_roster_is_told_once_and_the_last_good_one_stays_in_force(site: Any) -> None:
    """The notice names file, key and what to write; the page still finds the right person; mending is said too."""
    due = soon(9)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    evaluate_once()
    roster = site.include / "roster.yaml"
    good = roster.read_text()
    roster.write_text(good.replace("manager: DE-MANAGER", "manager: NOBODY"))
    asyncio.run(watch(lambda: bool(pages(site)), 25))
    (notice,) = [m for m in site.inbox.messages(thread_ts=None) if "configuration is broken" in m.text]
    assert "roster.yaml" in str(notice.blocks)
    assert len(pages(site)) == 1
    roster.write_text(good)
    evaluate_once()
    assert any("in order again" in m.text for m in site.inbox.messages())


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


def test_looks_from_many_sides_page_once(site: Any) -> None:
    """The watcher, a worker and the native deadline notice in the same second."""
    due = soon(7)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    evaluate_once()

    async def all_at_once() -> None:
        wait = (due - dt.datetime.now(ZONE)).total_seconds()

        def at_due() -> None:
            time.sleep(max(0, wait))
            evaluate_once()

        looking = [asyncio.to_thread(at_due) for _ in range(3)]
        await asyncio.gather(
            watch(lambda: bool(pages(site)), 20), watch(lambda: bool(pages(site)), 20), *looking
        )

    asyncio.run(all_at_once())
    evaluate_once()
    assert len(pages(site)) == 1
    assert pages(site)[0].count == 1
    assert len([m for m in site.inbox.messages() if "late since" in m.text]) == 1
    assert len(threads(site)) == 1


def test_what_a_lost_database_owed_may_have_been_sent_since(site: Any) -> None:
    """It comes back older than this watcher's memory: what that memory holds as owed is asked for before it is sent."""
    from oncall.airflow.watcher import Watch

    now = dt.datetime.now(dt.UTC)
    message = Message("growth_etl:2026-11-22", "acknowledged-0", "Acknowledged", "")
    known, lost = MemoryStore(), MemoryStore()
    known.record(Plan(owed=(post(message),)), now)
    watch = Watch(1.0)
    watch.know(snapshot=known.snapshot(), ticked=now)
    watch._hand_over(lost, now)
    claimed = lost.claim("chat", EVERYTHING, dt.timedelta(seconds=75))
    assert claimed is not None
    assert claimed.maybe_taken


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


@pytest.mark.parametrize("where", ["installing the tables", "the first reading of clocks", "a later reading"])
def test_what_hangs_beside_a_look_does_not_stop_the_page(
    site: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """oncall_db is frozen before the first look or between two: the page comes at its time all the same."""
    let_go, readings = threading.Event(), []

    def hangs(*_: object) -> None:
        let_go.wait(60)

    def reads(clocks: Any) -> Any:
        readings.append(clocks)
        if where == "the first reading of clocks" or len(readings) > 2:
            hangs()
        return read_clocks(clocks)

    monkeypatch.setattr(watcher, "LOOK_S", 2.0)
    if where == "installing the tables":
        monkeypatch.setattr(OncallDb, "install", hangs)
    else:
        monkeypatch.setattr(watcher, "read_clocks", reads)
    due = soon(10)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=1)).time())
    try:
        asyncio.run(watch(lambda: bool(pages(site)), 25))
    finally:
        let_go.set()
    (page,) = pages(site)
    assert 0 <= page.created_at - due.timestamp() < 5


def test_a_slow_clock_and_a_look_share_no_connection(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads on one connection would end each other's transactions: the look would lose what it has decided."""
    at_work, shared, slow = dict[int, int](), list[str](), threading.Event()
    connected = Link._connected

    @contextmanager
    def alone(link: Link) -> Iterator[Any]:
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

    def reads(clocks: Any) -> Any:
        threading.current_thread().name = "slow clock"
        try:
            return read_clocks(clocks)
        finally:
            threading.current_thread().name = "oncall"

    monkeypatch.setattr(Link, "_connected", alone)
    monkeypatch.setattr(watcher, "read_clocks", reads)
    due = soon(8)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=1)).time())
    asyncio.run(watch(lambda: bool(pages(site)), 25))
    slow.set()
    assert len(pages(site)) == 1
    assert not shared
