"""A run that moves is not stuck, an old run is no news, and what cannot be seen is not called missing."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from oncall.core.promises.cause import gave_up, is_about_to_show
from oncall.core.promises.evaluation import evaluate_promise
from oncall.core.promises.facts import RUN, Facts, Task
from oncall.core.promises.promise import starts_at
from oncall.core.promises.run_cause import expected_at
from oncall.core.promises.why import Why
from tests.core.scenes import (
    CHECK,
    DAY,
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

SIX_MINUTES = usually({"transform": 420.0}, {"transform": 360.0}, {"transform": 600.0})


def why(clock: str, **facts: Any) -> tuple[str, str]:
    found = a_report(clock, **facts).why
    assert found is not None
    return found.cause, found.detail


@pytest.mark.parametrize(
    ("clock", "cause", "detail"),
    [
        ("05:29:10", "running", "in transform since 05:29, usually 6 min, expected 05:36"),
        ("05:35:59", "running", "in transform since 05:29, usually 6 min, expected 05:36"),
        ("05:36", "running", "in transform since 05:29, usually 6 min"),
        ("05:48:59.999999", "running", "in transform since 05:29, usually 6 min"),
        ("05:49", "stuck", "in transform since 05:29, usually 6 min"),
    ],
)
def test_a_run_in_its_usual_time_runs(clock: str, cause: str, detail: str) -> None:
    """Stuck is said past twice what the task takes at most (here ten minutes), not before."""
    tasks = (
        a_task("wait_for_upstream", "success", "05:28", "05:29"),
        a_task("transform", "running", "05:29"),
    )
    assert why(clock, tasks=tasks, usual=SIX_MINUTES) == (cause, detail)


@pytest.mark.parametrize(
    ("minutes", "clock", "cause"),
    [(30, "05:58:59", "running"), (30, "05:59", "stuck"), (120, "07:28", "running"), (120, "07:29", "stuck"),
     (0, "05:29:59", "running"), (0, "05:30", "stuck")],
)  # fmt: skip
def test_without_history_what_is_configured_counts(minutes: int, clock: str, cause: str) -> None:
    """Half an hour unless the runbook says otherwise; and within a minute nothing is stuck."""
    pipeline = a_pipeline(usually=dt.timedelta(minutes=minutes))
    facts = Facts(tasks=(a_task("transform", "running", "05:29"),))
    found = evaluate_promise(pipeline, DAY, facts, at(clock), TZ).why
    assert found is not None
    assert (found.cause, found.detail) == (cause, "in transform since 05:29")


def test_a_known_lock_is_stuck_at_once() -> None:
    """Whatever is usual: it does not move by itself."""
    tasks = (WAITED, a_task("transform", "running", "05:29"))
    found = why("05:29:30", tasks=tasks, usual=SIX_MINUTES, blocked_by="pid 42 (etl, since 05:20)")
    assert found == ("stuck", "in transform since 05:29, usually 6 min, blocked by pid 42 (etl, since 05:20)")


@pytest.mark.parametrize(
    ("tasks", "clock", "found"),
    [
        ((WAITED,), "02:19:59", ("running", "wait_for_upstream ended at 02:10, the next task is to start")),
        ((WAITED,), "02:20", ("stuck", "nothing was heard of since wait_for_upstream ended at 02:10")),
        (
            (WAITED, a_task("check", "queued", "05:30")), "05:39:59",
            ("running", "check was cleared and is about to start again, since 05:30"),
        ),
        (
            (WAITED, a_task("check", "queued", "05:30")), "05:40",
            ("stuck", "check was cleared and has not started again since 05:30"),
        ),
    ],
)  # fmt: skip
def test_what_is_about_to_start_has_ten_minutes(
    tasks: tuple[Task, ...], clock: str, found: tuple[str, str]
) -> None:
    """Between two tasks, and after one was cleared."""
    report = a_report(clock, tasks=tasks)
    if clock > "05":
        assert report.why is not None
        assert (report.why.cause, report.why.detail) == found
    else:
        assert report.why == (None if found[0] == "running" else Why("stuck", found[1], ("workers",)))


@pytest.mark.parametrize(
    ("facts", "clock", "found"),
    [
        ({"tasks": (a_task("check", ended="04:55"),)}, "05:04:59.999999",
         Why("running", "check ended at 04:55, the next task is to start", ("check",))),
        ({"run": a_task(RUN, "running", "04:55")}, "05:04:59.999999",
         Why("running", "its run began at 04:55, the first task is to start", (RUN,))),
        ({"run": a_task(RUN, "running", "04:55")}, "05:05",
         Why("stuck", "no task was heard of since its run began at 04:55", ("workers",))),
    ],
)  # fmt: skip
def test_what_is_late_and_about_to_start_runs(facts: dict[str, Any], clock: str, found: Why) -> None:
    """It names what it stands at; after ten minutes it is the workers, which several may share."""
    assert a_report(clock, **facts).why == found


def test_a_run_between_two_tasks_is_expected_at_no_time() -> None:
    """Nobody knows when the next one starts."""
    assert expected_at(Facts(tasks=(WAITED,), usual=SIX_MINUTES)) is None


PUBLISHES = a_task("publish", "success", "04:59", "04:59:50")


@pytest.mark.parametrize(
    ("tasks", "facts", "shows"),
    [
        ((WAITED, PUBLISHES), {}, True),
        ((replace(PUBLISHES, ended_at=at("04:59:40.000001")),), {}, True),
        ((replace(PUBLISHES, ended_at=at("04:59:40")),), {}, False),  # a copy lags by less than 20 s
        ((replace(PUBLISHES, ended_at=at("05:00:05")),), {}, True),  # another host's clock is ahead
        ((replace(PUBLISHES, ended_at=None, state="running"),), {}, False),
        ((replace(PUBLISHES, state="failed"),), {}, False),
        ((replace(PUBLISHES, error="marked as success by anna"),), {}, False),  # that writes no publication
        ((replace(PUBLISHES, task_id="check"),), {}, False),
        ((PUBLISHES, a_task("transform", "running", "04:59:55")), {}, False),  # it runs again
        ((), {}, False),
        ((PUBLISHES,), {"blind": True}, False),
        ((PUBLISHES,), {"publication": published("04:59:50")}, False),  # it shows
    ],
)
def test_what_a_run_has_just_published_is_about_to_show(
    tasks: tuple[Task, ...], facts: dict[str, Any], shows: bool
) -> None:
    """A warehouse that is read from a copy shows it some seconds later."""
    assert is_about_to_show(Facts(tasks=tasks, **facts), at("05:00")) is shows


def test_a_run_that_has_ended_well_has_not_given_up() -> None:
    """Nor has one that was deleted."""
    over = a_task(RUN, "failed", "02:00", "03:00")
    assert gave_up(Facts(run=over)) == over
    assert gave_up(Facts(run=replace(over, state="success"))) is None
    assert gave_up(Facts(run=replace(over, state="deleted"))) is None


def test_a_wait_is_measured_from_when_its_tables_came() -> None:
    """Until then it had nothing to do but wait, and then nothing but to end: however long it takes as a rule."""
    waits = (a_task("wait_for_upstream", "running", "02:00"),)
    came = (a_load(came="04:50"), a_load("master.customers", "02:00"))
    told = "in wait_for_upstream since 02:00, its tables are there (last load 04:50)"
    for usual in ({}, {"usual": usually({}, longest={"wait_for_upstream": 9_000.0})}):
        assert why("04:59:59", tasks=waits, loads=came, **usual) == ("running", told)
        assert why("05:00", tasks=waits, loads=came, **usual) == ("stuck", told)


# News is what the newest run of that day did.

OLD_CHECK = replace(CHECK, run_id="night", checked_at=at("02:40"))
HELD_RUN = (WAITED, a_task("transform", ended="02:39"), a_task("check", "failed", "02:39", "02:41"))


def test_a_check_holds_the_report_while_its_run_is_the_newest() -> None:
    """As it always did."""
    assert why("02:45", tasks=HELD_RUN, failed_checks=(OLD_CHECK,))[0] == "held"
    assert why("02:45", failed_checks=(OLD_CHECK,))[0] == "held"


@pytest.mark.parametrize(
    "tasks",
    [
        (a_task("wait_for_upstream", "running", "04:40", run="again"),),
        (
            a_task("wait_for_upstream", "success", "04:40", "04:40", run="again"),
            a_task("transform", "running", "04:41"),
        ),
        (*HELD_RUN[:1], a_task("transform", ended="02:39"), a_task("check", "queued", "04:40")),
        (*HELD_RUN[:1], a_task("transform", ended="02:39"), a_task("check", "running", "04:40")),
    ],
)
def test_a_check_of_an_older_run_is_history_once_a_newer_one_has_begun(tasks: tuple[Task, ...]) -> None:
    """Started anew or cleared: that the run before was held back is no news."""
    one = a_report("05:00", tasks=tasks, failed_checks=(OLD_CHECK,))
    assert one.why is not None
    assert one.why.cause in ("running", "stuck")
    early = a_report(
        "04:42", tasks=tasks, failed_checks=(OLD_CHECK,), usual=usually({"transform": 60.0, "check": 30.0})
    )
    assert (early.verdict, early.why) == ("waiting", None)


def test_a_check_of_another_run_that_ends_during_the_newest_is_history() -> None:
    """Two runs side by side: the one that began last counts."""
    tasks = (a_task("transform", "running", "04:30", run="again"),)
    late_check = replace(OLD_CHECK, checked_at=at("04:45"))
    assert why("05:00", tasks=tasks, failed_checks=(late_check,))[0] == "stuck"
    assert why("05:00", tasks=tasks, failed_checks=(replace(late_check, run_id="again"),))[0] == "held"


# What cannot be seen.

BLIND: dict[str, Any] = {"unreadable": ("warehouse: gone",), "blind": True, "blind_since": at("04:58")}


def test_a_report_that_cannot_be_seen_is_not_called_missing() -> None:
    """Past due it is unknown: nobody can say how late it is, and somebody is woken all the same."""
    report = a_report("05:26", **BLIND)
    assert (report.verdict, report.late_by, report.overdue, report.done) == ("unknown", None, True, False)
    assert report.why is not None
    assert report.why.detail == "warehouse unreachable since 04:58 (gone)"
    known = a_report("05:26", publication=published("05:09"), **BLIND)
    assert (known.verdict, known.late_by, known.done) == ("late", dt.timedelta(minutes=9), True)


@pytest.mark.parametrize(
    ("since", "warned"), [("04:09:35", True), ("04:09:35.000001", False), ("04:09:59", False), (None, True)]
)
def test_a_hiccup_of_the_warehouse_is_not_warned_of(since: str | None, warned: bool) -> None:
    """Only what cannot be read for 25 s, or for nobody knows how long."""
    one = a_report("04:10", **{**BLIND, "blind_since": at(since) if since else None})
    assert one.verdict == ("at_risk" if warned else "waiting")


def test_a_report_that_is_known_to_be_missing_is_broken_whatever_else_is_unknown() -> None:
    """The warehouse was read; only why it is missing cannot be told."""
    one = a_report("05:26", unreadable=("oncall_db: gone",))
    assert (one.verdict, one.overdue) == ("broken", True)


# What is known hours earlier.


@pytest.mark.parametrize(
    ("clock", "days", "dag", "verdict"),
    [
        ("16:59:59", -1, a_dag(paused=True), "waiting"),
        ("17:00", -1, a_dag(paused=True), "at_risk"),
        ("17:00", -1, a_dag(import_error="SyntaxError: x"), "at_risk"),
        ("17:00", -1, a_dag(missing=True), "at_risk"),
        ("02:09:59", 0, a_dag(), "waiting"),
        ("02:10", 0, a_dag(), "at_risk"),
        ("02:10", 0, None, "at_risk"),
        ("02:10", 0, a_dag(running=3), "at_risk"),
    ],
)
def test_a_run_that_does_not_come_is_at_risk_hours_before_due(
    clock: str, days: int, dag: Any, verdict: str
) -> None:
    """It cannot come (twelve hours ahead), or its own schedule has passed ten minutes ago."""
    one = a_report(clock, days=days, dag=dag, schedule="0 2 * * *")
    assert one.verdict == verdict
    assert (one.why.cause if one.why else None) == ("not_started" if verdict == "at_risk" else None)
    assert a_report(clock, days=days, dag=dag, schedule="0 2 * * *", drill="x").verdict == "waiting"
    assert a_report(clock, days=days, dag=dag, promised=False, schedule="0 2 * * *").verdict == "waiting"
    started = a_report(clock, days=days, dag=dag, schedule="0 2 * * *", tasks=(a_task(
        "wait_for_upstream", "running", "02:05"),))  # fmt: skip
    assert started.verdict == "waiting"


@pytest.mark.parametrize(
    ("looking_since", "clock", "verdict"),
    [
        ("02:05", "02:14:59.999999", "waiting"),
        ("02:05", "02:15", "at_risk"),
        ("01:00", "02:10", "at_risk"),
        ("01:00", "02:09:59.999999", "waiting"),
    ],
)
def test_a_scheduler_that_comes_up_has_ten_minutes_to_start_the_run(
    looking_since: str, clock: str, verdict: str
) -> None:
    """Counted from when somebody began to look, or from the run's own time: the later one."""
    one = a_report(clock, dag=a_dag(), schedule="0 2 * * *", looking_since=at(looking_since))
    assert one.verdict == verdict


