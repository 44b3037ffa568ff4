"""The watcher on a database that is away, was changed by hand or gives no right: it pages, and says so."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.adapters.postgres.database import connect_by, connect_to
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.airflow import look
from oncall.airflow.composition import Wiring
from oncall.airflow.run_once import evaluate_once
from oncall.core.incidents.context import page_and_post, post
from oncall.core.incidents.incident import Incident, Plan
from oncall.core.message import Message
from oncall.usecases.channel_ports import Posted
from oncall.usecases.ports import EVERYTHING
from oncall.usecases.watch_record import SINCE
from sandbox.inbox.records import SlackMessage
from sandbox.stack.postgres import Server
from tests.airflow.conftest_site import Site
from tests.airflow.watching import pages, soon, threads, watch

BY_HAND = [
    "alter table oncall.deliveries alter next_at drop default, alter next_at type text using next_at::text",
    "alter table oncall.deliveries alter lease_until type text using lease_until::text",
    "alter table oncall.deliveries drop column pending_since",
    "alter table oncall.incidents alter names type text using names::text",
    "alter table oncall.incidents alter ladder drop default, alter ladder type text using ladder::text",
    "alter table oncall.events rename to events_of_before",
    "create rule nothing as on update to oncall.deliveries do instead nothing",
    "create rule nothing as on insert to oncall.deliveries do instead nothing",
    *(
        "create function oncall.swallows() returns trigger language plpgsql as $$ begin return null; end $$;"
        f" create trigger swallows before {acts} for each row execute function oncall.swallows()"
        for acts in (
            "insert on oncall.deliveries",
            "update on oncall.deliveries",
            "insert on oncall.incidents",
        )
    ),
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
    store = LastingConnection(connect_by("oncall_db"), "oncall_db")
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
    with LastingConnection(connect_by("oncall_db"), "oncall_db").cursor() as cursor:
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


def test_that_oncall_db_stays_away_is_said_and_that_it_is_back(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of a restart; once, with the reason, and what to do until then."""
    monkeypatch.setattr(look, "STAYS_AWAY", dt.timedelta(seconds=3))
    Wiring().store().install()
    tables = LastingConnection(connect_by("oncall_db"), "oncall_db")

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


def test_what_a_lost_database_owed_may_have_been_sent_since(site: Any) -> None:
    """It comes back older than this watcher's memory: what that memory holds as owed is asked for before it is sent."""
    now = dt.datetime.now(dt.UTC)
    message = Message("growth_etl:2026-11-22", "acknowledged-0", "Acknowledged", "")
    known, lost = MemoryStore(), MemoryStore()
    known.record(Plan(owed=(post(message),)), now)
    looker = look.Looker()
    looker.know(snapshot=known.snapshot())
    looker.hand_over(lost, now)
    claimed = lost.claim("chat", EVERYTHING, dt.timedelta(seconds=75))
    assert claimed is not None
    assert claimed.maybe_taken


@pytest.mark.parametrize(
    "lost",
    [
        "truncate oncall.incidents",
        "truncate oncall.deliveries",
        "truncate oncall.memory",
        "truncate oncall.incidents, oncall.deliveries, oncall.memory",
        "delete from oncall.deliveries where channel = 'pager'",
        "delete from oncall.deliveries where channel = 'chat'",
        "update oncall.incidents set paged_at = null",
        "update oncall.incidents set ladder = 0",
        "update oncall.incidents set resolved_at = null, verdict = 'broken'",
        "update oncall.deliveries set state = 'owed', done_at = null, ts = ''",
    ],
)
def test_what_a_store_has_lost_is_put_back(oncall_database: str, lost: str) -> None:
    """One table of it, or one row, or what was done since: nobody is told of anything again."""
    now = dt.datetime.now(dt.UTC)
    key = "growth_etl:2026-11-22"
    incident = replace(
        Incident(key, "growth_etl", dt.date(2026, 11, 22), now, paged_at=now, escalation_round=1),
        resolved_at=now,
        verdict="late",
    )
    root, page = page_and_post(Message(key, "page-1-primary", "Late", ""))[::-1]
    reply = post(Message(key, "acknowledged-0", "Acknowledged", ""))
    store, tables = (
        OncallDb(connect_to(oncall_database)),
        LastingConnection(connect_to(oncall_database), "oncall_db"),
    )
    with store.decision_lock() as decision:
        decision.record(Plan((incident,), (root, page, reply)), now)
    for number in range(3):
        claimed = store.claim("chat" if number else "pager", EVERYTHING, dt.timedelta(seconds=75))
        assert claimed is not None
        store.done(claimed, now + dt.timedelta(seconds=number), Posted("C1", f"{number}") if number else None)
    store.set_note(SINCE, now.isoformat())
    before = replace(store.snapshot(), notes={SINCE: now.isoformat()})
    looker = look.Looker()
    looker.know(snapshot=before)
    with tables.cursor() as cursor:
        cursor.execute(lost)
    looker.hand_over(store, now)
    after = store.snapshot()
    assert after.incidents == before.incidents
    assert {(d.step, d.channel, d.state, d.posted) for d in after.deliveries} == {
        (d.step, d.channel, d.state, d.posted) for d in before.deliveries
    }
    assert store.thread(key) == Posted("C1", "1")
    assert store.get_note(SINCE) == now.isoformat()


