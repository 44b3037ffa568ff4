"""The schedule of a runbook: whether it is a cron expression, ever comes, and can keep a daily promise."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache

from croniter import croniter  # type: ignore[import-untyped]

from oncall.config.yaml_fields import Field
from oncall.core.promises.promise import Promise

_WRITE = 'a cron expression of five fields, such as "0 2 * * *"'
_SOME_DAY = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
# No number of three digits, of which a range could be without end; no H and R, which mean another time each time.
_FIELD = re.compile(
    r"(?!.*\d{3})(?!(?:.*[^a-z])?[hr](?![a-z]))[0-9a-z*,/?#-]{1,60}", re.ASCII | re.IGNORECASE
)


def read_schedule(field: Field, promise: Promise | None) -> str | None:
    """A cron expression in the roster's zone; None when nothing is written: the pipeline starts on data.

    One that cannot keep the promise is complained of, and stands: it is what the DAG runs by.
    """
    text = field.optional_text(_WRITE)
    if text is None:
        return None
    fault = fault_of(text)
    if fault is not None:
        field.complain(_WRITE, found=f"{field.found}{fault}")
        return None
    if promise is not None and (broken := _breaks(text, promise)):
        usual = f"a time every day before {promise.due:%H:%M}, when the report is due"
        example = f'"0 {max(0, promise.due.hour - 3)} * * *"'
        field.complain(f"{usual}, such as {example}, or a later due time", found=f"{field.found}, {broken}")
    return text


@lru_cache(maxsize=1000)
def fault_of(text: str) -> str | None:
    """Why a schedule is none, in words that follow it; None when it is one."""
    parts = text.split()
    if len(parts) != 5 or not all(map(_FIELD.fullmatch, parts)):
        return ""
    try:
        croniter(text, _SOME_DAY).get_next(dt.datetime)
    except Exception as error:  # noqa: BLE001 - croniter raises a dozen, and none of them may leave
        return ", which never comes" if type(error).__name__ == "CroniterBadDateError" else ""
    return None


def _breaks(text: str, promise: Promise) -> str:
    """Why a report that is due every day cannot be kept by this schedule; "" when it can."""
    (minutes, hours, *days), _ = croniter.expand(text)
    if any(each != ["*"] for each in days):
        return "which leaves out days"
    if len(minutes) != 1 or len(hours) != 1 or "*" in (minutes[0], hours[0]):
        return "which is more than once a day: each run is for the day before its own"
    if dt.time(hours[0], minutes[0]) >= promise.due:
        return f"which is not before the promise's due time {promise.due:%H:%M}"
    return ""
