"""What to do first, as a table: facts → the exact words, or none where the runbook knows as much."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oncall.core.data.report_words import if_true
from oncall.core.promises.do_first import do_first
from oncall.core.promises.facts import FailedCheck
from oncall.core.promises.why import Why
from tests.core.scenes import (
    CHECK,
    DAY,
    FAILED,
    WAITED,
    a_dag,
    a_load,
    a_pipeline,
    a_report,
    a_task,
    at,
    usually,
)

BREACH = FailedCheck(
    "a", "0 sessions of unknown customers", "1 in master.sessions.customer_id, such as 7 (1)"
)
USUAL = FailedCheck("active_is_usual", "9,000 to 11,000", f"20,100{if_true('investor.daily_growth', DAY)}")
TWICE = replace(USUAL, name="sessions_come_once")
LATE: dict[str, Any] = {"loads": (a_load(),)}
GAVE_UP = {"tasks": (a_task("wait_for_upstream", "failed", "02:00", "04:50", "timed out"),), **LATE}
NO_RUN_YET = {"dag": a_dag(), "schedule": "55 4 * * *", **LATE}
BEGAN = a_task("(run)", "running", "02:00")
QUICK = {"usual": usually({}, {"transform": 6000.0}, {"transform": 6000.0})}
RETRIES = {"tasks": (WAITED, a_task("transform", "up_for_retry", "04:50", "04:55", "boom")), **QUICK}
TRIGGERER = (
    "look whether a triggerer runs, and restart it: the tables are there, and the wait for them goes on."
)
ASK = "tell the Software Engineer Team in #swe-master-data which check failed and what it found.\n"
NO_SCHEDULER = (
    "look whether the scheduler and the DAG processor run, and restart what does not.\nNo run of it"
)
UNPAUSE = "unpause the DAG growth_etl: the run goes on by itself then. Start no second one beside it."


def why(**facts: Any) -> Why:
    found = a_report("05:00", **facts).why
    assert found is not None
    return found


def checked(*checks: FailedCheck) -> dict[str, Any]:
    return {"failed_checks": checks, "tasks": (WAITED, FAILED)}


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        ({"tasks": (a_task("transform", "running"),), "blocked_by": "pid 311"}, "end what blocks it. Is it a load"),
        ({**RETRIES, "blocked_by": "pid 311"}, "end what blocks it. Is it a load"),
        ({"tasks": (a_task("transform", "running"),)}, ""),
        ({"tasks": (a_task("transform", "running"),), **QUICK}, ""),
        ({"tasks": (WAITED, a_task("transform", "queued", "04:05"))}, ""),
        ({"tasks": (WAITED, a_task("transform", "queued", "04:55"))}, ""),
        ({"tasks": (a_task("wait_for_upstream", "running", "02:00"),), "loads": (a_load(came="04:00"),)}, TRIGGERER),
        ({"tasks": (a_task("wait_for_upstream", "running", "04:59"),), "loads": (a_load(came="04:00"),)}, TRIGGERER),
        ({"tasks": (a_task("wait_for_upstream", "running", "02:00"),), "loads": (a_load(came="04:59:30"),)}, ""),
        ({"run": BEGAN}, "look in Airflow whether a task of it runs.\nNone does: look for a free slot"),
        ({"tasks": (WAITED,)}, "look in Airflow whether a task of it runs.\nNone does: look for a free slot"),
        (
            {"dag": a_dag(paused=True)},
            "unpause the DAG growth_etl. Its audit log in Airflow mostly tells who paused it (Scheduler: Airflow"
            " itself, after failed runs): do not wait for the answer.",
        ),
        ({"tasks": (WAITED,), "dag": a_dag(paused=True)}, UNPAUSE),
        ({"run": BEGAN, "dag": a_dag(paused=True)}, UNPAUSE),
        ({"tasks": (WAITED, a_task("transform", "queued", "03:58")), "dag": a_dag(paused=True)}, UNPAUSE),
        (
            {"dag": a_dag(paused=True, import_error="SyntaxError: bad")},
            "mend the DAG's file, or revert the last deploy; then unpause the DAG growth_etl.\nNo run of it",
        ),
        (
            {"dag": a_dag(paused=True, missing=True)},
            "bring the DAG's file back, or revert the last deploy; then unpause the DAG growth_etl.",
        ),
        ({"dag": a_dag(import_error="SyntaxError")}, "mend the DAG's file, or revert the last deploy.\nNo run of it"),
        ({"dag": a_dag(missing=True)}, "bring the DAG's file back, or revert the last deploy.\nNo run of it"),
        ({"dag": replace(a_dag(), seen_at=at("02:00")), "schedule": "0 2 * * *"}, NO_SCHEDULER),
        ({"dag": replace(a_dag(), seen_at=at("02:00")), "schedule": "0 2 * * *", **LATE}, NO_SCHEDULER),
        ({"dag": a_dag()}, "look what starts growth_etl, an event or another DAG, and whether that came."),
        (
            {"dag": a_dag(), "schedule": "0 2 * * *"},
            "look at growth_etl in Airflow: its schedule, its next run, its file. Another schedule than its",
        ),
        ({"dag": a_dag(running=1)}, "look at the open runs of growth_etl: is one of them this day's?"),
        ({}, ""),
        ({"run": a_task("(run)", "deleted", "02:00", "04:00")}, "start the day again."),
        (
            {"run": a_task("(run)", "success", "02:00", "04:00")},
            "start the day again, and tell the owners: the run was green and has published nothing.",
        ),
        (
            {"tasks": (WAITED, a_task("publish", ended="04:00"))},
            "start the day again, and tell the owners: the run was green and has published nothing.",
        ),
        (
            {"tasks": (WAITED, a_task("transform", "failed", "02:10", "02:40", "marked as failed by B"))},
            "ask the person who did that why.\nNo answer: start the day again.",
        ),
        ({"tasks": (WAITED, FAILED)}, ""),
        (checked(BREACH), ASK),
        (checked(BREACH, CHECK), ASK),
        (checked(USUAL), "ask the owners whether that is true.\nIt is: release it with a note"),
        (checked(TWICE), "ask the owners whether that is true.\nIt is: release it with a note"),
        (checked(USUAL, CHECK), ""),
        (checked(USUAL, TWICE), "ask the owners whether that is true."),
        (checked(CHECK), ""),
        (checked(replace(CHECK, found="3 in base.orders.order_id")), ""),
        ({"run": a_task("(run)", "running", "04:55")}, "look in Airflow whether a task of it runs by now."),
        ({"tasks": (a_task("check", ended="04:55"),)}, "look in Airflow whether a task of it runs by now."),
        (RETRIES, "read the error of the try that failed, in its log."),
        ({"tasks": (WAITED, a_task("transform", "up_for_retry", "03:00", "03:10", "boom"))}, ""),
        (LATE, ""),
        (GAVE_UP, "look in #swe-master-data: the Software Engineer Team is told there which"),
        (NO_RUN_YET, "look in #swe-master-data: the Software Engineer Team is told there which"),
        ({"unreadable": ("warehouse: refused",)}, ""),
    ],
)  # fmt: skip
def test_what_is_done_first_is_as_much_as_is_known(facts: dict[str, Any], first: str) -> None:
    """A release alone publishes nothing while another check fails; our own arithmetic is no upstream's."""
    told = do_first(a_pipeline(), why(**facts))
    assert told.startswith(first)
    assert bool(told) is bool(first)


def test_all_dags_that_the_same_is_to_be_done_for_are_named() -> None:
    """Whoever unpauses one thinks of the others."""
    paused = why(dag=a_dag(paused=True))
    for alike, dags in (
        ([], "DAG growth_etl"),
        (["a_etl"], "DAG growth_etl"),
        (["a_etl", "b_etl"], "DAGs a_etl, b_etl"),
    ):
        assert do_first(a_pipeline(), paused, alike=alike).startswith(f"unpause the {dags}. Its audit log")


@pytest.mark.parametrize(
    ("facts", "then"),
    [
        (LATE, "Start nothing: the run goes on by itself"),
        (GAVE_UP, "The run has given up"),
        (NO_RUN_YET, "No run waits for it yet: look in Airflow for one"),
    ],
)
def test_nobody_is_asked_to_tell_a_team_that_was_told(facts: dict[str, Any], then: str) -> None:
    """It is said when and where, so that whoever was woken looks there for the answer."""
    told, what_then, _ = do_first(a_pipeline(), why(**facts), told="03:30").split("\n")
    assert (
        told == "the Software Engineer Team was told at 03:30 in #swe-master-data: look there for the answer."
    )
    assert what_then.startswith(then)
