"""Whatever stands in a row, reading does not raise, and what is in order beside it is read as if it were not there."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncall.adapters.postgres.check import Database
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.history import History, PublicationHistory
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.postgres.publication_rows import is_out_of_time
from oncall.adapters.postgres.report_numbers import PublishedReports
from oncall.adapters.postgres.sql_values import MOST_DAYS
from oncall.adapters.postgres.task_log import TaskLog
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.config import oncall_config
from oncall.core.check_result import CheckResult
from oncall.core.data.restatement import republications
from oncall.core.errors import Unreadable
from oncall.core.incidents.incident import Incident, Notification, Plan
from oncall.core.message import Message
from oncall.core.promises.evaluation import evaluate_promise
from oncall.core.promises.facts import Facts, Task
from oncall.usecases.ports import EVERYTHING
from sandbox.stack.postgres import Server

REPOSITORY = Path(__file__).resolve().parents[2]
SETUP = oncall_config.load(REPOSITORY / "include")
GROWTH, PROFIT = SETUP.pipelines["growth_etl"], SETUP.pipelines["profit_etl"]
REPORT = GROWTH.report
DAY = dt.date(2026, 11, 22)
NIGHT = dt.datetime(2026, 11, 22, 18, tzinfo=dt.UTC)
AT = NIGHT + dt.timedelta(hours=5)
TABLES = (
    "investor.publications", "investor.checks", "investor.restatements", "master.loads", "oncall.tasks", "oncall.dags",
)  # fmt: skip
OTHERS = ("oncall.incidents", "oncall.deliveries", "oncall.drills", "oncall.memory", "oncall.events")

INCIDENT_FIELDS = [(field.name, str(field.type)) for field in dataclasses.fields(Incident)]
KEPT_FIELDS = {"key", "dag_id", "report_date", "opened_at"}  # without one it is no incident

INSTANTS = st.sampled_from(
    ["infinity", "-infinity", "4713-01-01 00:00:00 BC", "294276-12-31", "9999-12-31 23:59:59+00", "0001-01-01",
     "2026-11-22 23:00+00", "1969-12-31", "5000-01-01", None]
)  # fmt: skip
DATES = st.sampled_from(
    [
        "infinity",
        "-infinity",
        "0044-03-15 BC",
        "5874897-12-31",
        "9999-12-31",
        "0001-01-01",
        "1999-12-31",
        None,
    ]
)
LONG = "<ten megabytes>"
TEXTS = st.one_of(
    st.sampled_from(["", LONG, "master.", "{", "null", "[[[", "growth_etl", REPORT, "drill__x", "\\"]),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40),
)
NUMBERS = st.sampled_from([None, 0, -1, -(2**31), 2**31 - 1])
KINDS = {
    "date": DATES,
    "timestamp with time zone": INSTANTS,
    "text": st.one_of(st.none(), TEXTS),
    "integer": NUMBERS,
    "bigint": st.one_of(NUMBERS, st.sampled_from([-(2**63), 2**63 - 1])),
    "boolean": st.sampled_from([None, True, False]),
    "jsonb": st.sampled_from(
        [None, "null", "[]", '"x"', "0", '{"recipients": 7, "title": null}', '{"recipients": [7]}']
    ),
    "ARRAY": st.sampled_from([None, [], ["x", None]]),
    "double precision": st.sampled_from([None, "NaN", "Infinity", -1.0]),
}


def loosen(connection: psycopg.Connection[Any], table: str) -> None:
    """Only what `on conflict` needs stays: unique columns, which may be null."""

    def asked(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query, (table,)).fetchall()

    def do(statement: str) -> None:
        connection.execute(statement)

    constraints = (
        "select conname, contype, pg_get_constraintdef(oid) from pg_constraint where conrelid = %s::regclass"
    )
    for name, kind, definition in asked(f"{constraints} and contype in ('p', 'u', 'c')"):
        do(f'alter table {table} drop constraint "{name}" cascade')
        if kind != "c":
            do(f"create unique index on {table} {definition[definition.index('(') :]}")
    columns = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and attnotnull"
    for (name,) in asked(f"{columns} and attidentity = ''"):
        do(f'alter table {table} alter "{name}" drop not null')


@pytest.fixture(scope="module")
def dsn(postgres: Server) -> Iterator[str]:
    """One database for all three schemas, whose tables take whatever an older version or a hand left in them."""
    uri = postgres.ensure_database("odd_rows")
    with closing(psycopg.connect(uri, autocommit=True)) as connection:
        for name in ("sandbox/master_data/master.sql", "include/sql/warehouse.sql"):
            connection.execute((REPOSITORY / name).read_text())
        OncallDb(connect_to(uri)).install()
        for table in (*TABLES, *OTHERS):
            loosen(connection, table)
    yield uri
    postgres.drop_database("odd_rows")


def columns_of(connection: psycopg.Connection[Any], table: str) -> list[tuple[str, str]]:
    return connection.execute(
        "select column_name, data_type from information_schema.columns where table_schema || '.' || table_name = %s"
        " and is_identity = 'NO' order by ordinal_position",
        (table,),
    ).fetchall()


def emptied(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f"truncate {', '.join((*TABLES, *OTHERS))}")


def put_in_order(connection: psycopg.Connection[Any], dsn: str) -> None:
    """What a good night leaves: loads of a fortnight, a publication, a run, an incident."""
    for back in range(15):
        day = DAY - dt.timedelta(days=back)
        for table in ("sessions", "customers"):
            connection.execute(
                "insert into master.loads values (%s, %s, %s, 100)",
                (table, day, NIGHT - dt.timedelta(days=back)),
            )
    connection.execute(
        "insert into investor.publications (report, report_date, published_at, run_id, rows)"
        " values (%s, %s, %s, 'r', 1)",
        (REPORT, DAY, NIGHT + dt.timedelta(hours=2)),
    )
    TaskLog(connect_to(dsn)).write(("growth_etl", DAY), Task.as_of(NIGHT, "publish", "success", "r"))
    with OncallDb(connect_to(dsn)).decision_lock() as decision:
        decision.record(Plan(incidents=(Incident("good", "growth_etl", DAY, NIGHT, due=AT),)), AT)


def facts(dsn: str) -> Facts:
    read = Warehouse(connect_to(dsn)).read([(GROWTH, DAY)], [GROWTH], DAY - dt.timedelta(days=28))
    return read["growth_etl", DAY]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_odd_rows_hide_nothing_that_is_in_order(dsn: str, data: st.DataObject) -> None:
    """Dates BC and infinite, nulls, ten megabytes, negative counts: in every table that is read."""
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        emptied(connection)
        put_in_order(connection, dsn)
        before, ran = facts(dsn), TaskLog(connect_to(dsn)).read({("growth_etl", DAY): None}, NIGHT)
        for _ in range(data.draw(st.integers(1, 6))):
            table = data.draw(st.sampled_from((*TABLES, *OTHERS)))
            columns = columns_of(connection, table)
            drawn = [data.draw(KINDS[kind]) for _, kind in columns]
            values = ["x" * 10_000_000 if value == LONG else value for value in drawn]
            names = ", ".join(f'"{name}"' for name, _ in columns)
            with suppress(
                psycopg.errors.ProgramLimitExceeded
            ):  # no index holds such a row, nor does a table then
                connection.execute(
                    f"insert into {table} ({names}) values ({', '.join(['%s'] * len(values))})"
                    " on conflict do nothing",
                    values,
                )
        after = facts(dsn)
        assert (after.publication, after.loads, after.unreadable) == (before.publication, before.loads, ())
        log = TaskLog(connect_to(dsn))
        found = log.read({("growth_etl", DAY): None}, NIGHT)
        assert found.tasks["growth_etl", DAY] == ran.tasks["growth_etl", DAY]
        assert all(dt.date(2000, 1, 1) <= date <= dt.date(2200, 1, 1) for _, date in found.tasks)
        log.usual(DAY - dt.timedelta(days=28))
        log.lately(NIGHT)
        noted = OncallDb(connect_to(dsn)).evaluation_inputs(AT, ["tick", "growth_etl", ""])
        assert ("growth_etl", DAY) in noted.open
        history = History(connect_to(dsn))
        assert "good" in {
            record.incident.key for record in history.records(NIGHT - dt.timedelta(days=91), 200)
        }
        history.system_health()
        published = PublicationHistory(connect_to(dsn)).published([REPORT], DAY - dt.timedelta(days=91))
        assert DAY in published[REPORT]


def test_an_odd_restatement_hides_no_other(dsn: str) -> None:
    """The page shows it as far as it can be told, and a megabyte of it is not read."""
    good = {
        "report": REPORT, "report_date": str(DAY), "column_name": "active", "row_key": "", "old_value": "1",
        "new_value": "2", "reason": "late rows", "run_id": "r", "restated_at": str(NIGHT), "currency": None,
    }  # fmt: skip
    odd = {
        "date": ["infinity", "-infinity", "0044-03-15 BC", "5874897-12-31", None],
        "timestamp with time zone": ["infinity", "294276-12-31", None],
        "text": [None, "x" * 1_000_000],
    }
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        emptied(connection)
        kinds = dict(columns_of(connection, "investor.restatements"))
        rows = [good, *({**good, name: value} for name in good for value in odd[kinds[name]])]
        for nth, row in enumerate(rows):
            values = {**row, "run_id": row["run_id"] and f"{row['run_id']}{nth}"}
            connection.execute(
                f"insert into investor.restatements ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})",
                list(values.values()),
            )
    found = republications(PublicationHistory(connect_to(dsn)).restated(NIGHT - dt.timedelta(days=91)))
    assert [one.words for one in found if one.run_id == "r0"] == ["active 1 → 2"]
    assert len(repr(found)) < 50_000


def test_a_load_that_nobody_counted_is_there(dsn: str) -> None:
    """`row_count` null counts as there, also among the days that it is compared with."""
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        emptied(connection)
        put_in_order(connection, dsn)
        connection.execute("update master.loads set row_count = null where business_day >= %s - 3", (DAY,))
    assert {load.state for load in facts(dsn).loads} == {"fresh"}


MINUTES = """
    insert into master.loads select t, d::date, d + make_interval(secs => n), 100
    from unnest(array['sessions', 'master.customers', 'orders', 'touches']) t,
         generate_series(%(last)s::date - %(days)s::int, %(last)s::date, interval '1 day') d,
         generate_series(1, %(each)s::int) n
