"""Which reports are told of in one breath, when each is set free, and which incidents there are at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.decide import as_last_known, by_promise, decide
from oncall.core.incidents.incident import (
    RESOLVED_BY_HAND,
    Incident,
    Notification,
    NotificationStatus,
    Plan,
)
from oncall.core.promises.evaluation import DueTimes, PromiseStatus, evaluate_promise
from oncall.core.promises.facts import MARKED, RUN, Facts, FailedCheck, Task
from oncall.core.promises.why import Why
from tests.core.scenes import (
    CHECK,
    ENGAGEMENT,
    FAILED,
    GROWTH,
    PROFIT,
    STUCK,
    TRANSFORMS,
    TZ,
    WAITED,
    Said,
    Steps,
    a_dag,
    a_load,
    a_pipeline,
    a_report,
    a_scene,
    a_task,
    an_entry,
    an_incident,
    at,
    evaluation_inputs,
    published,
    usually,
)

LONG_AGO = at("00:00", days=-30)
OLD = dt.date(2026, 1, 5)
SESSIONS: dict[str, Any] = {"loads": (a_load(),)}
ORDERS: dict[str, Any] = {"loads": (a_load("master.orders"),)}
BLIND: dict[str, Any] = {"unreadable": ("warehouse: gone",), "blind": True}
AGAIN: dict[str, Any] = {
    "publication": published("02:00"),
    "tasks": (a_task("transform", "failed", "11:00", "11:10", "boom"),),
}


def look(
    clock: str, *reports: PromiseStatus, earlier: Sequence[Incident] = (), said: Steps | None = None,
    since: dt.datetime = LONG_AGO,
) -> Plan:  # fmt: skip
    """One look at these reports, after these incidents of which this was said."""
    return decide(reports, by_promise(earlier), evaluation_inputs(said or {}), a_scene(clock), since)[0]


def titles(plan: Plan, channel: str = "pager", op: str = "page") -> list[str]:
    return [one.title for one in map(Said.of, plan.owed) if one.where == (channel, op)]


def leaders(plan: Plan) -> dict[str, str]:
    """Who speaks for whom, by pipeline ("": for itself)."""
    return {one.dag_id: one.leader.partition(":")[0] for one in plan.incidents}


def at_four(dag_id: str, **facts: Any) -> PromiseStatus:
    return a_report("04:00", dag_id, **facts)


NOT_SCHEDULED = {"dag": a_dag()}
NO_WORKER = {"run": a_task(RUN, "running", "02:00")}
JUST_BEGUN: dict[str, Any] = {"run": a_task(RUN, "running", "04:57")}
JUST_WAITED: dict[str, Any] = {"tasks": (a_task("wait_for_upstream", "success", "04:50", "04:58"),)}
RUNS: dict[str, Any] = {"tasks": (WAITED, a_task("transform", "running", "04:58"))}
BLOCKED: dict[str, Any] = {**STUCK, "blocked_by": "pid 7 (etl, idle)"}
RETRIES: dict[str, Any] = {"tasks": (a_task("transform", "up_for_retry", "04:50", "04:58", "disk full"),)}
BAD_ROWS = FailedCheck("sessions", "0", "3 in master.sessions.customer_id, such as session_id 7")


def failed_by(error: str, at: str = "02:40", *, task: str = "transform", **more: Any) -> dict[str, Any]:
    return {"tasks": (WAITED, a_task(task, "failed", "02:10", at, error)), **more}


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (SESSIONS, SESSIONS, True),
        (SESSIONS, {"loads": (a_load("master.customers"), a_load())}, True),  # one table that both wait for
        (SESSIONS, ORDERS, False),
        (BLIND, BLIND, True),
        (BLIND, {"unreadable": ("warehouse: refused",), "blind": True}, True),  # blind is blind
        (SESSIONS, BLIND, False),
        (NOT_SCHEDULED, NOT_SCHEDULED, True),  # the scheduler may be what they share
        (NO_WORKER, NO_WORKER, True),  # nor has anybody taken a task of either
        (NO_WORKER, NOT_SCHEDULED, True),  # nothing starts, whatever is the next to start
        ({"tasks": (WAITED,)}, {"tasks": (WAITED,)}, True),  # no slot for the next task of either
        (JUST_WAITED, JUST_BEGUN, True),  # nor since a minute ago: a pool of no slots, a full executor
        (
            JUST_WAITED,
            STUCK,
            True,
        ),  # Airflow's own database is gone: what ran hangs, what follows does not start
        (STUCK, STUCK, True),
        (RUNS, RUNS, True),  # all began late
        (BLOCKED, BLOCKED, True),  # one lock
        (BLOCKED, STUCK, False),
        ({"dag": a_dag(paused=True)}, {"dag": a_dag(paused=True)}, True),  # all were, by one command
        ({"dag": a_dag(paused=True)}, NOT_SCHEDULED, False),
        ({"dag": a_dag(missing=True)}, {"dag": a_dag(missing=True)}, True),  # a deploy lost their files
        (
            {"dag": a_dag(import_error="x")},
            {"dag": a_dag(import_error="x")},
            True,
        ),  # a deploy broke what both import
        ({"dag": a_dag(import_error="x")}, {"dag": a_dag(import_error="y")}, False),
        (failed_by("disk full, block 7"), failed_by("disk full, block 12", task="check"), True),
        (failed_by("disk full"), failed_by("boom"), False),
        (failed_by(""), failed_by(""), False),  # nobody knows why
        (failed_by(f"{MARKED} failed by A"), failed_by(f"{MARKED} failed by A"), False),
        (RETRIES, failed_by("disk full"), True),  # one of them has a try left
        ({"failed_checks": (CHECK,)}, {"failed_checks": (CHECK,)}, False),
        ({"failed_checks": (BAD_ROWS,)}, {"failed_checks": (BAD_ROWS,)}, True),  # both read that table
    ],
)
def test_one_cause_that_hits_several_is_said_once(
    first: dict[str, Any], second: dict[str, Any], together: bool
) -> None:
    """Naming all of them; what only looks alike is each said by itself."""
    plan = look("05:00", a_report("05:00", GROWTH, **first), a_report("05:00", ENGAGEMENT, **second))
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: GROWTH if together else ""}
    assert {one.verdict for one in plan.incidents} <= {"broken", "unknown"}
    pages = titles(plan)
    if together:
        [title] = pages
        assert "2 reports of 22 Nov" in title
    else:
        growth, engagement = pages
        assert "Growth ETL, 22 Nov" in growth
        assert "Engagement ETL, 22 Nov" in engagement


def test_three_may_share_two_tables_pairwise() -> None:
    """Whoever shares with the one that speaks is spoken for."""
    both: dict[str, Any] = {"loads": (a_load(), a_load("master.orders"))}
    plan = look(
        "05:00",
        a_report("05:00", GROWTH, **both),
        a_report("05:00", ENGAGEMENT, **SESSIONS),
        a_report("05:00", PROFIT, **ORDERS),
    )
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: GROWTH, PROFIT: GROWTH}


def test_reports_of_other_days_due_times_and_drills_are_no_company() -> None:
    """Though they wait for the same table."""
    tonight = a_report("04:30", GROWTH, **SESSIONS)
    yesterday = replace(a_report("04:30", ENGAGEMENT, **SESSIONS), report_date=dt.date(2026, 11, 21))
    due_later = replace(a_report("04:30", PROFIT, **SESSIONS), due=at("05:10"))
    plan = look("04:30", tonight, yesterday, due_later)
    assert set(leaders(plan).values()) == {""}
    drill = a_report("04:30", ENGAGEMENT, drill="x", **SESSIONS)
    assert set(leaders(look("04:30", tonight, drill)).values()) == {""}


def test_a_table_that_two_need_who_are_not_told_of_in_one_breath_is_asked_for_once() -> None:
    """Each has its own due time; the team that loads it reads one message that names both reports."""
    later = replace(a_report("03:30", ENGAGEMENT, **SESSIONS), due=at("06:00"))
    plan = look("03:30", a_report("03:30", GROWTH, **SESSIONS), later)
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: ""}
    [asked] = [owed.message for owed in plan.owed if owed.message.channel == "#swe-master-data"]
    assert (
        "Needed for Growth ETL (investor.daily_growth), Engagement ETL (investor.daily_engagement)."
        in asked.summary.splitlines()
    )


# Later looks.

G, E = an_incident(GROWTH), an_incident(ENGAGEMENT)
FOLLOWS = replace(E, leader=G.key)
WARNED = [("chat", "warning"), ("pager", "warning")]
UPSTREAM_TOLD = ("chat", "upstream-late:#swe-master-data:master.sessions")


def test_before_anybody_was_paged_whoever_no_longer_shares_is_set_free() -> None:
    """Engagement's own run fails: it has a word of its own."""
    plan = look(
        "04:00", at_four(GROWTH, **SESSIONS), at_four(ENGAGEMENT, tasks=(WAITED, FAILED)),
        earlier=[G, FOLLOWS], said={G.key: WARNED},
    )  # fmt: skip
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: ""}
    assert titles(plan) == ["Engagement ETL, 22 Nov: transform failed at 02:40: boom"]


