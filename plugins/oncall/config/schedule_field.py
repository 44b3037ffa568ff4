"""The schedule of a runbook: whether it is a cron expression, ever comes, and can keep a daily promise."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Any

from croniter import croniter  # type: ignore[import-untyped]

from oncall.config.yaml_fields import Field
from oncall.core.promises.promise import Promise

# Airflow's names for them, as five fields.
_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
LONGEST_MONTH = 31
_WRITE = 'a cron expression of five fields, such as "0 2 * * *"'
_SOME_DAY = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
# No number of three digits, of which a range could be without end; no H and R, which mean another time each time.
_FIELD = re.compile(
    r"(?!.*\d{3})(?!(?:.*[^a-z])?[hr](?![a-z]))[0-9a-z*,/?#-]{1,60}", re.ASCII | re.IGNORECASE
)


def read_schedule(field: Field, promise: Promise | None, *, starts_on_data: bool) -> str | None:
    """A cron expression in the roster's zone; None when nothing is written: the pipeline starts on data.

    What is promised and does not start on data needs one: it would be missed on the first day.

    One that comes once a day is spelt as the rules read it: `@daily` and `00 00 * * MON-SUN` are `0 0 * * *`.

    One that cannot keep the promise is complained of, and stands: it is what the DAG runs by.
    """
    if field.missing:
        if promise is not None and not starts_on_data:
            field.complain(f"{_before(promise)}; if something else starts it, the time by which it does")
        return None
    text = field.text(_WRITE)
    if text is None:
        return None
    text = _PRESETS.get(text.strip().lower(), text)
    fault = fault_of(text)
    if fault is not None:
        field.complain(_WRITE, found=f"{field.found}{fault}")
        return None
    if promise is not None and (broken := _breaks(text, promise)):
        field.complain(f"{_before(promise)}, or a later due time", found=f"{field.found}, {broken}")
    return _once_a_day(text) or text


def _before(promise: Promise) -> str:
    """When a report has to start, in words."""
    usual = f"a time every day, or on some weekdays, before {promise.due:%H:%M}, when the report is due"
    return f'{usual}, such as "0 {max(0, promise.due.hour - 3)} * * *"'


@lru_cache(maxsize=1000)
def fault_of(text: str) -> str | None:
    """Why a text is no schedule, in words to put after it; None when it is one."""
    parts = text.split()
    if len(parts) != 5 or not all(map(_FIELD.fullmatch, parts)):
        return ""
    try:
        croniter(text, _SOME_DAY).get_next(dt.datetime)
    except Exception as error:  # noqa: BLE001 - croniter raises a dozen, and none of them may leave
        return ", which never comes" if type(error).__name__ == "CroniterBadDateError" else ""
    return None


def _breaks(text: str, promise: Promise) -> str:
    """Why a report cannot be kept by this schedule; "" when it can."""
    minutes, hours, days = _expanded(text)
    if days is None:
        return "which leaves out days other than by their weekday"
    if len(minutes) != 1 or len(hours) != 1 or "*" in (minutes[0], hours[0]):
        return "which is more than once a day: each run is for the day before its own"
    if dt.time(hours[0], minutes[0]) >= promise.due:
        return f"which is not before the promise's due time {promise.due:%H:%M}"
    return ""


def _once_a_day(text: str) -> str:
    """The same in one spelling, if it comes at one time of the day, on every day or on some weekdays; else ""."""
    minutes, hours, days = _expanded(text)
    if days is None or len(minutes) != 1 or len(hours) != 1 or "*" in (minutes[0], hours[0]):
        return ""
    return f"{minutes[0]} {hours[0]} * * {days}"


def _expanded(text: str) -> tuple[list[Any], list[Any], str | None]:
    """Minutes, hours, and weekdays by their numbers ("*": every day; None: it leaves out days in another way)."""
    (minutes, hours, dates, months, weekdays), numbered = croniter.expand(text)
    if months != ["*"] or numbered:
        return minutes, hours, None
    if dates == ["*"]:
        return minutes, hours, ",".join(map(str, weekdays))
    # A date counts beside a weekday: either one will do.
    return minutes, hours, "*" if len(dates) == LONGEST_MONTH else None
