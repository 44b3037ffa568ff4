"""Which reports have one cause and are told of in one breath: the one rule of it. Pure.

A cause rests on something: a table, an error, a lock, the file of a DAG, a pause. What rests on nothing of its own (it
runs, it hangs, nothing starts) rests on Airflow, which all reports have in common. Each cause says so: `Why.rests_on`.
"""

from __future__ import annotations

import datetime as dt

from oncall.core.promises.evaluation import PromiseStatus

# A report date and a due instant (None: of whatever is late), a drill's name, what the cause rests on
Shared = tuple[dt.date | None, dt.datetime | None, str, str]

# Of one report alone, where none of these tells more: by its own check, by hand, without a word why.
_ITS_OWN = ("failed", "held")
TOLD_LATELY = dt.timedelta(minutes=15)


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
        *((day, due, status.drill, name) for name in status.why.rests_on),
    )


def is_run_again(status: PromiseStatus) -> bool:
    """Whether nothing is late: a run of a published report has failed, or of one that nobody has promised."""
    failed = status.why is not None and status.why.cause in _ITS_OWN
    return failed and (status.facts.publication is not None or status.due is None)


def of_failure(status: PromiseStatus) -> tuple[str, ...]:
    """By what two failures of several days may be one: the pipeline, or the error."""
    return status.pipeline.dag_id, *(status.why.rests_on if status.why else ())


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
