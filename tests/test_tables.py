"""Tables of an older version become those of this one, with everything that is in them."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from structlog.testing import capture_logs

from oncall import reports
from oncall.adapters.oncall_db import OncallDb
from oncall.adapters.postgres import connect_to
from oncall.core.incident import Incident, Plan
from oncall.tables import bring_up

FIRST = "create schema if not exists notes; create table if not exists notes.kept (name text)"
SECOND = f"{FIRST}; alter table notes.kept add column if not exists said text not null default 'nothing'"
OPENED = dt.datetime(2026, 11, 22, 22, tzinfo=dt.UTC)
INCIDENT = Incident("abc", "profit_etl", dt.date(2026, 11, 22), OPENED)


def up(dsn: str, sql: str) -> None:
    with closing(psycopg.connect(dsn)) as connection:
        bring_up(connection.cursor(), "notes.kept", sql)
        connection.commit()


def asked(dsn: str, query: str) -> list[tuple[object, ...]]:
    with closing(psycopg.connect(dsn)) as connection:
        return connection.execute(query).fetchall()


def did(dsn: str, statement: str) -> None:
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        connection.execute(statement)


def test_a_new_version_adds_its_column_and_keeps_the_rows(fresh_database: str) -> None:
    """The old version's rows have the new column's default."""
    up(fresh_database, FIRST)
    did(fresh_database, "insert into notes.kept values ('old')")
    up(fresh_database, SECOND)
    assert asked(fresh_database, "select * from notes.kept") == [("old", "nothing")]


def test_the_same_text_is_run_once(fresh_database: str) -> None:
    """What somebody dropped by hand stays dropped: nothing was run again."""
    up(fresh_database, SECOND)
    did(fresh_database, "alter table notes.kept drop column said")
    up(fresh_database, SECOND)
    assert asked(
        fresh_database, "select count(*) from information_schema.columns where table_name = 'kept'"
    ) == [(1,)]


def test_the_way_back_to_the_old_version_loses_nothing(fresh_database: str) -> None:
    """It runs its own text over the newer tables; its rows get the default of what it does not know."""
    up(fresh_database, SECOND)
    did(fresh_database, "insert into notes.kept values ('new', 'much')")
    up(fresh_database, FIRST)
    did(fresh_database, "insert into notes.kept (name) values ('back')")
    assert asked(fresh_database, "select * from notes.kept") == [("new", "much"), ("back", "nothing")]


def test_eight_processes_that_start_at_once_do_not_trip_over_each_other(fresh_database: str) -> None:
    """As after an upgrade: schedulers, triggerers, workers."""
    with ThreadPoolExecutor(8) as processes:
        for sql in (FIRST, SECOND):
            list(processes.map(lambda _, sql=sql: up(fresh_database, sql), range(8)))
    assert asked(fresh_database, "select * from notes.kept") == []


def test_tables_that_are_not_ours_to_change_stay_and_the_log_says_so(fresh_database: str) -> None:
    """A fault in the text must not silence the pager either: what is there is used as it is."""
    up(fresh_database, FIRST)
    with capture_logs() as lines:
        up(fresh_database, "alter table notes.gone add column said text")
    assert [line["event"] for line in lines] == ["oncall.tables_not_brought_up"]
    assert asked(fresh_database, "select * from notes.kept") == []


def test_a_fault_while_nothing_is_there_is_an_error(fresh_database: str) -> None:
    """There is nothing to go on with."""
    with pytest.raises(psycopg.Error):
        up(fresh_database, "create table nowhere.kept (name text)")


def test_an_incident_outlives_the_upgrade_of_its_table(fresh_database: str) -> None:
    """The real store, over tables that were made before anybody kept a digest."""
    store = OncallDb(connect_to(fresh_database))
    store.install()
    with store.deciding() as desk:
        desk.record(Plan(incidents=(INCIDENT,)), OPENED)
    did(fresh_database, "comment on table oncall.memory is null")
    store.install()
    with store.deciding() as desk:
        assert desk.incidents() == [INCIDENT]


def test_publications_outlive_the_upgrade_of_the_warehouse(fresh_database: str) -> None:
    """As made by an older version, whose digest is another one."""
    with closing(psycopg.connect(fresh_database)) as connection:
        reports.install(connection)
    did(fresh_database, "comment on table investor.publications is 'made with another text'")
    did(fresh_database, "insert into investor.daily_profit values ('2026-11-22', 1, 2, 3, 4, 5, 6)")
    with closing(psycopg.connect(fresh_database)) as connection:
        reports.install(connection)
    ((comment,),) = asked(
        fresh_database, "select obj_description('investor.publications'::regclass, 'pg_class')"
    )
    assert comment != "made with another text"
    assert asked(fresh_database, "select orders from investor.daily_profit") == [(1,)]
