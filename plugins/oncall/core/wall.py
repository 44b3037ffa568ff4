"""Wall clocks: which instant a zone's clock shows a time on a date. Knows nothing of what the time is for."""

from __future__ import annotations

import datetime as dt

import pendulum


def at_wall(day: dt.date, clock: dt.time, tz: dt.tzinfo) -> pendulum.DateTime:
    """The instant the clock of `tz` shows `clock` on `day`, in `tz`.

    A time that the zone's clock shows twice (autumn) is the first of the two; a time that it skips (spring) is read
    with the offset before the jump, so 02:30 is the instant that is called 03:30.
    """
    return in_zone(dt.datetime.combine(day, clock, tzinfo=tz), tz)


def in_zone(at: dt.datetime, tz: dt.tzinfo) -> pendulum.DateTime:
    """The same instant, in `tz`. Goes through UTC: two times of one zone are compared by their clocks alone."""
    return utc(at).in_timezone(tz)  # type: ignore[arg-type]


def utc(at: dt.datetime) -> pendulum.DateTime:
    """The same instant in UTC, where comparing and subtracting is exact also in the hour a clock shows twice."""
    return pendulum.instance(at.astimezone(dt.UTC)).in_timezone(pendulum.UTC)
