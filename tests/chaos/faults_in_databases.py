"""What goes wrong with the warehouse and with `oncall_db`: gone, frozen, flickering; the page comes all the same."""

from __future__ import annotations

import time
from dataclasses import replace

from sandbox.stack.postgres import start
from tests.chaos.chaos_fault import fault
from tests.chaos.chaos_ground import Ground
from tests.chaos.chaos_include import RosterFile
from tests.chaos.chaos_outcome import Outcome

GONE_S = 16  # longer than from one look to the next
FLICKERS_S = 75


@fault("warehouse down at due", group="databases")
def warehouse_down(ground: Ground) -> Outcome:
    promised = ground.promise()
    # What a look has seen published counts while nobody can see: one has to see first that it is not there any more.
    ground.wait_for("a look without the publication", lambda: not ground.known_as_published(promised))
    ground.until(promised.due, before_s=3)
    ground.shut("warehouse")
    seen = ground.paged(promised, "warehouse unreachable since")
    ground.open("warehouse")
    return seen


@fault("PostgreSQL restarted at due, all of its databases", group="databases")
def postgres_restarted(ground: Ground) -> Outcome:
    promised = ground.promise()
    ground.until(promised.due, before_s=2)
    ground.server.stop()
    time.sleep(8)
    start(ground.server.data_dir)
    # Airflow's processes end with their database, the triggerer ten seconds after it.
    with ground.restart_policy():
        seen = ground.paged(promised)
        ground.recorded(promised)
    return seen


@fault("`oncall_db` down", group="databases", short=True)
def oncall_db_down(ground: Ground) -> Outcome:
    promised = ground.promise()
    ground.until(promised.due, before_s=3)
    ground.shut("oncall")
    seen = ground.paged(promised)
    ground.open("oncall")
    ground.ticks()
    ground.recorded(promised)
    return replace(seen, seen=f"{seen.seen}; back, the outbox knows of it")


@fault("the watcher begins while `oncall_db` is down", group="databases")
def watcher_begins_without_oncall_db(ground: Ground) -> Outcome:
    promised = ground.promise(in_s=45)
    # It remembers nothing, so it tells of every report that is not there: let this one be the only one.
    for other in ("investor.daily_profit", "investor.daily_engagement"):
        ground.sql(
            "warehouse",
            "insert into investor.publications (report, report_date, published_at, run_id, rows)"
            " values (%s, %s, now() - interval '4 hours', 'by hand', 1) on conflict do nothing",
            other, promised.report_date,
        )  # fmt: skip
    ground.shut("oncall")
    ground.stack.kill("triggerer")
    ground.stack.start("triggerer")
    seen = ground.paged(promised)
    ground.open("oncall")
    ground.ticks()
    ground.recorded(promised)
    return replace(seen, seen=f"{seen.seen}; back, the outbox knows of it")


@fault("warehouse frozen at due", group="databases", heard="P1 to the primary: cannot tell")
def warehouse_frozen(ground: Ground) -> Outcome:
    promised = ground.promise()
    ground.until(promised.due, before_s=3)
    ground.freeze("warehouse")
    return ground.paged(promised, "warehouse unreachable since")


@fault("`oncall_db` frozen at due", group="databases")
def oncall_db_frozen(ground: Ground) -> Outcome:
    promised = ground.promise()
    ground.until(promised.due, before_s=3)
    ground.freeze("oncall")
    seen = ground.paged(promised)
    ground.thaw()
    ground.ticks()
    ground.recorded(promised)
    return replace(seen, seen=f"{seen.seen}; thawed, the outbox knows of it")


@fault(
    f"connections to `oncall_db` killed every 0.15 s for {FLICKERS_S} s",
    group="databases",
    heard="P1 to the primary and one thread",
)
def oncall_db_flickers(ground: Ground) -> Outcome:
    promised = ground.promise()
    ground.until(promised.due, before_s=4)
    ground.cut_off("oncall", every_s=0.15)
    seen = ground.paged(promised)
    ground.until(promised.due, before_s=-(FLICKERS_S - 4))
    ground.thaw()
    ground.ticks()
    ground.recorded(promised)
    return replace(seen, seen=f"{seen.seen}; calm again, the outbox knows of it")


def quick_escalation(roster: RosterFile) -> None:
    """The secondary is called a minute after the primary."""
    pages = enumerate(("primary", "secondary", "manager"))
    roster["escalation"] = [{"after": f"{minutes}m", "page": person} for minutes, person in pages]


def gone_after_acknowledgement(ground: Ground, *, heard: bool) -> Outcome:
    """Somebody has acknowledged; then the database that should know of it is gone from one look to the next."""
    ground.include.roster(quick_escalation)
    promised = ground.promise()
    seen = ground.paged(promised)
    page = ground.far.page(promised.key)
    assert page is not None
    ground.far.acknowledge(page, user=ground.on_call(promised.due))
    noted = "select 1 from oncall.incidents where key = %s and acknowledged_at is not null"
    if heard:
        ground.wait_for("the acknowledgement", lambda: ground.sql("oncall", noted, page.entity), 45)
    ground.shut("oncall")
    time.sleep(GONE_S)
    ground.open("oncall")
    ground.until(promised.due, before_s=-85)
    paged = ground.far.of(promised.key, priority="P1")  # what was warned of before due is not this
    woken = [alert.recipients for alert in paged if alert.alias != page.alias]
    assert not woken, f"woken although somebody had acknowledged: {woken}"
    ground.wait_for("the acknowledgement", lambda: ground.sql("oncall", noted, page.entity), 45)
    return replace(seen, seen=f"{seen.seen}; acknowledged, and nobody else is called")


@fault(
    f"`oncall_db` gone for {GONE_S} s just after somebody acknowledged",
    group="databases",
    heard="P1 to the primary, who acknowledges: nobody else",
)
def gone_before_it_is_heard(ground: Ground) -> Outcome:
    return gone_after_acknowledgement(ground, heard=False)


@fault(
    f"`oncall_db` gone for {GONE_S} s just after an acknowledgement was heard",
    group="databases",
    heard="P1 to the primary, who acknowledges: nobody else",
)
def gone_after_it_is_heard(ground: Ground) -> Outcome:
    return gone_after_acknowledgement(ground, heard=True)