"""


@pytest.mark.parametrize("indexed", [True, False], ids=["indexed", "not ours to index"])
@pytest.mark.parametrize(("days", "per_day"), [(50, 1440), (0, 75_000)], ids=["every minute", "one day"])
def test_a_flood_of_loads_neither_slow_the_look_nor_hide_a_publication(
    dsn: str, indexed: bool, days: int, per_day: int
) -> None:
    """Read by the index where there is one, else from end to end once; in time for a page either way."""
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        emptied(connection)
        put_in_order(connection, dsn)
        connection.execute("drop index if exists master.loads_table_day")
        connection.execute(MINUTES, {"last": DAY, "days": days, "each": per_day})
        if indexed:
            connection.execute(
                "create index loads_table_day on master.loads (table_name, business_day, loaded_at)"
            )
    warehouse = Warehouse(connect_to(dsn))
    asked = [(GROWTH, DAY)], [GROWTH], DAY - dt.timedelta(days=28)
    warehouse.read(*asked)
    began = time.process_time(), time.monotonic()
    found = warehouse.read(*asked)["growth_etl", DAY]
    assert time.process_time() - began[0] < 0.8
    assert time.monotonic() - began[1] < (1.5 if indexed else 4)
    assert found.publication
    assert not found.unreadable
    assert {load.state for load in found.loads} == {"fresh"}


@pytest.mark.parametrize(
    "trouble",
    [
        "drop table master.loads",
        "lock table master.loads in access exclusive mode",
        "alter table master.loads rename loaded_at to at",
        "alter table master.loads alter business_day type boolean using true",
        "drop table investor.checks cascade",
    ],
)
def test_a_published_report_is_known_without_the_rest(fresh_database: str, trouble: str) -> None:
    """Of one that is not published it is said what could not be read."""
    with closing(psycopg.connect(fresh_database)) as connection:
        for name in ("sandbox/master_data/master.sql", "include/sql/warehouse.sql"):
            connection.execute((REPOSITORY / name).read_text())
        connection.execute(
            "insert into investor.publications (report, report_date, published_at, run_id, rows)"
            " values (%s, %s, %s, 'r', 1)",
            (REPORT, DAY, NIGHT),
        )
        connection.commit()
        connection.execute(trouble)
        if not trouble.startswith("lock"):
            connection.commit()
        nights, began = [(GROWTH, DAY), (GROWTH, DAY + dt.timedelta(days=1))], time.monotonic()
        found = Warehouse(connect_to(fresh_database)).read(nights, [GROWTH], DAY - dt.timedelta(days=28))
    assert time.monotonic() - began < 9, "what hangs was waited for twice"
    published, missing = found["growth_etl", DAY], found["growth_etl", DAY + dt.timedelta(days=1)]
    assert published.publication
    assert published.unreadable == ()
    assert missing.publication is None
    assert not missing.blind
    assert [line.partition(":")[0] for line in missing.unreadable] == ["warehouse"]


OWN = "create table investor.publications (report text, report_date date, published_at timestamptz"
ROW = "insert into investor.publications (report, report_date, published_at"
GOOD = f"values ('{REPORT}', '{DAY}', '{NIGHT}'"


@contextmanager
def _without_publications(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A warehouse for a table of publications of one's own."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for name in ("sandbox/master_data/master.sql", "include/sql/warehouse.sql"):
            connection.execute((REPOSITORY / name).read_text())
        connection.execute("drop table investor.publications cascade; set timezone = 'UTC'")
        yield connection


@pytest.mark.parametrize(
    "publisher",
    [
        f"{OWN}); {ROW}) {GOOD})",
        f"{OWN}, run_id int, rows numeric, read_at timestamptz); {ROW}, run_id, rows) {GOOD}, 7, 'NaN')",
        f"{OWN}, run_id uuid, rows text, read_at text); {ROW}, rows, read_at) {GOOD}, 'many', 'yes')",
        f"{OWN}, rows float, first_published_at timestamp); {ROW}, rows) {GOOD}, '-Infinity')",
        f"{OWN}); {ROW}) {GOOD}), ('{REPORT}', '{DAY}', null), ('{REPORT}', null, null), (null, '{DAY}', now())",
        f"{OWN}); {ROW}) {GOOD}), ('{REPORT}', '{DAY}', '{NIGHT + dt.timedelta(hours=9)}')",
        f"{OWN}); {ROW}) {GOOD}); alter table investor.publications alter published_at type text,"
        f" alter report_date type text; {ROW}) values ('{REPORT}', '{DAY - dt.timedelta(days=1)}', 'yes')",
        f"{OWN}); {ROW}) {GOOD}); alter table investor.publications alter report_date type timestamp,"
        " alter report type varchar(200), alter published_at type timestamp",
        f"{OWN}); alter table investor.publications alter report_date type text; {ROW}) {GOOD}), ('{REPORT}', 'n/a',"
        f" '{NIGHT}'), ('other', '2026-02-30', '{NIGHT}'), ('{REPORT}', '', null), ('other', '23.11.2026', now())",
        f"{OWN}); alter table investor.publications alter report_date type bigint using 0; {ROW}) values ('{REPORT}',"
        f" {DAY:%Y%m%d}, '{NIGHT}'), ('other', 20261399, now()), ('other', -1, now())",
        f"{OWN}); alter table investor.publications alter report_date type timestamptz;"
        f" {ROW}) values ('{REPORT}', '{DAY} 00:00+07', '{NIGHT}')",
        f"{OWN}, read_at text, first_published_at int); alter table investor.publications alter published_at"
        f" type bigint using 0; {ROW}, read_at) values ('{REPORT}', '{DAY}', {NIGHT.timestamp():.0f}, '2026-02-31'),"
        f" ('other', '{DAY}', 9223372036854775807, ''), ('other', '{DAY}', -5, 'yes')",
        f"create domain a_word as text; create domain a_day as a_word; {OWN}); {ROW}) {GOOD}); alter table"
        f" investor.publications alter report_date type a_day using report_date::text; {ROW}) values ('x', '', now())",
        f"create domain a_count as bigint; create domain seconds as a_count check (value > 0); {OWN}); alter table"
        f" investor.publications alter published_at type seconds using 1; {ROW}) values ('{REPORT}', '{DAY}',"
        f" {NIGHT.timestamp():.0f})",
        f"create type a_report as enum ('{REPORT}'); {OWN}); alter table investor.publications"
        f" alter report type a_report using '{REPORT}'; {ROW}) {GOOD})",
        f"{OWN}); {ROW}) {GOOD}); alter table investor.publications rename to mine; create view"
        " investor.publications with (security_barrier) as select * from investor.mine",
    ],
)
def test_what_a_publisher_of_ones_own_leaves_out_hides_no_publication(
    fresh_database: str, publisher: str
) -> None:
    """Report, day and instant say that it is published, on the look and on the page; the rest may lack or be odd."""
    with _without_publications(fresh_database) as connection:
        connection.execute(publisher)
    tomorrow = DAY + dt.timedelta(days=1)
    since = DAY - dt.timedelta(days=28)
    connect = connect_to(fresh_database)
    found = Warehouse(connect).read([(GROWTH, DAY), (GROWTH, tomorrow)], [GROWTH], since)
    made = found["growth_etl", DAY].publication
    assert made
    assert made.first_at == NIGHT
    assert json.dumps([made.run_id, made.rows])  # the store keeps it as JSON
    if "'yes'" not in publisher.rpartition(";")[2]:  # else who reads by instant has none to compare with
        assert found["growth_etl", tomorrow].unreadable == ()
    assert found["growth_etl", tomorrow].publication is None
    assert PublicationHistory(connect).published([REPORT], since)[REPORT][DAY].at == NIGHT
    assert PublishedReports(connect).read(REPORT, since, tomorrow).published[DAY].at == NIGHT


def test_a_day_that_is_none_is_said_of_its_report_alone(fresh_database: str) -> None:
    """Whoever publishes meant a day: it is not said that the report is missing. Of last year's rows nothing is said."""
    with _without_publications(fresh_database) as connection:
        connection.execute(f"{OWN}); alter table investor.publications alter report_date type text")
        connection.execute(
            f"{ROW}) values ('{REPORT}', '22.11.2026', now()), ('{PROFIT.report}', '1.1.25', '2025-01-02')"
        )
    found = Warehouse(connect_to(fresh_database)).read([(GROWTH, DAY), (PROFIT, DAY)])
    (said,) = found["growth_etl", DAY].unreadable
    assert (
        f"a row of {REPORT} whose report_date is '22.11.2026', which is no day; if it is that of 22 Nov, write it"
        " as 2026-11-22, or else delete the row"
    ) in said
    assert found["profit_etl", DAY].unreadable == ()


