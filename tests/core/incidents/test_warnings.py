"""What is said before a promise is broken: the warning, what has arrived, the last chance, a failure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.arrivals import arrived
from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.plan import plan
from oncall.core.incidents.warnings import due_words, failure, in_hand, join, last_chance, mended, warn
from oncall.core.promises.facts import Load
from oncall.core.time_format import span
from tests.core.scenes import (
    CHECK,
    ENGAGEMENT,
    FAILED,
    GROWTH,
    PROFIT,
    TRANSFORMS,
    WAITED,
    a_case,
    a_dag,
    a_load,
    a_report,
    a_scene,
    a_task,
    an_entry,
    an_incident,
    at,
    events,
    published,
    said_by,
    the_page,
    usually,
)

LATE: dict[str, Any] = {"loads": (a_load(), a_load("master.customers", "02:10"))}
GAVE_UP = a_task("wait_for_upstream", "failed", "02:00", "03:00", "AirflowSensorTimeout: 3600 s")
BLIND: dict[str, Any] = {"unreadable": ("warehouse: connection refused",), "blind": True}


def test_the_warning_names_the_table_the_report_and_the_time_left() -> None:
    """P3 to the primary and the thread, with the runbook's steps for a late upstream."""
    plan = warn(a_case(a_report("04:10", **LATE)), a_scene("04:10"))
    page = the_page(plan)
    left = span(50 * 60)
    assert page.title == f"master.sessions late: delays Growth ETL, 22 Nov, due 05:00 in {left}"
    assert page.text == ""  # the rest are facts
    assert (page.priority, page.to, page.steps) == ("P3", ("C",), "steps for upstream_late")
    assert page.alias == "growth_etl:2026-11-22:warning"
    assert page.about == "investor.daily_growth for 2026-11-22"
    assert (
        page.runbook
        == "http://airflow.test/oncall/runbooks/growth_etl?section=upstream_late&date=2026-11-22#upstream-late"
    )
    assert plan is not None
    assert plan.incidents[0].warned == ("master.sessions",)
    assert events(plan) == ["warned: master.sessions has not arrived, usually there by 02:00"]


@pytest.mark.parametrize(
    ("clock", "facts", "warned"),
    [
        ("03:29:59.999999", LATE, False),
        ("03:30", LATE, True),
        ("04:29:59.999999", LATE, True),
        ("04:30", LATE, False),  # the last chance says it, louder
        ("05:00", LATE, False),  # it is broken now: that is another word
        ("03:30", BLIND, True),
        ("03:10", {**LATE, "tasks": (GAVE_UP,)}, False),  # it has time until it is warned of
        ("03:30", {**LATE, "tasks": (GAVE_UP,)}, True),
        ("03:41:59", {"tasks": (WAITED, TRANSFORMS)}, False),
        ("03:42", {"tasks": (WAITED, TRANSFORMS)}, True),  # it hangs
        ("04:30", {"tasks": (WAITED, TRANSFORMS)}, False),
        ("03:00", {"dag": a_dag(paused=True)}, True),  # it will not come by itself
        ("04:30", {"dag": a_dag(paused=True)}, False),
        (
            "03:00",
            {"tasks": (WAITED,), "run": a_task("(run)", "deleted", "02:00", "02:40")},
            False,
        ),  # a failure
        ("03:30", {"loads": (a_load(came="03:00"),), "tasks": (TRANSFORMS,)}, False),  # on track
        ("03:30", {"tasks": (WAITED, FAILED)}, False),  # a failure has its own word
        ("03:30", {"publication": published("03:00"), **LATE}, False),
        (
            "04:45",
            {"tasks": (TRANSFORMS,), "usual": usually({"transform": 1800.0})},
            False,
        ),  # the last chance has
    ],
)
def test_when_upstream_is_warned_of(clock: str, facts: dict[str, Any], warned: bool) -> None:
    """From the warning's instant to the due instant, of a late table or of a warehouse that cannot be read."""
    assert bool(said_by(warn(a_case(a_report(clock, **facts)), a_scene(clock)))) is warned


def test_what_hangs_is_said_to_hang_in_the_timeline() -> None:
    """The detail alone does not say so."""
    plan = warn(a_case(a_report("03:42", tasks=(WAITED, TRANSFORMS))), a_scene("03:42"))
    assert events(plan) == ["warned: stuck: in transform since 03:12"]


def test_without_a_promise_nobody_is_warned() -> None:
    """Nothing is late for it."""
    waits = a_report("04:10", promised=False, tasks=(GAVE_UP,), **LATE)
    assert waits.verdict == "at_risk"
    assert warn(a_case(waits), a_scene("04:10")) is None


PARTIAL = a_load("master.customers", "02:10", rows=10)


@pytest.mark.parametrize(
    ("loads", "words"),
    [
        ((a_load(),), "master.sessions late"),
        ((PARTIAL,), "master.customers partial"),
        ((PARTIAL, a_load()), "master.customers, master.sessions late or partial"),
    ],
)
def test_a_warning_says_whether_a_table_is_late_or_partial(loads: tuple[Load, ...], words: str) -> None:
    """A partial one is there: whoever loads it has to load it again."""
    page = the_page(warn(a_case(a_report("04:10", loads=loads)), a_scene("04:10")))
    assert page.title == f"{words}: delays Growth ETL, 22 Nov, due 05:00 in 50 min"


