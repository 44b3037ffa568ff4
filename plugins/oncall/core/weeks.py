"""Weeks: shifts, on-call days, the order of a week and its cycle (rules 1 to 3). Knows no leave and no override.

Readings:

- Rule 1. A week is named by the date of its handoff, `begins`. Its number counts from the first `starts` on, through
  later rotation entries too, so that a number means one week only; a later entry begins with its first row.
- Rule 3. After the last row come the first rows again; a person counts where they appear first.
- Rule 6. The cycle is the shortest block of rows which, repeated, gives all the rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import pendulum

from oncall.core.roster import Roster, Rotation
from oncall.core.wall import in_zone, utc


@dataclass(frozen=True)
class Week:
    """One shift: the date its handoff is on, its instants (UTC, half-open), its number and its rotation entry."""

    begins: dt.date
    start: pendulum.DateTime
    end: pendulum.DateTime
    number: int
    rotation: Rotation

    @property
    def days(self) -> tuple[dt.date, ...]:
        """The dates of its seven on-call days."""
        return tuple(self.begins + dt.timedelta(days=day) for day in range(7))


def week_of(roster: Roster, begins: dt.date) -> Week:
    """The week whose handoff is on the date `begins`, on or after the first `starts`."""
    rotation = rotation_in_force(roster, begins)
    return Week(
        begins=begins,
        start=utc(roster.day_starts(begins)),
        end=utc(roster.day_starts(begins + dt.timedelta(days=7))),
        number=(begins - first_starts(roster)).days // 7 + 1,
        rotation=rotation,
    )


def first_starts(roster: Roster) -> dt.date:
    """The date week 1 begins."""
    return min(entry.starts for entry in roster.rotation)


def weeks(roster: Roster) -> Iterator[Week]:
    """Every week from the first `starts` on, without end."""
    begins = first_starts(roster)
    while True:
        yield week_of(roster, begins)
        begins += dt.timedelta(days=7)


def week_beginning(roster: Roster, at: dt.datetime) -> dt.date:
    """The date of the last handoff at or before `at`; also before the first `starts`."""
    day = on_call_day(roster, at)
    return day - dt.timedelta(days=(day.weekday() - roster.handoff.weekday) % 7)


def on_call_day(roster: Roster, at: dt.datetime) -> dt.date:
    """The date of the on-call day that `at` is in: before the handoff hour it is still the day before (rule 2)."""
    day = in_zone(at, roster.tz).date()
    return day if utc(roster.day_starts(day)) <= utc(at) else day - dt.timedelta(days=1)


def rotation_in_force(roster: Roster, begins: dt.date) -> Rotation:
    """The entry with the latest `starts` on or before the date `begins`."""
    return max((entry for entry in roster.rotation if entry.starts <= begins), key=lambda entry: entry.starts)


def rotation_order(week: Week) -> tuple[str, ...]:
    """The week's primary, its secondary, then the people of the following rows as they appear (rule 3)."""
    rows = week.rotation.weeks
    first = (week.begins - week.rotation.starts).days // 7 % len(rows)
    return tuple(dict.fromkeys(person for row in rows[first:] + rows[:first] for person in row))


def cycle(rotation: Rotation) -> int:
    """How many weeks the shortest repeating block of the rotation has (rule 6)."""
    rows = rotation.weeks
    count = len(rows)
    return next(n for n in range(1, count + 1) if count % n == 0 and rows == rows[:n] * (count // n))