def test_what_waited_together_and_runs_now_is_told_of_together() -> None:
    """Their table came late, and neither has the time that it usually takes."""
    runs: dict[str, Any] = {
        "loads": (a_load(came="04:29"),),
        "tasks": (WAITED, a_task("transform", "running", "04:30")),
        "usual": usually({"transform": 2400.0}),
    }
    plan = look(
        "04:45", a_report("04:45", GROWTH, **runs), a_report("04:45", ENGAGEMENT, **runs),
        earlier=[G, FOLLOWS], said={G.key: WARNED},
    )  # fmt: skip
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: GROWTH}
    assert [title.partition(":")[0] for title in titles(plan)] == ["At risk"]


@pytest.mark.parametrize("runs", [{}, {"tasks": (WAITED, a_task("transform", "running", "04:00"))}])
def test_what_they_waited_for_is_said_to_have_come_once(runs: dict[str, Any]) -> None:
    """Each in a thread of its own, it was said as often as there are reports; they end together, too."""
    came: dict[str, Any] = {"loads": (a_load(came="03:59"),), **runs}
    warned = ("master.sessions",)
    plan = look(
        "04:00", at_four(GROWTH, **came), at_four(ENGAGEMENT, **came),
        earlier=[replace(G, warned=warned), replace(FOLLOWS, warned=warned)], said={G.key: (*WARNED, UPSTREAM_TOLD)},
    )  # fmt: skip
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: GROWTH}
    both = "2 reports of 22 Nov (Growth ETL, Engagement ETL)"
    # In the thread, and in the upstream team's channel.
    assert [title for title in titles(plan, "chat", "post") if "has arrived" in title] == [
        f"master.sessions has arrived (03:59){mark} {both} can go on" for mark in (";", ":")
    ]


def test_who_was_paged_for_two_is_told_of_both_until_the_end() -> None:
    """Whatever the second one's cause has become."""
    paged = replace(G, paged_at=at("05:00"))
    plan = look(
        "05:20", a_report("05:20", GROWTH, **SESSIONS), a_report("05:20", ENGAGEMENT, tasks=(WAITED, FAILED)),
        earlier=[paged, replace(FOLLOWS, paged_at=at("05:00"))], said={G.key: [("pager", "page-1-primary")]},
    )  # fmt: skip
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: GROWTH}


def test_an_incident_that_has_spoken_follows_nobody() -> None:
    """Whoever was told of it is told on in its own thread."""
    plan = look(
        "04:00", at_four(GROWTH, **SESSIONS), at_four(ENGAGEMENT, **SESSIONS),
        earlier=[G, E], said={E.key: WARNED, G.key: WARNED},
    )  # fmt: skip
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: ""}
    plan = look(
        "05:20", a_report("05:20", GROWTH, **SESSIONS), a_report("05:20", ENGAGEMENT, **SESSIONS),
        earlier=[replace(E, paged_at=at("05:00"))],
    )  # fmt: skip
    assert leaders(plan)[ENGAGEMENT] == ""


def test_a_follower_lives_its_leaders_life() -> None:
    """Paged and acknowledged with it; what is warned of and why is its own."""
    leader = replace(
        G, paged_at=at("05:00"), acknowledged_at=at("05:03"), acknowledged_by="C@example.com",
        escalation_round=1, warned=("master.sessions", "master.customers"),
    )  # fmt: skip
    plan = look(
        "05:20", a_report("05:20", GROWTH, **SESSIONS), a_report("05:20", ENGAGEMENT, **SESSIONS),
        earlier=[leader, FOLLOWS], said={G.key: [("pager", "page-1-primary"), ("chat", "page-1-primary")]},
    )  # fmt: skip
    [mine] = [one for one in plan.incidents if one.dag_id == ENGAGEMENT]
    assert (mine.paged_at, mine.acknowledged_by) == (at("05:00"), "C@example.com")
    assert (mine.verdict, mine.cause, mine.names) == ("broken", "upstream_late", ("master.sessions",))
    assert mine.detail.startswith("master.sessions has not arrived")
    assert mine.warned == ("master.sessions",)
    assert mine.escalation_round == 1
    assert (mine.acknowledged_at, mine.late_s, mine.resolved_at) == (at("05:03"), None, None)


def test_each_that_speaks_for_itself_is_told_of_after_the_followers() -> None:
    """However they are mixed."""
    plan = look(
        "05:00", a_report("05:00", GROWTH, **SESSIONS), a_report("05:00", ENGAGEMENT, **SESSIONS),
        a_report("05:00", PROFIT, **ORDERS),
    )  # fmt: skip
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: GROWTH, PROFIT: ""}
    assert len(titles(plan)) == 2


def test_who_speaks_for_a_late_report_and_came_in_time_was_in_time() -> None:
    """On its record; the thread tells how late the last one was."""
    plan = look(
        "05:30", a_report("05:30", GROWTH, publication=published("04:50")),
        a_report("05:30", ENGAGEMENT, publication=published("05:10")),
        earlier=[replace(G, paged_at=at("05:00")), FOLLOWS], said={G.key: [("pager", "page-1-primary")]},
    )  # fmt: skip
    assert {one.dag_id: (one.verdict, one.late_s) for one in plan.incidents} == {
        GROWTH: ("kept", None), ENGAGEMENT: ("late", 10 * 60.0),
    }  # fmt: skip
    assert "up to 10 min late" in titles(plan, "chat", "post")[0]


def test_a_leader_and_its_followers_end_together() -> None:
    """Each as late as it was itself."""
    paged = replace(G, paged_at=at("05:00"))
    plan = look(
        "05:30", a_report("05:30", GROWTH, publication=published("05:29")),
        a_report("05:30", ENGAGEMENT, publication=published("05:10")),
        earlier=[paged, FOLLOWS], said={G.key: [("pager", "page-1-primary"), ("chat", "page-1-primary")]},
    )  # fmt: skip
    assert {one.dag_id: (one.resolved_at, one.late_s) for one in plan.incidents} == {
        GROWTH: (at("05:30"), 29 * 60.0), ENGAGEMENT: (at("05:30"), 10 * 60.0),
    }  # fmt: skip


# Whether there is an incident at all.


