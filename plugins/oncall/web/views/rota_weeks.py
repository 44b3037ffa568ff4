"""The rota week by week, with the reasons in sentences. Pure: the roster and instants in, models out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import takewhile

from oncall.core.rota import outlook, week_words
from oncall.core.rota.credit_ledger import InLieu, ledger
from oncall.core.rota.on_call import fold
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import RotaWeek, Shift
from oncall.core.rota.rotation import week_beginning
from oncall.core.wall_time import in_zone, utc
from oncall.web.views.rota_models import ShiftView, WeekView


def weeks(roster: Roster, at: dt.datetime, back: int, ahead: int) -> tuple[WeekView, ...]:
    """The `back` weeks before the week of `at`, and `ahead` weeks from that week on."""
    first = week_beginning(roster, at) - dt.timedelta(weeks=back)
    last = week_beginning(roster, at) + dt.timedelta(weeks=ahead)
    end = roster.day_starts(last)
    in_lieu = ledger(roster, end).in_lieu
    every = takewhile(lambda week: week.week.begins < last, fold(roster))
    found = [week for week in every if week.week.begins >= first]
    return tuple(_week(roster, week, in_lieu, at) for week in found)


def weeks_running(roster: Roster, found: Sequence[WeekView]) -> tuple[str, ...]:
    """A sentence for each person who is primary several weeks running, in weeks that are not over."""
    ahead = [week for week in found if not week.past]
    return tuple(outlook.weeks_running(roster, ahead[0].start, ahead[-1].end)) if ahead else ()


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
        shifts=tuple(map(ShiftView.model_validate, shifts)),
        marks=tuple(_marks(roster, week, shifts, in_lieu)),
        why=tuple(week_words.why(roster, week, shifts, in_lieu)),
    )


def _marks(
    roster: Roster, week: RotaWeek, shifts: Sequence[Shift], in_lieu: Sequence[InLieu]
) -> Iterator[str]:
    reasons = {shift.reason for shift in shifts}
    if week.comp:
        reasons.add("comp")  # the shift itself may be told as cover or override
    yield from (reason for reason in ("cover", "comp", "override") if reason in reasons)
    if week.leave:
        yield "leave"
    if any(date in roster.public_holidays for date in week.week.days):
        yield "holiday"
    if any(entry.date in week.week.days for entry in in_lieu):
        yield "in lieu"