@pytest.mark.parametrize(
    ("clock", "promised", "words"),
    [
        ("04:10", True, ", due 05:00 in 50 min"),
        ("04:59:59", True, ", due 05:00 in 1 s"),
        ("05:00", True, ", due 05:00"),
        ("05:20", True, ", due 05:00"),
        ("04:10", False, ""),
    ],
)
def test_when_it_is_due_in_words(clock: str, promised: bool, words: str) -> None:
    """How long is left, while anything is."""
    assert due_words(a_report(clock, promised=promised, **LATE), a_scene(clock)) == words


def test_early_risk_of_another_kind_is_no_early_warning() -> None:
    """At half past two a late run may be at risk by its history; upstream is warned of at its own time."""
    early: dict[str, Any] = {**LATE, "usual": usually({"transform": 4 * 3600.0})}
    assert a_report("02:30", **early).verdict == "at_risk"
    assert warn(a_case(a_report("02:30", **early)), a_scene("02:30")) is None


def test_a_warehouse_that_cannot_be_read_is_warned_of_as_such() -> None:
    """Nobody knows whether upstream is late: so it is not said."""
    page = the_page(warn(a_case(a_report("04:10", **BLIND)), a_scene("04:10")))
    due = f"due 05:00 in {span(50 * 60)}"
    assert page.title == f"Growth ETL, 22 Nov, {due}: cannot tell: warehouse unreachable (connection refused)"
    assert page.steps == "steps for unknown"


def test_a_warning_is_given_once() -> None:
    """However long it stays late, and whatever else comes late."""
    said = an_incident(warned=("master.sessions",))
    case = a_case(a_report("04:10", **LATE), incident=said, said=[("chat", "warning")], alerts=["warning"])
    assert said_by(warn(case, a_scene("04:10"))) == []


def test_one_warning_speaks_for_all_reports_that_wait() -> None:
    """Each table once, each report by name."""
    both = (
        a_report("03:30", **LATE),
        a_report("03:30", ENGAGEMENT, loads=(a_load(), a_load("master.touches"))),
    )
    page = the_page(warn(a_case(*both), a_scene("03:30")))
    assert page.title == (
        "master.sessions, master.touches late: delays 2 reports of 22 Nov, due 05:00 in 1 h 30 min"
    )
    assert page.about == "investor.daily_growth for 2026-11-22, investor.daily_engagement for 2026-11-22"


def test_a_report_that_is_there_is_not_delayed() -> None:
    """Of several the first that is missing is spoken of."""
    there = a_report("04:10", PROFIT, publication=published("03:00"))
    page = the_page(warn(a_case(there, a_report("04:10", **LATE)), a_scene("04:10")))
    assert "Profit" not in page.title
    assert page.title.startswith("master.sessions late: delays Growth ETL, 22 Nov, due")


# What was warned of arrives.

WARNED = an_incident(warned=("master.sessions", "master.customers"))
SAID = [("chat", "warning"), ("chat", "arrived:master.customers")]


@pytest.mark.parametrize(
    ("came", "said", "title"),
    [
        ("04:20", [("chat", "warning")], "master.sessions has arrived (04:20); Growth ETL, 22 Nov can go on"),
        ("04:20", SAID, "master.sessions has arrived (04:20); Growth ETL, 22 Nov can go on"),
        ("04:20", [*SAID, ("chat", "arrived:master.sessions")], None),
        (None, SAID, None),
    ],
)
def test_an_arrival_is_said_once(came: str | None, said: list[tuple[str, str]], title: str | None) -> None:
    """In the thread alone, by name."""
    loads = (a_load(came=came), a_load("master.orders", "04:00"))
    plan = arrived(a_case(a_report("04:21", loads=loads), incident=WARNED, said=said), a_scene("04:21"))
    assert [one.title for one in said_by(plan)] == ([title] if title else [])
    assert events(plan) == (["arrived: master.sessions"] if title else [])


def test_what_waits_for_another_table_cannot_go_on() -> None:
    """One of two has come."""
    loads = (a_load(came="04:20"), a_load("master.customers"))
    plan = arrived(
        a_case(a_report("04:21", loads=loads), incident=WARNED, said=[("chat", "warning")]), a_scene("04:21")
    )
    assert [one.title for one in said_by(plan)] == [
        "master.sessions has arrived (04:20); Growth ETL, 22 Nov still waits for master.customers"
    ]


def test_an_arrival_that_many_waited_for_is_not_cut() -> None:
    """Their number stands for their names: what they still wait for is at the end."""
    loads = (a_load(came="04:20"), a_load("master.customers"))
    members = [a_report("04:21", dag_id, loads=loads) for dag_id in (GROWTH, ENGAGEMENT, PROFIT)]
    plan = arrived(a_case(*members, incident=WARNED, said=[("chat", "warning")]), a_scene("04:21"))
    assert [one.title for one in said_by(plan)] == [
        "master.sessions has arrived (04:20); 3 reports of 22 Nov still wait for master.customers"
    ]


