"""What is unusual in the weeks ahead: weeks without cover, and people who are primary twice running. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from oncall.core.rota.on_call import Shift, rota
from oncall.core.rota.roster import Roster
from oncall.core.rota.shift_words import named
from oncall.core.time_format import day
from oncall.core.wall_time import utc

WEEKS_AHEAD = 8


def look_out(roster: Roster, start: dt.datetime) -> Iterator[str]:
    """One sentence for each gap and each double week of the eight weeks from the handoff `start` on."""
    end = roster.day_starts(start.date() + dt.timedelta(weeks=WEEKS_AHEAD))
    shifts = rota(roster, start, end)
    yield from _gaps(roster, shifts)
    yield from _double_weeks(roster, shifts)


def _gaps(roster: Roster, shifts: Sequence[Shift]) -> Iterator[str]:
    for alone, run in groupby(shifts, key=lambda shift: _gap(roster, shift)):
        if alone:
            stretch = list(run)
            yield f"{alone} from {day(stretch[0].start.date())} to {day(stretch[-1].end.date())}"


def _gap(roster: Roster, shift: Shift) -> str:
    if shift.reason == "override":
        return ""  # somebody has wanted it so
    if shift.primary == roster.manager:
        return f"nobody of the team is there: {named(roster, roster.manager)} is primary"
    if shift.secondary in (roster.manager, None):
        return f"only {named(roster, shift.primary)} is there: {named(roster, shift.secondary)} is secondary"
    return ""


def _double_weeks(roster: Roster, shifts: Sequence[Shift]) -> Iterator[str]:
    weeks = [_primary_of(list(run)) for _, run in groupby(shifts, key=lambda shift: shift.week)]
    for (person, _), (again, begins) in pairwise(weeks):
        if person == again:
            yield f"{named(roster, person)} is primary two weeks running, the second from {day(begins.date())}"


def _primary_of(week: Sequence[Shift]) -> tuple[str | None, dt.datetime]:
    """Who is primary for most of the week, and when it begins."""
    held: Counter[str | None] = Counter()
    for shift in week:
        held[shift.primary] += int((utc(shift.end) - utc(shift.start)).total_seconds())
    return held.most_common(1)[0][0], week[0].start
