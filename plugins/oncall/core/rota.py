"""The rota: who is on call when, from the roster alone. Refuses to know what time it is and whom to page.

It is a fold over the weeks from the first `starts` on: a week is resolved with the comp weeks that earlier weeks
earned, and may itself earn one. Nothing looks ahead, so what is added for the future never alters the past.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import pendulum

from oncall.core import cover
from oncall.core.cover import Span
from oncall.core.roster import Roster
from oncall.core.wall import in_zone, utc
from oncall.core.weeks import Week, cycle, rotation_order, week_beginning, week_of, weeks

DAYS_FOR_A_COMP_WEEK = 4
CYCLES_UNTIL_REPAID = 2


@dataclass(frozen=True)
class Shift:
    """A stretch of one week with one pair, [start, end) in the roster's zone.

    `reason` is `rotation`, `cover`, `comp` or `override`. `covering_for` is who the pair stands in for: the person on
    leave, or the person whose comp week it is. Before the first `starts` there is no rota: `week` and `primary` are
    None, and `reason` says so.
    """

    start: pendulum.DateTime
    end: pendulum.DateTime
    week: int | None
    primary: str | None
    secondary: str | None
    reason: str
    covering_for: str | None = None


@dataclass(frozen=True)
class Credit:
    """`person` stood in as primary for `covering_for` on the on-call day `day`."""

    person: str
    day: dt.date
    covering_for: str


@dataclass(frozen=True)
class CompWeek:
    """`person` rests in the week that begins on the date `begins`; `repaid_by` heads its order instead.

    `week` and `earned_week` are week numbers; `earned_on` is the on-call day that completed the claim.
    """

    person: str
    repaid_by: str
    week: int
    begins: dt.date
    earned_week: int
    earned_on: dt.date


@dataclass(frozen=True)
class RotaWeek:
    """One week, resolved. `owed` is every comp week that earlier weeks earned, by the date it begins on."""

    roster: Roster
    week: Week
    owed: Mapping[dt.date, CompWeek]

    @property
    def comp(self) -> CompWeek | None:
        """The comp week that falls on this week."""
        return self.owed.get(self.week.begins)

    @property
    def order(self) -> tuple[str, ...]:
        """The week's order (rule 3); in a comp week the repayer in front and nobody who rests (rule 6)."""
        order = rotation_order(self.week)
        if self.comp is None:
            return order
        repayer, rests = self.comp.repaid_by, self.comp.person
        return (repayer, *(person for person in order if person not in (repayer, rests)))

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """What tiles the week."""
        return cover.spans(self.roster, self.week, self.order, self.comp.person if self.comp else None)

    @cached_property
    def credits(self) -> tuple[Credit, ...]:
        """Rule 5 (credit), by day, then in the order of standing in.

        Reading: a credit day is a person and an on-call day. Standing in for part of the day counts as the day, once;
        two people who share a day earn one each.
        """
        head, week = self.order[0], self.week
        away = (entry for entry in self.roster.leave if entry.person == head)
        if not any(entry.start < week.end and week.start < entry.end for entry in away):
            return ()
        earned: dict[Credit, None] = {}
        for day in self.week.days:
            start, end = (utc(self.roster.day_starts(at)) for at in (day, day + dt.timedelta(days=1)))
            for span in self.spans:
                if span.earner and span.start < end and start < span.end:
                    earned[Credit(span.earner, day, head)] = None
        return tuple(earned)

    @cached_property
    def earned(self) -> tuple[CompWeek, ...]:
        """Rule 6 (comp week in two cycles): what the credits of this week claim.

        Readings: "covered" counts credit days of one shift. The cycle is that of the rotation entry in force when it
        was earned; "their own first primary week" goes by the rows of the entry in force then, without leave and
        cover. The person covered for is the head of the week's order; they move to the front of the order, and head
        it also when the rotation has dropped them meanwhile. A comp week stays one when its owner is on leave in it.
        Whoever is never primary again gets none.
        """
        claimed = []
        for person, count in Counter(credit.person for credit in self.credits).items():
            week = _rest_week(self, person) if count >= DAYS_FOR_A_COMP_WEEK else None
            if week:
                fourth = [credit.day for credit in self.credits if credit.person == person][
                    DAYS_FOR_A_COMP_WEEK - 1
                ]
                claim = CompWeek(person, self.order[0], week.number, week.begins, self.week.number, fourth)
                claimed.append(claim)
        return tuple(claimed)


