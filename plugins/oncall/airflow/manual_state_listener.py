"""Finds what no callback tells: states set by hand, deleted runs, dead processes, DAGs without our callbacks.

Airflow tells a plugin's listener of states that are set through its API, at once; and `sla_watch` asks it every five
minutes and at each due instant, which finds whatever nobody told. Both write where the callbacks write.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from airflow.listeners import hookimpl

from oncall.airflow.callbacks import DIED, day_of, last_line, name_of, seen_now, tell_for, write
from oncall.airflow.dag_settings import watched_dags
from oncall.airflow.masking import masked
from oncall.core.errors import Unreadable
from oncall.core.promises.facts import MARKED, RUN, Task, TaskState
from oncall.usecases.ports import RunSaid

log = structlog.get_logger(__name__)

BY_HAND = "manually set"  # Airflow's words, in the error of a task and in the message of a run
EXECUTORS = "but the task instance's state"  # the scheduler's, of a process that ended without a word
ORDINARY = ("started", "success", "task_failure")  # messages of runs whose tasks have told everything
CLICKED_WITHIN = dt.timedelta(seconds=10)  # the audit log is written just before the state is
LOOK_BACK = dt.timedelta(days=3)
MOST_RUNS = 50  # of one DAG at a time: a backfill may have hundreds
DEAF_S = 15.0
SETTLES = dt.timedelta(seconds=60)  # what was said just now may be newer than Airflow's answer
UNTOLD = "seen in Airflow: set by hand, or its process died"

# Airflow's words for a task's state in ours. What is not here says nothing of the task.
STATES: Mapping[str | None, TaskState] = {
    "success": "success",
    "failed": "failed",
    **dict.fromkeys(("skipped", "removed"), "skipped"),  # removed: its DAG has no such task any more
    "up_for_retry": "up_for_retry",
    **dict.fromkeys(("running", "deferred", "awaiting_input", "up_for_reschedule", "restarting"), "running"),
    **dict.fromkeys((None, "scheduled", "queued"), "queued"),
}
OVER = ("success", "failed", "skipped")


class ManualStateListener:
    """Airflow's listener: in the api-server it hears of states that are set by hand, in the scheduler of dead tasks.

    In a task's own process the same hooks tell of whatever has a runbook and none of our callbacks. Never raises. First
    in line: another plugin's listener that raises would end the turn of those behind it.
    """

    @hookimpl(tryfirst=True)
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        quietly(lambda: _heard(task_instance))

    @hookimpl(tryfirst=True)
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
        quietly(lambda: _heard(task_instance, error))

    on_task_instance_success = on_task_instance_skipped = on_task_instance_running

    @hookimpl(tryfirst=True)
    def on_dag_run_running(self, dag_run: Any, msg: str) -> None:
        quietly(lambda: _run_began(dag_run))

    @hookimpl(tryfirst=True)
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        quietly(lambda: _heard_of_run(dag_run, "failed", msg))

    @hookimpl(tryfirst=True)
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        quietly(lambda: _heard_of_run(dag_run, "success", msg))


def _heard(ti: Any, error: Any = "") -> None:
    """`ti`: a row of Airflow's database, or Airflow's object for it in the task's own process."""
    if ti.dag_id not in watched_dags():
        return
    run = getattr(ti, "dag_run", None)
    if run is None:
        tell_for(ti, getattr(ti.state, "value", ""), error)
        return
    state = STATES.get(str(ti.state))
    if state not in (*OVER, "up_for_retry"):
        return
    by_hand = not error or BY_HAND in str(error)  # only the api-server tells of a success
    died = EXECUTORS in str(error)
    said = _marked(state, ti, run.run_id) if by_hand else DIED if died else last_line(error)
    began = ti.start_date or run.start_date or run.run_after
    _note(run, seen_now(name_of(ti), state, run.run_id, error=said, began=began), ti.try_number)


def _heard_of_run(run: Any, state: TaskState, msg: str) -> None:
    if msg not in ORDINARY and run.dag_id in watched_dags():
        said = _marked(state, run, run.run_id) if BY_HAND in msg else msg.replace("_", " ")
        began = run.start_date or run.run_after
        _note(run, seen_now(RUN, state, run.run_id, error=said, began=began))


def _run_began(run: Any) -> None:
    """That a run began tells a scheduler that is dead from workers that are. The scheduler waits for each note: a
    backfill's runs, hundreds at once, are waited for by nobody at night."""
    if run.dag_id in watched_dags() and run.run_type != "backfill":
        _note(run, seen_now(RUN, "running", run.run_id, began=run.start_date))


def _note(run: Any, task: Task, try_number: int = 1) -> None:
    day = day_of(run, run.dag_id)
    apart(lambda: write(day, task, try_number))


def apart(write_it: Callable[[], None]) -> None:
    """Do it in a thread of its own, and wait. Raises what it raises.

    Airflow has one session for each thread. Whoever reads a connection out of Airflow's database closes it, and with it
    the rows that the scheduler or the DAG processor was at work on: the scheduler died when it next looked at one.
    """
    with ThreadPoolExecutor(1) as thread:
        thread.submit(write_it).result()


class Deaf:
    """Until when nobody listens, by the monotonic clock: an `oncall_db` that hangs is waited for once, not by each of a
    hundred tasks that one click has marked. `sla_watch` asks for what was not heard."""

    until = 0.0


