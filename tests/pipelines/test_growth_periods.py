"""Growth by week and month, and cohorts by month of sign-up: published once their days are, restated with them."""

from __future__ import annotations

import datetime as dt
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as some

from oncall.config.oncall_config import load
from pipelines import runner
from pipelines.report_run import Held
from pipelines.stale_days import StalePublications
from tests.exploring import examples
from tests.pipelines.master_by_hand import add, at, row, rows
from tests.pipelines.model_runs import Run, report_run
from tests.pipelines.plain_calculation import Master
from tests.pipelines.shop_history import LONG_AGO

CONFIG = load(Path(__file__).resolve().parents[2] / "include")
FIRST, MONTH_END = dt.date(2026, 8, 31), dt.date(2026, 10, 31)  # a Monday; a whole September and October
DAYS = [FIRST + dt.timedelta(days=n) for n in range((MONTH_END - FIRST).days + 1)]
SUNDAYS = [day for day in DAYS[13:] if day.isoweekday() == 7]
GROWTH = "growth_etl"
PERIODS = ("weekly_growth", "monthly_growth", "signup_cohorts")


def sign_up(connection: Any, *days: dt.date) -> None:
    """Customers 1, 2, … who signed up on these days; each day has its load of sessions."""
    for number, day in enumerate(days, 1):
        add(connection, "customers", {"customer_id": number, "signed_up_at": at("08:00", day)})
    with connection.cursor() as cursor:
        for day in DAYS:
            cursor.execute("insert into master.loads values ('sessions', %s, '2026-11-01', 0)", (day,))
    connection.commit()


def visit(connection: Any, serial: int, customer: int, day: dt.date, written: Any = None) -> None:
    session = {"session_id": serial, "customer_id": customer, "started_at": at("12:00", day)}
    add(connection, "sessions", session | ({"updated_at": written} if written else {}))


def published(connection: Any) -> dict[tuple[str, ...], str]:
    """Every published number of the periods, as it is written."""
    return {
        (table, str(cells["report_date"]), cells.get("cohort") or "", name): str(value)
        for table in PERIODS
        for cells in rows(connection, f"select * from investor.{table}")
        for name, value in cells.items()
    }


def restated(connection: Any) -> list[dict[str, Any]]:
    names = [f"investor.{name}" for name in PERIODS]
    return list(rows(connection, "select * from investor.restatements where report = any(%s)", names))


def check_against_the_plain_calculation(connection: Any) -> None:
    master = Master(connection)
    whole_weeks = rows(connection, "select * from investor.weekly_growth order by report_date")
    assert [week["report_date"] for week in whole_weeks] == SUNDAYS
    before = None
    for week in whole_weeks:
        last = week.pop("report_date")
        first = week.pop("first_day")
        assert first == last - dt.timedelta(days=6)
        check_period(week, master.growth_of(first, last, last - dt.timedelta(days=13)))
        if before is not None:
            assert week["active"] == before + week["new"] + week["resurrected"] - week["churned"]
        before = week["active"]
    month = row(connection, "select * from investor.monthly_growth")
    october = dt.date(2026, 10, 1)
    assert (month.pop("report_date"), month.pop("first_day")) == (MONTH_END, october)
    check_period(month, master.growth_of(october, MONTH_END, dt.date(2026, 9, 1)))
    for end in (dt.date(2026, 9, 30), MONTH_END):
        found = rows(connection, "select * from investor.signup_cohorts where report_date = %s", end)
        assert {c["cohort"]: (c["months"], c["customers"], c["active"]) for c in found} == master.cohorts(end)
        for cohort in found:
            assert cohort["retained_share"] == pytest.approx(cohort["active"] / cohort["customers"])


def check_period(found: dict[str, Any], expected: dict[str, Any]) -> None:
    ratio, expected_ratio = found.pop("quick_ratio"), expected.pop("quick_ratio")
    assert found == expected
    assert (ratio is None) == (expected_ratio is None)
    assert ratio is None or abs(Fraction(ratio) - expected_ratio) < Fraction(1, 10**10)


VISITS = some.lists(some.tuples(some.integers(1, 5), some.sampled_from(DAYS)), max_size=40)


