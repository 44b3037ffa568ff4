"""Publishes a report's draft, and says of published days what has changed: late rows, stale days, restated numbers."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from oncall.core.errors import OncallError
from oncall.core.promises.facts import DRILL_RUNS, FailedCheck
from oncall.core.promises.promise import due_at
from oncall.core.wall_time import utc
from pipelines.held_by_data import held_by_its_data
from pipelines.report_run import Held, ReportRun, one_run_at_a_time, transaction, zone_name
from pipelines.sql_files import LATE, PUBLISH, SqlFiles

# The tables that a pipeline's SQL publishes, and their drafts: the function's second and third argument.
_RESTATES = re.compile(r"publish_draft\([^,]+,\s*'([a-z_.]+)',\s*'([a-z_.]+)'")
_COUNTED = """
    select (select count(*) from {} where report_date = %(day)s), (select count(*) from {} where report_date = %(day)s)
"""

KEPT_DAYS = 120  # the page counts the last 90


def publish(connection: Any, run: ReportRun) -> dict[str, int]:
    """Replace the report's rows by the draft and write the publications, all or nothing; rows by published name.

    Each published number that this changes is written down in investor.restatements. Raises Held when the report's
    tables do not take the draft.
    """
    with held_by_its_data(connection, run), transaction(connection, run) as cursor:
        one_run_at_a_time(cursor, run)
        published: dict[str, int] = {}
        for file in run.steps(PUBLISH):
            for name, rows, digest in run.execute(cursor, file):
                run.execute(cursor, "publication.sql", name=name, rows=rows, digest=str(digest or 0))
                if cursor.rowcount != 1:
                    raise OncallError(
                        f"{run.report} of {run.report_date} has no draft that its checks have passed:"
                        " it was never transformed, or another run has done so since and will publish it"
                    )
                published[name] = rows
            for table, draft in _RESTATES.findall(run.sql.text(file)):
                _hold_unless_whole(cursor, run, table, draft)
        if run.report not in published:  # else the run would be green, and the report count as missing
            raise OncallError(
                f"the SQL of {run.dag_id} publishes no {run.report}; end its 30_publish.sql with: select"
                f" '{run.report}' as name, count(*) as rows, sum(…) as digest"
            )
        _keep_due(cursor, run)
    return published


def _keep_due(cursor: Any, run: ReportRun) -> None:
    """Write down when the day was due, and each earlier one that does not say it: a promise may change afterwards."""
    promise = run.promise
    if promise is None or run.run_id.startswith(DRILL_RUNS):
        return
    days = [day for ago in range(KEPT_DAYS) if promise.covers(day := run.report_date - dt.timedelta(ago))]
    dues = [utc(due_at(promise, day, run.zone)) for day in days]
    run.execute(cursor, "due.sql", days=days, dues=dues)


def _hold_unless_whole(cursor: Any, run: ReportRun, table: str, draft: str) -> None:
    """Raise Held when a table has not kept what was written into it: a trigger or a rule has swallowed rows."""
    cursor.execute(_COUNTED.format(table, draft), {"day": run.report_date})
    ((found, drafted),) = cursor.fetchall()
    if drafted and found != drafted:  # without a draft, what was published stays
        raise Held(
            run,
            [
                FailedCheck(
                    "table_is_the_draft", f"{drafted:,} rows in {table}, as drafted", f"{found:,} rows"
                )
            ],
        )


def note_late_rows(connection: Any, run: ReportRun, since: dt.datetime | None = None) -> None:
    """Mark the published days of the report for which upstream has written rows since they were read.

    Looks through what was written after `since` (None: since the last time). A drill's run marks nothing: its rows are
    taken away again.
    """
    if run.run_id.startswith(DRILL_RUNS):
        return
    with transaction(connection) as cursor:
        for file in (*run.steps(LATE), "late_loads.sql"):
            run.execute(cursor, file, upstream=list(run.upstream), since=since)


def stale(connection: Any, zone: dt.tzinfo) -> list[tuple[str, dt.date, str, tuple[str, ...]]]:
    """Report, report date, reason and changed upstream tables of each published day whose inputs have changed since.

    In order of dates.
    """
    with transaction(connection) as cursor:
        found = SqlFiles().execute(cursor, "stale.sql", {"zone": zone_name(zone)})
        return [(report, day, because, tuple(changed)) for report, day, because, changed in found]


def is_published(connection: Any, run: ReportRun) -> bool:
    """Whether the report of this day is out, by whichever run."""
    with transaction(connection) as cursor:
        cursor.execute(
            "select true from investor.publications where report = %s and report_date = %s",
            (run.report, run.report_date),
        )
        return cursor.fetchone() is not None


def restated(connection: Any, run: ReportRun) -> int:
    """How many published numbers of the report date this run has changed, in all tables that its SQL publishes."""
    sql = "\n".join(map(run.sql.text, run.steps(PUBLISH)))
    tables = [table for table, _ in _RESTATES.findall(sql)]
    with transaction(connection) as cursor:
        cursor.execute(
            "select count(*) from investor.restatements"
            " where report = any(%(tables)s) and report_date = %(report_date)s::date and run_id = %(run_id)s",
            {"tables": tables, "report_date": run.report_date, "run_id": run.run_id},
        )
        return int(cursor.fetchone()[0])
