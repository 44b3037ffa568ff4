"""Starts a pipeline's DAG for one report date, as Airflow's own Trigger button does. Runs in the api-server only."""

from __future__ import annotations

import datetime as dt

from oncall.airflow.report_date import CONF_KEY
from oncall.usecases.manual_actions import Outcome


def run_again(dag_id: str, report_date: dt.date, by: str) -> Outcome:
    """A manual run under the user's name, with the report date in its conf. Whether they may, the caller has asked."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.exceptions import AirflowException
    from airflow.models.dag import DagModel
    from airflow.utils.types import DagRunTriggeredByType

    dag = DagModel.get_dagmodel(dag_id)
    if dag is None or dag.is_stale:
        return Outcome(False, f"Airflow does not know the DAG {dag_id} now: does its file import?")
    if dag.is_paused:
        return Outcome(False, f"The DAG {dag_id} is paused, and a run would only wait: unpause it first.")
    try:
        trigger_dag(
            dag_id,
            triggered_by=DagRunTriggeredByType.UI,
            triggering_user_name=by,
            conf={CONF_KEY: report_date.isoformat()},
        )
    except (AirflowException, ValueError) as error:
        return Outcome(False, f"Airflow did not start it: {error}")
    return Outcome(True, "Started.")
