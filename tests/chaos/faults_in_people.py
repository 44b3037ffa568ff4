"""Who is away, who takes over when, a roster spoilt by hand, and clocks at their edges: never the wrong person."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from chaos_fault import fault
from chaos_ground import DAG_ID, Ground, Promised
from chaos_include import RosterFile
from chaos_outcome import Outcome

FIRST_MONDAY = dt.date(2025, 12, 29)
ROWS = (("DE-001", "DE-002"), ("DE-002", "DE-003"), ("DE-003", "DE-004"), ("DE-004", "DE-001"))
LOOK_AT = """
import datetime as dt, sys
from oncall.glue.wiring import look_once
for at in sys.argv[1:]:
    look_once(dt.datetime.fromisoformat(at))
"""


def row(at: dt.datetime) -> tuple[str, str]:
    """The pair of the team's own table whose week (Monday 09:00) this instant is in."""
    begun = (at - dt.timedelta(hours=9)).date()
    return ROWS[(begun - FIRST_MONDAY).days // 7 % len(ROWS)]


def mail(person: str) -> str:
    return f"{person.lower()}@example.com"


def away(*people: str) -> Any:
    """A change of the roster: these are on leave around now."""
    today = dt.datetime.now(dt.UTC).date()
    first, last = today - dt.timedelta(days=2), today + dt.timedelta(days=2)

    def change(roster: RosterFile) -> None:
        roster["leave"] = [{"person": person, "from": first, "until": last} for person in people]

    return change


@fault("roster made invalid while running")
def roster_broken(ground: Ground) -> Outcome:
    promised = ground.promise()
    ground.until(promised.due, before_s=4)
    primary = ground.on_call(promised.due)
    ground.include.break_roster()
    seen = ground.paged(promised, to=primary)
    said = ground.wait_for("a notice", lambda: ground.far.said("configuration"), 60)
    assert "The on-call configuration is broken" in said[0].text
    ground.include.mend_roster()
    ground.wait_for("mended", lambda: "in order again" in ground.far.said("configuration")[-1].text, 60)
    return replace(seen, seen=f"{seen.seen}; Slack: {said[0].text}; then: in order again")


@fault("roster file gone while running")
def roster_gone(ground: Ground) -> Outcome:
    promised = ground.promise()
    ground.until(promised.due, before_s=4)
    primary = ground.on_call(promised.due)
    (ground.include.folder / "roster.yaml").unlink()
    try:
        seen = ground.paged(promised, to=primary)
        said = ground.wait_for("a notice", lambda: ground.far.said("configuration"), 60)
    finally:
        ground.include.mend_roster()
    return replace(seen, seen=f"{seen.seen}; Slack: {said[0].text}")


@fault("primary on leave")
def primary_away(ground: Ground) -> Outcome:
    primary, secondary = row(dt.datetime.now(ground.zone))
    ground.include.roster(away(primary))
    return ground.paged(ground.promise(), to=mail(secondary))


@fault("both on leave")
def both_away(ground: Ground) -> Outcome:
    primary, secondary = row(dt.datetime.now(ground.zone))
    ground.include.roster(away(primary, secondary))
    third = next(
        person
        for pair in ROWS[ROWS.index((primary, secondary)) :] + ROWS
        for person in pair
        if person not in (primary, secondary)
    )
    return ground.paged(ground.promise(), to=mail(third))


@fault("handoff during an incident")
def handoff(ground: Ground) -> Outcome:
    passes = dt.datetime.now(ground.zone).replace(microsecond=0) + dt.timedelta(seconds=35)
    last = passes.date() - dt.timedelta(days=7)

    def change(roster: RosterFile) -> None:
        roster["handoff"] = {"day": f"{passes:%A}".lower(), "at": f"{passes:%H:%M:%S}"}
        roster["rotation"] = [{"starts": last, "weeks": [["DE-001", "DE-002"], ["DE-003", "DE-004"]]}]

    ground.include.roster(change)
    promised = ground.promise()
    seen = ground.paged(promised, to=mail("DE-001"))
    again = ground.wait_for("the new primary", lambda: ground.far.page(promised.key, "page-1-primary-1"), 60)
    assert again.recipients == [mail("DE-003")]
    assert again.created_at >= passes.timestamp()
    said = ground.wait_for("the handover said", lambda: ground.far.said(promised.key, "handover-1"), 30)
    return replace(
        seen,
        seen=f"{seen.seen}; {again.created_at - passes.timestamp():.1f} s after the handoff: {said[0].text}",
    )


@fault("drill beside a real incident")
def drill(ground: Ground) -> Outcome:
    promised = ground.promise()
    begun = "insert into oncall.drills (name, dag_id, report_date, warn_at, due_at) values ('chaos', %s, %s, %s, %s)"
    ground.sql("oncall", begun, DAG_ID, promised.report_date, promised.due, promised.due)
    seen = ground.paged(promised)
    assert "DRILL" not in seen.seen
    key = f"drill-chaos:{promised.key}"
    mock = ground.wait_for("the drill's page", lambda: ground.far.page(key), 30)
    ground.wait_for("the drill's thread", lambda: ground.far.said(key), 30)
    assert mock.message.startswith("[DRILL]")
    assert mock.tags.count("DRILL") == 1
    return replace(seen, seen=f"{seen.seen}; beside it {mock.priority}: {mock.message}")


def look(ground: Ground, *instants: dt.datetime) -> None:
    """A worker looks as if it were these instants, one after the other; nobody else does."""
    process = ground.python(LOOK_AT, *(at.isoformat() for at in instants))
    assert process.wait(120) == 0, "the look failed; see logs/others.log"


def promised_in_the_past(ground: Ground, due: dt.datetime) -> Promised:
    """A promise that somebody began to watch a second before it was due."""
    promised = ground.promise_at(due)
    since = (due - dt.timedelta(seconds=1)).isoformat()
    ground.sql("oncall", "insert into oncall.memory (name, value) values ('watching_since', %s)", since)
    return promised


@fault("clock just before and after midnight UTC", airflow=False)
def midnight_utc(ground: Ground) -> Outcome:
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    second = dt.timedelta(seconds=1)
    promised = promised_in_the_past(ground, midnight.astimezone(ground.zone))
    look(ground, midnight - second)
    assert not ground.far.alerts(), "paged a second before due"
    began = dt.datetime.now(dt.UTC)
    look(ground, midnight, midnight + second)
    seen = ground.paged(promised, since=began)
    day = midnight.date() - dt.timedelta(
        days=1
    )  # 07:00 in UTC+7 of the same date: the report is the day before's
    assert [alert.alias for alert in ground.far.alerts()] == [f"{DAG_ID}:{day}:page-1-primary"]
    return Outcome(f"due 00:00:00Z; at 23:59:59Z nothing, at 00:00:00Z {seen.seen}")


@fault("clock just before and after Monday 09:00", airflow=False)
def monday_nine(ground: Ground) -> Outcome:
    now = dt.datetime.now(ground.zone)
    monday = (now - dt.timedelta(days=now.weekday())).replace(hour=9, minute=0, second=0, microsecond=0)
    nine = monday if monday < now else monday - dt.timedelta(days=7)
    second = dt.timedelta(seconds=1)
    promised = promised_in_the_past(ground, nine - second)
    (before, _), (after, _) = row(nine - second), row(nine)
    look(ground, nine - second, nine)
    seen = ground.paged(promised, to=mail(before))
    again = ground.wait_for("the new primary", lambda: ground.far.page(promised.key, "page-1-primary-1"), 30)
    assert again.recipients == [mail(after)] != [mail(before)]
    return Outcome(f"08:59:59 {seen.seen}; 09:00:00 P1 to {again.recipients[0]}")
