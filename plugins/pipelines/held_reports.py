"""What a person can do about a held report: list the rows that break the contract, and release numbers that are true,
or a partial load.

For the command line and the page alike. Knows no Airflow.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from oncall.adapters.postgres.database import connect_by
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.adapters.postgres.warehouse_rows import loaded
from oncall.airflow.report_date import AHEAD, EARLIEST
from oncall.config.load_volume import volume_in_force
from oncall.config.oncall_config import OncallConfig
from oncall.core.data.data_contract import Breach
from oncall.core.errors import OncallError
from oncall.core.promises.facts import Load
from oncall.core.promises.promise import Pipeline, business_day
from pipelines import runner
from pipelines.report_run import ReportRun
from pipelines.usual_numbers import Release

MAX_NOTE = 1000  # characters


def pipeline_of(config: OncallConfig, name: str) -> Pipeline:
    """The pipeline by its report's name or its DAG's id. Raises OncallError, naming those there are."""
    for pipeline in config.pipelines.values():
        if name in (pipeline.report, pipeline.dag_id):
            return pipeline
    known = ", ".join(pipeline.report for pipeline in config.pipelines.values())
    raise OncallError(f"no report {name}; write one of {known}")


def release_report(
    connection: Any, config: OncallConfig, report: str, date: dt.date, *, by: str, note: str
) -> list[Release]:
    """Somebody says, with a note, that the unusual numbers of a held report are true: its next run publishes them.

    Or that the partial loads which it waits for are all there is: its run goes on. Said again it stays as it was said
    first. Raises OncallError when neither a number nor a load holds it, or there is no note.
    """
    if not note.strip() or not by.strip():
        raise OncallError("a release says who and why: write a note of a few words")
    if len(note) > MAX_NOTE:
        raise OncallError(f"a note of {len(note)} characters; write at most {MAX_NOTE}")
    run = _run(config, pipeline_of(config, report), date)
    thin = {load.table: load.rows for load in partial_loads(run) if load.rows is not None}
    return runner.release(connection, run, by.strip(), note.strip(), thin)


def partial_loads(run: ReportRun) -> list[Load]:
    """The loads that the run would read of which a part seems to be missing, and nobody has said that it is all."""
    loads = Warehouse(connect_by("warehouse"), volume_in_force).loads(loaded(run.upstream), run.report_date)
    return [load for load in loads if load.state == "partial"]


def rows_that_break(
    connection: Any, config: OncallConfig, date: dt.date, report: str = "", check: str = ""
) -> dict[Breach, list[str]]:
    """What of a day's upstream rows breaks the contracts, with the keys of the rows; of one report, or of all.

    `check`: of this rule alone.
    """
    pipelines = [pipeline_of(config, report)] if report else list(config.pipelines.values())
    found: dict[Breach, list[str]] = {}
    for pipeline in pipelines:
        found |= runner.offending_rows(connection, _run(config, pipeline, date))
    return {breach: keys for breach, keys in found.items() if check in ("", breach.name)}


def _run(config: OncallConfig, pipeline: Pipeline, date: dt.date) -> ReportRun:
    zone = config.roster_of(pipeline.dag_id).tz
    latest = business_day(dt.datetime.now(dt.UTC), zone) + AHEAD
    if not EARLIEST <= date <= latest:
        raise OncallError(f"no report is about {date}; write a day from {EARLIEST} to {latest}")
    return ReportRun(pipeline.dag_id, pipeline.report, date, zone, "", pipeline.upstream)
