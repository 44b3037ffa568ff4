"""The "Runbook" button on every task instance of a pipeline."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperatorLink

from oncall.airflow.composition import base_url
from oncall.airflow.dag_settings import watched_dags
from oncall.core.incidents.wording import Links


class RunbookLink(BaseOperatorLink):
    """Leads to the runbook of the task's DAG; says nothing for a DAG that has none."""

    name = "Runbook"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        dag_id = ti_key.dag_id
        return Links(base_url()).runbook(dag_id) if dag_id in watched_dags() else ""
