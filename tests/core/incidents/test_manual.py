"""What a person does to an incident by hand, and what each channel hears of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.escalation import Call
from oncall.core.incidents.incident import RESOLVED_BY_HAND, Plan
from oncall.core.incidents.manual import page, resolve
from oncall.core.incidents.page_step import BY_HAND
from oncall.core.message import Recipient
from tests.core.scenes import (
    ENGAGEMENT,
    KEY,
    SECONDARY,
    TRANSFORMS,
    WAITED,
    a_page,
    a_report,
    a_scene,
    an_incident,
    at,
    events,
    published,
    said_by,
    the_page,
)

PAGED = an_incident(paged_at=at("05:00"), verdict="broken", cause="stuck")
PAGES = (a_page(), a_page("page-2-secondary", SECONDARY))
BEA = Recipient("B", "B@example.com", "UB")


def a_case(clock: str = "05:20", **other: Any) -> IncidentContext:
    report = a_report(clock, tasks=(WAITED, TRANSFORMS))
    return IncidentContext(**{"incident": PAGED, "members": (report,), "entries": PAGES, **other})


def ask(case: IncidentContext, clock: str = "05:20", seat: str = "secondary", number: int = 1) -> Plan:
    return page(case, a_scene(clock), "anna", Call(seat, BEA, "page-2-secondary"), number)


def test_resolving_by_hand_tells_the_note_and_closes_every_alert() -> None:
    """In the thread and on its headline; nobody is woken for it."""
    plan = resolve(a_case(), (), a_scene("05:20"), "anna", "known, see INC-7")
    said = said_by(plan)
    assert [one.where for one in said] == [
        ("chat", "post"), ("chat", "update"), ("pager", "close"), ("pager", "close"),
    ]  # fmt: skip
    assert [one.step for one in said[:2]] == ["resolved-by-hand", "headline:resolved-by-hand"]
    assert {one.title for one in said} == {"Resolved by anna: Growth ETL, 22 Nov"}
    assert said[0].text.splitlines() == [
        "Note: known, see INC-7", "It is not published. Nobody is paged for this any more.",
    ]  # fmt: skip
    assert [one.alias for one in said if one.op == "close"] == [f"{KEY}:{one.step}" for one in PAGES]
    assert len({(one.channel, one.step) for one in said}) == 4
    assert {(one.to, one.priority, one.steps) for one in said} == {((), "P3", "")}
    assert events(plan) == ["resolved by anna: known, see INC-7"]
    [done] = plan.incidents
    assert (done.resolved_at, done.verdict) == (at("05:20"), RESOLVED_BY_HAND)


def test_whoever_ends_the_incident_of_a_published_day_is_not_told_that_it_is_missing() -> None:
    """A later run of it failed: the report stands."""
    incident = an_incident(verdict="kept", cause="failed")
    report = a_report("06:20", publication=published("04:00"))
    plan = resolve(a_case(incident=incident, members=(report,)), (), a_scene("06:20"), "anna", "known")
    text = "Note: known\nThe published report stands. Nobody is paged for this any more."
    assert said_by(plan)[0].text == text


@pytest.mark.parametrize(
    ("clock", "promised", "rest"),
    [
        ("04:59:59", True, "It is not due yet: should it be missing then, that pages all the same."),
        ("05:00:00", True, "Nobody is paged for this any more."),
        ("04:00:00", False, "Nobody is paged for this any more."),
    ],
)
def test_whoever_ends_a_warning_does_not_end_the_promise(clock: str, promised: bool, rest: str) -> None:
    """It is said what happens if the report is missing at due."""
    early = a_report(clock, promised=promised)
    plan = resolve(a_case(members=(early,)), (), a_scene(clock), "anna", "x")
    assert said_by(plan)[0].text.splitlines()[1] == f"It is not published. {rest}"


def test_a_published_leader_says_nothing_of_what_its_follower_misses() -> None:
    """The one that speaks for both is there, the other is not."""
    leader = an_incident(verdict="kept", cause="stuck")
    missing = replace(an_incident(verdict="broken"), key="profit_etl:2026-11-22", leader=leader.key)
    plan = resolve(a_case(incident=leader), (missing,), a_scene("05:20"), "anna", "known")
    assert "It is not published." in said_by(plan)[0].text


def test_followers_end_with_their_leader() -> None:
    """Each in its own timeline; the alerts are the leader's."""
    follower = an_incident(ENGAGEMENT, leader=KEY)
    both = (a_report("05:20"), a_report("05:20", ENGAGEMENT))
    plan = resolve(a_case(members=both), (follower,), a_scene("05:20"), "anna", "x")
    assert [(one.dag_id, one.resolved_at, one.verdict) for one in plan.incidents] == [
        (dag_id, at("05:20"), RESOLVED_BY_HAND) for dag_id in ("growth_etl", ENGAGEMENT)
    ]
    assert [event.key for event in plan.events] == [KEY, f"{ENGAGEMENT}:2026-11-22"]
    assert {event.at for event in plan.events} == {at("05:20")}
    assert said_by(plan)[0].title == "Resolved by anna: 2 reports of 22 Nov (Growth ETL, Engagement ETL)"


def test_a_page_by_hand_says_who_asks_and_why() -> None:
    """P1 to that person at once, with the cause's steps; the thread says the same."""
    plan = ask(a_case())
    message = the_page(plan)
    assert message.title == "anna asks for you now: Growth ETL, 22 Nov, stuck in transform since 03:12"
    assert message.text == "anna pages the secondary by hand."
    assert (message.to, message.priority, message.steps) == (("B",), "P1", "steps for stuck")
    assert message.alias == f"{KEY}:{message.step}"
    assert message.step.startswith(BY_HAND)
    assert events(plan) == ["paged B (secondary) by hand, by anna"]
    assert plan.incidents == (PAGED,)


def test_a_page_by_hand_of_a_report_on_track_names_no_cause() -> None:
    """Somebody wants help all the same."""
    message = the_page(ask(a_case(members=(a_report("03:00"),)), "03:00", "manager"))
    assert message.title == "anna asks for you now: Growth ETL, 22 Nov"
    assert (message.text, message.steps) == ("anna pages the manager by hand.", "")
    assert message.runbook == "http://airflow.test/oncall/runbooks/growth_etl?date=2026-11-22"


def test_each_page_by_hand_is_one_of_its_own() -> None:
    """The same seat asked twice rings twice; two seats are told apart."""
    steps = {
        the_page(ask(a_case(), seat=seat, number=number)).step
        for seat, number in (("secondary", 1), ("secondary", 2), ("manager", 1))
    }
    assert len(steps) == 3


def test_a_drill_is_marked_by_hand_too() -> None:
    """Whatever a person does to it."""
    drill = replace(PAGED, drill="x", key=f"drill-x:{KEY}")
    one = the_page(ask(a_case(incident=drill)))
    assert one.title.startswith("[DRILL] ")
    assert one.text.startswith("This is a drill. Nothing is wrong.\n")
