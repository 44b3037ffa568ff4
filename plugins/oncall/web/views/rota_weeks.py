"""The rota week by week, with the reasons in sentences. Pure: the roster and instants in, models out."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile

from oncall.core.rota.credit_ledger import InLieu, ledger
from oncall.core.rota.on_call import RotaWeek, Shift, fold
from oncall.core.rota.roster import Roster
from oncall.core.rota.weeks import week_beginning
from oncall.core.time_format import TimeFormat, day, days, weekday
from oncall.core.wall_time import in_zone, utc
from oncall.web.views.on_call import named
from oncall.web.views.rota_models import ShiftView, WeekView


def weeks(roster: Roster, at: dt.datetime, back: int, ahead: int) -> tuple[WeekView, ...]:
    """`back` weeks before the one that `at` is in, that one, and so many after it that `ahead` lie ahead."""
    first = week_beginning(roster, at) - dt.timedelta(weeks=back)
    last = week_beginning(roster, at) + dt.timedelta(weeks=ahead)
    end = roster.day_starts(last)
    in_lieu = ledger(roster, end).in_lieu
    every = takewhile(lambda week: week.week.begins < last, fold(roster))
    found = [week for week in every if week.week.begins >= first]
    return tuple(_week(roster, week, in_lieu, at) for week in found)


def two_running(roster: Roster, found: Sequence[WeekView]) -> tuple[str, ...]:
    """Who is primary for most of two weeks running, of those that are not over: said before it comes."""
    ahead = [(week, _mostly_primary(week)) for week in found if not week.past]
    return tuple(
        f"{named(roster, person)} is primary two weeks running:"
        f" {weekday(first.start.date())} to {weekday(second.end.date())}."
        for (first, person), (second, other) in pairwise(ahead)
        if person and person == other
    )


def _mostly_primary(week: WeekView) -> str | None:
    """Who is primary for more than half of the week; None where nobody is."""
    held: Counter[str] = Counter()
    for shift in week.shifts:
        if shift.primary:
            held[shift.primary] += int((shift.end - shift.start).total_seconds())
    person, seconds = max(held.items(), key=lambda one: one[1], default=("", 0))
    return person if 2 * seconds > (week.end - week.start).total_seconds() else None


def _week(roster: Roster, week: RotaWeek, in_lieu: Sequence[InLieu], at: dt.datetime) -> WeekView:
    start, end, shifts = in_zone(week.week.start, roster.tz), in_zone(week.week.end, roster.tz), week.shifts
    days = set(week.week.days)
    in_lieu = [entry for entry in in_lieu if entry.date in days or entry.holiday in days]
    return WeekView(
        week=week.week.number,
        start=start,
        end=end,
        current=week.week.start <= utc(at) < week.week.end,
        past=week.week.end <= utc(at),
        shifts=tuple(shift_view(shift) for shift in shifts),
        marks=tuple(_marks(roster, week, shifts, in_lieu)),
        why=tuple(_why(roster, week, shifts, in_lieu)),
    )


def shift_view(shift: Shift) -> ShiftView:
    """A shift, as the API shows it."""
    return ShiftView(
        start=shift.start,
        end=shift.end,
        week=shift.week,
        primary=shift.primary,
        secondary=shift.secondary,
        reason=shift.reason,
        covering_for=shift.covering_for,
    )


def _marks(
    roster: Roster, week: RotaWeek, shifts: Sequence[Shift], in_lieu: Sequence[InLieu]
) -> Iterator[str]:
    reasons = {shift.reason for shift in shifts}
    if week.comp:
        reasons.add("comp")  # the shift itself may be told as cover or override
    yield from (reason for reason in ("cover", "comp", "override") if reason in reasons)
    if any(entry.start < week.week.end and week.week.start < entry.end for entry in roster.leave):
        yield "leave"
    if any(date in roster.public_holidays for date in week.week.days):
        yield "holiday"
    if any(entry.date in week.week.days for entry in in_lieu):
        yield "in lieu"


def _why(roster: Roster, week: RotaWeek, shifts: Sequence[Shift], in_lieu: Sequence[InLieu]) -> Iterator[str]:
    yield from _leave(roster, week)
    if week.comp:
        rest = f"{named(roster, week.comp.person)} rests in the comp week earned in rota week {week.comp.earned_week}"
        yield f"{rest}; {named(roster, week.comp.repaid_by)} repays it and heads the order."
    for shift in shifts:
        when = "" if len(shifts) == 1 else f" ({_stretch(roster, shift)})"
        yield f"{_pair(roster, week, shift)}{when}."
    yield from _earned(roster, week)
    yield from _overrides(roster, week)
    yield from _holidays(roster, week, in_lieu)


def _pair(roster: Roster, week: RotaWeek, shift: Shift) -> str:
    primary, secondary = named(roster, shift.primary), named(roster, shift.secondary)
    away = named(roster, shift.covering_for)
    if shift.reason == "cover":
        head = week.order[0]
        if shift.covering_for == head and shift.primary != head:
            return f"{primary} stands in for {away}, on leave; {secondary} is secondary"
        return f"{primary} is primary; {secondary} fills in for {away}, on leave, as secondary"
    if shift.reason == "comp":
        return f"{primary} is primary in the place of {away}, {secondary} secondary"
    if shift.reason == "override":
        return f"Override: {primary} is primary, {secondary} secondary"
    return f"As the rotation says: {primary} is primary, {secondary} secondary"


def _earned(roster: Roster, week: RotaWeek) -> Iterator[str]:
    rests = {comp.person: comp for comp in week.earned}
    for person, count in Counter(credit.person for credit in week.credits).items():
        comp = rests.get(person)
        rest = (
            f"; rests in rota week {comp.week} (from {day(comp.begins)}), repaid by {named(roster, comp.repaid_by)}"
            if comp
            else ""
        )
        yield f"{named(roster, person)} earns {count} credit day{'s' * (count != 1)}{rest}."


def _leave(roster: Roster, week: RotaWeek) -> Iterator[str]:
    for entry in roster.leave:
        if entry.start < week.week.end and week.week.start < entry.end:
            first = in_zone(entry.start, roster.tz)
            last = in_zone(entry.end, roster.tz) - dt.timedelta(microseconds=1)
            last_day = (
                last.date()
                if last.time() > roster.handoff.at
                else max(first.date(), last.date() - dt.timedelta(days=1))
            )
            reason = f" ({entry.reason})" if entry.reason else ""
            yield f"{named(roster, entry.person)} is on leave {days(first.date(), last_day)}{reason}."


def _overrides(roster: Roster, week: RotaWeek) -> Iterator[str]:
    for entry in roster.overrides:
        if entry.start < week.week.end and week.week.start < entry.end and entry.reason:
            say = TimeFormat(entry.start, roster.tz)
            yield f"The override of {say.moment(entry.start)} to {say.moment(entry.end)}: {entry.reason}."


def _holidays(roster: Roster, week: RotaWeek, in_lieu: Sequence[InLieu]) -> Iterator[str]:
    for date in week.week.days:
        name = roster.public_holidays.get(date)
        if name is None:
            continue
        earned = next((entry for entry in in_lieu if entry.holiday == date), None)
        taken = f" on {weekday(earned.date)}" if earned and earned.date else ""
        who = f"; {named(roster, earned.person)} gets a day in lieu{taken}" if earned else ""
        yield f"{weekday(date)} is a public holiday, {name}{who}."
    for entry in in_lieu:
        if entry.date in week.week.days and entry.date:
            who = named(roster, entry.person)
            yield f"{who} has {weekday(entry.date)} off in lieu of {day(entry.holiday)} ({entry.name})."


def _stretch(roster: Roster, shift: Shift) -> str:
    say = TimeFormat(shift.start, roster.tz)
    return f"{say.moment(shift.start)} to {say.moment(shift.end)}"
