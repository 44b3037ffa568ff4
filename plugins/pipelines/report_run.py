"""One run of a pipeline for one report date: its values, and the SQL files that it executes. Refuses to know Airflow.

A pipeline is a folder of numbered SQL files, that of its kind (`experiments`), with what all of the kind do, and
those of the upstream tables that it reads (`sessions`), with what is asked of their rows whoever reads them: 00–09
ask what is needed first, 10–18 compute the base model, the draft of the report and what the day is made of, 19 has
the planner count them, 20–29 check, 30–39 publish, 40–49 look for rows that came late for published days, 50–59 what
is compared with usual numbers, 60–69 with planned ones, 70–79 look for rows that together look wrong. Values are
bound by name, never written into the text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from oncall.config.data_contracts import load_data_contracts, tables_read
from oncall.config.include_files import Unusable
from oncall.config.include_files import text_of as text_of_file
from oncall.config.oncall_config import include_dir
from oncall.core.errors import OncallError
from oncall.core.promises.facts import FailedCheck
from oncall.core.promises.promise import Promise

REPOSITORY_SQL = Path(__file__).resolve().parents[2] / "include" / "sql"

NEED, COMPUTE, COUNT, CHECK, PUBLISH, LATE = "0[0-9]", "1[0-8]", "19", "2[0-9]", "3[0-9]", "4[0-9]"
USUAL, RATIO, ODD = "5[0-9]", "6[0-9]", "7[0-9]"


class Held(OncallError):
    """Checks withheld a publication; `failed` says which, what they expected and what they found."""

    def __init__(self, run: ReportRun, failed: Sequence[FailedCheck]) -> None:
        self.failed = tuple(failed)
        lines = (f"{check.name}: expected {check.expected}; found {check.found}" for check in failed)
        super().__init__("\n".join([f"{run.report} of {run.report_date} is not published:", *lines]))


@dataclass(frozen=True)
class ReportRun:
    """One pipeline for one report date. `zone` is the business zone, `upstream` the tables it reads.

    `at` is the instant to write down for what is done (None: the warehouse's clock). `reason` is what a restatement
    says (empty: which upstream tables have changed since the day was published). `promise`: by which it is due.
    """

    dag_id: str
    report: str
    report_date: dt.date
    zone: dt.tzinfo
    run_id: str
    upstream: tuple[str, ...] = ()
    at: dt.datetime | None = None
    reason: str = ""
    promise: Promise | None = None

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """What the SQL may bind: `day_start` ≤ instants of the report date < `day_end`, the contract's currency.

        The contract is read once: a run has one currency.
        """
        return {
            "report": self.report,
            "report_date": self.report_date,
            "run_id": self.run_id,
            "at": self.at,
            "reason": self.reason,
            "zone": zone_name(self.zone),
            "currency": load_data_contracts(include_dir()).currency,
            "day_before_start": self._midnight(-1),
            "day_start": self._midnight(0),
            "day_end": self._midnight(1),
        }

    def _midnight(self, days: int) -> dt.datetime:
        day = self.report_date + dt.timedelta(days=days)
        # In UTC, so that no driver has to know the zone.
        return dt.datetime.combine(day, dt.time(), tzinfo=self.zone).astimezone(dt.UTC)


def zone_name(zone: dt.tzinfo) -> str:
    """The zone as PostgreSQL's `at time zone` reads it: `Asia/Bangkok`, or `<+07:00>-07:00` for a fixed offset.

    (PostgreSQL takes the text '+07:00' for POSIX, where east is negative.)
    """
    if name := getattr(zone, "key", None):
        return str(name)
    offset = zone.utcoffset(None) or dt.timedelta()
    hours, minutes = divmod(abs(offset) // dt.timedelta(minutes=1), 60)
    east, posix = ("-", "+") if offset < dt.timedelta() else ("+", "-")
    return f"<{east}{hours:02}:{minutes:02}>{posix}{hours:02}:{minutes:02}"


def sql_dir() -> Path:
    """Where the SQL is: `sql/` of the include folder when it has one, otherwise of this repository's include/."""
    own = include_dir() / "sql"
    return own if own.is_dir() else REPOSITORY_SQL


def text_of(dag_id: str) -> str:
    """The SQL that computes and checks the pipeline's report."""
    files = [file for numbers in (COMPUTE, CHECK) for file in steps(dag_id, numbers)]
    return "\n".join(map(sql_text, files))


def sql_text(file: str) -> str:
    """The text of a file of the SQL folder, as `check` reads it. Raises OncallError for one that cannot be read."""
    try:
        return text_of_file(sql_dir(), file)
    except Unusable as error:
        raise OncallError(f"{sql_dir() / file}: {error.found}; write {error.write}") from None


def steps(dag_id: str, numbers: str) -> list[str]:
    """The pipeline's files of one step, in order, relative to the SQL folder: its own, its kind's, its tables'."""
    own = dag_id, dag_id.rpartition("_")[2]
    read = tables_read("\n".join(map(sql_text, _files(own, COMPUTE))))
    found = _files((*own, *sorted(table.partition(".")[2] for table in read)), numbers)
    if not found and numbers in {COMPUTE, CHECK, PUBLISH}:
        raise OncallError(f"{sql_dir() / dag_id} has no file {numbers}_….sql")
    return found


def _files(folders: Sequence[str], numbers: str) -> list[str]:
    once = dict.fromkeys(folders)  # a DAG called user_sessions has its kind's name in common with a table
    found = [path for folder in once for path in sorted((sql_dir() / folder).glob(f"{numbers}_*.sql"))]
    return [f"{path.parent.name}/{path.name}" for path in found]


def execute(cursor: Any, file: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Execute the file's statements; the rows of the last one."""
    for statement in _statements(sql_text(file)):
        try:
            cursor.execute(statement, parameters)
        except Exception as error:
            error.add_note(f"in {file}")
            raise
    return cursor.fetchall() if cursor.description else []


@lru_cache(maxsize=64)
def _statements(text: str) -> tuple[str, ...]:
    """One at a time: psycopg 3 binds on the server, which takes one statement. Parsing them takes a while."""
    import sqlparse  # not with every parse of a DAG file

    return tuple(sqlparse.split(text, strip_semicolon=True))


def one_run_at_a_time(cursor: Any, run: ReportRun) -> None:
    """Runs of the same report and date wait for each other; those of other dates never do."""
    cursor.execute(
        "select pg_advisory_xact_lock(hashtext(%(report)s::text), %(report_date)s::date - date '2000-01-01')",
        {"report": run.report, "report_date": run.report_date},
    )


def _mark(cursor: Any, run: ReportRun) -> None:
    """Show the watcher whose work this transaction is, so that it finds what blocks it. Keeps nobody out."""
    cursor.execute(
        "select pg_advisory_xact_lock_shared("
        "hashtext('at work: ' || %(report)s::text), %(report_date)s::date - date '2000-01-01')",
        {"report": run.report, "report_date": run.report_date},
    )


@contextmanager
def transaction(connection: Any, run: ReportRun | None = None) -> Iterator[Any]:
    """A cursor whose work is committed at the end, and rolled back when anything goes wrong. `run`: whose it is."""
    cursor = connection.cursor()
    try:
        if run is not None:
            _mark(cursor, run)
        # The planner takes these statements for worth compiling, which then takes longer than they run: 23 s, not 3.
        # With PostgreSQL's 4 MB the sorts and sums of a large day go through files: the checks take twice as long.
        cursor.execute("set local jit = off; set local work_mem = '64MB'")
        yield cursor
        connection.commit()
    except BaseException:
        # A lost connection has nothing to roll back; why it was lost is what counts.
        with suppress(Exception):
            connection.rollback()
        raise
    finally:
        cursor.close()
