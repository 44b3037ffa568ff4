"""How the tests of the models run a pipeline: as Airflow would, without Airflow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from pipelines import runner
from pipelines.report_run import ReportRun
from tests.pipelines import master_by_hand as by_hand

REPORTS = {
    "profit_etl": "investor.daily_profit",
    "engagement_etl": "investor.daily_engagement",
    "growth_etl": "investor.daily_growth",
    "unit_profit_experiments": "experiments.unit_profit",
    "daily_growth_experiments": "experiments.daily_growth",
}
GENERATED_DAYS = [dt.date(2026, 10, 15) + dt.timedelta(days=n) for n in range(10)]

Run = Callable[..., dict[str, int]]


def report_run(dag_id: str, day: dt.date = by_hand.DAY, **more: Any) -> ReportRun:
    """A run as Airflow would describe it, in UTC+7."""
    zone = dt.timezone(dt.timedelta(hours=7))
    return ReportRun(dag_id, REPORTS[dag_id], day, zone, more.pop("run_id", "test"), **more)


def run_all(connection: Any, one: ReportRun) -> dict[str, int]:
    """All steps of one run; the rows published."""
    return runner.run_day(connection, one)