LOADS = "create table master.loads (table_name {}, business_day {}, loaded_at {}, row_count {})"
LOADED = "insert into master.loads values ('{}', '{}', '{}', {})"


@pytest.mark.parametrize(
    ("types", "day", "instant", "odd"),
    [
        (
            ("text", "text", "timestamptz", "int"),
            str,
            str,
            "('sessions', 'n/a', now(), 1), ('x', '2026-02-30', now(), 1)",
        ),
        (("text", "int", "timestamp", "text"), "{:%Y%m%d}".format, str, "('sessions', 1, now(), 'x')"),
        (
            ("text", "timestamptz", "timestamptz", "real"),
            "{} 00:00+07".format,
            str,
            "('sessions', 'infinity', now(), 1)",
        ),
        (
            ("name", "date", "text", "bool"),
            str,
            str,
            "('sessions', '2026-11-20', 'soon', true), ('x', null, '', null)",
        ),
        (
            ("a_table", "date", "bigint", "money"),
            str,
            lambda at: f"{at.timestamp():.0f}",
            "(null, null, -1, null)",
        ),
    ],
)
def test_loads_are_known_whatever_types_their_columns_have(
    fresh_database: str, types: tuple[str, ...], day: Any, instant: Any, odd: str
) -> None:
    """An odd row beside them hides none."""
    with closing(psycopg.connect(fresh_database, autocommit=True)) as connection:
        for name in ("sandbox/master_data/master.sql", "include/sql/warehouse.sql"):
            connection.execute((REPOSITORY / name).read_text())
        connection.execute("drop table master.loads; create type a_table as enum ('sessions', 'customers')")
        connection.execute(f"set timezone = 'UTC'; {LOADS.format(*types)}")
        rows = "true" if "bool" in types else "100"
        for back in range(9):
            on, at = DAY - dt.timedelta(days=back), NIGHT - dt.timedelta(days=back)
            for table in ("sessions", "customers"):
                connection.execute(LOADED.format(table, day(on), instant(at), rows))
        connection.execute(f"insert into master.loads values {odd}")
    warehouse = Warehouse(connect_to(fresh_database))
    found = warehouse.read([(GROWTH, DAY)], [GROWTH], DAY - dt.timedelta(days=28))["growth_etl", DAY]
    assert found.unreadable == ()
    assert [(load.state, load.loaded_at) for load in found.loads] == [("fresh", NIGHT)] * 2
    assert [load.state for load in warehouse.loads(["master.sessions"], DAY)] == ["fresh"]


