"""Holds a report, as a check does, for data that breaks no contract and that the database cannot compute with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from oncall.core.promises.facts import FailedCheck
from oncall.core.redaction import redacted
from pipelines.report_run import Held, ReportRun, transaction

_FITS = "numbers and dates that fit their columns"
_IS_THERE = "tables and columns as the SQL reads them"
# What was expected where PostgreSQL says so: by its code, or the code's class.
_EXPECTED = {
    "21": "one row where one is asked for",
    "22": _FITS,  # a number or a date out of range
    "23": _FITS,  # nothing, or twice, where it must not be
    "P0": "no objection from a trigger",
    "42501": "our role's right to read and write what the SQL names, also behind a view",
    "55000": "materialized views that have been filled",
    "42P22": "texts whose collations go together",
    "42P01": _IS_THERE,
    "42703": _IS_THERE,
    "42804": _IS_THERE,
    "42883": _IS_THERE,
    "57014": "an answer in good time",
}
# Refused for what a row says: PostgreSQL then tells all the row.
_OF_A_ROW = ("23502", "23514")
# As PostgreSQL's sources name the place that refuses an unfilled one, in whatever language it speaks.
_OPENS_TO_READ = "ExecOpenScanRelation"


@contextmanager
def held_by_its_data(connection: Any, run: ReportRun) -> Iterator[None]:
    """Raise Held, written down, also instead of what the database says of the data that it is to work with."""
    try:
        yield
    except Held as held:  # what was written of it may be undone by now
        _write_down(connection, run, held.failed)
        raise
    except Exception as error:
        # psycopg 3, psycopg 2
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
        expected = _EXPECTED.get(state) or _EXPECTED.get(state[:2])
        if state == "57014" and not hasattr(error, "__notes__"):
            raise  # cancelled by somebody
        if expected is None or (state == "55000" and error.diag.source_function != _OPENS_TO_READ):  # type: ignore[attr-defined]
            raise
        said = " ".join(" ".join([*_words(error, state), *getattr(error, "__notes__", ())]).split())
        failed = FailedCheck("data_can_be_computed", expected, redacted(said))
        _write_down(connection, run, [failed])
        raise Held(run, [failed]) from error


def _words(error: Any, state: str) -> Iterator[str]:
    """What the database says that a person needs: no statement, and no row of a report that is not published."""
    yield error.diag.message_primary
    if error.diag.message_detail and state not in _OF_A_ROW:
        yield error.diag.message_detail
    if error.diag.context and state.startswith("P0"):
        yield f"({error.diag.context.splitlines()[0]})"  # which function objects


def _write_down(connection: Any, run: ReportRun, failed: Sequence[FailedCheck]) -> None:
    with transaction(connection) as cursor:
        record(cursor, run, failed)


def record(cursor: Any, run: ReportRun, checks: Sequence[FailedCheck], *, passed: bool = False) -> None:
    """Write down what each check expected and found."""
    for check in checks:
        result = {"name": check.name, "expected": check.expected, "found": check.found, "passed": passed}
        run.execute(cursor, "checks.sql", **result)
