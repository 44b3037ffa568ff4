"""The DAG that runs stale days again: what its one task does, on a real warehouse behind an ordinary connection."""

from __future__ import annotations

import datetime as dt
from contextlib import closing

import psycopg2
import pytest
from airflow.sdk.exceptions import AirflowFailException

from oncall.config.oncall_config import include_dir, load
from pipelines import runner
from pipelines.report_run import ReportRun
from tests.airflow.conftest_site import ZONE, Site


def test_the_task_runs_what_is_stale_and_fails_when_a_day_is_held(site: Site) -> None:
    """What it did, in words; a day that a check holds makes the run red, and stays as it was published."""
    from pipelines.tasks import rerun_stale

    config, day = load(include_dir()), dt.datetime.now(ZONE).date() - dt.timedelta(days=2)
    pipeline = config.pipelines["engagement_etl"]
    run = ReportRun("engagement_etl", pipeline.report, day, config.roster.tz, "night", pipeline.upstream)
    with closing(psycopg2.connect(site.warehouse)) as connection:
        runner.run_day(connection, run)
    assert rerun_stale("manual__1") == []
    late = (
        "insert into master.sessions"
        " select max(session_id) + 1, {who}, max(started_at), 60, 'browse', clock_timestamp()"
    )
    of_day = f" from master.sessions where started_at < '{day + dt.timedelta(days=1)} 00:00+07'"
    site.query(late.format(who="min(customer_id)") + of_day)
    (said,) = rerun_stale("manual__2", "somebody said so")
    assert said.startswith(f"{day} engagement_etl (master.sessions changed ")
    site.query(late.format(who="404") + of_day)
    with pytest.raises(AirflowFailException, match="404"):
        rerun_stale("manual__3")
