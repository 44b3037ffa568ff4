"""Wall clocks: which instant a zone's clock shows a time on a date. Knows nothing of what the time is for."""

from __future__ import annotations

import datetime as dt


def at_wall(day: dt.date, clock: dt.time, tz: dt.tzinfo) -> dt.datetime:
    """The instant the clock of `tz` shows `clock` on `day`, in `tz`.

    A time that the zone's clock shows twice (autumn) is the first of the two; a time that it skips (spring) is read
    with the offset before the jump, so 02:30 is the instant that is called 03:30.
    """
    return in_zone(dt.datetime.combine(day, clock.replace(fold=0), tzinfo=tz), tz)


def in_zone(at: dt.datetime, tz: dt.tzinfo) -> dt.datetime:
    """The same instant, in `tz`. Goes through UTC: two times of one zone are compared by their clocks alone."""
    return utc(at).astimezone(tz)


def utc(at: dt.datetime) -> dt.datetime:
    """The same instant in UTC, where comparing and subtracting is exact also in the hour a clock shows twice.

    Always the standard library's: with Airflow's own kind of datetime reckoning costs ten times as much.
    """
    if type(at) is not dt.datetime:
        at = dt.datetime.combine(dt.datetime.date(at), dt.datetime.timetz(at))
    return at.astimezone(dt.UTC)


def night_of(at: dt.datetime) -> dt.date | None:
    """The evening of the night, from 22 until 7 o'clock, that `at` (wall clock) is in; None by day."""
    if 7 <= at.hour < 22:
        return None
    return (at - dt.timedelta(hours=12)).date()
