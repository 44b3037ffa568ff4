"""The ways to break a promise: how each is brought about, and how it is mended after somebody has acknowledged."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from oncall.adapters.postgres.database import connect_to
from sandbox.drill.blind import BlindWatcher
from sandbox.drill.day import DAG_ID
from sandbox.drill.drill_run import DrillRun
from sandbox.stack.postgres import SandboxError

WARN_IN_S, DUE_IN_S = 30.0, 50.0
TASK_WITHIN_S = 120.0
LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class Scenario:
    """`story` is told first. `ruin` brings it about and begins the drill, `mend` does what the runbook asks for."""

    story: str
    ruin: Callable[[DrillRun], None]
    mend: Callable[[DrillRun], None]


def _deliver(course: DrillRun) -> None:
    course.warehouse.deliver_customers(course.day)
    course.warehouse.deliver_sessions(course.day)


def _late(course: DrillRun) -> None:
    course.warehouse.deliver_customers(course.day)
    course.say("upstream has delivered master.customers, and not master.sessions")
    course.run_pipeline()
    course.begin(WARN_IN_S, DUE_IN_S)


def _arrive(course: DrillRun) -> None:
    course.warehouse.deliver_sessions(course.day)
    course.say("upstream has delivered master.sessions at last")


def _stuck(course: DrillRun) -> None:
    _deliver(course)
    course.block()
    course.say("upstream has delivered everything; something in the warehouse stands in the way of transform")
    course.run_pipeline()
    course.begin(WARN_IN_S, DUE_IN_S)


def _unstuck(course: DrillRun) -> None:
    course.unblock()
    course.say("what stood in the way of transform is gone")


def _failed(course: DrillRun) -> None:
    """Airflow tries three times, a minute apart: only the last failure is one for good."""
    _deliver(course)
    holder = course.block()
    course.meanwhile = lambda: course.warehouse.break_off_waiting(holder)
    course.say("upstream has delivered everything; the warehouse breaks off every connection of transform")
    course.run_pipeline()
    course.wait_for(
        "the second failure of transform", lambda: course.state("transform") == ("up_for_retry", 2), 300
    )
    course.begin(WARN_IN_S, 90)


def _mend_failed(course: DrillRun) -> None:
    course.meanwhile = None
    course.unblock()
    course.say("the warehouse holds its connections again")
    course.run_pipeline()


def _not_started(course: DrillRun) -> None:
    _deliver(course)
    course.say("upstream has delivered everything; nobody starts the pipeline")
    course.begin(WARN_IN_S, 40)


def _held(course: DrillRun) -> None:
    _deliver(course)
    course.warehouse.spoil(course.day)
    course.say("upstream has delivered everything; one session is of a customer whom nobody knows")
    course.begin(WARN_IN_S, DUE_IN_S)
    course.run_pipeline()
    course.wait_for("the report to be held", lambda: course.state("transform")[0] == "failed", TASK_WITHIN_S)


def _mend_held(course: DrillRun) -> None:
    course.warehouse.deliver_sessions(course.day)
    course.say("upstream has delivered master.sessions again, without the fault")
    course.run_pipeline()


def _blind(course: DrillRun) -> None:
    """See `blind`: the stack's own watcher sees well, the drill's own one does not."""
    with course.drill_store.store.decision_lock() as decision:
        if any(incident.open and incident.dag_id == DAG_ID for incident in decision.incidents()):
            raise SandboxError(f"{DAG_ID} has an open incident; this drill waits until it is over")
    _deliver(course)
    course.run_pipeline()
    course.wait_for("the publication", lambda: course.warehouse.published_at(course.day), TASK_WITHIN_S)
    course.say(
        "the report is published in time; now a watcher of this drill alone loses sight of the warehouse"
    )
    drill = course.begin(5, 25, watched_by_all=False)
    watcher = BlindWatcher(course.config, course.drill_store.connect, course.links, drill)
    looked = 0.0

    def look() -> None:
        nonlocal looked
        now = dt.datetime.now(dt.UTC)
        if looked < time.monotonic() - LOOK_EVERY_S:
            watcher.look(now)
            looked = time.monotonic()

    course.meanwhile = look
    course.watcher = watcher


def _see_again(course: DrillRun) -> None:
    assert course.watcher is not None
    course.watcher.see_again(connect_to(course.stack.server().uri("warehouse")))
    course.good_at = dt.datetime.now(dt.UTC)
    course.say("the warehouse can be read again")


SCENARIOS: Mapping[str, Scenario] = {
    "upstream-late": Scenario("the upstream team delivers one table late", _late, _arrive),
    "stuck": Scenario("transform hangs", _stuck, _unstuck),
    "failed": Scenario(
        "transform fails three times, a minute apart (four minutes in all)", _failed, _mend_failed
    ),
    "not-started": Scenario("no run is started", _not_started, DrillRun.run_pipeline),
    "held": Scenario("a check withholds the report", _held, _mend_held),
    "blind": Scenario("the report is there, but a watcher cannot read the warehouse", _blind, _see_again),
}
