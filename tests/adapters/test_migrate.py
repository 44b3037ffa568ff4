"""Tables of an older version become those of this one, with everything that is in them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from structlog.testing import capture_logs

from oncall.adapters.postgres import migrate
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.migrate import bring_up
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.core.errors import Unreadable
from oncall.core.incidents.incident import Incident, Plan
from pipelines import runner
from pipelines.sql_files import REPOSITORY_SQL

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
    with store.decision_lock() as decision:
        decision.record(Plan(incidents=(INCIDENT,)), OPENED)
    did(fresh_database, "comment on table oncall.memory is null")
    store.install()
    with store.decision_lock() as decision:
        assert decision.incidents() == [INCIDENT]


def test_publications_outlive_the_upgrade_of_the_warehouse(fresh_database: str) -> None:
    """As made by an older version, whose digest is another one."""
    with closing(psycopg.connect(fresh_database)) as connection:
        runner.install(connection)
    did(fresh_database, "comment on table investor.publications is 'made with another text'")
    did(fresh_database, "insert into investor.daily_profit values ('2026-11-22', 1, 2, 3, 4, 5, 6)")
    with closing(psycopg.connect(fresh_database)) as connection:
        runner.install(connection)
    ((comment,),) = asked(
        fresh_database, "select obj_description('investor.publications'::regclass, 'pg_class')"
    )
    assert comment != "made with another text"
    assert asked(fresh_database, "select orders from investor.daily_profit") == [(1,)]


@pytest.fixture
def limited(fresh_database: str) -> Iterator[tuple[str, Callable[[str], None]]]:
    """The DSN of a role without any right, and how the DBA grants it some."""
    role = f"limited_{uuid.uuid4().hex[:12]}"
    did(fresh_database, f"create role {role} login")
    database = conninfo_to_dict(fresh_database)["dbname"]

    def grant(statement: str) -> None:
        did(fresh_database, statement.format(role=role, database=f'"{database}"'))

    yield make_conninfo(fresh_database, user=role), grant
    did(fresh_database, f"drop owned by {role} cascade; drop role {role}")


def made_by_the_dba(dsn: str) -> None:
    OncallDb(connect_to(dsn)).install()
    with closing(psycopg.connect(dsn)) as connection:
        runner.install(connection)


def test_a_schema_that_the_dba_made_is_enough(limited: tuple[str, Callable[[str], None]]) -> None:
    """`create schema if not exists` asks for CREATE on the database even then: it is not run."""
    dsn, grant = limited
    grant("create schema oncall authorization {role}")
    store = OncallDb(connect_to(dsn))
    store.install()
    store.install()
    store.set_note("a", "b")
    assert store.get_note("a") == "b"
    for schema in ("base", "investor", "experiments"):
        grant(f"create schema {schema} authorization {{role}}")
    with closing(psycopg.connect(dsn)) as connection:
        runner.install(connection)
    assert asked(dsn, "select count(*) from investor.publications") == [(0,)]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ((), r"grant create on database test_\w+ to limited_\w+"),
        (("create schema oncall",), r"grant usage, create on schema oncall to limited_\w+"),
        (
            ("create schema oncall", "grant usage on schema oncall to {role}"),
            r"grant usage, create on schema oncall",
        ),
        (
            (
                "create schema oncall",
                "grant usage, create on schema oncall to {role}",
                "create table oncall.incidents (resolved_at timestamptz, opened_at timestamptz)",
            ),
            r"alter table oncall.incidents owner to limited_\w+",
        ),
    ],
)
def test_what_may_not_be_made_is_said_with_the_grant_that_is_missing(
    limited: tuple[str, Callable[[str], None]], given: tuple[str, ...], missing: str
) -> None:
    """In one line, for whoever runs the database."""
    dsn, grant = limited
    for statement in given:
        grant(statement)
    with pytest.raises(Unreadable, match=missing) as caught:
        OncallDb(connect_to(dsn)).install()
    assert "\n" not in str(caught.value)


def test_tables_that_somebody_else_owns_are_used_as_they_are(
    fresh_database: str, limited: tuple[str, Callable[[str], None]]
) -> None:
    """All is there: nothing is run, nothing is complained of, however often."""
    made_by_the_dba(fresh_database)
    dsn, grant = limited
    grant("comment on table oncall.memory is 'made by hand'; comment on table investor.publications is null")
    for schema in ("oncall", "base", "investor", "experiments"):
        grant(f"grant usage on schema {schema} to {{role}}")
        grant(f"grant select, insert, update, delete on all tables in schema {schema} to {{role}}")
    with capture_logs() as lines:
        for _ in range(2):
            OncallDb(connect_to(dsn)).install()
            with closing(psycopg.connect(dsn)) as connection:
                runner.install(connection)
    assert lines == []


def test_every_statement_of_the_shipped_files_is_known() -> None:
    """What is run again by a role that owns nothing must be recognised as there."""
    for path in (
        Path(migrate.__file__).parent / "oncall_db.sql",
        REPOSITORY_SQL / "warehouse.sql",
    ):
        statements = list(migrate._statements(path.read_text(encoding="utf-8")))
        assert len(statements) > 10
        for statement in statements:
            guarded = statement.startswith("do $$") and "exception when others" in statement
            assert guarded or migrate._made_by(statement)[0], statement


@pytest.mark.parametrize("ours", [True, False])
def test_upstreams_loads_are_indexed_where_they_are_ours_to_index(
    fresh_database: str, limited: tuple[str, Callable[[str], None]], ours: bool
) -> None:
    """Where they are not, everything else is made all the same."""
    dsn, grant = limited
    grant(
        "create schema master; create table master.loads (table_name text, business_day date, loaded_at timestamptz)"
    )
    grant("grant create on database {database} to {role}")
    if ours:
        grant("alter schema master owner to {role}; alter table master.loads owner to {role}")
    with closing(psycopg.connect(dsn)) as connection:
        runner.install(connection)
    found = asked(fresh_database, "select count(*) from pg_index where indrelid = 'master.loads'::regclass")
    assert found == [(int(ours),)]
    assert asked(dsn, "select count(*) from investor.publications") == [(0,)]
