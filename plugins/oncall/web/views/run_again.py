"""When a day may be run again from the page, and what whoever is about to do it should know. Pure."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.promise import Pipeline
from oncall.core.promises.run_cause import OPEN
from oncall.core.promises.run_words import run_warnings, runs_again
from oncall.web.snapshot import PageSnapshot

# How a section of a runbook says that its repair ends with another run.
_RUN_IT_AGAIN = re.compile(r"airflow dags trigger|\b(?:run|start)s? (?:it|(?:the|this|that) day) again", re.I)


@dataclass(frozen=True)
class RunAgain:
    """What running the day again does, for whoever is about to do it."""

    report_date: dt.date
    subject: str
    lines: tuple[str, ...]


def run_again(pipeline: Pipeline, report_date: dt.date, status: PromiseStatus | None) -> RunAgain:
    """`status`: how that day stands (None: not known)."""
    subject, does = runs_again(pipeline.title, report_date)
    warnings = run_warnings(status, at_work=_is_at_work(status)) if status else ()
    return RunAgain(report_date, subject, (does, *warnings))


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