@pytest.mark.parametrize(
    ("clock", "facts", "opens"),
    [
        ("03:00", SESSIONS, False),  # waiting
        ("03:30", SESSIONS, True),
        ("05:00", {"tasks": (WAITED,)}, True),
        ("05:00", {"publication": published("04:00")}, False),
        ("05:20", {"publication": published("05:10")}, False),  # late, and nobody saw it: history tells
        (
            "06:00",
            {"publication": published("04:00"), "tasks": (a_task("x", "failed", "05:00", "05:10"),)},
            True,
        ),
        ("02:45", {"tasks": (WAITED, FAILED)}, True),
    ],
)
def test_when_an_incident_opens(clock: str, facts: dict[str, Any], opens: bool) -> None:
    """From the first warning or failure on."""
    plan = look(clock, a_report(clock, **facts))
    assert [one.key for one in plan.incidents] == (["growth_etl:2026-11-22"] if opens else [])
    if opens:
        [one] = plan.incidents
        assert (one.opened_at, one.due, one.open) == (at(clock), at("05:00"), True)
        assert one.report == "investor.daily_growth"  # whatever its DAG is called by then


@pytest.mark.parametrize(("since", "opens"), [("05:00", True), ("05:00:00.000001", False), ("04:00", True)])
def test_what_was_due_before_anybody_watched_is_history(since: str, opens: bool) -> None:
    """A new installation pages for nothing of the past; a failure now is one now."""
    plan = look("06:00", a_report("06:00"), since=at(since))
    assert bool(plan.incidents) is opens
    failed = a_report("04:30", tasks=(WAITED, FAILED))
    assert look("04:30", failed, since=at("05:00")).incidents


def test_an_open_incident_goes_on_and_an_ended_one_has_a_successor() -> None:
    """Of one report date: each its own key."""
    assert [one.key for one in look("05:00", a_report("05:00"), earlier=[G]).incidents] == [G.key]
    ended = replace(G, resolved_at=at("04:00"), verdict="kept")
    [again] = [one for one in look("05:00", a_report("05:00"), earlier=[ended]).incidents if one.open]
    assert again.key == f"{G.key}:r2"
    third = replace(again, resolved_at=at("06:00"))
    found = look("07:00", a_report("07:00"), earlier=[ended, third]).incidents
    assert [one.key for one in found if one.open] == [f"{G.key}:r3"]


@pytest.mark.parametrize(
    ("ended", "clock", "facts", "pages"),
    [
        ("11:09:59", "12:00", AGAIN, True),
        ("11:10", "12:00", AGAIN, False),  # they knew of this failure
        ("11:30", "12:00", AGAIN, False),
        ("04:10", "04:30", SESSIONS, False),  # whoever ended the warning has heard it
        ("04:10", "04:59:59", SESSIONS, False),
        ("04:10", "05:00", SESSIONS, True),  # the promise was not ended
        ("04:59:59.999999", "05:20", SESSIONS, True),
        ("05:00", "05:20", SESSIONS, False),
        ("05:10", "05:20", SESSIONS, False),
        ("05:10", "12:00", SESSIONS, False),
        (
            "05:10", "12:00",
            {"publication": published("06:00"), "tasks": (a_task("x", "failed", "11:00", "11:10"),)}, True,
        ),  # published since: a later failure is another matter
    ],
)  # fmt: skip
def test_what_a_person_ended_stays_over(ended: str, clock: str, facts: dict[str, Any], pages: bool) -> None:
    """Until it is published; only a promise that breaks after it pages all the same."""
    over = replace(G, resolved_at=at(ended), verdict=RESOLVED_BY_HAND)
    assert any(one.open for one in look(clock, a_report(clock, **facts), earlier=[over]).incidents) is pages


def test_a_report_without_a_promise_that_a_person_ended_stays_over() -> None:
    """It can break no promise."""
    over = replace(G, due=None, resolved_at=at("04:00"), verdict=RESOLVED_BY_HAND)
    failed = a_report("06:00", promised=False, tasks=(WAITED, FAILED))
    assert not [one for one in look("06:00", failed, earlier=[over]).incidents if one.open]


# Stale reports.

RELOADED: dict[str, Any] = {
    "publication": published("04:00"),
    "changed_since": (a_load("master.sessions", "06:10"),),
}


def stale_titles(plan: Plan) -> list[str]:
    return [title for title in titles(plan, "chat", "post") if title.startswith("Stale: ")]


def test_a_stale_report_is_a_notice_once_for_each_change() -> None:
    """In an incident that is over from its beginning: nobody is woken."""
    first = look("06:30", a_report("06:30", **RELOADED))
    assert len(stale_titles(first)) == 1
    assert titles(first) == []
    [quiet] = first.incidents
    assert (quiet.open, quiet.verdict) == (False, "stale")
    assert (quiet.key, quiet.dag_id, quiet.report_date) == (G.key, GROWTH, G.report_date)
    assert (quiet.opened_at, quiet.resolved_at, quiet.due) == (at("06:30"), at("06:30"), at("05:00"))
    assert [event.what for event in first.events] == stale_titles(first)
    step = [("chat", owed.step) for owed in first.owed]
    again = look("06:31", a_report("06:31", **RELOADED), earlier=[quiet], said={quiet.key: step})
    assert stale_titles(again) == []
    assert (again.incidents, again.events) == ((), ())
    newer: dict[str, Any] = {**RELOADED, "changed_since": (a_load("master.sessions", "06:40"),)}
    assert (
        len(stale_titles(look("06:50", a_report("06:50", **newer), earlier=[quiet], said={quiet.key: step})))
        == 1
    )


@pytest.mark.parametrize(
    ("facts", "since", "said"),
    [
        (RELOADED, "06:10", True),
        (RELOADED, "06:10:00.000001", False),  # before anybody watched
        ({**RELOADED, "publication": None}, "00:00", False),
        ({**RELOADED, "changed_since": ()}, "00:00", False),
    ],
)
def test_what_is_stale(facts: dict[str, Any], since: str, said: bool) -> None:
    """A published day of which upstream was loaded again while somebody watched."""
    plan = look("06:30", a_report("06:30", **facts), since=at(since))
    assert bool(stale_titles(plan)) is said


def test_a_drill_is_never_stale() -> None:
    """It is about nothing."""
    assert look("06:30", a_report("06:30", drill="x", **RELOADED)) == Plan()


def test_a_stale_notice_stands_in_the_thread_of_the_nights_incident() -> None:
    """Where there was one; it stays resolved."""
    night = replace(G, resolved_at=at("05:42"), verdict="late")
    plan = look(
        "06:30", a_report("06:30", **RELOADED), earlier=[night], said={G.key: [("chat", "page-1-primary")]}
    )
    assert {owed.key for owed in plan.owed} == {G.key}
    assert plan.incidents == ()
    again = replace(night, key=f"{G.key}:r2")
    plan = look("06:30", a_report("06:30", **RELOADED), earlier=[night, again])
    assert {owed.key for owed in plan.owed} == {again.key}


def test_incidents_are_found_by_what_they_are_about() -> None:
    """Pipeline, report date and drill; in the order given."""
    drill, again = an_incident(drill="x"), replace(G, key=f"{G.key}:r2")
    found = by_promise([G, drill, again, E])
    assert found[GROWTH, G.report_date, ""] == [G, again]
    assert found[GROWTH, G.report_date, "x"] == [drill]
    assert found[ENGAGEMENT, E.report_date, ""] == [E]


def test_the_open_cases_are_handed_back() -> None:
    """To know when to look again: what is open after the look, with its members; not what has just ended."""
    earlier = by_promise([replace(G, due=at("04:30"), verdict="at_risk")])
    reports = [
        a_report("05:00", GROWTH, **SESSIONS),
        a_report("05:00", PROFIT, publication=published("04:00")),
    ]
    plan, [case] = decide(reports, earlier, {}, a_scene("05:00"), LONG_AGO)
    assert [one.pipeline.dag_id for one in case.members] == [GROWTH]
    assert (case.incident.key, case.incident.paged_at) == (G.key, at("05:00"))
    [mine] = plan.incidents
    assert (mine.due, mine.verdict) == (at("05:00"), "broken")  # the configuration had moved it
    over = [a_report("05:30", GROWTH, publication=published("05:20"))]
    assert decide(over, earlier, {}, a_scene("05:30"), LONG_AGO)[1] == ()


