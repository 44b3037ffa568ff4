"""The other lines about promises, facts → exact sentence: cause, step, tables, days, shares, runs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.core.promises import run_words, words
from oncall.core.promises.attainment import Day
from oncall.core.promises.facts import Load
from oncall.core.time_format import TimeFormat
from tests.core.scenes import CHECK, DAY, TZ, a_load, a_report, a_task, at, published

SAY = TimeFormat(at("05:26"), TZ)
HALF = a_load(came="02:00", rows=400)
FEW = Load("master.refunds", at("01:05"), 5, 9.0, None, 2.0)
RUNS = (a_task("transform", "running", "04:40"),)


@pytest.mark.parametrize(
    ("cause", "detail", "line"),
    [
        ("stuck", "in transform since 03:12", "Stuck: in transform since 03:12"),
        ("was stuck, now failed", "DAG import error", "Was stuck, now failed: DAG import error"),
        ("cannot tell", "", "Cannot tell"),
        (
            "was running, now held back by a check",
            "check identity: expected 0, found 3",
            "Was running, now held back by a check: identity: expected 0, found 3",
        ),
    ],
)
def test_the_line_of_a_cause(cause: str, detail: str, line: str) -> None:
    """With a capital letter, and what follows it as it stands."""
    assert words.cause_line(cause, detail) == line
    assert words.cause_line(cause, detail, over=True) == f"Then: {line[:1].lower()}{line[1:]}"
    again = words.cause_line(cause, detail, published=True)
    assert again == f"Since then: {line[:1].lower()}{line[1:]}"
    assert words.cause_line(cause, detail, over=True, published=True).startswith("Then: ")


@pytest.mark.parametrize(
    ("task", "state", "usual_s", "line"),
    [
        ("transform", "running", None, "At step transform (running) since 03:12"),
        ("check", "up_for_retry", 60.0, "At step check (up for retry) since 03:12, usually 60 s"),
        ("publish", "queued", 360.0, "At step publish (queued) since 03:12, usually 6 min"),
    ],
)
def test_where_a_run_stands(task: str, state: str, usual_s: float | None, line: str) -> None:
    assert words.stands_at(task, state, at("03:12"), usual_s, SAY) == line


def test_a_run_is_told_task_by_task() -> None:
    """Each with its state, since when or until when, and what it said of its failure."""
    tasks = (
        a_task("wait_for_upstream", "success", "02:00", "03:10"),
        a_task("load", "up_for_retry", "03:11", "03:12", "ValueError: x"),
        a_task("transform", "running", "03:12"),
        a_task("check", "queued", "03:13"),
    )
    assert words.run_lines(tasks, SAY) == [
        f"Run {tasks[0].run_id}:",
        "  wait_for_upstream: success 02:00 to 03:10",
        "  load: to be tried again, 03:11 to 03:12 (ValueError: x)",
        "  transform: running since 03:12",
        "  check: cleared, not started since 03:13",
    ]
    assert words.run_lines((), SAY) == []


@pytest.mark.parametrize(
    ("due", "line"),
    [
        (at("05:00"), "Growth ETL, report of 22 Nov, due Mon 23 Nov 05:00 (UTC+07:00; 26 min ago)."),
        (at("05:27"), "Growth ETL, report of 22 Nov, due Mon 23 Nov 05:27 (UTC+07:00; in 60 s)."),
        (None, "Growth ETL, report of 22 Nov, not promised."),
    ],
)
def test_which_report_it_is(due: dt.datetime | None, line: str) -> None:
    assert words.report_line("Growth ETL", DAY, due, SAY) == line


@pytest.mark.parametrize(
    ("load", "state", "line"),
    [
        (a_load(came="01:05"), "fresh", "Arrived 01:05"),
        (
            FEW,
            "fresh",
            "Arrived 01:05: 5 rows, usually 9 (56%; such a day varies by about 33%), which may be all of them",
        ),
        (HALF, "partial", "Partial: 400 rows, usually 1,000"),
        (a_load(usually="06:00"), "expected", "Expected 06:00"),
        (a_load(usually=None), "expected", "Expected"),
        (a_load(), "late", "Late, usually there by 02:00"),
        (a_load(usually=None), "late", "Late"),
    ],
)
def test_how_a_table_stands(load: Load, state: str, line: str) -> None:
    assert words.table_words(load, state, SAY) == line


@pytest.mark.parametrize(
    ("loads", "line"),
    [
        ((a_load(came="01:05"),), "Upstream: the table is there."),
        ((a_load(),), "Upstream: master.sessions is not there."),
        ((HALF,), "Upstream: master.sessions is there in part."),
        ((a_load(came="01:05"), a_load("master.orders", "01:05")), "Upstream: both tables are there."),
        (
            (a_load(came="01:05"), a_load("master.orders")),
            "Upstream: 1 of 2 tables is there; not yet: master.orders.",
        ),
        (
            (a_load(came="01:05"), a_load("master.orders", "01:05"), HALF),
            "Upstream: 2 of 3 tables are there; in part: master.sessions.",
        ),
        (
            (a_load(), a_load("master.orders", "02:00", rows=400)),
            "Upstream: 0 of 2 tables are there; not yet: master.sessions; in part: master.orders.",
        ),
    ],
)
def test_which_tables_are_there(loads: tuple[Load, ...], line: str) -> None:
    """A table that came in part is neither there nor missing."""
    assert words.tables_line(loads) == line


@pytest.mark.parametrize(
    ("outcome", "came", "late_min", "line"),
    [
        ("kept", "04:09", None, "Sun 22 Nov: published 04:09, in time"),
        ("late", "05:01", 1, "Sun 22 Nov: published 05:01, 60 s late"),
        ("late", "06:32", 92, "Sun 22 Nov: published 06:32, 1 h 32 min late"),
        ("broken", None, None, "Sun 22 Nov: not published"),
        ("open", None, None, "Sun 22 Nov: not due yet"),
        ("none", None, None, "Sun 22 Nov: nothing on record"),
    ],
)
def test_how_a_day_was_kept(outcome: Any, came: str | None, late_min: int | None, line: str) -> None:
    late = dt.timedelta(minutes=late_min) if late_min else None
    assert words.day_words(Day(DAY, at("05:00"), outcome, at(came) if came else None, late), SAY) == line


def test_a_report_that_came_another_day_than_it_was_due_says_which() -> None:
    late = at("04:09", 1) - at("05:00")
    line = "Sun 22 Nov: published Tue 24 Nov 04:09, 23 h 09 min late"
    assert words.day_words(Day(DAY, at("05:00"), "late", at("04:09", 1), late), SAY) == line


@pytest.mark.parametrize(
    ("kept", "counted", "line"),
    [
        (30, 30, "30 days: 100 % kept (30 of 30)"),
        (299, 300, "30 days: 99 % kept (299 of 300)"),
        (29, 30, "30 days: 97 % kept (29 of 30)"),
        (1, 300, "30 days: 1 % kept (1 of 300)"),
        (0, 1, "30 days: 0 % kept (0 of 1)"),
    ],
)
def test_the_share_that_was_kept(kept: int, counted: int, line: str) -> None:
    """A hundred is said of all alone, and nothing of none."""
    assert words.kept_share(30, kept, counted) == line


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (1, "Shows the pipelines that you may read; 1 more is hidden."),
        (2, "Shows the pipelines that you may read; 2 more are hidden."),
    ],
)
def test_what_is_hidden(count: int, line: str) -> None:
    assert words.hidden_pipelines(count) == line


@pytest.mark.parametrize(
    ("promised", "hidden", "line"),
    [
        (True, 0, "They cannot be seen now."),
        (True, 2, "They cannot be seen now."),
        (False, 0, "None yet."),
        (False, 2, "None of the pipelines that you may read."),
    ],
)
def test_in_the_place_of_the_cards(promised: bool, hidden: int, line: str) -> None:
    assert words.no_card(promised=promised, hidden=hidden) == line


def test_a_runbooks_line_a_badge_and_what_has_no_runbook() -> None:
    """Whom to ask; of which day the newest report is."""
    assert words.runbook_line("Growth for investors", "C", "D", "A, then B") == (
        "Growth for investors. Ask C, then D. On call: A, then B."
    )
    assert words.badge("growth", DAY, "04:09", next_late=False) == "growth · 22 Nov · refreshed 04:09"
    assert words.badge("growth", DAY, "04:09", next_late=True).endswith(" · next one is late")
    assert words.no_runbook("etl", hidden=0).startswith("etl is none of the pipelines")
    assert words.no_runbook("etl", hidden=1) == "There is no runbook of etl that you may read. These you may:"


WARNED: list[tuple[dict[str, Any], bool, list[str]]] = [
    ({}, False, []),
    (
        {"publication": published("04:09")}, False,
        ["The report is published: each number that changes is written down as a restatement."],
    ),
    ({"tasks": RUNS}, True, ["A run of this day is still at work: end it first, or wait for it."]),
    (
        {"failed_checks": (CHECK,)}, False,
        ["Repair or release what the check has found first: else this run is held too."],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "at_work", "lines"), WARNED)
def test_what_to_know_before_a_day_is_run_again(
    facts: dict[str, Any], at_work: bool, lines: list[str]
) -> None:
    assert list(run_words.run_warnings(a_report("05:26", **facts), at_work=at_work)) == lines


def test_what_a_run_of_a_day_does_and_what_came_of_asking_for_it() -> None:
    subject, does = run_words.runs_again("Growth ETL", DAY)
    assert (subject, does.partition(". ")[0]) == (
        "Growth ETL for 22 Nov",
        "Starts a run of Growth ETL for 22 Nov",
    )
    assert run_words.unknown_dag("etl") == "Airflow does not know the DAG etl now: does its file import?"
    assert (
        run_words.paused_dag("etl") == "The DAG etl is paused, and a run would only wait: unpause it first."
    )
    assert run_words.run_at_work("r1").startswith("The run r1 of this day is still at work")
    assert run_words.not_started("no") == "Airflow did not start it: no"
    assert run_words.started("r1") == "The run r1 has started."


loads = st.builds(
    a_load,
    st.sampled_from(["master.a", "master.b", "master.c"]),
    st.sampled_from([None, "01:00", "02:30"]),
    st.sampled_from([None, 0, 1, 500, 1000]),
    st.sampled_from([None, 1000.0]),
    st.sampled_from([None, "02:00"]),
)


@given(st.lists(loads, min_size=1, max_size=4))
def test_no_line_says_of_a_table_what_its_load_does_not_hold(some: list[Load]) -> None:
    """What is called not there yet never came, what is called there has come whole, and the count is right."""
    line = words.tables_line(some)
    fresh = [load for load in some if load.state == "fresh"]
    named = {part.strip(". ") for part in line.partition("not yet: ")[2].partition(";")[0].split(",")} - {""}
    assert named <= {load.table for load in some if load.loaded_at is None}
    assert ("all" in line or "both" in line or "the table is there" in line) is (len(fresh) == len(some))
    if " of " in line:
        assert line.startswith(f"Upstream: {len(fresh)} of {len(some)} tables")
    for load in some:
        said = words.table_words(load, load.state, SAY)
        assert ("Arrived" in said) is (load.state == "fresh")
        assert ("Late" in said) is (load.loaded_at is None)


@given(st.integers(0, 400), st.integers(1, 400))
def test_no_share_is_said_that_was_not_kept(kept: int, counted: int) -> None:
    """Within one percent of it, a hundred only of all, and none only of none."""
    kept = min(kept, counted)
    percent = int(words.kept_share(90, kept, counted).split()[2])
    assert abs(percent - 100 * kept / counted) <= 1
    assert (percent == 100) is (kept == counted)
    assert (percent == 0) is (kept == 0)


def test_what_the_rules_fail_on_is_told_with_the_error() -> None:
    assert words.not_judged(ValueError("no such day")) == "it could not be judged: ValueError: no such day"
