"""Who holds the seats of one week, given its order (rules 4, 5 and 8). Knows nothing of other weeks."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from oncall.core.rota.intervals import Interval
from oncall.core.rota.roster import Leave, Override
from oncall.core.rota.rotation import Week


class Span(NamedTuple):
    """A stretch of a week in which nothing changes, in UTC, half-open.

    `covering_for` is who the pair stands in for. `earner` is who stands in as primary for somebody on leave and
    earns credit for it; None when nobody does.
    """

    start: dt.datetime
    end: dt.datetime
    primary: str
    secondary: str | None
    reason: str
    covering_for: str | None = None
    earner: str | None = None


def spans(
    week: Week,
    order: tuple[str, ...],
    manager: str,
    rests: str | None,
    leave: Sequence[Interval[Leave]],
    overrides: Sequence[Interval[Override]],
) -> tuple[Span, ...]:
    """The week cut wherever leave or an override begins or ends; tiles [week.start, week.end).

    `order` is the week's order, `rests` who has a comp week in it. `leave` and `overrides` are those that touch it.
    """
    if not leave and not overrides:
        return (_cover(week.start, week.end, order, set(), manager, rests),)
    found = []
    cuts = _cuts(week, (*leave, *overrides))
    for start, end, away, named in zip(
        cuts, cuts[1:], _away(leave, cuts), _named(overrides, cuts), strict=False
    ):
        found.append(_override(_cover(start, end, order, away, manager, rests), named))
    return tuple(found)


def _away(leave: Sequence[Interval[Leave]], instants: Iterable[dt.datetime]) -> Iterator[set[str]]:
    """Who is away at each of the instants, which ascend; no entry is looked at more than twice."""
    ahead = sorted(leave, key=attrgetter("start"), reverse=True)
    to_end = sorted(leave, key=attrgetter("end"), reverse=True)
    open_ones: Counter[str] = Counter()
    for instant in instants:
        while ahead and ahead[-1].start <= instant:
            open_ones[ahead.pop().entry.person] += 1
        while to_end and to_end[-1].end <= instant:
            open_ones[to_end.pop().entry.person] -= 1
        yield {person for person, count in open_ones.items() if count > 0}


def _named(
    overrides: Sequence[Interval[Override]], instants: Iterable[dt.datetime]
) -> Iterator[list[Override]]:
    """The overrides at each of the instants, which ascend: one or two, or they would be an error."""
    ahead = sorted(overrides, key=attrgetter("start"), reverse=True)
    open_ones: list[Interval[Override]] = []
    for instant in instants:
        while ahead and ahead[-1].start <= instant:
            open_ones.append(ahead.pop())
        open_ones = [each for each in open_ones if each.end > instant]
        yield [each.entry for each in open_ones]


def _cuts(week: Week, stretches: Iterable[Interval[Leave] | Interval[Override]]) -> list[dt.datetime]:
    instants = {at for each in stretches for at in (each.start, each.end) if week.start < at < week.end}
    return [week.start, *sorted(instants), week.end]


def _cover(
    start: dt.datetime,
    end: dt.datetime,
    order: tuple[str, ...],
    away: set[str],
    manager: str,
    rests: str | None,
) -> Span:
    """Rule 4 (cover) and who earns by it (rule 5).

    Readings: leave counts for its exact times, so a seat can change within an on-call day. Whoever is primary in
    place of the head of the order stands in for the head, however many between them are away too. The manager is
    taken to be there, also when the roster gives the manager leave; a manager who is in the rotation earns nothing
    either. The reason is `cover` when either seat differs from the week's order, else `comp` in a comp week.
    """
    planned = _first_two(order, manager)
    there = [person for person in order if person not in away] if away else order
    primary, secondary = _first_two(there, manager)
    if primary != planned[0]:
        earner = primary if primary != manager else None
        return Span(start, end, primary, secondary, "cover", planned[0], earner)
    if secondary != planned[1]:
        return Span(start, end, primary, secondary, "cover", planned[1])
    return Span(start, end, primary, secondary, "comp" if rests else "rotation", rests)


def _first_two(people: Sequence[str], manager: str) -> tuple[str, str | None]:
    seats = list(people[:2])
    if len(seats) < 2 and manager not in seats:
        seats.append(manager)
    return seats[0], seats[1] if len(seats) == 2 else None


def _override(span: Span, overrides: list[Override]) -> Span:
    """Rule 8 (override): it beats everything, leave and comp weeks too.

    Readings: it earns nobody a credit for the seat it names, also not the person it moves by exchange; a stand-in
    whose seat it leaves alone goes on earning. Overrides of different seats at one time act together, and only a
    seat that none of them names can exchange. An exchange with an empty seat would leave no primary, so the primary
    stays.
    """
    if not overrides:
        return span
    named = next((entry.primary for entry in overrides if entry.primary), None)
    other = next((entry.secondary for entry in overrides if entry.secondary), None)
    primary, secondary = named or span.primary, other or span.secondary
    if named and not other and named == span.secondary:
        secondary = span.primary
    elif other and not named and other == span.primary:
        primary, secondary = (span.secondary, other) if span.secondary else (other, None)
    moved = bool(named) or primary != span.primary
    earner = None if moved else span.earner
    return Span(span.start, span.end, primary, secondary, "override", earner=earner)
