"""The list of faults and the page they are written to: every fault in a group, each group's part written alone."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from sandbox.stack.environment import REPOSITORY
from tests.chaos import test_chaos
from tests.chaos.chaos_fault import FAULTS, GROUPS, chosen
from tests.chaos.chaos_outcome import Row, document


def row(fault: str, group: str, trouble: str = "") -> Row:
    return Row(fault, group, "P1 to the primary", "P1 | seen", 0.5, (), trouble, 30)


def test_every_fault_has_a_group_and_a_name_of_its_own() -> None:
    """A name is a row of docs/FAULTS.md."""
    assert {each.group for each in FAULTS} == set(GROUPS)
    assert [name for name, count in Counter(each.name for each in FAULTS).items() if count > 1] == []


def test_a_group_takes_about_ten_minutes() -> None:
    """At less than a minute a fault."""
    assert max(Counter(each.group for each in FAULTS).values()) <= 16


def test_a_choice_is_a_group_or_all() -> None:
    """Together the groups are all; what is none of them is refused with what to write."""
    assert sorted(each.name for group in GROUPS for each in chosen(group)) == sorted(
        each.name for each in chosen("all")
    )
    assert 3 < len(chosen("short")) < 8
    with pytest.raises(ValueError, match="CHAOS=database: write one of pipelines, people"):
        chosen("database")


def test_a_wrong_choice_is_said_in_a_line() -> None:
    """Not in a traceback."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/chaos/test_chaos.py", "--collect-only"]
    done = subprocess.run(
        ["env", "CHAOS=nonsense", *command], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "CHAOS=nonsense: write one of" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_groups_run_writes_its_own_part_and_leaves_the_others() -> None:
    """In the order of the groups, whichever ran first."""
    first = document("", [row("slow", "slack"), row("gone", "databases")], GROUPS)
    assert first.index("## slack") < first.index("## databases")
    again = document(first, [row("late", "pipelines"), row("loud", "slack", "said twice")], GROUPS)
    assert again.index("## pipelines") < again.index("## slack")
    assert "| gone | P1 to the primary | P1 \\| seen | 0.5 s | 0 | survived |" in again
    assert "| loud |" in again
    assert "**not survived**: said twice" in again
    assert "| slow |" not in again
    assert document(again, [], GROUPS) == again
    assert again.count("# Faults\n") == 1


def test_the_page_as_it_stands_can_be_written_on() -> None:
    """A run that changes nothing leaves every byte."""
    text = test_chaos.PAGE.read_text(encoding="utf-8")
    assert document(text, [], GROUPS) == text


def test_help_names_the_groups() -> None:
    """Where people look."""
    help_line = next(x for x in (REPOSITORY / "Makefile").read_text().splitlines() if x.startswith("chaos:"))
    for group in GROUPS:
        assert group in help_line
