"""What goes wrong with Airflow's own processes: the page must come all the same."""

from __future__ import annotations

from dataclasses import replace

from sandbox.stack.stack import AIRFLOW_COMPONENTS
from tests.chaos import chaos_beside
from tests.chaos.chaos_fault import fault
from tests.chaos.chaos_ground import Ground, Promised
from tests.chaos.chaos_outcome import Outcome

HEARTBEAT = "investor-sla-watch"
LAPSES_S = 75  # pinged each minute


def killed_across_due(ground: Ground, *names: str, on_the_minute: bool = False) -> tuple[Promised, Outcome]:
    """Kill these a few seconds before a promise is due; the page comes without them."""
    promised = ground.promise(on_the_minute=on_the_minute)
    ground.until(promised.due, before_s=4)
    for name in names:
        ground.stack.kill(name)
    return promised, ground.paged(promised)


@fault("every worker slot taken", group="airflow")
def no_slot_left(ground: Ground) -> Outcome:
    date = ground.last_date()
    ground.slots(1)
    ground.hold(date, "investor.daily_engagement")
    ground.run(date, until=("transform", "running"), dag_id="engagement_etl")
    ground.run(date)
    return ground.paged(ground.promise(), "the first task is to start")


@fault("two watchers, `sla_watch` and the native deadline at one instant", group="airflow")
def all_at_once(ground: Ground) -> Outcome:
    date = ground.last_date()
    watcher = ground.beside(chaos_beside.watch)
    promised = ground.promise(25, on_the_minute=True)
    ground.hold(date)
    ground.run(date, until=("transform", "running"))
    deadlines = "select missed, callback_id is not null from deadline where deadline_time = %s"
    assert ground.sql("airflow", deadlines, promised.due), "the run has no deadline"
    seen = ground.paged(promised, "in transform since")
    ran = (
        "select 1 from deadline d join callback c on c.id = d.callback_id"
        " where d.deadline_time = %s and c.state = 'success'"
    )
    ground.wait_for("the deadline's callback", lambda: ground.sql("airflow", ran, promised.due), 60)
    looked = (
        "select 1 from task_instance where dag_id = 'sla_watch' and task_id = 'look' and state = 'success'"
        " and end_date > %s"
    )
    ground.wait_for("a look from a worker", lambda: ground.sql("airflow", looked, promised.due), 60)
    assert watcher.poll() is None, "the second watcher has ended; see logs/others.log"
    return replace(seen, seen=f"{seen.seen}; all four looked")


@fault("DAG processor down", group="airflow")
def dag_processor_down(ground: Ground) -> Outcome:
    return killed_across_due(ground, "dag-processor")[1]


@fault("API server down", group="airflow")
def api_server_down(ground: Ground) -> Outcome:
    return killed_across_due(ground, "api-server")[1]


@fault("scheduler killed across due", group="airflow")
def scheduler_killed(ground: Ground) -> Outcome:
    return killed_across_due(ground, "scheduler")[1]


@fault("scheduler, DAG processor and API server killed, the triggerer alone left", group="airflow")
def triggerer_alone(ground: Ground) -> Outcome:
    return killed_across_due(ground, "scheduler", "dag-processor", "api-server")[1]


@fault("all of Airflow down", group="airflow")
def airflow_down(ground: Ground) -> Outcome:
    ground.far.tell("heartbeats", name=HEARTBEAT, interval_seconds=LAPSES_S, alert_priority="P1")
    ground.wait_for("a ping", lambda: ground.far.calls(operation="ping"), 90)
    promised = ground.promise()
    ground.until(promised.due, before_s=3)
    for name in AIRFLOW_COMPONENTS:
        ground.stack.kill(name)
    alias = f"heartbeat:{HEARTBEAT}"
    (lapsed,) = ground.wait_for("the heartbeat's alert", lambda: ground.far.alerts(alias=alias))
    ground.airflow(True)
    late = ground.paged(promised, within_s=120)
    ground.wait_for("the heartbeat back", lambda: not ground.far.alerts(alias=alias, status="open"))
    seen = (
        f"{lapsed.priority}: {lapsed.message}; with Airflow back, {late.page_s:.0f} s after due, {late.seen}"
    )
    return Outcome(seen, lapsed.created_at - promised.due.timestamp())


@fault("triggerer frozen across due, then thawed", group="airflow")
def triggerer_frozen(ground: Ground) -> Outcome:
    promised = ground.promise(on_the_minute=True)
    ground.until(promised.due, before_s=4)
    frozen = ground.stack.component("triggerer").members()
    for process in frozen:
        process.suspend()
    try:
        seen = ground.paged(promised)
    finally:
        for process in frozen:
            process.resume()
    ground.ticks()
    return replace(seen, seen=f"{seen.seen}; thawed, it says nothing again")


@fault("triggerer killed across due (the watcher's, of two)", group="airflow")
def one_of_two_triggerers_killed(ground: Ground) -> Outcome:
    ground.stack.start("triggerer@2")
    ground.wait_for("a second triggerer", lambda: ground.triggerers() == 2, 120)
    return killed_across_due(ground, "triggerer", on_the_minute=True)[1]


@fault("both triggerers killed across due", group="airflow")
def both_triggerers_killed(ground: Ground) -> Outcome:
    ground.stack.start("triggerer@2")
    ground.wait_for("a second triggerer", lambda: ground.triggerers() == 2, 120)
    return killed_across_due(ground, "triggerer", "triggerer@2", on_the_minute=True)[1]


@fault("triggerer killed across due (the only one)", group="airflow", short=True)
def triggerer_killed(ground: Ground) -> Outcome:
    return killed_across_due(ground, "triggerer", on_the_minute=True)[1]
