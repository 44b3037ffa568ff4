"""A pipeline that runs from Monday to Friday only: whom its weekend wakes (nobody), and what Monday morning does."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from oncall.core.promises.facts import Facts
from oncall.usecases.evaluate import due_instants
from oncall.usecases.promise_statuses import candidates
from tests.usecases.conftest_night import Night, at

THURSDAY, FRIDAY = dt.date(2026, 11, 19), dt.date(2026, 11, 20)
SATURDAY, SUNDAY, MONDAY = (FRIDAY + dt.timedelta(days=n) for n in (1, 2, 3))


@pytest.fixture
def workdays(night: Night) -> Night:
    """Growth has a report of each working day, due on the next one; the other pipelines run daily."""
    growth = night.config.pipelines["growth_etl"]
    assert growth.promise
    promise = replace(growth.promise, weekdays=frozenset(range(5)))
    growth = replace(growth, schedule="0 2 * * 1,2,3,4,5", promise=promise)
    night.config = replace(night.config, pipelines={**night.config.pipelines, "growth_etl": growth})
    for day in (FRIDAY, SATURDAY, SUNDAY):
        night.world.facts["growth_etl", day] = Facts()
    night.store.set_note("watching_since", at("01:00", FRIDAY).isoformat())
    return night


@pytest.mark.parametrize(
    ("day", "clock", "dates"),
    [
        (SATURDAY, "12:00", [THURSDAY, FRIDAY]),
        (SUNDAY, "05:00", [THURSDAY, FRIDAY]),
        (MONDAY, "04:59", [THURSDAY, FRIDAY]),
        (MONDAY, "05:00", [FRIDAY, MONDAY]),
    ],
)
def test_the_reports_that_are_judged_are_those_of_working_days(
    workdays: Night, day: dt.date, clock: str, dates: list[dt.date]
) -> None:
    """The last one that was due and the next one, whatever lies in between."""
    found = candidates(workdays.config, at(clock, day), (), ())
    assert [one.report_date for one in found if one.pipeline.dag_id == "growth_etl"] == dates


def test_the_watcher_wakes_up_for_mondays_due_time(workdays: Night) -> None:
    """The next instants of growth are Monday's, of the others each morning's."""
    found = set(due_instants(workdays.config, at("12:00", FRIDAY)))
    assert found == {at(clock, day) for day in (SATURDAY, MONDAY) for clock in ("03:30", "05:00")}


def test_a_weekend_wakes_nobody_and_a_monday_without_a_run_does(workdays: Night) -> None:
    """Not started is said once its run is overdue on Monday, and paged when it is due, for Friday's report."""
    for day in (SATURDAY, SUNDAY):
        for clock in ("02:30", "05:00", "05:16"):
            workdays.look(clock, day)
    assert workdays.steps == []
    for clock in ("01:59", "02:05"):
        workdays.look(clock, MONDAY)
    assert workdays.chat.posts == []
    workdays.look("02:11", MONDAY)
    (warned,) = workdays.chat.posts
    assert warned[0].title.startswith("Growth ETL, 20 Nov, due 05:00 in 2 h 49 min: never started")
    workdays.look("05:00", MONDAY)
    assert workdays.steps == ["warning", "page-1-primary"]
    assert workdays.pager.paged[1].key == "growth_etl:2026-11-20"
