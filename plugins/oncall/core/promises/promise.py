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
_DAILY = re.compile(r"(?P<minute>\d{1,2}) (?P<hour>\d{1,2}) \* \* \*")


@dataclass(frozen=True)
class Promise:
    """A daily wall-clock due time, in the roster's zone, and when to warn that upstream is late."""

    due: dt.time
    warn_upstream_at: dt.time


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
    """The instant the report for `report_date` is due: the next day at `due`, wall clock of `tz`."""
    return at_wall(report_date + dt.timedelta(days=1), promise.due, tz)


def warn_at(promise: Promise, report_date: dt.date, tz: dt.tzinfo) -> dt.datetime:
    """The last `warn_upstream_at` before the due instant."""
    due = due_at(promise, report_date, tz)
    warn = at_wall(report_date + dt.timedelta(days=1), promise.warn_upstream_at, tz)
    return warn if warn <= due else at_wall(report_date, promise.warn_upstream_at, tz)


def starts_at(schedule: str | None, report_date: dt.date, tz: dt.tzinfo) -> dt.datetime | None:
    """When the run for `report_date` starts by its schedule, in UTC: the next day; None when that is not once a day."""
    clock = _daily_clock(schedule or "")
    # As `at_wall`, of whose day and clock nothing is asked: only which instant that is.
    return utc(dt.datetime.combine(report_date + dt.timedelta(days=1), clock, tz)) if clock else None


@lru_cache(maxsize=1024)
def _daily_clock(schedule: str) -> dt.time | None:
    daily = _DAILY.fullmatch(" ".join(schedule.split()))
    if daily is None or int(daily["hour"]) > 23 or int(daily["minute"]) > 59:
        return None
    return dt.time(int(daily["hour"]), int(daily["minute"]))


def business_day(at: dt.datetime, tz: dt.tzinfo) -> dt.date:
    """The calendar day of `at` in `tz`: at 23:30Z it is already tomorrow in UTC+7."""
    return at.astimezone(tz).date()


def last_due(promise: Promise, at: dt.datetime, tz: dt.tzinfo) -> dt.date:
    """The report date whose due instant is the latest one at or before `at`."""
    day = business_day(at, tz) - dt.timedelta(days=1)
    return day if due_at(promise, day, tz) <= at else day - dt.timedelta(days=1)
