"""The past of a new warehouse: every loaded day once, at the times of good nights, with a few that were late."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from sandbox.master_data.business_day import ZONE
from sandbox.master_data.generator import TABLES
from sandbox.master_data.loading import Loader, create_schema, usual_load_time
from sandbox.master_data.published_history import LINES, fill, main, published_at
from tests.pipelines.shop_history import PUBLISHED

FIRST = dt.date(2026, 10, 1)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(3)]
PIPELINES = [dag_id for line in LINES for dag_id in line]
LONG_AFTER = dt.datetime(2026, 12, 1, tzinfo=ZONE)
YEAR = [FIRST + dt.timedelta(days=n) for n in range(365)]


@pytest.fixture
def loaded(fresh_database: str) -> Iterator[Any]:
    """A warehouse with three small days of master data, and none of our tables."""
    with closing(psycopg2.connect(fresh_database)) as connection:
        create_schema(connection)
        for day in DAYS:
            Loader(connection, 0.01).load(day)
        yield connection


def publications(connection: Any) -> list[tuple[str, dt.date, dt.datetime, dt.datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select report, report_date, published_at, read_at from investor.publications order by 1, 2"
        )
        found = list(cursor.fetchall())
    connection.rollback()
    return found


def test_every_loaded_day_gets_its_reports_once(loaded: Any, fresh_database: str) -> None:
    """Five reports and three base models a day; a second time there is nothing left to do."""
    done, held = fill(lambda: psycopg2.connect(fresh_database), None, None, LONG_AFTER)
    assert (done, held) == (15, [])
    first = publications(loaded)
    assert len(first) == 8 * len(DAYS)
    assert all(read_at < published for _, _, published, read_at in first)
    assert fill(lambda: psycopg2.connect(fresh_database), None, None, LONG_AFTER) == (0, [])
    assert publications(loaded) == first


def test_a_night_that_is_not_over_is_left_to_airflow(loaded: Any, fresh_database: str) -> None:
    """Nothing is published in the future."""
    midnight = dt.datetime.combine(DAYS[-1] + dt.timedelta(days=1), dt.time(), tzinfo=ZONE)
    done, _ = fill(lambda: psycopg2.connect(fresh_database), None, None, midnight)
    assert done == 10


def test_a_late_load_makes_a_late_report_and_not_a_stale_one(loaded: Any, fresh_database: str) -> None:
    """What a sleeping laptop missed comes when it is woken, and its report after it."""
    woken = dt.datetime.combine(DAYS[-1] + dt.timedelta(days=3), dt.time(10), tzinfo=ZONE)
    Loader(loaded, 0.01).load(DAYS[-1], loaded_at=woken)
    fill(lambda: psycopg2.connect(fresh_database), DAYS[-1], DAYS[-1], woken)
    for _, _, published, read_at in publications(loaded):
        assert woken <= read_at <= published <= woken


def test_the_command_line_takes_days(
    loaded: Any, fresh_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both ends are included."""
    main(["--dsn", fresh_database, "--from", str(DAYS[1]), "--until", str(DAYS[1])])
    assert capsys.readouterr().out.splitlines()[-1] == "published 5 reports"
    assert {day for _, day, _, _ in publications(loaded)} == {DAYS[1]}


def test_good_nights_publish_between_0220_and_0440() -> None:
    """Investor reports are in time but for the few late ones, and the same every time they are asked."""
    due = dt.time(5)
    for dag_id, late in {
        "profit_etl": dt.time(5, 7),
        "engagement_etl": None,
        "growth_etl": dt.time(5, 42),
    }.items():
        times = [published_at(dag_id, day, ZONE) for day in YEAR]
        assert times == [published_at(dag_id, day, ZONE) for day in YEAR]
        assert all(at.date() == day + dt.timedelta(days=1) for day, at in zip(YEAR, times, strict=True))
        good = [at.time() for at in times if at.time() <= due]
        assert dt.time(2, 20) <= min(good) <= max(good) <= dt.time(4, 40)
        assert {at.time() for at in times} - set(good) == ({late} if late else set())


def test_nothing_is_published_before_what_it_reads() -> None:
    """Upstream is loaded before a report is read, a base model is published before an experiment's report."""
    minute = dt.timedelta(minutes=1)
    for day in YEAR:
        loads = max(usual_load_time(table, day) for table in TABLES)
        at = {dag_id: published_at(dag_id, day, ZONE) for dag_id in PIPELINES}
        assert loads < min(at.values()) - minute
        assert at["profit_etl"] <= at["unit_profit_experiments"] - minute
        assert at["growth_etl"] <= at["daily_growth_experiments"] - minute


def numbers(connection: Any) -> dict[str, list[str]]:
    """Every published row as text, without when and by which run."""
    found = {}
    with connection.cursor() as cursor:
        for table in PUBLISHED:
            cursor.execute(f"select (to_jsonb(t) - 'run_id')::text from {table} as t order by 1")
            found[table] = [row for (row,) in cursor.fetchall()]
    connection.rollback()
    return found


def test_the_newest_promised_reports_may_come_first(loaded: Any, fresh_database: str) -> None:
    """Whoever waits for the page gets them before the rest, and the numbers are those of any other order."""

    def connect() -> Any:
        return psycopg2.connect(fresh_database)

    assert fill(connect, DAYS[-1], None, LONG_AFTER, promised=True) == (3, [])
    assert {day for _, day, _, _ in publications(loaded)} == {DAYS[-1]}
    assert fill(connect, None, None, LONG_AFTER) == (12, [])
    newest_first = numbers(loaded)
    with loaded, loaded.cursor() as cursor:
        cursor.execute("drop schema base, investor, experiments cascade")
    assert fill(connect, None, None, LONG_AFTER) == (15, [])
    assert numbers(loaded) == newest_first
    assert newest_first["investor.daily_profit"]


def test_a_week_is_counted_once_its_days_are_there(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last day comes before the others."""
    monkeypatch.setattr("sandbox.master_data.published_history.LINES", (("growth_etl",),))
    with closing(psycopg2.connect(fresh_database)) as connection:
        create_schema(connection)
        for day in (dt.date(2026, 10, 5) + dt.timedelta(days=n) for n in range(15)):
            Loader(connection, 0.01).load(day)
        fill(lambda: psycopg2.connect(fresh_database), None, None, LONG_AFTER)
        with connection.cursor() as cursor:
            cursor.execute("select first_day, report_date from investor.weekly_growth")
            assert cursor.fetchall() == [(dt.date(2026, 10, 12), dt.date(2026, 10, 18))]
            cursor.execute("select count(*) from investor.restatements")
            assert cursor.fetchone() == (0,)
