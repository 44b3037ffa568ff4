"""A week of the rota in sentences: why it is as it is, who is away, who earns what. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence

from oncall.core.rota.credit_ledger import InLieu
from oncall.core.rota.roster import Leave, Roster
from oncall.core.rota.rota_week import CompWeek, RotaWeek, Shift
from oncall.core.rota.shift_words import named, unless_by_rotation
from oncall.core.time_format import TimeFormat, day, days, weekday
from oncall.core.wall_time import in_zone


def weeks_running(person: str, count: int, first: dt.date, last: dt.date) -> str:
    number = {2: "two", 3: "three", 4: "four"}.get(count, count)
    return f"{person} is primary {number} weeks running: {weekday(first)} to {weekday(last)}"


def fair_share(primary_weeks: float, secondary_weeks: float) -> str:
    return (
        f"A fair share of these weeks is {primary_weeks:g} as primary and {secondary_weeks:g} as secondary for each"
        " who takes turns. Drills do not count as nights."
    )


def credit_days(person: str, count: int, week: int, begins: dt.date, covering_for: str) -> str:
    days_ = f"{count} day{'s' * (count != 1)}"
    return f"{person}: {days_} in rota week {week} ({day(begins)}), for {covering_for}"


def comp_week_line(person: str, week: int, begins: dt.date, earned_week: int, repaid_by: str) -> str:
    return f"{person}: rota week {week} ({day(begins)}), earned in rota week {earned_week}, repaid by {repaid_by}"


def leave(roster: Roster, entry: Leave) -> str:
    """Such as "DE-001 on leave (holiday)"."""
    return f"{named(roster, entry.person)} on leave" + (f" ({entry.reason})" if entry.reason else "")


def days_away(roster: Roster, entry: Leave) -> tuple[dt.date, dt.date]:
    """The first and the last day of a leave, as the roster writes it: an on-call day ends on the next day's morning."""
    first, end = in_zone(entry.start, roster.tz), in_zone(entry.end, roster.tz)
    last = end - dt.timedelta(microseconds=1)
    before = last.date() - dt.timedelta(days=last.time() <= roster.handoff.at)
    return first.date(), max(first.date(), before)


def comp_week(roster: Roster, comp: CompWeek) -> str:
    repaid_by = named(roster, comp.repaid_by)
    person = named(roster, comp.person)
    return f"{person} has a comp week, earned in rota week {comp.earned_week}, repaid by {repaid_by}"


def day_in_lieu(roster: Roster, entry: InLieu) -> str:
    return f"{named(roster, entry.person)} has the day off in lieu of {day(entry.holiday)} ({entry.name})"


def holiday(date: dt.date, name: str) -> str:
    return f"Public holiday, {weekday(date)}: {name}"


def seat_held(roster: Roster, shift: Shift, person: str) -> str:
    """Such as "DE-002 primary, standing in for DE-001, on leave"."""
    seat = "primary" if person == shift.primary else "secondary"
    return f"{named(roster, person)} {seat}{unless_by_rotation(roster, shift)}"


def why(roster: Roster, week: RotaWeek, shifts: Sequence[Shift], in_lieu: Sequence[InLieu]) -> Iterator[str]:
    """Why a week of the rota is as it is, a sentence a line."""
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
            reason = f" ({entry.reason})" if entry.reason else ""
            yield f"{named(roster, entry.person)} is on leave {days(*days_away(roster, entry))}{reason}."


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
