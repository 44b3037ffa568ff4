"""How long the rota takes to answer when it is folded from its first week, years later."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from oncall.config import load
from oncall.core.ledger import ledger
from oncall.core.roster import Leave, Roster
from oncall.core.rota import who_is_on_call
from sandbox.bench.figures import Figure, Sample, Section, timed
from sandbox.environment import REPOSITORY

YEARS = (1, 5, 10)
AWAY_EVERY = 13  # weeks from one leave of a person to the next; each lasts a week
TIMES = 5


def measure() -> Section:
    """`who_is_on_call` after years of weeks with leave, beside the first week; the ledger of a year."""
    roster = _with_leave(load(REPOSITORY / "include").roster)
    first = _cpu_time("who is on call, week 1", partial(who_is_on_call, roster, roster.starts))
    figures = []
    for years in YEARS:
        at = roster.starts.add(weeks=52 * years)
        told = f"who is on call, week {52 * years + 1} ({years} y)"
        figures.append(Figure(_cpu_time(told, partial(who_is_on_call, roster, at)), first))
    year = roster.starts.add(weeks=52)
    figures.append(Figure(_cpu_time("ledger of a year", partial(ledger, roster, year)), first))
    how = (
        f"The shipped roster, with a week of leave for each person every {AWAY_EVERY} weeks: so weeks are covered"
        " and earn weeks of rest. Nothing is kept between two answers. CPU time."
    )
    return Section("The rota", how, tuple(figures))


def _cpu_time(name: str, act: Callable[[], object]) -> Sample:
    """Nothing in here waits, so what others do on the machine need not count."""
    return timed(name, act, TIMES, time.process_time)


def _with_leave(roster: Roster) -> Roster:
    """Each person away in turn, so that nearly every third week is somebody's leave."""
    people = sorted({person for entry in roster.rotation for week in entry.weeks for person in week})
    begins = roster.rotation[0].starts
    leave = []
    for number in range(52 * max(YEARS) // AWAY_EVERY):
        for place, person in enumerate(people):
            week = begins + dt.timedelta(weeks=number * AWAY_EVERY + place * AWAY_EVERY // len(people))
            leave.append(
                Leave(person, roster.day_starts(week), roster.day_starts(week + dt.timedelta(days=7)))
            )
    return replace(roster, leave=tuple(leave))