@pytest.mark.parametrize(
    ("clock", "paged", "due", "publication", "knows"),
    [
        ("04:40", False, "06:00", None, "06:00"),
        ("05:20", True, "05:10", None, "05:10"),  # late by the new time too
        ("05:20", True, "05:10", published("05:15"), "05:10"),
    ],
)
def test_a_due_time_that_was_moved_is_the_incidents_own_at_the_next_look(
    clock: str, paged: bool, due: str, publication: Any, knows: str
) -> None:
    """How late it is is counted from there."""
    [mine] = moved_to(clock, due, paged=paged, publication=publication).incidents
    assert mine.due == at(knows)


def test_what_was_paged_for_and_is_not_late_any_more_ends() -> None:
    """The thread says when it is due now."""
    plan = moved_to("05:20", "06:00", paged=True)
    assert titles(plan, "chat", "post") == ["Not late any more: Growth ETL, 22 Nov is due at 06:00 now"]
    assert [(one.open, one.verdict, one.due) for one in plan.incidents] == [(False, "moved", at("06:00"))]


def moved_to(clock: str, due: str, *, paged: bool, publication: Any = None) -> Plan:
    """The look at a report that was due at five when somebody heard of it, and is due at another time now."""
    facts = Facts(publication=publication, tasks=(WAITED, FAILED))
    status = evaluate_promise(a_pipeline(GROWTH), G.report_date, facts, at(clock), TZ, DueTimes(due=at(due)))
    step = "page-1-primary" if paged else "warning"
    known = replace(G, paged_at=at("05:00") if paged else None)
    return look(clock, status, earlier=[known], said={G.key: [("chat", step), ("pager", step)]})


def test_what_its_row_says_of_an_incident_is_what_this_look_has_seen() -> None:
    """Also between two tasks, when no other cause is said yet: a restart reads it there."""
    could_not_see = replace(G, paged_at=at("05:00"), verdict="unknown", cause="unknown")
    between = a_report("05:20", tasks=(WAITED, a_task("transform", ended="05:19:50")))
    plan = look("05:20", between, earlier=[could_not_see], said={G.key: [("pager", "page-1-primary")]})
    assert [(one.verdict, one.cause) for one in plan.incidents] == [("broken", "unknown")]


def test_a_drill_has_an_incident_of_its_own() -> None:
    """Marked in its key."""
    [mine] = look("05:00", a_report("05:00", drill="x")).incidents
    assert (mine.key, mine.drill) == ("drill-x:growth_etl:2026-11-22", "x")


def test_who_was_paged_already_speaks_for_nobody_new() -> None:
    """Whatever breaks later has a page of its own; also beside others that are followed."""
    paged = replace(G, paged_at=at("05:00"))
    reports = [a_report("05:20", dag_id, **SESSIONS) for dag_id in (GROWTH, ENGAGEMENT, PROFIT)]
    said = {G.key: [("pager", "page-1-primary")]}
    assert leaders(look("05:20", *reports[:2], earlier=[paged], said=said)) == {GROWTH: "", ENGAGEMENT: ""}
    both = look("05:20", *reports, earlier=[paged, replace(FOLLOWS, paged_at=at("05:00"))], said=said)
    assert leaders(both) == {GROWTH: "", ENGAGEMENT: GROWTH, PROFIT: ""}


# Of several days, and what was told apart before.

YESTERDAY = dt.date(2026, 11, 21)
TASKS_UNREAD: dict[str, Any] = {"unreadable": ("airflow: gone",)}


def of_yesterday(status: PromiseStatus) -> PromiseStatus:
    return replace(status, report_date=YESTERDAY)


@pytest.mark.parametrize(
    ("clock", "facts", "together"),
    [
        ("05:00", NOT_SCHEDULED, True),  # after an outage one page names all that never started
        ("05:00", BLIND, True),
        ("05:00", SESSIONS, False),  # each day waits for a load of its own
        ("04:00", BLIND, False),  # not late yet: each has its own due time
    ],
)
def test_what_is_late_of_several_days_for_one_reason_is_one_page(
    clock: str, facts: dict[str, Any], together: bool
) -> None:
    """Whenever each of them was due."""
    older = replace(of_yesterday(a_report(clock, **facts)), due=at(clock, days=-1))
    plan = look(clock, older, a_report(clock, **facts))
    assert [one.leader for one in plan.incidents] == ["", f"{GROWTH}:{YESTERDAY}" if together else ""]


@pytest.mark.parametrize(
    ("paged", "taken", "facts", "wakes"),
    [
        ("05:00", "", SESSIONS, False),
        (
            "04:55",
            "",
            SESSIONS,
            True,
        ),  # they may have done nothing about it: everybody on the escalation was called
        ("04:30", "04:32", SESSIONS, False),  # it is theirs for an hour
        ("04:00", "04:10", SESSIONS, True),
        ("05:00", "04:50", SESSIONS, False),  # what they had taken before is another thing
        ("05:00", "", ORDERS, True),  # another cause
        ("05:00", "", {**SESSIONS, "loads": (a_load("master.orders"), a_load())}, False),
        ("05:00", "", {"dag": a_dag(paused=True)}, True),
    ],
)
def test_what_is_due_a_little_later_for_the_same_cause_is_told_in_the_thread(
    paged: str, taken: str, facts: dict[str, Any], wakes: bool
) -> None:
    """Growth was due at five, Profit is at ten past: the thread says that it is late too, and since when."""
    had: dict[str, Any] = {"acknowledged_at": at(taken), "acknowledged_by": "C@example.com"} if taken else {}
    growth = replace(G, paged_at=at(paged), **had)
    said = {G.key: [("pager", "page-1-primary"), ("chat", "page-1-primary")]}
    later = replace(a_report("05:10", PROFIT, **facts), due=at("05:10"))
    now = a_report("05:10", GROWTH, **SESSIONS)
    plan = look("05:10", now, later, earlier=[growth], said=said)
    assert leaders(plan) == {GROWTH: "", PROFIT: "" if wakes else GROWTH}
    woken = [
        one for one in map(Said.of, plan.owed) if one.where == ("pager", "page") and "Profit" in one.title
    ]
    assert len(woken) == wakes
    told = [
        title
        for title in titles(plan, "chat", "post")
        if title.startswith("Profit ETL, 22 Nov too, late since")
    ]
    assert len(told) == (not wakes)


@pytest.mark.parametrize(("taken", "wakes"), [("", False), ("05:02", True)])
def test_whoever_has_one_that_hangs_is_woken_for_another_one_that_is_due_later(
    taken: str, wakes: bool
) -> None:
    """They may hang for two reasons. Where nobody has it yet, the escalation goes on and names both."""
    had: dict[str, Any] = {"acknowledged_at": at(taken), "acknowledged_by": "C@example.com"} if taken else {}
    hangs: dict[str, Any] = {"tasks": (WAITED, a_task("transform", "running", "02:10"))}
    later = replace(a_report("05:10", PROFIT, **hangs), due=at("05:10"))
    now = a_report("05:10", GROWTH, **hangs)
    assert {one.why.cause for one in (now, later) if one.why} == {"stuck"}
    said = {G.key: [("pager", "page-1-primary"), ("chat", "page-1-primary")]}
    plan = look("05:10", now, later, earlier=[replace(G, paged_at=at("05:00"), **had)], said=said)
    assert leaders(plan) == {GROWTH: "", PROFIT: "" if wakes else GROWTH}


