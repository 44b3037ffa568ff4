"""How long the rota takes to answer, years after its first week, beside a library for recurring calendar entries."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import cycle

import recurring_ical_events
from icalendar import Calendar, Event, vRecur

from oncall.config.oncall_config import load
from oncall.core.rota.credit_ledger import ledger
from oncall.core.rota.on_call import Shift, rota, who_is_on_call
from oncall.core.rota.roster import Leave, Override, Roster
from sandbox.bench.figures import Figure, Sample, Section, timed
from sandbox.stack.environment import REPOSITORY

YEARS = 10
WEEKS = 52 * YEARS
ENTRIES = 300  # so many leaves, and so many overrides again in the harder case
TIMES = 20
AT_ONCE = 200  # what is measured in microseconds is done so often at a time


def measure() -> Section:
    """Ten years cold, and who is on call when the roster was asked before; the base calendar beside both."""
    plain = load(REPOSITORY / "include").roster
    plain = replace(plain, leave=(), overrides=())
    roster = _eventful(plain, ENTRIES // 2, ENTRIES // 2)
    busier = _eventful(plain, ENTRIES, ENTRIES)
    start, end = roster.starts, roster.starts + dt.timedelta(weeks=WEEKS)
    calendar = _base_calendar(plain)
    assert _told(rota(plain, start, end)) == _listed(calendar, start, end)
    listed = _cpu_time("recurring-ical-events: the base calendar", partial(_listed, calendar, start, end))
    asked = recurring_ical_events.of(calendar)
    at = [start + dt.timedelta(weeks=week, hours=week) for week in range(1, WEEKS, WEEKS // 25)]
    found = _each("recurring-ical-events: one instant", [partial(asked.at, instant) for instant in at])
    rota(roster, start, end)
    hot = _each("who is on call, asked before", [partial(who_is_on_call, roster, instant) for instant in at])
    figures = (
        Figure(_cold("the base calendar", plain, _ten_years), listed),
        Figure(_cold(f"with {ENTRIES} leaves and overrides", roster, _ten_years), listed),
        Figure(_cold(f"with {ENTRIES} leaves and {ENTRIES} overrides", busier, _ten_years), listed),
        Figure(_cold(f"its ledger, with {ENTRIES} leaves and overrides", roster, _ledger), listed),
        Figure(_cold("who is on call at the end, asked first", roster, _last), found),
        Figure(hot, found),
    )
    how = (
        f"{YEARS} years of the shipped rotation of {len(plain.rotation[0].weeks)} weeks, without leave and with leaves"
        " of 1, 3, 7 or 14 days and overrides of 2, spread evenly: weeks are covered and earn weeks of rest. Each time"
        " a roster that was asked nothing before, unless it says so. The library lists the rows of the rotation as"
        " recurring entries: the same shifts without leave, cover, rest or override. CPU time."
    )
    return Section(f"The rota of {YEARS} years", how, figures)


def _cpu_time(name: str, act: Callable[[], object]) -> Sample:
    """Nothing in here waits, so what others do on the machine need not count."""
    return timed(name, act, TIMES, time.process_time)


def _cold(name: str, roster: Roster, ask: Callable[[Roster], object]) -> Sample:
    """A roster remembers what it was asked: each time a new one."""
    fresh = iter([replace(roster) for _ in range(TIMES + 1)])
    return _cpu_time(name, lambda: ask(next(fresh)))


def _each(name: str, acts: list[Callable[[], object]]) -> Sample:
    """The mean of many that take microseconds, each of `TIMES` times."""

    def all_of_them() -> None:
        for _, act in zip(range(AT_ONCE), cycle(acts), strict=False):
            act()

    total = _cpu_time(name, all_of_them)
    return Sample(name, tuple(value / AT_ONCE for value in total.values), total.unit)


def _ten_years(roster: Roster) -> list[Shift]:
    return rota(roster, roster.starts, roster.starts + dt.timedelta(weeks=WEEKS))


def _ledger(roster: Roster) -> object:
    return ledger(roster, roster.starts + dt.timedelta(weeks=WEEKS))


def _last(roster: Roster) -> Shift:
    return who_is_on_call(roster, roster.starts + dt.timedelta(weeks=WEEKS, days=-3))


def _base_calendar(roster: Roster) -> Calendar:
    """Each row of the rotation as an entry that recurs as often as the rotation does."""
    rows = roster.rotation[0].weeks
    calendar = Calendar()
    for number, row in enumerate(rows):
        event = Event()
        event.add("uid", str(number))
        event.add("summary", "/".join(row))
        event.add("dtstart", roster.starts + dt.timedelta(weeks=number))
        event.add("duration", dt.timedelta(weeks=1))
        event.add("rrule", vRecur(freq="weekly", interval=len(rows)))
        calendar.add_component(event)
    return calendar


def _listed(calendar: Calendar, start: dt.datetime, end: dt.datetime) -> list[tuple[dt.datetime, str]]:
    found = recurring_ical_events.of(calendar).between(start, end)
    return sorted((event.start, str(event["summary"])) for event in found)


def _told(shifts: list[Shift]) -> list[tuple[dt.datetime, str]]:
    return [(shift.start, f"{shift.primary}/{shift.secondary}") for shift in shifts]


def _eventful(roster: Roster, leaves: int, overrides: int) -> Roster:
    """People away and standing in by turns over the years; no two overrides at one time."""
    people = sorted({person for entry in roster.rotation for week in entry.weeks for person in week})
    first = roster.starts.date()

    def stretch(number: int, count: int, days: int) -> tuple[dt.datetime, dt.datetime]:
        day = first + dt.timedelta(days=7 * WEEKS * number // count)
        return roster.day_starts(day), roster.day_starts(day + dt.timedelta(days=days))

    leave = []
    for number in range(leaves):
        start, end = stretch(number, leaves, (1, 3, 7, 14)[number * 7 % 13 % 4])
        leave.append(Leave(people[number % len(people)], start, end))
    stood_in = []
    for number in range(overrides):
        start, end = stretch(number, overrides, 2)
        stood_in.append(Override(start, end, primary=people[(number + 2) % len(people)]))
    return replace(roster, leave=tuple(leave), overrides=tuple(stood_in))
