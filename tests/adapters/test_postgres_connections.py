"""Connections and databases as people really have them: read the same, or refused in words that hold no secret."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg import sql

from oncall.adapters.postgres.database import connect_by, connect_to, work_by
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.core.errors import Unreadable
from oncall.core.incidents.incident import Incident, Plan
from sandbox.stack.postgres import Server

AT = dt.datetime(2026, 11, 22, 22, 5, tzinfo=dt.UTC)
DAY = dt.date(2026, 11, 22)
SECRET = "s3cr3t-of-the-warehouse"
TIMEOUTS = (
    "select current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
)

Write = Callable[..., str]


@pytest.fixture
def database(fresh_database: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(fresh_database)["dbname"])


@pytest.fixture
def written(postgres: Server, database: str, connect: Write) -> Write:
    """Writes the Airflow connection to the fresh database, with changes; returns its id."""

    def write(**changes: Any) -> str:
        usual = {
            "conn_type": "postgres",
            "host": str(postgres.socket_dir),
            "login": "postgres",
            "schema": database,
        }
        return connect("db", password=changes.pop("password", None), **usual | changes)

    return write


def asked(conn_id: str, query: str) -> list[Any]:
    with LastingConnection(connect_by(conn_id), "warehouse").cursor() as cursor:
        return cursor.execute(query).fetchall()


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": {"cursor": "dictcursor"}},
        {"extra": {"cursor": "realdictcursor"}},
        {"extra": {"cursor": "namedtuplecursor"}},
        {"extra": {"cursor": "no such cursor"}},
        {"extra": {"options": "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0"}},
        {"extra": {"options": "-c datestyle=German -c timezone=America/New_York -c search_path=nowhere"}},
        {"extra": {"options": "-c standard_conforming_strings=off -c intervalstyle=sql_standard"}},
        {"extra": {"connect_timeout": "30"}},
        {"extra": {"connect_timeout": "soon"}},
        {"extra": {"connect_timeout": None, "sslmode": "", "options": None}},
        {"extra": {"client_encoding": "latin1"}},
        {"extra": {"autocommit": False, "prepare_threshold": 0, "row_factory": None}},
        {"extra": {"sslmode": "disable", "application_name": "x", "keepalives": "0", "tcp_user_timeout": 1}},
        {"extra": {"sslmode": "prefer", "gssencmode": "disable"}},
        {"extra": {"iam": "false", "redshift": "False", "keepalives": "true", "keepalives_idle": " 30 "}},
        {"extra": {"sslmode": " disable\n", "sslcert": " "}},
        {"login": "postgres\n", "password": "s3cr3t\r\n", "port": "5432"},
        {"extra": ""},
        {"extra": "null"},
        {"extra": "{}"},
        {"extra": None},
        {"port": None},
        {"conn_type": "postgresql"},
        {"conn_type": ""},
    ],
    ids=str,
)
def test_a_connection_of_any_shape_reads_the_same(written: Write, changes: dict[str, Any]) -> None:
    """Dates are dates, instants are in UTC, rows are tuples, the time-outs are ours."""
    row = asked(
        written(**changes),
        r"select date '2026-11-22', timestamptz '2026-11-23 05:05+07', 'a\b', interval '1 day 2 hours', 'Ж'",
    )
    assert row == [(DAY, AT, r"a\b", dt.timedelta(days=1, hours=2), "Ж")]
    assert row[0][1].utcoffset() == dt.timedelta(0)
    assert asked("db", TIMEOUTS) == [("5s", "10s")]


def test_an_empty_host_is_the_one_of_the_environment(
    written: Write, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for every other client of PostgreSQL."""
    monkeypatch.setenv("PGHOST", str(postgres.socket_dir))
    monkeypatch.setenv("PGDATESTYLE", "SQL, DMY")
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    for host in ("", None):
        assert asked(written(host=host), "select date '2026-11-22', now()")[0][0] == DAY


