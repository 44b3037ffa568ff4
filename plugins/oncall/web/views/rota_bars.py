"""The rota as bars over weeks, one row per person. Pure: positions are shares of the window, in percent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from oncall.core.rota import week_words
from oncall.core.rota.credit_ledger import InLieu, ledger
from oncall.core.rota.on_call import fold, rota
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import CompWeek, Shift
from oncall.core.rota.rotation import week_beginning
from oncall.core.rota.shift_words import named
from oncall.core.time_format import TimeFormat, day
from oncall.core.wall_time import utc
from oncall.web.views.rota_models import Bar, Calendar, PersonRow, Tick


@dataclass(frozen=True)
class Window:
    """[start, end), and where an instant lies in it."""

    roster: Roster
    start: dt.datetime
    end: dt.datetime

    def bar(self, kind: str, start: dt.datetime, end: dt.datetime, words: str) -> Bar | None:
        """The part of [start, end) that can be seen; None when there is none."""
        left, right = max(self.share(start), 0.0), min(self.share(end), 100.0)
        if right <= left:
            return None
        say = TimeFormat(start, self.roster.tz)
        title = f"{words}, {say.moment(start)} to {say.moment(end)}"
        return Bar(kind=kind, left=round(left, 3), width=round(right - left, 3), words=title)

    def share(self, at: dt.datetime) -> float:
        start, end = self._bounds
        return 100 * (utc(at).timestamp() - start) / (end - start)

    @cached_property
    def _bounds(self) -> tuple[float, float]:
        return utc(self.start).timestamp(), utc(self.end).timestamp()

    def day(self, kind: str, date: dt.date, words: str) -> Bar | None:
        start = self.roster.day_starts
        return self.bar(kind, start(date), start(date + dt.timedelta(days=1)), words)


def calendar(roster: Roster, at: dt.datetime, back: int, ahead: int) -> Calendar:
    """From `back` weeks before the week of `at` to `ahead` weeks after its begin."""
    begins = week_beginning(roster, at)
    first, last = begins - dt.timedelta(weeks=back), begins + dt.timedelta(weeks=ahead)
    window = Window(roster, roster.day_starts(first), roster.day_starts(last))
    shifts = [shift for shift in rota(roster, window.start, window.end) if shift.week is not None]
    comps = _comp_weeks(roster, last)
    in_lieu = ledger(roster, window.end).in_lieu
    mondays = [first + dt.timedelta(weeks=number) for number in range(back + ahead)]
    return Calendar(
        start=window.start,
        end=window.end,
        now=round(window.share(at), 3),
        ticks=tuple(Tick(begins=monday, words=day(monday), current=monday == begins) for monday in mondays),
        holidays=tuple(_holidays(window)),
        rows=tuple(_row(window, person, shifts, comps, in_lieu) for person in _people(roster, shifts)),
    )


def _people(roster: Roster, shifts: Sequence[Shift]) -> list[str]:
    """Whoever takes turns, in the roster's order, and whoever else holds a seat."""
    seated = {person for shift in shifts for person in (shift.primary, shift.secondary) if person}
    return [person for person in roster.people if person in roster.turns | seated]


def _row(
    window: Window, person: str, shifts: Sequence[Shift], comps: Sequence[CompWeek], in_lieu: Sequence[InLieu]
) -> PersonRow:
    bars = [*_away(window, person, comps, in_lieu), *_seats(window, person, shifts)]
    return PersonRow(person=person, name=named(window.roster, person), bars=tuple(bar for bar in bars if bar))


def _away(
    window: Window, person: str, comps: Sequence[CompWeek], in_lieu: Sequence[InLieu]
) -> Iterator[Bar | None]:
    for leave in window.roster.leave:
        if leave.person == person:
            yield window.bar("leave", leave.start, leave.end, week_words.leave(window.roster, leave))
    for comp in comps:
        if comp.person == person:
            start, end = (window.roster.day_starts(comp.begins + dt.timedelta(days=n)) for n in (0, 7))
            yield window.bar("comp", start, end, week_words.comp_week(window.roster, comp))
    for entry in in_lieu:
        if entry.person == person and entry.date:
            yield window.day("lieu", entry.date, week_words.day_in_lieu(window.roster, entry))


def _seats(window: Window, person: str, shifts: Sequence[Shift]) -> Iterator[Bar | None]:
    for shift in shifts:
        if person not in (shift.primary, shift.secondary):
            continue
        seat = "primary" if person == shift.primary else "secondary"
        kind = seat if shift.reason == "rotation" else f"{seat} {shift.reason}"
        yield window.bar(kind, shift.start, shift.end, week_words.seat_held(window.roster, shift, person))


def _holidays(window: Window) -> Iterator[Bar]:
    date = window.start.date()
    while date <= window.end.date():
        name = window.roster.public_holidays.get(date)
        bar = window.day("holiday", date, week_words.holiday(date, name)) if name else None
        if bar:
            yield bar
        date += dt.timedelta(days=1)


def _comp_weeks(roster: Roster, last: dt.date) -> list[CompWeek]:
    """Every comp week that weeks before `last` earned."""
    found: list[CompWeek] = []
    for week in fold(roster):
        if week.week.begins >= last:
            break
        found += week.earned
    return found