def test_several_arrivals_are_one_post() -> None:
    """Of one look."""
    loads = (a_load(came="04:20"), a_load("master.customers", "04:19"))
    plan = arrived(
        a_case(a_report("04:21", loads=loads), incident=WARNED, said=[("chat", "warning")]), a_scene("04:21")
    )
    assert [one.title for one in said_by(plan)] == [
        "master.sessions, master.customers have arrived (04:20); Growth ETL, 22 Nov can go on"
    ]
    assert {one.where for one in said_by(plan)} == {("chat", "post")}
    assert {one.steps for one in said_by(plan)} == {""}
    assert {one.runbook for one in said_by(plan)} == {
        "http://airflow.test/oncall/runbooks/growth_etl?date=2026-11-22"
    }
    assert events(plan) == ["arrived: master.sessions, master.customers"]
    said = [("chat", "warning"), ("chat", said_by(plan)[0].step)]
    assert (
        arrived(a_case(a_report("04:22", loads=loads), incident=WARNED, said=said), a_scene("04:22")) is None
    )


def test_what_arrived_and_runs_already_is_one_post() -> None:
    """The arrival says that it runs; the alerts hear it in a note."""
    tasks = (WAITED, a_task("transform", "running", "05:20"))
    late: dict[str, Any] = {"verdict": "broken", "cause": "upstream_late", "names": ("master.sessions",)}
    incident = replace(WARNED, paged_at=at("05:00"), detail="master.sessions has not arrived", **late)
    case = a_case(
        a_report("05:21", loads=(a_load(came="05:19"),), tasks=tasks),
        incident=incident,
        said=SAID,
        alerts=["page-1-primary"],
    )
    owed = plan(case, a_scene("05:21")).owed
    said = "master.sessions has arrived (05:19); Growth ETL, 22 Nov is running in transform since 05:20"
    posts = [one.message.title for one in owed if one.op == "post" and not one.step.startswith("page-")]
    assert posts == [said]
    notes = [one.message.title for one in owed if one.op == "note"]
    assert notes == ["Growth ETL, 22 Nov: now running in transform since 05:20"]


def test_what_arrived_for_two_that_run_already_says_so_of_both() -> None:
    """In one breath, where they stand at the same task since the same minute."""
    facts: dict[str, Any] = {
        "loads": (a_load(came="05:19"),),
        "tasks": (WAITED, a_task("transform", "running", "05:20")),
    }
    members = [a_report("05:21", dag_id, **facts) for dag_id in (GROWTH, ENGAGEMENT)]
    plan = arrived(a_case(*members, incident=WARNED, said=[("chat", "warning")]), a_scene("05:21"))
    (said,) = said_by(plan)
    assert said.title == (
        "master.sessions has arrived (05:19); 2 reports of 22 Nov are running in transform since 05:20"
    )


def test_an_arrival_says_nothing_of_a_report_that_does_not_read_the_table() -> None:
    """One that is told with it: never started, like the one that waited. Where none of the missing has waited for the
    table, whoever reads the thread has heard that the report is there."""
    waits, other = a_load(came="05:19"), a_load("master.orders", "02:00")
    late = [a_report("05:21", dag_id, loads=(load,)) for dag_id, load in ((GROWTH, waits), (PROFIT, other))]
    (said,) = said_by(arrived(a_case(*late, incident=WARNED, said=[("chat", "warning")]), a_scene("05:21")))
    assert said.title == "master.sessions has arrived (05:19); Growth ETL, 22 Nov can go on"
    there = a_report("05:21", GROWTH, loads=(waits,), publication=published("05:20"))
    case = a_case(late[1], there, incident=WARNED, said=[("chat", "warning")])
    assert arrived(case, a_scene("05:21")) is None


def test_a_partial_load_has_not_arrived() -> None:
    """It is still waited for."""
    loads = (a_load(came="04:20", rows=10), a_load("master.customers"))
    assert arrived(a_case(a_report("04:21", loads=loads), incident=WARNED), a_scene("04:21")) is None


def test_what_arrived_for_a_report_that_is_there_already_its_resolution_tells() -> None:
    """One reply, not two at one instant."""
    one = a_report("04:21", loads=(a_load(came="04:20"),), publication=published("04:21"))
    case = a_case(one, incident=WARNED, said=[("chat", "warning")])
    assert arrived(case, a_scene("04:21")) is None
    said = [each for each in said_by(plan(case, a_scene("04:21"))) if each.step == "resolved"]
    assert [(each.step, each.text) for each in said] == [("resolved", "master.sessions has arrived (04:20)")]


