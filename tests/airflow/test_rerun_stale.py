"""The DAG that runs stale days again: what its one task does, on a real warehouse behind an ordinary connection."""

from __future__ import annotations

import datetime as dt
import re
from contextlib import closing

import psycopg2
import pytest
from airflow.sdk.exceptions import AirflowFailException

from oncall.airflow.composition import Wiring
from oncall.config.oncall_config import include_dir, load
from oncall.core.incidents.context import post
from oncall.core.incidents.incident import Incident, Plan
from oncall.core.message import Message
from pipelines import runner
from pipelines.report_run import ReportRun
from pipelines.stale_days import publish_and_tell
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


def test_a_stale_day_that_is_run_by_hand_hears_the_end_of_it(site: Site) -> None:
    """The thread that told it is stale: who ran it, what that changed.

    The first run of a day tells nothing, nor does one that nobody started and that changes nothing.
    """
    config, day = load(include_dir()), dt.datetime.now(ZONE).date() - dt.timedelta(days=2)
    pipeline = config.pipelines["engagement_etl"]
    key = f"engagement_etl:{day}"
    store = Wiring().store()
    store.install()

    def publish(run_id: str, by: str | None) -> None:
        run = ReportRun("engagement_etl", pipeline.report, day, config.roster.tz, run_id, pipeline.upstream)
        with closing(psycopg2.connect(site.warehouse)) as connection:
            runner.install(connection)
            runner.transform(connection, run)
            runner.check(connection, run)
            publish_and_tell(connection, run, by)

    def told() -> list[str]:
        with store.decision_lock() as decision:
            return [one.message.title for one in decision.said([key])[key]]

    stale = Message(key, "stale:1", "Stale: Engagement ETL", "")
    with store.decision_lock() as decision:
        now = dt.datetime.now(dt.UTC)
        incident = Incident(key, "engagement_etl", day, now, verdict="stale", resolved_at=now)
        decision.record(Plan((incident,), (post(stale),)), now)
    publish("night", None)
    assert told() == ["Stale: Engagement ETL"]
    site.query(
        "insert into master.sessions"
        " select max(session_id) + 1, min(customer_id), max(started_at), 60, 'browse', clock_timestamp()"
        f" from master.sessions where started_at < '{day + dt.timedelta(days=1)} 00:00+07'"
    )
    publish("manual__1", "anna")
    publish("scheduled__1", None)
    publish("manual__2", "bert")
    *_, first, second = told()
    assert re.fullmatch(r"anna ran the day again: [1-9]\d* numbers? restated", first)
    assert second == "bert ran the day again: no number restated"
