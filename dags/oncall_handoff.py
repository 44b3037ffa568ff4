"""At each handoff: a note in Slack, the Slack user group set to the new pair, a test page to the new primary.

Each happens once for each handoff: a run that was missed while Airflow was down is made up for when it is back, a far
side that is away is tried again for hours, and a run more does nothing. The times are the roster's (`handoff`,
`timezone`). A team with a roster of its own has a DAG of its own, `oncall_handoff_<team>`.
"""

from airflow.sdk import DAG, CronTriggerTimetable, task

from oncall.airflow.dag_factory import FIRST_DAY, OF_ON_CALL, PATIENT
from oncall.airflow.dag_settings import handoff_cron, teams, zone


def handoff(team: str) -> None:
    """The DAG of one team."""
    with DAG(
        f"oncall_handoff_{team}" if team else "oncall_handoff",
        schedule=CronTriggerTimetable(handoff_cron(team), timezone=zone(team)),
        start_date=FIRST_DAY,
        max_active_runs=1,
        doc_md=__doc__,
        **OF_ON_CALL,
    ):

        @task(**PATIENT)
        def tell(ti=None) -> str:  # type: ignore[no-untyped-def]
            """Say the note and set the user group."""
            from oncall.airflow.handoff import hand_over

            return hand_over(team, last_try=ti.try_number > ti.max_tries)

        @task(**PATIENT)
        def try_the_new_primary() -> list[str]:
            """A quiet test page (P5) that waits ten minutes for the tap and closes by itself."""
            from oncall.airflow.handoff import try_primary

            return try_primary(team)

        tell()
        try_the_new_primary()


for each in teams():
    handoff(each)
