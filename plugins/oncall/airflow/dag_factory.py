"""Makes schedules and arguments for DAG files from a pipeline's terms."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pendulum
from airflow.sdk import CronPartitionTimetable

from oncall.airflow.callbacks import CALLBACKS
from oncall.airflow.dag_settings import Terms, terms_of, watched_dags, zone
from oncall.airflow.deadline import promise_deadline
from oncall.core.promises.promise import due_at

# Backfills may go back to here; scheduled runs start with the newest date (no catch-up).
FIRST_DAY = pendulum.datetime(2025, 1, 1)
# For a task that asks something of a far side: tried again after 1, 2, 4, … 30 minutes, for four hours in all.
PATIENT: dict[str, Any] = {
    "retries": 10,
    "retry_delay": dt.timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": dt.timedelta(minutes=30),
}
# The DAGs of the on-call system itself. Unlike a pipeline they begin unpaused, whatever Airflow's configuration says
# (by default it pauses what is new): until somebody had thought of it nobody would be paged.
OF_ON_CALL: dict[str, Any] = {
    "tags": ["on-call"],
    "is_paused_upon_creation": False,
    "max_consecutive_failed_dag_runs": 0,  # or Airflow may pause them after some that failed: in an outage
    "catchup": False,  # the newest run missed is still made up for; older ones are over
    "default_args": {"owner": "data-engineering"},
}
KINDS = {"investor": "investor report"}  # a report's schema as a tag, where that is another word
WINTER_AND_SUMMER = (dt.date(2026, 1, 15), dt.date(2026, 7, 15))


def daily(terms: Terms) -> CronPartitionTimetable:
    """Once a day at the terms' schedule, for the business day before: the report date is the partition key."""
    return CronPartitionTimetable(terms.schedule, timezone=terms.zone, run_offset=-1, key_format="%Y-%m-%d")


def dag_arguments(terms: Terms) -> dict[str, Any]:
    """What every pipeline's DAG has in common. Owners are people to ask, not people to page."""
    schema = terms.report.partition(".")[0]
    return {
        "dag_id": terms.dag_id,
        "dag_display_name": terms.title,
        "description": terms.purpose,
        "doc_md": terms.doc,
        "tags": {*filter(None, [KINDS.get(schema, schema)]), *terms.owners},
        "start_date": FIRST_DAY,
        # A fresh or late scheduler runs the newest date at once; older gaps are for `airflow backfill create`.
        "catchup": False,
        # Runs of different dates touch no common rows. An old run that waits for its upstream must not keep
        # tonight's from starting; backfills bring a limit of their own.
        "max_active_runs": 16,
        "default_args": {
            "owner": terms.owners[0] if terms.owners else "data-engineering",
            "retries": 2,
            "retry_delay": dt.timedelta(minutes=1),
            **CALLBACKS,
        },
        **({"deadline": promise_deadline(terms.promise, terms.zone)} if terms.promise else {}),
    }


def due_crons() -> list[str]:
    """Cron expressions, in the zone of the roster at the top, for each due time: so that a worker looks just then.

    A team in another zone is due at one time in winter and at another in summer: both are among them.
    """
    top, found = zone(), set()
    for terms in map(terms_of, watched_dags()):
        if terms.promise:
            found |= {
                _cron(due_at(terms.promise, day, terms.zone).astimezone(top).time())
                for day in WINTER_AND_SUMMER
            }
    return sorted(found)


def _cron(clock: dt.time) -> str:
    minutes = clock.hour * 60 + clock.minute + (clock.second > 0)  # a cron has no seconds: rounded up
    return f"{minutes % 60} {minutes // 60 % 24} * * *"
