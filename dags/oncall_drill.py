"""Sends one person a **marked test page** through the whole chain, and reports how long each part took.

Trigger it and fill in the form. The page goes the way of a real one (outbox, Opsgenie, Slack) and carries the
runbook's steps for the cause; its title begins with [DRILL]. It waits for the tap, then closes by itself; how it went
stands in the Slack thread, in the task's log and in its XCom. The run fails when the page was never taken.

Opsgenie rings by priority: P1 rings as at five in the morning, P3 as a warning does.
"""

from airflow.sdk import DAG, Param, task

from oncall.airflow.dag_factory import OF_ON_CALL
from oncall.airflow.dag_settings import watched_dags
from oncall.core.promises.why import CAUSE_WORDS

PIPELINES = watched_dags() or ["no runbook is there"]

with DAG(
    "oncall_drill",
    schedule=None,
    doc_md=__doc__,
    params={
        "pipeline": Param(
            PIPELINES[0], type="string", enum=PIPELINES, description="Whose runbook it carries"
        ),
        "cause": Param(
            "upstream_late",
            type="string",
            enum=list(CAUSE_WORDS),
            values_display=CAUSE_WORDS,
            description="Which of the runbook's sections it carries",
        ),
        "who": Param(
            "primary", type="string", enum=["primary", "secondary", "manager"], description="Whom to page"
        ),
        "priority": Param(
            "P3", type="string", enum=["P1", "P2", "P3", "P4", "P5"], description="P1 rings as at five"
        ),
        "wait_minutes": Param(
            5,
            type="integer",
            minimum=0,
            maximum=30,
            description="How long to wait for the tap before it closes",
        ),
    },
    **OF_ON_CALL,
):

    @task(retries=0)
    def page(params=None, dag_run=None) -> list[str]:  # type: ignore[no-untyped-def]
        """Send the test page; the result is how it went."""
        from oncall.airflow.drill_page import run_drill

        return run_drill(params, dag_run.conf)

    page()
