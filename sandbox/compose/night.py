"""The story that the check plays: boot, publish, page, scale, kill one of each, and nothing is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from oncall.core.incident import key_of
from sandbox.compose.ground import Ground
from sandbox.compose.project import ComposeFailed, Container
from sandbox.drill.inbox import Received, step_of
from sandbox.inbox.records import Alert

REPORTS = {
    "profit_etl": "investor.daily_profit",
    "engagement_etl": "investor.daily_engagement",
    "growth_etl": "investor.daily_growth",
}
PAIRS = ("scheduler", "triggerer", "worker")
SCALED = tuple(word for service in PAIRS for word in ("--scale", f"{service}=2"))
BUILD_S, BOOT_S, SCALE_S, RUN_S = 1800, 1200, 420, 420
PAGE_S = 60  # from the due instant to the page, with the watcher's triggerer dead
RETRY_S = 900  # two minutes until a dead worker's task is given up, one until its retry; and two busy cores
DUE_IN_S, KILL_BEFORE_DUE_S = 25, 5
HEARTBEAT, LAPSES_S = "investor-sla-watch", 180
BY = "compose-check"
AIRFLOW = ("api-server", "dag-processor", *PAIRS)
SHUT = (
    *("/opt/airflow", "/opt/airflow/dags", "/opt/airflow/plugins", "/opt/airflow/include"),
    *("/home/airflow", "/usr", "/etc"),
)


def boot(ground: Ground, pull: str) -> None:
    """Build and start it as the README says, one container of each service."""
    build = ("build", "--quiet", *(("--pull",) if pull == "always" else ()))
    ground.say(f"building the images (at most {BUILD_S} s)")
    ground.project.compose_meanwhile(build, BUILD_S, lambda: None)
    ground.say(f"docker compose up --wait: waiting until all are healthy (at most {BOOT_S} s)")
    up(ground, ("--pull", pull), BOOT_S)
    wish = {"interval_seconds": LAPSES_S, "alert_priority": "P1"}
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
            f"the publication of {report} of {day}", partial(ground.published_by, report, day), within_s
        )
        hosts = [host for state, host in ground.tries(dag_id, run_id, "publish") if state == "success"]
        workers = [one for one in ground.project.running("worker") for host in hosts if one.is_host(host)]
        if not workers:
            raise ComposeFailed(f"{dag_id} was not published by a Celery worker, but by {hosts}")
        ground.say(f"  published by {workers[0]}")


def send_a_test_page(ground: Ground) -> None:
    """Airflow's own drill: through worker, outbox and both channels to a person who taps."""
    wish = {"pipeline": "growth_etl", "priority": "P1", "wait_minutes": 5}
    ground.api.post("dags/oncall_drill/dagRuns", {"dag_run_id": BY, "logical_date": None, "conf": wish})

    def test_page() -> Alert | None:
        return next((a for a in ground.far_side.alerts() if a.alias.startswith("drill-page:")), None)

    alert = ground.wait_for("the drill's page in the inbox", test_page, RUN_S)
    ground.inbox.acknowledge(alert)

    def over() -> bool:
        state: str = ground.api.get(f"dags/oncall_drill/dagRuns/{BY}")["state"]
        if state == "failed":
            raise ComposeFailed("the drill has failed; see the worker's log")
        return state == "success"

    ground.wait_for("the drill to hear the tap and end", over, 120)


def kill_one_of_each(ground: Ground, day: dt.date) -> None:
    """A worker within a transform, the watcher's triggerer and a scheduler: at once, 5 s before a promise is due."""
    run_id, report = f"check__{day}__2", REPORTS["profit_etl"]
    with_nothing_published(ground, day)
    stand_in_the_way(ground, report, day)
    hold_back(ground, "sessions", day)
    for dag_id in REPORTS:
        ground.start_run(dag_id, day, run_id)
    worker = ground.wait_for("transform to run on a worker", at_work(ground, run_id), RUN_S)
    ground.wait_for("two sensors to wait in a triggerer", deferred(ground, run_id), RUN_S)
    key, due = promise(ground, day)
    triggerer = ground.wait_for("the watcher's triggerer to be known", ground.watching, 60)
    ground.wait_for("the instant", lambda: seconds_until(due) < KILL_BEFORE_DUE_S, DUE_IN_S)
    ground.killed = [worker, triggerer, ground.project.running("scheduler")[0]]
    ground.project.kill(ground.killed)
    ground.say(f"killed {', '.join(map(str, ground.killed))}")
    step_aside(ground)
    hold_back(ground, "sessions", day, give_back=True)

    received = paged_once(ground, key, due)
    ground.inbox.acknowledge(received)
    await_publications(ground, day, RETRY_S)
    tries = [state for state, _ in ground.tries("profit_etl", run_id, "transform")]
    ground.say(f"  transform, whose worker was killed: {', '.join(tries)}")
    resolved(ground, key)


def paged_once(ground: Ground, key: str, due: dt.datetime) -> Alert:
    def page() -> Alert | None:
        return ground.inbox.received(key).page

    alert = ground.wait_for("the page for the broken promise", page, PAGE_S + 30)
    took = alert.created_at - due.timestamp()
    if took > PAGE_S:
        raise ComposeFailed(f"the page took {took:.0f} s")
    ground.say(f"  {took:.1f} s after it was due: {alert.message}")
    return alert


