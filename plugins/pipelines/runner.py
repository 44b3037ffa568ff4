"""Runs a pipeline's SQL for one report date over any DB-API connection to the warehouse; refuses to know Airflow.

A pipeline is a folder of numbered SQL files: 00–09 ask what is needed first, 10–18 compute the base model and the draft
of the report, 19 has the planner count them, 20–29 check, 30–39 publish, 40–49 look for rows that came late for
published days, 50–59 what is compared with usual numbers, 60–69 with planned ones. Values are bound by name, never
written into the text.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from oncall.adapters.postgres.migrate import bring_up
from oncall.config.data_contracts import load_data_contracts, tables_read
from oncall.config.oncall_config import include_dir
from oncall.config.quiet_days import public_holidays
from oncall.core.data.data_contract import Breach
from oncall.core.data.expectation import Number
from oncall.core.data.sample_ratio import SampleRatio, sample_ratios_of
from oncall.core.errors import OncallError
from oncall.core.promises.facts import FailedCheck
from oncall.core.redaction import redacted
from pipelines.contract_check import breaches, found_words, offenders
from pipelines.usual_numbers import Release, numbers_of, releases
from pipelines.usual_numbers import release as write_release

REPOSITORY_SQL = Path(__file__).resolve().parents[2] / "include" / "sql"

NEED, COMPUTE, COUNT, CHECK, PUBLISH, LATE = "0[0-9]", "1[0-8]", "19", "2[0-9]", "3[0-9]", "4[0-9]"
USUAL, RATIO = "5[0-9]", "6[0-9]"
# The tables whose changes a pipeline's SQL writes down: the function's second argument.
_RESTATES = re.compile(r"note_restatements\([^,]+,\s*'([a-z_.]+)'")


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
    says (empty: which upstream tables have changed since the day was published).
    """

    dag_id: str
    report: str
    report_date: dt.date
    zone: dt.tzinfo
    run_id: str
    upstream: tuple[str, ...] = ()
    at: dt.datetime | None = None
    reason: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """What the SQL may bind: `day_start` ≤ instants of the report date < `day_end`, the contract's currency."""
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


def install(connection: Any) -> None:
    """Make the warehouse's own schemas and tables as `warehouse.sql` says, keeping what is in them."""
    with _transaction(connection) as cursor:
        bring_up(cursor, "investor.publications", (sql_dir() / "warehouse.sql").read_text(encoding="utf-8"))


def transform(connection: Any, run: ReportRun) -> None:
    """Compute the base model and the draft in one transaction, remembering which upstream loads were read.

    Before that, upstream's rows of the day must keep their contracts: raises Held when they do not. Days of another
    pipeline's base model that it needs and nobody has made yet are made first, each on its own.
    """
    _hold_unless_kept(connection, run)
    with _transaction(connection) as cursor:
        needs = [need for file in _steps(run.dag_id, NEED) for need in _execute(cursor, file, run.parameters)]
    for dag_id, day in needs:
        _make_first(connection, run, replace(run, dag_id=dag_id, report_date=day, upstream=()))
    with _transaction(connection) as cursor:
        _one_run_at_a_time(cursor, run)
        _execute(cursor, "reading.sql", run.parameters | {"upstream": list(run.upstream)})
        for file in _steps(run.dag_id, COMPUTE):
            _execute(cursor, file, run.parameters | _plans())
    with _transaction(
        connection
    ) as cursor:  # on its own: `analyze` keeps its lock to the end of the transaction
        for file in _steps(run.dag_id, COUNT):
            _execute(cursor, file, run.parameters)


def _hold_unless_kept(connection: Any, run: ReportRun) -> None:
    """Raise Held, with what was found written down, when what the run reads breaks its contract."""
    with _transaction(connection) as cursor:
        # What an earlier try of this very run found is not what this one finds.
        cursor.execute(
            "delete from investor.checks where report = %(report)s and report_date = %(report_date)s::date"
            " and run_id = %(run_id)s",
            run.parameters,
        )
        failed = _breaches(cursor, run)
        for check in failed:
            _record(cursor, run, check, passed=False)
    if failed:
        raise Held(run, failed)


def _make_first(connection: Any, run: ReportRun, needed: ReportRun) -> None:
    """Make the base model of another pipeline's day that the run needs. Raises Held when that day is not fit for it."""
    with _transaction(connection) as cursor:
        name = f"no_day_of_{needed.dag_id.removesuffix('_etl')}_is_held"
        failed = [
            FailedCheck(
                name,
                f"{check.name} on {needed.report_date}: {check.expected}",
                f"{needed.report_date}: {check.found}",
            )
            for check in _breaches(cursor, needed)[:1]
        ]
        for check in failed:
            _record(cursor, run, check, passed=False)
        if not failed:
            _execute(cursor, _steps(needed.dag_id, COMPUTE)[0], needed.parameters)
    if failed:
        raise Held(run, failed)


