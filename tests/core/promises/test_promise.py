"""When a report is due and when to warn: wall clocks and business days, over changes of clocks too."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.core.promises.promise import (
    Promise,
    business_day,
    due_at,
    last_due,
    starts_at,
    warn_at,
    weekdays_of,
)
from tests.core.scenes import TZ

FIVE = Promise(dt.time(5), dt.time(3, 30))
WORKDAYS = replace(FIVE, weekdays=frozenset(range(5)))
SUNDAYS = replace(FIVE, weekdays=frozenset({6}))
BERLIN, LOS_ANGELES = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Los_Angeles")
DAY = dt.date(2026, 11, 22)


def instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("promise", "day", "zone", "warn", "due"),
    [
        (FIVE, "2026-11-22", TZ, "2026-11-23T03:30+07:00", "2026-11-23T05:00+07:00"),
        (FIVE, "2026-12-31", TZ, "2027-01-01T03:30+07:00", "2027-01-01T05:00+07:00"),
        (FIVE, "2028-02-28", TZ, "2028-02-29T03:30+07:00", "2028-02-29T05:00+07:00"),
        # Just after midnight: the warning is on the evening before.
        (
            Promise(dt.time(0, 30), dt.time(23)),
            "2026-11-22",
            TZ,
            "2026-11-22T23:00+07:00",
            "2026-11-23T00:30+07:00",
        ),
        (
            Promise(dt.time(5), dt.time(5)),
            "2026-11-22",
            TZ,
            "2026-11-23T05:00+07:00",
            "2026-11-23T05:00+07:00",
        ),
        (FIVE, "2026-11-22", LOS_ANGELES, "2026-11-23T03:30-08:00", "2026-11-23T05:00-08:00"),
        # Clocks go forward at two and back at three.
        (FIVE, "2026-03-28", BERLIN, "2026-03-29T03:30+02:00", "2026-03-29T05:00+02:00"),
        (FIVE, "2026-10-24", BERLIN, "2026-10-25T03:30+01:00", "2026-10-25T05:00+01:00"),
    ],
)
def test_due_and_warning(promise: Promise, day: str, zone: dt.tzinfo, warn: str, due: str) -> None:
    """On the day after the report date; the warning is the last such clock time before due."""
    date = dt.date.fromisoformat(day)
    assert due_at(promise, date, zone) == instant(due)
    assert warn_at(promise, date, zone) == instant(warn)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-22T23:30Z", "2026-11-23"),
        ("2026-11-22T16:59:59.999999Z", "2026-11-22"),
        ("2026-11-22T17:00Z", "2026-11-23"),
    ],
)
def test_a_business_day_is_that_of_the_zone(at: str, day: str) -> None:
    """At 23:30Z it is already tomorrow in UTC+7."""
    assert business_day(instant(at), TZ) == dt.date.fromisoformat(day)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-23T05:00+07:00", "2026-11-22"),
        ("2026-11-23T04:59:59.999999+07:00", "2026-11-21"),
        ("2026-11-23T23:59+07:00", "2026-11-22"),
        ("2026-11-24T00:00+07:00", "2026-11-22"),
        ("2026-11-22T22:00Z", "2026-11-22"),
    ],
)
def test_the_report_that_fell_due_last(at: str, day: str) -> None:
    """At five it is yesterday's, a tick before that of the day before."""
    assert last_due(FIVE, instant(at), TZ) == dt.date.fromisoformat(day)


def test_instants_are_in_the_zone_that_was_asked_for() -> None:
    """Whoever prints them shows the roster's clock."""
    assert isinstance(due_at(FIVE, DAY, BERLIN), dt.datetime)
    assert due_at(FIVE, DAY, BERLIN).hour == 5


@pytest.mark.parametrize(
    ("promise", "day", "warn", "due"),
    [
        (WORKDAYS, "2026-11-19", "2026-11-20T03:30+07:00", "2026-11-20T05:00+07:00"),  # Thursday's on Friday
        (WORKDAYS, "2026-11-20", "2026-11-23T03:30+07:00", "2026-11-23T05:00+07:00"),  # Friday's on Monday
        (SUNDAYS, "2026-11-22", "2026-11-29T03:30+07:00", "2026-11-29T05:00+07:00"),
        (
            Promise(dt.time(0, 30), dt.time(23), frozenset(range(5))), "2026-11-20",
            "2026-11-22T23:00+07:00", "2026-11-23T00:30+07:00",
        ),
    ],
)  # fmt: skip
def test_a_promise_of_some_weekdays_is_due_on_the_next_of_them(
    promise: Promise, day: str, warn: str, due: str
) -> None:
    """As Airflow names the runs of such a schedule: Monday's is for Friday."""
    date = dt.date.fromisoformat(day)
    assert due_at(promise, date, TZ) == instant(due)
    assert warn_at(promise, date, TZ) == instant(warn)


