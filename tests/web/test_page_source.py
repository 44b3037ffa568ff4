"""What stands behind the page, on a real PostgreSQL: everything at once, one database down, both down, hand by hand."""

from __future__ import annotations

import datetime as dt
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.history import History
from oncall.adapters.postgres.lasting_connections import SharedConnection
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.postgres.task_log import TaskLog
from oncall.core.errors import ConfigError, Unreadable
from oncall.core.incidents.incident import Event, Incident, Notification, Plan
from oncall.core.incidents.wording import Links
from oncall.core.message import Message, Recipient
from oncall.core.promises.attainment import FirstPublished
from oncall.core.promises.facts import Task
from oncall.web.views.banners import banners
from oncall.web.views.overview import overview
from sandbox.stack.postgres import Server
from tests.web.example_page import DAY, INCLUDE, TZ, at, config

NOW = at("05:12")
KEY = "growth_etl:2026-11-22"


@pytest.fixture
def airflow_env(
    postgres: Server, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Point Airflow's connections at databases of this test; a name that does not exist is a database that is down."""
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(INCLUDE))

    def point(warehouse: str, oncall_db: str) -> None:
        for conn_id, database in (("WAREHOUSE", warehouse), ("ONCALL_DB", oncall_db)):
            uri = {
                "conn_type": "postgres",
                "host": str(postgres.socket_dir),
                "login": "postgres",
                "schema": database,
            }
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", json.dumps(uri))
        for conn_id in ("OPSGENIE_DEFAULT", "SLACK_API_DEFAULT"):
            dead = {
                "conn_type": "http",
                "host": "http://127.0.0.1:9",
                "password": "key",
                "extra": {"base_url": "http://127.0.0.1:9/"},
            }
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", json.dumps(dead))

    return point


@pytest.fixture
def database(oncall_database: str) -> str:
    """The name of a database with both schemas, a publication, a run and an incident."""
    name = oncall_database.partition("?")[0].rpartition("/")[2]
    connect = connect_to(oncall_database)
    store = OncallDb(connect)
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("create schema master; create schema investor")
        cursor.execute(
            "create table master.loads (table_name text, business_day date, loaded_at timestamptz, row_count bigint)"
        )
        cursor.execute(
            "create table investor.publications (report text, report_date date, published_at timestamptz,"
            " first_published_at timestamptz, read_at timestamptz, run_id text, rows bigint)"
        )
        cursor.execute(
            "create table investor.checks (report text, report_date date, name text, expected text, found text,"
            " passed bool, run_id text, checked_at timestamptz)"
        )
        cursor.execute(
            "insert into investor.publications values ('investor.daily_profit', %s, %s, %s, null, 'r', 1)",
            (DAY, at("02:31"), at("02:31")),
        )
    TaskLog(connect).write(("growth_etl", DAY), Task.as_of(at("03:12"), "transform", "running", "run"))
    incident = Incident(
        KEY, "growth_etl", DAY, at("05:00"), at("05:00"), verdict="broken", paged_at=at("05:00")
    )
    message = Message(
        KEY, "page-1-primary", "Growth is late", recipients=(Recipient("DE-003", "x@example.com"),)
    )
    owed = Notification(KEY, "page-1-primary", "pager", "page", message, message.alias)
    late = Message(f"{KEY}@#swe", "upstream-late", "master.orders late", channel="#swe")
    theirs = Notification(late.key, late.step, "chat", "post", late)
    with store.decision_lock() as decision:
        decision.record(
            Plan((incident,), (owed, theirs), (Event(KEY, at("05:00"), "paged DE-003"),)), at("05:00")
        )
    store.set_note("tick", (NOW - dt.timedelta(seconds=5)).isoformat())
    store.set_note("channel:chat", json.dumps({"since": at("05:01").isoformat(), "reason": "timed out"}))
    return name