def test_a_dag_that_is_there_already_publishes_as_the_handbook_says(fresh_database: str) -> None:
    """Word for word. It is published, and a re-run after the due instant does not make it late."""
    handbook = (REPOSITORY / "docs/OPERATIONS.md").read_text()
    (publish,) = re.findall(r"```sql\n(insert into investor.publications.*?)```", handbook, re.DOTALL)
    publish = publish.replace("crm.customers", REPORT).replace("2026-11-20", str(DAY))
    with closing(psycopg.connect(fresh_database, autocommit=True)) as connection:
        for name in ("sandbox/master_data/master.sql", "include/sql/warehouse.sql"):
            connection.execute((REPOSITORY / name).read_text())
        connection.execute(publish.replace("now()", f"timestamptz '{NIGHT}'"))
        connection.execute(publish.replace("now()", f"timestamptz '{NIGHT + dt.timedelta(hours=9)}'"))
    made = (
        Warehouse(connect_to(fresh_database))
        .read([(GROWTH, DAY)], [GROWTH], DAY)["growth_etl", DAY]
        .publication
    )
    assert made is not None
    assert (made.first_at, made.at) == (NIGHT, NIGHT + dt.timedelta(hours=9))


@pytest.mark.parametrize(("kind", "days"), [("date", 1000), ("text", 400)])
def test_many_publications_without_an_index_are_read_in_time(
    fresh_database: str, kind: str, days: int
) -> None:
    """A table of one's own may have none: it is read once, not once for each day that is asked about."""
    with _without_publications(fresh_database) as connection:
        connection.execute(f"{OWN}); alter table investor.publications alter report_date type {kind}")
        connection.execute(
            "insert into investor.publications select 'investor.r' || r, date '2026-11-22' - d, now()"
            f" from generate_series(1, 300) r, generate_series(1, {days}) d"
        )
        connection.execute(f"{ROW}) {GOOD})")
    asked = [(GROWTH, DAY - dt.timedelta(days=back)) for back in range(300)]
    found = Warehouse(connect_to(fresh_database)).read(asked, [GROWTH], DAY - dt.timedelta(days=28))
    assert found["growth_etl", DAY].publication
    assert {reason for facts in found.values() for reason in facts.unreadable} == set()


