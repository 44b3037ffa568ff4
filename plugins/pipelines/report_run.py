"""One run of a pipeline for one report date: its values, its SQL, its transactions. Refuses to know Airflow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from oncall.config.data_contracts import load_data_contracts
from oncall.config.load_volume import public_holidays
from oncall.config.oncall_config import include_dir
from oncall.core.data.data_contract import DataContracts
from oncall.core.errors import OncallError
from oncall.core.promises.facts import FailedCheck
from oncall.core.promises.promise import Promise
from pipelines.sql_files import SqlFiles


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
        """What the SQL may bind: `day_start` ≤ instants of the report date < `day_end`, the contract's currency."""
        return {
            "report": self.report,
            "report_date": self.report_date,
            "run_id": self.run_id,
            "at": self.at,
            "reason": self.reason,
            "zone": zone_name(self.zone),
            "currency": self.contracts.currency,
            "day_before_start": self._midnight(-1),
            "day_start": self._midnight(0),
            "day_end": self._midnight(1),
        }

    # Each file of the include folder is read once: what changes meanwhile is the next run's.

    @cached_property
    def sql(self) -> SqlFiles:
        return SqlFiles()

    @cached_property
    def contracts(self) -> DataContracts:
        """What upstream has agreed to deliver."""
        return load_data_contracts(include_dir())

    @cached_property
    def holidays(self) -> Mapping[dt.date, str]:
        """The public holidays of the rosters: whatever is usual is not so on them."""
        return public_holidays(include_dir())

    def steps(self, numbers: str) -> list[str]:
        """Its files of one step, in order."""
        return self.sql.steps(self.dag_id, numbers)

    def execute(self, cursor: Any, file: str, **more: Any) -> list[tuple[Any, ...]]:
        """Execute the file's statements with the run's values and `more`; the rows of the last one."""
        return self.sql.execute(cursor, file, self.parameters | more)

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