def test_a_store_that_has_lost_nothing_is_left_alone(oncall_database: str) -> None:
    """What was in flight at the last look and was certainly not taken since may still be withdrawn; and somebody may
    have given back what they had acknowledged."""
    now = dt.datetime.now(dt.UTC)
    incident = Incident("a:2026-11-22", "a", now.date(), now, acknowledged_at=now, acknowledged_by="A")
    store, looker = OncallDb(connect_to(oncall_database)), look.Looker()
    with store.decision_lock() as decision:
        owed = post(Message(incident.key, "warning", "At risk", ""))
        decision.record(Plan((incident,), (owed,)), now)
    claimed = store.claim("chat", EVERYTHING, dt.timedelta(seconds=75))
    assert claimed is not None
    looker.know(snapshot=store.snapshot())
    began = looker.known.began
    store.failed(claimed, "429", dt.timedelta(), uncertain=False)
    with store.decision_lock() as decision:
        decision.record(Plan((replace(incident, acknowledged_at=None, acknowledged_by=""),)), now)
    looker.hand_over(store, now)
    assert store.snapshot().incidents[0].acknowledged_at is None
    (entry,) = store.snapshot().deliveries
    assert (entry.maybe_taken, looker.known.began) == (False, began)


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


def test_whoever_begins_without_the_database_looks_back(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """oncall_db is down, and the watcher was started anew after the due instant: it pages at once."""
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", "postgresql://postgres@127.0.0.1:1/nowhere")
    due = soon(-5)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    asyncio.run(watch(lambda: bool(pages(site)) and bool(threads(site)), 25))
    assert len(pages(site)) == 1
    assert len(threads(site)) == 1


@pytest.fixture
def few_connections(
    request: pytest.FixtureRequest, site: Site, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The role that reaches `oncall_db` may have three, or as many as is asked for."""
    most = getattr(request, "param", 3)
    written = json.loads(os.environ["AIRFLOW_CONN_ONCALL_DB"])
    with closing(psycopg.connect(postgres.uri(), autocommit=True)) as admin:
        admin.execute(f"create role few login connection limit {most}")
        admin.execute(f'alter database "{written["schema"]}" owner to few')
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", json.dumps({**written, "login": "few"}))
    yield
    with closing(psycopg.connect(postgres.uri(written["schema"]), autocommit=True)) as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'few'")
        admin.execute("reassign owned by few to postgres")
        admin.execute("drop role few")


def test_senders_that_find_no_connection_send_from_memory(site: Site, few_connections: None) -> None:
    """The look held the last ones, decided at each tick, and nothing of it was ever sent."""
    due = soon(8)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    asyncio.run(watch(lambda: len(pages(site)) > 1, 40))
    assert len(pages(site)) == 1
    assert len(threads(site)) == 1


def test_whoever_has_no_time_left_to_send_claims_nothing(site: Site) -> None:
    """Airflow ends its process soon: what it had claimed would wait for its lease, and nobody else could send it."""
    due = soon(-5)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    Wiring().store().install()
    Wiring().store().set_note(SINCE, (due - dt.timedelta(hours=5)).isoformat())
    evaluate_once(within_s=0)
    assert pages(site) == []
    evaluate_once()
    assert len(pages(site)) == 1


def test_whoever_looks_once_sends_all_where_there_are_few_connections(
    site: Site, few_connections: None
) -> None:
    """Those that found none were not sent: the next look of `sla_watch` comes in five minutes."""
    due = soon(-5)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    Wiring().store().install()
    Wiring().store().set_note(SINCE, (due - dt.timedelta(hours=5)).isoformat())
    evaluate_once()
    assert len(pages(site)) == 1
    assert len(threads(site)) == 1


@pytest.mark.parametrize("few_connections", [2], indirect=True)
def test_over_one_connection_pages_go_before_what_is_said_in_the_chat(
    site: Site, few_connections: None
) -> None:
    """No sender finds one of its own: a chat that hangs would take all of the time, and nobody would be woken."""
    due = soon(-5)
    site.promise(due.timetz().replace(tzinfo=None), (due - dt.timedelta(seconds=3)).time())
    Wiring().store().install()
    Wiring().store().set_note(SINCE, (due - dt.timedelta(hours=5)).isoformat())
    evaluate_once()
    asked = [
        call.operation for call in site.inbox.calls() if call.operation in ("create", "chat.postMessage")
    ]
    assert asked[0] == "create"
    assert asked.count("create") == 1
    assert "chat.postMessage" in asked


def test_a_look_that_is_over_holds_no_connection(site: Site, postgres: Server) -> None:
    """Each sender has one of its own: they stayed open until Python next searched for garbage."""
    Wiring().store().install()
    evaluate_once()
    gc.disable()
    try:
        for _ in range(3):
            evaluate_once()
        with closing(psycopg.connect(postgres.uri(), autocommit=True)) as admin:
            asked, until = (
                "select count(*) from pg_stat_activity where datname = any(%s)",
                time.monotonic() + 5,
            )
            names = [
                json.loads(os.environ[f"AIRFLOW_CONN_{name}"])["schema"]
                for name in ("WAREHOUSE", "ONCALL_DB")
            ]
            while open_ones := admin.execute(asked, (names,)).fetchall()[0][0]:
                assert time.monotonic() < until, open_ones
                time.sleep(0.05)
    finally:
        gc.enable()
