"""Promises: which report is due when. Knows wall clocks and business days; refuses to know what time it is."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache

from oncall.core.runbook import Runbook
from oncall.core.wall_time import at_wall, utc

# How long a run takes where nothing else is known: no history, nothing configured.
USUALLY = dt.timedelta(minutes=30)
ONE_DAY = dt.timedelta(days=1)
EVERY_DAY = frozenset(range(7))
PromiseKey = tuple[str, dt.date, str]  # a DAG's id, a report date and a drill's name
# Once a day, every day or on some weekdays by their numbers (Sunday is 0), as `read_schedule` writes it.
_ONCE_A_DAY = re.compile(r"(?P<minute>\d{1,2}) (?P<hour>\d{1,2}) \* \* (?P<days>\*|[0-6](,[0-6])*)")


@dataclass(frozen=True)
class Promise:
    """A wall-clock due time, in the roster's zone, and when to warn that upstream is late.

    `weekdays` (Monday is 0) are the days on which the pipeline runs, and so those that it has a report of: the report
    of such a day is due on the next one. Friday's on Monday, when it runs from Monday to Friday.
    """

    due: dt.time
    warn_upstream_at: dt.time
    weekdays: frozenset[int] = EVERY_DAY

    def covers(self, report_date: dt.date) -> bool:
        """Whether a report of this day is promised."""
        return report_date.weekday() in self.weekdays

    def due_day(self, report_date: dt.date) -> dt.date:
        """The day on which the report of `report_date` is due, which is the next report date too."""
        return _next(report_date, self.weekdays)


@dataclass(frozen=True)
class Team:
    """Somebody else's team: its name and its Slack channel."""

    team: str
    slack: str


@dataclass(frozen=True)
class Pipeline:
    """A pipeline's whole contract: the head of its runbook plus its owners from the roster of its `team`.

    `usually`: how long a run takes, once its upstream is there, as long as there is no history to tell.
    """

    dag_id: str
    title: str
    purpose: str
    report: str
    schedule: str | None
    upstream: tuple[str, ...]
    upstream_owner: Team
    downstream_owner: str
    primary_owner: str
    secondary_owner: str
    promise: Promise | None
    runbook: Runbook
    team: str = ""
    usually: dt.timedelta = USUALLY


def due_at(promise: Promise, report_date: dt.date, tz: dt.tzinfo) -> dt.datetime:
    """The instant the report for `report_date` is due: on the next day of the promise at `due`, wall clock of `tz`."""
    return at_wall(promise.due_day(report_date), promise.due, tz)


def warn_at(promise: Promise, report_date: dt.date, tz: dt.tzinfo) -> dt.datetime:
    """The last `warn_upstream_at` before the due instant; that instant itself where the clock skips past both."""
    due, due_day = due_at(promise, report_date, tz), promise.due_day(report_date)
    day = due_day if promise.warn_upstream_at <= promise.due else due_day - ONE_DAY
    return min(at_wall(day, promise.warn_upstream_at, tz), due, key=utc)


def starts_at(schedule: str | None, report_date: dt.date, tz: dt.tzinfo) -> dt.datetime | None:
    """When the run for `report_date` starts by its schedule, in UTC: on the next of its days.

    None when there is no such run: the schedule is not once a day, or leaves that report date out.
    """
    once = _once_a_day(schedule or "")
    if once is None or report_date.weekday() not in once[1]:
        return None
    wall = dt.datetime.combine(_next(report_date, once[1]), once[0], tz)
    # What a clock shows twice is for Airflow the second time, and what it skips the time after the jump.
    return max(utc(wall), utc(wall.replace(fold=1)))


def weekdays_of(schedule: str | None) -> frozenset[int]:
    """The weekdays (Monday is 0) on which a schedule runs once a day; all of them for any other schedule."""
    once = _once_a_day(schedule or "")
    return once[1] if once else EVERY_DAY


@lru_cache(maxsize=1024)
def _once_a_day(schedule: str) -> tuple[dt.time, frozenset[int]] | None:
    daily = _ONCE_A_DAY.fullmatch(" ".join(schedule.split()))
    if daily is None or int(daily["hour"]) > 23 or int(daily["minute"]) > 59:
        return None
    clock = dt.time(int(daily["hour"]), int(daily["minute"]))
    if daily["days"] == "*":
        return clock, EVERY_DAY
    return clock, frozenset((int(number) - 1) % 7 for number in daily["days"].split(","))


def _next(date: dt.date, weekdays: frozenset[int]) -> dt.date:
    """The first day after `date` that is one of these weekdays (of none: the day after)."""
    ahead = next((n for n in range(1, 8) if (date.weekday() + n) % 7 in weekdays), 1)
    return date + dt.timedelta(days=ahead)


def business_day(at: dt.datetime, tz: dt.tzinfo) -> dt.date:
    """The calendar day of `at` in `tz`: at 23:30Z it is already tomorrow in UTC+7."""
    return at.astimezone(tz).date()


def last_due(promise: Promise, at: dt.datetime, tz: dt.tzinfo) -> dt.date:
    """The report date whose due instant is the latest one at or before `at`."""
    day = business_day(at, tz) - ONE_DAY
    # Two weeks back there is one for certain, also of a promise that is due once a week.
    for _ in range(14):
        if promise.covers(day) and due_at(promise, day, tz) <= at:
            break
        day -= ONE_DAY
    return day
