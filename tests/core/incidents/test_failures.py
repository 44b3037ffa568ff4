"""What has failed or stands still, and whether somebody was told so: by run, task, check and end."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.failures import (
    has_failed,
    has_stopped,
    is_told_failure,
    wakes_for_failure,
    with_failures,
    woke_for_failure,
)
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import RUN, Facts, FailedCheck
from tests.core.scenes import (
    FAILED,
    GROWTH,
    TRANSFORMS,
    WAITED,
    a_dag,
    a_load,
    a_report,
    a_task,
    an_entry,
    an_incident,
    at,
    published,
)

DELETED = a_task(RUN, "deleted", "02:00", "02:50")
HELD = FailedCheck("identity", "0", "3", "night", at("02:45"))
STANDS: dict[str, dict[str, Any]] = {
    "failed": {"tasks": (WAITED, FAILED)},
    "held": {"tasks": (WAITED, a_task("check", "failed", "02:40", "02:46")), "failed_checks": (HELD,)},
    "stuck": {"tasks": (WAITED, TRANSFORMS)},
    "not started": {"dag": a_dag()},
    "deleted": {"run": DELETED},
    "runs": {"tasks": (a_task("transform", "running", "04:29"),)},
    "published": {"publication": published("02:30")},
}


def report(stands: str, clock: str = "04:30", **more: Any) -> PromiseStatus:
    return a_report(clock, **STANDS[stands] | more)


@pytest.mark.parametrize(
    ("stands", "failed", "stopped"),
    [
        ("failed", True, True), ("held", True, True), ("deleted", True, True),
        ("stuck", False, True), ("not started", False, True),
        ("runs", False, False), ("published", False, False),
    ],
)  # fmt: skip
def test_what_goes_on_only_once_somebody_does_something(stands: str, failed: bool, stopped: bool) -> None:
    member = report(stands)
    assert (has_failed(member), has_stopped(member)) == (failed, stopped)


@pytest.mark.parametrize(
    ("known", "ago", "wakes", "woke"),
    [
        ({}, 14.9, True, True),
        ({}, 15, False, True),
        ({"owed_at": None}, 0, False, True),
        ({"step": "page-1-primary"}, 0, False, False),
        ({"op": "note"}, 0, False, False),
        ({"state": "cancelled"}, 0, False, False),
        ({"state": "owed", "unreached": "no account"}, 0, False, False),
        ({"state": "owed"}, 0, True, True),
    ],
    ids=str,
)
def test_whom_a_failure_has_woken(known: dict[str, Any], ago: float, wakes: bool, woke: bool) -> None:
    """For a quarter of an hour others that fail are told with it."""
    entry = replace(an_entry("k", "pager", "failed-1"), **known)
    assert wakes_for_failure(entry, at("05:00") + dt.timedelta(minutes=ago)) is wakes
    assert woke_for_failure(entry) is woke


def test_a_failure_is_known_by_its_run_task_and_end() -> None:
    """Another end of the same task is another failure; each is kept once, after those before it."""
    first, again = (
        report("failed"),
        report("failed", tasks=(a_task("transform", "failed", "03:00", "03:20"),)),
    )
    once = with_failures(an_incident(), [first, first])
    assert once.failure == f"night/transform@{FAILED.ended_at}"
    assert is_told_failure(first, once)
    assert not is_told_failure(again, once)
    twice = with_failures(once, [first, again])
    assert twice.failure == f"night/transform@{FAILED.ended_at} night/transform@{at('03:20')}"
    assert with_failures(twice, [again, first]) == twice


@pytest.mark.parametrize(
    ("stands", "known"),
    [
        ("stuck", f"{GROWTH}/transform@2026-11-22:stuck"),
        ("not started", f"{GROWTH}/@2026-11-22:not_started"),
        ("held", f"night/identity@{at('02:45')}"),
        ("runs", ""),
        ("published", ""),
    ],
)
def test_what_stands_still_is_the_same_trouble_whatever_more_is_known(stands: str, known: str) -> None:
    """A check is known by when it was written down, some seconds before its task has failed."""
    member = report(stands)
    assert with_failures(an_incident(), [member]).failure == known
    assert is_told_failure(member, an_incident(failure=known)) is bool(known)
    if stands == "held":
        later = report("held", tasks=(WAITED, a_task("check", "failed", "02:40", "02:59")))
        assert is_told_failure(later, an_incident(failure=known))


def test_a_run_that_was_deleted_is_known_by_what_was_said_of_it() -> None:
    member = report("deleted")
    assert member.why is not None
    assert with_failures(an_incident(), [member]).failure == member.why.detail


def test_a_check_of_which_nobody_knows_when_is_known_by_its_task() -> None:
    member = report("held", failed_checks=(FailedCheck("identity", "0", "3"),))
    assert with_failures(an_incident(), [member]).failure == f"night/check@{at('02:46')}"


@pytest.mark.parametrize(
    ("known", "remembered"),
    [
        ({}, True),
        ({"unreadable": ()}, False),
        ({"tasks": (FAILED,)}, False),
        ({"run": DELETED}, False),
        ({"failed_checks": (HELD,)}, False),
    ],
    ids=["nothing", "readable", "tasks", "run", "checks"],
)
def test_what_cannot_be_read_any_more_was_told_before(known: dict[str, Any], remembered: bool) -> None:
    """While the tasks cannot be read nobody is told anew of what has stopped; of what can be, they are."""
    member = report("failed")
    unseen = replace(Facts(), **{"unreadable": ("oncall_db: gone",), **known})
    assert is_told_failure(replace(member, facts=unseen), an_incident()) is remembered


def test_what_waits_for_a_table_has_not_failed() -> None:
    """It has a cause, and goes on by itself."""
    member = a_report("04:30", loads=(a_load(),), tasks=(a_task("wait_for_upstream", "running", "02:00"),))
    assert member.why is not None
    assert with_failures(an_incident(), [member]).failure == ""
