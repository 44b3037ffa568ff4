"""When a day may be run again from the page, and what whoever is about to do it should know. Pure."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from oncall.core.promises.cause import OPEN
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.promise import Pipeline
from oncall.core.time_format import day
from oncall.web.snapshot import PageSnapshot

# How a section of a runbook says that its repair ends with another run.
_RUN_IT_AGAIN = re.compile(r"airflow dags trigger|\b(?:run|start)s? (?:it|(?:the|this|that) day) again", re.I)


@dataclass(frozen=True)
class RunAgain:
    """What running the day again does, for whoever is about to do it."""

    report_date: dt.date
    subject: str
    warnings: tuple[str, ...]


def run_again(pipeline: Pipeline, report_date: dt.date, status: PromiseStatus | None) -> RunAgain:
    """`status`: how that day stands (None: not known)."""
    warnings = []
    if status and status.facts.publication:
        warnings.append("The report is published: each number that changes is written down as a restatement.")
    if status and _is_at_work(status):
        warnings.append("A run of this day is still at work: end it first, or wait for it.")
    elif status and status.why and status.why.cause == "held":
        warnings.append("Repair or release what the check has found first: else this run is held too.")
    return RunAgain(report_date, f"{pipeline.title} for {day(report_date)}", tuple(warnings))


def repaired_by_a_run(seen: PageSnapshot, pipeline: Pipeline) -> RunAgain | None:
    """The day that the pipeline's runbook says to run again as things stand; None where nothing, or something else,
    is to be done: while a run of it is at work another one would only wait."""
    for status in seen.statuses_of.get(pipeline.dag_id, ()):
        if status.why is None or status.drill or _is_at_work(status):
            continue
        if _RUN_IT_AGAIN.search(pipeline.runbook.section(status.why.cause)):
            return run_again(pipeline, status.report_date, status)
    return None


def _is_at_work(status: PromiseStatus) -> bool:
    return any(task.state in OPEN for task in status.facts.tasks)
