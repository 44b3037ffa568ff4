"""A fault in one promise becomes "cannot tell" for that one; the others are judged as ever."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.config import oncall_config
from oncall.core.promises.facts import Facts, Publication, Task, TypicalDurations
from oncall.core.promises.promise import Pipeline
from oncall.usecases.ports import Drill, ReportKey, TaskRuns
from oncall.usecases.promise_statuses import Candidate, PromiseReader

SETUP = oncall_config.load(Path(__file__).resolve().parents[2] / "include")
PROFIT, GROWTH = SETUP.pipelines["profit_etl"], SETUP.pipelines["growth_etl"]
DAY = dt.date(2026, 11, 22)
AT = dt.datetime(2026, 11, 22, 23, tzinfo=dt.UTC)  # an hour past due
MADE = Publication(AT - dt.timedelta(hours=3), AT - dt.timedelta(hours=3), "r", 1)


class Warehouse:
    def __init__(self, found: Mapping[ReportKey, Facts]) -> None:
        self.found = found

    def read(
        self,
        wanted: Sequence[tuple[Pipeline, dt.date]],
        published: Sequence[Pipeline] = (),
        since: dt.date | None = None,
    ) -> Mapping[ReportKey, Facts]:
        return self.found


class Tasks:
    def __init__(self, tasks: Mapping[ReportKey, tuple[Task, ...]]) -> None:
        self.tasks = tasks

    def read(self, wanted: Mapping[ReportKey, dt.datetime | None], failed_since: dt.datetime) -> TaskRuns:
        return TaskRuns(self.tasks)

    def usual(self, since: dt.date) -> Mapping[str, TypicalDurations]:
        return {}


@pytest.mark.parametrize("date", [dt.date.max, dt.date.min, dt.date(9999, 12, 30), DAY])
def test_a_day_that_cannot_be_reckoned_with_spoils_no_other(date: dt.date) -> None:
    """Of an open incident, or of a task that failed; the day itself is in nobody's way."""
    failed = Task("transform", "failed", AT, AT)
    found = {("growth_etl", DAY): Facts(publication=MADE)}
    wanted = [Candidate(GROWTH, DAY), Candidate(PROFIT, date)]
    tasks = Tasks({("engagement_etl", date): (failed,)})
    judged = PromiseReader(SETUP, Warehouse(found), tasks, AT).statuses(wanted, stale=True)
    by = {(one.pipeline.dag_id, one.report_date): one for one in judged}
    assert by["growth_etl", DAY].verdict == "kept"
    assert {("profit_etl", date), ("engagement_etl", date)} <= by.keys()


ODD = st.sampled_from(
    [None, "no instant", AT.replace(tzinfo=None), dt.datetime.max.replace(tzinfo=dt.UTC), 7]
)


@given(ODD, ODD, ODD, st.sampled_from(["running", "failed", "bogus", None]))
def test_whatever_one_was_read_as_the_others_are_judged(
    first: object, second: object, third: object, state: object
) -> None:
    """Types that no reader should have let through, in facts, tasks and drills."""
    odd = Facts(publication=Publication(first, second, "r", 1) if first else None, changed_since=(third,))  # type: ignore[arg-type]
    task = Task("transform", state, first, second)  # type: ignore[arg-type]
    drill = Drill("drill-1", "growth_etl", DAY, third, first)  # type: ignore[arg-type]
    found = {("growth_etl", DAY): Facts(publication=MADE), ("profit_etl", DAY): odd}
    wanted = [
        Candidate(GROWTH, DAY),
        Candidate(PROFIT, DAY),
        Candidate(GROWTH, DAY - dt.timedelta(days=1), drill),
    ]
    tasks = Tasks({("profit_etl", DAY): (task,)})
    judged = PromiseReader(SETUP, Warehouse(found), tasks, AT).statuses(wanted)
    assert len(judged) == 3
    assert (
        judged[[one.pipeline.dag_id == "growth_etl" and not one.drill for one in judged].index(True)].verdict
        == "kept"
    )


def test_what_could_not_be_judged_is_cannot_tell() -> None:
    """It is past due, so it is broken, and the reason is named."""
    odd = Facts(tasks=(7,), loads=(7,))  # type: ignore[arg-type]
    warehouse = Warehouse({("profit_etl", DAY): odd})
    (one,) = PromiseReader(SETUP, warehouse, Tasks({}), AT).statuses([Candidate(PROFIT, DAY)])
    assert (one.verdict, one.why.cause if one.why else "") == ("unknown", "unknown")
    assert "could not be judged" in str(one.facts.unreadable)


def test_loads_that_cannot_be_read_are_said_of_the_unpublished_alone() -> None:
    """A published report is kept, whatever else cannot be read."""
    trouble = ("warehouse: canceling statement due to statement timeout",)
    found = {("growth_etl", DAY): Facts(publication=MADE), ("profit_etl", DAY): Facts(unreadable=trouble)}
    wanted = [Candidate(GROWTH, DAY), Candidate(PROFIT, DAY)]
    kept, broken = PromiseReader(SETUP, Warehouse(found), Tasks({}), AT).statuses(wanted)[::-1]
    assert kept.verdict == "kept"
    assert (broken.verdict, broken.why.cause if broken.why else "") == ("broken", "unknown")
    assert broken.facts.unreadable == trouble