@pytest.mark.parametrize("blind", ["all", "one"])
def test_nothing_arrives_for_the_blind(blind: str) -> None:
    """While the warehouse cannot be read what was seen of it before does not count."""
    there: dict[str, Any] = {"loads": (a_load(came="04:20"),)}
    other = a_report("04:21", ENGAGEMENT, **(there if blind == "one" else {**BLIND, **there}))
    case = a_case(a_report("04:21", **BLIND, **there), other, incident=WARNED)
    assert arrived(case, a_scene("04:21")) is None
    assert arrived(a_case(a_report("04:21", **there)), a_scene("04:21")) is None  # nobody was warned


# The last chance.

SLOW: dict[str, Any] = {
    "tasks": (WAITED, TRANSFORMS),
    "usual": usually({"transform": 1800.0}, {"transform": 360.0}),
}


def test_the_last_chance_wakes_somebody_while_it_can_be_saved() -> None:
    """P2 to the primary with the cause's steps: what it does, how long it usually takes, how long is left."""
    plan = last_chance(a_case(a_report("04:40", **SLOW)), a_scene("04:40"))
    page = the_page(plan)
    due = f"due 05:00 in {span(20 * 60)}"
    assert page.title == f"At risk: Growth ETL, 22 Nov, {due}: stuck in transform since 03:12, usually 6 min"
    assert page.text == f"From transform on it usually takes {span(30 * 60)}."
    assert (page.priority, page.to, page.steps) == ("P2", ("C",), "steps for stuck")
    assert page.step == "last-chance"
    assert events(plan) == ["at risk: stuck: in transform since 03:12, usually 6 min"]
    assert plan is not None
    assert plan.incidents[0].warned == ()  # no table is waited for


def test_what_a_run_usually_takes_is_said_only_where_it_is_known() -> None:
    """A new installation has seen no run: then it is what is configured."""
    page = the_page(last_chance(a_case(a_report("04:40", tasks=(TRANSFORMS,))), a_scene("04:40")))
    assert page.text == "Its usual time is not known yet: counted as 30 min."


def test_of_several_reports_it_is_said_whose_usual_time_it_is() -> None:
    """Each has one of its own."""
    at_risk = [a_report("04:40", pipeline, tasks=(TRANSFORMS,)) for pipeline in (GROWTH, ENGAGEMENT)]
    page = the_page(last_chance(a_case(*at_risk), a_scene("04:40")))
    assert page.text.endswith("Growth ETL: its usual time is not known yet: counted as 30 min.")


@pytest.mark.parametrize(
    ("clock", "said", "facts", "paged"),
    [
        ("04:29:59.999999", (), SLOW, False),
        ("04:30", (), SLOW, True),
        ("04:59:30", (), SLOW, True),
        ("05:00", (), SLOW, False),
        ("04:40", ("last-chance",), SLOW, False),
        ("04:40", ("warning",), SLOW, True),
        ("04:29:59.999999", (), {"tasks": (TRANSFORMS,)}, False),  # no history: as is configured
        ("04:30", (), {"tasks": (TRANSFORMS,)}, True),
        ("04:40", (), {**SLOW, "publication": published("04:35")}, False),
        ("04:40", (), {"tasks": (WAITED, FAILED), "usual": SLOW["usual"]}, False),  # its failure is the news
        ("04:00", (), {"tasks": (WAITED, FAILED), "usual": SLOW["usual"]}, False),  # at risk, but not by time
    ],
)
def test_when_the_last_chance_is_called(
    clock: str, said: tuple[str, ...], facts: dict[str, Any], paged: bool
) -> None:
    """Once, from due minus what usually remains until due."""
    case = a_case(a_report(clock, **facts), alerts=said)
    assert bool(said_by(last_chance(case, a_scene(clock)))) is paged


@pytest.mark.parametrize(
    ("clock", "began", "called"),
    [
        ("04:59:30", "04:59:20", True),
        ("04:59:30.000001", "04:59:20", False),  # in a moment it is said that it is late
        ("04:59:45", "03:12", False),
    ],
)
def test_in_the_last_half_minute_nobody_is_woken_before_it_is_late(
    clock: str, began: str, called: bool
) -> None:
    """Two alerts within half a minute are one too many."""
    facts = {**SLOW, "tasks": (WAITED, a_task("transform", "running", began))}
    assert bool(said_by(last_chance(a_case(a_report(clock, **facts)), a_scene(clock)))) is called


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ((), True),
        ((("chat", "last-chance"),), False),
        ((("pager", "last-chance"),), True),  # of the thread it is not known
    ],
)
def test_who_has_a_failure_is_not_woken_by_the_last_chance(
    said: tuple[tuple[str, str], ...], told: bool
) -> None:
    """The thread alone tells that it gets late, and rings at nobody; once."""
    woken = an_entry("growth_etl:2026-11-22", "pager", "failed-1", owed_at=at("04:10"))
    mine = an_incident(acknowledged_at=at("04:12"), acknowledged_by="C", failure="another run's")
    goes_on = a_report("04:40", tasks=(WAITED, a_task("transform", "running", "04:38")), usual=SLOW["usual"])
    alerts = [an_entry("growth_etl:2026-11-22", *each, owed_at=at("04:05")) for each in said]
    words = said_by(last_chance(IncidentContext(mine, (goes_on,), (*alerts, woken)), a_scene("04:40")))
    assert [(one.where, one.step, one.to) for one in words] == (
        [(("chat", "post"), "last-chance", ())] if told else []
    )


