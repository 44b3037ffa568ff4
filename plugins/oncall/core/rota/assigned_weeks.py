"""The weeks of one roster, resolved one after another and remembered. Knows no instant that nobody asked for.

A week is resolved with the comp weeks that earlier weeks earned. Only a week that somebody's leave is in can earn
one, so the fold goes from leave to leave and leaves out all the weeks between.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter

from oncall.core.rota.intervals import Intervals
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import CompWeek, RotaWeek
from oncall.core.rota.rotation import WEEK, first_starts, starts_utc, week_beginning, week_of

MOST_KEPT = 1040  # weeks: twenty years. Whoever asks for more waits longer, and the memory stays small.

CompWeeksOwed = Mapping[dt.date, CompWeek]


def assigned_weeks(roster: Roster) -> AssignedWeeks:
    """The fold of this very roster: kept in it, as a cached property is, and gone with it.

    A roster that was edited is another object, and begins anew.
    """
    kept: dict[str, AssignedWeeks] = vars(roster)
    return kept.get("_fold") or kept.setdefault("_fold", AssignedWeeks(roster))


class AssignedWeeks:
    """Any number of threads may ask: whatever is found out is whole when it is kept, and never altered.

    Two who ask the same at once may both work it out, and find the same.
    """

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._leave = Intervals(roster.leave)
        self._overrides = Intervals(roster.overrides)
        self._known = _Known(first_starts(roster))
        self._kept: dict[dt.date, RotaWeek] = {}

    def week(self, begins: dt.date) -> RotaWeek:
        """The week whose handoff is on the date `begins`, on or after the first `starts`."""
        return self._kept.get(begins) or self._resolve(begins, self._known_until(begins))

    def _known_until(self, begins: dt.date) -> _Known:
        known = self._known
        while known.until < begins:
            date = self._with_leave(known.until)
            if date < begins:
                known = known.after(self._kept.get(date) or self._resolve(date, known))
            else:
                known = _Known(date, known.history)
            self._known = known
        return known

    def _with_leave(self, begins: dt.date) -> dt.date:
        """The first week from `begins` on that somebody's leave is in; the end of time when there is none."""
        start = starts_utc(self._roster, begins)
        at = self._leave.first_from(start)
        if at == start:
            return begins
        return week_beginning(self._roster, at) if at else dt.date.max

    def _resolve(self, begins: dt.date, known: _Known) -> RotaWeek:
        week = week_of(self._roster, begins)
        leave = self._leave.within(week.start, week.end)
        overrides = self._overrides.within(week.start, week.end)
        resolved = RotaWeek(self._roster, week, known.owed_in(begins), leave, overrides)
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[begins] = resolved
        return resolved


@dataclass(frozen=True)
class _Known:
    """What the weeks before the date `until` earned: for each that earned, when it began, and what was owed then."""

    until: dt.date
    history: tuple[tuple[dt.date, CompWeeksOwed], ...] = ()

    def after(self, resolved: RotaWeek) -> _Known:
        """The same with one week more."""
        begins, until = resolved.week.begins, resolved.week.begins + WEEK
        if not resolved.earned:
            return _Known(until, self.history)
        ahead = {date: comp for date, comp in resolved.owed.items() if date > begins}
        owed = ahead | {comp.begins: comp for comp in resolved.earned}
        return _Known(until, (*self.history, (begins, owed)))

    def owed_in(self, begins: dt.date) -> CompWeeksOwed:
        """The comp weeks that the weeks before `begins` earned; of those past, some are left out."""
        before = bisect_left(self.history, begins, key=itemgetter(0))
        return self.history[before - 1][1] if before else {}
