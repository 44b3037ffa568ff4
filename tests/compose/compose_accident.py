"""The accident: a worker, the watcher's triggerer and a scheduler die in mid-run, seconds before a promise is due."""

from __future__ import annotations

import datetime as dt
from functools import partial

from oncall.core.incidents.incident import key_of
from sandbox.drill.inbox import Received, step_of
from sandbox.inbox.records import Alert
from tests.compose import compose_warehouse
from tests.compose.compose_ground import Ground
from tests.compose.compose_night import RUN_S, await_publications
from tests.compose.compose_project import ComposeFailed, Container
from tests.compose.compose_warehouse import REPORTS

PAGE_S = 60  # from the due instant to the page, with the watcher's triggerer dead
RETRY_S = 900  # two minutes until a dead worker's task is given up, one until its retry; and two busy cores
DUE_IN_S, KILL_BEFORE_DUE_S = 25, 5
DAG_ID = "profit_etl"
DRILL = "compose-check"
WAITING = ("engagement_etl", "growth_etl")
WAITING_FOR = "sessions"


def kill_one_of_each(ground: Ground, day: dt.date) -> None:
    """One transform is on the worker, two sensors are in the triggerers: all of it goes on elsewhere."""
    run_id = f"check__{day}__2"
    compose_warehouse.unpublish(ground, day)
    compose_warehouse.stand_in_the_way(ground, REPORTS[DAG_ID], day)
    compose_warehouse.hold_back(ground, WAITING_FOR, day)
    for dag_id in REPORTS:
        ground.start_run(dag_id, day, run_id)
    worker = ground.wait_for(
        f"a worker to be within transform of {DAG_ID}", partial(_at_work, ground, run_id), RUN_S
    )
    ground.wait_for(
        f"{' and '.join(WAITING)} to wait for {WAITING_FOR}", partial(_deferred, ground, run_id), RUN_S
    )
    due = _kill_before_due(ground, worker, day)
    compose_warehouse.step_aside(ground)
    compose_warehouse.hold_back(ground, WAITING_FOR, day, give_back=True)
    key = key_of(DAG_ID, day, DRILL)
    ground.inbox.acknowledge(_paged(ground, key, due))
    await_publications(ground, day, RETRY_S)
    tries = [state for state, _ in ground.tries(DAG_ID, run_id, "transform")]
    ground.say(f"  transform, whose worker was killed: {', then '.join(tries)}")
    _resolved(ground, key)


def _kill_before_due(ground: Ground, worker: Container, day: dt.date) -> dt.datetime:
    """Promise the report, and kill when it is nearly due; when it is due."""
    due = _promise(ground, day)
    triggerer = ground.wait_for("the triggerer in which the watcher lives", ground.watching, DUE_IN_S)
    doomed = [worker, triggerer, ground.project.running("scheduler")[0]]
    near = due - dt.timedelta(seconds=KILL_BEFORE_DUE_S)
    ground.wait_for(f"{near:%H:%M:%S} UTC", lambda: dt.datetime.now(dt.UTC) >= near, DUE_IN_S)
    ground.killed = doomed
    ground.project.kill(doomed)
    ground.say(f"killed {', '.join(map(str, doomed))}")
    return due


def _promise(ground: Ground, day: dt.date) -> dt.datetime:
    """Promise the report of the day for an instant that is near, as a drill does."""
    due = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=DUE_IN_S)
    ground.project.sql(
        "oncall",
        "insert into oncall.drills (name, dag_id, report_date, warn_at, due_at, started_by)"
        f" values ('{DRILL}', '{DAG_ID}', '{day}', '{due.isoformat()}', '{due.isoformat()}', '{DRILL}')",
    )
    ground.say(f"{DAG_ID} of {day} is promised by {due:%H:%M:%S} UTC")
    return due


def _at_work(ground: Ground, run_id: str) -> Container | None:
    state, host = ground.tries(DAG_ID, run_id, "transform")[-1]
    workers = ground.project.running("worker") if state == "running" else []
    return next((one for one in workers if one.is_host(host)), None)


def _deferred(ground: Ground, run_id: str) -> bool:
    return all(ground.tries(dag_id, run_id, "wait_for_upstream")[-1][0] == "deferred" for dag_id in WAITING)


def _paged(ground: Ground, key: str, due: dt.datetime) -> Alert:
    """The page, within PAGE_S of the due instant."""
    alert = ground.wait_for(
        "the page for the broken promise", lambda: ground.inbox.received(key).page, PAGE_S + 30
    )
    took = alert.created_at - due.timestamp()
    if took > PAGE_S:
        raise ComposeFailed(f"the page took {took:.0f} s")
    ground.say(f"  {took:.1f} s after it was due: {alert.message}")
    return alert


def _resolved(ground: Ground, key: str) -> None:
    """The alerts are closed by what closes them at night; one person was paged, once."""

    def all_closed() -> Received | None:
        received = ground.inbox.received(key)
        payloads = [(message.metadata or {}).get("event_payload") or {} for message in received.messages]
        told = any(payload.get("step") == "resolved" for payload in payloads)
        return received if told and not any(alert.open for alert in received.alerts) else None

    received = ground.wait_for("the alerts to close and the thread to say so", all_closed, 180)
    pages = [alert.alias for alert in received.alerts if step_of(alert).startswith("page-")]
    if len(pages) != 1:
        raise ComposeFailed(f"one person was to be paged, once: {pages}")
