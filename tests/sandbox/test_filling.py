"""Which report dates a new stack has, at every hour: filled by hand, really run, or still to come."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.config.oncall_config import OncallConfig, load
from oncall.core.promises.promise import due_at
from sandbox.master_data.backfill import REAL_DAYS, Dag, Wanted, _asked_for, recent, wanted
from sandbox.master_data.business_day import ZONE
from sandbox.master_data.generator import TABLES
from sandbox.master_data.loading import usual_load_time
from sandbox.master_data.published_history import LINES, STARTED_BY, Night
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.stack import Stack

SETUP = load(REPOSITORY / "include")
PROMISED = ("engagement_etl", "growth_etl", "profit_etl")
PIPELINES = [dag_id for line in LINES for dag_id in line]
DAY = dt.timedelta(days=1)
NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)

# Wall clock of UTC+7 → the newest report date that is due, and the one that the schedule (02:00) made last.
HOURS = {
    "2026-11-30 00:00": ("2026-11-28", "2026-11-28"),  # Monday
    "2026-11-30 01:59": ("2026-11-28", "2026-11-28"),
    "2026-11-30 02:00": ("2026-11-28", "2026-11-29"),
    "2026-11-30 02:30": ("2026-11-28", "2026-11-29"),
    "2026-11-30 04:59": ("2026-11-28", "2026-11-29"),
    "2026-11-30 05:00": ("2026-11-29", "2026-11-29"),
    "2026-11-30 07:00": ("2026-11-29", "2026-11-29"),  # 00:00 UTC
    "2026-11-30 08:59": ("2026-11-29", "2026-11-29"),
    "2026-11-30 09:01": ("2026-11-29", "2026-11-29"),
    "2026-11-30 23:59": ("2026-11-29", "2026-11-29"),  # the last of a month
    "2026-12-01 03:00": ("2026-11-29", "2026-11-30"),
    "2026-12-31 23:59": ("2026-12-30", "2026-12-30"),
    "2027-01-01 00:00": ("2026-12-30", "2026-12-30"),
    "2027-01-01 04:00": ("2026-12-30", "2026-12-31"),
    "2028-02-29 02:30": ("2028-02-27", "2028-02-28"),
    "2028-02-29 12:00": ("2028-02-28", "2028-02-28"),
    "2028-03-01 05:00": ("2028-02-29", "2028-02-29"),
}
ZONES = [
    ZONE,
    dt.timezone(dt.timedelta(hours=-11)),
    *map(ZoneInfo, ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Auckland", "Asia/Kathmandu")),
]
# A year around every change of clocks, to the minute.
instants = st.integers(0, 366 * 24 * 60).map(
    lambda minutes: dt.datetime(2026, 6, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)
)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZONE)


def in_zone(tz: dt.tzinfo) -> OncallConfig:
    return replace(SETUP, roster=replace(SETUP.roster, tz=tz))


@pytest.mark.parametrize("clock", HOURS)
def test_the_last_due_dates_are_wanted_and_none_that_is_still_to_come(clock: str) -> None:
    """Of each promised report, and of the experiments the newest of these dates."""
    newest = dt.date.fromisoformat(HOURS[clock][0])
    promised, following = wanted(SETUP, at(clock))
    assert promised == [
        Wanted(dag_id, newest - n * DAY) for dag_id in PROMISED for n in reversed(range(REAL_DAYS))
    ]
    assert following == [
        Wanted("daily_growth_experiments", newest),
        Wanted("unit_profit_experiments", newest),
    ]


@given(instants, st.sampled_from(ZONES))
def test_what_is_wanted_is_due_in_any_zone_at_any_minute(now: dt.datetime, tz: dt.tzinfo) -> None:
    """Also on nights that have an hour more or less."""
    for run in wanted(in_zone(tz), now)[0]:
        promise = SETUP.pipelines[run.dag_id].promise
        assert promise is not None
        assert due_at(promise, run.day, tz) <= now < due_at(promise, run.day + REAL_DAYS * DAY, tz)


@dataclass
class Airflow:
    """An Airflow whose schedule has started `scheduled` of each DAG, after being asked `patience` times."""

    scheduled: str
    patience: int = 0
    unknown: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    asked: list[Wanted] = field(default_factory=list)

    def get(self, path: str, **_: Any) -> Any:
        dag_id = path.split("/")[1]
        if dag_id in self.unknown:
            request = httpx.Request("GET", "http://airflow")
            raise httpx.HTTPStatusError("", request=request, response=httpx.Response(404, request=request))
        made = self.patience <= 0
        if path.endswith("dagRuns"):
            self.patience -= 1
            there = [run.day.isoformat() for run in self.asked if run.dag_id == dag_id]
            there += [self.scheduled] if made else []
            return {"dag_runs": [{"partition_key": key, "state": "running"} for key in there]}
        next_run = dt.datetime.now(dt.UTC) + (DAY if made else -DAY)
        return {"is_paused": dag_id in self.paused, "next_dagrun_run_after": next_run.isoformat()}

    def run(self, dag_id: str, day: dt.date, run_id: str) -> None:
        self.asked.append(Wanted(dag_id, day))


@pytest.mark.parametrize("clock", HOURS)
def test_only_what_the_schedule_leaves_out_is_asked_for(clock: str) -> None:
    """After that every wanted date has one run, at every hour; asked again, nothing is left to ask for."""
    promised, _ = wanted(SETUP, at(clock))
    airflow = Airflow(scheduled=HOURS[clock][1])
    for _ in range(2):
        assert _asked_for(airflow, promised, print) == promised  # type: ignore[arg-type]
    by_schedule = dt.date.fromisoformat(airflow.scheduled)
    assert airflow.asked == [run for run in promised if run.day != by_schedule]


def test_the_schedule_is_waited_for_before_anything_is_asked() -> None:
    """A run that Airflow is about to start by itself would else run twice; and the wait is said."""
    promised, _ = wanted(SETUP, at("2026-11-30 12:00"))
    airflow, said = Airflow("2026-11-29", patience=len(PROMISED)), list[str]()
    _asked_for(airflow, promised, said.append)  # type: ignore[arg-type]
    assert {run.day for run in airflow.asked} == {dt.date(2026, 11, 28)}
    assert said[:1] == [f"waiting for the scheduler to start the newest run of {', '.join(PROMISED)}"]


def test_what_cannot_run_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A paused DAG, and a runbook of a pipeline that has no DAG, are named and left out."""
    monkeypatch.setattr("sandbox.master_data.backfill.SCHEDULE_WITHIN_S", -1)
    promised, _ = wanted(SETUP, at("2026-11-30 12:00"))
    airflow, said = Airflow("2026-11-29", unknown=("growth_etl",), paused=("profit_etl",)), list[str]()
    coming = _asked_for(airflow, promised, said.append)  # type: ignore[arg-type]
    assert {run.dag_id for run in coming} == {run.dag_id for run in airflow.asked} == {"engagement_etl"}
    assert "growth_etl: Airflow has no such DAG; no run is asked for" in said
    assert "profit_etl: it is paused; no run is asked for" in said


