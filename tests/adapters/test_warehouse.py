"""The world as the warehouse shows it: what is published, what has come, what withheld a report, what came too late."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from oncall.adapters.postgres import warehouse as warehouse_module
from oncall.adapters.postgres import warehouse_sql
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.history import PublicationHistory
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.config import oncall_config
from oncall.config.data_contracts import load_data_contracts
from oncall.config.load_volume import Volume
from oncall.core.data.data_contract import DataContracts, TableContract
from oncall.core.errors import Unreadable
from oncall.core.promises.facts import Facts, FailedCheck

REPOSITORY = Path(__file__).resolve().parents[2]
SETUP = oncall_config.load(REPOSITORY / "include")
GROWTH = SETUP.pipelines["growth_etl"]
DAY = dt.date(2026, 11, 22)
PUBLISHED = (
    "insert into investor.publications (report, report_date, published_at, read_at, first_published_at, run_id, rows)"
    " values (%s, %s, %s, %s, %s, 'scheduled', 1)"
)
NIGHT = dt.datetime(2026, 11, 22, 18, tzinfo=dt.UTC)  # 01:00 +07 on the 23rd


@pytest.fixture
def sql(fresh_database: str) -> Iterator[Any]:
    """A warehouse with tables and nothing in them; call it to run a statement."""
    with closing(psycopg.connect(fresh_database, autocommit=True)) as connection:
        for name in ("sandbox/master_data/master.sql", "include/sql/warehouse.sql"):
            connection.execute((REPOSITORY / name).read_text())
        yield connection.execute


@pytest.fixture
def warehouse(fresh_database: str) -> Warehouse:
    return Warehouse(connect_to(fresh_database))


def loaded(sql: Any, table: str, day: dt.date, rows: int, at: dt.datetime | None = None) -> None:
    at = at or dt.datetime.combine(day, dt.time(18), tzinfo=dt.UTC)
    sql("insert into master.loads values (%s, %s, %s, %s)", (table, day, at, rows))


def growth(warehouse: Warehouse) -> Facts:
    return warehouse.read([(GROWTH, DAY)])["growth_etl", DAY]


def state(warehouse: Warehouse, table: str) -> str:
    return next(load.state for load in growth(warehouse).loads if load.table == table)


def test_in_a_warehouse_that_no_run_has_brought_up_nothing_is_published(fresh_database: str) -> None:
    """As on the day of the installation, whose pipelines may be paused: what is there is told, and it can be seen."""
    with closing(psycopg.connect(fresh_database, autocommit=True)) as connection:
        connection.execute((REPOSITORY / "sandbox/master_data/master.sql").read_text())
        connection.execute("create schema investor; create schema base")  # as an administrator may have to
        loaded(connection.execute, "sessions", DAY, 100)
        warehouse = Warehouse(connect_to(fresh_database))
        nothing = growth(warehouse)
        assert (nothing.publication, nothing.blind, nothing.unreadable) == (None, False, ())
        assert [load.state for load in nothing.loads if load.table == "master.sessions"] == ["fresh"]
        assert PublicationHistory(connect_to(fresh_database)).published([GROWTH.report], DAY) == {
            GROWTH.report: {}
        }
        connection.execute(
            "create table base.growth (report_date date)"
        )  # what is lost there was never a beginning
        with pytest.raises(Unreadable, match="publications"):
            growth(Warehouse(connect_to(fresh_database)))


def test_no_load_is_late_and_says_when_it_usually_comes(sql: Any, warehouse: Warehouse) -> None:
    """The usual time is the median of the last seven loads, put on this day."""
    for back in range(1, 8):
        loaded(sql, "sessions", DAY - dt.timedelta(days=back), 100)
    (late,) = [load for load in growth(warehouse).loads if load.table == "master.sessions"]
    assert (late.state, late.loaded_at) == ("late", None)
    assert late.expected_at == NIGHT


@pytest.mark.parametrize(
    ("rows", "expected"), [(400, "partial"), (500, "fresh"), (1000, "fresh"), (0, "partial")]
)
def test_far_below_the_median_is_partial(sql: Any, warehouse: Warehouse, rows: int, expected: str) -> None:
    """In the second week half may be a quiet weekday; an eighth load back does not count."""
    loaded(sql, "sessions", DAY - dt.timedelta(days=8), 1_000_000)
    for back in range(1, 8):
        loaded(sql, "sessions", DAY - dt.timedelta(days=back), 1000)
    loaded(sql, "sessions", DAY, rows)
    assert state(warehouse, "master.sessions") == expected


@pytest.mark.parametrize("indexed", [False, True])
def test_a_thin_load_that_a_person_calls_true_is_fresh(
    sql: Any, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, indexed: bool
) -> None:
    """For every report that reads it, on that day and with about as many rows; a thinner load is asked for anew."""
    if indexed:
        sql("create index on master.loads (table_name, business_day)")
        monkeypatch.setattr(warehouse_sql, "SHAPE", warehouse_sql.SHAPE.replace("> 16777216", ">= 0"))
    for back in range(1, 15):
        loaded(sql, "sessions", DAY - dt.timedelta(days=back), 1000)
    loaded(sql, "sessions", DAY, 400, NIGHT)
    assert state(warehouse, "master.sessions") == "partial"
    released = (
        "insert into investor.releases values ('any report', %s, %s, 400, 'a bank holiday', 'anna', now())"
    )
    sql(released, (DAY, "master.orders"))
    sql(released, (DAY - dt.timedelta(days=1), "master.sessions"))
    assert state(warehouse, "master.sessions") == "partial"
    sql(released, (DAY, "master.sessions"))
    assert state(warehouse, "master.sessions") == "fresh"
    assert [load.state for load in warehouse.loads(["master.sessions"], DAY)] == ["fresh"]
    for rows, expected in ((385, "fresh"), (300, "partial"), (1000, "fresh")):
        sql("delete from master.loads where business_day = %s", (DAY,))
        loaded(sql, "sessions", DAY, rows, NIGHT)
        assert state(warehouse, "master.sessions") == expected


RELEASED = "insert into investor.releases values (%s, %s, 'master.sessions', %s, 'closed', 'anna', now())"


def test_a_load_like_those_of_two_days_that_a_person_calls_true_is_fresh_for_a_week(
    sql: Any, warehouse: Warehouse
) -> None:
    """While each load since is like it: a shop that closes for some days is asked about twice, whatever the report."""
    for back in range(1, 15):
        loaded(sql, "sessions", DAY - dt.timedelta(days=back), 1000 if back > 3 else 100)
    loaded(sql, "sessions", DAY, 100, NIGHT)
    for report, back in (("any report", 3), ("another", 3), ("another", 2)):
        assert state(warehouse, "master.sessions") == "partial"
        sql(RELEASED, (report, DAY - dt.timedelta(days=back), 100))
    for rows, expected in ((100, "fresh"), (140, "fresh"), (60, "partial"), (200, "partial")):
        sql("delete from master.loads where business_day = %s", (DAY,))
        loaded(sql, "sessions", DAY, rows, NIGHT)
        assert state(warehouse, "master.sessions") == expected
    sql("delete from master.loads where business_day = %s", (DAY,))
    loaded(sql, "sessions", DAY, 100, NIGHT)
    sql("update master.loads set row_count = 1000 where business_day = %s", (DAY - dt.timedelta(days=1),))
    assert state(warehouse, "master.sessions") == "partial"


@pytest.mark.parametrize(("told", "found", "days"), [(300, 440, [1]), (0, 0, [1]), (0, 0, [2, 1])])
def test_a_holiday_and_a_load_of_nothing_that_a_person_calls_true_tell_nothing_of_the_next_day(
    sql: Any, warehouse: Warehouse, told: int, found: int, days: list[int]
) -> None:
    """The day after a bank holiday is an ordinary one; and nothing at all is for a person to look at each time."""
    for back in range(1, 40):
        loaded(sql, "sessions", DAY - dt.timedelta(days=back), told if back in days else 1000 + back % 3)
    for back in days:
        sql(RELEASED, ("any report", DAY - dt.timedelta(days=back), told))
    loaded(sql, "sessions", DAY, found, NIGHT)
    assert state(warehouse, "master.sessions") == "partial"


def test_a_role_that_may_not_read_releases_reads_the_rest(
    sql: Any, warehouse: Warehouse, fresh_database: str
) -> None:
    """As in a warehouse whose grants are older than the table."""
    loaded(sql, "sessions", DAY, 100)
    sql("drop table investor.releases")
    assert state(warehouse, "master.sessions") == "fresh"


def test_the_latest_load_of_a_day_counts(sql: Any, warehouse: Warehouse) -> None:
    """Partial first, whole later: fresh. With or without the schema in its name."""
    loaded(sql, "sessions", DAY - dt.timedelta(days=1), 100)
    loaded(sql, "master.sessions", DAY, 10, NIGHT)
    assert state(warehouse, "master.sessions") == "partial"
    loaded(sql, "sessions", DAY, 100, NIGHT + dt.timedelta(hours=1))
    assert state(warehouse, "master.sessions") == "fresh"


def test_a_first_load_ever_is_fresh(sql: Any, warehouse: Warehouse) -> None:
    """There is nothing to compare it with."""
    loaded(sql, "sessions", DAY, 1)
    assert state(warehouse, "master.sessions") == "fresh"


def publish(
    sql: Any, at: dt.datetime, first: dt.datetime | None = None, read_at: dt.datetime | None = None
) -> None:
    sql(
        "insert into investor.publications (report, report_date, published_at, run_id, rows, first_published_at,"
        " read_at) values ('investor.daily_growth', %s, %s, 'r', 1, %s, %s)",
        (DAY, at, first, read_at),
    )


@pytest.mark.parametrize(
    ("times", "code", "known"),
    [(2, "40001", True), (3, "40001", False), (1, "57P01", True), (1, "22012", False)],
)
def test_a_question_that_a_standby_breaks_off_is_asked_again(
    sql: Any, warehouse: Warehouse, times: int, code: str, known: bool
) -> None:
    """For a conflict with its copying, or to be switched over: at the due instant that must not be blindness."""
    sql(PUBLISHED, (GROWTH.report, DAY, NIGHT, NIGHT, NIGHT))
    sql("alter table investor.publications rename to kept; create sequence base.tries")
    sql(
        "create function base.breaks_off() returns boolean language plpgsql as $$ begin"
        f" if nextval('base.tries') <= {times} then raise exception 'conflict with recovery' using errcode = '{code}';"
        " end if; return true; end $$; create view investor.publications as"
        " select * from investor.kept where base.breaks_off()"
    )
    if known:
        assert growth(warehouse).publication
    else:
        with pytest.raises(Unreadable, match="conflict with recovery"):
            growth(warehouse)


def test_the_first_publication_judges_the_promise(sql: Any, warehouse: Warehouse) -> None:
    """A re-run does not make a kept promise late; a row without the first time counts by its only one."""
    publish(sql, NIGHT + dt.timedelta(hours=9), NIGHT)
    made = growth(warehouse).publication
    assert made is not None
    assert (made.first_at, made.at) == (NIGHT, NIGHT + dt.timedelta(hours=9))
    sql("update investor.publications set first_published_at = null")
    again = growth(warehouse).publication
    assert again is not None
    assert again.first_at == NIGHT + dt.timedelta(hours=9)


def test_what_a_drill_publishes_is_no_day_of_the_promise(sql: Any, fresh_database: str) -> None:
    """It was never promised: no day of it is told as kept or late."""
    history = PublicationHistory(connect_to(fresh_database))
    for run_id, days in (("drill__held-1128__1", set()), ("scheduled__1", {DAY})):
        publish(sql, NIGHT)
        sql("update investor.publications set run_id = %s", (run_id,))
        assert history.published([GROWTH.report], DAY)[GROWTH.report].keys() == days
        sql("delete from investor.publications")


def test_a_publication_says_when_it_was_due(sql: Any, warehouse: Warehouse, fresh_database: str) -> None:
    """Unless its publisher keeps a table without that column; an instant that nobody means says nothing."""
    publish(sql, NIGHT)
    dues = []
    for said in (NIGHT, "infinity", None):
        sql("update investor.publications set due_at = %s", (said,))
        made = growth(warehouse).publication
        dues.append(made and made.due)
    sql("alter table investor.publications drop column due_at")
    made = growth(Warehouse(connect_to(fresh_database))).publication
    assert [*dues, made and made.due] == [NIGHT, None, None, None]


def test_a_load_after_the_report_was_read_makes_it_stale(sql: Any, warehouse: Warehouse) -> None:
    """Also one that came between reading and publishing; not one of another table or day."""
    publish(sql, NIGHT + dt.timedelta(hours=2), read_at=NIGHT + dt.timedelta(hours=1))
    loaded(sql, "sessions", DAY, 100, NIGHT)
    loaded(sql, "orders", DAY, 100, NIGHT + dt.timedelta(hours=5))
    assert growth(warehouse).changed_since == ()
    assert warehouse.read([], [GROWTH], DAY) == {}
    loaded(sql, "sessions", DAY, 101, NIGHT + dt.timedelta(minutes=90))
    assert [load.table for load in growth(warehouse).changed_since] == ["master.sessions"]
    assert warehouse.read([], [GROWTH], DAY) == {("growth_etl", DAY): growth(warehouse)}
    assert warehouse.read([], [GROWTH], DAY + dt.timedelta(days=1)) == {}


def test_rows_that_came_late_make_a_report_stale(sql: Any, warehouse: Warehouse) -> None:
    """Without a load of that day; the oldest day is told, until it has been read again. Costs are kept as they were."""
    publish(sql, NIGHT + dt.timedelta(hours=2), read_at=NIGHT + dt.timedelta(hours=1))
    late = "insert into investor.late_rows values ('investor.daily_growth', %s, 'master.sessions', %s)"
    sql(late, (DAY, NIGHT + dt.timedelta(hours=3)))
    sql(late, (DAY + dt.timedelta(days=1), NIGHT + dt.timedelta(hours=3)))
    loaded(sql, "customers", DAY, 100, NIGHT + dt.timedelta(hours=5))
    (found,) = warehouse.read([], [GROWTH], DAY).values()
    assert [(load.table, load.loaded_at) for load in found.changed_since] == [
        ("master.sessions", NIGHT + dt.timedelta(hours=3))
    ]
    sql("update investor.publications set read_at = %s", (NIGHT + dt.timedelta(hours=4),))
    assert warehouse.read([], [GROWTH], DAY) == {}


def test_a_warehouse_of_before_can_be_read(sql: Any, warehouse: Warehouse) -> None:
    """The pager is newer than the warehouse's tables until the first report is run."""
    sql("drop table investor.late_rows")
    publish(sql, NIGHT)
    assert growth(warehouse).publication is not None