@pytest.mark.parametrize(
    ("kind", "last"), [("timestamptz", 499_999), ("timestamp", 499_999), ("text", 149_999)]
)
def test_a_report_of_which_a_day_has_half_a_million_rows_is_known_to_be_published(
    fresh_database: str, kind: str, last: int
) -> None:
    """A publisher that writes one each moment into a table without an index, and an instant that cannot be."""
    with _without_publications(fresh_database) as connection:
        connection.execute(f"{OWN}); alter table investor.publications alter published_at type {kind}")
        connection.execute(f"{ROW}) values ('{REPORT}', '{DAY}', 'infinity')")
        connection.execute(
            f"{ROW}) select '{REPORT}', '{DAY}', timestamptz '{NIGHT}' + n * interval '10 ms'"
            f" from generate_series(0, {last}) n"
        )
    found = Warehouse(connect_to(fresh_database)).read([(GROWTH, DAY)], [GROWTH], DAY - dt.timedelta(days=28))
    made = found["growth_etl", DAY].publication
    assert made
    assert (made.first_at, made.at) == (NIGHT, NIGHT + dt.timedelta(milliseconds=10 * last))


def test_a_null_in_an_incident_stops_no_look(dsn: str) -> None:
    """It reads as nothing: the incident is judged by what is left of it, and the others as ever."""
    store = OncallDb(connect_to(dsn))
    nullable = [name for name, kind in INCIDENT_FIELDS if "None" not in kind and name not in KEPT_FIELDS]
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        emptied(connection)
        put_in_order(connection, dsn)
        for name in nullable:
            column = {"escalation_round": "ladder"}.get(name, name)
            connection.execute(f'update oncall.incidents set "{column}" = null')
    with store.decision_lock() as decision:
        assert decision.incidents() == [Incident("good", "growth_etl", DAY, NIGHT, due=AT)]