@pytest.mark.parametrize(
    "setting",
    [
        "datestyle = German",
        "datestyle = SQL",
        "datestyle = 'Postgres, DMY'",
        "timezone = 'Asia/Kathmandu'",
        "client_encoding = LATIN1",
        "default_transaction_read_only = on",
        "default_transaction_isolation = serializable",
        "standard_conforming_strings = off",
        "search_path = nowhere",
        "lock_timeout = 1",
        "statement_timeout = 200",
        "idle_in_transaction_session_timeout = 1",
        "bytea_output = escape",
        "extra_float_digits = -15",
        "row_security = off",
        "lc_messages = 'C'",
        "intervalstyle = iso_8601",
        "transform_null_equals = on",
        "transaction_timeout = 200",
        "idle_session_timeout = 200",
        "quote_all_identifiers = on",
        "array_nulls = off",
    ],
)
def test_what_role_or_database_set_does_not_matter(
    fresh_database: str, database: str, written: Write, setting: str
) -> None:
    """The store writes, and reads what it wrote."""
    with closing(psycopg.connect(fresh_database, autocommit=True)) as admin:
        admin.execute(f'alter database "{database}" set {setting}')
    store = OncallDb(connect_by(written()))
    store.install()
    incident = Incident("a", "profit_etl", DAY, AT, detail=r"a\b Ж")
    with store.decision_lock() as decision:
        decision.record(Plan(incidents=(incident,)), AT)
        if "_timeout" in setting:
            time.sleep(0.3)
        assert decision.incidents() == [incident]
    with closing(work_by("db")) as work:
        if "_timeout" in setting:
            time.sleep(0.3)
        assert work.execute("select date '2026-11-22'").fetchall() == [(DAY,)]
        assert work.execute("select current_setting('statement_timeout')").fetchall() == [("0",)]


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def narrow(request: pytest.FixtureRequest, postgres: Server) -> Iterator[str]:
    """The name of a database that is not UTF-8."""
    name = f"narrow_{uuid.uuid4().hex}"
    make = sql.SQL("create database {} encoding {} lc_collate 'C' lc_ctype 'C' template template0")
    with closing(psycopg.connect(postgres.uri(), autocommit=True)) as admin:
        admin.execute(make.format(sql.Identifier(name), sql.Literal(request.param)))
    yield name
    postgres.drop_database(name)


def test_a_database_that_is_not_utf8_is_refused_in_words(written: Write, narrow: str) -> None:
    """At install as at every look; the words say what to do."""
    conn_id = written(schema=narrow)
    for use in (lambda: asked(conn_id, "select 1"), lambda: OncallDb(connect_by(conn_id)).install()):
        with pytest.raises(Unreadable, match=r"encoded in (SQL_ASCII|LATIN1).*encoding 'UTF8'"):
            use()
    with pytest.raises(Unreadable, match="encoding 'UTF8'"):
        work_by(conn_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "127.0.0.1", "port": 1, "password": SECRET},
        {"host": f"https://user:{SECRET}@warehouse.example"},
        {"host": f"user:{SECRET}@warehouse.example"},
        {"host": f"warehouse password={SECRET}", "password": SECRET},
        {"schema": f"x password={SECRET} port={SECRET}", "password": SECRET},
        {"login": "nobody", "password": SECRET},
        {"extra": {"sslmode": "sometimes", "sslpassword": SECRET}},
        {"extra": {"no_such_option": SECRET, "token": SECRET}},
        {"extra": {"options": "no options"}},
        {"extra": {"conninfo": f"host=127.0.0.1 password={SECRET}"}},
        {"extra": {"context": "x"}},
        {"extra": {"row_factory": "dict_row"}},
        {"extra": f'{{"sslmode": "verify-full", "sslpassword": "{SECRET}",}}'},
        {"extra": f"sslmode=verify-full sslpassword={SECRET}"},
        {"host": f"db.example.com;password={SECRET}"},
        {"host": f"db.example.com/{SECRET}"},
        {"extra": {"iam": True, "aws_conn_id": "nowhere", "aws_secret_access_key": SECRET}},
        {"extra": {"azure_conn_id": "nowhere", "iam": True}},
        {"extra": "[1]"},
        {"extra": '"text"'},
        {"port": 99999},
        {"schema": "no_such_database\x01"},
        {"host": f"https://user:{SECRET}@db.example.com"},
        {"host": f"user:{SECRET}@localhost"},
    ],
    ids=str,
)
def test_whatever_connecting_raises_is_unreadable_and_holds_no_secret(
    written: Write, changes: dict[str, Any]
) -> None:
    """One line that names the source."""
    with pytest.raises(Unreadable, match=r"^(warehouse: |connection 'db')") as caught:
        asked(written(**changes), "select 1")
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(Unreadable):
        work_by("db")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"extra": {"pool_size": 5}}, "has an extra that libpq does not know: pool_size; take it out"),
        ({"extra": {"ssl mode": "disable"}}, "that libpq does not know: ssl mode;"),
        (
            {"extra": {"extra__postgres__sslmode": "disable"}},
            "that libpq does not know: extra__postgres__sslmode;",
        ),
        ({"extra": '{"sslmode": disable}'}, "has an extra that is no JSON (line 1, column 13)"),
        ({"extra": [1]}, "has an extra that is no JSON object"),
        (
            {"host": "postgresql://127.0.0.1"},
            "more in its host than a host; write user, password, port and database",
        ),
        ({"host": "127.0.0.1:5432"}, "more in its host than a host"),
        ({"schema": "ware\u200bhouse"}, "a character in its schema that nobody sees; write it anew"),
        ({"login": "air\u00adflow"}, "a character in its login that nobody sees"),
        ({"host": "127.0.0.1,127.0.0.2/x"}, "more in its host than a host"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_connection_is_said_before_anybody_connects(
    written: Write, changes: dict[str, Any], words: str
) -> None:
    """An extra that is no JSON is none to Airflow: what it asks of TLS would be forgotten."""
    with pytest.raises(Unreadable) as wrong:
        connect_by(written(**changes))
    assert str(wrong.value).startswith("connection 'db' has")
    assert words in str(wrong.value)


def test_blanks_around_a_field_are_no_part_of_it(written: Write, postgres: Server, database: str) -> None:
    """As it comes out of a file or a clipboard."""
    conn_id = written(host=f" {postgres.socket_dir}\n", schema=f"{database}\n", login="\tpostgres ")
    assert asked(conn_id, "select current_database()::text") == [(database,)]


def test_a_connection_that_nobody_wrote_is_unreadable() -> None:
    """Where it would be written is said."""
    with pytest.raises(
        Unreadable, match=r"'nobody_wrote_it' is not defined, .*: add it .* AIRFLOW_CONN_NOBODY"
    ):
        connect_by("nobody_wrote_it")


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("select 1/0", ()),
        ("select %s", (object(),)),
        ("select %s", ()),
        ("select no_such_function()", ()),
        ("select repeat('x', 2000000000)", ()),
    ],
)
def test_whatever_reading_raises_is_unreadable(
    fresh_database: str, query: str, values: tuple[Any, ...]
) -> None:
    """Also what is no error of psycopg's; and the next question is answered."""
    link = LastingConnection(connect_to(fresh_database), "warehouse")
    with pytest.raises(Unreadable, match=r"^warehouse: "), link.cursor() as cursor:
        cursor.execute(query, values)
    with pytest.raises(Unreadable), link.transaction() as cursor:
        cursor.execute("select 1")
        raise ValueError("in the middle of what was read")
    with link.cursor() as cursor:
        assert cursor.execute("select 1").fetchall() == [(1,)]


