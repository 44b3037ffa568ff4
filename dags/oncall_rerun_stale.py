"""Runs every **stale** day again, the oldest first: published days whose inputs have changed since.

Trigger it and fill in a reason, or leave that empty: then each restatement says which table has changed. Safe to run at
any time: a day whose inputs have not changed stays as it is, and each published number that changes is written down in
`investor.restatements`. `python -m oncall stale` lists what there is to do, and with `--rerun` does the same.

The run fails when a check holds a day: that one stays as it was published, and so does what depends on it.
"""

from airflow.sdk import DAG, Param, task

from oncall.airflow.dag_factory import OF_ON_CALL

with DAG(
    "oncall_rerun_stale",
    schedule=None,
    doc_md=__doc__,
    max_active_runs=1,
    params={
        "reason": Param("", type="string", description="What the restatements say; empty: what has changed"),
    },
    **OF_ON_CALL,
):

    @task(retries=0)
    def rerun(params=None, run_id=None) -> list[str]:  # type: ignore[no-untyped-def]
        """What was run again, and what that changed."""
        from pipelines.tasks import rerun_stale

        return rerun_stale(run_id, str(params["reason"]))

    rerun()