@pytest.mark.parametrize("column", sorted(KEPT_FIELDS))
def test_a_row_that_tells_of_no_incident_is_counted_while_it_is_open(dsn: str, column: str) -> None:
    """Without a key nobody can be called for it: the look makes an incident of its own, under the right key."""
    store, history = OncallDb(connect_to(dsn)), History(connect_to(dsn))
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        emptied(connection)
        put_in_order(connection, dsn)
        assert history.spoilt() == 0
        connection.execute(f'update oncall.incidents set "{column}" = null')
        assert history.spoilt() == 1
        with store.decision_lock() as decision:
            assert len(decision.incidents([("growth_etl", DAY)])) == (column != "key")
        connection.execute("update oncall.incidents set resolved_at = now()")
        assert history.spoilt() == 0


@pytest.mark.parametrize("attempts", ["2147483647", "null", "-2147483648"])
def test_a_count_beyond_all_counting_holds_up_no_delivery(dsn: str, attempts: str) -> None:
    """One row that cannot be claimed would be the first of its lane for ever."""
    store = OncallDb(connect_to(dsn))
    page = Notification(
        "good", "page-1-primary", "pager", "page", Message("good", "page-1-primary", "Late"), "a"
    )
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        emptied(connection)
        with store.decision_lock() as decision:
            decision.record(Plan(owed=(page,)), AT)
        connection.execute(f"update oncall.deliveries set attempts = {attempts}")
    claimed = store.claim("pager", EVERYTHING, dt.timedelta(seconds=25))
    assert claimed
    assert isinstance(claimed.attempts, int)


