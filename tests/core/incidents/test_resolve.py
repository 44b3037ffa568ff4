"""What is said once an incident moves: another cause, a report that lands, the resolution, a stale report."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.resolve import LATEST_CHANGES, changed, landed, moved, removed, resolve, stale
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
    an_incident,
    at,
    events,
    published,
    said_by,
    the_post,
    usually,
)

PAGED = an_incident(
    paged_at=at("05:00"), verdict="broken", cause="upstream_late", detail="master.sessions has not arrived",
    names=("master.sessions",),
)  # fmt: skip
PAGE = "page-1-primary"


def broken(clock: str = "05:20", incident: Any = PAGED, **facts: Any) -> IncidentContext:
    return a_case(a_report(clock, **facts), incident=incident, said=[("chat", PAGE)], alerts=[PAGE])


# Another cause.


def test_another_cause_is_said_in_the_thread_and_on_the_alert() -> None:
    """What it is now, in one line; nobody is woken for it."""
    plan = changed(broken(tasks=(WAITED, TRANSFORMS)), a_scene("05:20"))
    post, note = said_by(plan)
    assert (post.where, note.where) == (("chat", "post"), ("pager", "note"))
    assert post.title == note.title == "Growth ETL, 22 Nov: now stuck in transform since 03:12"
    assert post.text == ""
    assert note.alias == f"growth_etl:2026-11-22:{PAGE}"
    assert post.to == ()
    assert plan is not None
    now = plan.incidents[0]
    assert (now.cause, now.detail, now.names, now.verdict) == (
        "stuck", "in transform since 03:12", ("transform",), "broken",
    )  # fmt: skip
    assert events(plan) == [post.title]


def test_a_task_that_has_failed_since_is_said_to_have_failed_then() -> None:
    """Not now: its time stands beside it."""
    failed = a_task("transform", "failed", "05:01", "05:18")
    [post, _] = said_by(changed(broken(tasks=(WAITED, failed)), a_scene("05:20")))
    assert post.title == "Growth ETL, 22 Nov: transform failed at 05:18"


def test_the_page_of_this_look_has_said_the_cause() -> None:
    """Another post in the same instant would say it twice; what it is now is remembered."""
    plan = changed(broken("05:00", tasks=(WAITED, TRANSFORMS)), a_scene("05:00"))
    assert said_by(plan) == []
    assert plan is not None
    assert plan.incidents[0].cause == "stuck"


def test_a_cause_after_none_says_so() -> None:
    """Where nothing was known before; each change has its number."""
    plan = changed(
        broken(incident=replace(PAGED, cause="", verdict=""), tasks=(WAITED, TRANSFORMS)), a_scene("05:20")
    )
    assert plan is not None
    assert plan.incidents[0].verdict == "broken"
    post, note = said_by(plan)
    assert (post.step, note.step) == ("cause-1", f"cause-1:growth_etl:2026-11-22:{PAGE}")


def test_every_alert_of_the_incident_hears_it() -> None:
    """Whoever was woken second reads it too."""
    case = a_case(
        a_report("05:20", tasks=(WAITED, TRANSFORMS)), incident=PAGED, alerts=[PAGE, "page-2-secondary"]
    )
    notes = [one for one in said_by(changed(case, a_scene("05:20"))) if one.channel == "pager"]
    assert [one.alias.rsplit(":", 1)[1] for one in notes] == [PAGE, "page-2-secondary"]
    assert len({one.step for one in notes}) == 2


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"loads": (a_load(),)}, False),  # the same, in other words
        ({"loads": (a_load("master.customers"),)}, True),  # the same cause, another table
        ({"tasks": (WAITED, TRANSFORMS)}, True),
        ({"publication": published("05:19")}, False),  # that is no cause
    ],
)
def test_what_counts_as_another_cause(facts: dict[str, Any], said: bool) -> None:
    """The cause or what it rests on."""
    assert bool(said_by(changed(broken(**facts), a_scene("05:20")))) is said


@pytest.mark.parametrize(
    "case",
    [
        broken(incident=replace(PAGED, changes=LATEST_CHANGES), tasks=(WAITED, TRANSFORMS)),
        a_case(a_report("05:20", tasks=(WAITED, TRANSFORMS)), incident=PAGED),
    ],
    ids=["it flaps", "nothing was said yet"],
)
def test_a_change_that_nobody_waits_for_is_only_remembered(case: IncidentContext) -> None:
    """The incident knows it all the same."""
    plan = changed(case, a_scene("05:20"))
    assert said_by(plan) == []
    assert plan is not None
    assert (plan.incidents[0].cause, plan.incidents[0].changes) == ("stuck", case.incident.changes)


SLOW = usually({"transform": 2400.0})


@pytest.mark.parametrize(
    ("was", "facts", "said"),
    [
        ("upstream_late", {"tasks": (WAITED, TRANSFORMS)}, "stuck in transform since 03:12"),
        ("upstream_late", {"dag": a_dag(paused=True)}, "DAG paused"),
        (
            "upstream_late",
            {"loads": (a_load("master.customers"),)},
            "",
        ),  # the same cause: of an arrival it is said
        ("upstream_late", {"tasks": (WAITED, FAILED)}, ""),  # a failure wakes somebody, in words of its own
        ("upstream_late", {"failed_checks": (CHECK,)}, ""),  # so does a check
        (
            "upstream_late",
            {"tasks": (WAITED, a_task("transform", "running", "04:30")), "usual": SLOW},
            "",
        ),  # it gets on
        ("", {"tasks": (WAITED, TRANSFORMS)}, ""),  # nothing was warned of
    ],
)
def test_before_it_is_late_another_cause_than_was_warned_of_is_said(
    was: str, facts: dict[str, Any], said: str
) -> None:
    """In the thread, once; what it is now is remembered in any case."""
    warned = replace(PAGED, paged_at=None, verdict="at_risk", cause=was, names=("master.sessions",))
    plan = changed(broken("04:45", warned, **facts), a_scene("04:45"))
    titles = [one.title for one in said_by(plan) if one.channel == "chat"]
    assert titles == ([f"Growth ETL, 22 Nov: now {said}"] if said else [])
    assert plan is not None
    assert plan.incidents[0].cause == a_report("04:45", **facts).why.cause  # type: ignore[union-attr]


def test_that_a_run_gets_on_is_no_other_cause() -> None:
    """It was late and moving, and is at its next task."""
    moves = replace(PAGED, cause="running", names=("transform",))
    on = (WAITED, a_task("transform", ended="05:18"), a_task("check", "running", "05:18"))
    plan = changed(broken(incident=moves, tasks=on), a_scene("05:20"))
    assert said_by(plan) == []
    assert plan is not None
    assert plan.incidents[0].names == ("check",)


def test_a_cause_that_flaps_is_said_twenty_times() -> None:
    """Each change has a step of its own; then the thread stays quiet."""
    incident, causes, steps = PAGED, ({"tasks": (WAITED, TRANSFORMS)}, {"loads": (a_load(),)}), []
    for number in range(LATEST_CHANGES + 5):
        plan = changed(broken(incident=incident, **causes[number % 2]), a_scene("05:20"))
        assert plan is not None
        incident = plan.incidents[0]
        steps += [one.step for one in said_by(plan) if one.channel == "chat"]
    assert len(steps) == len(set(steps)) == 20
    assert incident.cause == "stuck"


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ((WAITED, a_task("transform", ended="05:19:00")), True),  # a minute without a next task is a cause
        ((WAITED, a_task("transform", ended="05:19:00.000001")), False),
        ((WAITED, a_task("transform", ended="05:19:30"), a_task("check", "running", "05:19:40")), True),
        ((a_task("transform", ended="05:19:30"), WAITED), False),  # the latest end counts
        ((), True),
    ],
)
def test_a_run_between_two_tasks_is_no_new_cause(tasks: tuple[Any, ...], said: bool) -> None:
    """For a minute it settles."""
    assert bool(said_by(changed(broken(tasks=tasks), a_scene("05:20")))) is said


@pytest.mark.parametrize(("since", "said"), [("05:19:35", True), ("05:19:35.000001", False), (None, True)])
def test_a_hiccup_of_the_warehouse_is_no_new_cause(since: str | None, said: bool) -> None:
    """Only when it cannot be read for 25 s."""
    blind: dict[str, Any] = {
        "unreadable": ("warehouse: gone",),
        "blind": True,
        "blind_since": at(since) if since else None,
    }
    assert bool(said_by(changed(broken(**blind), a_scene("05:20")))) is said


def test_what_waited_for_a_table_that_has_just_come_is_no_new_cause() -> None:
    """That it has come, and what can go on, is said already; that its sensor has not looked yet is no news."""
    waits: dict[str, Any] = {
        "tasks": (a_task("wait_for_upstream", "running", "02:00"),),
        "loads": (a_load(came="05:19"),),
    }
    assert said_by(changed(broken(**waits), a_scene("05:20"))) == []
    waits["tasks"] = (a_task("transform", "running", "05:21"),)
    (said,) = {one.title for one in said_by(changed(broken("05:22", **waits), a_scene("05:22")))}
    assert said == "Growth ETL, 22 Nov: now running in transform since 05:21"


def test_before_anybody_was_paged_the_present_cause_is_taken_at_once() -> None:
    """Nobody hears of it, so it need not settle."""
    unpaged = replace(PAGED, paged_at=None)
    plan = changed(broken(incident=unpaged, tasks=(a_task("transform", ended="05:19:59"),)), a_scene("05:20"))
    assert plan is not None
    assert plan.incidents[0].cause == "running"


def test_a_page_leaves_its_cause_on_the_incident_even_between_two_tasks() -> None:
    """Whoever sends the page has read the incident alone: without its cause it says that none is known."""
    paged_now = replace(PAGED, paged_at=at("05:20"), cause="")
    plan = changed(
        broken(incident=paged_now, tasks=(a_task("transform", ended="05:19:59"),)), a_scene("05:20")
    )
    assert plan is not None
    assert plan.incidents[0].cause == "running"
    assert said_by(plan) == []


# A failure of a published day that is being mended.


@pytest.mark.parametrize(
    ("tasks", "over"),
    [
        ((a_task("transform", "queued", "06:20"),), False),  # cleared
        ((a_task("transform", "running", "06:20"),), False),
        ((a_task("transform", "success", "06:20", "06:29"),), False),  # the next task is about to start
        (
            (a_task("transform", "success", "06:00", "06:10"),),
            True,
        ),  # marked as a success, and nothing follows
        ((a_task("transform", "success", "03:00", "03:10"),), True),  # before the publication
        ((a_task("publish", "success", "06:20", "06:29"),), True),
        ((a_task("transform", "success", "06:00", "06:20"),), True),  # ten minutes ago
        ((a_task("transform", "success", "06:00", "06:20:00.000001"),), False),
        ((a_task("publish", "running", "04:00"),), True),  # it began before it published, and cleans up
        ((a_task("publish", "running", "04:00:00.000001"),), False),
        ((), True),
    ],
)
def test_a_start_resolves_nothing(tasks: tuple[Any, ...], over: bool) -> None:
    """Cleared or started anew, it is over when it publishes."""
    one = a_report("06:30", publication=published("04:00"), tasks=tasks)
    failed = an_incident(failure="x", failures=1, verdict="kept")
    case = a_case(one, incident=failed, said=[("chat", "failed-1")], alerts=["failed-1"])
    assert (resolve(case, a_scene("06:30")) is not None) is over
    assert resolve(replace(case, incident=replace(failed, failures=0)), a_scene("06:30")) is not None


def test_what_has_become_of_one_of_several_is_said_of_that_one() -> None:
    """The other one runs: it has not failed."""
    known = replace(PAGED, cause="running", names=("transform",))
    case = a_case(
        a_report("05:20", tasks=(WAITED, a_task("transform", "running", "04:58"))),
        a_report("05:20", ENGAGEMENT, tasks=(WAITED, FAILED)),
        incident=known, said=[("chat", PAGE)], alerts=[PAGE],
    )  # fmt: skip
    [post, _] = said_by(changed(case, a_scene("05:20")))
    assert post.title == (
        "2 reports of 22 Nov (Engagement ETL, Growth ETL): Engagement ETL transform failed at 02:40: boom"
    )


# One of several lands.


def several(*, landed_at: str | None = "05:10", said: Any = ()) -> IncidentContext:
    first = a_report("05:20", GROWTH, publication=published(landed_at) if landed_at else None)
    second = a_report("05:20", ENGAGEMENT)
    return a_case(first, second, incident=PAGED, said=[("chat", PAGE), *said], alerts=[PAGE])


def test_one_of_several_reports_lands() -> None:
    """How late it is, and which are still missing."""
    post = the_post(landed(several(), a_scene("05:20")))
    assert post.title == (
        f"Growth ETL, 22 Nov: published, {span(600)} late; still missing: Engagement ETL, 22 Nov"
    )
    assert post.about == "investor.daily_growth for 2026-11-22"
    assert (post.step, post.steps) == ("landed:1", "")
    assert post.runbook == "http://airflow.test/oncall/runbooks/growth_etl?date=2026-11-22"
    in_time = the_post(landed(several(landed_at="04:59"), a_scene("05:20")))
    assert in_time.title.startswith("Growth ETL, 22 Nov: published, in time;")


def test_what_was_published_and_fails_when_it_is_run_again_is_not_said_to_be_missing() -> None:
    """It is what is left of the incident."""
    again = a_task("transform", "failed", "05:12", "05:15", "boom", run="again")
    stands = a_report("05:20", ENGAGEMENT, publication=published("04:40"), tasks=(again,))
    here = a_report("05:20", GROWTH, publication=published("05:10"))
    post = the_post(landed(a_case(here, stands, incident=PAGED, said=[("chat", PAGE)]), a_scene("05:20")))
    assert post.title.endswith("late; run again and failed: Engagement ETL, 22 Nov")


def test_what_lands_together_is_said_once() -> None:
    """Of several days too: how late each is, and what is still missing."""
    older = [
        replace(a_report("05:20", dag_id, publication=published("05:10")), report_date=dt.date(2026, 11, 21))
        for dag_id in (GROWTH, ENGAGEMENT)
    ]
    here = a_report("05:20", GROWTH, publication=published("05:10"))
    case = a_case(here, *older, a_report("05:20", PROFIT), incident=PAGED, said=[("chat", PAGE)])
    post = the_post(landed(case, a_scene("05:20")))
    assert post.step == "landed:3"
    assert post.title == "3 of 4 reports published; still missing: Profit ETL, 22 Nov"
    late = f"published, {span(600)} late"
    assert post.text.splitlines()[-1] == (
        f"Growth ETL 22 Nov: {late}; Growth ETL 21 Nov: {late}; Engagement ETL 21 Nov: {late}"
    )
    again = a_case(*case.members, incident=PAGED, said=[("chat", PAGE), ("chat", "landed:2")])
    assert the_post(landed(again, a_scene("05:20"))).step == "landed:3"


def test_what_has_landed_is_said_once_and_only_where_something_is_missing() -> None:
    """The last one is the resolution."""
    assert landed(several(said=[("chat", "landed:1")]), a_scene("05:20")) is None
    assert landed(several(landed_at=None), a_scene("05:20")) is None
    all_there = a_case(
        a_report("05:20", publication=published("05:10")), incident=PAGED, said=[("chat", PAGE)]
    )
    assert landed(all_there, a_scene("05:20")) is None
    unspoken = a_case(*several().members, incident=PAGED)
    assert landed(unspoken, a_scene("05:20")) is None


# The resolution.


def test_the_resolution_says_how_late_and_closes_every_alert() -> None:
    """In the thread, on its headline, and on each alert."""
    case = a_case(
        a_report("05:42:10", publication=published("05:42")),
        incident=PAGED, said=[("chat", PAGE)], alerts=[PAGE, "page-2-secondary"],
    )  # fmt: skip
    plan = resolve(case, a_scene("05:42:10"))
    said = said_by(plan)
    assert [one.where for one in said] == [
        ("chat", "post"), ("chat", "update"), ("pager", "close"), ("pager", "close"),
    ]  # fmt: skip
    assert [one.step for one in said[:2]] == ["resolved", "headline:resolved"]
    title = f"Resolved: Growth ETL, 22 Nov — {span(42 * 60)} late, published at 05:42"
    assert events(plan) == [title]
    assert {one.runbook for one in said} == {"http://airflow.test/oncall/runbooks/growth_etl?date=2026-11-22"}
    assert {one.title for one in said} == {title}
    assert said[0].text == ""
    assert [one.alias.rsplit(":", 1)[1] for one in said if one.op == "close"] == [PAGE, "page-2-secondary"]
    assert len({(one.channel, one.step) for one in said}) == 4
    assert plan is not None
    done = plan.incidents[0]
    assert (done.resolved_at, done.verdict, done.late_s) == (at("05:42:10"), "late", 42 * 60.0)


@pytest.mark.parametrize(
    ("first", "verdict", "late_s", "words"),
    [
        ("04:50", "kept", None, "in time"),
        ("05:00", "kept", None, "in time"),
        ("05:00:30", "late", 30.0, f"{span(30)} late"),
        ("06:05", "late", 3900.0, "1 h 05 min late"),
    ],
)
def test_how_an_incident_ends(first: str, verdict: str, late_s: float | None, words: str) -> None:
    """Kept or late, by the first publication."""
    case = broken("06:10", publication=published(first, "06:06"))
    plan = resolve(case, a_scene("06:10"))
    assert plan is not None
    assert (plan.incidents[0].verdict, plan.incidents[0].late_s) == (verdict, late_s)
    assert said_by(plan)[0].title.endswith(f"— {words}, published at {first[:5]}")


def test_several_reports_end_together() -> None:
    """Each with its own lateness, also on record; the thread says how late the latest of them is."""
    case = a_case(
        a_report("05:30", GROWTH, publication=published("05:10")),
        a_report("05:30", PROFIT, publication=published("04:50")),
        a_report("05:30", ENGAGEMENT, publication=published("05:25")),
        incident=PAGED, said=[("chat", PAGE)],
    )  # fmt: skip
    plan = resolve(case, a_scene("05:30"))
    said = said_by(plan)
    most = f"up to {span(25 * 60)} late"
    assert said[0].title == f"Resolved: 3 reports of 22 Nov — {most}, published at 05:25"
    assert said[0].text == (
        f"Growth ETL: {span(600)} late; Profit ETL: in time; Engagement ETL: {span(25 * 60)} late"
    )
    assert plan is not None
    assert plan.incidents[0].late_s == 600.0


@pytest.mark.parametrize(
    ("landed_at", "how"), [("04:50", "in time"), ("05:00", "in time"), ("05:10", f"up to {span(600)} late")]
)
def test_how_two_reports_end(landed_at: str, how: str) -> None:
    """In one sentence for both."""
    case = a_case(
        a_report("05:30", GROWTH, publication=published("04:40")),
        a_report("05:30", ENGAGEMENT, publication=published(landed_at)),
        incident=an_incident(), said=[("chat", "warning")],
    )  # fmt: skip
    title = said_by(resolve(case, a_scene("05:30")))[0].title
    both = "2 reports of 22 Nov (Growth ETL, Engagement ETL)"
    assert title == f"Resolved: {both} — {how}, published at {landed_at}"


def test_the_resolution_says_when_what_was_warned_of_has_come() -> None:
    """Where nobody has heard so yet."""
    warned = replace(PAGED, warned=("master.sessions",))
    case = broken("05:42", warned, publication=published("05:42"), loads=(a_load(came="05:31"),))
    assert said_by(resolve(case, a_scene("05:42")))[0].text == "master.sessions has arrived (05:31)"


def test_what_nobody_heard_of_ends_in_silence() -> None:
    """The incident is resolved, and no word is owed."""
    plan = resolve(
        a_case(a_report("05:30", publication=published("05:10")), incident=PAGED), a_scene("05:30")
    )
    assert said_by(plan) == []
    assert plan is not None
    assert (plan.incidents[0].resolved_at, plan.incidents[0].verdict) == (at("05:30"), "late")


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"publication": published("04:00"), "tasks": (a_task("transform", "failed", "05:00", "05:10"),)},
        {
            "publication": published("04:00"),
            "failed_before": (a_task("transform", "failed", "05:00", "05:10"),),
        },
    ],
)
def test_nothing_is_resolved_while_something_is_missing(facts: dict[str, Any]) -> None:
    """Not published, or wanted anew and failed."""
    there = a_report("05:30", PROFIT, publication=published("04:00"))
    assert resolve(a_case(there, a_report("05:30", **facts), incident=PAGED), a_scene("05:30")) is None


def test_a_failure_of_a_published_day_ends_when_it_is_published_anew() -> None:
    """The promise was kept all the while."""
    case = broken("07:00", publication=published("04:00", "06:58"), tasks=(FAILED,))
    plan = resolve(case, a_scene("07:00"))
    assert plan is not None
    assert plan.incidents[0].verdict == "kept"


@pytest.mark.parametrize(
    ("again", "how"), [("06:58", "published again at 06:58"), ("04:00", "the failure no longer stands")]
)
def test_the_end_of_a_run_that_failed_after_the_publication_says_nothing_of_the_promise(
    again: str, how: str
) -> None:
    """That it came in time, and when, was no question; a person may also have marked the run as a success."""
    incident = an_incident(opened_at=at("06:40"), failures=1)
    report = a_report("07:00", publication=published("04:00", again))
    plan = resolve(a_case(report, incident=incident, said=[("pager", "failed-1")]), a_scene("07:00"))
    assert said_by(plan)[0].title == f"Resolved: Growth ETL, 22 Nov — {how}"


def test_what_was_published_while_nobody_could_see_it_is_told_with_its_time() -> None:
    """Its incident began later than it came."""
    incident = an_incident(opened_at=at("05:20"), paged_at=at("05:20"))
    report = a_report("07:00", publication=published("05:10"))
    plan = resolve(a_case(report, incident=incident, said=[("pager", "page-1-primary")]), a_scene("07:00"))
    assert said_by(plan)[0].title == "Resolved: Growth ETL, 22 Nov — 10 min late, published at 05:10"


# A stale report.


def test_a_stale_report_is_told_with_the_command_that_runs_it_again() -> None:
    """Which tables changed and when; a notice wakes nobody."""
    loads = (a_load("master.sessions", "06:10"), a_load("master.customers", "06:20"))
    one = a_report("06:30", publication=published("04:00"), changed_since=loads)
    plan = stale(a_case(one, a_report("06:30", ENGAGEMENT)), a_scene("06:30"))
    post = the_post(plan)
    assert post.title == "Stale: Growth ETL, 22 Nov: master.sessions, master.customers changed since"
    assert post.text.splitlines() == [
        "master.sessions changed at 06:10",
        "master.customers changed at 06:20",
        "How many days depend on it stands under Its numbers; python -m oncall stale lists each. A number that a run"
        " changes is noted as restated.",
        """This day alone: airflow dags trigger growth_etl --conf '{"report_date": "2026-11-22"}'""",
    ]
    assert post.about == "investor.daily_growth for 2026-11-22"
    assert plan.owed[0].message.links[-2:] == (
        ("Its numbers", "http://airflow.test/oncall/reports/investor.daily_growth"),
        ("Run stale days again", "http://airflow.test/dags/oncall_rerun_stale"),
    )
    assert events(plan) == [post.title]
    assert plan.incidents == (an_incident(),)
    assert (post.to, post.priority) == ((), "P3")
    assert post.steps == (
        "**Do:** run it and each later day that depends on it again, oldest first: python -m oncall stale --rerun,"
        " or trigger the DAG oncall_rerun_stale.\n\nsteps for after"
    )


def test_the_longest_title_of_a_stale_report_is_not_cut() -> None:
    """Tables of the longest names, and more of them."""
    tables = ("marketing_spend", "order_lines", "orders", "refunds", "touches")
    loads = tuple(a_load(f"master.{table}", "06:10") for table in tables)
    one = a_report("06:30", PROFIT, publication=published("04:00"), changed_since=loads)
    assert the_post(stale(a_case(one), a_scene("06:30"))).title == (
        "Stale: Profit ETL, 22 Nov: master.marketing_spend, master.order_lines and 3 more changed since"
    )


def test_each_change_after_publication_is_a_notice_of_its_own() -> None:
    """Told apart by the newest load."""

    def step(*came: str) -> str:
        loads = tuple(a_load(f"master.{number}", clock) for number, clock in enumerate(came))
        one = a_report("06:30", publication=published("04:00"), changed_since=loads)
        return the_post(stale(a_case(one), a_scene("06:30"))).step

    assert step("06:10", "06:20") == step("06:20", "06:05") != step("06:10")


def test_times_of_another_day_carry_it() -> None:
    """A resolution at noon of what was published yesterday says the day."""
    plan = resolve(broken("05:30", publication=published("05:10")), a_scene("12:00", days=1))
    assert said_by(plan)[0].title.endswith("published on Mon 23 Nov at 05:10")
    assert dt.timedelta(days=1) + at("12:00") == at("12:00", days=1)


# The configuration ends it.


def test_a_promise_that_was_moved_is_not_late_any_more() -> None:
    """Its alerts are closed, and the thread says when it is due now; should it be missing then, that is another one."""
    later = replace(a_report("05:20"), verdict="waiting", due=at("06:00"))
    plan = moved(a_case(later, incident=PAGED, said=[("chat", PAGE)], alerts=[PAGE]), a_scene("05:20"))
    said = said_by(plan)
    assert [one.where for one in said] == [("chat", "post"), ("chat", "update"), ("pager", "close")]
    assert [one.step for one in said[:2]] == ["moved", "headline:moved"]
    assert {one.title for one in said} == {"Not late any more: Growth ETL, 22 Nov is due at 06:00 now"}
    assert said[0].text == "The configuration has changed."
    assert said[0].runbook == "http://airflow.test/oncall/runbooks/growth_etl?date=2026-11-22"
    assert events(plan) == [said[0].title]
    both = moved(a_case(later, later, incident=PAGED, said=[("chat", PAGE)]), a_scene("05:20"))
    assert said_by(both)[0].title.endswith("are due at 06:00 now")
    assert plan is not None
    assert (plan.incidents[0].resolved_at, plan.incidents[0].verdict) == (at("05:20"), "moved")
    assert plan.incidents[0].due == at("06:00")
    unspoken = moved(a_case(later, incident=PAGED), a_scene("05:20"))
    assert said_by(unspoken) == []
    assert unspoken is not None
    assert not unspoken.incidents[0].open
    never = replace(later, due=None)
    plan = moved(a_case(never, incident=PAGED, said=[("chat", PAGE)]), a_scene("05:20"))
    assert said_by(plan)[0].title == "Not late any more: Growth ETL, 22 Nov is not promised any more"


@pytest.mark.parametrize(
    ("incident", "report"),
    [
        (
            replace(PAGED, paged_at=None),
            a_report("04:20", tasks=(FAILED,)),
        ),  # nobody was paged: it goes on as it is
        (replace(PAGED, paged_at=None, due=at("04:00")), a_report("04:20", tasks=(FAILED,))),
        (PAGED, a_report("05:20")),  # it is broken
        (replace(PAGED, due=at("04:00")), a_report("05:20")),  # by the new time as well
        (PAGED, a_report("05:20", publication=published("05:10"))),  # it is there: that is the resolution
    ],
)
def test_what_is_no_move(incident: Any, report: Any) -> None:
    """Only what was paged for and is not late any more."""
    assert moved(a_case(report, incident=incident, said=[("chat", PAGE)]), a_scene("05:20")) is None


def test_a_pipeline_that_was_removed_is_not_watched_any_more() -> None:
    """Nobody will say that it is over, so this does; its alerts are closed."""
    case = a_case(a_report("05:20"), incident=PAGED, said=[("chat", PAGE)], alerts=[PAGE])
    plan = removed(case.incident, case.entries, a_scene("05:20"))
    said = said_by(plan)
    assert [one.where for one in said] == [("chat", "post"), ("chat", "update"), ("pager", "close")]
    assert said[0].title == "Not watched any more: growth_etl, report of 2026-11-22"
    assert said[0].text == "Its pipeline was removed from the configuration."
    assert said[0].step == "removed"
    assert plan.owed[0].message.channel == "#de-oncall"
    assert plan.owed[0].message.links == (("On-call page", "http://airflow.test/oncall/"),)
    assert (plan.incidents[0].resolved_at, plan.incidents[0].verdict) == (at("05:20"), "removed")
    assert events(plan) == [said[0].title]