def test_who_had_a_failure_does_not_have_what_was_told_after_they_took_it() -> None:
    """The newest alert counts, wherever it stands among the others."""
    mine = an_incident(acknowledged_at=at("04:12"), acknowledged_by="C")
    early = [
        an_entry("growth_etl:2026-11-22", "pager", step, owed_at=at(clock))
        for step, clock in (("failed-1", "04:10"), ("last-chance", "04:30"))
    ]
    goes_on = a_report("04:40", tasks=(WAITED, a_task("transform", "running", "04:38")), usual=SLOW["usual"])
    for entries in (early, early[::-1]):
        assert in_hand(IncidentContext(mine, (goes_on,), tuple(entries)), a_scene("04:40")) is None
    [failed, _] = early
    assert in_hand(IncidentContext(mine, (goes_on,), (failed,)), a_scene("04:40")) == failed.owed_at


def test_an_acknowledgement_of_another_report_is_none_of_this_one() -> None:
    """This one followed that one for a while, and nobody was woken for it."""
    mine = an_incident(
        opened_at=at("04:30"), acknowledged_at=at("04:10"), acknowledged_by="C", first_cause="failed"
    )
    broken = a_report("05:00", tasks=(WAITED, TRANSFORMS))
    assert in_hand(IncidentContext(mine, (broken,), ()), a_scene("05:00")) is None


# Whom it was for could not be reached.

REFUSED = {
    "state": "owed",
    "unreached": "Opsgenie does not know old@example.com",
    "account": "old@example.com",
}


@pytest.mark.parametrize(
    ("step", "clock", "facts", "title"),
    [
        ("warning", "04:10", LATE, "master.sessions late: delays Growth ETL"),
        ("last-chance", "04:40", SLOW, "At risk: Growth ETL, 22 Nov"),
        ("failed-1", "04:10", {"tasks": (WAITED, FAILED)}, "Growth ETL, 22 Nov: transform failed"),
        ("failed-2", "04:10", {"tasks": (WAITED, FAILED)}, None),  # it is not the newest failure
        ("warning", "04:10", {"loads": (a_load(came="04:05"),)}, None),  # not true any more
        ("page-1-primary", "04:10", LATE, None),  # that is the escalation's
    ],
)
def test_who_has_another_account_by_now_is_told_there(
    step: str, clock: str, facts: dict[str, Any], title: str | None
) -> None:
    """At the next look after the roster is mended; the thread has told of it already."""
    entry = an_entry("growth_etl:2026-11-22", "pager", step, **REFUSED)
    case = IncidentContext(an_incident(failures=1), (a_report(clock, **facts),), (entry,))
    said = said_by(mended(case, a_scene(clock)))
    assert [(one.where, one.step, one.to) for one in said] == (
        [(("pager", "page"), step, ("C",))] if title else []
    )
    assert all(one.title.startswith(title or "") for one in said)


def test_a_failure_is_told_anew_of_the_report_that_failed() -> None:
    """Not of the first that is missing."""
    entry = an_entry("growth_etl:2026-11-22", "pager", "failed-1", **REFUSED)
    members = (a_report("04:10", ENGAGEMENT, **LATE), a_report("04:10", tasks=(WAITED, FAILED)))
    [said] = said_by(mended(IncidentContext(an_incident(failures=1), members, (entry,)), a_scene("04:10")))
    assert said.title.startswith("Growth ETL, 22 Nov: transform failed")


@pytest.mark.parametrize(
    "known",
    [
        {
            "account": "C@example.com",
            "unreached": "Opsgenie does not know C@example.com",
        },  # nothing is mended
        {"state": "done"},
        {"maybe_taken": True},
        {"unreached": ""},
        {"channel": "chat"},
    ],
)
def test_only_what_was_refused_for_whom_it_was_for_is_told_anew(known: dict[str, Any]) -> None:
    """Nobody is woken twice by one warning."""
    entry = an_entry("growth_etl:2026-11-22", **{"channel": "pager", "step": "warning", **REFUSED, **known})
    case = IncidentContext(an_incident(), (a_report("04:10", **LATE),), (entry,))
    assert said_by(mended(case, a_scene("04:10"))) == []


# A failure.


@pytest.mark.parametrize(
    ("told", "paged"), [("02:41", True), ("04:25", True), ("04:26", False), ("04:40", False)]
)
def test_the_last_chance_rings_again_for_an_old_failure_and_not_beside_a_new_one(
    told: str, paged: bool
) -> None:
    """Nothing is told twice in one breath."""
    report = a_report("04:40", tasks=(WAITED, FAILED), usual=SLOW["usual"])
    entries = [
        an_entry("growth_etl:2026-11-22", "pager", step, owed_at=at("02:41"), done_at=at(clock))
        for step, clock in (("failed-1", told), ("warning", "04:39"))
    ]
    known = an_incident(failure=f"night/transform@{FAILED.ended_at}")
    case = IncidentContext(known, (report,), tuple(entries))
    assert bool(said_by(last_chance(case, a_scene("04:40")))) is paged


