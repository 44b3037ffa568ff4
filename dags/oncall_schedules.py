"""Makes Opsgenie's two schedules as the rota says, each morning, and reports in Slack what still differs.

The schedules serve what Opsgenie does on its own, such as the alert of the heartbeat when all of Airflow is gone; our
own pages name people and do not need them. Without the connection `opsgenie_api` the run is skipped and its log
says what to add. By hand: `python -m oncall sync`.
"""

from airflow.sdk import DAG, CronTriggerTimetable, task

from oncall.airflow.dag_factory import OF_ON_CALL, PATIENT
from oncall.airflow.dag_settings import zone

with DAG(
    "oncall_schedules",
    schedule=CronTriggerTimetable("30 8 * * *", timezone=zone()),
    doc_md=__doc__,
    max_active_runs=1,
    **OF_ON_CALL,
):

    @task(**PATIENT)
    def sync(ti=None) -> str:  # type: ignore[no-untyped-def]
        """Sync, then compare."""
        from oncall.airflow.schedules import sync_and_compare

        return sync_and_compare(last_try=ti.try_number > ti.max_tries)

    sync()