def test_a_run_that_does_not_come_is_said_before_a_table_that_does_not() -> None:
    """With the table behind it, once it is late: who lets the run start has only done half."""
    late = (a_load(),)
    told = "the DAG is paused (as of 04:00)"
    assert why("04:10", dag=a_dag(paused=True), loads=late) == (
        "not_started", f"{told}; master.sessions has not arrived, usually there by 02:00",
    )  # fmt: skip
    assert why("01:59", dag=a_dag(paused=True), loads=late) == ("not_started", told)
    overdue = why("02:30", dag=a_dag(), loads=late, schedule="0 2 * * *")
    assert overdue[0] == "not_started"
    assert overdue[1].endswith("master.sessions has not arrived, usually there by 02:00")


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        ("02:09:59", "though the DAG is not paused: is the scheduler running?"),
        (
            "02:10",
            "though the DAG is not paused and the scheduler ran at 02:10: has it another schedule in Airflow?",
        ),
    ],
)
def test_a_scheduler_that_has_started_another_run_since_is_not_asked_after(seen: str, asked: str) -> None:
    """A DAG whose schedule is another one than its runbook's, or that stands in two files, gets no run."""
    cause, detail = why("05:00", dag=replace(a_dag(), seen_at=at(seen)), schedule="0 2 * * *")
    assert (cause, detail) == ("not_started", f"no task of this report date has started, {asked}")


