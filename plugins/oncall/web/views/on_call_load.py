"""How on-call weighs on each person, and what they earned by it. Pure: roster, rota and records in, models out."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from oncall.core.incidents.status_words import woke
from oncall.core.rota.credit_ledger import ledger
from oncall.core.rota.on_call import rota
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_json import comp_week_json, credit_json, in_lieu_json
from oncall.core.rota.rota_week import Shift
from oncall.core.rota.rotation import on_call_day, starts_utc, week_beginning
from oncall.core.wall_time import night_of, utc
from oncall.usecases.history import IncidentRecord
from oncall.web.views.rota_models import CompWeekView, CreditView, InLieuView, LedgerView, LoadView

UNFAIR = 1.25  # of a fair share: from then on it is pointed out
WEEK_S = 7 * 86400
_SATURDAY = 5

# By person, and by what they count as: primary, secondary, weekend, holidays.
Seconds = defaultdict[str, defaultdict[str, float]]


def loads(
    roster: Roster, records: Sequence[IncidentRecord], at: dt.datetime, back: int, ahead: int
) -> tuple[LoadView, ...]:
    """Over the same weeks as the calendar shows; nights paged are those that were."""
    begins = week_beginning(roster, at)
    first = max(begins - dt.timedelta(weeks=back), min(entry.starts for entry in roster.rotation))
    last = begins + dt.timedelta(weeks=ahead)
    start, end = roster.day_starts(first), roster.day_starts(last)
    sums: Seconds = defaultdict(lambda: defaultdict(float))
    for shift in rota(roster, start, end):
        _add(sums, roster, shift)
    total = (utc(end) - utc(start)).total_seconds()
    nights = _nights_paged(roster, records)
    fair_primary, fair_secondary = (
        round(sum(mine[seat] for mine in sums.values()) / WEEK_S / len(roster.turns), 1)
        for seat in ("primary", "secondary")
    )
    return tuple(
        LoadView(
            person=person,
            primary_weeks=round(sums[person]["primary"] / WEEK_S, 1),
            fair_primary_weeks=fair_primary if person in roster.turns else 0.0,
            fair_secondary_weeks=fair_secondary if person in roster.turns else 0.0,
            secondary_weeks=round(sums[person]["secondary"] / WEEK_S, 1),
            share=round(100 * (sums[person]["primary"] + sums[person]["secondary"]) / total, 1),
            weekend_days=round(sums[person]["weekend"] / 86400, 1),
            holidays=round(sums[person]["holidays"] / 86400, 1),
            nights_paged=len(nights[person]),
        )
        for person in roster.people
        if person in sums or nights[person]
    )


def _add(sums: Seconds, roster: Roster, shift: Shift) -> None:
    if shift.primary is None:
        return
    begins, over = utc(shift.start), utc(shift.end)
    length = (over - begins).total_seconds()
    sums[shift.primary]["primary"] += length
    if shift.secondary:
        sums[shift.secondary]["secondary"] += length
    day = on_call_day(roster, shift.start)
    while (starts := starts_utc(roster, day)) < over:
        ends = starts_utc(roster, day + dt.timedelta(days=1))
        part = (min(ends, over) - max(starts, begins)).total_seconds()
        sums[shift.primary]["weekend"] += part if day.weekday() >= _SATURDAY else 0.0
        sums[shift.primary]["holidays"] += part if day in roster.public_holidays else 0.0
        day += dt.timedelta(days=1)


def _nights_paged(roster: Roster, records: Sequence[IncidentRecord]) -> dict[str, set[dt.date]]:
    """The nights in which somebody was woken for something real: without drills, and without mere warnings."""
    named = {person.name: person.id for person in roster.people.values()}
    found: dict[str, set[dt.date]] = defaultdict(set)
    for record in records:
        for told in () if record.incident.drill else record.told:
            if told.done_at is None or not woke(told.as_status):
                continue
            if night := night_of(told.done_at.astimezone(roster.tz)):
                for name in told.people:
                    found[named.get(name, name)].add(night)
    return found


def ledger_view(roster: Roster, at: dt.datetime) -> LedgerView:
    """What was earned until now, and what of it was taken."""
    book, today = ledger(roster, at), on_call_day(roster, at)
    week = week_beginning(roster, at)
    return LedgerView(
        credits=tuple(
            CreditView(**credit_json(c), start=roster.day_starts(c.begins))
            for c in book.credits
        ),
        comp_weeks=tuple(
            CompWeekView(
                **comp_week_json(roster, c),
                state="owed" if c.begins > week else "now" if c.begins == week else "taken",
            )
            for c in book.comp_weeks
        ),
        in_lieu=tuple(
            InLieuView(
                **in_lieu_json(e), name=e.name,
                state="taken" if e.date and e.date < today else "owed",
            )
            for e in book.in_lieu
        ),
    )  # fmt: skip
