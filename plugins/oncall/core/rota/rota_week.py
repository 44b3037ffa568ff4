"""One week of the rota, resolved: its shifts, its credits and what they claim (rules 4 to 8). Knows no other week."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from operator import attrgetter

from oncall.core.rota import coverage
from oncall.core.rota.coverage import Span
from oncall.core.rota.intervals import Interval
from oncall.core.rota.roster import Leave, Override, Roster
from oncall.core.rota.rotation import (
    WEEK,
    Week,
    cycle,
    rotation_in_force,
    rotation_order,
    starts_utc,
    week_of,
)
from oncall.core.wall_time import in_zone

DAYS_FOR_A_COMP_WEEK = 4
CYCLES_UNTIL_REPAID = 2
_SAID = attrgetter("primary", "secondary", "reason", "covering_for")  # what a shift tells of its span


@dataclass(frozen=True)
class Shift:
    """A stretch of one week with one pair, [start, end) in the roster's zone.

    `reason` is `rotation`, `cover`, `comp` or `override`. `covering_for` is who the pair stands in for: the person on
    leave, or the person whose comp week it is. Before the first `starts` there is no rota: `week` and `primary` are
    None, and `reason` says so.
    """

    start: dt.datetime
    end: dt.datetime
    week: int | None
    primary: str | None
    secondary: str | None
    reason: str
    covering_for: str | None = None


@dataclass(frozen=True)
class Credit:
    """`person` stood in as primary for the head of the week's order on the on-call day `day`."""

    person: str
    day: dt.date


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
    """One week, resolved. `leave` and `overrides` are those that touch it.

    `owed` is every comp week that earlier weeks earned, by the date it begins on; those before may be left out.
    """

    roster: Roster
    week: Week
    owed: Mapping[dt.date, CompWeek]
    leave: tuple[Interval[Leave], ...]
    overrides: tuple[Interval[Override], ...]

    @property
    def comp(self) -> CompWeek | None:
        """The comp week that falls on this week."""
        return self.owed.get(self.week.begins)

    @property
    def order(self) -> tuple[str, ...]:
        """The week's order (rule 3); in a comp week the repayer in front and nobody who rests (rule 6)."""
        order = rotation_order(self.week.rotation, self.week.begins)
        if self.comp is None:
            return order
        repayer, rests = self.comp.repaid_by, self.comp.person
        return (repayer, *(person for person in order if person not in (repayer, rests)))

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """What tiles the week."""
        rests = self.comp.person if self.comp else None
        return coverage.spans(self.week, self.order, self.roster.manager, rests, self.leave, self.overrides)

    @cached_property
    def shifts(self) -> tuple[Shift, ...]:
        """What tiles the week for people: in the roster's zone, equal neighbours as one."""
        shifts = []
        start = in_zone(self.week.start, self.roster.tz)
        for said, run in groupby(self.spans, key=_SAID):
            end = in_zone(list(run)[-1].end, self.roster.tz)
            shifts.append(Shift(start, end, self.week.number, *said))
            start = end
        return tuple(shifts)

    @cached_property
    def credits(self) -> tuple[Credit, ...]:
        """Rule 5 (credit), by day, then in the order of standing in.

        Reading: a credit day is a person and an on-call day. Standing in for part of the day counts as the day, once;
        two people who share a day earn one each.
        """
        head = self.order[0]
        if all(each.entry.person != head for each in self.leave):
            return ()
        days = (*self.week.days, self.week.begins + WEEK)
        starts = [starts_utc(self.roster, day) for day in days]
        earned: dict[Credit, None] = {}
        for day, (start, end) in zip(days, pairwise(starts), strict=False):
            for span in self.spans:
                if span.earner and span.start < end and start < span.end:
                    earned[Credit(span.earner, day)] = None
        return tuple(earned)

    @cached_property
    def earned(self) -> tuple[CompWeek, ...]:
        """Rule 6 (comp week in two cycles): what the credits of this week claim.

        Readings: "covered" counts credit days of one shift. The cycle is that of the rotation entry in force when it
        was earned; "their own first primary week" goes by the rows of the entry in force then, without leave and
        coverage. The person covered for is the head of the week's order; they move to the front of the order, and head
        it also when the rotation has dropped them meanwhile. A comp week stays one when its owner is on leave in it.
        Whoever is never primary again gets none.
        """
        if len(self.credits) < DAYS_FOR_A_COMP_WEEK:
            return ()
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


def _rest_week(resolved: RotaWeek, person: str) -> Week | None:
    roster, week, owed = resolved.roster, resolved.week, resolved.owed
    begins = week.begins + CYCLES_UNTIL_REPAID * cycle(week.rotation) * WEEK
    last = roster.entries[-1]
    # From the last entry on the rows only repeat: one pass for each comp week owed and one more finds it or never will.
    end = max(begins, last.starts) + len(last.weeks) * (len(owed) + 1) * WEEK
    while begins < end:
        if begins not in owed and rotation_order(rotation_in_force(roster, begins), begins)[0] == person:
            return week_of(roster, begins)
        begins += WEEK
    return None