def test_one_reading_holds_everything(airflow_env: Callable[[str, str], None], database: str) -> None:
    """Verdicts, the incident with its timeline, publications, the watcher's tick, the failing channel."""
    from oncall.airflow.composition import Wiring
    from oncall.airflow.page_reading import PageReading

    airflow_env(database, database)
    seen = PageReading(Wiring()).read(NOW)
    assert seen.unreadable == ()
    verdicts = {one.pipeline.dag_id: one.verdict for one in seen.statuses if one.report_date == DAY}
    assert (verdicts["profit_etl"], verdicts["growth_etl"]) == ("kept", "broken")
    (record,) = seen.records
    assert record.incident.key == KEY
    assert [event.what for event in record.events] == ["paged DE-003"]
    assert [(told.people, told.state, told.room) for told in record.told] == [(("DE-003",), "owed", "")]
    assert [(told.title, told.room) for told in record.others] == [("master.orders late", "#swe")]
    assert seen.published["investor.daily_profit"] == {DAY: FirstPublished(at("02:31"))}
    assert seen.tick == NOW - dt.timedelta(seconds=5)
    assert [banner.title for banner in banners(seen)] == ["Slack cannot be reached since 05:01"]


def test_a_row_that_tells_of_no_incident_is_said(
    airflow_env: Callable[[str, str], None], database: str, oncall_database: str
) -> None:
    """It is passed over wherever incidents are read: in red, and beside the others."""
    from oncall.airflow.composition import Wiring
    from oncall.airflow.page_reading import PageReading

    airflow_env(database, database)
    with connect_to(oncall_database)() as connection:
        connection.execute("insert into oncall.incidents (key, dag_id, report_date, opened_at)"
                           " values ('', 'growth_etl', %s, now())", (DAY,))  # fmt: skip
    seen = PageReading(Wiring()).read(NOW)
    assert [record.incident.key for record in seen.records] == [KEY]
    said = banners(seen)[-1]
    assert said.title == "An open incident in oncall_db does not tell of what it is"
    assert said.lines[-1].startswith("oncall.incidents has 1 open row without a key,")


@pytest.mark.parametrize(
    ("warehouse", "oncall_db", "down"),
    [("", "gone", ["oncall_db"]), ("gone", "", ["warehouse"]), ("gone", "gone", ["oncall_db", "warehouse"])],
)
def test_a_database_that_is_down_leaves_a_page(
    airflow_env: Callable[[str, str], None], database: str, warehouse: str, oncall_db: str, down: list[str]
) -> None:
    """Who is on call needs neither; what cannot be read is named, and asked once only."""
    from oncall.airflow.composition import Wiring
    from oncall.airflow.page_reading import PageReading

    airflow_env(warehouse or database, oncall_db or database)
    began = time.monotonic()
    seen = PageReading(Wiring()).read(NOW)
    assert time.monotonic() - began < 10
    assert [reason.partition(":")[0] for reason in seen.unreadable] == down
    page = overview(seen, Links(""))
    assert page.now.current.primary
    assert page.now.current.primary.id == "DE-003"
    assert len(page.pipelines) == 5


def test_acting_records_although_both_channels_are_down(
    airflow_env: Callable[[str, str], None], database: str
) -> None:
    """The acknowledgement is written down and owed; the page shows it at once."""
    from oncall.airflow.page_source import PageSource

    airflow_env(database, database)
    behind = PageSource()
    behind.read()
    outcome = behind.acknowledge(KEY, "anna", [KEY.split(":")[0]])
    assert outcome.done
    record = next(record for record in behind.read().records if record.incident.key == KEY)
    assert record.incident.acknowledged_by == "anna"
    assert any(told.op == "acknowledge" for told in record.told)
    assert not behind.acknowledge(KEY, "bert", [KEY.split(":")[0]]).done


def test_acting_without_the_store_says_what_to_do_instead(
    airflow_env: Callable[[str, str], None], database: str
) -> None:
    """Nothing is pretended."""
    from oncall.airflow.page_source import PageSource

    airflow_env(database, "gone")
    outcome = PageSource().acknowledge(KEY, "anna", [KEY.split(":")[0]])
    assert not outcome.done
    assert "in Opsgenie instead" in outcome.words


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ('alter database "{}" set default_transaction_read_only = on', True),
        (
            "create function oncall.fails() returns trigger language plpgsql as $$ begin raise exception using errcode"
            " = '25006', message = 'cannot execute UPDATE in a read-only transaction'; end $$;"
            " create trigger fails before insert or update on oncall.incidents"
            " for each statement execute function oncall.fails()",
            False,
        ),
    ],
    ids=["by a default", "in truth"],
)
def test_what_is_said_of_an_act_on_a_read_only_oncall_db_is_true(
    airflow_env: Callable[[str, str], None], database: str, oncall_database: str, sql: str, written: bool
) -> None:
    """A default of the database or role is one that each session of ours sets otherwise: it is truly written there."""
    from oncall.airflow.page_source import PageSource

    airflow_env(database, database)
    with psycopg.connect(oncall_database, autocommit=True) as admin:
        admin.execute(sql.format(database))
        outcome = PageSource().acknowledge(KEY, "anna", [KEY.split(":")[0]])
        assert outcome.done is written
        assert ("in Opsgenie instead" in outcome.words) is not written
        found = admin.execute(
            "select acknowledged_by from oncall.incidents where key = %s", (KEY,)
        ).fetchall()
    assert found == [("anna" if written else "",)]