def test_what_is_due_a_little_later_is_told_with_what_is_still_missing() -> None:
    """Growth, which speaks for Engagement, is published by ten past."""
    paged = [replace(G, paged_at=at("05:00")), replace(FOLLOWS, paged_at=at("05:00"))]
    said = {G.key: [("pager", "page-1-primary"), ("chat", "page-1-primary")]}
    reports = [
        a_report("05:10", GROWTH, publication=published("05:04")),
        a_report("05:10", ENGAGEMENT, **SESSIONS),
        replace(a_report("05:10", PROFIT, **SESSIONS), due=at("05:10")),
    ]
    plan = look("05:10", *reports, earlier=paged, said=said)
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: GROWTH, PROFIT: GROWTH}
    assert titles(plan) == []


def test_who_was_paged_because_nothing_can_be_seen_has_what_is_due_later_too() -> None:
    """One trouble, one person; what is late for a reason that is known has a page of its own."""
    paged = replace(G, paged_at=at("05:00"))
    said = {G.key: [("pager", "page-1-primary"), ("chat", "page-1-primary")]}
    later = replace(a_report("05:10", PROFIT, **BLIND), due=at("05:10"))
    plan = look("05:10", a_report("05:10", GROWTH, **BLIND), later, earlier=[paged], said=said)
    assert leaders(plan) == {GROWTH: "", PROFIT: GROWTH}
    assert titles(plan) == []
    known = replace(a_report("05:10", PROFIT, **ORDERS), due=at("05:10"))
    apart = look("05:10", a_report("05:10", GROWTH, **BLIND), known, earlier=[paged], said=said)
    assert leaders(apart) == {GROWTH: "", PROFIT: ""}
    assert len(titles(apart)) == 1


TAKEN: dict[str, Any] = {"acknowledged_at": at("04:05"), "acknowledged_by": "C@example.com"}


TAKEN_BEFORE = {**TAKEN, "acknowledged_at": at("03:59")}
LAST_CHANCE = [("chat", "last-chance"), ("pager", "last-chance")]


@pytest.mark.parametrize(
    ("growth", "engagement", "early", "together"),
    [
        ({}, {}, [], True),
        (TAKEN, {}, [], True),  # of a warning: a page follows for both
        ({}, TAKEN, [], True),
        (TAKEN, {}, LAST_CHANCE, False),  # whoever has the one does not know of the other
        ({}, TAKEN, LAST_CHANCE, False),
        (TAKEN_BEFORE, {}, LAST_CHANCE, True),  # they had the warning, and may be asleep
        ({}, TAKEN_BEFORE, LAST_CHANCE, True),
    ],
)
def test_what_was_warned_of_apart_is_one_page_once_it_is_late(
    growth: dict[str, Any], engagement: dict[str, Any], early: list[tuple[str, str]], together: bool
) -> None:
    """Its own alerts are closed, and its thread says who tells of it from here on; once."""
    reports = [a_report("05:00", dag_id, **SESSIONS) for dag_id in (GROWTH, ENGAGEMENT)]
    earlier = [replace(G, **growth), replace(E, **engagement)]
    said = {one.key: WARNED + early * (one.acknowledged_at is not None) for one in earlier}
    plan = look("05:00", *reports, earlier=earlier, said=said)
    first, second = (E, G) if together and len(said[E.key]) > len(said[G.key]) else (G, E)  # it rang
    assert leaders(plan) == {first.dag_id: "", second.dag_id: first.dag_id if together else ""}
    assert len(titles(plan)) == 1  # the one that somebody has wakes nobody
    told = [Said.of(owed) for owed in plan.owed if owed.key == second.key and owed.step == "joined"]
    name, speaker = (one.dag_id.removesuffix("_etl").title() for one in (second, first))
    assert [one.title for one in told] == (
        [f"{name} ETL, 22 Nov: told with {speaker} ETL, 22 Nov from here on"] if together else []
    )
    closed = [Said.of(owed).alias for owed in plan.owed if owed.op == "close"]
    rang = [f"{second.key}:{step}" for channel, step in said[second.key] if channel == "pager"]
    assert closed == (rang if together else [])
    assert (told[0].title in [event.what for event in plan.events]) if together else True
    said[second.key] = [*said[second.key], ("chat", "joined")]
    again = look("05:00", *reports, earlier=earlier, said=said)
    assert [owed for owed in again.owed if owed.step in ("joined", f"close:{second.key}:warning")] == []


@pytest.mark.parametrize(
    ("step", "taken", "stays"),
    [
        ("last-chance", TAKEN, True),
        ("failed-1", TAKEN, True),
        ("warning", TAKEN, False),  # whoever has a warning may be asleep
        ("last-chance", {}, False),
        ("", TAKEN, False),  # nothing is known of what was said
    ],
)
def test_who_has_several_before_they_are_late_has_them_until_the_end(
    step: str, taken: dict[str, Any], stays: bool
) -> None:
    """Whatever the cause of each becomes."""
    plan = look(
        "04:50", a_report("04:50", GROWTH, **SESSIONS), a_report("04:50", ENGAGEMENT, tasks=(WAITED, FAILED)),
        earlier=[replace(G, **taken), FOLLOWS],
        said={G.key: [("chat", step), ("pager", step)]} if step else {},
    )  # fmt: skip
    assert leaders(plan)[ENGAGEMENT] == (GROWTH if stays else "")


# A failure of several reports.

P2 = [("pager", "failed-1"), ("chat", "failed-1")]
BOOM_AT_0240 = f"night/transform@{at('02:40')}"


def test_what_fails_in_one_look_for_one_reason_is_one_page() -> None:
    """Which names all of them; how each has failed stands below."""
    plan = look(
        "02:41", a_report("02:41", GROWTH, **failed_by("disk full")),
        a_report("02:41", ENGAGEMENT, **failed_by("disk full", "02:39")),
    )  # fmt: skip
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: GROWTH}
    both = "2 reports of 22 Nov (Growth ETL, Engagement ETL)"
    assert titles(plan) == [f"{both}: failed: disk full"]
    [page] = [owed.message for owed in plan.owed if owed.op == "page"]
    assert dict(page.facts)["Cause, Engagement ETL"] == "failed: task transform failed at 02:39: disk full"


@pytest.mark.parametrize(("fails", "wakes"), [("02:54", False), ("02:55", True)])
def test_what_fails_a_little_later_for_the_same_reason_wakes_nobody_again(fails: str, wakes: bool) -> None:
    """The thread of the first tells; a quarter of an hour later somebody is woken: the first may long be mended."""
    first = replace(G, failure=BOOM_AT_0240, failures=1)
    reports = [
        a_report("02:57", GROWTH, **failed_by("boom")),
        a_report("02:57", ENGAGEMENT, **failed_by("boom", fails)),
    ]
    plan = look("02:57", *reports, earlier=[first], said={G.key: P2})
    told = f"Engagement ETL, 22 Nov{'' if wakes else ' too'}: transform failed at {fails}: boom"
    assert titles(plan) == ([told] if wakes else [])
    assert titles(plan, "chat", "post") == [told]
    later = look("02:58", *reports, earlier=plan.incidents, said={G.key: P2, E.key: P2 if wakes else []})
    assert later.owed == ()


def test_whoever_has_spoken_of_it_speaks_on() -> None:
    """Also where another one stands before it in the roster: their thread is there."""
    first = replace(E, failure=BOOM_AT_0240, failures=1)
    plan = look(
        "02:42", a_report("02:42", GROWTH, **failed_by("boom", "02:41")),
        a_report("02:42", ENGAGEMENT, **failed_by("boom")), earlier=[first], said={E.key: P2},
    )  # fmt: skip
    assert leaders(plan) == {GROWTH: ENGAGEMENT, ENGAGEMENT: ""}
    assert titles(plan) == []


