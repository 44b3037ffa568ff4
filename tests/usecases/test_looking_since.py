"""A scheduler that has just come up starts what it should have started before: only then a run never started."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import pytest

from oncall.core.promises.facts import Dag, Facts, Publication
from oncall.core.promises.promise import starts_at
from oncall.usecases.promise_statuses import LOOKING
from oncall.usecases.watch_record import WATCHED_WITHIN
from tests.usecases.conftest_night import DAY, Night, at

SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def scheduled(night: Night) -> Night:
    """Growth runs at two, and nothing of its run is there."""
    growth = replace(night.config.pipelines["growth_etl"], schedule="0 2 * * *")
    night.config = replace(night.config, pipelines={"growth_etl": growth})
    night.world.missing("growth_etl")
    assert starts_at(growth.schedule, DAY, night.config.roster.tz) == at("02:00")
    return night


def looks(night: Night, *clocks: str) -> list[str]:
    """What every minute from the first to the last of these says in the chat."""
    now = at(clocks[0])
    while now < at(clocks[-1]):
        night.look(now.time().isoformat())
        now += dt.timedelta(minutes=1)
    night.look(clocks[-1])
    return [message.step for message, _ in night.chat.posts]


def test_a_new_installation_gives_the_scheduler_ten_minutes(scheduled: Night) -> None:
    """Installed at 02:40, the run should have begun at two: told at 02:50, not before."""
    assert looks(scheduled, "02:40", "02:49:59") == []
    assert looks(scheduled, "02:50") == ["warning"]


def test_whoever_has_looked_all_the_time_tells_ten_minutes_after_the_start(scheduled: Night) -> None:
    """That the scheduler is dead is no new installation."""
    assert looks(scheduled, "01:55", "02:09:59") == []
    assert looks(scheduled, "02:10") == ["warning"]


@pytest.mark.parametrize(
    ("gap", "told"),
    [(WATCHED_WITHIN - SECOND, "02:11:01"), (WATCHED_WITHIN, "02:18:01")],
    ids=["a slow look of sla_watch", "everything was down"],
)
def test_a_gap_between_two_looks_begins_anew(scheduled: Night, gap: dt.timedelta, told: str) -> None:
    """Nobody looked, and so maybe nobody scheduled."""
    scheduled.look("02:01:01")
    back = (at("02:01:01") + gap).time().isoformat()
    before = (at(told) - SECOND).time().isoformat()
    assert looks(scheduled, back, before) == []
    assert looks(scheduled, told) == ["warning"]


def test_looks_of_five_minutes_are_no_gap(scheduled: Night) -> None:
    """Without a triggerer `sla_watch` alone looks: a run that never starts is told in time."""
    for clock in ("01:50", "01:55", "02:00:20", "02:05", "02:10:20"):
        scheduled.look(clock)
    assert len(scheduled.chat.posts) == 1


@pytest.mark.parametrize(
    ("dag", "first"),
    [({"missing": True}, "02:50"), ({"paused": True}, "02:40"), ({"import_error": "NameError"}, "02:40")],
    ids=["not read yet", "paused", "broken"],
)
def test_a_dag_that_airflow_has_not_read_yet_is_not_gone(
    scheduled: Night, dag: Mapping[str, bool], first: str
) -> None:
    """What is known for certain is said at once."""
    scheduled.runs.seen = {"growth_etl": Dag(at("02:40"), **dag)}  # type: ignore[arg-type]
    before = looks(scheduled, "02:40", "02:49:59")
    assert bool(before) == (first == "02:40")
    assert looks(scheduled, "02:50") == ["warning"]


def test_a_page_at_the_due_instant_waits_for_nothing(scheduled: Night) -> None:
    """Installed at 04:58, and watched since before: five is five."""
    scheduled.look("04:58")
    scheduled.look("05:00")
    assert "page-1-primary" in scheduled.steps


@pytest.mark.parametrize(
    "note", ["", "x", "2026-11-23", "2199-01-01T00:00:00Z 2199-01-01T00:00:00Z", "1 2 3"]
)
def test_an_odd_note_hides_nothing_for_longer(scheduled: Night, note: str) -> None:
    """Ten minutes after the first look at the latest it is told."""
    scheduled.store.set_note(LOOKING, note)
    assert "warning" in looks(scheduled, "02:40", "02:50")


def test_what_has_begun_or_is_there_is_told_as_ever(scheduled: Night) -> None:
    """The allowance is of what never started."""
    scheduled.world.facts["growth_etl", DAY] = Facts()
    scheduled.look("04:40")
    assert scheduled.steps == ["last-chance"]


@pytest.mark.parametrize(("days", "late"), [(1, [22]), (2, [22, 23]), (3, [22, 23, 24])])
def test_what_fell_due_while_nobody_looked_is_told_of_though(
    night: Night, days: int, late: list[int]
) -> None:
    """All of Airflow was down for longer than a day: the report of the day before yesterday is missing still. One page
    names each, as nothing ran for one cause; each that comes is told, and the last one ends it."""
    for day in (22, 23, 24):
        night.world.facts["growth_etl", dt.date(2026, 11, day)] = Facts()
    night.look("04:00")
    for clock in ("10:00", "10:00:15"):
        night.look(clock, DAY + dt.timedelta(days=days))
    (page,) = (page for page in night.pager.paged if page.priority == "P1")
    named = ", ".join(f"investor.daily_growth for 2026-11-{day}" for day in late)
    assert dict(page.facts)["Report"] == named
    landed = []
    for minute, day in enumerate(late, 10):
        made = at(f"10:{minute}", DAY + dt.timedelta(days=days))
        night.world.facts["growth_etl", dt.date(2026, 11, day)] = Facts(Publication(made, made, "manual", 1))
        night.look(f"10:{minute}:15", DAY + dt.timedelta(days=days))
        landed.append([post.step for post, _ in night.chat.posts][-1])
    assert landed[-1] == "resolved"
    assert len(set(landed)) == len(late)
    assert len(night.chat.threads) == 1
    assert not any(alert.open for alert in night.pager.alerts.values())