def test_only_the_newest_runs_failed_checks_hold_a_report(sql: Any, warehouse: Warehouse) -> None:
    """An earlier run's failure is history, and so is one that was published over."""

    def checked(run: str, passed: bool, at: dt.datetime) -> None:
        row = ("investor.daily_growth", DAY, run, "identity", "100", "98", passed, at)
        sql("insert into investor.checks values (%s, %s, %s, %s, %s, %s, %s, %s)", row)

    checked("one", False, NIGHT)
    assert growth(warehouse).failed_checks == (FailedCheck("identity", "100", "98", "one", NIGHT),)
    checked("two", True, NIGHT + dt.timedelta(minutes=1))
    assert growth(warehouse).failed_checks == ()
    checked("three", False, NIGHT + dt.timedelta(minutes=2))
    publish(sql, NIGHT + dt.timedelta(minutes=3))
    assert growth(warehouse).failed_checks == ()


def test_a_lock_before_which_a_run_stands_is_seen(
    sql: Any, warehouse: Warehouse, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose it is, of this report and day alone, not who stands there too; not before it has stood there a while."""
    lock = "select pg_advisory_lock(hashtext('investor.daily_growth'), date '2026-11-22' - date '2000-01-01')"
    with (
        closing(psycopg.connect(fresh_database, autocommit=True)) as ahead,
        closing(psycopg.connect(fresh_database, autocommit=True)) as holds,
        closing(psycopg.connect(fresh_database, autocommit=True)) as waits,
    ):
        holder = holds.info.backend_pid
        holds.execute(lock)
        assert growth(warehouse).blocked_by == ""
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        both = [threading.Thread(target=each.execute, args=[lock], daemon=True) for each in (ahead, waits)]
        for number, each in enumerate(both, 1):
            each.start()
            while sql(waiting).fetchone() != (number,):
                pass
        assert growth(warehouse).blocked_by == ""
        monkeypatch.setattr(warehouse_module, "BLOCKED_FOR", dt.timedelta())
        assert growth(warehouse).blocked_by == f"pid {holder} (postgres)"
        assert warehouse.read([(GROWTH, DAY - dt.timedelta(days=1))])[
            "growth_etl", DAY - dt.timedelta(days=1)
        ].blocked_by == ""  # fmt: skip
        holds.execute("select pg_advisory_unlock_all()")
        both[0].join(10)
        ahead.execute("select pg_advisory_unlock_all()")
        both[1].join(10)
        assert growth(warehouse).blocked_by == ""


def test_a_warehouse_that_is_not_there_is_unreadable_and_names_no_secret() -> None:
    """The reason says which source; the password is not in it."""
    gone = Warehouse(connect_to("postgresql://oncall:secret@127.0.0.1:1/warehouse"))
    with pytest.raises(Unreadable, match=r"^warehouse: ") as caught:
        gone.read([(GROWTH, DAY)])
    assert "secret" not in str(caught.value)


def test_a_table_has_the_share_of_its_contract_and_a_holiday_less(sql: Any, fresh_database: str) -> None:
    """Both are read anew by each look."""
    for back in range(1, 64):
        loaded(sql, "sessions", DAY - dt.timedelta(days=back), 1000 + back % 5)
    loaded(sql, "sessions", DAY, 600)
    in_force = [Volume()]
    warehouse = Warehouse(connect_to(fresh_database), in_force.pop)
    assert state(warehouse, "master.sessions") == "partial"
    in_force.append(
        Volume(DataContracts({"master.sessions": TableContract("master.sessions", (), (), volume=0.25)}))
    )
    assert state(warehouse, "master.sessions") == "fresh"


@pytest.mark.parametrize(("table", "expected"), [("orders", "partial"), ("order_lines", "fresh")])
def test_rows_that_come_in_groups_vary_by_more(
    sql: Any, fresh_database: str, table: str, expected: str
) -> None:
    """A hundred carts have now 200 lines and now 300, with as many carts."""
    for back in range(1, 64):
        loaded(sql, table, DAY - dt.timedelta(days=back), 260 + back % 5)
    loaded(sql, table, DAY, 155)
    shipped = Volume(load_data_contracts(REPOSITORY / "include"))
    (load,) = Warehouse(connect_to(fresh_database), lambda: shipped).loads([f"master.{table}"], DAY)
    assert load.state == expected