def test_what_somebody_was_told_of_with_another_one_is_no_news_once_that_is_mended() -> None:
    """Nor is anybody woken before its next run has failed too."""
    told = f"{BOOM_AT_0240} night/transform@{at('02:41')}"
    earlier = [replace(G, failure=told, failures=1), FOLLOWS]
    mended = a_report("03:00", GROWTH, publication=published("02:59"))
    stands = a_report("03:00", ENGAGEMENT, **failed_by("boom", "02:41"))
    assert titles(look("03:00", mended, stands, earlier=earlier, said={G.key: P2})) == []
    anew = a_report("03:10", ENGAGEMENT, **failed_by("boom", "03:09"))
    plan = look("03:10", mended, anew, earlier=earlier, said={G.key: P2})
    assert titles(plan) == ["Engagement ETL, 22 Nov: transform failed at 03:09: boom"]
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: GROWTH}


def test_whoever_has_one_failure_in_hand_is_woken_for_another_report() -> None:
    """They do not know of it."""
    first = replace(G, failure=BOOM_AT_0240, failures=1, **TAKEN)
    reports = [
        a_report("04:10", GROWTH, **failed_by("boom")),
        a_report("04:10", ENGAGEMENT, **failed_by("boom")),
    ]
    plan = look("04:10", *reports, earlier=[first], said={G.key: P2})
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: ""}
    assert len(titles(plan)) == 1


def test_what_had_a_try_left_is_told_where_the_error_was_told() -> None:
    """It waits for its next try while the other one fails by the same error: nobody is woken again minutes later."""
    retries = a_task("transform", "up_for_retry", "04:10", "04:44", "disk full")
    reports = [
        a_report("04:45", GROWTH, **failed_by("disk full", "04:44")),
        a_report("04:45", ENGAGEMENT, tasks=(WAITED, retries)),
    ]
    first = look("04:45", *reports)
    assert leaders(first) == {GROWTH: "", ENGAGEMENT: GROWTH}
    assert titles(first) == ["Growth ETL, 22 Nov: transform failed at 04:44: disk full"]
    told = {G.key: tuple(an_entry(G.key, *each, owed_at=at("04:45")) for each in P2)}

    def then(error: str, earlier: Sequence[Incident]) -> Plan:
        both = (reports[0], a_report("04:48", ENGAGEMENT, **failed_by(error, "04:47")))
        return decide(both, by_promise(earlier), told, a_scene("04:48"), LONG_AGO)[0]

    plan = then("disk full", first.incidents)
    assert titles(plan) == []
    assert titles(plan, "chat", "post") == [
        "Engagement ETL, 22 Nov too: transform failed at 04:47: disk full"
    ]
    assert titles(then("disk full", plan.incidents), "chat", "post") == []
    taken = [replace(one, acknowledged_at=at("04:46")) for one in first.incidents]
    for other in (then("disk full", taken), then("boom", first.incidents)):
        assert len(titles(other)) == 1


def test_a_report_that_is_run_again_and_fails_by_the_same_error_failed_again_and_not_too() -> None:
    """It was told of with the other one."""
    failed = [a_report("04:45", dag_id, **failed_by("disk full", "04:44")) for dag_id in (GROWTH, ENGAGEMENT)]
    first = look("04:45", *failed)
    before = a_task("transform", "failed", "02:10", "04:44", "disk full", "first")
    anew = a_report("04:48", ENGAGEMENT, failed_before=(before,), **failed_by("disk full", "04:47"))
    told = {G.key: tuple(an_entry(G.key, *each, owed_at=at("04:45")) for each in P2)}
    plan = decide((failed[0], anew), by_promise(first.incidents), told, a_scene("04:48"), LONG_AGO)[0]
    assert titles(plan) == []
    assert titles(plan, "chat", "post") == [
        "Engagement ETL, 22 Nov again: transform failed at 04:47: disk full"
    ]


def test_what_waits_for_one_table_is_told_together_whenever_earlier_runs_have_failed() -> None:
    """That the run of one gave up half an hour before that of the other makes no second alert of it."""
    gave_up = [
        a_task("wait_for_upstream", "failed", "02:00", ended, "AirflowSensorTimeout")
        for ended in ("03:00", "03:40")
    ]
    reports = [
        a_report("04:40", dag_id, **SESSIONS, tasks=(task,))
        for dag_id, task in zip((GROWTH, ENGAGEMENT), gave_up, strict=True)
    ]
    assert leaders(look("04:40", *reports)) == {GROWTH: "", ENGAGEMENT: GROWTH}


def test_whoever_knows_of_a_report_that_still_stands_is_woken_for_one_that_is_missing() -> None:
    """By the same error, minutes later or in the same look."""
    stands = a_report("04:10", GROWTH, publication=published("03:00"), **failed_by("disk full", "04:05"))
    missing = a_report("04:10", ENGAGEMENT, **failed_by("disk full", "04:09"))
    known = replace(G, failure=f"night/transform@{at('04:05')}", failures=1)
    plan = look("04:10", stands, missing, earlier=[known], said={G.key: P2})
    assert titles(plan) == ["Engagement ETL, 22 Nov: transform failed at 04:09: disk full"]
    plan = look("04:10", stands, missing)
    assert leaders(plan) == {ENGAGEMENT: "", GROWTH: ENGAGEMENT}
    assert titles(plan) == ["2 reports of 22 Nov (Engagement ETL, Growth ETL): failed: disk full"]


@pytest.mark.parametrize(
    "found", ["no table master.sessions", "none in master.sessions", "3 in master.sessions.id"]
)
def test_a_table_that_is_not_what_it_was_holds_several_and_wakes_once(found: str) -> None:
    """Upstream has renamed it, or a column of it: each report that reads it is held by a check of its own."""
    check = FailedCheck("sessions_exist", "a table master.sessions", found)
    reports = [a_report("03:12", dag, failed_checks=(check,)) for dag in (GROWTH, ENGAGEMENT)]
    plan = look("03:12", *reports)
    assert len(titles(plan)) == 1
    assert titles(plan)[0].startswith("2 reports of 22 Nov")
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: GROWTH}


def test_a_failure_of_what_stands_is_told_beside_one_that_is_late() -> None:
    """The page has told of the late one; the other was run again, and fails."""
    late = a_report("05:12", GROWTH, **failed_by("boom", "05:10"))
    again = a_report("05:12", ENGAGEMENT, publication=published("04:40"), **failed_by("no disk", "05:11"))
    had = [replace(G, paged_at=at("05:00")), replace(FOLLOWS, paged_at=at("05:00"))]
    said = {G.key: [("pager", "page-1-primary"), ("chat", "page-1-primary")]}
    plan = look("05:12", late, again, earlier=had, said=said)
    assert titles(plan) == ["Engagement ETL, 22 Nov: transform failed at 05:11: no disk"]


def test_each_report_that_fails_once_it_is_late_is_told_of() -> None:
    """The one that is spoken of has failed before; the other one goes on when somebody is paged, and fails then."""
    first = [
        a_report("05:00", GROWTH, **failed_by("boom", "04:59")),
        a_report("05:00", ENGAGEMENT, **RUNS),
    ]
    follows = replace(FOLLOWS, paged_at=at("05:00"))
    paged = [replace(G, paged_at=at("05:00"), cause="failed", names=("transform",)), follows]
    said = {G.key: [("pager", "page-1-primary"), ("chat", "page-1-primary")]}
    plan = look("05:00", *first, earlier=paged, said=said)
    assert titles(plan, "chat", "post") == []
    then = [
        a_report("05:12", GROWTH, **failed_by("boom", "04:59")),
        a_report("05:12", ENGAGEMENT, **failed_by("no disk", "05:11")),
    ]
    plan = look("05:12", *then, earlier=plan.incidents, said=said)
    told = "Engagement ETL, 22 Nov: transform failed at 05:11: no disk"
    assert titles(plan, "chat", "post") == [told]
    assert titles(plan, "pager", "note") == [told]
    assert titles(plan) == []
    assert look("05:13", *then, earlier=plan.incidents, said=said).owed == ()
    again = [a_report("05:14", GROWTH, **failed_by("boom", "05:13")), then[1]]
    plan = look("05:14", *again, earlier=plan.incidents, said=said)
    told = "Growth ETL, 22 Nov: transform failed at 05:13: boom"
    assert titles(plan, "chat", "post") == [told]  # by the same error, of another run