@pytest.mark.parametrize(
    ("schedule", "clock"),
    [("0 2 * * *", "02:00"), ("30  23 * * *", "23:30"), (None, None), ("0 2 * * 1", None), ("*/5 2 * * *", None),
     ("0 25 * * *", None), ("0 2,3 * * *", None)],
)  # fmt: skip
def test_when_a_run_starts_by_its_schedule(schedule: str | None, clock: str | None) -> None:
    """Only what is once a day tells when the run of a report date starts."""
    assert starts_at(schedule, DAY, TZ) == (at(clock) if clock else None)


def test_a_task_that_hangs_is_at_risk_hours_before_due() -> None:
    """Nobody has to wait for five o'clock to be told."""
    hangs: dict[str, Any] = {"tasks": (WAITED, a_task("transform", "running", "02:10")), "usual": SIX_MINUTES}
    assert a_report("02:29:59", **hangs).verdict == "waiting"
    assert a_report("02:30", **hangs).verdict == "at_risk"
    assert a_report("02:30", promised=False, **hangs).verdict == "waiting"


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({}, True),
        ({"schedule": "30 5 * * *"}, False),  # it is to start later
        ({"schedule": None}, False),  # nobody knows when
        ({"tasks": (a_task("wait_for_upstream", "running", "05:00"),)}, False),
        ({"run": a_task(RUN, "running", "05:00")}, False),
        ({"unreadable": ("oncall_db: gone",)}, False),  # whether there is one cannot be seen
    ],
)
def test_a_table_is_late_and_no_run_waits_for_it_yet(facts: dict[str, Any], told: bool) -> None:
    """As after an outage: nobody is told that the run goes on by itself."""
    known: dict[str, Any] = {"schedule": "0 2 * * *", "looking_since": at("05:00"), **facts}
    cause, detail = why("05:05", dag=a_dag(), loads=(a_load(),), **known)
    assert cause == "upstream_late"
    assert detail.endswith("; no run has started yet") is told
