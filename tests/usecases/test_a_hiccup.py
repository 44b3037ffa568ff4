"""A database that cannot be read for a moment is told to nobody; whoever has to be paged meanwhile is paged at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from oncall.core.errors import Unreadable
from oncall.core.promises.facts import Load, Task
from tests.usecases.conftest_night import DAY, Night, at

LATE = Load("master.sessions", None, None, 900.0, at("00:40"))
KEY = f"growth_etl:{DAY}"


@pytest.fixture
def night(night: Night) -> Night:
    night.world.missing("growth_etl")
    night.runs.of["growth_etl", DAY] = (Task("transform", "running", at("03:12"), None, "scheduled"),)
    return night


Goes = Callable[[Night, bool], None]


def warehouse(night: Night, away: bool) -> None:
    night.world.down = "warehouse: connection refused" if away else ""


def oncall_db(night: Night, away: bool) -> None:
    def read(*_: object) -> object:
        raise Unreadable("oncall_db: connection refused")

    vars(night.runs).pop("read", None)
    if away:
        night.runs.read = read  # type: ignore[method-assign, assignment]


def looks(night: Night, *clocks: str) -> None:
    for clock in clocks:
        night.look(clock)


def said(night: Night) -> list[str]:
    titles = [message.title for message, _ in night.chat.posts]
    return [title for title in titles if "connection refused" in title or "cannot" in title.lower()]


both = pytest.mark.parametrize("goes", [warehouse, oncall_db])


@both
@pytest.mark.parametrize("paged", [True, False], ids=["paged", "at risk"])
def test_a_hiccup_is_told_to_nobody(night: Night, goes: Goes, paged: bool) -> None:
    """One look that could not read it, or two."""
    hour = "05:0" if paged else "04:5"
    looks(night, "04:30", "04:45", *(["05:00"] if paged else []))
    before = len(night.chat.posts)
    for clock in ("1:00", "3:15"):
        goes(night, True)
        looks(night, hour + clock, hour + clock.replace("00", "15").replace("3:15", "3:30"))
        goes(night, False)
        looks(night, hour + clock[0] + ":45")
    assert len(night.chat.posts) == before


def test_a_warehouse_that_stays_away_is_said(night: Night) -> None:
    looks(night, "05:00")
    warehouse(night, True)
    looks(night, "05:01", "05:01:15", "05:01:30")
    assert len(said(night)) == 1


def test_a_cause_that_was_told_stands_while_the_tasks_cannot_be_read(night: Night) -> None:
    """Nothing is known that speaks against it; the next person who is called reads it too."""
    looks(night, "05:00")
    oncall_db(night, True)
    looks(night, "05:01", "05:01:15", "05:01:30", "05:15")
    assert said(night) == []
    assert night.pager.paged[-1].step == "page-2-secondary"
    assert night.pager.paged[-1].title.endswith(": late, stuck in transform since 03:12")


def test_a_table_that_came_is_not_waited_for_any_more(night: Night) -> None:
    """What the warehouse told before may be over: without the tasks nobody can tell why it is late now."""
    night.runs.of.clear()
    night.world.missing("growth_etl", LATE)
    looks(night, "03:30", "05:00")
    night.world.missing("growth_etl")
    oncall_db(night, True)
    looks(night, "05:01", "05:01:15", "05:01:30")
    assert "waiting on" not in night.chat.posts[-1][0].title


@both
def test_a_hiccup_at_the_due_instant_pages_all_the_same(night: Night, goes: Goes) -> None:
    looks(night, "04:30", "04:45")
    goes(night, True)
    looks(night, "05:00")
    assert [page.step for page in night.pager.paged if page.priority == "P1"] == ["page-1-primary"]


@both
def test_a_hiccup_at_the_warning_time_warns_of_nothing(night: Night, goes: Goes) -> None:
    """That it cannot be told is warned of when it stays so."""
    night.runs.of.clear()
    goes(night, True)
    looks(night, "03:30", "03:30:15")
    assert night.chat.posts == []
    looks(night, "03:30:30")
    assert [page.step for page in night.pager.paged] == ["warning"]


@pytest.mark.parametrize("there", [True, False], ids=["run again", "late"])
def test_a_failure_that_was_told_stands_while_the_tasks_cannot_be_read(night: Night, there: bool) -> None:
    """Of a published day that was run again it was said to be over, and woke somebody anew; of a late report it was
    told twice."""
    if there:
        night.world.publish("growth_etl", at("02:40"))
    failed = Task("transform", "failed", at("03:12"), at("03:20"), "scheduled", "DiskFull: no space left")
    night.runs.of["growth_etl", DAY] = (failed,)
    looks(night, "03:20:30", "04:45", "05:00", "05:01")
    told = [message.title for message, _ in night.chat.posts]
    assert night.steps[0] == "failed-1"
    oncall_db(night, away=True)
    night.looks("05:02", "05:08", 30)
    oncall_db(night, away=False)
    night.looks("05:08:30", "05:10", 30)
    assert [message.title for message, _ in night.chat.posts] == told
    oncall_db(night, away=True)
    night.world.publish("growth_etl", at("05:10:30"))
    night.look("05:11")
    assert night.chat.posts[-1][0].title.startswith("Resolved: ")
