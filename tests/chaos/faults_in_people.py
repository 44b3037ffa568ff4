"""Who is away, who takes over when, a roster spoilt by hand, and clocks at their edges: never the wrong person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.chaos.chaos_fault import fault
from tests.chaos.chaos_ground import DAG_ID, Ground
from tests.chaos.chaos_include import RosterFile
from tests.chaos.chaos_outcome import Outcome

FIRST_MONDAY = dt.date(2025, 12, 29)
ROWS = (("DE-001", "DE-002"), ("DE-002", "DE-003"), ("DE-003", "DE-004"), ("DE-004", "DE-001"))


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


@fault("roster made invalid while running", group="people")
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


@fault("roster file gone while running", group="people")
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


@fault("primary on leave", group="people")
def primary_away(ground: Ground) -> Outcome:
    primary, secondary = row(dt.datetime.now(ground.zone))
    ground.include.roster(away(primary))
    return ground.paged(ground.promise(), to=mail(secondary))


@fault("both on leave", group="people")
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


def hands_over(passes: dt.datetime) -> Callable[[RosterFile], None]:
    """A change of the roster: DE-001 hands over to DE-003 at this instant."""

    def change(roster: RosterFile) -> None:
        roster["handoff"] = {"day": f"{passes:%A}".lower(), "at": f"{passes:%H:%M:%S}"}
        roster["rotation"] = [
            {
                "starts": passes.date() - dt.timedelta(days=7),
                "weeks": [["DE-001", "DE-002"], ["DE-003", "DE-004"]],
            }
        ]

    return change


@fault("handoff during an incident", group="people")
def handoff(ground: Ground) -> Outcome:
    passes = dt.datetime.now(ground.zone).replace(microsecond=0) + dt.timedelta(seconds=35)
    ground.include.roster(hands_over(passes))
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


@fault("drill beside a real incident", group="people")
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


@fault(
    "handoff while both channels are down",
    group="people",
    heard="P1 to the new primary, and not to the old one",
)
def handoff_in_an_outage(ground: Ground) -> Outcome:
    """Who is paged is decided when it is sent."""
    now = dt.datetime.now(ground.zone).replace(microsecond=0)
    passes, back = now + dt.timedelta(seconds=35), now + dt.timedelta(seconds=50)
    ground.include.roster(hands_over(passes))
    promised = ground.promise()
    ground.until(promised.due, before_s=2)
    ground.far.fail("*", "*", "refuse", seconds=(back - dt.datetime.now(ground.zone)).total_seconds())
    new = mail("DE-003")
    alert = ground.wait_for("a page", lambda: ground.far.of(promised.key, priority="P1"), 140)[0]
    page_s = alert.created_at - back.timestamp()
    ground.ticks()
    called = [each.recipients for each in ground.far.of(promised.key, priority="P1")]
    assert called == [[new]], f"paged {called}, not {new} alone"
    ground.wait_for("a thread", lambda: ground.far.said(promised.key), 60)
    return Outcome(f"P1 to {new}: {alert.message}; measured from when they were back", page_s)
