"""What to do first, as a table: cause and detail → the exact words, or none where the runbook knows as much."""

from __future__ import annotations

import pytest

from oncall.core.data.report_words import if_true
from oncall.core.promises.first_step import first_step
from tests.core.scenes import DAY, a_pipeline

BREACH = (
    "check a: expected 0 sessions of unknown customers, found 1 in master.sessions.customer_id, such as 7 (1)"
)
USUAL = (
    f"check active_is_usual: expected 9,000 to 11,000, found 20,100{if_true('investor.daily_growth', DAY)}"
)
TWICE = USUAL.replace("active_is_usual", "sessions_come_once")
ASK = "tell the Software Engineer Team in #swe-master-data which check failed and what it found.\n"


@pytest.mark.parametrize(
    ("cause", "detail", "first"),
    [
        ("stuck", "in transform since 05:10, blocked by pid 311", "end what blocks it. Is it a load"),
        ("stuck", "in transform since 05:10", ""),
        ("not_started", "the DAG is paused", "unpause the DAG growth_etl."),
        (
            "not_started",
            "no task of this report date has started, though the DAG is not paused: is the scheduler running?",
            "look whether the scheduler and the DAG processor run, and restart what does not.",
        ),
        ("failed", "task transform was marked as failed by B at 02:40", "ask the person who did that why."),
        ("failed", "task transform failed at 02:40: boom", ""),
        ("held", BREACH, ASK),
        ("held", f"{BREACH}; and 1 more check", ASK),
        ("held", USUAL, "ask the owners whether that is true.\nIt is: release it with a note"),
        ("held", TWICE, "ask the owners whether that is true.\nIt is: release it with a note"),
        ("held", f"{USUAL}; and 1 more check", ""),
        ("held", "check adds_up: expected 0, found 3", ""),
        ("running", BREACH, ""),
    ],
)  # fmt: skip
def test_what_is_done_first_is_as_much_as_is_known(cause: str, detail: str, first: str) -> None:
    """A release alone publishes nothing while another check fails; our own arithmetic is no upstream's."""
    told = first_step(a_pipeline(), cause, detail)
    assert told.startswith(first)
    assert bool(told) is bool(first)
