"""Which report date a run is for. Knows the three ways to say it; refuses to guess when one is said wrongly."""

from __future__ import annotations

import datetime as dt
import re
import reprlib
from collections.abc import Mapping
from typing import Any

from oncall.core.errors import OncallError
from oncall.core.promises.promise import business_day

CONF_KEY = "report_date"
# The key otherwise spelt, and other words for it, in their letters alone: passed over, they have yesterday replaced.
MEANT = {"reportdate", "reportday", "reportingdate", "date", "day", "ds", "partitionkey"} | {
    f"{of}{what}" for of in ("business", "logical", "execution", "run") for what in ("date", "day")
}
# A run may be for no other day: a row of the year 9999 would be looked at for ever.
EARLIEST, LATEST = dt.date(2000, 1, 1), dt.date(9000, 1, 1)
AHEAD = dt.timedelta(days=366)  # of the day on which the run starts

# Whose logical date Airflow's timetable chose; any other one was written by whoever started the run.
TIMED = ("scheduled", "backfill")
BY_A_TASK = "operator_triggered"
UNATTENDED = ("scheduled", "asset_triggered", BY_A_TASK)


class NoReportDate(OncallError):
    """A run names its report date in words that are no date, or in a place that is none."""


# What the form of a DAG with params sends for a field that nobody has filled in: it names no day.
BLANK = (None, "")


def report_date(context: Mapping[str, Any], zone: dt.tzinfo) -> dt.date:
    """The report date of the run in `context` (Airflow's template context): the first of

    1. its partition key (scheduled runs, backfills, runs started by a base model, manual runs through the API),
    2. `report_date` in its conf (`airflow dags trigger … --conf '{"report_date": "2026-11-20"}'`),
    3. the business day of `zone` before its `run_after`.

    Raises NoReportDate when 1 or 2 is there and is no date such as 2026-11-20 or one that no report can be about
    (before 2000, more than 366 days ahead), and when 3 would have to guess: somebody
    started the run with the logical date of another day, or a day under another name, and would see yesterday replaced.
    """
    run = context["dag_run"]
    today = _day_of(run.run_after, zone)
    if run.partition_key:
        return _date(run.partition_key, "its partition key", today + AHEAD)
    conf = {key: said for key, said in (run.conf or {}).items() if said not in BLANK}
    if CONF_KEY in conf:
        return _date(conf[CONF_KEY], f"{CONF_KEY!r} in its conf", today + AHEAD)
    if misspelt := next((key for key in conf if re.sub("[^a-z]", "", str(key).lower()) in MEANT), None):
        raise NoReportDate(
            f"the run has {reprlib.repr(misspelt)} in its conf, which names no report date; start it with conf"
            f' {{"{CONF_KEY}": "{today - dt.timedelta(days=1)}"}}'
        )
    named = _day_of(run.logical_date, zone) if run.logical_date and run.run_type not in TIMED else today
    if named != today:
        raise NoReportDate(
            f"the run has the logical date {named}, which names no report date; start it with"
            f' conf {{"{CONF_KEY}": "{named}"}} for the report of that day, or without a logical date for yesterday\'s'
        )
    return today - dt.timedelta(days=1)


def watched_date(run: Any, zone: dt.tzinfo) -> dt.date:
    """The report date that Airflow's `run` is watched under.

    A DAG that somebody else wrote may be partitioned by hours or by regions: a run that its timetable or an asset has
    started is then about the business day before, like any other; one that another DAG's task has started, with the
    logical date of that DAG, about the day of it. Raises NoReportDate for what a person started so.
    """
    try:
        return report_date({"dag_run": run}, zone)
    except NoReportDate:
        if run.run_type not in UNATTENDED:
            raise
        yesterday = _day_of(run.run_after, zone) - dt.timedelta(days=1)
        handed_on = run.logical_date if run.run_type == BY_A_TASK else None
        return min(_day_of(handed_on, zone), yesterday) if handed_on else yesterday


def _day_of(at: dt.datetime, zone: dt.tzinfo) -> dt.date:
    """The business day of a run's instant. Airflow takes each from the year 1 to 9999. Raises NoReportDate."""
    if not EARLIEST.year < at.year < LATEST.year:
        raise NoReportDate(
            f"the run is for {at.date()}, and no report is about that day; start it without logical date and run_after,"
            f' with conf {{"{CONF_KEY}": "2026-11-20"}} for the report of another day than yesterday'
        )
    return business_day(at, zone)


def _date(text: object, place: str, latest: dt.date) -> dt.date:
    try:
        day = dt.date.fromisoformat(str(text))
    except ValueError:
        day = None
    # fromisoformat also reads 20261120 and 2026-W47-5; one spelling is enough, and it is the partition's.
    if day is None or day.isoformat() != text:
        raise NoReportDate(
            f"the run has {reprlib.repr(text)} as {place}; write a report date such as 2026-11-20"
        )
    if not EARLIEST <= day <= latest:
        raise NoReportDate(
            f"the run has {reprlib.repr(text)} as {place}, and no report is about that day;"
            f" write a report_date from {EARLIEST} to {latest}"
        )
    return day
