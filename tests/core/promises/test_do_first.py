"""What to do first, as a table: cause and detail → the exact words, or none where the runbook knows as much."""

from __future__ import annotations

import pytest

from oncall.core.data.report_words import if_true
from oncall.core.promises.do_first import do_first
from oncall.core.promises.facts import IF_TRUE
from tests.core.scenes import DAY, a_pipeline

BREACH = (
    "check a: expected 0 sessions of unknown customers, found 1 in master.sessions.customer_id, such as 7 (1)"
)
USUAL = (
    f"check active_is_usual: expected 9,000 to 11,000, found 20,100{if_true('investor.daily_growth', DAY)}"
)
TWICE = USUAL.replace("active_is_usual", "sessions_come_once")
NO_RUN_YET = "no run has started yet"
GAVE_UP = "master.sessions has not arrived; the run gave up waiting at 04:50"
ASK = "tell the Software Engineer Team in #swe-master-data which check failed and what it found.\n"


@pytest.mark.parametrize(
    ("cause", "detail", "first"),
    [
        ("stuck", "in transform since 05:10, blocked by pid 311", "end what blocks it. Is it a load"),
        ("stuck", "in transform since 05:10", ""),
        ("stuck", "no task has started since its run began at 02:00", "look for a free slot in the pool, then for a"),
        ("not_started", "the DAG is paused", "unpause the DAG growth_etl."),
        (
            "stuck", "nothing has started since transform ended at 03:12: the DAG is paused (as of 03:15)",
            "unpause the DAG growth_etl: the run goes on by itself then. Start no second one",
        ),
        (
            "not_started", "the DAG is paused, and the DAG file has an import error: SyntaxError: bad",
            "mend the DAG's file, or revert the last deploy; then unpause the DAG growth_etl.\nThen start the day",
        ),
        (
            "not_started", "the DAG is paused, and Airflow has no DAG growth_etl: its file is gone or broken",
            "bring the DAG's file back, or revert the last deploy; then unpause the DAG growth_etl.",
        ),
        (
            "not_started",
            "no task of this report date has started, though the DAG is not paused: is the scheduler running?",
            "look whether the scheduler and the DAG processor run, and restart what does not.",
        ),
        (
            "not_started",
            "no task of this report date has started, and its runbook names no schedule: what starts it?",
            "look what starts growth_etl, an event or another DAG, and whether that came.",
        ),
        (
            "not_started",
            "no task of this report date has started, though … ran at 02:10: has it another schedule in Airflow?",
            "look at growth_etl in Airflow: its schedule, its next run, its file. Another schedule than its",
        ),
        (
            "not_started", "no task of this report date has started: a run of the DAG was open at 04:00",
            "look at the open runs of growth_etl: is one of them this day's?",
        ),
        (
            "not_started",
            "no task of this report date has started, though the DAG is not paused: is the scheduler running?"
            "; master.sessions has not arrived",
            "look whether the scheduler and the DAG processor run, and restart what does not.",
        ),
        ("failed", "task transform was marked as failed by B at 02:40", "ask the person who did that why."),
        ("failed", "task transform failed at 02:40: boom", ""),
        ("held", BREACH, ASK),
        ("held", f"{BREACH}; and 1 more check", ASK),
        ("held", USUAL, "ask the owners whether that is true.\nIt is: release it with a note"),
        ("held", TWICE, "ask the owners whether that is true.\nIt is: release it with a note"),
        ("held", f"{USUAL}; and 1 more check", ""),
        ("held", USUAL.replace(IF_TRUE, f"; and 1 more check{IF_TRUE}"), "ask the owners whether that is true."),
        ("running", "its run began at 02:00, the first task is to start", "look in Airflow whether a task of it"),
        ("running", "check ended at 02:00, the next task is to start", "look in Airflow whether a task of it"),
        ("held", "check adds_up: expected 0, found 3", ""),
        ("running", "retrying transform since 05:10 (boom)", "read the error of the try that failed, in its log."),
        ("running", "in transform since 05:10", ""),
        ("running", BREACH, ""),
        ("upstream_late", "master.sessions has not arrived", ""),
        ("upstream_late", GAVE_UP, "look in #swe-master-data: the Software Engineer Team is told there which"),
    ],
)  # fmt: skip
def test_what_is_done_first_is_as_much_as_is_known(cause: str, detail: str, first: str) -> None:
    """A release alone publishes nothing while another check fails; our own arithmetic is no upstream's."""
    told = do_first(a_pipeline(), cause, detail)
    assert told.startswith(first)
    assert bool(told) is bool(first)


@pytest.mark.parametrize(
    ("detail", "then"),
    [
        ("master.sessions has not arrived", "Start nothing: the run goes on by itself"),
        (GAVE_UP, "The run has given up"),
        (
            f"master.sessions has not arrived; {NO_RUN_YET}",
            "No run waits for it yet: look in Airflow for one",
        ),
    ],
)
def test_nobody_is_asked_to_tell_a_team_that_was_told(detail: str, then: str) -> None:
    """It is said when and where, so that whoever was woken looks there for the answer."""
    told, what_then, _ = do_first(a_pipeline(), "upstream_late", detail, told="03:30").split("\n")
    assert (
        told == "the Software Engineer Team was told at 03:30 in #swe-master-data: look there for the answer."
    )
    assert what_then.startswith(then)
