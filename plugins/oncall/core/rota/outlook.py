"""What is unusual in the weeks ahead: weeks without cover, and people who are primary several weeks running. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from oncall.core.rota import week_words
from oncall.core.rota.on_call import rota
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import Shift
from oncall.core.rota.shift_words import named
from oncall.core.time_format import day
from oncall.core.wall_time import utc

WEEKS_AHEAD = 8


def look_out(roster: Roster, start: dt.datetime) -> Iterator[str]:
    """One sentence for each gap and each run of weeks, of the eight weeks from the handoff `start` on."""
    end = roster.day_starts(start.date() + dt.timedelta(weeks=WEEKS_AHEAD))
    shifts = rota(roster, start, end)
    yield from _gaps(roster, shifts)
    yield from weeks_running(roster, start, end)


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


def weeks_running(roster: Roster, start: dt.datetime, end: dt.datetime) -> Iterator[str]:
    """A sentence for each person who is primary for most of several weeks running."""
    weeks = [list(shifts) for _, shifts in groupby(rota(roster, start, end), key=lambda shift: shift.week)]
    for person, alike in groupby(weeks, key=_mostly_primary):
        run = list(alike)
        if person and len(run) > 1:
            first, last = run[0][0].start.date(), run[-1][-1].end.date()
            yield week_words.weeks_running(named(roster, person), len(run), first, last)


def _mostly_primary(week: Sequence[Shift]) -> str | None:
    """Who is primary for more than half of the week; None where nobody is."""
    held: Counter[str | None] = Counter()
    for shift in week:
        held[shift.primary] += int((utc(shift.end) - utc(shift.start)).total_seconds())
    ((person, seconds),) = held.most_common(1)
    return person if 2 * seconds > held.total() else None
