"""The rota: who is on call when, from the roster alone. Refuses to know what time it is and whom to page.

It is a fold over the weeks from the first `starts` on: a week is resolved with the comp weeks that earlier weeks
earned, and may itself earn one. Nothing looks ahead, so what is added for the future never alters the past.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, takewhile

from oncall.core.rota.assigned_weeks import assigned_weeks
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import RotaWeek, Shift
from oncall.core.rota.rotation import WEEK, first_starts, week_beginning
from oncall.core.wall_time import in_zone, utc


def fold(roster: Roster) -> Iterator[RotaWeek]:
    """Every week from the first `starts` on, resolved, without end."""
    return map(assigned_weeks(roster).week, _handoffs(first_starts(roster)))


def _handoffs(first: dt.date) -> Iterator[dt.date]:
    return (first + number * WEEK for number in count())


def who_is_on_call(roster: Roster, at: dt.datetime) -> Shift:
    """The shift that contains `at`: as long as the pair stays the same within its week.

    Before the first `starts` it runs from `at` to the first `starts` and has no primary.
    """
    start = utc(at)
    if start < roster.starts:
        return _no_rota(roster, start, utc(roster.starts))
    shifts = assigned_weeks(roster).week(week_beginning(roster, start)).shifts
    return shifts[bisect_right(shifts, start, key=lambda shift: shift.start) - 1]


def rota(roster: Roster, start: dt.datetime, end: dt.datetime) -> list[Shift]:
    """The shifts that tile [start, end), the first and last cut to it; equal neighbours within a week are one."""
    start, end, first = utc(start), utc(end), utc(roster.starts)
    if start >= end:
        return []
    found = [_no_rota(roster, start, min(first, end))] if start < first else []
    every = map(assigned_weeks(roster).week, _handoffs(week_beginning(roster, max(start, first))))
    for resolved in takewhile(lambda resolved: resolved.week.start < end, every):
        found.extend(_within(resolved, start, end))
    return found


def next_handoff(roster: Roster, at: dt.datetime) -> dt.datetime:
    """The first handoff after `at`, in the roster's zone; before the first `starts`, that."""
    if utc(at) < roster.starts:
        return roster.starts
    return roster.day_starts(week_beginning(roster, at) + WEEK)


def _within(resolved: RotaWeek, start: dt.datetime, end: dt.datetime) -> Sequence[Shift]:
    """The week's shifts, cut to [start, end), which are UTC, so that the comparison is exact."""
    if start <= resolved.week.start and resolved.week.end <= end:
        return resolved.shifts
    inside = [shift for shift in resolved.shifts if start < shift.end and shift.start < end]
    tz = resolved.roster.tz
    if start > inside[0].start:
        inside[0] = replace(inside[0], start=in_zone(start, tz))
    if end < inside[-1].end:
        inside[-1] = replace(inside[-1], end=in_zone(end, tz))
    return inside


def _no_rota(roster: Roster, start: dt.datetime, end: dt.datetime) -> Shift:
    return Shift(
        start=in_zone(start, roster.tz),
        end=in_zone(end, roster.tz),
        week=None,
        primary=None,
        secondary=None,
        reason=f"no rota before {roster.starts.isoformat()}",
    )
