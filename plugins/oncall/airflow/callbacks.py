"""What the pipelines' tasks tell of themselves: when they start, end, retry and fail. Never makes a task fail."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from oncall.airflow.dag_settings import terms_of
from oncall.airflow.masking import masked
from oncall.airflow.report_date import watched_date
from oncall.core.promises.facts import Task, TaskState

log = structlog.get_logger(__name__)

Context = Mapping[str, Any]

# Told by the DAG processor in the place of a process that could not: killed, on a worker that is gone, or never begun.
DIED = "its process died, or never began"

# PostgreSQL ends an error with the line of SQL and a caret below it: the words stand before.
POINTS_AT_CODE = re.compile(r"\^+$|LINE \d+:|DETAIL:|HINT:|CONTEXT:|QUERY:")


def started(context: Context) -> None:
    """A task has started: an `on_execute_callback`."""
    _note(context, "running")


def succeeded(context: Context) -> None:
    """A task is done: an `on_success_callback`. Note it, and look where nobody else does."""
    _note(context, "success")
    if not _is_trial():
        _quietly(_stand_in, "look")


def skipped(context: Context) -> None:
    """A task was skipped: an `on_skipped_callback`."""
    _note(context, "skipped")


def will_retry(context: Context) -> None:
    """A task failed and is tried again: an `on_retry_callback`."""
    _note(context, "up_for_retry")


def failed(context: Context) -> None:
    """A task failed for good: note it, then look at once, so that the right person hears of it with the runbook."""
    _note(context, "failed")
    _quietly(_look, "look")


CALLBACKS: Mapping[str, Callable[[Context], None]] = {
    "on_execute_callback": started,
    "on_success_callback": succeeded,
    "on_skipped_callback": skipped,
    "on_retry_callback": will_retry,
    "on_failure_callback": failed,
}


# The callback that tells of a state, by the name of the argument it is given to a task under.
TELLS: Mapping[str, str] = {
    "running": "on_execute_callback",
    "success": "on_success_callback",
    "skipped": "on_skipped_callback",
    "up_for_retry": "on_retry_callback",
    "failed": "on_failure_callback",
}


def tell_for(ti: Any, state: str, error: object = None) -> None:
    """Tell of a task, from its own process, that nobody gave our callback for this state: of a DAG that somebody else
    wrote, or whose `on_failure_callback` took the place of ours. `ti`: Airflow's `RuntimeTaskInstance`."""
    kind = TELLS.get(state, "")
    if kind and CALLBACKS[kind] not in (getattr(ti.task, kind) or ()):
        CALLBACKS[kind]({**ti.get_template_context(), "exception": error})


def _note(context: Context, state: TaskState) -> None:
    """Note it, unless it comes of `airflow tasks test`: a trial is no news of the report."""
    if not _is_trial():
        _quietly(lambda: _write(context, state), "note")


def _is_trial() -> bool:
    return os.environ.get("AIRFLOW_TEST_MODE") == "True"


def _stand_in() -> None:
    from oncall.airflow.run_once import stand_in

    stand_in(_seconds_to_look())


def _look() -> None:
    from oncall.airflow.run_once import evaluate_once

    evaluate_once(within_s=_seconds_to_look())


def _seconds_to_look() -> float:
    """Most of the time after which Airflow ends the process of a task that is over."""
    from airflow.configuration import conf

    return 0.6 * conf.getfloat("core", "task_success_overtime", fallback=20.0)


def _write(context: Context, state: TaskState) -> None:
    ti = context["ti"]
    error = last_line(context.get("exception") or DIED) if state in ("failed", "up_for_retry") else ""
    log_url = getattr(ti, "log_url", "") or ""
    task = seen_now(name_of(ti), state, ti.run_id, error=error, log_url=log_url)
    write(day_of(context["dag_run"], ti.dag_id), task, ti.try_number)


def name_of(ti: Any) -> str:
    """A task's name; of a mapped one with the copy's number: load[3]."""
    number = getattr(ti, "map_index", None)
    return ti.task_id if number is None or number < 0 else f"{ti.task_id}[{number}]"


def seen_now(task_id: str, state: TaskState, run_id: str, **said: Any) -> Task:
    """A task that is in this state as of now; `said` as `Task.as_of` has it."""
    from oncall.usecases.timekeeping import utc_now  # not with every parse of a DAG file

    return Task.as_of(utc_now(), task_id, state, run_id, **said)


def day_of(run: Any, dag_id: str) -> tuple[str, dt.date]:
    """The pipeline's day that a run (Airflow's) is about. Raises."""
    return dag_id, watched_date(run, terms_of(dag_id).zone)


def write(day: tuple[str, dt.date], task: Task, try_number: int = 1) -> None:
    """Note how a task of that day's run stands. Raises."""
    from oncall.airflow.composition import Wiring  # not with every parse of a DAG file

    wiring = Wiring()
    wiring.store().install()
    wiring.task_log().write(day, task, try_number=try_number)


def innermost(error: BaseException) -> BaseException:
    """The first cause of an error: what the server said as it ended the connection, not "the connection is lost"."""
    met = {id(error)}
    while True:
        inner = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if inner is None or id(inner) in met:
            return error
        error = inner
        met.add(id(error))


def last_line(error: object) -> str:
    """The line of what went wrong that a person would quote: "DivisionByZero: division by zero".

    Of errors that follow from each other it is the innermost. Databases put what happened first and what follows
    from it below; in other errors it stands last. Without the secrets that Airflow masks in the task's log.
    """
    if error is None:
        return ""
    try:
        return _last_line(innermost(error) if isinstance(error, BaseException) else error)
    except Exception:  # noqa: BLE001 - an error of somebody else's may fail to tell of itself
        return type(error).__name__


def _last_line(error: object) -> str:
    lines = [line.strip() for line in masked(str(error)).splitlines() if line.strip()]
    if not type(error).__module__.startswith("psycopg"):
        lines.reverse()
    said = next((line for line in lines if not POINTS_AT_CODE.match(line)), "")
    name = type(error).__name__ if isinstance(error, BaseException) else ""
    if name == "AirflowTaskTimeout" and said.startswith("Timeout, PID"):
        return "ran longer than its execution_timeout"
    if not isinstance(error, BaseException) or name in ("AirflowException", "AirflowFailException"):
        return said or name
    return f"{name}: {said}" if said else name


def _quietly(act: Callable[[], object], action: str) -> None:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - bookkeeping must not fail a pipeline
        log.warning("oncall.callback_failed", what=action, reason=masked(f"{type(error).__name__}: {error}"))