def fold(roster: Roster) -> Iterator[RotaWeek]:
    """Every week from the first `starts` on, resolved, without end."""
    owed: Mapping[dt.date, CompWeek] = {}
    for week in weeks(roster):
        resolved = RotaWeek(roster, week, owed)
        yield resolved
        if resolved.earned:
            owed = {**owed, **{comp.begins: comp for comp in resolved.earned}}


def _rest_week(resolved: RotaWeek, person: str) -> Week | None:
    roster, week, owed = resolved.roster, resolved.week, resolved.owed
    begins = week.begins + dt.timedelta(weeks=CYCLES_UNTIL_REPAID * cycle(week.rotation))
    last = max(roster.rotation, key=lambda entry: entry.starts)
    # From the last entry on the rows only repeat: one pass for each comp week owed and one more finds it or never will.
    end = max(begins, last.starts) + dt.timedelta(weeks=len(last.weeks) * (len(owed) + 1))
    while begins < end:
        candidate = week_of(roster, begins)
        if begins not in owed and rotation_order(candidate)[0] == person:
            return candidate
        begins += dt.timedelta(days=7)
    return None


def who_is_on_call(roster: Roster, at: dt.datetime) -> Shift:
    """The shift that contains `at`: as long as the pair stays the same within its week.

    Before the first `starts` it runs from `at` to the first `starts` and has no primary.
    """
    start = utc(at)
    if start < roster.starts:
        return _no_rota(roster, start, utc(roster.starts))
    begins = week_beginning(roster, at)
    resolved = next(week for week in fold(roster) if week.week.begins == begins)
    return next(shift for shift in _shifts(roster, resolved) if shift.start <= start < shift.end)


def rota(roster: Roster, start: dt.datetime, end: dt.datetime) -> list[Shift]:
    """The shifts that tile [start, end), the first and last cut to it; equal neighbours within a week are one."""
    start, end, first = utc(start), utc(end), utc(roster.starts)
    if start >= end:
        return []
    found = [_no_rota(roster, start, min(first, end))] if start < first else []
    for resolved in fold(roster):
        if resolved.week.start >= end:
            return found
        if resolved.week.end > start:
            inside = (shift for shift in _shifts(roster, resolved) if start < shift.end and shift.start < end)
            found.extend(_clip(roster, shift, start, end) for shift in inside)
    raise AssertionError("the weeks have no end")


def next_handoff(roster: Roster, at: dt.datetime) -> pendulum.DateTime:
    """The first handoff after `at`, in the roster's zone; before the first `starts`, that."""
    if utc(at) < roster.starts:
        return roster.starts
    return roster.day_starts(week_beginning(roster, at) + dt.timedelta(days=7))


def _shifts(roster: Roster, resolved: RotaWeek) -> list[Shift]:
    shifts: list[Shift] = []
    for span in resolved.spans:
        shift = Shift(
            start=in_zone(span.start, roster.tz),
            end=in_zone(span.end, roster.tz),
            week=resolved.week.number,
            primary=span.primary,
            secondary=span.secondary,
            reason=span.reason,
            covering_for=span.covering_for,
        )
        if shifts and replace(shifts[-1], start=shift.start, end=shift.end) == shift:
            shift = replace(shift, start=shifts.pop().start)
        shifts.append(shift)
    return shifts


def _clip(roster: Roster, shift: Shift, start: pendulum.DateTime, end: pendulum.DateTime) -> Shift:
    """`start` and `end` are UTC, so that the comparison is exact."""
    first = in_zone(start, roster.tz) if start > shift.start else shift.start
    last = in_zone(end, roster.tz) if end < shift.end else shift.end
    return replace(shift, start=first, end=last)


def _no_rota(roster: Roster, start: pendulum.DateTime, end: pendulum.DateTime) -> Shift:
    return Shift(
        start=in_zone(start, roster.tz),
        end=in_zone(end, roster.tz),
        week=None,
        primary=None,
        secondary=None,
        reason=f"no rota before {roster.starts.isoformat()}",
    )