@pytest.mark.parametrize(
    ("promise", "at", "day"),
    [
        (
            WORKDAYS,
            "2026-11-21T12:00+07:00",
            "2026-11-19",
        ),  # on Saturday: Thursday's, which was due on Friday
        (WORKDAYS, "2026-11-23T04:59:59+07:00", "2026-11-19"),
        (WORKDAYS, "2026-11-23T05:00+07:00", "2026-11-20"),
        (SUNDAYS, "2026-11-22T04:59+07:00", "2026-11-08"),
        (SUNDAYS, "2026-11-22T05:00+07:00", "2026-11-15"),
    ],
)
def test_the_last_report_of_some_weekdays_that_fell_due(promise: Promise, at: str, day: str) -> None:
    """Over a weekend it stays the one of before, and nothing falls due."""
    assert last_due(promise, instant(at), TZ) == dt.date.fromisoformat(day)


@given(
    st.frozensets(st.integers(0, 6), min_size=1),
    st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1)),  # noqa: DTZ001 - the zone follows
    st.sampled_from([TZ, BERLIN, LOS_ANGELES]),
)
def test_at_any_instant_the_last_report_is_over_and_the_next_one_is_not(
    weekdays: frozenset[int], wall: dt.datetime, zone: dt.tzinfo
) -> None:
    """Whatever the days: no report is skipped, and none is due twice."""
    promise, at = replace(FIVE, weekdays=weekdays), wall.replace(tzinfo=dt.UTC)
    last = last_due(promise, at, zone)
    after = promise.due_day(last)
    assert promise.covers(last)
    assert promise.covers(after)
    assert due_at(promise, last, zone) <= at < due_at(promise, after, zone)


@pytest.mark.parametrize(
    ("schedule", "day", "zone", "starts"),
    [
        ("0 2 * * *", "2026-11-22", TZ, "2026-11-23T02:00+07:00"),
        ("0 2 * * 1,2,3,4,5", "2026-11-20", TZ, "2026-11-23T02:00+07:00"),
        ("0 2 * * 1,2,3,4,5", "2026-11-21", TZ, None),
        ("0 0 * * 0", "2026-11-22", TZ, "2026-11-29T00:00+07:00"),
        ("30 1 * * *", "2026-06-30", BERLIN, "2026-07-01T01:30+02:00"),
        ("0 */6 * * *", "2026-11-22", TZ, None),
        (None, "2026-11-22", TZ, None),
    ],
)
def test_when_the_run_of_a_day_starts(
    schedule: str | None, day: str, zone: dt.tzinfo, starts: str | None
) -> None:
    """By the wall clock of the roster's zone; of a day that the schedule leaves out no run is missed."""
    found = starts_at(schedule, dt.date.fromisoformat(day), zone)
    assert found == (instant(starts) if starts else None)


@pytest.mark.parametrize(
    "schedule", ["0 2 * * *", "0 2 * * 1,2,3,4,5", "5 4 * * 0", "0 23 * * 0,3", "0 0 * * 6"]
)
@pytest.mark.parametrize("zone", ["Asia/Bangkok", "Europe/Berlin"])
def test_the_reports_of_a_schedule_are_those_that_airflow_names_its_runs_for(
    schedule: str, zone: str
) -> None:
    """Each run's partition key is a report date of the promise, and it starts when the run does."""
    from airflow.timetables.trigger import CronPartitionTimetable

    tz = ZoneInfo(zone)
    timetable = CronPartitionTimetable(schedule, timezone=zone, run_offset=-1, key_format="%Y-%m-%d")
    promise, at = replace(FIVE, weekdays=weekdays_of(schedule)), instant("2026-10-10T00:00Z")
    for _ in range(20):
        at = timetable._get_next(pendulum.instance(at))
        date = timetable._get_partition_date(run_date=at).astimezone(tz).date()
        assert promise.covers(date)
        assert starts_at(schedule, date, tz) == at


def test_a_warning_time_that_the_clock_skips_is_no_warning_a_day_early() -> None:
    """02:15 does not come on the day the clock jumps from 02:00 to 03:00, and is read as 03:15: that is after 03:00."""
    promise = Promise(dt.time(3, 0), dt.time(2, 15))
    assert warn_at(promise, dt.date(2026, 3, 28), BERLIN) == due_at(promise, dt.date(2026, 3, 28), BERLIN)
    assert warn_at(promise, dt.date(2026, 3, 27), BERLIN) == dt.datetime(2026, 3, 28, 2, 15, tzinfo=BERLIN)
