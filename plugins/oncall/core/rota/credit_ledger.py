"""The ledger: what people earned by being on call (rules 5 to 7). Knows the rota; refuses to move it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from oncall.core.rota.assigned_weeks import assigned_weeks
from oncall.core.rota.on_call import fold
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import CompWeek, RotaWeek
from oncall.core.rota.rotation import WEEK, on_call_day, starts_utc, week_beginning

WEEKS_TO_LOOK_AHEAD = 52
MOST_KEPT = 20
_FRIDAY = 4


@dataclass(frozen=True)
class CreditDays:
    """In the week numbered `week`, which begins on `begins`, `person` earned `days` credit days for `covering_for`."""

    person: str
    week: int
    begins: dt.date
    days: int
    covering_for: str


@dataclass(frozen=True)
class InLieu:
    """A day off (an on-call day) for having been primary on the public holiday `holiday`.

    `date` is None when within a year no day is free: the day is owed, and people have to agree on it.
    """

    person: str
    date: dt.date | None
    holiday: dt.date
    name: str


@dataclass(frozen=True)
class Ledger:
    """What was earned, each list in the order of earning."""

    credits: tuple[CreditDays, ...]
    comp_weeks: tuple[CompWeek, ...]
    in_lieu: tuple[InLieu, ...]


def ledger(roster: Roster, until: dt.datetime) -> Ledger:
    """What was earned on the on-call days that ended at or before `until`, since the first `starts`.

    Kept in the roster, as its fold is: the page asks again and again, for the same two days.
    """
    end = on_call_day(roster, until)  # the first on-call day that is not over
    kept: dict[dt.date, Ledger] = vars(roster).setdefault("_ledgers", {})
    if len(kept) >= MOST_KEPT:
        kept.clear()
    return kept.get(end) or kept.setdefault(end, _ledger(roster, end))


def _ledger(roster: Roster, end: dt.date) -> Ledger:
    earned: list[CreditDays] = []
    comp_weeks: list[CompWeek] = []
    in_lieu: list[InLieu] = []
    taken: set[tuple[str, dt.date]] = set()
    for week in takewhile(lambda week: week.week.begins < end, fold(roster)):
        earned += _credits(week, end)
        comp_weeks += (comp for comp in week.earned if comp.earned_on < end)
        in_lieu += _in_lieu(roster, week, end, taken)
    return Ledger(tuple(earned), tuple(comp_weeks), tuple(in_lieu))


def _credits(week: RotaWeek, end: dt.date) -> Iterator[CreditDays]:
    days = Counter(credit.person for credit in week.credits if credit.day < end)
    for person, count in days.items():
        yield CreditDays(person, week.week.number, week.week.begins, count, week.order[0])


def _in_lieu(
    roster: Roster, week: RotaWeek, end: dt.date, taken: set[tuple[str, dt.date]]
) -> Iterator[InLieu]:
    """Rule 7 (leave in lieu), of one week; `taken` are the days that earlier ones gave.

    Readings: a public holiday's date is the on-call day of that date (rule 2). "The primary of that day" is whoever
    held the seat longest in it, the earlier of equals, for whatever reason; the manager too. The day in lieu is an
    on-call day as well: no seat is held and no leave taken at any time in it. "The Monday after the shift" is the
    first Monday on or after the date that the shift ends on. Working days are Monday to Friday.
    """
    for day in week.week.days:
        name = roster.public_holidays.get(day) if day < end else None
        if name is None:
            continue
        person = _primary_of(roster, week, day)
        free = (at for at in _days_after(week) if (person, at) not in taken and _is_free(roster, person, at))
        date = next(free, None)
        if date:
            taken.add((person, date))
        yield InLieu(person, date, day, name)


def _days_after(week: RotaWeek) -> Iterator[dt.date]:
    """The days of a year from the Monday after the shift on."""
    ends = week.week.begins + WEEK
    monday = ends + dt.timedelta(days=-ends.weekday() % 7)
    return (monday + dt.timedelta(days=day) for day in range(7 * WEEKS_TO_LOOK_AHEAD))


def _primary_of(roster: Roster, week: RotaWeek, day: dt.date) -> str:
    start, end = _bounds(roster, day)
    held: Counter[str] = Counter()
    for span in week.spans:
        held[span.primary] += max(
            0, (min(end, span.end) - max(start, span.start)) // dt.timedelta(microseconds=1)
        )
    return held.most_common(1)[0][0]


def _is_free(roster: Roster, person: str, day: dt.date) -> bool:
    if day.weekday() > _FRIDAY or day in roster.public_holidays:
        return False
    start, end = _bounds(roster, day)
    week = assigned_weeks(roster).week(week_beginning(roster, start))
    if any(each.entry.person == person and each.start < end and start < each.end for each in week.leave):
        return False
    on_call = (span for span in week.spans if span.start < end and start < span.end)
    return not any(person in (span.primary, span.secondary) for span in on_call)


def _bounds(roster: Roster, day: dt.date) -> tuple[dt.datetime, dt.datetime]:
    return starts_utc(roster, day), starts_utc(roster, day + dt.timedelta(days=1))
