"""Watches the promises: a watcher in the triggerer, and a look from a worker every 5 minutes and at each due instant.

The watcher needs neither scheduler nor worker; this DAG's runs need no triggerer. Either alone pages for a broken
promise, and together they page once. **Never pause this DAG**: paused, it has no watcher.
"""

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, AssetWatcher, MultipleCronTriggerTimetable, task

from oncall.airflow.dag_factory import OF_ON_CALL, due_crons
from oncall.airflow.dag_settings import watched_dags, zone
from oncall.airflow.watcher import SlaWatch

# For a scheme without "x-" Airflow would load every provider, to ask whether one of them knows it.
promises = Asset("x-oncall://promises", watchers=[AssetWatcher("sla_watch", SlaWatch())])

with DAG(
    "sla_watch",
    schedule=AssetOrTimeSchedule(
        timetable=MultipleCronTriggerTimetable("*/5 * * * *", *due_crons(), timezone=zone()),
        assets=[promises],
    ),
    doc_md=__doc__,
    max_active_runs=2,
    **OF_ON_CALL,
):

    @task(retries=0, trigger_rule="all_done")  # whatever the other could not see
    def look(ti=None) -> str:  # type: ignore[no-untyped-def]
        """Read the world, judge the promises, page whoever has to be paged."""
        from oncall.airflow.dag_files import watch_dag_ids
        from oncall.airflow.run_once import evaluate_once

        seen = evaluate_once(stay_s=60, check_before_send=True, of_sla_watch=True)
        watch_dag_ids(ti)
        return "; ".join(f"{one.pipeline.dag_id} {one.report_date}: {one.verdict}" for one in seen.statuses)

    @task(retries=0)
    def see_dags(ti=None) -> None:  # type: ignore[no-untyped-def]
        """Note which DAGs are paused, gone or busy, so that a page can say why a run never started."""
        from oncall.airflow.airflow_state import see_dags as note

        note(watched_dags(), ti)

    see_dags() >> look()
