"""Verdict and cause of a promise, at every boundary. The rows are those of the rules; 05:00 is due, 03:30 warns."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from oncall.core.promises.cause import late_words
from oncall.core.promises.evaluation import DueTimes, current_task, evaluate_promise
from oncall.core.promises.facts import IF_TRUE, MARKED, Facts, FailedCheck, Task
from oncall.core.promises.why import Why
from tests.core.scenes import (
    CHECK,
    DAY,
    FAILED,
    TRANSFORMS,
    TZ,
    WAITED,
    a_dag,
    a_load,
    a_pipeline,
    a_report,
    a_task,
    at,
    published,
    usually,
)

SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)
MICRO = dt.timedelta(microseconds=1)
RUN = "(run)"


def why(clock: str = "05:00", **facts: Any) -> Why:
    found = a_report(clock, **facts).why
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("first", "verdict", "late_by"),
    [
        ("02:30", "kept", None),
        ("04:59:59.999999", "kept", None),
        ("05:00:00.000000", "kept", None),
        ("05:00:00.000001", "late", MICRO),
        ("05:42", "late", 42 * MINUTE),
    ],
)
def test_published_by_the_due_instant_is_in_time(
    first: str, verdict: str, late_by: dt.timedelta | None
) -> None:
    """The due instant itself belongs to the promise; how late is told from it."""
    one = a_report("06:00", publication=published(first))
    assert (one.verdict, one.late_by, one.why, one.done) == (verdict, late_by, None, True)


def test_a_judgement_says_what_it_is_about() -> None:
    """Published or not: pipeline, report date, due, warning and drill."""
    for publication in (None, published("04:00")):
        report = a_report("06:00", publication=publication)
        assert (report.pipeline.dag_id, report.report_date) == ("growth_etl", DAY)
        assert (report.due, report.warn, report.drill) == (at("05:00"), at("03:30"), "")
        assert a_report("06:00", drill="x", publication=publication).drill == "x"
        assert evaluate_promise(report.pipeline, DAY, report.facts, at("06:00"), TZ).drill == ""


def test_a_cause_gives_no_secret_away() -> None:
    """Whatever an error contains."""
    failed = a_task("transform", "failed", "02:10", "02:40", "postgresql://etl:hunter2@host/db refused")
    assert "hunter2" not in why(tasks=(failed,)).detail
    assert "refused" in why(tasks=(failed,)).detail


def test_the_first_publication_judges_the_promise() -> None:
    """A re-run at noon makes nothing late, and one does not make a late report timely."""
    assert a_report("12:30", publication=published("04:00", "12:00")).verdict == "kept"
    assert a_report("12:30", publication=published("05:10", "12:00")).late_by == 10 * MINUTE


def test_what_was_due_as_it_was_published_judges_the_promise() -> None:
    """Whatever is promised now, and whichever way it moved; a drill has its own times."""
    late = replace(published("04:42"), due=at("04:00"))
    assert (one := a_report("06:00", publication=late)).late_by == 42 * MINUTE
    assert (one.verdict, one.due) == ("late", at("04:00"))
    assert a_report("06:00", publication=replace(published("05:42"), due=at("06:00"))).verdict == "kept"
    assert a_report("06:00", publication=late, promised=False).due is None
    assert a_report("06:00", publication=late, drill="x").verdict == "kept"


@pytest.mark.parametrize(
    ("clock", "verdict", "late_by"),
    [
        ("03:00", "waiting", None),
        ("04:59:59.999999", "waiting", None),
        ("05:00:00.000000", "broken", dt.timedelta()),
        ("05:42", "broken", 42 * MINUTE),
    ],
)
def test_missing_at_the_due_instant_is_broken(clock: str, verdict: str, late_by: dt.timedelta | None) -> None:
    """From 05:00:00.000 on, not a tick before."""
    moves: dict[str, Any] = {
        "tasks": (WAITED, a_task("transform", "running", "04:50")),
        "usual": usually({"transform": 600.0}),
    }
    report = a_report(clock, **moves)
    assert (report.verdict, report.late_by) == (verdict, late_by)
    assert (report.why is not None) == (verdict == "broken")
    assert not report.done


def test_without_a_promise_nothing_is_ever_late() -> None:
    """It waits; only a failure is worth a word."""
    never = a_report("12:00", promised=False, tasks=(TRANSFORMS,))
    assert (never.verdict, never.due, never.warn, never.why) == ("waiting", None, None, None)
    assert a_report("12:00", promised=False, publication=published("09:00")).verdict == "kept"
    assert a_report("12:00", promised=False, tasks=(FAILED,)).verdict == "at_risk"
    assert a_report("12:00", promised=False, loads=(a_load(),)).verdict == "waiting"


def test_a_drill_brings_its_own_instants() -> None:
    """Due and warning are replaced together with the mark."""
    plain = a_report("04:00")
    drill = evaluate_promise(
        plain.pipeline,
        plain.report_date,
        Facts(loads=(a_load(),)),
        at("04:00"),
        TZ,
        DueTimes(at("04:30"), at("04:00"), "x"),
    )
    assert (drill.due, drill.warn, drill.verdict, drill.drill) == (at("04:30"), at("04:00"), "at_risk", "x")
    assert (plain.due, plain.warn, plain.drill) == (at("05:00"), at("03:30"), "")


BEGAN = a_task(RUN, "running", "02:00")
LATE: dict[str, Any] = {"loads": (a_load(),)}
BLIND: dict[str, Any] = {"unreadable": ("warehouse: gone",), "blind": True}
ENDED = a_task(RUN, "failed", "00:05", "00:20")
WAIT_FAILED = a_task("wait_for_upstream", "failed", "00:10", "00:20")


@pytest.mark.parametrize(
    ("clock", "facts", "verdict"),
    [
        ("03:29:59.999999", LATE, "waiting"),
        ("03:30:00.000000", LATE, "at_risk"),
        ("03:29:59.999999", BLIND, "waiting"),
        ("03:30:00.000000", BLIND, "at_risk"),
        ("03:41:59.999999", {"tasks": (WAITED, TRANSFORMS)}, "waiting"),  # on track
        ("03:42:00.000000", {"tasks": (WAITED, TRANSFORMS)}, "at_risk"),  # stuck
        ("03:30", {"dag": a_dag()}, "waiting"),
        ("02:09:59.999999", {"run": BEGAN}, "waiting"),  # its first task is to start
        ("02:10:00.000000", {"run": BEGAN}, "at_risk"),  # no worker takes it
        ("00:30", {"tasks": (WAITED, FAILED)}, "at_risk"),  # at any time
        ("00:30", {"tasks": (a_task("wait_for_upstream", "failed", "00:10", "00:20"),), **LATE}, "at_risk"),
        ("00:30", {"failed_checks": (CHECK,), "tasks": (WAITED, TRANSFORMS)}, "at_risk"),
        ("00:30", {"run": a_task(RUN, "deleted", "02:00", "02:30")}, "at_risk"),
        ("00:30", {"tasks": (WAITED,), "run": a_task(RUN, "failed", "02:00", "02:30")}, "at_risk"),
        # A wait that failed, or whose run was ended, waits for nothing, though upstream is what is late.
        ("00:30", {"tasks": (a_task("wait_for_upstream", "running", "00:06"),), "run": ENDED, **LATE}, "at_risk"),
        ("00:30", {"tasks": (WAIT_FAILED, a_task("transform", "skipped")), **LATE}, "at_risk"),
        ("00:30", {"failed_checks": (CHECK,)}, "at_risk"),
        ("00:30", {"tasks": (a_task("publish", ended="00:10"),)}, "at_risk"),  # green, and nothing is there
        # By its own schedule it should have started ten minutes ago. Nobody schedules a drill.
        ("02:09:59.999999", {"dag": a_dag(), "schedule": "0 2 * * *"}, "waiting"),
        ("02:10", {"dag": a_dag(), "schedule": "0 2 * * *"}, "at_risk"),
        ("02:10", {"dag": a_dag(), "schedule": "0 2 * * *", "drill": "x"}, "waiting"),
        # What has begun before its time is not to come.
        ("04:31", {"tasks": (WAITED, a_task("transform", "running", "04:25")), "schedule": "25 4 * * *",
                   "usual": usually({"transform": 3600.0}, longest={"transform": 7200.0})}, "at_risk"),
        # Not for two looks yet: a hiccup.
        ("03:30:24.999999", {**BLIND, "blind_since": at("03:30")}, "waiting"),
        ("03:30:25", {**BLIND, "blind_since": at("03:30")}, "at_risk"),
    ],
)  # fmt: skip
def test_at_risk_before_due(clock: str, facts: dict[str, Any], verdict: str) -> None:
    """Upstream late or nothing to be seen, from the warning on; whatever has failed, at once."""
    one = a_report(clock, **facts)
    assert one.verdict == verdict
    assert (one.why is not None) == (verdict == "at_risk")


@pytest.mark.parametrize(
    ("clock", "days", "facts", "verdict"),
    [
        ("16:59:59.999999", -1, {"dag": a_dag(paused=True)}, "waiting"),
        ("17:00", -1, {"dag": a_dag(paused=True)}, "at_risk"),
        ("17:00", -1, {"dag": a_dag(import_error="x")}, "at_risk"),
        ("17:00", -1, {"dag": a_dag(paused=True), "drill": "x"}, "waiting"),
        # Where nobody looked until now, a scheduler that comes up has ten minutes to read its DAGs.
        ("03:09:59.999999", 0, {"dag": a_dag(missing=True), "looking_since": at("03:00")}, "waiting"),
        ("03:10", 0, {"dag": a_dag(missing=True), "looking_since": at("03:00")}, "at_risk"),
        ("03:01", 0, {"dag": a_dag(paused=True), "looking_since": at("03:00")}, "at_risk"),
    ],
)
def test_a_run_that_cannot_come_is_told_half_a_day_before(
    clock: str, days: int, facts: dict[str, Any], verdict: str
) -> None:
    """Paused, gone or broken: whoever mends a DAG at noon is not disturbed."""
    assert a_report(clock, days=days, **facts).verdict == verdict


def test_past_due_and_not_to_be_seen_is_unknown() -> None:
    """It pages like a broken one, and is not called so."""
    one = a_report("05:00", **BLIND)
    assert (one.verdict, one.overdue, one.late_by) == ("unknown", True, None)


def test_a_report_that_waits_says_what_it_is_about() -> None:
    """Long before, with nothing to judge, and on its way; a drill says which."""
    on_its_way: dict[str, Any] = {"tasks": (WAITED, a_task("transform", "running", "02:59"))}
    for clock, days, facts in (("12:00", -1, {}), ("03:00", 0, on_its_way)):
        report = a_report(clock, days=days, **facts)
        assert (report.verdict, report.pipeline.dag_id, report.report_date) == ("waiting", "growth_etl", DAY)
        assert (report.due, report.warn, report.last_chance) == (at("05:00"), at("03:30"), at("04:30"))
        assert (report.facts, report.drill) == (Facts(**facts), "")
        assert a_report(clock, days=days, drill="x", **facts).drill == "x"


MOVING = {"transform": 36000.0, "check": 36000.0, "a_new_task": 36000.0}
REMAINING = {"transform": 1800.0, "check": 600.0, "publish": 60.0}


@pytest.mark.parametrize(
    ("tasks", "chance"),
    [
        ((), "04:30"),  # nothing has begun: all of it is to come
        ((WAITED,), "04:30"),
        ((WAITED, TRANSFORMS), "04:30"),
        (
            (WAITED, a_task("transform", "running", "04:25")),
            "04:55",
        ),  # it fits: not before it should be there
        ((WAITED, a_task("transform", "running", "04:31")), "04:30"),  # it does not fit
        ((WAITED, a_task("transform"), a_task("check", "running", "04:40")), "04:50"),
        ((WAITED, a_task("transform"), a_task("check", "up_for_retry", "04:40", "04:41")), "04:51"),
        ((WAITED, a_task("transform"), a_task("check", "queued", "04:40")), "04:50"),
        ((WAITED, a_task("a_new_task", "running", "04:00")), "04:30"),  # no history of its own: the longest
    ],
)
def test_the_last_chance_is_due_minus_what_usually_remains(tasks: tuple[Task, ...], chance: str) -> None:
    """Counted from the step the run is at; from that instant on it is at risk, whatever it does."""
    if tasks == (WAITED,):
        tasks = (a_task("wait_for_upstream", ended="04:25"),)  # long before: stuck
    facts: dict[str, Any] = {"tasks": tasks, "usual": usually(REMAINING, longest=MOVING)}
    just_before = a_report("00:30", **facts)
    assert just_before.last_chance == at(chance)
    pipeline, day = just_before.pipeline, just_before.report_date
    for instant, verdict in ((at(chance) - MICRO, "waiting"), (at(chance), "at_risk")):
        assert evaluate_promise(pipeline, day, Facts(**facts), instant, TZ).verdict == verdict


@pytest.mark.parametrize(
    ("tasks", "chance"),
    [
        ((), "04:30"),
        ((WAITED,), "04:30"),
        ((WAITED, TRANSFORMS), "04:30"),
        ((WAITED, a_task("transform", "running", "04:20")), "04:50"),
        (
            (WAITED, a_task("transform", "success", "04:20", "04:30"), a_task("check", "running", "04:30")),
            "04:50",
        ),
        ((WAITED, a_task("transform", "running", "04:40")), "04:30"),
    ],
)
def test_without_history_a_run_takes_as_long_as_is_configured(tasks: tuple[Task, ...], chance: str) -> None:
    """Half an hour where nothing is configured; a drill, whose due time is near, has no such chance."""
    assert a_report("00:30", tasks=tasks).last_chance == at(chance)
    assert a_report("00:30", tasks=tasks, drill="x").last_chance is None
    longer = a_pipeline(usually=dt.timedelta(hours=2))
    assert evaluate_promise(longer, DAY, Facts(), at("00:30"), TZ).last_chance == at("03:00")


def test_a_run_that_is_not_to_start_yet_is_not_late_however_long_it_takes() -> None:
    """Ten minutes from its schedule on it counts as never started; an hour is usual, and half an hour is left."""
    times = DueTimes(at("05:00"), starts=at("04:30"))
    pipeline, facts = a_pipeline(), Facts(usual=usually({"transform": 3600.0}), dag=a_dag())
    verdicts = {
        clock: evaluate_promise(pipeline, DAY, facts, at(clock), TZ, times).verdict
        for clock in ("04:00", "04:29", "04:39", "04:40")
    }
    assert verdicts == {"04:00": "waiting", "04:29": "waiting", "04:39": "waiting", "04:40": "at_risk"}
    assert evaluate_promise(pipeline, DAY, facts, at("04:40"), TZ, times).last_chance == at("04:00")


def test_without_a_promise_there_is_no_last_chance() -> None:
    """And what is published needs none."""
    assert a_report("04:59", promised=False, usual=usually(REMAINING)).last_chance is None
    assert a_report("04:59", promised=False).last_chance is None
    assert a_report("04:59", publication=published("04:00"), usual=usually(REMAINING)).last_chance is None


# Why it is not there: the earliest obstacle.

UNUSUAL = FailedCheck("cost_is_usual", "9 to 11", f"90{IF_TRUE}release it")
SKIPPED = a_task("publish", "skipped", "02:20", "02:20")
CAUSES: list[tuple[dict[str, Any], str, str, tuple[str, ...]]] = [
    (BLIND, "unknown", "warehouse unreachable (gone)", ("warehouse: gone",)),
    (
        {"unreadable": ("warehouse: gone", "oncall_db: gone"), "blind": True},
        "unknown", "warehouse unreachable (gone); oncall_db unreachable (gone)", ("warehouse: gone", "oncall_db: gone"),
    ),
    (
        {"unreadable": ('oncall_db: connection failed: connection to server at "db", port 1 failed: refused',)},
        "unknown", "oncall_db unreachable (refused)",
        ('oncall_db: connection failed: connection to server at "db", port 1 failed: refused',),
    ),
    (
        {"unreadable": ('oncall_db: connection failed: connection to server on socket "/s" failed: FATAL:  closed',)},
        "unknown", "oncall_db unreachable (closed)",
        ('oncall_db: connection failed: connection to server on socket "/s" failed: FATAL:  closed',),
    ),
    ({"unreadable": ("oncall_db: gone",)}, "unknown", "oncall_db unreachable (gone)", ("oncall_db: gone",)),
    (
        {"unreadable": ("a: gone", "b: gone")},
        "unknown", "a unreachable (gone); b unreachable (gone)", ("a: gone", "b: gone"),
    ),
    (
        {**BLIND, "blind_since": at("04:58")},
        "unknown", "warehouse unreachable since 04:58 (gone)", ("warehouse: gone",),
    ),
    (
        {"unreadable": ('warehouse: invalid input syntax for type date: "yes"',)},
        "unknown", 'warehouse cannot be read (invalid input syntax for type date: "yes")',
        ('warehouse: invalid input syntax for type date: "yes"',),
    ),
    (
        {"unreadable": ("warehouse: permission denied for table loads",), "blind": True},
        "unknown", "warehouse cannot be read (permission denied for table loads)",
        ("warehouse: permission denied for table loads",),
    ),
    (
        {"unreadable": ("it could not be judged: x",)},
        "unknown", "it could not be judged: x", ("it could not be judged: x",),
    ),
    (LATE, "upstream_late", "master.sessions has not arrived, usually there by 02:00", ("master.sessions",)),
    (
        {"loads": (a_load("master.a"), a_load("master.b", "02:00"), a_load("master.c", "02:05", rows=10))},
        "upstream_late",
        "master.a has not arrived, usually there by 02:00; master.c is partial since 02:05: 10 rows, usually 1,000",
        ("master.a", "master.c"),
    ),
    (
        {"failed_checks": (CHECK, CHECK)}, "held", "check identity: expected 0, found 3; and 1 more check",
        ("identity", "identity"),
    ),
    (
        {"failed_checks": (CHECK, CHECK, CHECK)}, "held",
        "check identity: expected 0, found 3; and 2 more checks", ("identity",) * 3,
    ),
    (
        {"dag": a_dag(running=1)}, "not_started",
        "no task of this report date has started: a run of the DAG was open at 04:00", (),
    ),
    ({"blind": True}, "unknown", "the warehouse cannot be read", ()),
    (
        {"tasks": (WAITED, a_task("publish", ended="04:50")), "unreadable": ("airflow: connection refused",)},
        "failed",
        "the run finished green at 04:50 but the publication is not there; airflow unreachable (connection refused)",
        ("publish",),
    ),
    (
        {"failed_checks": (UNUSUAL, UNUSUAL)}, "held",  # one release is the word for both
        "check cost_is_usual: expected 9 to 11, found 90; and 1 more check; if it is true: release it",
        ("cost_is_usual", "cost_is_usual"),
    ),
    (
        {"failed_checks": (UNUSUAL, CHECK)}, "held",
        "check cost_is_usual: expected 9 to 11, found 90; if it is true: release it; and 1 more check",
        ("cost_is_usual", "identity"),
    ),
    ({"tasks": (WAITED, FAILED)}, "failed", "task transform failed at 02:40: ValueError: boom", ("transform",)),
    ({"tasks": (a_task("transform", "failed"),)}, "failed", "task transform failed at an unknown time", ("transform",)),
    (
        {"tasks": (FAILED, a_task("check", "failed", "03:00", "03:01"))},  # the rest follows from the first
        "failed", "task transform failed at 02:40: ValueError: boom", ("transform",),
    ),
    ({"tasks": (WAITED, TRANSFORMS)}, "stuck", "in transform since 03:12", ("transform",)),
    (
        {"tasks": (TRANSFORMS,), "usual": usually({}, {"transform": 360.0})},
        "stuck", "in transform since 03:12, usually 6 min", ("transform",),
    ),
    (
        {"tasks": (TRANSFORMS,), "usual": usually({}, {"transform": 89.4})},
        "stuck", "in transform since 03:12, usually 89 s", ("transform",),
    ),
    (
        {"tasks": (TRANSFORMS,), "usual": usually({}, {"transform": 125.0})},
        "stuck", "in transform since 03:12, usually 2 min", ("transform",),
    ),
    (
        {"tasks": (a_task("transform", "up_for_retry", "03:12", "03:20", "ValueError: x"),)},
        "stuck", "retrying transform since 03:20 (ValueError: x)", ("transform",),
    ),
    (
        {"tasks": (a_task("transform"), a_task("check", "queued", "04:05"))},
        "stuck", "check was cleared and has not started again since 04:05", ("check",),
    ),
    (
        {"tasks": (WAITED,)},
        "stuck", "nothing was heard of since wait_for_upstream ended at 02:10", ("workers",),
    ),
    (
        {"run": BEGAN, "dag": a_dag()},
        "stuck", "no task was heard of since its run began at 02:00", ("workers",),
    ),
    (
        {"tasks": (WAITED, a_task("publish", ended="02:20"))},
        "failed", "the run finished green at 02:20 but the publication is not there", ("publish",),
    ),
    (
        {"tasks": (WAITED,), "dag": a_dag(paused=True)},
        "stuck", "nothing was heard of since wait_for_upstream ended at 02:10: the DAG is paused (as of 04:00)", (),
    ),
    (
        {"run": a_task(RUN, "running", "02:00"), "dag": a_dag(paused=True)},
        "stuck", "no task was heard of since its run began at 02:00: the DAG is paused (as of 04:00)", (),
    ),
    (
        {"tasks": (WAITED, a_task("transform", "queued", "03:58")), "dag": a_dag(paused=True)},
        "stuck", "transform was cleared and has not started again since 03:58: the DAG is paused (as of 04:00)", (),
    ),
    (
        {"tasks": (a_task("wait_for_upstream", ended="04:00"),), "dag": a_dag(paused=True)},
        "stuck", "nothing was heard of since wait_for_upstream ended at 04:00: the DAG is paused (as of 04:00)", (),
    ),
    (  # seen before it ended: it may have been unpaused since
        {"tasks": (a_task("wait_for_upstream", ended="04:10"),), "dag": a_dag(paused=True)},
        "stuck", "nothing was heard of since wait_for_upstream ended at 04:10", ("workers",),
    ),
    (
        {"run": BEGAN, "dag": a_dag(), "schedule": "0 2 * * *"},
        "stuck", "no task was heard of since its run began at 02:00", ("workers",),
    ),
    (  # somebody has unpaused it since: else the run would not have begun
        {"run": a_task(RUN, "running", "04:05"), "dag": a_dag(paused=True)},
        "stuck", "no task was heard of since its run began at 04:05", ("workers",),
    ),
    (
        {"tasks": (a_task("publish", ended="02:20", error="marked as success by B"),)},
        "failed",
        "the run finished green at 02:20 (marked as success by B) but the publication is not there",
        ("publish",),
    ),
    (
        {},
        "not_started",
        "no task of this report date has started; whether the DAG is paused is not known",
        ("scheduler",),
    ),
    (
        {"dag": a_dag(missing=True)},
        "not_started", "Airflow has no DAG growth_etl: its file is gone or broken (as of 04:00)", (),
    ),
    (
        {"dag": a_dag(import_error="SyntaxError: x")},
        "not_started", "the DAG file has an import error: SyntaxError: x (as of 04:00)", ("SyntaxError: x",),
    ),
    (
        {"dag": a_dag(missing=True, import_error="SyntaxError: x")},  # a new one, which Airflow has never read
        "not_started", "the DAG file has an import error: SyntaxError: x (as of 04:00)", ("SyntaxError: x",),
    ),
    ({"dag": a_dag(paused=True)}, "not_started", "the DAG is paused (as of 04:00)", ()),
    (
        {"dag": a_dag(paused=True, import_error="SyntaxError: x")},
        "not_started", "the DAG is paused, and the DAG file has an import error: SyntaxError: x (as of 04:00)",
        ("the DAG is paused, and SyntaxError: x",),
    ),
    (
        {"dag": a_dag(paused=True, missing=True)},
        "not_started",
        "the DAG is paused, and Airflow has no DAG growth_etl: its file is gone or broken (as of 04:00)", (),
    ),
    (
        {"dag": a_dag(running=2)},
        "not_started",
        "no task of this report date has started: 2 runs of the DAG were open at 04:00", (),
    ),
    (
        {"dag": a_dag()},
        "not_started",
        "no task of this report date has started, and its runbook names no schedule: what starts it?", ("scheduler",),
    ),
    (
        {"dag": replace(a_dag(), seen_at=at("02:00")), "schedule": "0 2 * * *"},
        "not_started",
        "no task of this report date has started, though the DAG is not paused: is the scheduler running?",
        ("scheduler",),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "cause", "detail", "names"), CAUSES)
def test_the_cause_in_words(facts: dict[str, Any], cause: str, detail: str, names: tuple[str, ...]) -> None:
    """The cause, one plain sentence, and the names it rests on."""
    assert why(**facts) == Why(cause, detail, names)  # type: ignore[arg-type]


BY_HAND = "marked as failed by B"
HANDS: list[tuple[dict[str, Any], str, str, tuple[str, ...]]] = [
    (  # a table is late from its usual time on
        {"run": a_task(RUN, "failed", "02:00", "03:40", BY_HAND), "loads": (a_load(usually="05:00"),)},
        "failed",
        "the run was marked as failed by B at 03:40; master.sessions has not arrived, usually there by 05:00", (RUN,),
    ),
    (
        {"tasks": (WAITED, a_task("transform", "failed", "03:12", "03:40", BY_HAND))},
        "failed", "task transform was marked as failed by B at 03:40", ("transform",),
    ),
    (
        {"tasks": (a_task("wait_for_upstream", "failed", "02:00", "03:40", BY_HAND),), **LATE},
        "failed",
        "task wait_for_upstream was marked as failed by B at 03:40; "
        "master.sessions has not arrived, usually there by 02:00",
        ("wait_for_upstream",),
    ),
    (
        {"tasks": (a_task("wait_for_upstream", "failed", "02:00", "03:40", "timed out"),), **LATE},
        "upstream_late", "master.sessions has not arrived, usually there by 02:00; the run gave up waiting at 03:40",
        ("master.sessions",),
    ),
    (
        {"tasks": (WAITED,), "run": a_task(RUN, "failed", "02:00", "03:40", BY_HAND)},
        "failed", "the run was marked as failed by B at 03:40", (RUN,),
    ),
    (
        {"tasks": (WAITED,), "run": a_task(RUN, "failed", "02:00", "03:40", BY_HAND), **LATE},
        "failed",
        "the run was marked as failed by B at 03:40; master.sessions has not arrived, usually there by 02:00", (RUN,),
    ),
    (
        {"tasks": (WAITED,), "run": a_task(RUN, "failed", "02:00", "03:40", "timed out"), **LATE},
        "upstream_late", "master.sessions has not arrived, usually there by 02:00; the run gave up waiting at 03:40",
        ("master.sessions",),
    ),
    (
        {"tasks": (WAITED, TRANSFORMS), "run": a_task(RUN, "success", "02:00", "03:40", "marked as success by B")},
        "failed", "the run was marked as success by B at 03:40 but the publication is not there", (RUN,),
    ),
    (
        {"tasks": (WAITED, SKIPPED), "run": a_task(RUN, "success", "02:00", "03:40")},
        "failed", "the run ended as a success at 03:40 but the publication is not there", (RUN,),
    ),
    (
        {"tasks": (WAITED, SKIPPED), "run": a_task(RUN, "success", "02:00", "03:40"), "unreadable": ("a row is odd",)},
        "failed", "the run ended as a success at 03:40 but the publication is not there; a row is odd", (RUN,),
    ),
    (
        {"tasks": (WAITED, a_task("publish", ended="02:20")), "unreadable": ("a row is odd",)},
        "failed", "the run finished green at 02:20 but the publication is not there; a row is odd", ("publish",),
    ),
    (
        {"run": a_task(RUN, "failed", "02:00", "03:40", "timed out")},
        "failed", "the run failed at 03:40: timed out", (RUN,),
    ),
    (
        {"tasks": (WAITED, FAILED), "run": a_task(RUN, "deleted", "02:00", "03:40")},
        "not_started", "its run was deleted (seen at 03:40) and no other one has started", (),
    ),
    (
        {"tasks": (WAITED,), "run": a_task(RUN, "deleted", "02:00", "03:40"), "failed_checks": (CHECK,)},
        "not_started", "its run was deleted (seen at 03:40) and no other one has started", (),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "cause", "detail", "names"), HANDS)
def test_what_was_done_by_hand_is_said_as_such(
    facts: dict[str, Any], cause: str, detail: str, names: tuple[str, ...]
) -> None:
    """A state that a person set, a run that was ended or deleted: nothing waits there any more, whatever is late."""
    assert why(**facts) == Why(cause, detail, names)  # type: ignore[arg-type]


def test_a_run_that_goes_on_after_its_end_is_not_over() -> None:
    """Cleared, or started anew under its old name: what its tasks do counts again."""
    ended = a_task(RUN, "failed", "02:00", "03:00", BY_HAND)
    assert why(tasks=(WAITED, TRANSFORMS), run=ended).detail == "in transform since 03:12"
    at_that_instant = a_task("transform", "running", "03:00")
    assert why(tasks=(WAITED, at_that_instant), run=ended).cause == "failed"


def test_what_a_run_came_to_before_it_was_cleared_is_history() -> None:
    """It has begun again, and none of its tasks has told anything yet: no failure, no check, no mark by hand."""
    again: dict[str, Any] = {"run": a_task(RUN, "running", "04:10")}
    begins = Why("running", "its run began at 04:10, the first task is to start", (RUN,))
    gave_up = a_task("wait_for_upstream", "failed", "02:00", "03:00", "AirflowSensorTimeout: 3600 s")
    by_hand = replace(FAILED, error=f"{MARKED} failed by Ada")
    checked = replace(CHECK, run_id=FAILED.run_id, checked_at=FAILED.ended_at)
    for past in ({"tasks": (WAITED, FAILED)}, {"tasks": (WAITED, by_hand)}, {"tasks": (gave_up,)},
                 {"tasks": (WAITED, FAILED), "failed_checks": (checked,)}):  # fmt: skip
        assert why("04:11", **past, **again) == begins
    before: dict[str, Any] = {"run": a_task(RUN, "running", "02:00")}
    assert why("04:11", tasks=(WAITED, FAILED), **before).cause == "failed"
    assert why("04:11", tasks=(WAITED, FAILED), failed_checks=(checked,), **before).cause == "held"
    goes_on = (WAITED, a_task("transform", "running", "04:11"))
    assert why(tasks=goes_on, **again).detail == "in transform since 04:11"


def test_a_run_that_begins_its_wait_again_is_waiting() -> None:
    """All of it was cleared: what came after the wait the first time is the past."""
    again = (
        a_task("transform", ended="02:30"),
        a_task("publish", ended="02:40"),
        a_task("wait_for_upstream", "running", "04:00"),
    )
    assert why(tasks=again, **LATE).cause == "upstream_late"
    assert why(tasks=again).detail == "in wait_for_upstream since 04:00"


# Each obstacle stands before those below it.
ORDER: list[dict[str, Any]] = [
    {**BLIND},
    {"tasks": (a_task("wait_for_upstream", "failed", "02:00", "03:40", BY_HAND),)},
    {"dag": a_dag(import_error="x")},
    {"dag": a_dag(missing=True)},
    {"dag": a_dag(paused=True)},
    {**LATE},
    {"failed_checks": (CHECK,)},
    {"tasks": (a_task("wait_for_upstream", "failed", "02:00", "02:10"),)},
    {"run": a_task(RUN, "failed", "02:00", "03:40")},
    {"unreadable": ("oncall_db: gone",)},
    {"dag": a_dag(running=1)},
]


@pytest.mark.parametrize("rank", range(len(ORDER) - 1))
def test_the_earliest_obstacle_is_the_cause(rank: int) -> None:
    """With the next obstacles there too, the cause stays the same."""
    blocked = "dag" in ORDER[rank]
    for later in ORDER[rank + 1 :]:
        if blocked and not {"tasks", "run", "unreadable"}.isdisjoint(later):
            continue  # a run has started: then what Airflow says of the DAG explains nothing
        assert why(**{**later, **ORDER[rank]}).cause == why(**ORDER[rank]).cause
    both: dict[str, Any] = {"missing": True, "import_error": "x", "paused": True, "running": 1}
    for field, said in (
        ("import_error", "import error"),
        ("missing", "no DAG"),
        ("paused", "paused"),
        ("running", "open at"),
    ):
        assert said in why(dag=a_dag(**both)).detail
        both.pop(field)


def test_upstream_is_blamed_only_by_a_run_that_waits() -> None:
    """A run past its wait has what it needs: then a late table explains nothing."""
    late: dict[str, Any] = {"loads": (a_load(),)}
    assert why(tasks=(a_task("wait_for_upstream", "running"),), **late).cause == "upstream_late"
    assert why(tasks=(WAITED,), **late).cause == "upstream_late"
    assert why(tasks=(WAITED, TRANSFORMS), **late).cause == "stuck"
    assert why(tasks=(WAITED, FAILED), **late).cause == "failed"
    assert why(tasks=(TRANSFORMS,), unreadable=("oncall_db: x",)).cause == "stuck"
    hangs = "warehouse or oncall_db: no answer within 15 s"  # both are told so where it is not known which
    assert why(unreadable=(hangs, hangs)).detail == hangs


# A report that is published, and a run after it that fails.


def rerun(*tasks: Task, first: str = "04:00", **facts: Any) -> Why | None:
    return a_report("12:00", publication=published(first), tasks=tasks, **facts).why


@pytest.mark.parametrize(
    ("tasks", "facts", "detail"),
    [
        ((a_task("transform", "failed", "03:50", "04:00"),), {}, None),  # it was published after that
        ((a_task("transform", "failed", "03:50", "04:00:00.000001"),), {}, "task transform failed at 04:00"),
        ((a_task("transform", "failed", "05:50"),), {}, None),
        ((a_task("transform", "running", "05:50"),), {}, None),
        ((a_task("transform", "up_for_retry", "05:50", "06:00"),), {}, None),
        (
            (a_task("check", "failed", "05:50", "06:00"),),
            {"failed_checks": (CHECK,)},
            "check identity: expected 0, found 3",
        ),
        (
            (),
            {"run": a_task(RUN, "failed", "05:50", "06:00", BY_HAND)},
            "the run was marked as failed by B at 06:00",
        ),
        ((), {"run": a_task(RUN, "deleted", "05:50", "06:00")}, None),
        # Somebody's DAG goes on without it: a teardown, an optional step.
        (
            (a_task("drop", "failed", "05:50", "06:00"),),
            {"run": a_task(RUN, "success", "03:00", "06:01")},
            None,
        ),
        (
            (a_task("drop", "failed", "05:50", "06:00"),),
            {"run": a_task(RUN, "running", "03:00")},
            "task drop failed at 06:00",
        ),
        (
            (a_task("check", "failed", "05:50", "06:00"),),
            {"run": a_task(RUN, "success", "03:00", "06:01", BY_HAND)},
            "task check failed at 06:00",
        ),
        ((), {"loads": (a_load(),), "unreadable": ("oncall_db: x",)}, None),
    ],
)
def test_a_published_report_is_troubled_only_by_a_later_failure(
    tasks: tuple[Task, ...], facts: dict[str, Any], detail: str | None
) -> None:
    """The promise stays kept; whoever wanted it anew hears why it was not made anew."""
    found = rerun(*tasks, **facts)
    assert (found.detail if found else None) == detail
    one = a_report("12:00", publication=published("04:00"), tasks=tasks, **facts)
    assert (one.verdict, one.done, one.late_by) == ("kept", detail is None, None)


def test_a_failure_stands_while_another_run_has_only_started() -> None:
    """It ends when the publication is renewed, and not before."""
    failed = a_task("transform", "failed", "05:50", "06:00", run="second")
    goes_on = (a_task("wait_for_upstream", "running", "06:10", run="third"),)
    again = rerun(*goes_on, failed_before=(failed,))
    told = "task transform failed at 06:00; another run goes on since 06:10"
    assert again == Why("failed", told, ("transform",))
    assert rerun(*goes_on) is None
    assert rerun(failed_before=(failed,)) == Why("failed", "task transform failed at 06:00", ("transform",))
    assert rerun(*goes_on, failed_before=(failed,), first="06:00") is None
    newer = a_task("check", "failed", "06:20", "06:30", run="third")
    newest = rerun(newer, failed_before=(failed,), failed_checks=(CHECK,))
    assert newest is not None
    assert newest.cause == "held"
    older_check = rerun(*goes_on, failed_before=(failed,), failed_checks=(CHECK,))
    assert older_check is not None
    assert older_check.cause == "failed"


def test_an_older_failure_is_no_news_of_an_unpublished_day() -> None:
    """News is what the newest run does."""
    failed = a_task("transform", "failed", "02:10", "02:20", run="first")
    one = a_report("03:00", tasks=(TRANSFORMS,), failed_before=(failed,))
    assert (one.verdict, one.why) == ("waiting", None)


# Words.


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (a_load("master.orders"), "master.orders has not arrived, usually there by 02:00"),
        (a_load("master.orders", usually=None), "master.orders has not arrived"),
        (
            replace(a_load("master.orders"), misnamed="Orders"),
            "master.orders has not arrived, usually there by 02:00"
            " (a row of master.loads calls it 'Orders': correct it)",
        ),
        (
            a_load("m.o", "02:30", rows=499, median=1000.6),
            "m.o is partial since 02:30: 499 rows, usually 1,001",
        ),
    ],
)
def test_a_late_table_in_words(load: Any, words: str) -> None:
    """What is wrong, since when, and what is usual; the clock is the roster's."""
    assert late_words(load, TZ) == words


@pytest.mark.parametrize(
    ("tasks", "task_id"),
    [
        ((), None),
        ((WAITED,), "wait_for_upstream"),
        ((WAITED, TRANSFORMS), "transform"),
        ((WAITED, a_task("check", "up_for_retry"), a_task("publish")), "check"),
        ((WAITED, a_task("check", "queued"), a_task("publish")), "check"),
        ((WAITED, FAILED, a_task("publish", "skipped")), "transform"),
        ((WAITED, a_task("publish")), "publish"),
    ],
)
def test_the_task_a_run_stands_at(tasks: tuple[Task, ...], task_id: str | None) -> None:
    """The first that is not over or has failed, else the last."""
    found = current_task(Facts(tasks=tasks))
    assert (found.task_id if found else None) == task_id