def quietly(hear: Callable[[], None], about: str = "state") -> None:
    """Note what a listener hears, for which Airflow waits. Never raises."""
    if time.monotonic() < Deaf.until:
        return
    try:
        hear()
    except Exception as error:  # noqa: BLE001 - a listener must disturb neither a click nor the scheduler
        if isinstance(error, Unreadable):
            Deaf.until = time.monotonic() + DEAF_S
        log.warning(f"oncall.{about}_not_noted", reason=masked(f"{type(error).__name__}: {error}"))


def _marked(state: str, row: Any, run_id: str) -> str:
    """ "marked as failed by DE-002", the name from Airflow's audit log where it can be told."""
    try:
        from airflow.models.log import Log
        from sqlalchemy import or_, select
        from sqlalchemy.orm import object_session

        session = object_session(row)
        clicked = (
            select(Log.owner_display_name, Log.owner)
            .where(Log.dttm >= dt.datetime.now(dt.UTC) - CLICKED_WITHIN, Log.dag_id.in_((row.dag_id, "~")))
            .where(or_(Log.run_id.is_(None), Log.run_id.in_((run_id, "~"))))
            .order_by(Log.dttm.desc(), Log.id.desc())
            .limit(1)
        )
        found = session.execute(clicked).first() if session is not None else None
        by = (found[0] or found[1]) if found else ""
    except Exception as error:  # noqa: BLE001 - who it was is worth less than that it was
        log.info("oncall.nobody_named", reason=masked(f"{type(error).__name__}: {error}"))
        by = ""
    return f"{MARKED}{state}{f' by {by}' if by else ''}"


def ask(task_log: Any, dag_ids: Sequence[str], ti: Any, at: dt.datetime) -> None:
    """Compare what is on record of the last days with what Airflow says through the task `ti`; note what is new.

    `task_log`: a `TaskLog`.
    """
    runs_of: defaultdict[str, list[RunSaid]] = defaultdict(list)
    for run in task_log.lately(at - LOOK_BACK):
        if run.dag_id in dag_ids and len(runs_of[run.dag_id]) < MOST_RUNS:
            runs_of[run.dag_id].append(run)
    for dag_id, runs in runs_of.items():
        try:
            _compare(task_log, dag_id, runs, ti, at)
        except Unreadable:  # `oncall_db`: it would be so of the next one, too
            raise
        except Exception as error:  # noqa: BLE001 - no answer, or an odd one, says nothing of the runs, nor of others
            log.warning("oncall.runs_not_seen", dag_id=dag_id, reason=masked(str(error)))


def _compare(task_log: Any, dag_id: str, runs: Sequence[RunSaid], ti: Any, at: dt.datetime) -> None:
    states = ti.get_task_states(dag_id=dag_id, run_ids=[run.run_id for run in runs])
    for run in runs:
        for task_id, state, error in _untold(run, states.get(run.run_id), ti, at):
            began = at if state == "queued" else min(task.started_at for task in run.said.values())
            log.info("oncall.state_seen", dag_id=dag_id, run_id=run.run_id, task=task_id, state=state)
            task = Task.as_of(at, task_id, state, run.run_id, error=error, began=began)
            task_log.write((dag_id, run.report_date), task, overrules=True)


def _untold(
    run: RunSaid, states: Mapping[str, str | None] | None, ti: Any, at: dt.datetime
) -> Iterator[tuple[str, TaskState, str]]:
    """What Airflow knows of a run and the run's tasks did not say. `states`: by task; None when it has no such run."""
    if states is None:
        if run.over is None or run.over.state != "deleted":
            yield RUN, "deleted", ""
        return
    ended = _ended(run, states, ti)
    # Of a run that is over Airflow's answer is the last word: its end is not told without what ended it.
    newest = at if ended else at - SETTLES
    mapped = {task_id.partition("[")[0] for task_id in run.said if task_id.endswith("]")}
    for airflows_name, airflows in states.items():
        name, _, number = airflows_name.rpartition("_")  # Airflow calls a mapped task's fourth copy load_3
        task_id = f"{name}[{number}]" if name in mapped and number.isdigit() else airflows_name
        now = STATES.get(airflows)
        if now and _differs(run.said.get(task_id), now, newest):
            yield task_id, now, UNTOLD if now == "failed" else ""
    if ended:
        yield RUN, ended, ""


def _ended(run: RunSaid, states: Mapping[str, str | None], ti: Any) -> TaskState | None:
    """How a run ended that did not say so. (A task without work, an EmptyOperator, says nothing, `publish` neither.)"""
    over = all(state == "upstream_failed" or STATES.get(state) in OVER for state in states.values())
    said = run.said.get("publish")
    published = said is not None and said.state == "success" and "failed" not in states.values()
    if not over or run.over is not None or published:
        return None
    ended = STATES.get(ti.get_dagrun_state(run.dag_id, run.run_id))
    return ended if ended in OVER else None


def _differs(said: Task | None, now: TaskState, newest: dt.datetime) -> bool:
    if said is None:
        return now == "failed"  # what never started has nothing else to say
    if said.state == now or (said.ended_at or said.started_at) > newest:
        return False
    return now != "queued" or said.state in OVER  # a retry and a wait that resumes are queued too
