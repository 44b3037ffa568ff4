"""What is said before a day is run again, and what came of asking for it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.time_format import day


def runs_again(title: str, report_date: dt.date) -> tuple[str, str]:
    """What a run of the day is of, and what it does."""
    subject = f"{title} for {day(report_date)}"
    return subject, (
        f"Starts a run of {subject}. When it publishes it replaces all rows of that day in one transaction;"
        " other days stay as they are."
    )


def run_warnings(status: PromiseStatus, *, at_work: bool) -> Iterator[str]:
    """What to know before a day is run again. `at_work`: a run of it has not ended."""
    if status.facts.publication:
        yield "The report is published: each number that changes is written down as a restatement."
    if at_work:
        yield "A run of this day is still at work: end it first, or wait for it."
    elif status.why and status.why.cause == "held":
        yield "Repair or release what the check has found first: else this run is held too."


def unknown_dag(dag_id: str) -> str:
    return f"Airflow does not know the DAG {dag_id} now: does its file import?"


def paused_dag(dag_id: str) -> str:
    return f"The DAG {dag_id} is paused, and a run would only wait: unpause it first."


def run_at_work(run_id: str) -> str:
    return f"The run {run_id} of this day is still at work: end it first, or wait for it."


def not_started(error: object) -> str:
    return f"Airflow did not start it: {error}"


def started(run_id: str) -> str:
    return f"The run {run_id} has started."
