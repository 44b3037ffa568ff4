"""A runbook that is opened for an incident asks about the incident's report."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from oncall.core.promises.words import steps_are_about
from oncall.core.runbook import for_day

RUNBOOKS = sorted((Path(__file__).parents[2] / "include" / "runbooks").glob("*.md"))
FRIDAY = dt.date(2026, 11, 20)
SAID = "coalesce(current_setting('oncall.day', true)::date, current_date - 1)"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (f"where d = {SAID};", "where d = coalesce(current_setting('oncall.day', true)::date, date '2026-11-20');"),
        ("DAY=$(TZ=ICT-7 date -d yesterday +%F)", "DAY=2026-11-20"),
        ('BEFORE=$(TZ=ICT-7 date -d "2 days ago" +%F)', "BEFORE=2026-11-19"),
        ("`oncall release R DATE --note W`", "`oncall release R 2026-11-20 --note W`"),
        ("select now()", "select now()"),
        ("Yesterday is missing: the alert is real.", "Yesterday is missing: the alert is real."),
    ],
)  # fmt: skip
def test_queries_and_commands_are_about_the_report(written: str, meant: str) -> None:
    """Opened on Monday for Friday's report, "yesterday" is no Sunday."""
    assert for_day(written, FRIDAY) == meant


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_nothing_to_copy_from_a_shipped_runbook_means_another_day(path: Path) -> None:
    """Whatever a runbook computes from today's date is known to `for_day`."""
    shown = for_day(path.read_text(), FRIDAY)
    assert "current_date" not in shown
    assert " date -d " not in shown
    assert "DATE" not in shown
    assert "2026-11-20" in shown


def test_the_page_says_which_day_its_steps_are_about() -> None:
    """A weekday and a date: "yesterday" alone is wrong on a Monday."""
    assert steps_are_about(FRIDAY) == (
        "The queries and commands below are about the report of Fri 20 Nov:"
        " where a step says “yesterday”, it means that day."
    )
