"""What a look over ten thousand promises spares itself gives the same as the long way."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pendulum
from hypothesis import given
from hypothesis import strategies as st

from oncall.core.promises import evaluation
from oncall.core.promises.facts import Dag, Facts, Load, Publication, Task, TypicalDurations
from oncall.core.promises.promise import Promise, starts_at
from oncall.core.wall_time import at_wall
from tests.core.scenes import DAY, a_pipeline

AT = dt.datetime(2026, 11, 23, 5, tzinfo=dt.UTC)
ZONES = st.sampled_from(
    [
        ZoneInfo("Europe/Berlin"),
        ZoneInfo("America/New_York"),
        ZoneInfo("Australia/Lord_Howe"),
        pendulum.timezone("Europe/Berlin"),
        pendulum.FixedTimezone(7 * 3600),
        dt.timezone(dt.timedelta(hours=-3, minutes=-30)),
    ]
)
TASKS = st.lists(st.builds(Task, st.just("transform"), st.just("running"), st.just(AT)), max_size=2).map(
    tuple
)


@given(ZONES, st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)), st.times())
def test_a_run_starts_when_the_clock_of_its_zone_shows_it(
    tz: dt.tzinfo, date: dt.date, clock: dt.time
) -> None:
    """Also at an hour that the zone's clock skips or shows twice."""
    clock = clock.replace(second=0, microsecond=0, fold=0, tzinfo=None)
    expected = at_wall(date + dt.timedelta(days=1), clock, tz)
    assert starts_at(f"{clock.minute} {clock.hour} * * *", date, tz) == expected


@given(
    st.builds(
        Facts,
        loads=st.just((Load("master.orders"),)) | st.just((Load("master.orders", AT, 1),)),
        tasks=TASKS,
        dag=st.none() | st.builds(Dag, st.just(AT), st.booleans(), st.booleans()),
        usual=st.sampled_from([TypicalDurations(), TypicalDurations({"transform": 4e3}, {"transform": 3e3})]),
        unreadable=st.sampled_from([(), ("oncall_db: away",)]),
        blind=st.booleans(),
        looking_since=st.none() | st.just(AT - dt.timedelta(minutes=5)),
    ),
    st.integers(-1500, 600).map(lambda minutes: AT + dt.timedelta(minutes=minutes)),
    st.sampled_from(["0 2 * * *", "50 4 * * *", None]),
    st.sampled_from([None, Promise(dt.time(5), dt.time(3, 30)), Promise(dt.time(1), dt.time(4, 0))]),
)
def test_what_is_early_is_judged_as_it_would_be_the_long_way(
    facts: Facts, at: dt.datetime, schedule: str | None, promise: Promise | None
) -> None:
    """Before the first instant at which something should have happened there is nothing to find a cause for."""
    pipeline = a_pipeline(schedule=schedule, promise=promise)
    short = evaluation.evaluate_promise(pipeline, DAY, facts, at, dt.UTC)
    with patch.object(evaluation, "_is_early", return_value=False):
        assert short == evaluation.evaluate_promise(pipeline, DAY, facts, at, dt.UTC)


@given(
    st.builds(
        Facts,
        publication=st.none() | st.just(Publication(AT, AT, "run", 1)),
        loads=st.just((Load("master.orders"),)) | st.just(()),
        changed_since=st.just((Load("master.sessions", AT),)) | st.just(()),
        tasks=TASKS,
        blind=st.booleans(),
        blind_since=st.none() | st.just(AT),
    ),
    TASKS,
)
def test_facts_with_runs_lose_nothing_that_the_warehouse_showed(read: Facts, tasks: tuple[Task, ...]) -> None:
    more: dict[str, Any] = {
        "tasks": tasks,
        "usual": TypicalDurations({"transform": 1.0}),
        "unreadable": ("oncall_db: away",),
    }
    assert read.with_runs(**more) == replace(read, **more)
