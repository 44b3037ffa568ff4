"""The rotation: its weeks, the order of each, the cycle (rules 1 to 3). Knows no leave and no override.

Readings:

- Rule 1. A week is named by the date of its handoff, `begins`. Its number counts from the first `starts` on, through
  later rotation entries too, so that a number means one week only; a later entry begins with its first row.
- Rule 3. After the last row come the first rows again; a person counts where they appear first.
- Rule 6. The cycle is the shortest block of rows which, repeated, gives all the rows.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from typing import NamedTuple

from oncall.core.rota.roster import Roster, Rotation
from oncall.core.wall_time import utc

WEEK = dt.timedelta(days=7)


class Week(NamedTuple):
    """One shift: the date its handoff is on, its instants (UTC, half-open), its number and its rotation entry."""

    begins: dt.date
    start: dt.datetime
    end: dt.datetime
    number: int
    rotation: Rotation

    @property
    def days(self) -> tuple[dt.date, ...]:
        """The dates of its seven on-call days."""
        return tuple(self.begins + dt.timedelta(days=day) for day in range(7))


def week_of(roster: Roster, begins: dt.date) -> Week:
    """The week whose handoff is on the date `begins`, on or after the first `starts`."""
    return Week(
        begins,
        starts_utc(roster, begins),
        starts_utc(roster, begins + WEEK),
        (begins - first_starts(roster)).days // 7 + 1,
        rotation_in_force(roster, begins),
    )


def starts_utc(roster: Roster, day: dt.date) -> dt.datetime:
    """When the on-call day `day` begins, in UTC."""
    return utc(dt.datetime.combine(day, roster.handoff.at, tzinfo=roster.tz))


def first_starts(roster: Roster) -> dt.date:
    """The date week 1 begins."""
    return roster.entries[0].starts


def week_beginning(roster: Roster, at: dt.datetime) -> dt.date:
    """The date of the last handoff at or before `at`; also before the first `starts`."""
    day = on_call_day(roster, at)
    return day - dt.timedelta(days=(day.weekday() - roster.handoff.weekday) % 7)


def on_call_day(roster: Roster, at: dt.datetime) -> dt.date:
    """The date of the on-call day that `at` is in: before the handoff hour it is still the day before (rule 2)."""
    at = utc(at)
    day = at.date() + dt.timedelta(days=1)  # no zone is further ahead of UTC
    while starts_utc(roster, day) > at:
        day -= dt.timedelta(days=1)
    return day


def rotation_in_force(roster: Roster, begins: dt.date) -> Rotation:
    """The entry with the latest `starts` on or before the date `begins`."""
    return roster.entries[bisect_right(roster.entries, begins, key=lambda entry: entry.starts) - 1]


def rotation_order(rotation: Rotation, begins: dt.date) -> tuple[str, ...]:
    """The order of the week that begins on the date `begins`, by the rows of its rotation entry (rule 3)."""
    return rotation.orders[(begins - rotation.starts).days // 7 % len(rotation.weeks)]


def cycle(rotation: Rotation) -> int:
    """How many weeks the shortest repeating block of the rotation has (rule 6)."""
    rows = rotation.weeks
    count = len(rows)
    return next(n for n in range(1, count + 1) if count % n == 0 and rows == rows[:n] * (count // n))
