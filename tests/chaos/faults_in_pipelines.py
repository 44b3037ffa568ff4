"""What goes wrong in a pipeline or upstream of it: the cause in the page must be the right one."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from sandbox.master_data.business_day import first_id
from tests.chaos.chaos_fault import fault
from tests.chaos.chaos_ground import DAG_ID, Ground, Promised
from tests.chaos.chaos_outcome import Outcome

LONG_S = 1800


@fault("run still running at due", group="pipelines")
def still_running(ground: Ground) -> Outcome:
    date = ground.last_date()
    ground.hold(date)
    ground.run(date, until=("transform", "running"))
    promised = ground.promise()
    seen = ground.paged(promised, "in transform since")
    ground.let_go()
    return replace(seen, seen=f"{seen.seen}; then: {ground.resolved(promised)}")


def failing(ground: Ground) -> tuple[Promised, str]:
    """A run that fails hours before its report is due wakes somebody at once; then the due time is drawn near."""
    promised = ground.promise(LONG_S)
    ground.run(promised.report_date)
    early = ground.wait_for("P2 as it fails", lambda: ground.far.page(promised.key, "failed-1"))
    assert early.priority == "P2"
    assert early.recipients == [ground.on_call(promised.due)]
    return ground.promise(), f"P2 as it failed: {early.message}"


@fault("task failed for good", group="pipelines", short=True)
def task_failed(ground: Ground) -> Outcome:
    # In the place of the pipeline's own table something that takes no rows. A table that is gone, or odd rows,
    # would hold the report, which is no failure.
    ground.sql(
        "warehouse",
        "alter table base.growth rename to growth_moved;"
        " create view base.growth as select distinct * from base.growth_moved",
    )
    promised, early = failing(ground)
    seen = ground.paged(promised, 'from view "growth"')
    assert "transform failed" in seen.seen
    return replace(seen, seen=f"{early}; at due {seen.seen}")


@fault("DAG paused", group="pipelines")
def paused(ground: Ground) -> Outcome:
    ground.stack.api().patch(f"dags/{DAG_ID}", {"is_paused": True})
    ground.look_at_dags()
    return ground.paged(ground.promise(), "never started: the DAG is paused")


@fault("DAG file with an import error", group="pipelines")
def import_error(ground: Ground) -> Outcome:
    ground.edit_dag(DAG_ID, "from airflow.sdk import DAG\nimport a_module_that_nobody_installed\n")
    noted = "select 1 from oncall.dags where dag_id = %s and import_error <> ''"
    ground.wait_for("the import error", lambda: ground.sql("oncall", noted, DAG_ID))
    says = "import error: ModuleNotFoundError: No module named 'a_module_that_nobody_installed'"
    return ground.paged(ground.promise(), says)


@fault("DAG file gone", group="pipelines")
def file_gone(ground: Ground) -> Outcome:
    ground.edit_dag(DAG_ID, None)
    ground.look_at_dags()
    return ground.paged(ground.promise(), f"Airflow has no DAG {DAG_ID}: its file is gone")


@fault("no run because an older run blocks `max_active_runs`", group="pipelines")
def older_run(ground: Ground) -> Outcome:
    date = ground.last_date()
    older = date - dt.timedelta(days=1)
    ground.hold(older)
    ground.run(older, until=("transform", "running"))
    ground.run(date)
    ground.look_at_dags()
    return ground.paged(ground.promise(), "of the DAG were open at")


@fault("run green but nothing published", group="pipelines")
def green_but_empty(ground: Ground) -> Outcome:
    date = ground.last_date()
    ground.run(date, until=("publish", "success"))
    return ground.paged(ground.promise(), "the run finished green")


@fault("upstream table late, then there", group="pipelines")
def upstream_late(ground: Ground) -> Outcome:
    date = ground.last_date()
    ground.unload(date, "sessions")
    ground.run(date)
    promised = ground.promise(50, warn_s=5)  # in the last half minute nobody is warned: the page says it
    seen = ground.paged(promised, "waiting on upstream: master.sessions has not arrived")
    # So shortly before due it may be the last chance already: then the warning is part of that.
    warning = ground.far.page(promised.key, "warning") or ground.far.page(promised.key, "last-chance")
    assert warning is not None
    assert warning.priority in ("P2", "P3")
    assert warning.created_at < promised.due.timestamp()
    ground.load(date, "sessions")
    resolved = ground.resolved(promised)
    # In our thread it is said too, unless the report came with it in one look: "Resolved" is enough then.
    arrived = ground.wait_for("the arrival", lambda: ground.far.saying("master.sessions has arrived"), 30)
    return replace(
        seen, seen=f"{warning.priority} before due; {seen.seen}; then: {arrived[0].text}; {resolved}"
    )


@fault("upstream table partial", group="pipelines")
def upstream_partial(ground: Ground) -> Outcome:
    date = ground.last_date()
    ground.load(date, "sessions", partial=0.3)
    ground.run(date)
    return ground.paged(ground.promise(), "master.sessions is partial since")


@fault("upstream rows after publication", group="pipelines", heard="a notice in Slack, and nobody is woken")
def upstream_amended(ground: Ground) -> Outcome:
    date = ground.last_date()
    ground.run(date, until=("publish", "success"))
    ground.ticks()  # what changed before anybody watched is not told of
    corrected = (
        "update master.sessions set duration_s = duration_s + 60, updated_at = now() where session_id = %s"
    )
    again = "insert into master.loads select table_name, business_day, now(), row_count from master.loads"
    ground.sql("warehouse", corrected, first_id(date))
    ground.sql("warehouse", f"{again} where table_name = 'sessions' and business_day = %s limit 1", date)
    title = ": master.sessions changed since"
    said = ground.wait_for("a notice", lambda: [m for m in ground.far.messages() if title in m.text], 60)
    assert not ground.far.alerts(), "a notice wakes nobody"
    return Outcome(said[0].text)


@fault("check withholds the report", group="pipelines")
def held(ground: Ground) -> Outcome:
    date = ground.last_date()
    noon = dt.datetime.combine(date, dt.time(12), tzinfo=ground.zone)
    stranger = "insert into master.sessions values (-1, -1, %s, 60, 'browse', %s)"
    ground.sql("warehouse", stranger, noon, noon)
    promised, early = failing(ground)
    seen = ground.paged(promised, "held back by a check: sessions_have_customers")
    return replace(seen, seen=f"{early}; at due {seen.seen}")