def test_what_was_paged_for_is_not_at_risk_by_a_clock_that_was_set_back() -> None:
    """A P2 rang after the P1, and said that it was due in ten minutes."""
    report = a_report("04:50", tasks=(WAITED, TRANSFORMS), usual=SLOW["usual"])
    for paged, rings in ((None, True), ("04:59:59", True), ("05:00", False)):
        incident = an_incident(paged_at=at(paged) if paged else None)
        assert bool(said_by(last_chance(a_case(report, incident=incident), a_scene("04:50")))) is rings


def test_whoever_begins_to_watch_after_the_last_chance_says_one_thing() -> None:
    """Not the warning too; the table that is late is remembered, and told of when it comes."""
    usual = usually({"wait_for_upstream": 1800.0})
    case = a_case(a_report("04:40", usual=usual, **LATE))
    assert warn(case, a_scene("04:40")) is None
    plan = last_chance(case, a_scene("04:40"))
    assert the_page(plan).title.endswith("waiting on master.sessions")
    assert plan is not None
    assert plan.incidents[0].warned == ("master.sessions",)


def test_a_failure_wakes_somebody_at_once() -> None:
    """P2 to the primary: which task, when, its error, how long is left."""
    plan = failure(a_case(a_report("02:41", tasks=(WAITED, FAILED))), a_scene("02:41"))
    page = the_page(plan)
    assert page.title == "Growth ETL, 22 Nov: transform failed at 02:40: boom"
    assert page.text == "2 h 19 min left until 05:00."
    assert (page.step, page.priority, page.to, page.steps) == ("failed-1", "P2", ("C",), "steps for failed")
    assert plan is not None
    assert plan.incidents[0].failures == 1
    assert events(plan) == ["failed: task transform failed at 02:40: ValueError: boom"]


@pytest.mark.parametrize(
    ("facts", "title", "steps"),
    [
        (
            {"tasks": (WAITED, a_task("check", "failed", "02:40", "02:41")), "failed_checks": (CHECK,)},
            "held: identity found 3, expected 0", "steps for held",
        ),
        (  # what there is no room for goes as a whole: nothing is cut in its middle
            {
                "tasks": (WAITED, a_task("check", "failed", "02:40", "02:41")),
                "failed_checks": (
                    replace(
                        CHECK, name="sessions_have_customers", found="1 in master.sessions.customer_id, such as 7",
                        expected="0 sessions of unknown customers",
                    ),
                ),
            },
            "held: sessions_have_customers found 1 in master.sessions",
            "**Do:** tell the Software Engineer Team in #swe-master-data which check failed and what it found.\n"
            "When they have loaded the table again, run the day again.\n"
            "Late is better than wrong: never publish by hand, never switch a check off.\n\nsteps for held",
        ),
        (
            {"tasks": (a_task("transform", "failed", "02:10", "02:40", "marked as failed by B"),)},
            "transform was marked as failed by B at 02:40",
            "**Do:** ask the person who did that why.\nNo answer: start the day again.\n\nsteps for failed",
        ),
        (
            {"tasks": (WAITED,), "run": a_task("(run)", "deleted", "02:00", "02:40")},
            "its run was deleted (seen at 02:40)",
            "**Do:** start the day again.\n\nsteps for not_started",
        ),
    ],
)  # fmt: skip
def test_what_else_is_told_as_a_failure(facts: dict[str, Any], title: str, steps: str) -> None:
    """Whatever will not come by itself."""
    page = the_page(failure(a_case(a_report("02:45", **facts)), a_scene("02:45")))
    assert page.title == f"Growth ETL, 22 Nov: {title}"
    assert page.steps == steps


def after(case_facts: dict[str, Any], then: dict[str, Any]) -> list[str]:
    """The steps of a second look, after the failure of the first was said."""
    first = failure(a_case(a_report("02:41", **case_facts)), a_scene("02:41"))
    assert first is not None
    second = a_case(a_report("03:00", **then), incident=first.incidents[0], alerts=["failed-1"])
    return [one.step for one in said_by(failure(second, a_scene("03:00"))) if one.channel == "pager"]


BESIDE = a_task("load[7]", "failed", "02:39:30", "02:40:30", "ValueError: boom")
AGAIN = a_task("transform", "failed", "02:50", "02:55", "ValueError: boom")


@pytest.mark.parametrize(
    ("then", "steps"),
    [
        ({"tasks": (WAITED, FAILED)}, []),  # the same
        ({"tasks": (WAITED, AGAIN)}, ["failed-2"]),  # cleared, and failed again
        ({"tasks": (replace(FAILED, run_id="second"),)}, ["failed-2"]),  # another run
        (
            {"tasks": (a_task("wait_for_upstream", "running", "02:50", run="second"),)},
            [],
        ),  # it is being mended
        ({"publication": published("02:50")}, []),
        ({"tasks": (WAITED, FAILED, BESIDE)}, []),  # another one beside it, of the same run, a moment later
        ({"tasks": (WAITED, BESIDE)}, ["failed-2"]),  # what was said is mended, and that one is not
    ],
)
def test_each_failure_is_said_once(then: dict[str, Any], steps: list[str]) -> None:
    """Told apart by run, task and instant."""
    assert after({"tasks": (WAITED, FAILED)}, then) == steps


