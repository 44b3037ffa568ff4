"""What happens in the seconds around a due instant, and to an incident that the configuration ended and gave back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.decide import decide
from oncall.core.incidents.escalation import standing
from oncall.core.incidents.failures import failed_since_it_was_taken
from oncall.core.incidents.grouping import handed_on
from oncall.core.incidents.incident import Incident, Notification, Plan
from oncall.core.incidents.plan import plan
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import FailedCheck
from tests.core.scenes import (
    FAILED,
    GROWTH,
    PROFIT,
    TRANSFORMS,
    WAITED,
    a_report,
    a_scene,
    a_task,
    an_entry,
    an_incident,
    at,
    usually,
)

KEY = an_incident().key
STUCK: dict[str, Any] = {"tasks": (WAITED, TRANSFORMS)}
TAKEN: dict[str, Any] = {"acknowledged_at": at("05:03"), "acknowledged_by": "C@example.com"}


def pages(owed: tuple[Notification, ...]) -> list[str]:
    return [one.step for one in owed if (one.channel, one.op) == ("pager", "page")]


@pytest.mark.parametrize("state", ["done", "cancelled"])
def test_the_last_chance_pages_though_the_page_of_a_failure_was_withdrawn_long_ago(state: Any) -> None:
    """Somebody took it on the On-call page in an outage, hours before: they may be asleep again."""
    report = a_report("04:50", tasks=(WAITED, FAILED), usual=usually({"transform": 1800.0}))
    ended = report.facts.failure
    assert ended is not None
    told = f"{ended.run_id}/{ended.task_id}@{ended.ended_at}"
    incident = an_incident(
        failure=told, failures=1, acknowledged_at=at("02:42"), acknowledged_by="C@example.com"
    )
    done_at = at("02:41") if state == "done" else None
    page = an_entry(KEY, "pager", "failed-1", owed_at=at("02:41"), done_at=done_at, state=state)
    post = an_entry(KEY, "chat", "failed-1", owed_at=at("02:41"), done_at=at("02:41"))
    assert pages(plan(IncidentContext(incident, (report,), (page, post)), a_scene("04:50")).owed) == [
        "last-chance"
    ]


@pytest.mark.parametrize(("ended", "clock"), [("05:29:15", "05:29:16"), ("05:29:40", "05:29:41")])
def test_a_failure_just_before_its_own_due_instant_pages_in_an_incident_that_has_paged(
    ended: str, clock: str
) -> None:
    """Another report of it was due earlier: no page of the instant comes for this one."""
    leader = an_incident(GROWTH, paged_at=at("05:00"), verdict="broken", acknowledged_at=at("05:10"))
    leader = replace(leader, acknowledged_by="C@example.com", cause="stuck", names=("transform",))
    said = [an_entry(KEY, channel, "page-1-primary", owed_at=at("05:00")) for channel in ("pager", "chat")]
    late = a_report(clock, PROFIT, tasks=(WAITED, a_task("transform", "failed", "05:20", ended, "boom")))
    later = replace(late, due=at("05:30"), verdict="at_risk", last_chance=None, late_by=None)
    case = IncidentContext(leader, (a_report(clock, GROWTH, **STUCK), later), tuple(said))
    assert pages(plan(case, a_scene(clock)).owed) == ["failed-1"]


@pytest.mark.parametrize(
    ("ended", "rings"),
    [("05:29:50", ["failed-1"]), (None, ["last-chance"])],
    ids=["it fails", "it goes on"],
)
def test_whoever_is_woken_for_a_failure_is_not_rung_for_its_last_chance_in_the_same_look(
    ended: str | None, rings: list[str]
) -> None:
    """Its incident has paged, for another report, of which it speaks first."""
    state: tuple[Any, ...] = ("failed", "05:20", ended, "boom") if ended else ("running", "05:20")
    own = a_report("05:30", PROFIT, tasks=(WAITED, a_task("transform", *state)))
    own = replace(own, due=at("06:00"), verdict="at_risk", last_chance=at("05:30"), late_by=None)
    said = [an_entry(KEY, channel, "page-1-primary", owed_at=at("05:00")) for channel in ("pager", "chat")]
    reports = (a_report("05:30", GROWTH, **STUCK), own)
    leader = an_incident(GROWTH, paged_at=at("05:00"), verdict="broken", cause="stuck")
    case = IncidentContext(leader, reports, tuple(said))
    early = [o for o in plan(case, a_scene("05:30")).owed if o.step in ("failed-1", "last-chance")]
    assert pages(tuple(early)) == rings


@pytest.mark.parametrize(("checked", "since"), [("04:59:50", True), ("04:10", False)])
def test_a_check_that_withheld_it_since_is_another_failure_before_its_task_has_failed(
    checked: str, since: bool
) -> None:
    """They acknowledged the first failure, and ran it again."""
    held = a_report(
        "05:00",
        tasks=(WAITED, a_task("check", "running", "04:05")),
        failed_checks=(FailedCheck("identity", "0", "3", "night", at(checked)),),
    )
    taken = an_incident(acknowledged_at=at("04:20"), acknowledged_by="C@example.com")
    assert failed_since_it_was_taken(held, taken) is since


def test_an_alert_that_we_have_closed_is_not_asked_for_again() -> None:
    """Put back, the same person is called under another alias: to the closed one nobody listens."""
    paged = an_incident(paged_at=at("05:00"), verdict="broken")
    page = an_entry(KEY, "pager", "page-1-primary", "C", state="cancelled", maybe_taken=True, done_at=None)
    close = an_entry(KEY, "pager", f"close:{page.alias}", op="close", alias=page.alias)
    case = IncidentContext(paged, (a_report("05:03", **STUCK),), (page, close))
    assert [call.step for call in standing(case, a_scene("05:03")).calls] == ["page-1-primary:C"]


def moved(dag_id: str, clock: str) -> PromiseStatus:
    late = a_report(clock, dag_id, **STUCK)
    return replace(late, due=at("07:00"), verdict="at_risk", last_chance=at("06:30"), late_by=None)


def look(clock: str, reports: tuple[PromiseStatus, ...], incidents: tuple[Incident, ...]) -> Plan:
    earlier = {incident.promise_key: (incident,) for incident in incidents}
    said = [("pager", "page-1-primary"), ("chat", "page-1-primary"), ("chat", "moved")]
    entries = {KEY: tuple(an_entry(KEY, *each, owed_at=at("05:00")) for each in said)}
    return decide(reports, earlier, entries, a_scene(clock), at("00:00", days=-30))[0]


def test_what_follows_an_incident_whose_due_time_was_moved_ends_and_goes_on_with_it() -> None:
    """Moved back, whoever had both has them still, and nobody is paged for what they have."""
    leader = an_incident(GROWTH, paged_at=at("05:00"), verdict="broken", due=at("05:00"), **TAKEN)
    follower = replace(an_incident(PROFIT), leader=leader.key, paged_at=at("05:00"), due=at("05:00"), **TAKEN)
    over = look("05:05", (moved(GROWTH, "05:05"), moved(PROFIT, "05:05")), (leader, follower)).incidents
    assert {(one.dag_id, one.verdict, one.open) for one in over} == {
        (GROWTH, "moved", False),
        (PROFIT, "moved", False),
    }
    again = look("05:08", tuple(a_report("05:08", one, **STUCK) for one in (GROWTH, PROFIT)), over)
    assert pages(again.owed) == []
    assert {one.key for one in again.incidents if one.open} == {leader.key, follower.key}


def test_whoever_is_asked_again_in_this_very_look_is_not_told_that_nobody_is_paged() -> None:
    """Removed for two hours, and put back: their hour is long over."""
    ended = an_incident(
        GROWTH, paged_at=at("05:00"), verdict="removed", resolved_at=at("05:20"), due=at("05:00"), **TAKEN
    )
    owed = look("07:10", (a_report("07:10", GROWTH, **STUCK),), (ended,)).owed
    assert [step.partition("-")[0] for step in pages(owed)] == ["reminder"]
    assert not any("nobody is paged again" in one.message.summary for one in owed)


def test_nothing_speaks_for_itself_by_way_of_another() -> None:
    """Copies that went on under two configurations: the leader was put back where another one still follows it."""
    leader = an_incident(GROWTH, paged_at=at("05:00"), verdict="removed", due=at("05:00"))
    follower = replace(an_incident(PROFIT), leader=leader.key, paged_at=at("05:00"), due=at("05:00"))
    both = tuple(
        (a_report("05:05", one.dag_id, **STUCK), one) for one in (replace(leader, verdict="broken"), follower)
    )
    assert [one.leader for _, one in handed_on(both, {leader.key})] == ["", leader.key]
