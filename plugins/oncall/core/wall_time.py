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
    there = instant(at)
    if isinstance(tz, pendulum.FixedTimezone):
        return _pendulum(there + tz.utcoffset(None), tz)
    if isinstance(tz, pendulum.Timezone):
        return _pendulum(there.astimezone(tz), tz)
    return utc(at).in_timezone(tz)  # type: ignore[arg-type] # pendulum finds a zone of its own for it


def utc(at: dt.datetime) -> pendulum.DateTime:
    """The same instant in UTC, where comparing and subtracting is exact also in the hour a clock shows twice."""
    return _pendulum(instant(at), pendulum.UTC)


def instant(at: dt.datetime) -> dt.datetime:
    """The same instant in UTC as the standard library has it: with it, reckoning costs a tenth of pendulum's."""
    if type(at) is not dt.datetime:
        at = dt.datetime.combine(dt.datetime.date(at), dt.datetime.timetz(at))
    return at.astimezone(dt.UTC)


def _pendulum(at: dt.datetime, tz: dt.tzinfo) -> pendulum.DateTime:
    return pendulum.DateTime(
        at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, tz, fold=at.fold
    )
