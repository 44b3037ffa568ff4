"""How a promise was kept, day by day."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from oncall.core.promises.attainment import Attainment, Day, FirstPublished, attainment, days
from oncall.core.promises.promise import Promise
from tests.core.scenes import TZ

FIVE = Promise(dt.time(5), dt.time(3, 30))
LAST = dt.date(2026, 11, 22)
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=TZ)


def published(**when: str) -> dict[dt.date, FirstPublished]:
    """`d22="23 04:10"`: the report of the 22nd was first published on the 23rd at ten past four."""
    return {
        dt.date(2026, 11, int(day[1:])): FirstPublished(dt.datetime.fromisoformat(f"2026-11-{at}+07:00"))
        for day, at in when.items()
    }


def one_day(at: dt.datetime, **when: str) -> Day:
    [day] = days(FIVE, published(**when), LAST, 1, at, TZ)
    return day


@pytest.mark.parametrize(
    ("first", "outcome", "late_by"),
    [
        ("23 04:59:59.999999", "kept", None),
        ("23 05:00:00.000000", "kept", None),
        ("23 05:00:00.000001", "late", dt.timedelta(microseconds=1)),
        ("23 05:42:00", "late", dt.timedelta(minutes=42)),
    ],
)
def test_a_published_day(first: str, outcome: str, late_by: dt.timedelta | None) -> None:
    """The due instant itself is in time; only what is late has a lateness."""
    day = one_day(NOON, d22=first)
    assert (day.outcome, day.late_by) == (outcome, late_by)
    assert (day.published_at, day.report_date) == (published(d22=first)[LAST].at, LAST)
    assert day.due == dt.datetime(2026, 11, 23, 5, tzinfo=TZ)


@pytest.mark.parametrize(
    ("clock", "outcome"), [("04:59:59.999999", "open"), ("05:00:00", "broken"), ("12:00", "broken")]
)
def test_a_missing_day_is_broken_from_its_due_instant_on(clock: str, outcome: str) -> None:
    """Before that it is open."""
    at = dt.datetime.fromisoformat(f"2026-11-23T{clock}+07:00")
    found = days(FIVE, published(d20="21 04:00"), LAST, 1, at, TZ)
    assert [(day.outcome, day.published_at, day.late_by) for day in found] == [(outcome, None, None)]


def test_nobody_promised_what_came_before_the_first_publication() -> None:
    """A gap after it is broken; oldest first, the last one included."""
    found = days(FIVE, published(d19="20 04:00", d21="22 06:00"), LAST, 6, NOON, TZ)
    assert [(day.report_date.day, day.outcome) for day in found] == [
        (17, "none"), (18, "none"), (19, "kept"), (20, "broken"), (21, "late"), (22, "broken"),
    ]  # fmt: skip


def test_where_nothing_was_ever_published_only_the_last_day_can_be_broken() -> None:
    """A new installation has broken nothing before."""
    found = days(FIVE, {}, LAST, 3, NOON, TZ)
    assert [day.outcome for day in found] == ["none", "none", "broken"]


def test_attainment_counts_what_was_due() -> None:
    """Late and broken count against the promise; open days and those before it do not count."""
    before_five = dt.datetime(2026, 11, 23, 4, tzinfo=TZ)
    found = days(FIVE, published(d18="19 04:00", d19="20 05:10", d21="22 04:00"), LAST, 6, before_five, TZ)
    assert [day.outcome for day in found] == ["none", "kept", "late", "broken", "kept", "open"]
    assert attainment(found) == Attainment(kept=2, counted=4)
    assert attainment(found).percent == 50.0
    assert attainment(found[:4]) == Attainment(kept=1, counted=3)
    assert [day.report_date.day for day in found] == [17, 18, 19, 20, 21, 22]
    assert [day.due.day for day in found] == [18, 19, 20, 21, 22, 23]
    assert attainment(()).percent is None
    assert Attainment(3, 3).percent == 100.0


def test_a_day_that_was_never_promised_does_not_count() -> None:
    """Of a pipeline that runs from Monday to Friday, a weekend is no broken promise; Friday's is kept on Monday."""
    workdays = replace(FIVE, weekdays=frozenset(range(5)))
    made = published(d17="18 04:00", d18="19 04:00", d19="20 04:00", d20="23 04:00")
    found = days(workdays, made, LAST, 6, NOON, TZ)
    assert [(day.report_date.day, day.outcome) for day in found] == [
        (17, "kept"), (18, "kept"), (19, "kept"), (20, "kept"),
    ]  # fmt: skip


def test_a_day_is_judged_by_when_it_was_due_as_it_was_published() -> None:
    """A due time that moves afterwards makes nothing timely that was late, and nothing late that was in time."""
    five, six = (dt.datetime(2026, 11, 23, hour, tzinfo=TZ) for hour in (5, 6))
    made = {
        LAST - dt.timedelta(days=1): FirstPublished(
            five - dt.timedelta(hours=23, minutes=18)
        ),  # 05:42, unsaid
        LAST: FirstPublished(five + dt.timedelta(minutes=42), five),
    }
    unsaid, said = days(replace(FIVE, due=dt.time(6)), made, LAST, 2, NOON, TZ)
    assert (unsaid.outcome, unsaid.due) == ("kept", six - dt.timedelta(days=1))
    assert (said.outcome, said.due, said.late_by) == ("late", five, dt.timedelta(minutes=42))
    early = {LAST: FirstPublished(five - dt.timedelta(minutes=20), five)}
    [kept] = days(replace(FIVE, due=dt.time(4, 30)), early, LAST, 1, NOON, TZ)
    assert kept.outcome == "kept"