def test_a_failure_of_a_published_day_says_that_the_report_stands() -> None:
    """And is not said again while the next run has only started."""
    failed = a_task("transform", "failed", "06:00", "06:10", run="second")
    first = failure(
        a_case(a_report("06:11", tasks=(failed,), publication=published("04:00", "04:30"))), a_scene("06:11")
    )
    assert the_page(first).text == "The report published at 04:30 still stands."
    assert first is not None
    next_run = a_task("wait_for_upstream", "running", "06:20", run="third")
    later = a_report(
        "06:21", tasks=(next_run,), failed_before=(failed,), publication=published("04:00", "04:30")
    )
    again = failure(a_case(later, incident=first.incidents[0], alerts=["failed-1"]), a_scene("06:21"))
    assert said_by(again) == []


TRIED = replace(CHECK, run_id="night", checked_at=at("02:40"))
BY_CHECK = (WAITED, a_task("check", "failed", "02:39", "02:40:30"))


@pytest.mark.parametrize(
    ("then", "steps"),
    [
        ({"failed_checks": (TRIED,), "tasks": BY_CHECK}, []),  # its task has failed some seconds later
        ({"failed_checks": (replace(TRIED, checked_at=at("02:55")),)}, ["failed-2"]),
        ({"failed_checks": (replace(TRIED, run_id="second"),)}, ["failed-2"]),
    ],
)
def test_a_check_that_fails_is_told_once(then: dict[str, Any], steps: list[str]) -> None:
    """Told apart by run, check and instant; each new try of it is news."""
    assert after({"failed_checks": (TRIED,)}, then) == steps


@pytest.mark.parametrize(
    ("lately", "facts", "wakes"),
    [
        (True, {"publication": published("01:00")}, False),
        (True, {"promised": False}, False),
        (True, {}, True),  # its promise is in danger, whatever becomes of the other days
        (False, {"publication": published("01:00")}, True),
    ],
)
def test_of_days_that_fail_together_only_the_first_wakes_somebody(
    lately: bool, facts: dict[str, Any], wakes: bool
) -> None:
    """The others are told in their threads, which ring at nobody."""
    case = a_case(a_report("02:41", tasks=(WAITED, FAILED), **facts))
    said = said_by(failure(replace(case, woken_lately=lately), a_scene("02:41")))
    assert [(one.channel, one.to) for one in said] == (
        [("pager", ("C",)), ("chat", ("C",))] if wakes else [("chat", ())]
    )


def test_of_a_day_that_stands_and_a_report_that_is_missing_the_missing_one_wakes() -> None:
    """Also where somebody was just woken for another day of the first; it is told of first, with the time left."""
    stands = a_report("02:41", publication=published("02:00"), tasks=(FAILED,))
    missing = a_report("02:41", ENGAGEMENT, tasks=(WAITED, replace(FAILED, error="no disk")))
    case = replace(a_case(stands, missing), woken_lately=True)
    page = the_page(failure(case, a_scene("02:41")))
    assert page.title.endswith("Engagement ETL transform failed at 02:40: no disk")
    assert page.text == "2 h 19 min left until 05:00."


def test_of_several_days_that_stand_it_is_said_that_they_do() -> None:
    """None of them was published at the time of another."""
    stand = [
        a_report("02:41", dag_id, publication=published(when), tasks=(FAILED,))
        for dag_id, when in ((GROWTH, "02:00"), (ENGAGEMENT, "02:05"))
    ]
    page = the_page(failure(a_case(*stand), a_scene("02:41")))
    assert page.text == "The reports that were published still stand."


def test_that_a_table_has_come_is_told_also_of_one_that_a_later_report_waits_for() -> None:
    """Its thread was told that the report waits for it."""
    waits = a_report("03:40", ENGAGEMENT, loads=(a_load("master.customers"), a_load()))
    warned = an_incident(warned=("master.sessions",))
    case = replace(
        a_case(a_report("03:40", **LATE), waits, incident=warned, said=[("chat", "warning")]),
        joining=(waits,),
    )
    joined = join(case, a_scene("03:40"))
    assert [one.title for one in said_by(joined)] == [
        "Engagement ETL, 22 Nov too: waiting on master.customers, master.sessions"
    ]
    assert joined is not None
    assert joined.incidents[0].warned == ("master.sessions", "master.customers")


def test_a_held_report_is_told_apart_by_its_numbers() -> None:
    """Without a failed task on record the check's words tell whether it is the same."""
    held = {"failed_checks": (CHECK,)}
    assert after(held, held) == []
    assert after(held, {"failed_checks": (replace(CHECK, found="4"),)}) == ["failed-2"]


def test_without_a_promise_no_time_is_left() -> None:
    """The experiments' failures are told all the same."""
    page = the_page(failure(a_case(a_report("02:41", promised=False, tasks=(FAILED,))), a_scene("02:41")))
    assert page.text == ""