@pytest.fixture
def reader(postgres: Server, fresh_database: str) -> Iterator[str]:
    """The DSN of a role that may read all of a warehouse in which one report is published, and owns none of it."""
    role = f"reader_{uuid.uuid4().hex}"
    with closing(psycopg.connect(fresh_database, autocommit=True)) as connection:
        for name in ("sandbox/master_data/master.sql", "include/sql/warehouse.sql"):
            connection.execute((REPOSITORY / name).read_text())
        OncallDb(connect_to(fresh_database)).install()
        put_in_order(connection, fresh_database)
        schemas = "schema master, investor"
        connection.execute(f"create role {role} login")
        connection.execute(f"grant usage on {schemas} to {role}")
        connection.execute(f"grant select on all tables in {schemas} to {role}")
        yield fresh_database.replace("postgres@", f"{role}@")
        connection.execute(f"drop owned by {role}; drop role {role}")


@pytest.mark.parametrize("table", ["investor.publications", "master.loads"])
@pytest.mark.parametrize(("policy", "hides"), [("", True), ("using (false)", True), ("using (true)", False)])
def test_rows_that_row_level_security_hides_are_not_rows_that_are_missing(
    fresh_database: str, reader: str, table: str, policy: str, hides: bool
) -> None:
    """Of a report that is there nobody is told that it is missing; the words say what to write."""
    with closing(psycopg.connect(fresh_database, autocommit=True)) as admin:
        admin.execute(f"alter table {table} enable row level security")
        if policy:
            admin.execute(f"create policy ours on {table} {policy}")
    tomorrow = DAY + dt.timedelta(days=1)
    try:
        found = Warehouse(connect_to(reader)).read([(GROWTH, DAY), (GROWTH, tomorrow)])
        assert found["growth_etl", DAY].publication
        said = "".join(found["growth_etl", tomorrow].unreadable)
    except Unreadable as error:
        said = str(error)
    assert (f"no row of {table}; write a policy for it" in said) is hides
    checked = CheckResult()
    Database("warehouse", lambda: connect_to(reader), checked).ask(
        (), ("master.loads", "investor.publications")
    )
    assert [problem.key for problem in checked.problems] == ([table] if hides and not policy else [])


@pytest.mark.parametrize("tick", ["yesterday", "2026-11-22 05:00:00", "9999-12-31T00:00:00Z"])
def test_a_note_that_is_no_instant_is_no_news(dsn: str, tick: str) -> None:
    """The page says that the watcher has not looked; it does not break."""
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        emptied(connection)
        connection.execute(
            f"insert into oncall.memory values ('tick', '{tick}'), ('x', repeat('y', 9000000))"
        )
    assert History(connect_to(dsn)).system_health().tick is None
    assert OncallDb(connect_to(dsn)).evaluation_inputs(AT, ["x", "tick"]).notes == {"tick": tick}
    with LastingConnection(connect_to(dsn), "x").cursor() as cursor:
        assert cursor.execute("select 1").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "published_at",
    [
        "2062-11-22 20:00+00",
        "infinity",
        "-infinity",
        "0044-03-15 BC",
        "58000-01-01",
    ],
)
def test_a_publication_at_an_instant_that_cannot_be_is_named_and_believed_by_nobody(
    dsn: str, published_at: str
) -> None:
    """Whether the report is there nobody can tell: the words say which row to look at. Other days are read as ever."""
    before = DAY - dt.timedelta(days=1)
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        emptied(connection)
        put_in_order(connection, dsn)
        connection.execute(
            "update investor.publications set published_at = %s, run_id = null", (published_at,)
        )
        connection.execute(
            "insert into investor.publications (report, report_date, published_at) values (%s, %s, %s)",
            (REPORT, before, NIGHT - dt.timedelta(hours=22)),
        )
    found = Warehouse(connect_to(dsn)).read(
        [(GROWTH, DAY), (GROWTH, before)], [GROWTH], DAY - dt.timedelta(days=28)
    )
    odd = found["growth_etl", DAY]
    assert odd.publication is None
    assert not odd.blind
    (said,) = odd.unreadable
    assert said.startswith(f"investor.publications says that {REPORT} of {DAY} was published at ")
    assert published_at[:4] in said
    assert found["growth_etl", before].publication
    status = evaluate_promise(GROWTH, DAY, odd, AT, SETUP.roster.tz)
    assert (status.verdict, status.why and status.why.cause) == ("broken", "unknown")


