"""What happens in the seconds around a due instant, and to an incident that the configuration ended and gave back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.decide import decide
from oncall.core.incidents.escalation import standing, watched_again
from oncall.core.incidents.failures import failed_since_it_was_taken
from oncall.core.incidents.grouping import handed_on
from oncall.core.incidents.incident import Incident, Notification, Plan
from oncall.core.incidents.plan import plan
from oncall.core.incidents.resolve import removed
from oncall.core.incidents.warnings import join
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import FailedCheck
from tests.core.scenes import (
    FAILED,
    GROWTH,
    PROFIT,
    SECONDARY,
    TRANSFORMS,
    WAITED,
    a_page,
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


@pytest.mark.parametrize(
    ("last", "back", "goes_on"),
    [
        ({}, "04:19:59", True),
        ({}, "04:20", False),  # a quarter of an hour after its end
        ({"acknowledged_at": at("04:04"), "acknowledged_by": "C@example.com"}, "04:40", True),
        ({"due": at("05:30")}, "04:10", False),  # it was due at another time
        ({"verdict": "resolved_by_hand"}, "04:10", False),
        ({"verdict": "kept"}, "04:10", False),
        ({"paged_at": at("04:00")}, "04:10", False),  # paged for, and not late by its time of now
    ],
)
def test_what_was_told_of_before_it_is_late_goes_on_when_it_is_put_back(
    last: dict[str, Any], back: str, goes_on: bool
) -> None:
    """Its pipeline was removed at five past four; it is due at five again."""
    ended = {"verdict": "removed", "resolved_at": at("04:05"), "due": at("05:00"), **last}
    report = a_report(back, tasks=(WAITED, FAILED))
    said = {
        KEY: tuple(an_entry(KEY, channel, "failed-1", owed_at=at("02:41")) for channel in ("pager", "chat"))
    }
    earlier = {report.promise_key: (an_incident(failures=1, **ended),)}
    made, _ = decide((report,), earlier, said, a_scene(back), at("00:00", days=-30))
    incidents = {one.key: one for one in made.incidents}
    assert (KEY in incidents and incidents[KEY].open) is goes_on
    assert not goes_on or incidents[KEY].due == at("05:00")
    again = [(one.channel, one.step) for one in made.owed if one.step.endswith("put-back")]
    assert again == ([("chat", "put-back"), ("chat", "headline:put-back")] if goes_on else [])


@pytest.mark.parametrize(("removed_at", "goes_on"), [("05:00", True), ("04:59:59", False)])
def test_what_was_removed_as_it_fell_due_goes_on_when_it_is_put_back(removed_at: str, goes_on: bool) -> None:
    """It was late in that very instant. Removed before it, what was paged for then was due at another time."""
    report = a_report("05:05", **STUCK)
    ended = an_incident(
        paged_at=at(removed_at), verdict="removed", resolved_at=at(removed_at), due=at("05:00")
    )
    earlier = {report.promise_key: (ended,)}
    made, _ = decide((report,), earlier, {KEY: (a_page(),)}, a_scene("05:05"), at("00:00", days=-30))
    assert [incident.key == KEY for incident in made.incidents if incident.open] == [goes_on]


def test_whom_the_last_step_is_to_wake_is_called_when_it_is_put_back() -> None:
    """Its time came while its pipeline was removed, and nobody else is left: the primary is not paged anew."""
    report = a_report("05:31", **STUCK)
    said = {KEY: (a_page(), a_page(SECONDARY, "D", "05:15"))}
    ended = an_incident(paged_at=at("05:00"), verdict="removed", resolved_at=at("05:20"), due=at("05:00"))
    earlier = {report.promise_key: (ended,)}
    made, _ = decide((report,), earlier, said, a_scene("05:31"), at("00:00", days=-30))
    assert pages(made.owed) == ["page-3-manager"]


@pytest.mark.parametrize(
    ("closed", "taken", "goes_on"),
    [
        ({"state": "done"}, None, False),
        ({"state": "owed"}, None, False),
        ({"state": "cancelled"}, None, True),  # the alert stands
        ({"state": "done"}, "02:30", False),  # they took what came before: a warning
        ({"state": "done"}, "02:45", True),
    ],
)
def test_what_rang_early_and_was_closed_goes_on_only_with_whoever_took_it(
    closed: dict[str, Any], taken: str | None, goes_on: bool
) -> None:
    """Its thread has told of the failure, and what is told rings no more: it is told anew."""
    report = a_report("03:10", tasks=(WAITED, FAILED))
    alias = f"{KEY}:failed-1"
    page = an_entry(KEY, "pager", "failed-1", op="page", alias=alias, owed_at=at("02:41"))
    close = an_entry(KEY, "pager", f"close:{alias}", op="close", alias=alias, **closed)
    had: dict[str, Any] = {"acknowledged_at": at(taken), "acknowledged_by": "C@example.com"} if taken else {}
    ended = an_incident(failures=1, verdict="removed", resolved_at=at("03:05"), due=at("05:00"), **had)
    earlier = {report.promise_key: (ended,)}
    made, _ = decide((report,), earlier, {KEY: (page, close)}, a_scene("03:10"), at("00:00", days=-30))
    assert [incident.key == KEY for incident in made.incidents if incident.open] == [goes_on]


@pytest.mark.parametrize(
    ("put_back", "told", "clock", "said"),
    [
        (True, True, "04:10", True),
        (True, False, "04:10", False),  # nobody was told of it, nor that it is not watched
        (False, True, "04:10", False),
        (True, True, "05:10", False),  # that is the escalation's
    ],
)
def test_what_was_told_of_is_said_to_be_watched_again(
    put_back: bool, told: bool, clock: str, said: bool
) -> None:
    """Once, at the look that finds it as it was."""
    report = a_report(clock, tasks=(WAITED, a_task("transform", "running", "03:12")))
    entries = (an_entry(KEY, "chat", "warning"),) if told else ()
    context = IncidentContext(an_incident(), (report,), entries, put_back=put_back)
    assert (watched_again(context, a_scene(clock)) is not None) is said


@pytest.mark.parametrize(("removals", "step"), [(0, "join"), (1, "join#1"), (2, "join#2")])
def test_each_return_of_one_of_several_is_a_step_of_its_own(removals: int, step: str) -> None:
    """Known by how often it was removed before."""
    mine = a_report("05:10", PROFIT, **STUCK)
    which = f"{PROFIT}:{mine.report_date}"
    said = [f"removed:{which}" + (f"#{number}" if number > 1 else "") for number in range(1, removals + 1)]
    entries = tuple(an_entry(KEY, "chat", each) for each in ("page-1-primary", *said, "removed:another"))
    leader = an_incident(GROWTH, paged_at=at("05:00"), verdict="broken", acknowledged_at=at("05:02"))
    reports = (a_report("05:10", GROWTH, **STUCK), mine)
    told = join(IncidentContext(leader, reports, entries, joining=(mine,)), a_scene("05:10"))
    assert told is not None
    assert [one.step for one in told.owed] == [step.replace("join", f"join:{which}")]


@pytest.mark.parametrize(("before", "step"), [((), "removed:{}"), (("removed:{}",), "removed:{}#2")])
def test_each_removal_of_one_of_several_is_a_step_of_its_own(before: tuple[str, ...], step: str) -> None:
    """In the thread of the one that speaks for it."""
    mine = replace(an_incident(PROFIT), leader=KEY, paged_at=at("05:00"))
    said = tuple(an_entry(KEY, "chat", each.format(mine.key)) for each in ("page-1-primary", *before))
    told = removed(mine, (), a_scene("05:10"), said)
    assert [(one.key, one.step) for one in told.owed] == [(KEY, step.format(mine.key))]
