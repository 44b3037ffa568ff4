"""Rosters in few words, for the tests of the rules: people are A, B, C …; the week of four is the team's own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from oncall.core.rota.on_call import rota
from oncall.core.rota.roster import Handoff, Leave, Override, Person, Roster, Rotation
from oncall.core.rota.rota_week import Shift
from oncall.core.wall_time import at_wall

PLUS_SEVEN = dt.timezone(dt.timedelta(hours=7))
TEAM = "AB BC CD DA"
MONDAY = Handoff(0, dt.time(9))


def turns(starts: str, rows: str) -> Rotation:
    """`turns("2025-12-29", "AB BA")`: a rotation of two rows."""
    return Rotation(dt.date.fromisoformat(starts), tuple((row[0], row[1]) for row in rows.split()))


def instant(text: str, tz: dt.tzinfo = PLUS_SEVEN, handoff: Handoff = MONDAY) -> dt.datetime:
    """A date is its handoff hour, a date-time wall clock of the zone."""
    at = dt.datetime.fromisoformat(text)
    return at_wall(at.date(), at.time() if len(text) > 10 else handoff.at, tz)


def team(
    rotation: str | Iterable[Rotation] = TEAM,
    *,
    leave: Iterable[tuple[str, str, str]] = (),
    overrides: Iterable[tuple[str, str, str | None, str | None]] = (),
    holidays: Mapping[str, str] | None = None,
    tz: dt.tzinfo = PLUS_SEVEN,
    handoff: Handoff = MONDAY,
) -> Roster:
    """`leave` is (person, start, end), `overrides` (start, end, primary, secondary); M is the manager."""
    entries = (turns("2025-12-29", rotation),) if isinstance(rotation, str) else tuple(rotation)
    people = {person for entry in entries for row in entry.weeks for person in row} | {"M"}
    return Roster(
        tz=tz,
        manager="M",
        people={
            person: Person(person, person, f"{person}@example.com", f"U{person}") for person in sorted(people)
        },
        rotation=entries,
        handoff=handoff,
        leave=tuple(
            Leave(who, instant(start, tz, handoff), instant(end, tz, handoff)) for who, start, end in leave
        ),
        overrides=tuple(
            Override(instant(start, tz, handoff), instant(end, tz, handoff), primary, secondary)
            for start, end, primary, secondary in overrides
        ),
        public_holidays={dt.date.fromisoformat(day): name for day, name in (holidays or {}).items()},
    )


def said(shift: Shift) -> str:
    """A shift as "AB rotation" or "BC cover A"."""
    seats = (shift.primary or "-") + (shift.secondary or "-")
    return " ".join(filter(None, (seats, shift.reason, shift.covering_for)))


def table(roster: Roster, start: str, end: str) -> list[str]:
    """The shifts between two dates (or date-times), each as "12-29 09:00 AB rotation"."""
    first, last = (instant(text, roster.tz, roster.handoff) for text in (start, end))
    return [f"{shift.start:%m-%d %H:%M} {said(shift)}" for shift in rota(roster, first, last)]


def by_week(roster: Roster, weeks: int) -> list[str]:
    """What is said of each shift of the first weeks, from the first `starts` on."""
    first = roster.starts
    return [said(shift) for shift in rota(roster, first, first + dt.timedelta(weeks=weeks))]