@pytest.mark.timeout(900)
@settings(
    max_examples=examples(2),
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # to shrink takes longer than to read
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(  # both come late, so that the first of them is not the customer's next active day
    visits=[(2, dt.date(2026, 10, 17))],
    late=[(2, dt.date(2026, 9, 24)), (2, FIRST)],
    order=random.Random(1),
)
@given(visits=VISITS, late=VISITS.map(lambda found: found[:6]), order=some.randoms(use_true_random=False))
def test_periods_are_what_their_days_are(
    warehouse: Any, visits: list[Any], late: list[Any], order: Any
) -> None:
    """To the customer, also after rows that came late; each number that changes is restated, and nothing else does."""
    with warehouse.cursor() as cursor:
        cursor.execute(
            "select string_agg(format('delete from %I.%I', schemaname, tablename), '; ') from pg_tables"
            " where schemaname in ('master', 'base', 'investor', 'experiments')"
        )
        cursor.execute(cursor.fetchone()[0])
    warehouse.commit()
    sign_up(warehouse, dt.date(2026, 7, 5), FIRST, dt.date(2026, 9, 1), dt.date(2026, 9, 30), MONTH_END)
    for serial, (customer, day) in enumerate(visits, 1):
        visit(warehouse, serial, customer, day)
    for day in DAYS:
        runner.run_day(warehouse, report_run(GROWTH, day))
    check_against_the_plain_calculation(warehouse)
    before = published(warehouse)
    for serial, (customer, day) in enumerate(late, 1000):
        visit(warehouse, serial, customer, day, dt.datetime.now(dt.UTC))
    StalePublications(warehouse, CONFIG).rerun("again", since=LONG_AGO)
    check_against_the_plain_calculation(warehouse)
    now = published(warehouse)
    changed = {cell for cell in before.keys() | now.keys() if before.get(cell) != now.get(cell)}
    told = {
        (r["report"].partition(".")[2], str(r["report_date"]), r["row_key"], r["column_name"])
        for r in restated(warehouse)
    }
    assert told == changed
    ends = [*SUNDAYS, dt.date(2026, 9, 30), MONTH_END]
    order.shuffle(ends)
    many = len(restated(warehouse))
    for day in ends:
        runner.run_day(warehouse, report_run(GROWTH, day, run_id="more"))
    assert (published(warehouse), len(restated(warehouse))) == (now, many)
    assert StalePublications(warehouse, CONFIG).find(LONG_AGO) == []


def test_a_week_waits_for_each_of_its_days(warehouse: Any, run: Run) -> None:
    """While a day of it or of the week before is not published there is none; the day itself comes out as ever."""
    sign_up(warehouse, FIRST)
    visit(warehouse, 1, 1, FIRST)
    visit(warehouse, 2, 1, FIRST + dt.timedelta(days=9))
    sunday, missing = SUNDAYS[0], FIRST + dt.timedelta(days=3)
    for day in DAYS[:14]:
        if day != missing:
            assert "investor.weekly_growth" not in run(GROWTH, day=day)
    assert run(GROWTH, day=missing) == {"investor.daily_growth": 1, "base.growth": 0}
    (stale,) = StalePublications(warehouse, CONFIG).find(LONG_AGO)
    assert (stale.report_date, stale.because) == (sunday, f"depends on base.growth of {missing}")
    assert run(GROWTH, day=sunday)["investor.weekly_growth"] == 1
    week = row(warehouse, "select active, new, retained, resurrected, churned from investor.weekly_growth")
    assert list(week.values()) == [1, 0, 1, 0, 0]
    assert restated(warehouse) == []


def test_a_day_whose_model_is_ahead_of_what_is_published_lets_the_week_wait(warehouse: Any, run: Run) -> None:
    """It was computed and not published: what was published of the week stays."""
    sign_up(warehouse, FIRST)
    for day in DAYS[:14]:
        run(GROWTH, day=day)
    before = published(warehouse)
    assert before
    visit(warehouse, 1, 1, DAYS[8], dt.datetime.now(dt.UTC))
    runner.transform(warehouse, report_run(GROWTH, DAYS[8]))  # and no more
    assert "investor.weekly_growth" not in run(GROWTH, day=SUNDAYS[0])
    assert published(warehouse) == before
    done = StalePublications(warehouse, CONFIG).rerun("again", since=LONG_AGO)
    assert {(r["column_name"], r["new_value"]) for r in restated(warehouse)} == {
        ("active", "1"),
        ("new", "1"),
    }
    assert sum(rerun.restated for rerun in done) == len(
        rows(warehouse, "select * from investor.restatements")
    )
    assert all(one["reason"] for one in restated(warehouse))


def test_customers_who_come_with_a_late_load_make_their_month_stale(warehouse: Any, run: Run) -> None:
    """A cohort counts who signed up until its month ended."""
    sign_up(warehouse, DAYS[1])
    for day in DAYS[1:31]:
        run(GROWTH, day=day)
    end = dt.date(2026, 9, 30)
    assert row(warehouse, "select cohort, months, customers, active from investor.signup_cohorts") == {
        "cohort": "2026-09", "months": 0, "customers": 1, "active": 0,
    }  # fmt: skip
    add(warehouse, "customers", {"customer_id": 9, "signed_up_at": at("09:00", DAYS[5])})
    with warehouse.cursor() as cursor:
        cursor.execute("insert into master.loads values ('customers', %s, now(), 1)", (DAYS[5],))
    warehouse.commit()
    assert [one.report_date for one in StalePublications(warehouse, CONFIG).find(LONG_AGO)] == [end]
    run(GROWTH, day=end)
    (told,) = restated(warehouse)
    assert (told["column_name"], told["old_value"], told["new_value"], told["row_key"]) == (
        "customers", "1", "2", "2026-09",
    )  # fmt: skip


@pytest.mark.parametrize("day", [FIRST - dt.timedelta(days=60), DAYS[2]])
def test_a_sign_up_that_is_corrected_makes_the_months_stale_that_counted_it(
    warehouse: Any, run: Run, day: dt.date
) -> None:
    """Without a load: those before and since. A row that is written for another reason, or is gone, makes none."""
    sign_up(warehouse, DAYS[1], DAYS[3], DAYS[40], DAYS[41])
    for each in DAYS[1:]:
        run(GROWTH, day=each)
    ends = [dt.date(2026, 9, 30), MONTH_END]

    def stale() -> list[dt.date]:
        return [one.report_date for one in StalePublications(warehouse, CONFIG).find()]

    def change(what: str) -> None:
        with warehouse.cursor() as cursor:
            cursor.execute(what)
        warehouse.commit()

    assert stale() == []
    change("update master.customers set country = 'TH', updated_at = now() where customer_id = 1")
    change("delete from master.customers where customer_id = 4")
    assert stale() == []
    moved = f"update master.customers set signed_up_at = '{day} 08:00+07', updated_at = now() where customer_id = "
    change(moved + "3")
    assert stale() == ends
    for end in ends:
        run(GROWTH, day=end)
        found = rows(warehouse, "select * from investor.signup_cohorts where report_date = %s", end)
        assert {c["cohort"]: (c["months"], c["customers"], c["active"]) for c in found} == Master(
            warehouse
        ).cohorts(end)
    assert stale() == []


def test_a_late_sign_up_makes_no_month_stale_before_its_own(warehouse: Any, run: Run) -> None:
    """Though one before it has lost a customer since."""
    sign_up(warehouse, DAYS[1], DAYS[3], DAYS[40])
    for each in DAYS[1:]:
        run(GROWTH, day=each)
    with warehouse.cursor() as cursor:
        cursor.execute("delete from master.customers where customer_id = 1")
    late = {"customer_id": 9, "signed_up_at": at("09:00", DAYS[41]), "updated_at": dt.datetime.now(dt.UTC)}
    add(warehouse, "customers", late)
    assert [one.report_date for one in StalePublications(warehouse, CONFIG).find()] == [MONTH_END]


def test_a_month_whose_sessions_are_put_away_is_not_stale(warehouse: Any, run: Run) -> None:
    """It could not be run again, and all that is stale after it would wait for it: neither a row nor a load tells."""
    sign_up(warehouse, DAYS[1], DAYS[3], DAYS[40])
    for serial, day in enumerate(DAYS):
        visit(warehouse, serial, 1, day)
    with warehouse.cursor() as cursor:
        cursor.execute("update master.loads set row_count = 1")
    warehouse.commit()
    for each in DAYS[1:]:
        run(GROWTH, day=each)
    with warehouse.cursor() as cursor:
        cursor.execute("delete from master.sessions where started_at < '2026-10-01'")
        cursor.execute("insert into master.loads values ('customers', %s, now(), 1)", (DAYS[5],))
    late = {"customer_id": 9, "signed_up_at": at("09:00", DAYS[2]), "updated_at": dt.datetime.now(dt.UTC)}
    add(warehouse, "customers", late)
    assert [one.report_date for one in StalePublications(warehouse, CONFIG).find()] == [MONTH_END]
    run(GROWTH, day=MONTH_END)
    assert StalePublications(warehouse, CONFIG).find() == []


def test_a_period_that_does_not_add_up_is_held(warehouse: Any, run: Run) -> None:
    """The last word is the check's."""
    sign_up(warehouse, FIRST)
    for day in DAYS[:13]:
        run(GROWTH, day=day)
    runner.transform(warehouse, report_run(GROWTH, SUNDAYS[0]))
    with warehouse.cursor() as cursor:
        cursor.execute("update base.weekly_growth_draft set active = active + 1")
    warehouse.commit()
    with pytest.raises(Held, match="week_is_accounted_for: expected active = new"):
        runner.check(warehouse, report_run(GROWTH, SUNDAYS[0]))