def offending_rows(connection: Any, run: ReportRun) -> dict[Breach, list[str]]:
    """What of the upstream rows that the run reads breaks their contracts, with the keys of the rows."""
    with _transaction(connection) as cursor:
        return offenders(cursor, load_data_contracts(include_dir()), _tables(run), run.parameters)


def _tables(run: ReportRun) -> set[str]:
    return {*tables_read(_text_of(run.dag_id)), *run.upstream}


def _plans() -> dict[str, str]:
    """What the contract plans of experiments, as the SQL binds it: the default control, and the variants as JSON."""
    plans = load_data_contracts(include_dir()).plans
    variants = [
        {"experiment": one.name, "control": one.control, "variant": variant, "share": share}
        for one in plans.experiments
        for variant, share in (*one.shares.items(), *(() if one.shares else ((None, None),)))
    ]
    return {"control": plans.control, "planned": json.dumps(variants)}


def _breaches(cursor: Any, run: ReportRun) -> list[FailedCheck]:
    """What of the upstream rows that the run reads breaks their contracts."""
    found = breaches(cursor, load_data_contracts(include_dir()), _tables(run), run.parameters)
    return [FailedCheck(one.name, one.expected, redacted(found_words(one, run.report_date))) for one in found]


def check(connection: Any, run: ReportRun) -> tuple[str, ...]:
    """Check the draft and write down what was found; the names of the checks. Raises Held when one has failed."""
    failed: list[FailedCheck] = []
    names: list[str] = []
    with _transaction(connection) as cursor:
        for file in _steps(run.dag_id, CHECK):
            for name, *values, passed in _execute(cursor, file, run.parameters | _plans()):
                expected, found = (redacted(str(value)) for value in values)
                names.append(name)
                result = FailedCheck(name, expected, found)
                _record(cursor, run, result, passed=bool(passed))
                if not passed:
                    failed.append(result)
        for result, passed in _usual(cursor, run):
            names.append(result.name)
            _record(cursor, run, result, passed=passed)
            if not passed:
                failed.append(result)
    if failed:
        raise Held(run, failed)
    return tuple(names)


def release(connection: Any, run: ReportRun, by: str, note: str) -> list[Release]:
    """Somebody's word, with a note, that the draft's unusual numbers are true: the next run publishes them.

    Said again it stays as it was said first. Raises OncallError when nothing is held by its numbers.
    """
    with _transaction(connection) as cursor:
        known = releases(cursor, run.parameters)
        far = [number for number in _numbers(cursor, run) if _is_far_off(number, run)]
        new = [number for number in far if not any(one.covers(number) for one in known)]
        if not far and not known:
            raise OncallError(
                f"no number of {run.report} of {run.report_date} is far from usual: there is nothing to release."
                " What breaks a contract cannot be released; it is repaired upstream, or the contract is changed"
            )
        kept = [one for one in known if one.name not in {number.name for number in new}]
        return kept + [write_release(cursor, run.parameters, number, by, note) for number in new]


def _usual(cursor: Any, run: ReportRun) -> Iterator[tuple[FailedCheck, bool]]:
    """Each number of the draft beside what is usual for that weekday, and whether it may be published."""
    known = releases(cursor, run.parameters)
    for number in _numbers(cursor, run):
        found, passed = number.found_words(), not _is_far_off(number, run)
        word = next((one for one in known if one.covers(number)), None)
        if not passed and word:
            found, passed = (
                f"{found}; released by {word.by} at {word.at:%Y-%m-%d %H:%M %Z}: {word.note}",
                True,
            )
        elif not passed:
            found += f"; if it is true: python -m oncall release {run.report} {run.report_date} --note TEXT"
        yield (
            FailedCheck(f"{number.name}_is_usual", number.usual_words(run.report_date), redacted(found)),
            passed,
        )


def _numbers(cursor: Any, run: ReportRun) -> list[Number | SampleRatio]:
    """What of the draft is compared with what is usual, or was planned."""

    def rows(numbers: str) -> list[tuple[Any, ...]]:
        return [row for file in _steps(run.dag_id, numbers) for row in _execute(cursor, file, run.parameters)]

    return [*numbers_of(rows(USUAL)), *sample_ratios_of(rows(RATIO))]


def _is_far_off(number: Number | SampleRatio, run: ReportRun) -> bool:
    return number.is_far_off(may_be_quiet=run.report_date in public_holidays(include_dir()))