def resolved(ground: Ground, key: str) -> None:
    """The alerts are closed by what closes them at night, and nothing was said twice."""

    def all_closed() -> Received | None:
        received = ground.inbox.received(key)
        told = any(_step(message.metadata) == "resolved" for message in received.messages)
        return received if told and not any(alert.open for alert in received.alerts) else None

    received = ground.wait_for("the alerts to close and the thread to say so", all_closed, 180)
    pages = [alert for alert in received.alerts if step_of(alert).startswith("page-")]
    if len(pages) != 1:
        raise ComposeFailed(f"one person was to be paged, once: {[alert.alias for alert in pages]}")


def nothing_is_lost(ground: Ground) -> None:
    """What was left goes on, what was killed comes back, nobody was woken for nothing."""
    if ill := ground.ill():
        raise ComposeFailed(f"not well after the others were killed: {', '.join(map(str, ill))}")
    ground.say(f"docker compose up: what was killed comes back (at most {SCALE_S} s)")
    up(ground, SCALED, SCALE_S)
    ground.killed = []
    if twice := ground.said_twice():
        raise ComposeFailed(f"said twice: {', '.join(twice)}")
    others = [a for a in ground.far_side.alerts() if not a.alias.startswith(("drill-page:", f"drill-{BY}:"))]
    if others:
        raise ComposeFailed(f"somebody was woken for nothing: {[alert.message for alert in others]}")
    ground.say("nothing was said twice, nobody was woken for nothing, the heartbeat never lapsed")


def newest_day(ground: Ground) -> dt.date:
    """The newest business day of which upstream has delivered every table."""
    rows = ground.project.sql(
        "warehouse",
        "select max(business_day) from (select business_day from master.loads group by 1 having count(*) ="
        " (select count(distinct table_name) from master.loads)) complete",
    )
    return dt.date.fromisoformat(rows[0][0])


def with_nothing_published(ground: Ground, day: dt.date) -> None:
    reports = ", ".join(f"'{report}'" for report in REPORTS.values())
    ground.project.sql(
        "warehouse",
        f"delete from investor.publications where report_date = '{day}' and report in ({reports})",
    )


def stand_in_the_way(ground: Ground, report: str, day: dt.date) -> None:
    """Take the lock of another run of this report date until `step_aside`: transform hangs."""
    ground.project.sql_meanwhile(
        "warehouse",
        f"set application_name = '{BY}';"
        f" select pg_advisory_lock(hashtext('{report}'), date '{day}' - date '2000-01-01'); select pg_sleep(1800)",
    )
    held = (
        "select 1 from pg_stat_activity join pg_locks using (pid)"
        f" where application_name = '{BY}' and locktype = 'advisory' and granted"
    )
    ground.wait_for(
        "something to stand in the way of transform", lambda: ground.project.sql("warehouse", held), 60
    )


def step_aside(ground: Ground) -> None:
    ground.project.sql(
        "warehouse",
        f"select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{BY}'",
    )


def hold_back(ground: Ground, table: str, day: dt.date, *, give_back: bool = False) -> None:
    """As if upstream had not delivered this table yet."""
    hidden = f"{table} (held back)"
    old, new = (hidden, table) if give_back else (table, hidden)
    ground.project.sql(
        "warehouse",
        f"update master.loads set table_name = '{new}' where table_name = '{old}' and business_day = '{day}'",
    )


def promise(ground: Ground, day: dt.date) -> tuple[str, dt.datetime]:
    """Promise Profit ETL's report of the day for an instant that is near; the incident's key, and the instant."""
    due = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=DUE_IN_S)
    ground.project.sql(
        "oncall",
        "insert into oncall.drills (name, dag_id, report_date, warn_at, due_at, started_by)"
        f" values ('{BY}', 'profit_etl', '{day}', '{due.isoformat()}', '{due.isoformat()}', '{BY}')",
    )
    ground.say(f"the report of {day} is promised by {due:%H:%M:%S} UTC")
    return key_of("profit_etl", day, BY), due


def at_work(ground: Ground, run_id: str) -> Callable[[], Container | None]:
    """On which worker Profit ETL's transform runs."""

    def there() -> Container | None:
        state, host = ground.tries("profit_etl", run_id, "transform")[-1]
        workers = ground.project.running("worker") if state == "running" else []
        return next((one for one in workers if one.is_host(host)), None)

    return there


def deferred(ground: Ground, run_id: str) -> Callable[[], bool]:
    return lambda: all(
        ground.tries(dag_id, run_id, "wait_for_upstream")[-1][0] == "deferred"
        for dag_id in ("engagement_etl", "growth_etl")
    )


def seconds_until(instant: dt.datetime) -> float:
    return (instant - dt.datetime.now(dt.UTC)).total_seconds()


def _step(metadata: dict[str, dict[str, str]] | None) -> str:
    return ((metadata or {}).get("event_payload") or {}).get("step", "")
