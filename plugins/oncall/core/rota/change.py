"""What a change of the roster does to rota and ledger, before it is made. Knows two rosters; changes neither."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from oncall.core.rota.credit_ledger import CreditDays, InLieu, ledger
from oncall.core.rota.on_call import rota
from oncall.core.rota.roster import Leave, Override, Roster
from oncall.core.rota.rota_week import CompWeek, Shift
from oncall.core.wall_time import utc

T = TypeVar("T")

LOOK_AHEAD = dt.timedelta(weeks=52)  # past the change: comp weeks and days in lieu come long after it


@dataclass(frozen=True)
class Moved:
    """A stretch [start, end), in the roster's zone, in which the shift is another one than before."""

    start: dt.datetime
    end: dt.datetime
    before: Shift
    after: Shift

    @property
    def people(self) -> tuple[str, ...]:
        """Who gains or loses a seat in it."""
        seats = zip(_seats(self.before), _seats(self.after), strict=True)
        return tuple(person for pair in seats if pair[0] != pair[1] for person in pair if person)


@dataclass(frozen=True)
class Altered(Generic[T]):
    """An entry of the ledger before and after; None where there is none."""

    before: T | None
    after: T | None


@dataclass(frozen=True)
class RotaChange:
    """All that differs in the year after the change, each in the order of time. `people`: who gains or loses a seat."""

    moved: tuple[Moved, ...]
    credits: tuple[Altered[CreditDays], ...]
    comp_weeks: tuple[Altered[CompWeek], ...]
    in_lieu: tuple[Altered[InLieu], ...]

    @property
    def people(self) -> tuple[str, ...]:
        """Who gains or loses a seat, by id."""
        return tuple(sorted({person for each in self.moved for person in each.people}))


def compare(before: Roster, after: Roster, start: dt.datetime, end: dt.datetime) -> RotaChange:
    """What differs between two rosters that are the same but for entries within [start, end)."""
    until = utc(end) + LOOK_AHEAD
    old, new = ledger(before, until), ledger(after, until)
    return RotaChange(
        moved=tuple(_moved(rota(before, start, until), rota(after, start, until))),
        credits=_altered(old.credits, new.credits, lambda each: (each.week, each.person, each.covering_for)),
        comp_weeks=_altered(old.comp_weeks, new.comp_weeks, lambda each: (each.earned_week, each.person)),
        in_lieu=_altered(old.in_lieu, new.in_lieu, lambda each: each.holiday),
    )


def worries(change: RotaChange, after: Roster, leave: Iterable[Leave] = ()) -> tuple[str, ...]:
    """What a person should confirm first: nobody is left, or somebody who goes on leave is on call all the same."""
    found = [
        f"from {_clock(moved.start)} until {_clock(moved.end)} nobody of the rotation is left: the manager, "
        f"{moved.after.primary}, takes over as primary, and there is no secondary"
        for moved in change.moved
        if moved.after.secondary is None and moved.before.secondary is not None
    ]
    found += [
        f"{entry.person} stays on call from {_clock(shift.start)} until {_clock(shift.end)}: "
        "an override names them, and an override beats leave"
        for entry in leave
        for shift in rota(after, entry.start, entry.end)
        if shift.reason == "override" and entry.person in _seats(shift)
    ]
    return tuple(found)


def swap(
    roster: Roster, person: str, other: str, start: dt.datetime, end: dt.datetime, reason: str
) -> tuple[Override, ...]:
    """The overrides by which two people hold each other's seats in [start, end); empty when neither holds any."""
    instead = {person: other, other: person}
    found: list[Override] = []
    for shift in rota(roster, start, end):
        primary, secondary = (instead.get(holder or "") for holder in _seats(shift))
        if not primary and not secondary:
            continue
        override = Override(shift.start, shift.end, primary, secondary, reason)
        joined = replace(found[-1], end=shift.end) if found else override
        if found and replace(override, start=joined.start) == joined and found[-1].end == shift.start:
            found[-1] = joined
        else:
            found.append(override)
    return tuple(found)


def _seats(shift: Shift) -> tuple[str | None, str | None]:
    return shift.primary, shift.secondary


def _clock(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _moved(before: list[Shift], after: list[Shift]) -> Iterator[Moved]:
    """Both lists tile the same time."""
    old, new = iter(before), iter(after)
    here, there = next(old, None), next(new, None)
    while here and there:
        start, end = max(here.start, there.start), min(here.end, there.end)
        if replace(here, start=start, end=end) != replace(there, start=start, end=end):
            yield Moved(start, end, here, there)
        here, there = (
            next(old, None) if here.end == end else here,
            next(new, None) if there.end == end else there,
        )


def _altered(before: Iterable[T], after: Iterable[T], key: Callable[[T], Hashable]) -> tuple[Altered[T], ...]:
    old, new = ({key(entry): entry for entry in entries} for entries in (before, after))
    pairs = (Altered(old.get(name), new.get(name)) for name in {**old, **new})
    return tuple(pair for pair in pairs if pair.before != pair.after)
