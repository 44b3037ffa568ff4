"""An ordinary night of the stack: boot, publish, page, scale; and, after an accident, nothing is lost."""

from __future__ import annotations

import datetime as dt
from functools import partial

from sandbox.inbox.records import Alert
from tests.compose.compose_ground import Ground
from tests.compose.compose_project import ComposeFailed
from tests.compose.compose_warehouse import REPORTS, published_by

PAIRS = ("scheduler", "triggerer", "worker")
SCALED = tuple(word for service in PAIRS for word in ("--scale", f"{service}=2"))
AIRFLOW = ("api-server", "dag-processor", *PAIRS)
SHUT = (
    *("/opt/airflow", "/opt/airflow/dags", "/opt/airflow/plugins", "/opt/airflow/include"),
    *("/home/airflow", "/usr", "/etc"),
)
BUILD_S, BOOT_S, SCALE_S, RUN_S = 1800, 1200, 420, 420
HEARTBEAT, LAPSES_S = "investor-sla-watch", 180
TEST_PAGE = "drill-page:"


def boot(ground: Ground, pull: str) -> None:
    """Build and start it as docs/OPERATIONS.md says, one container of each service."""
    build = ("build", "--quiet", *(("--pull",) if pull == "always" else ()))
    ground.say(f"building the images (at most {BUILD_S} s)")
    ground.project.compose_meanwhile(build, BUILD_S, lambda: None)
    ground.say(f"docker compose up --wait: waiting until all are healthy (at most {BOOT_S} s)")
    up(ground, ("--pull", pull), BOOT_S)
    let_the_heartbeat_lapse_after(ground, LAPSES_S)


def let_the_heartbeat_lapse_after(ground: Ground, seconds: int) -> None:
    wish = {"interval_seconds": seconds, "alert_priority": "P1"}
    ground.far_side.tell("heartbeats", name=HEARTBEAT, **wish)


def scale(ground: Ground) -> None:
    """Two of whatever there may be any number of."""
    ground.say(f"docker compose up --scale: two of each {', '.join(PAIRS)} (at most {SCALE_S} s)")
    up(ground, SCALED, SCALE_S)
    for service in PAIRS:
        if len(ground.project.running(service)) != 2:
            raise ComposeFailed(f"there are not two of {service}")


def up(ground: Ground, options: tuple[str, ...], within_s: int) -> None:
    well: set[str] = set()

    def glance() -> None:
        try:
            containers = ground.project.containers()
        except ComposeFailed:
            return  # one of them was just being replaced
        ready = [one for one in containers if one.health == "healthy" or one.done]
        news = {str(one) for one in ready}
        if news - well:
            ground.say(f"  well: {', '.join(sorted(news - well))}")
        well.update(news)

    waiting = ("up", "--detach", "--wait", "--wait-timeout", str(within_s), *options)
    ground.project.compose_meanwhile(waiting, within_s + 30, glance)
    glance()


def nothing_else_is_writable(ground: Ground) -> None:
    """Airflow's containers may write their logs and /tmp; what they run may not be changed."""
    script = f"for d in {' '.join(SHUT)}; do if touch $d/x 2>/dev/null; then echo $d; fi; done"
    for service in AIRFLOW:
        (container, *_) = ground.project.running(service)
        if found := ground.project.execute(container, script).split():
            raise ComposeFailed(f"{container} can write to {', '.join(found)}")
    ground.say("nothing but logs and /tmp can be written to")


def publish(ground: Ground, day: dt.date) -> None:
    """The three promised pipelines, on Celery workers."""
    for dag_id in REPORTS:
        ground.start_run(dag_id, day, f"check__{day}__1")
    await_publications(ground, day, RUN_S)


def await_publications(ground: Ground, day: dt.date, within_s: int) -> None:
    """By a run of ours, or by the scheduler's own for the same date."""
    for dag_id, report in REPORTS.items():
        run_id = ground.wait_for(
            f"the publication of {report} of {day}", partial(published_by, ground, report, day), within_s
        )
        hosts = [host for _, host in ground.tries(dag_id, run_id, "publish")]
        workers = [one for one in ground.project.running("worker") for host in hosts if one.is_host(host)]
        if not workers:
            raise ComposeFailed(f"{dag_id} was not published by a Celery worker, but by {hosts}")
        ground.say(f"  published by {workers[0]}")


def send_a_test_page(ground: Ground) -> None:
    """Airflow's own drill: through worker, outbox and both channels to a person who taps."""
    run_id = "check__drill"
    wish = {"pipeline": "growth_etl", "priority": "P1", "wait_minutes": 5}
    ground.api.post("dags/oncall_drill/dagRuns", {"dag_run_id": run_id, "logical_date": None, "conf": wish})

    def over() -> bool:
        state: str = ground.api.get(f"dags/oncall_drill/dagRuns/{run_id}")["state"]
        if state == "failed":
            raise ComposeFailed("the run of oncall_drill has failed; see the log of its task")
        return state == "success"

    def test_page() -> Alert | None:
        over()
        return next((a for a in ground.far_side.alerts() if a.alias.startswith(TEST_PAGE)), None)

    ground.inbox.acknowledge(ground.wait_for("the drill's page in the inbox", test_page, RUN_S))
    ground.wait_for("the drill to hear the tap and end", over, 120)


def nothing_is_lost(ground: Ground) -> None:
    """What was left goes on, what was killed comes back, nobody was woken for nothing."""
    if ill := ground.ill():
        raise ComposeFailed(f"not well after the others were killed: {', '.join(map(str, ill))}")
    ground.say(f"docker compose up: what was killed comes back (at most {SCALE_S} s)")
    up(ground, SCALED, SCALE_S)
    ground.killed = []
    nobody_was_bothered(ground)


def nobody_was_bothered(ground: Ground) -> None:
    """Whatever was done to the stack: no second word about anything, and no page but the drills'."""
    if twice := ground.said_twice():
        raise ComposeFailed(f"said twice: {', '.join(twice)}")
    others = [a for a in ground.far_side.alerts() if not a.alias.startswith("drill-")]
    if others:
        raise ComposeFailed(f"somebody was woken for nothing: {[alert.message for alert in others]}")
    ground.say("nothing was said twice, nobody was woken for nothing, the heartbeat never lapsed")