@pytest.mark.parametrize(
    ("stops", "told"),
    [
        (STUCK, "Engagement ETL, 22 Nov: now stuck in transform since 03:12"),
        (BLOCKED, "Engagement ETL, 22 Nov: now stuck in transform since 03:12, blocked by pid 7"),
        ({"dag": a_dag(paused=True)}, "Engagement ETL, 22 Nov: now DAG paused"),
    ],
)
def test_each_report_that_stops_once_it_is_late_is_told_of_once(stops: dict[str, Any], told: str) -> None:
    """The one that is spoken of has failed before; the other one ran, and now hangs or does not start."""
    first = [
        a_report("05:00", GROWTH, **failed_by("boom", "04:59")),
        a_report("05:00", ENGAGEMENT, **RUNS),
    ]
    follows = replace(FOLLOWS, paged_at=at("05:00"))
    paged = [replace(G, paged_at=at("05:00"), cause="failed", names=("transform",)), follows]
    said = {G.key: [("pager", "page-1-primary"), ("chat", "page-1-primary")]}
    plan = look("05:00", *first, earlier=paged, said=said)
    then = [
        a_report("05:12", GROWTH, **failed_by("boom", "04:59")),
        a_report("05:12", ENGAGEMENT, **stops),
    ]
    plan = look("05:12", *then, earlier=plan.incidents, said=said)
    assert [title[: len(told)] for title in titles(plan, "chat", "post")] == [told]
    assert titles(plan) == []
    assert look("05:13", *then, earlier=plan.incidents, said=said).owed == ()
    if "dag" not in stops:  # by whom it is blocked, or that it is, is no other trouble
        then[1] = a_report("05:14", ENGAGEMENT, **{**STUCK, "blocked_by": "pid 9 (etl, idle)"})
        assert look("05:14", *then, earlier=plan.incidents, said=said).owed == ()


def test_what_stops_for_one_reason_is_told_once() -> None:
    """Of all that are late, or of those that were not told of."""
    follows = [replace(FOLLOWS, paged_at=at("05:00"))]
    follows.append(replace(follows[0], dag_id=PROFIT, key=f"{PROFIT}:2026-11-22"))
    for first, told in (
        (RUNS, "3 reports of 22 Nov (Growth ETL, Engagement ETL, Profit ETL): now stuck in transform"),
        (
            failed_by("boom", "04:59"),
            "2 reports of 22 Nov (Engagement ETL, Profit ETL): now stuck in transform",
        ),
    ):
        paged = replace(
            G, paged_at=at("05:00"), cause="running" if first is RUNS else "failed", names=("transform",)
        )
        said = {G.key: [("pager", "page-1-primary"), ("chat", "page-1-primary")]}
        rest = [a_report("05:00", dag_id, **RUNS) for dag_id in (ENGAGEMENT, PROFIT)]
        plan = look("05:00", a_report("05:00", GROWTH, **first), *rest, earlier=[paged, *follows], said=said)
        then = [a_report("05:12", dag_id, **STUCK) for dag_id in (ENGAGEMENT, PROFIT)]
        lead = a_report("05:12", GROWTH, **(STUCK if first is RUNS else first))
        plan = look("05:12", lead, *then, earlier=plan.incidents, said=said)
        assert [title[: len(told)] for title in titles(plan, "chat", "post")] == [told]


def test_what_gets_on_by_itself_is_not_what_a_page_speaks_of_first() -> None:
    """Nothing is to be left alone while another report hangs."""
    plan = look("05:00", a_report("05:00", GROWTH, **RUNS), a_report("05:00", ENGAGEMENT, **STUCK))
    assert leaders(plan) == {GROWTH: "", ENGAGEMENT: GROWTH}
    [page] = [owed.message for owed in plan.owed if owed.op == "page"]
    assert (
        page.title == "2 reports of 22 Nov: late since 05:00, Engagement ETL stuck in transform since 03:12"
    )
    assert "steps for stuck" in page.steps
    assert [incident.first_cause for incident in plan.incidents] == ["running", "stuck"]


def test_what_is_done_for_each_of_several_names_each() -> None:
    """Somebody has paused two DAGs: whoever unpauses one of them has only done half."""
    paused: dict[str, Any] = {"dag": a_dag(paused=True)}
    both = look("05:00", a_report("05:00", GROWTH, **paused), a_report("05:00", ENGAGEMENT, **paused))
    [page] = [owed.message for owed in both.owed if owed.op == "page"]
    assert (
        "unpause the DAGs growth_etl, engagement_etl. Its audit log in Airflow mostly tells who paused it"
        in page.steps
    )
    [page] = [owed.message for owed in look("05:00", a_report("05:00", **paused)).owed if owed.op == "page"]
    assert "unpause the DAG growth_etl. Its audit log in Airflow mostly tells who paused it" in page.steps


# A failure of several days.


def woken_by(plan: Plan) -> list[str]:
    return [owed.key for owed in plan.owed if owed.op == "page"]


def test_of_days_that_fail_together_only_the_first_wakes_somebody() -> None:
    """The others are told with it, in one breath; another pipeline's error wakes by itself."""
    reports = [of_yesterday(a_report("11:10", **AGAIN)), a_report("11:10", **AGAIN)]
    other = {**AGAIN, "tasks": (a_task("transform", "failed", "11:00", "11:10", "no disk"),)}
    plan = look("11:10", *reports, a_report("11:10", ENGAGEMENT, **other))
    assert woken_by(plan) == [f"{GROWTH}:{YESTERDAY}", f"{ENGAGEMENT}:{G.report_date}"]
    told = [
        "2 reports of 21 Nov to 22 Nov: transform failed at 11:10: boom",
        "Engagement ETL, 22 Nov: transform failed at 11:10: no disk",
    ]
    assert titles(plan) == titles(plan, "chat", "post") == told
    assert [one.leader for one in plan.incidents] == ["", f"{GROWTH}:{YESTERDAY}", ""]


def test_an_older_day_that_fails_by_the_error_of_today_wakes_nobody_again() -> None:
    """Its report still stands. The other way round today's does not come: that wakes."""
    older = of_yesterday(
        a_report("04:10", ENGAGEMENT, publication=published("02:00"), **failed_by("disk full", "04:09"))
    )
    today = a_report("04:10", GROWTH, **failed_by("disk full", "04:08"))
    key = f"{ENGAGEMENT}:{YESTERDAY}"
    assert woken_by(look("04:10", today, older)) == [G.key]
    known = replace(G, failure=f"night/transform@{at('04:08')}", failures=1)
    told = tuple(an_entry(G.key, *each, owed_at=at("04:08")) for each in P2)
    plan, _ = decide([today, older], by_promise([known]), {G.key: told}, a_scene("04:10"), LONG_AGO)
    assert woken_by(plan) == []
    assert [owed.key for owed in plan.owed if owed.op == "post"] == [key]
    assert woken_by(look("04:10", older, today)) == [key, G.key]
    other = a_report("04:10", GROWTH, **failed_by("boom", "04:08"))
    assert woken_by(look("04:10", other, older)) == [G.key, key]


