"""What a person does in Airflow itself, where no callback tells of it: the page must say what was done, and by whom."""

from __future__ import annotations

from dataclasses import replace

from oncall.core.promises.run_cause import WAIT
from tests.chaos.chaos_fault import fault
from tests.chaos.chaos_ground import DAG_ID, Ground
from tests.chaos.chaos_outcome import Outcome
from tests.chaos.faults_in_pipelines import LONG_S


def set_task(ground: Ground, run_id: str, task_id: str, state: str) -> None:
    path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}"
    ground.stack.api().patch(path, {"new_state": state})


def set_run(ground: Ground, run_id: str, state: str) -> None:
    ground.stack.api().patch(f"dags/{DAG_ID}/dagRuns/{run_id}", {"state": state})


def early_then_due(ground: Ground, run_id: str, task_id: str, says: str) -> Outcome:
    """Whoever is on call is told at once, hours before due, and in the same words at due."""
    promised = ground.promise(LONG_S)
    set_task(ground, run_id, task_id, "failed") if task_id else set_run(ground, run_id, "success")
    early = ground.wait_for("P2 as it is set", lambda: ground.far.page(promised.key, "failed-1"), 45)
    assert early.priority == "P2"
    assert says in early.message, f"not said: {says}; but: {early.message}"
    seen = ground.paged(ground.promise(), says)
    return replace(seen, seen=f"P2 as it was set: {early.message}; at due {seen.seen}")


@fault("task marked failed by hand", group="people")
def task_marked_failed(ground: Ground) -> Outcome:
    date = ground.last_date()
    ground.hold(date)
    run_id = ground.run(date, until=("transform", "running"))
    who = ground.stack.api().username
    return early_then_due(ground, run_id, "transform", f"transform was marked as failed by {who}")


@fault("waiting sensor marked failed by hand", group="people")
def sensor_marked_failed(ground: Ground) -> Outcome:
    date = ground.last_date()
    ground.unload(date, "sessions")
    run_id = ground.run(date, until=(WAIT, "running"))
    return early_then_due(ground, run_id, WAIT, f"{WAIT} was marked as failed by")


@fault("run marked as success by hand", group="people")
def run_marked_success(ground: Ground) -> Outcome:
    date = ground.last_date()
    ground.hold(date)
    run_id = ground.run(date, until=("transform", "running"))
    return early_then_due(ground, run_id, "", "run marked as success by")


@fault("run deleted by hand", group="people")
def run_deleted(ground: Ground) -> Outcome:
    date = ground.last_date()
    ground.hold(date)
    run_id = ground.run(date, until=("transform", "running"))
    set_run(ground, run_id, "failed")
    ground.stack.api().delete(f"dags/{DAG_ID}/dagRuns/{run_id}")
    ground.look_at_dags()
    deleted = "select 1 from oncall.tasks where run_id = %s and state = 'deleted'"
    ground.wait_for("the deletion noted", lambda: ground.sql("oncall", deleted, run_id), 60)
    return ground.paged(ground.promise(), "never started: its run was deleted")


@fault("re-run of a published day fails, and another one starts", group="people")
def rerun_fails(ground: Ground) -> Outcome:
    """The report stands, and the failure stands until the day is published anew."""
    date = ground.last_date()
    key = f"{DAG_ID}:{date}"
    ground.run(date, until=("publish", "success"))
    ground.ticks()
    ground.hold(date)
    failed = ground.run(date, until=("transform", "running"))
    set_task(ground, failed, "transform", "failed")
    # Its own incident: the one of a fault before may be resolved by the first publication.
    key = ground.wait_for("P2 as it fails", lambda: ground.far.page(key, "failed-1"), 45).entity
    ground.run(date, until=(WAIT, "success"))
    ground.ticks()
    ground.ticks()
    assert not ground.far.said(key, "resolved"), "resolved because another run has started"
    ground.let_go()
    said = ground.wait_for("resolved", lambda: ground.far.said(key, "resolved"), 120)
    return Outcome(f"P2; another run started: still open; published anew: {said[0].text}")