def publish(connection: Any, run: ReportRun) -> dict[str, int]:
    """Replace the report's rows by the draft and write the publications, all or nothing; rows by published name.

    Each published number that this changes is written down in investor.restatements.
    """
    with _transaction(connection) as cursor:
        _one_run_at_a_time(cursor, run)
        published: dict[str, int] = {}
        for file in _steps(run.dag_id, PUBLISH):
            for name, rows, digest in _execute(cursor, file, run.parameters):
                found = {"name": name, "rows": rows, "digest": str(digest or 0)}
                _execute(cursor, "publication.sql", run.parameters | found)
                if cursor.rowcount != 1:
                    raise OncallError(
                        f"{run.report} of {run.report_date} was never transformed: run transform first"
                    )
                published[name] = rows
    return published


def run_day(connection: Any, run: ReportRun) -> dict[str, int]:
    """All steps of one report date: rows by published name. Raises Held when a check withholds it."""
    transform(connection, run)
    check(connection, run)
    return publish(connection, run)


def note_late_rows(connection: Any, run: ReportRun, since: dt.datetime | None = None) -> None:
    """Mark the published days of the report for which upstream has written rows since they were read.

    Looks through what was written after `since` (None: since the last time).
    """
    with _transaction(connection) as cursor:
        for file in (*_steps(run.dag_id, LATE), "late_loads.sql"):
            _execute(cursor, file, run.parameters | {"upstream": list(run.upstream), "since": since})


def stale(connection: Any, zone: dt.tzinfo) -> list[tuple[str, dt.date, str]]:
    """Report, report date and reason of each published day whose inputs have changed since, in order of dates."""
    with _transaction(connection) as cursor:
        return [
            (report, day, because)
            for report, day, because in _execute(cursor, "stale.sql", {"zone": zone_name(zone)})
        ]


def restated(connection: Any, run: ReportRun) -> int:
    """How many published numbers of the report date this run has changed, in all tables that its SQL publishes."""
    sql = "\n".join((sql_dir() / file).read_text(encoding="utf-8") for file in _steps(run.dag_id, PUBLISH))
    with _transaction(connection) as cursor:
        cursor.execute(
            "select count(*) from investor.restatements"
            " where report = any(%(tables)s) and report_date = %(report_date)s::date and run_id = %(run_id)s",
            {"tables": _RESTATES.findall(sql), "report_date": run.report_date, "run_id": run.run_id},
        )
        return int(cursor.fetchone()[0])


def _record(cursor: Any, run: ReportRun, check: FailedCheck, *, passed: bool) -> None:
    """Write down what one check expected and found."""
    result = {"name": check.name, "expected": check.expected, "found": check.found, "passed": passed}
    _execute(cursor, "checks.sql", run.parameters | result)


def _text_of(dag_id: str) -> str:
    """The SQL that computes and checks the pipeline's report."""
    files = [file for numbers in (COMPUTE, CHECK) for file in _steps(dag_id, numbers)]
    return "\n".join((sql_dir() / file).read_text(encoding="utf-8") for file in files)


def _steps(dag_id: str, numbers: str) -> list[str]:
    """The pipeline's files of one step, in order, relative to the SQL folder."""
    found = sorted((sql_dir() / dag_id).glob(f"{numbers}_*.sql"))
    if not found and numbers in {COMPUTE, CHECK, PUBLISH}:
        raise OncallError(f"{sql_dir() / dag_id} has no file {numbers}_….sql")
    return [f"{dag_id}/{path.name}" for path in found]


def _execute(cursor: Any, file: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Execute the file's statements; the rows of the last one."""
    text = (sql_dir() / file).read_text(encoding="utf-8")
    for statement in _statements(text):
        cursor.execute(statement, parameters)
    return cursor.fetchall() if cursor.description else []


@lru_cache(maxsize=64)
def _statements(text: str) -> tuple[str, ...]:
    """One at a time: psycopg 3 binds on the server, which takes one statement. Parsing them takes a while."""
    import sqlparse  # not with every parse of a DAG file

    return tuple(sqlparse.split(text, strip_semicolon=True))


def _one_run_at_a_time(cursor: Any, run: ReportRun) -> None:
    """Runs of the same report and date wait for each other; those of other dates never do."""
    cursor.execute(
        "select pg_advisory_xact_lock(hashtext(%(report)s::text), %(report_date)s::date - date '2000-01-01')",
        {"report": run.report, "report_date": run.report_date},
    )


@contextmanager
def _transaction(connection: Any) -> Iterator[Any]:
    """A cursor whose work is committed at the end, and rolled back when anything goes wrong."""
    cursor = connection.cursor()
    try:
        # The planner takes these statements for worth compiling, which then takes longer than they run: 23 s, not 3.
        # With PostgreSQL's 4 MB the sorts and sums of a large day go through files: the checks take twice as long.
        cursor.execute("set local jit = off; set local work_mem = '64MB'")
        yield cursor
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        cursor.close()
