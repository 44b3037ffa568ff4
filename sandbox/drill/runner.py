"""Plays a drill from beginning to end: ruin, page, acknowledge, mend, resolve, sum up, and give everything back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from oncall.config.oncall_config import load
from oncall.core.rota.on_call import who_is_on_call
from oncall.usecases.history import WATCHER_SILENT_AFTER
from sandbox.drill.day import DAG_ID, REPORT, Warehouse
from sandbox.drill.drill_run import DrillRun, clean_up
from sandbox.drill.drill_store import DrillStore
from sandbox.drill.inbox import Inbox
from sandbox.drill.narrator import Narrator
from sandbox.drill.scenarios import SCENARIOS
from sandbox.drill.summary import Instants, posted_at, summary
from sandbox.stack.postgres import SandboxError
from sandbox.stack.stack import Stack
from sandbox.stack.status import PAGE as ONCALL_PAGE

PAGE_WITHIN_S, HEAR_WITHIN_S, RESOLVE_WITHIN_S = 60.0, 60.0, 150.0
HESITATION_S = 6.0  # as long as somebody needs to find the phone


def play(stack: Stack, name: str, out: Callable[[str], None]) -> None:
    """Play the scenario on the running stack. Raises SandboxError, in words, when that cannot be done."""
    require_running(stack)
    config = load(stack.include_dir)
    if DAG_ID not in config.pipelines:
        raise SandboxError(f"the drill is played on {DAG_ID}, which has no runbook in {stack.include_dir}")
    server = stack.server()
    drill_store, warehouse = DrillStore(server.uri("oncall")), Warehouse(server.uri("warehouse"))
    with drill_store.turn():
        require_watched(drill_store)
        if clean_up(stack, drill_store, warehouse, config):
            out("The last drill was broken off; what it had left open is closed now.")
        now = dt.datetime.now(config.roster.tz)
        course = DrillRun(
            stack, config, warehouse, drill_store, Inbox(stack.inbox_url), Narrator(config.roster.tz, out),
            warehouse.free_day(), f"{name}-{now:%m%d-%H%M%S}",
        )  # fmt: skip
        drill_store.borrow(course.day)
        try:
            _play(course, name)
        finally:
            out("Taking the drill's rows away ...")
            course.give_back()
    out("Nothing of the drill is left but its marked incident, its alerts and its thread.")


def require_running(stack: Stack) -> None:
    """Raises SandboxError, saying what to do, unless Airflow and the inbox are up."""
    # On a busy machine the first answer may take longer than is waited for.
    health = stack.api().health() or stack.api().health()
    sick = [part for part, state in health.items() if state != "healthy"]
    if not health or stack.component("inbox").running() is None:
        raise SandboxError("the stack is not up; start it with `make up`, then try again")
    if sick:
        raise SandboxError(
            f"{', '.join(sick)}: not healthy; wait for `make up` to end, or see `make status` and `make logs`"
        )


def require_watched(drill_store: DrillStore) -> None:
    tick = drill_store.ticked_at()
    if tick is None or dt.datetime.now(dt.UTC) - tick > WATCHER_SILENT_AFTER:
        seen = f"last looked at {tick:%H:%M:%S}Z" if tick else "has never looked"
        raise SandboxError(
            f"the watcher {seen}: unpause the DAG sla_watch, see `make logs`, then try again in a minute"
        )


def _play(course: DrillRun, name: str) -> None:
    scenario = SCENARIOS[name]
    _announce(course, scenario.story)
    scenario.ruin(course)
    drill = course.drill
    assert drill is not None
    course.wait_for("the promise to fall due", lambda: dt.datetime.now(dt.UTC) >= drill.due_at, 120)
    course.wait_for("the page", lambda: course.received.page, PAGE_WITHIN_S)
    course.pause(HESITATION_S)
    _acknowledge(course)
    scenario.mend(course)
    course.wait_for("the report and the end of the alerts", lambda: _is_over(course), RESOLVE_WITHIN_S)
    _sum_up(course, drill.due_at)


def _announce(course: DrillRun, story: str) -> None:
    tell, stack = course.narrator.plain, course.stack
    pair = who_is_on_call(course.config.roster, dt.datetime.now(dt.UTC))
    tell(f"DRILL: {story}. Nothing is wrong; every message of it is marked DRILL.")
    tell(f"  report        {REPORT} for {course.day}, a day before the warehouse's first")
    tell(f"  on call       {pair.primary}, then {pair.secondary or 'nobody'}")
    tell(f"  inbox         {stack.inbox_url}   what Opsgenie and Slack are told")
    tell(f"  On-call page  {stack.airflow_url}/{ONCALL_PAGE}")
    tell()


def _acknowledge(course: DrillRun) -> None:
    alert = course.received.page
    assert alert is not None
    course.acknowledged_at = dt.datetime.now(dt.UTC)
    course.inbox.acknowledge(alert)

    def heard() -> bool:
        incident = course.record.incident if course.record else None
        return bool(incident and incident.acknowledged_at and posted_at(course.record, "acknowledged-0"))

    course.wait_for("the acknowledgement to be heard", heard, HEAR_WITHIN_S)


def _is_over(course: DrillRun) -> bool:
    resolved = course.record is not None and course.record.incident.resolved_at is not None
    told = posted_at(course.record, "resolved") is not None
    return resolved and told and not any(alert.open for alert in course.received.alerts)


def _sum_up(course: DrillRun, due: dt.datetime) -> None:
    good = course.good_at or course.warehouse.published_at(course.day)
    assert course.record is not None
    assert course.acknowledged_at is not None
    assert good is not None
    course.narrator.plain()
    for part, took in summary(course.record, course.received, Instants(due, course.acknowledged_at, good)):
        course.narrator.plain(f"  {part:<14}{took}")
    course.narrator.plain()