def test_a_schedule_that_is_over_or_paused_is_not_waited_for() -> None:
    """Only a run that is about to come holds anybody up."""
    now = at("2026-11-30 12:00")
    assert Dag(True, False, now).waits_for_schedule(now)
    assert not Dag(True, False, now + DAY).waits_for_schedule(now)
    assert not Dag(True, True, now).waits_for_schedule(now)
    assert not Dag(True).waits_for_schedule(now)
    assert not Dag().waits_for_schedule(now)


@given(instants, st.sampled_from(ZONES))
def test_a_new_stack_begins_with_kept_promises(now: dt.datetime, tz: dt.tzinfo) -> None:
    """Where upstream comes before the due time, history has each report that is due in time, at any minute."""
    config = in_zone(tz)
    for dag_id in PROMISED:
        promise = config.pipelines[dag_id].promise
        assert promise is not None
        (day,) = {run.day for run in wanted(config, now)[0][REAL_DAYS - 1 : REAL_DAYS]}
        due = due_at(promise, day, tz)
        loaded = max(usual_load_time(table, day) for table in TABLES)
        at = Night(config, dag_id, now).published_at(day, loaded)
        assert at is not None
        assert min(loaded, now) <= at
        assert at <= due or due < loaded + dt.timedelta(minutes=5)


@given(st.dates(dt.date(2026, 1, 1), dt.date(2028, 12, 31)), st.sampled_from(ZONES), st.integers(-60, 6000))
def test_history_never_reads_before_upstream_has_come(day: dt.date, tz: dt.tzinfo, late: int) -> None:
    """Else every published day would be stale at once; nor is an experiment's report there before its base model."""
    later = dt.datetime(2029, 6, 1, tzinfo=tz)
    loaded = dt.datetime.combine(day + DAY, dt.time(1), tzinfo=ZONE) + dt.timedelta(minutes=late)
    at = {}
    for dag_id in (dag_id for line in LINES for dag_id in line):
        published = Night(in_zone(tz), dag_id, later).published_at(day, loaded)
        assert published is not None
        at[dag_id] = published
    assert all(published - dt.timedelta(minutes=1) > loaded for published in at.values())
    assert all(at[base] < at[dag_id] for dag_id, base in STARTED_BY.items())


def test_a_silent_airflow_is_said_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack is up all the same, and `make up` goes on to say where to look."""
    monkeypatch.setattr("sandbox.stack.airflow_api.PAUSE_S", 0)
    said = list[str]()
    recent(Stack(tmp_path, airflow_port=1), said.append)
    assert said[0].startswith("Airflow's API server did not answer as it should: ")
    assert "run `make up` again" in said[1]
