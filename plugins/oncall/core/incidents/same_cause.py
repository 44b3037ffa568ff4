"""Which reports have one cause and are told of in one breath: the one rule of it. Pure.

A cause rests on something: a table, an error, a lock, the file of a DAG, a pause. What rests on nothing of its own (it
runs, it hangs, nothing starts) rests on Airflow, which all reports have in common. It follows from the cause in words,
as an incident keeps it.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache

from oncall.core.promises.cause import Why
from oncall.core.promises.evaluation import PromiseStatus

# A report date and a due instant (None: of whatever is late), a drill's name, what the cause rests on
Shared = tuple[dt.date | None, dt.datetime | None, str, str]

# What a cause rests on, by its words; of several the first.
_NAMED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), what)
    for pattern, what in (
        (r"\bthe DAG file has an import error: (.*) \(as of ", r"import error: \1"),
        (r"\bAirflow has no DAG \S+: its file is gone or broken", "DAG files gone"),
        (r"\bthe DAG is paused \(as of ", "paused"),
        (r", blocked by ([^(]*)", r"lock of \1"),
        (r"^retrying [^(]*\((.*)\)$", r"error: \1"),
        (r" failed at [^:]*\d\d:\d\d: (.*)", r"error: \1"),
        (r", found (?:\S+ in|no table) (\w+\.\w+)", r"rows of \1"),
    )
)
# Of one report alone, where none of these tells more: by its own check, by hand, without a word why.
_ITS_OWN = ("failed", "held")
_DELETED = "its run was deleted "
AIRFLOW, UNSEEN = "Airflow", "unseen"
TOLD_LATELY = dt.timedelta(minutes=15)


@lru_cache(maxsize=4096)  # each look asks again, of each day of a backfill that has failed
def rests_on(why: Why) -> tuple[str, ...]:
    """What others may rest on too; nothing for a cause that is this report's own.

    Errors are the same when they differ in numbers alone: a file's, a process's, an instant's.
    """
    if why.cause == "unknown":
        return (UNSEEN,)
    if why.cause == "upstream_late":
        return why.names
    for pattern, what in _NAMED:
        if found := pattern.search(why.detail):
            name = found.expand(what)
            return (re.sub(r"\d+", "#", name) if name.startswith("error") else name,)
    return () if why.cause in _ITS_OWN or why.detail.startswith(_DELETED) else (AIRFLOW,)


def shares(status: PromiseStatus) -> tuple[Shared, ...]:
    """What another promise has to have too, one of them at least, to be told of in one breath with this one.

    What is late is so whenever it was due; but each day waits for a table's load of its own. The failures of days that
    are run again, whichever these are, are one where they are one pipeline's, or by one error.
    """
    if status.why is None:
        return ()
    due = None if status.overdue else status.due
    day = None if status.overdue and status.why.cause != "upstream_late" else status.report_date
    again = of_failure(status) if is_run_again(status) else ()
    return (
        *((None, None, status.drill, f"run again: {name}") for name in again),
        *((day, due, status.drill, name) for name in rests_on(status.why)),
    )


def is_run_again(status: PromiseStatus) -> bool:
    """Whether nothing is late: a run of a published report has failed, or of one that nobody has promised."""
    failed = status.why is not None and status.why.cause in _ITS_OWN
    return failed and (status.facts.publication is not None or status.due is None)


def of_failure(status: PromiseStatus) -> tuple[str, ...]:
    """By what two failures of several days may be one: the pipeline, or the error."""
    return status.pipeline.dag_id, *(rests_on(status.why) if status.why else ())


def struck_together(left: PromiseStatus, right: PromiseStatus) -> bool:
    """Whether whoever is woken for the `right` one has the `left` one in hand.

    Of two failures, when a short while lies between; and not where all that they know of is a report that still stands.
    """
    if right.facts.publication is not None and left.facts.publication is None:
        return False
    both = [each for each in (left, right) if each.why and each.why.cause in _ITS_OWN]
    ends = [
        each.facts.failure.ended_at for each in both if each.facts.failure and each.facts.failure.ended_at
    ]
    return left.overdue or len(ends) < 2 or abs(ends[0] - ends[1]) < TOLD_LATELY