def test_a_broken_promise_has_its_own_page() -> None:
    """From the due instant on a failure is the cause of a P1."""
    case = a_case(a_report("05:00", tasks=(WAITED, FAILED)))
    assert said_by(failure(case, a_scene("05:00"))) == []
    assert said_by(failure(a_case(a_report("04:59:30", tasks=(WAITED, FAILED))), a_scene("04:59:30")))
    late_in_a_moment = a_case(a_report("04:59:31", tasks=(WAITED, FAILED)))
    assert failure(late_in_a_moment, a_scene("04:59:31")) is None, "one page, not two within seconds"


def test_a_failure_is_said_of_the_report_that_failed() -> None:
    """Not of the others of its incident."""
    waits = a_report("04:10", ENGAGEMENT, loads=(a_load(),))
    fails = a_report("04:10", GROWTH, tasks=(WAITED, FAILED))
    page = the_page(failure(a_case(waits, fails), a_scene("04:10")))
    assert page.title.startswith("Growth ETL, 22 Nov: transform failed")
    assert page.about == "investor.daily_growth for 2026-11-22"
    assert failure(a_case(waits), a_scene("04:10")) is None


def test_the_person_is_whoever_is_on_call_now() -> None:
    """After the handoff it is the next one."""
    failed = a_task("transform", "failed", "06:00", "06:10")
    one = a_report("09:30", tasks=(failed,), publication=published("04:00"))
    assert the_page(failure(a_case(one), a_scene("09:30"))).to == ("D",)
    assert the_page(failure(a_case(one), a_scene("08:59"))).to == ("C",)


def test_a_run_that_gave_up_waiting_is_started_by_no_arrival() -> None:
    """Nobody is told to start nothing, nor that the report can go on."""
    page = the_page(warn(a_case(a_report("03:30", tasks=(GAVE_UP,), **LATE)), a_scene("03:30")))
    assert "The run has given up waiting: when the table is there, start the day again." in page.steps
    came = a_report("04:20", tasks=(GAVE_UP,), loads=(a_load(came="04:20"),))
    known = an_incident(warned=("master.sessions",))
    plan = arrived(a_case(came, incident=known), a_scene("04:20"))
    assert plan is not None
    assert [owed.message.title for owed in plan.owed] == [
        "master.sessions has arrived (04:20); Growth ETL, 22 Nov has to be started again"
    ]
    two = a_case(
        came, a_report("04:20", ENGAGEMENT, tasks=(GAVE_UP,), loads=came.facts.loads), incident=known
    )
    assert [one.title.partition("; ")[2] for one in said_by(arrived(two, a_scene("04:20")))] == [
        "2 reports of 22 Nov have to be started again"
    ]


@pytest.mark.parametrize(
    ("facts", "how"),
    [
        ({"tasks": (WAITED, FAILED)}, "transform failed at 02:40: boom"),
        ({"tasks": (WAITED, FAILED), "failed_checks": (CHECK,)}, "held: identity found 3, expected 0"),
        ({"dag": a_dag(paused=True)}, "DAG paused"),
        ({"tasks": (WAITED,), "dag": a_dag(paused=True)}, "stuck since 02:10, DAG paused"),
    ],
)
def test_what_stands_still_for_another_reason_does_not_go_on_by_an_arrival(
    facts: dict[str, Any], how: str
) -> None:
    """The thread tells that reason beside it."""
    came = a_report("05:01", loads=(a_load(came="05:00"),), **facts)
    plan = arrived(a_case(came, incident=an_incident(warned=("master.sessions",))), a_scene("05:01"))
    assert [one.title for one in said_by(plan)] == [
        f"master.sessions has arrived (05:00); Growth ETL, 22 Nov: {how}"
    ]


def test_a_run_that_is_deleted_when_its_last_chance_comes_is_told_once() -> None:
    """The person on call is woken by one alert, and the thread hears of it in one post."""
    over = a_task("(run)", "deleted", "02:00", "04:39")
    gone = a_report("04:40", run=over, usual=usually({"transform": 1800.0}), dag=a_dag())
    known = an_incident(
        failure="night/(run)@03:43", failures=1, cause="failed", detail="run green", verdict="at_risk"
    )
    case = a_case(gone, incident=known, said=[("chat", "failed-1")], alerts=["failed-1"])
    said = [(one.channel, one.step) for one in said_by(plan(case, a_scene("04:40")))]
    assert sorted(said) == [("chat", "failed-2"), ("pager", "failed-2")]


def test_another_cause_at_the_last_chance_is_told_by_that_alone() -> None:
    """Its alert says why."""
    waits = a_report(
        "04:40", tasks=(a_task("transform", "running", "02:10"),), usual=usually({"transform": 1800.0})
    )
    known = an_incident(cause="upstream_late", names=("master.sessions",), verdict="at_risk")
    case = a_case(waits, incident=known, said=[("chat", "warning")], alerts=["warning"])
    said = {one.step for one in said_by(plan(case, a_scene("04:40")))}
    assert said == {"last-chance"}