@pytest.mark.parametrize("wiring_s", [60.0, 0.0], ids=["while it is read", "while its connections are read"])
def test_a_database_that_hangs_holds_up_whoever_reads_it_and_nobody_else(
    airflow_env: Callable[[str, str], None],
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    wiring_s: float,
) -> None:
    """The page waits for the warehouse, which swallows what it is sent; whoever acts meanwhile does not."""
    from oncall.airflow import composition
    from oncall.airflow.page_source import PageSource

    airflow_env(database, database)
    monkeypatch.setattr(composition, "WIRING_S", wiring_s)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hangs = {"conn_type": "postgres", "host": "127.0.0.1", "port": silent.getsockname()[1]}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(hangs))
        source = PageSource()
        source.feeds()
        with ThreadPoolExecutor(1) as reader:
            reading, began = reader.submit(source.read), time.monotonic()
            time.sleep(0.5)
            source.feeds()
            acted = time.monotonic() - began
            seen = reading.result()
    assert (acted < 1.5, time.monotonic() - began > 2) == (True, True)
    assert [reason.partition(":")[0] for reason in seen.unreadable] == ["warehouse"]


def test_a_reading_that_began_before_somebody_acted_is_not_shown_after_it(
    airflow_env: Callable[[str, str], None], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever acknowledged would see that nobody has."""
    from oncall.airflow.page_reading import PageReading
    from oncall.airflow.page_source import PageSource

    airflow_env(database, database)
    source, read = PageSource(), PageReading.read

    def slowly(self: PageReading, now: dt.datetime) -> Any:
        seen = read(self, now)
        source.acknowledge(KEY, "anna", [KEY.split(":")[0]])
        return seen

    monkeypatch.setattr(PageReading, "read", slowly)
    with ThreadPoolExecutor(1) as reader:
        reader.submit(source.read).result(30)
    monkeypatch.setattr(PageReading, "read", read)
    record = next(record for record in source.read().records if record.incident.key == KEY)
    assert record.incident.acknowledged_by == "anna"


def test_readers_share_one_reading(airflow_env: Callable[[str, str], None], database: str) -> None:
    """Five pollers do not make five times the queries."""
    from oncall.airflow.page_source import PageSource

    airflow_env(database, database)
    behind = PageSource()
    assert behind.read() is behind.read()


def test_broken_files_without_a_last_good_are_told_as_such(
    airflow_env: Callable[[str, str], None], database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A new installation with a bad roster: every problem, nothing else."""
    from oncall.airflow.page_source import PageSource

    airflow_env(database, database)
    (tmp_path / "roster.yaml").write_text("manager: nobody\n")
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(tmp_path))
    with pytest.raises(ConfigError):
        PageSource().read()


