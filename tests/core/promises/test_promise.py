"""When a report is due and when to warn: wall clocks and business days, over changes of clocks too."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from oncall.core.promises.promise import Promise, business_day, due_at, last_due, warn_at
from tests.core.scenes import TZ

FIVE = Promise(dt.time(5), dt.time(3, 30))
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