@pytest.mark.parametrize("kind", ["text", "timestamptz"])
@pytest.mark.parametrize(
    "published_at",
    [
        "infinity",
        "-infinity",
        "2062-11-22 20:00+00",
        "2001-01-01 00:00+00",
        "0044-03-15 BC",
        "yes",
        "9",
        "2026-11-99",
    ],
)
def test_a_good_publication_is_known_whatever_stands_beside_it(
    fresh_database: str, kind: str, published_at: str
) -> None:
    """Later or earlier than it, an instant or none: of what cannot be nothing is taken, the first time neither."""
    with _without_publications(fresh_database) as connection:
        connection.execute(f"{OWN}); alter table investor.publications alter published_at type {kind}")
        connection.execute(f"{ROW}) {GOOD})")
        with suppress(psycopg.DataError):  # what is no instant does not stand in such a column
            connection.execute(f"{ROW}) values ('{REPORT}', '{DAY}', '{published_at}')")
    found = Warehouse(connect_to(fresh_database)).read([(GROWTH, DAY)], [GROWTH], DAY - dt.timedelta(days=28))
    made = found["growth_etl", DAY].publication
    assert made
    assert (made.first_at, made.at) == (NIGHT, NIGHT)
    assert found["growth_etl", DAY].unreadable == ()


def test_what_was_read_or_first_published_at_no_instant_was_so_when_it_was_published(dsn: str) -> None:
    """It makes nothing late and nothing stale; a clock that is a zone ahead is believed."""
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(hours=7)
    for published_at in (NIGHT + dt.timedelta(hours=2), ahead):
        for odd in ("infinity", "-infinity", "1969-12-31", "2062-01-01"):
            with closing(psycopg.connect(dsn, autocommit=True)) as connection:
                emptied(connection)
                put_in_order(connection, dsn)
                connection.execute(
                    "update investor.publications set published_at = %s, first_published_at = %s, read_at = %s",
                    (published_at, odd, odd),
                )
            found = facts(dsn)
            assert found.publication
            assert found.publication.first_at == found.publication.at == published_at
            assert found.changed_since == ()


def test_a_report_is_published_after_its_day_and_not_next_month() -> None:
    """A clock or a zone may be wrong; one that is behind the day itself tells nothing."""
    begins = dt.datetime.combine(DAY, dt.time(), dt.UTC)
    late, early = begins + dt.timedelta(days=40), begins - dt.timedelta(days=400)

    def out(published_at: dt.datetime, now: dt.datetime) -> bool:
        return is_out_of_time(published_at, DAY, now)

    assert [out(begins + dt.timedelta(hours=hours), late) for hours in (-240, -25, -12, 30, 900)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert [out(late + dt.timedelta(days=days), late) for days in (0, 1, 6, 8)] == [False, False, False, True]
    assert not out(early, early)
    assert not out(begins + dt.timedelta(days=8), early)


def test_of_ten_thousand_days_the_newest_are_looked_at(oncall_database: str) -> None:
    """Open, or failed in one backfill of years: to decide on them all took longer than the server waits, at each look,
    and what was due tonight was in no look of the store."""
    with closing(psycopg.connect(oncall_database, autocommit=True)) as connection:
        connection.execute(
            "insert into oncall.incidents (key, dag_id, report_date, opened_at)"
            " select 'profit_etl:' || day, 'profit_etl', %(day)s::date - day, %(at)s from generate_series(0, 9999) day",
            {"day": DAY, "at": AT},
        )
        connection.execute(
            "insert into oncall.tasks (dag_id, run_id, task_id, report_date, state, started_at, ended_at)"
            " select 'profit_etl', 'x' || n, 'load', %(day)s::date - n / 2, 'failed', %(at)s, %(at)s"
            " from generate_series(0, 19999) n",
            {"day": DAY, "at": AT},
        )
    inputs = OncallDb(connect_to(oncall_database)).evaluation_inputs(AT, [])
    ran = TaskLog(connect_to(oncall_database)).read({}, AT - dt.timedelta(hours=1))
    newest = {("profit_etl", DAY - dt.timedelta(days=ago)) for ago in range(MOST_DAYS)}
    assert {*inputs.open} == newest
    assert {*ran.tasks} == newest