def test_a_server_that_takes_no_more_is_read_over_the_connections_in_use(
    airflow_env: Callable[[str, str], None], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections are read again each minute: the page and the health go on by those that stand."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    from oncall.airflow import composition, health, page_source
    from oncall.airflow.health import SharedHealth
    from oncall.airflow.page_source import PageSource

    def too_many(_: PostgresHook) -> None:
        raise psycopg.OperationalError("FATAL: sorry, too many clients already")

    for module, name in ((health, "SHARED_S"), (page_source, "SHARED_S"), (composition, "WIRING_S")):
        monkeypatch.setattr(module, name, 0.0)
    airflow_env(database, database)
    source, beat = PageSource(), SharedHealth()
    assert (source.read().unreadable, beat.read().tick) == ((), NOW - dt.timedelta(seconds=5))
    monkeypatch.setattr(PostgresHook, "get_conn", too_many)
    assert (source.read().unreadable, beat.read().tick) == ((), NOW - dt.timedelta(seconds=5))


def test_a_database_that_moved_behind_its_name_is_read_where_it_is_now(
    airflow_env: Callable[[str, str], None],
    database: str,
    fresh_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its old server still answers whoever is connected: page and health were as of the hour in which it moved."""
    from oncall.adapters.postgres.session import Session
    from oncall.airflow import composition, health, page_source
    from oncall.airflow.health import SharedHealth
    from oncall.airflow.page_source import PageSource

    connect, moved = Session.connect, connect_to(fresh_database)
    OncallDb(moved).install()
    OncallDb(moved).set_note("tick", NOW.isoformat())

    def elsewhere(**given: Any) -> Session:
        return connect(
            fresh_database, **{k: v for k, v in given.items() if k not in ("dbname", "host", "user")}
        )

    for module, name in ((health, "SHARED_S"), (page_source, "SHARED_S"), (composition, "WIRING_S")):
        monkeypatch.setattr(module, name, 0.0)
    airflow_env(database, database)
    source, beat = PageSource(), SharedHealth()
    assert (source.read().tick, beat.read().tick) == (NOW - dt.timedelta(seconds=5),) * 2
    monkeypatch.setattr(Session, "connect", elsewhere)
    assert (source.read().tick, beat.read().tick) == (NOW, NOW)


def test_the_example_is_the_shipped_folder() -> None:
    """What the other tests show is what ships, with some leave added."""
    assert config().roster.tz.utcoffset(None) == TZ.utcoffset(None)
    assert replace(config().roster, leave=(), overrides=()).people


def test_what_is_over_is_remembered_and_a_restarted_database_is_found_again(oncall_database: str) -> None:
    """A day after its end an incident is read no more, and one that changed after all is; connections may break."""
    connect = SharedConnection(connect_to(oncall_database))
    store, history = OncallDb(connect), History(connect)
    over = Incident(
        KEY, "growth_etl", DAY, at("05:00"), resolved_at=at("05:42", DAY - dt.timedelta(days=300))
    )
    with store.decision_lock() as decision:
        decision.record(Plan((over,), events=(Event(KEY, at("05:00"), "paged DE-003"),)), at("05:00"))
    first = history.records(at("00:00"), 10)
    with connect_to(oncall_database)() as other:
        other.execute("truncate oncall.events")
        others = (
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database()"
        )
        other.execute(f"{others} and pid <> pg_backend_pid()")
    assert history.records(at("00:00"), 10) == first
    assert [event.what for event in first[0].events] == ["paged DE-003"]
    with store.decision_lock() as decision:
        decision.record(Plan((replace(over, detail="after all"),)), at("05:00"))
    (changed,) = history.records(at("00:00"), 10)
    assert (changed.incident.detail, changed.events) == ("after all", ())


def test_the_incident_that_others_are_told_with_stands_before_them(oncall_database: str) -> None:
    """Whichever was opened last: there is nothing to press on the others."""
    store, history = OncallDb(connect_to(oncall_database)), History(connect_to(oncall_database))
    keys = [f"{dag_id}:{DAY}" for dag_id in ("engagement_etl", "growth_etl", "profit_etl")]
    opened = [Incident(key, key.partition(":")[0], DAY, at(f"05:0{n}")) for n, key in enumerate(keys[::-1])]
    made = [replace(incident, leader=keys[2] if incident.key != keys[2] else "") for incident in opened]
    drill = Incident(f"drill-1:{keys[0]}", "engagement_etl", DAY, at("05:04"), at("05:04"), drill="drill-1")
    with store.decision_lock() as decision:
        decision.record(Plan((*made, drill)), at("05:05"))
    shown = [record.incident.key for record in history.records(at("00:00"), 10)]
    assert shown == [keys[2], keys[0], keys[1], drill.key], "a drill keeps nobody from what is real"


def test_reports_are_read_by_the_same_connection(
    airflow_env: Callable[[str, str], None], database: str
) -> None:
    """What the warehouse has of one, or that it cannot be read; without a desk nothing is said of staleness."""
    from oncall.airflow.page_source import PageSource

    window = ("investor.daily_profit", DAY - dt.timedelta(days=60), DAY)
    airflow_env(database, database)
    reports = PageSource().reports()
    assert reports.numbers(*window).published == {DAY: FirstPublished(at("02:31"))}
    assert reports.numbers(*window).columns == ()
    with pytest.raises(Unreadable):
        reports.stale(config())
    airflow_env("gone", database)
    with pytest.raises(Unreadable, match="warehouse: "):
        PageSource().reports().numbers(*window)
