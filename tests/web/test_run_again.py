"""Running a day again from the page, on Airflow's real database: which run is made, and when none is."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pytest

from tests.web.example_page import DAY, TZ

DAG_ID = "runs_again"


@pytest.fixture
def known(airflow_auth: None) -> Iterator[None]:
    """A DAG that Airflow knows, unpaused."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.models.log import Log
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.db import synchronize_log_template
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    dag = DAG(DAG_ID, schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    with create_session() as session:
        synchronize_log_template(session=session)
        session.merge(DagBundleModel(name="tests"))
        session.flush()
        session.merge(DagModel(dag_id=DAG_ID, bundle_name="tests", is_paused=False, is_stale=False))
        session.flush()
        SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), bundle_name="tests", session=session)
    yield
    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.dag_id == DAG_ID))
        session.execute(delete(Log).where(Log.dag_id == DAG_ID))


def paused(is_paused: bool) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.get_one(DagModel, DAG_ID).is_paused = is_paused


def runs() -> list[tuple[str | None, object, object, str | None]]:
    from airflow.models.dagrun import DagRun

    return [
        (run.state, run.run_type, run.conf, run.triggering_user_name) for run in DagRun.find(dag_id=DAG_ID)
    ]


def audited() -> list[tuple[str | None, str | None, object]]:
    """What Airflow's audit log says: the run, who started it, and of which day."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(select(Log).where(Log.dag_id == DAG_ID, Log.event == "trigger_dag_run")).all()
        return [(row.run_id, row.owner, json.loads(row.extra or "{}")["conf"]) for row in rows]


def test_a_day_is_run_as_by_airflows_own_button(known: None) -> None:
    """A manual run under the user's name, with the report date in its conf, and in Airflow's audit log."""
    from oncall.airflow.run_again import run_again

    outcome = run_again(DAG_ID, DAY, "anna", TZ)
    assert outcome.done
    assert runs() == [("queued", "manual", {"report_date": "2026-11-22"}, "anna")]
    assert audited() == [(outcome.run_id, "anna", {"report_date": "2026-11-22"})]


def test_beside_a_run_of_that_day_no_other_is_started(known: None) -> None:
    """Two runs of one day wait for each other, and a shaking finger presses twice; another day may run."""
    from oncall.airflow.run_again import run_again

    assert run_again(DAG_ID, DAY, "anna", TZ).done
    again = run_again(DAG_ID, DAY, "bert", TZ)
    assert not again.done
    assert "is still at work: end it first" in again.words
    assert run_again(DAG_ID, DAY - dt.timedelta(days=1), "bert", TZ).done
    assert len(runs()) == 2


def test_a_paused_dag_is_not_started(known: None) -> None:
    """The run would wait, and somebody would think that it runs."""
    from oncall.airflow.run_again import run_again

    paused(True)
    outcome = run_again(DAG_ID, DAY, "anna", TZ)
    assert (outcome.done, runs()) == (False, [])
    assert "unpause it first" in outcome.words


def test_a_dag_that_airflow_does_not_know_is_said(airflow_auth: None) -> None:
    """Its file may not import."""
    from oncall.airflow.run_again import run_again

    outcome = run_again("nowhere", DAY, "anna", TZ)
    assert (outcome.done, "does its file import?" in outcome.words) == (False, True)