@pytest.mark.parametrize(
    ("clock", "facts", "step"),
    [
        ("05:00", {"tasks": (WAITED, TRANSFORMS)}, "page-1-primary"),
        ("04:00", {"dag": a_dag(paused=True)}, "warning"),
    ],
)
def test_a_day_that_fails_wakes_whoever_was_woken_for_something_else(
    clock: str, facts: dict[str, Any], step: str
) -> None:
    """In the same look, of another day of the same pipeline."""
    failed = (a_task("transform", "failed", "03:00", "03:10", "boom"),)
    older = of_yesterday(a_report(clock, publication=published("02:00"), tasks=failed))
    plan = look(clock, a_report(clock, **facts), older)
    pages = [(owed.key, owed.step) for owed in plan.owed if owed.op == "page"]
    assert pages == [(G.key, step), (f"{GROWTH}:{YESTERDAY}", "failed-1")]


@pytest.mark.parametrize(
    ("page", "wakes"),
    [
        ({"owed_at": at("10:55:00.000001")}, False),
        ({"owed_at": at("10:55")}, False),  # they have gone on failing since
        ({"owed_at": at("11:09"), "state": "cancelled"}, True),
        ({"owed_at": at("11:09"), "unreached": "unknown"}, True),
        ({"owed_at": at("11:09"), "step": "warning"}, True),
        ({"owed_at": at("11:09"), "op": "post"}, True),
    ],
)
def test_who_was_woken_for_a_failure_lately_is_not_woken_for_the_next_day(
    page: dict[str, Any], wakes: bool
) -> None:
    """Only where that page reached somebody, and as long as they fail one after the other."""
    older = an_incident(report_date=YESTERDAY, key=f"{GROWTH}:{YESTERDAY}", failure="night/transform@x")
    entry = an_entry(older.key, "pager", **{"step": "failed-1", **page})
    second = {**AGAIN, "tasks": (a_task("transform", "failed", "11:00", "11:10", "boom", "second"),)}
    reports = [of_yesterday(a_report("11:10", **AGAIN)), a_report("11:10", **second)]
    known = replace(older, failure=f"night/transform@{at('11:10')}", failures=1)
    plan, _ = decide(reports, by_promise([known]), {known.key: (entry,)}, a_scene("11:10"), LONG_AGO)
    assert woken_by(plan) == ([older.key] if wakes else [])


def test_a_backfill_that_fails_is_one_thread_and_wakes_once() -> None:
    """Sixty days, a day a minute, by two errors in turn; taken after half an hour, and run again to the end."""
    first, days = f"{GROWTH}:{OLD}", [OLD + dt.timedelta(n) for n in range(60)]
    noon = at("12:00")
    known: dict[str, Incident] = {}
    said: dict[str, list[NotificationStatus]] = {}
    owed: list[Notification] = []

    def look_at(minute: int, reports: Sequence[PromiseStatus]) -> None:
        scene = replace(a_scene("12:00"), at=noon + dt.timedelta(minutes=minute))
        plan, _ = decide(reports, by_promise(list(known.values())), said, scene, LONG_AGO)
        known.update({one.key: one for one in plan.incidents})
        owed.extend(plan.owed)
        for one in plan.owed:
            entry = an_entry(one.key, one.channel, one.step, op=one.op, owed_at=scene.at)
            said.setdefault(one.key, []).append(entry)

    def failing(nth: int) -> PromiseStatus:
        ended = noon + dt.timedelta(minutes=nth)
        task = Task("transform", "failed", noon, ended, f"run of {nth}", "no disk" if nth % 2 else "boom")
        facts: Any = {"publication": published("02:00"), "tasks": (task,)}
        return replace(a_report("12:00", **facts), report_date=days[nth])

    for minute in range(60):
        look_at(minute, [failing(nth) for nth in range(minute + 1)])
        if minute == 30:
            known[first] = replace(
                known[first], acknowledged_at=noon + dt.timedelta(minutes=30), acknowledged_by="C"
            )
    assert [one.step for one in owed if one.op == "page"] == ["failed-1"]
    assert {one.key for one in owed} == {first}
    for minute in range(60, 120):
        mended = replace(failing(0), why=None)
        done = [replace(mended, report_date=day) for day in days[: minute - 59]]
        look_at(minute, [*done, *(failing(nth) for nth in range(minute - 59, 60))])
    assert [one.step for one in owed if one.channel == "chat"][60:] == ["resolved", "headline:resolved"]
    assert not any(one.open for one in known.values())


def test_a_message_names_twenty_reports_and_counts_the_rest() -> None:
    """However many days of a backfill have failed by one look."""
    days = [replace(a_report("11:10", **AGAIN), report_date=OLD + dt.timedelta(n)) for n in range(700)]
    message = next(one for one in look("11:10", *days).owed if one.op == "page").message
    assert message.title.startswith("700 reports of ")
    assert message.summary.splitlines()[0].endswith("Growth ETL 24 Jan and 680 more.")
    assert dict(message.facts)["Report"].endswith("for 2026-01-24 and 680 more")
    assert len(message.links) == 1 + 2 * 20


# For what it is filed, and what is known while the tasks cannot be read.


def test_what_somebody_is_woken_for_first_is_the_incidents_cause_for_good() -> None:
    """Of each that it speaks for; a warning files nothing."""
    early = look("03:30", a_report("03:30", **SESSIONS))
    [warned] = early.incidents
    assert (warned.first_cause, warned.filed_as[0]) == ("", "upstream_late")
    late = look("05:00", a_report("05:00", GROWTH, **SESSIONS), a_report("05:00", ENGAGEMENT, **SESSIONS))
    words = "master.sessions has not arrived, usually there by 02:00"
    assert {(one.first_cause, one.first_detail) for one in late.incidents} == {("upstream_late", words)}
    said = {G.key: [("pager", "page-1-primary"), ("chat", "page-1-primary")]}
    reports = [a_report("05:30", dag_id, tasks=(WAITED, FAILED)) for dag_id in (GROWTH, ENGAGEMENT)]
    after = look("05:30", *reports, earlier=late.incidents, said=said)
    assert {(one.first_cause, one.cause) for one in after.incidents} == {("upstream_late", "failed")}


@pytest.mark.parametrize(
    ("status", "known", "cause"),
    [
        (a_report("05:20", **TASKS_UNREAD), {}, "stuck"),
        (a_report("05:20", **TASKS_UNREAD), {"resolved_at": at("05:10")}, "unknown"),
        (a_report("05:20", **TASKS_UNREAD), {"cause": "upstream_late"}, "unknown"),  # the warehouse tells
        (a_report("05:20", **TASKS_UNREAD), {"dag_id": PROFIT}, "unknown"),
        (a_report("05:20", **TASKS_UNREAD, blind=True), {}, "unknown"),
        (a_report("05:20", tasks=(WAITED, FAILED)), {}, "failed"),
        (a_report("05:20", publication=published("05:10")), {}, None),
    ],
)
def test_while_the_tasks_cannot_be_read_the_cause_stands_that_was_told(
    status: PromiseStatus, known: dict[str, Any], cause: str | None
) -> None:
    """Nothing new is known of it: the thread does not go from stuck to cannot tell and back."""
    words = {"cause": "stuck", "detail": "in transform since 03:12", "names": ("transform",)}
    [found] = as_last_known([status], [replace(G, **{**words, **known})])
    assert (found.why.cause if found.why else None) == cause
    if cause == "stuck":
        assert found.why == Why("stuck", "in transform since 03:12", ("transform",))
        assert replace(found, why=status.why) == status


def test_of_two_open_incidents_of_one_report_the_newer_one_tells() -> None:
    """Its key is the later one."""
    first = replace(G, cause="stuck", detail="in transform since 03:12")
    second = replace(first, key=f"{G.key}:r2", cause="failed", detail="transform failed")
    [found] = as_last_known([a_report("05:20", **TASKS_UNREAD)], [first, second])
    assert found.why == Why("failed", "transform failed")
