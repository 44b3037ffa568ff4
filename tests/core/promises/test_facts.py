"""What the facts say by themselves: whether a load is there, a run is over, and what failed."""

from __future__ import annotations

import pytest

from oncall.core.promises.facts import RUN, Facts, Load, Task, still_over
from tests.core.scenes import FAILED, TRANSFORMS, WAITED, a_load, a_task, at

ENDED = a_task(RUN, "failed", "02:00", "03:40")


@pytest.mark.parametrize(
    ("load", "state"),
    [
        (a_load(), "late"),
        (Load("master.orders", rows=1000, median=1000.0), "late"),
        (a_load(came="02:10"), "fresh"),
        (a_load(came="02:10", rows=None), "fresh"),  # nobody counted: it is there
        (a_load(came="02:10", median=None), "fresh"),  # the first load ever
        (a_load(came="02:10", rows=0, median=0.0), "fresh"),  # a table that is usually empty
        (a_load(came="02:10", rows=0), "partial"),
        (a_load(came="02:10", rows=749), "partial"),
        (a_load(came="02:10", rows=750), "fresh"),  # three quarters of the usual are enough
        (Load("master.refunds", at("02:10"), 3, 9.0, None, 1.0), "fresh"),  # so few that it may be chance
    ],
)
def test_a_load_is_there_late_or_partial(load: Load, state: str) -> None:
    """Late: no row of it. Partial: fewer rows than its share of what is usual."""
    assert load.state == state
    assert Facts(loads=(load,)).late_loads == (() if state == "fresh" else (load,))


@pytest.mark.parametrize(
    ("tasks", "over"),
    [
        ((), True),
        ((WAITED, TRANSFORMS), True),
        ((a_task("transform", "running", "03:40"),), True),
        ((a_task("transform", "running", "03:40:00.000001"),), False),
        ((a_task("transform", "running", "04:00"), WAITED), False),
    ],
)
def test_a_run_is_over_until_a_task_of_it_starts_again(tasks: tuple[Task, ...], over: bool) -> None:
    """At the very instant it ended nothing has begun anew."""
    assert still_over(ENDED, tasks) == (ENDED if over else None)
    assert Facts(tasks=tasks, run=ENDED).over == (ENDED if over else None)


def test_a_run_that_nobody_ended_is_not_over() -> None:
    """Nor one of which the end is not told."""
    assert Facts(tasks=(WAITED,)).over is None
    assert Facts(run=a_task(RUN, "failed", "02:00")).over is None


@pytest.mark.parametrize(("state", "gone"), [("deleted", True), ("failed", False), ("success", False)])
def test_a_deleted_run_is_gone(state: str, gone: bool) -> None:
    """Until it is there again."""
    ended = a_task(RUN, state, "02:00", "03:40")  # type: ignore[arg-type]
    assert Facts(run=ended).gone is gone
    assert not Facts(run=ended, tasks=(a_task("transform", "running", "04:00"),)).gone
    assert not Facts().gone


def test_failures_are_told_oldest_run_first() -> None:
    """A run as a whole is blamed only where no task of it is."""
    before = a_task("check", "failed", "01:00", "01:10", run="first")
    assert Facts(tasks=(WAITED, FAILED, TRANSFORMS), failed_before=(before,)).failures == (before, FAILED)
    assert Facts(tasks=(WAITED, FAILED), run=ENDED).failures == (FAILED,)
    assert Facts(tasks=(WAITED,), run=ENDED).failures == (ENDED,)
    assert Facts(tasks=(WAITED,), run=a_task(RUN, "success", "02:00", "03:40")).failures == ()
    assert Facts(tasks=(WAITED, TRANSFORMS)).failures == ()


def test_what_failed_first_in_the_newest_run_is_the_failure() -> None:
    """Tasks side by side fail one after the other; the last one to start tells no more than the first one to end."""
    before = a_task("check", "failed", "01:00", "01:10", run="first")
    copies = [
        a_task(f"load[{n}]", "failed", f"02:3{n}", end) for n, end in enumerate(("02:42", "02:41", "02:43"))
    ]
    assert Facts(tasks=(WAITED, *copies), failed_before=(before,)).failure == copies[1]
    assert Facts(tasks=(WAITED,), failed_before=(before,)).failure == before
    assert Facts(tasks=(WAITED,), run=ENDED).failure == ENDED
    assert Facts(tasks=(WAITED,)).failure is None


@pytest.mark.parametrize(
    ("error", "marked"),
    [
        ("marked as failed by B", True),
        ("marked as success", True),
        ("", False),
        ("was marked as failed", False),
    ],
)
def test_what_a_person_set_is_told_by_its_words(error: str, marked: bool) -> None:
    """Ours, at their beginning."""
    assert a_task("transform", "failed", error=error).marked is marked


def test_times_are_instants() -> None:
    """The examples themselves speak UTC+7."""
    assert at("05:00").isoformat() == "2026-11-23T05:00:00+07:00"
