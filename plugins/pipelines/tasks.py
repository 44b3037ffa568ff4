"""The steps of a pipeline as Airflow tasks: finds report date and warehouse, leaves the work to `pipelines.runner`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from airflow.sdk import Asset, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from oncall.airflow.report_date import NoReportDate, report_date
from oncall.config import oncall_config
from oncall.core.promises.run_cause import WAIT
from pipelines import publication, runner
from pipelines.report_run import Held, ReportRun
from pipelines.stale_days import Rerun, StalePublications, note_reruns, publish_and_tell
from pipelines.upstream_freshness_sensor import UpstreamFreshSensor

WAREHOUSE = "warehouse"

log = logging.getLogger(__name__)


def report_steps(report: Asset, base: Asset | None = None) -> None:
    """Add the steps of a pipeline to the DAG being defined: (wait_for_upstream →) transform → check → publish.

    A pipeline that asset events start does not wait: they say that its upstream is there.

    `report` is what is promised, named as its table; `base` is the base model that starts other DAGs. Both are
    updated when the report is published, with the report date as their partition.
    """
    outlets = [asset for asset in (base, report) if asset]
    transforming = transform(report.name)
    checking = check(report.name)
    publishing = publish.override(outlets=outlets)(report.name)
    transforming >> checking >> publishing
    if base:
        UpstreamFreshSensor(task_id=WAIT) >> transforming


@task
def transform(report: str) -> None:
    """Compute the base model and the draft of the report, unless upstream's rows break their contract."""
    with _warehouse() as connection, _held_for_good():
        runner.transform(connection, _run(report))


@task
def check(report: str) -> None:
    """Withhold the report unless every check passes. Not retried: the same rows give the same answer."""
    with _warehouse() as connection, _held_for_good():
        names = runner.check(connection, _run(report))
    log.info("%d checks passed: %s", len(names), ", ".join(names))


@task
def publish(report: str) -> None:
    """Replace the report's rows of the day and write its publication; then start whoever waits for the base model."""
    run, context = _run(report), get_current_context()
    with _warehouse() as connection, _held_for_good():
        for name, rows in publish_and_tell(connection, run, context["dag_run"].triggering_user_name).items():
            log.info("published %s of %s: %d rows", name, run.report_date, rows)
        _note_late_rows(connection, run)
    for outlet in context["task"].outlets:
        # Said on every run: a manual one has no partition key that Airflow could pass on.
        context["outlet_events"][outlet].add_partitions(run.report_date.isoformat())


def rerun_stale(run_id: str, reason: str = "") -> list[str]:
    """Run every stale day again, oldest first; how each went, in words.

    A day that is held fails the task, and so does a pipeline that cannot be searched: after all the others.
    """
    from pipelines.held_reports import partial_loads  # not with every parse of a DAG file

    with _warehouse() as connection:
        stale = StalePublications(connection, oncall_config.load(oncall_config.include_dir()), partial_loads)
        done = stale.rerun(run_id, reason=reason, tell=_tell)
    if reason := note_reruns([rerun.outcome for rerun in done], "oncall_rerun_stale", run_id):
        log.warning("%s", reason)
    if wrong := [*stale.unsearched_words, *(rerun.held for rerun in done if rerun.held)]:
        raise AirflowFailException("\n".join(wrong))
    return [str(rerun) for rerun in done]


def _tell(rerun: Rerun) -> None:
    log.info("%s", rerun)


def _note_late_rows(connection: Any, run: ReportRun) -> None:
    """The report is out: whatever goes wrong with a search for late rows of other days must not fail it."""
    try:
        publication.note_late_rows(connection, run)
    except Exception:
        log.exception(
            "could not look for rows that came late for earlier days; python -m oncall stale looks again"
        )


@contextmanager
def _held_for_good() -> Iterator[None]:
    """A report that is held is not tried again by itself."""
    try:
        yield
    except Held as held:
        raise AirflowFailException(str(held)) from None


@contextmanager
def _warehouse() -> Iterator[Any]:
    from oncall.adapters.postgres.database import work_by  # not with every parse of a DAG file

    with closing(work_by(WAREHOUSE)) as connection:
        # Each task: a release may come between two tasks of a run.
        runner.install(connection)
        yield connection


def _run(report: str) -> ReportRun:
    """This task's run. A report date that is no date fails for good."""
    from oncall.airflow.terms_in_force import terms_in_force

    context: Any = get_current_context()
    terms = terms_in_force(context["dag"].dag_id)
    try:
        date = report_date(context, terms.zone)
    except NoReportDate as wrong:
        raise AirflowFailException(str(wrong)) from None
    return ReportRun(
        terms.dag_id, report, date, terms.zone, context["run_id"], terms.upstream, promise=terms.promise
    )
