"""Starts a pipeline's DAG for one report date, as Airflow's own Trigger button does. Runs in the api-server only."""

from __future__ import annotations

import datetime as dt
import json

from oncall.airflow.report_date import CONF_KEY, NoReportDate, report_date
from oncall.core.promises import run_words
from oncall.usecases.manual_actions import Outcome


def run_again(dag_id: str, day: dt.date, by: str, zone: dt.tzinfo) -> Outcome:
    """A manual run under the user's name, with the report date in its conf, and its row in Airflow's audit log.

    Whether they may, the caller has asked.

    Refused while a run of that day is at work: two runs of one day wait for each other, and a second press is one.
    """
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.exceptions import AirflowException
    from airflow.models.dag import DagModel
    from airflow.utils.types import DagRunTriggeredByType

    dag = DagModel.get_dagmodel(dag_id)
    if dag is None or dag.is_stale:
        return Outcome(False, run_words.unknown_dag(dag_id))
    if dag.is_paused:
        return Outcome(False, run_words.paused_dag(dag_id))
    if at_work := _at_work(dag_id, day, zone):
        return Outcome(False, run_words.run_at_work(at_work))
    try:
        run = trigger_dag(
            dag_id,
            triggered_by=DagRunTriggeredByType.UI,
            triggering_user_name=by,
            conf={CONF_KEY: day.isoformat()},
        )
    except (AirflowException, ValueError) as error:
        return Outcome(False, run_words.not_started(error))
    run_id = run.run_id if run else ""
    _audit(dag_id, run_id, day, by)
    return Outcome(True, run_words.started(run_id), run_id)


def _audit(dag_id: str, run_id: str, day: dt.date, by: str) -> None:
    """Write the row that Airflow's own Trigger button writes."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    extra = json.dumps({"conf": {CONF_KEY: day.isoformat()}, "from": "the On-call page"})
    with create_session() as session:
        session.add(Log("trigger_dag_run", owner=by, extra=extra, dag_id=dag_id, run_id=run_id))


def _at_work(dag_id: str, day: dt.date, zone: dt.tzinfo) -> str:
    """The id of a run for this report date that has not ended; "" when there is none."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState

    for state in (DagRunState.RUNNING, DagRunState.QUEUED):
        for run in DagRun.find(dag_id=dag_id, state=state):
            try:
                if report_date({"dag_run": run}, zone) == day:
                    return str(run.run_id)
            except NoReportDate:  # it will fail, and works on no day
                continue
    return ""