def test_of_a_text_is_kept_what_can_be_kept(fresh_database: str) -> None:
    """Whoever wrote it, and wherever it stands: one odd letter must not lose what is told with it."""
    link = LastingConnection(connect_to(fresh_database), "oncall_db")
    with link.cursor() as cursor:
        cursor.execute("create temp table texts (a text, b varchar, c text[])")
        cursor.execute("insert into texts values (%s, %s, %s)", ("a\x00b", "\ud800c", ["\x00", "d\udfff"]))
        assert cursor.execute("select * from texts").fetchall() == [("ab", "?c", ["", "d?"])]


@pytest.mark.parametrize(
    "value", ["infinity", "-infinity", "4713-01-01 BC", "294276-01-01", "0001-01-01", "9999-12-31"]
)
def test_an_instant_beyond_all_reckoning_is_the_nearest_that_can_be_reckoned_with(
    fresh_database: str, value: str
) -> None:
    """In another zone, too, and with days added or taken."""
    with LastingConnection(connect_to(fresh_database), "warehouse").cursor() as cursor:
        ((instant, date, instants),) = cursor.execute(
            f"select '{value}'::timestamptz, '{value}'::date, array['{value}'::timestamptz]"
        ).fetchall()
    assert instants == [instant]
    assert instant.date() == date
    for days in (-400, 400):
        assert (instant + dt.timedelta(days=days)).astimezone(dt.timezone(dt.timedelta(hours=14)))


def test_asking_takes_no_time_when_nothing_is_wrong(fresh_database: str) -> None:
    """A connection is opened in a moment; a question on an open one is a round trip."""
    link = LastingConnection(connect_to(fresh_database), "warehouse")
    began = time.monotonic()
    for _ in range(200):
        with link.cursor() as cursor:
            cursor.execute("select 1").fetchall()
    assert time.monotonic() - began < 3
