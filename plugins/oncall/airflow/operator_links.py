"""The "Runbook" button on every task instance of a pipeline."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperatorLink

from oncall.airflow.composition import base_url
from oncall.config.oncall_config import include_dir
from oncall.core.incidents.wording import Links


class RunbookLink(BaseOperatorLink):
    """Leads to the runbook of the task's DAG; says nothing for a DAG that has none."""

    name = "Runbook"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        dag_id = ti_key.dag_id
        if not (include_dir() / "runbooks" / f"{dag_id}.md").is_file():
            return ""
        return Links(base_url()).runbook(dag_id)
