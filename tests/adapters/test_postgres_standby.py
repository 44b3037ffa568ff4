"""A warehouse that is read from a hot standby: what it does not show yet is not said to be missing."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from oncall.adapters.postgres import warehouse as warehouse_module
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.config import oncall_config
from oncall.core.errors import Unreadable
from oncall.core.incidents.incident import Incident, Plan
from sandbox.stack import postgres
from sandbox.stack.postgres import Server
from tests.conftest import open_folder

REPOSITORY = Path(__file__).resolve().parents[2]
GROWTH = oncall_config.load(REPOSITORY / "include").pipelines["growth_etl"]
DAY = dt.date(2026, 11, 22)
NIGHT = dt.datetime(2026, 11, 22, 20, tzinfo=dt.UTC)
STREAMS = {"wal_level": "replica", "max_wal_senders": "4", "shared_buffers": "16MB", "max_connections": "20"}


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Server]]:
    """A primary with a warehouse, and its standby."""
    monkeypatch.setattr(postgres, "SETTINGS", {**postgres.SETTINGS, **STREAMS})
    with open_folder() as folder:
        primary = postgres.start(folder / "primary")
        with closing(psycopg.connect(primary.ensure_database("warehouse"), autocommit=True)) as connection:
            for name in ("sandbox/master_data/master.sql", "include/sql/warehouse.sql"):
                connection.execute((REPOSITORY / name).read_text())
        OncallDb(connect_to(primary.ensure_database("oncall"))).install()
        primary.stop()
        copy = folder / "standby"
        shutil.copytree(primary.data_dir, copy, ignore=shutil.ignore_patterns("postmaster.*"))
        (copy / "standby.signal").touch()
        with open(copy / "postgresql.auto.conf", "a", encoding="utf-8") as settings:
            settings.write(f"primary_conninfo = 'host={primary.socket_dir} user=postgres'\n")
        owner = primary.data_dir.stat()
        for path in (copy, *copy.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        copy.chmod(0o700)
        primary = postgres.start(primary.data_dir)
        standby = postgres.start(copy)
        try:
            yield primary, standby
        finally:
            standby.stop()
            primary.stop()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_a_lagging_standby_does_not_show_cannot_be_told(
    servers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither "not published" nor "not loaded", which would name the upstream team; what it shows is known."""
    primary, standby = servers
    monkeypatch.setattr(warehouse_module, "BEHIND", dt.timedelta(seconds=0.5))
    warehouse = Warehouse(connect_to(standby.uri("warehouse")))

    def known(day: dt.date) -> tuple[bool, bool, bool]:
        facts = warehouse.read([(GROWTH, day)])["growth_etl", day]
        lags = any("a standby that lags behind its primary" in reason for reason in facts.unreadable)
        return facts.publication is not None, bool(facts.loads), lags

    with (
        closing(psycopg.connect(primary.uri("warehouse"), autocommit=True)) as write,
        closing(psycopg.connect(standby.uri("warehouse"), autocommit=True)) as copying,
    ):
        publish = (
            "insert into investor.publications (report, report_date, published_at, read_at, first_published_at,"
            " run_id, rows) values (%s, %s, %s, %s, %s, 'scheduled', 1)"
        )
        before = DAY - dt.timedelta(days=1)
        write.execute(publish, (GROWTH.report, before, NIGHT, NIGHT, NIGHT))
        until(lambda: known(before) == (True, True, False))
        time.sleep(0.6)  # nothing new for a while, and nothing that it does not show
        assert known(DAY) == (False, True, False)
        copying.execute("select pg_wal_replay_pause()")
        write.execute(publish, (GROWTH.report, DAY, NIGHT, NIGHT, NIGHT))
        until(lambda: known(DAY) == (False, False, True))
        assert known(before)[0]
        copying.execute("select pg_wal_replay_resume()")
        until(lambda: known(DAY) == (True, True, False))
        primary.stop()
        until(lambda: known(DAY + dt.timedelta(days=1)) == (False, False, True))


def test_a_standby_cannot_be_written_to(servers: tuple[Server, Server]) -> None:
    """As the place of incidents it is of no use, and says so."""
    store = OncallDb(connect_to(servers[1].uri("oncall")))
    store.install()
    with pytest.raises(Unreadable, match="read-only"):
        store.set_note("name", "value")


def test_of_several_servers_the_primary_is_asked(servers: tuple[Server, Server]) -> None:
    """After a failover the first of them may be a standby; without a primary it is said what to write."""
    primary, standby = servers
    both = f"postgresql://postgres@/oncall?host={standby.socket_dir},{primary.socket_dir}"
    store = OncallDb(connect_to(both))
    store.set_note("name", "value")
    assert store.get_note("name") == "value"
    primary.stop()
    with pytest.raises(Unreadable, match="hot standby mode; write a host that is the primary now, too"):
        OncallDb(connect_to(f"{both},{standby.socket_dir}")).get_note("name")


def test_a_standby_that_is_away_holds_up_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may be told to wait for it at each: no time-out ends that, and the row stays locked."""
    with open_folder() as folder:
        monkeypatch.setattr(
            postgres, "SETTINGS", {**postgres.SETTINGS, **STREAMS, "synchronous_commit": "on"}
        )
        server = postgres.start(folder / "primary")
        try:
            server.ensure_database("oncall")
            OncallDb(connect_to(server.uri("oncall"))).install()
            with closing(psycopg.connect(server.uri(), autocommit=True)) as admin:
                admin.execute("alter system set synchronous_standby_names = 'nobody'")
                admin.execute("select pg_reload_conf()")
            store, began = OncallDb(connect_to(server.uri("oncall"))), time.monotonic()
            store.set_note("name", "value")
            with store.decision_lock() as decision:
                decision.record(Plan((Incident("a", "growth_etl", DAY, NIGHT),)), NIGHT)
            assert time.monotonic() - began < 5
        finally:
            server.stop()
