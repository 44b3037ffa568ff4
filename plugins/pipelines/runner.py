"""Runs a pipeline's SQL for one report date over any DB-API connection to the warehouse; refuses to know Airflow."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from oncall.adapters.postgres.migrate import bring_up
from oncall.config.data_contracts import tables_read
from oncall.core.data.data_contract import Breach
from oncall.core.data.day_parts import day_parts_of
from oncall.core.data.odd_rows import odd_rows_of
from oncall.core.data.report_words import if_true
from oncall.core.data.sample_ratio import sample_ratios_of
from oncall.core.errors import OncallError
from oncall.core.promises.facts import FailedCheck
from oncall.core.redaction import redacted
from pipelines.contract_check import breaches, found_words, offenders
from pipelines.held_by_data import held_by_its_data, record
from pipelines.publication import publish
from pipelines.report_run import Held, ReportRun, one_run_at_a_time, transaction
from pipelines.sql_files import CHECK, COMPUTE, COUNT, NEED, ODD, RATIO, USUAL, SqlFiles
from pipelines.usual_numbers import (
    Releasable,
    Release,
    go_on,
    numbers_of,
    released_lately,
    releases,
    releases_lately,
)
from pipelines.usual_numbers import release as write_release

_PASSED = """
    update base.readings set passed = %(passed)s
    where report = %(report)s and report_date = %(report_date)s::date
"""

_STILL_HELD = """
    update base.readings set held = true
    where report = %(report)s and report_date = %(report_date)s::date and not passed
"""


def install(connection: Any) -> None:
    """Make the warehouse's own schemas and tables as `warehouse.sql` says, keeping what is in them."""
    with transaction(connection) as cursor:
        bring_up(cursor, "investor.publications", SqlFiles().text("warehouse.sql"))


def transform(connection: Any, run: ReportRun) -> None:
    """Compute the base model and the draft in one transaction, remembering which upstream loads were read.

    Before that, upstream's rows of the day must keep their contracts: raises Held when they do not. Days of another
    pipeline's base model that it needs and nobody has made yet are made first, each on its own.
    """
    begun = _hold_unless_kept(connection, run)
    with held_by_its_data(connection, run):
        _compute(connection, run, begun)


def _compute(connection: Any, run: ReportRun, begun: dt.datetime) -> None:
    with transaction(connection, run) as cursor:
        needs = [need for file in run.steps(NEED) for need in run.execute(cursor, file)]
    for dag_id, day in needs:
        _make_first(connection, run, replace(run, dag_id=dag_id, report_date=day, upstream=()))
    with transaction(connection, run) as cursor:
        one_run_at_a_time(cursor, run)
        # What is written from then on nobody has asked whether it keeps its contract: it makes the day stale.
        run.execute(cursor, "reading.sql", upstream=list(run.upstream), at=run.at or begun)
        for file in run.steps(COMPUTE):
            run.execute(cursor, file, **_plans(run))
    # on its own: `analyze` keeps its lock to the end of the transaction
    with transaction(connection, run) as cursor:
        for file in run.steps(COUNT):
            run.execute(cursor, file)


def _hold_unless_kept(connection: Any, run: ReportRun) -> dt.datetime:
    """Raise Held, with what was found written down, when what the run reads breaks its contract. When it was asked."""
    with held_by_its_data(connection, run), transaction(connection, run) as cursor:
        begun: dt.datetime
        cursor.execute("select clock_timestamp()")
        ((begun,),) = cursor.fetchall()
        # What an earlier try of this very run found is not what this one finds; that the day is held others still see.
        cursor.execute(_STILL_HELD, run.parameters)
        cursor.execute(
            "delete from investor.checks where report = %(report)s and report_date = %(report_date)s::date"
            " and run_id = %(run_id)s",
            run.parameters,
        )
        failed = _breaches(cursor, run)
        record(cursor, run, failed)
    if failed:
        raise Held(run, failed)
    return begun


def _make_first(connection: Any, run: ReportRun, needed: ReportRun) -> None:
    """Make the base model of another pipeline's day that the run needs. Raises Held when that day is not fit for it."""
    with transaction(connection, run) as cursor:
        name = f"no_day_of_{needed.dag_id.removesuffix('_etl')}_is_held"
        failed = [
            FailedCheck(
                name,
                f"{check.name} on {needed.report_date}: {check.expected}",
                f"{needed.report_date}: {check.found}",
            )
            for check in _breaches(cursor, needed)[:1]
        ]
        record(cursor, run, failed)
        if not failed:
            needed.execute(cursor, needed.steps(COMPUTE)[0])
    if failed:
        raise Held(run, failed)


def offending_rows(connection: Any, run: ReportRun) -> dict[Breach, list[str]]:
    """What of the upstream rows that the run reads breaks their contracts, with the keys of the rows."""
    with transaction(connection) as cursor:
        return offenders(cursor, run.contracts, _tables(run), run.parameters)


def _tables(run: ReportRun) -> set[str]:
    return {*tables_read(run.sql.of_report(run.dag_id)), *run.upstream}


def _plans(run: ReportRun) -> dict[str, str]:
    """What the contract plans of experiments, as the SQL binds it: the default control, and the variants as JSON."""
    plans = run.contracts.plans
    variants = [
        {"experiment": one.name, "control": one.control, "variant": variant, "share": share}
        for one in plans.experiments
        for variant, share in (*one.shares.items(), *(() if one.shares else ((None, None),)))
    ]
    return {"control": plans.control, "planned": json.dumps(variants)}


def _breaches(cursor: Any, run: ReportRun) -> list[FailedCheck]:
    """What of the upstream rows that the run reads breaks their contracts."""
    needs = tables_read("\n".join(run.sql.text(file) for file in run.steps(NEED)))
    found = breaches(cursor, run.contracts, _tables(run), run.parameters, beside=needs)
    return [FailedCheck(one.name, one.expected, redacted(found_words(one, run.report_date))) for one in found]


def check(connection: Any, run: ReportRun) -> tuple[str, ...]:
    """Check the draft and write down what was found; the names of the checks. Raises Held when one has failed."""
    with held_by_its_data(connection, run), transaction(connection, run) as cursor:
        one_run_at_a_time(cursor, run)
        results = [*_as_the_sql_says(cursor, run), *_usual(cursor, run)]
        failed = [check for check, passed in results if not passed]
        record(cursor, run, [check for check, passed in results if passed], passed=True)
        record(cursor, run, failed)
        cursor.execute(_PASSED, run.parameters | {"passed": not failed})
    if failed:
        raise Held(run, failed)
    return tuple(check.name for check, _ in results)


def _as_the_sql_says(cursor: Any, run: ReportRun) -> Iterator[tuple[FailedCheck, bool]]:
    """What the report's own SQL checks, and whether it holds."""
    for file in run.steps(CHECK):
        for name, expected, found, passed in run.execute(cursor, file, **_plans(run)):
            yield FailedCheck(name, redacted(str(expected)), redacted(str(found))), bool(passed)


def release(
    connection: Any, run: ReportRun, by: str, note: str, thin: Mapping[str, int] = MappingProxyType({})
) -> list[Release]:
    """Somebody's word, with a note, that the draft's unusual numbers are true: the next run publishes them.

    And `thin` loads, rows by table: whatever waits for them goes on. Said again it stays as it was said first. Raises
    OncallError when nothing is held by its numbers, and no load is thin.
    """
    with transaction(connection) as cursor:
        known = releases(cursor, run.parameters)
        far = [number for number in _numbers(cursor, run) if _is_far_off(number, run)]
        new = [number for number in far if not any(one.covers(number) for one in known)]
        if not far and not known and not thin:
            raise OncallError(
                f"no number of {run.report} of {run.report_date} is far from usual, and no load of it is partial:"
                " there is nothing to release."
                " What breaks a contract cannot be released; it is repaired upstream, or the contract is changed"
            )
        said = {number.name: number.amount for number in new} | dict(thin)
        kept = [one for one in known if one.name not in said]
        return kept + [
            write_release(cursor, run.parameters, name, amount, by=by, note=note)
            for name, amount in said.items()
        ]


def _usual(cursor: Any, run: ReportRun) -> Iterator[tuple[FailedCheck, bool]]:
    """Each number of the draft beside what is usual for that weekday, and whether it may be published."""
    known, lately = releases(cursor, run.parameters), releases_lately(cursor, run.parameters)
    for number in _numbers(cursor, run):
        found, passed = number.found_words(), not _is_far_off(number, run)
        words = (
            *(one for one in known if one.covers(number)),
            *go_on(lately, number),
        )
        if not passed and (word := next(iter(words), None)):
            found, passed = (
                f"{found}; released by {word.by} at {word.at:%Y-%m-%d %H:%M %Z}: {word.note}",
                True,
            )
        elif not passed:
            found += if_true(run.report, run.report_date)
        yield FailedCheck(number.check, number.usual_words(run.report_date), redacted(found)), passed


def _numbers(cursor: Any, run: ReportRun) -> list[Releasable]:
    """What of the draft is compared with what is usual, or was planned, and what together looks wrong."""

    def rows(numbers: str) -> list[tuple[Any, ...]]:
        return [row for file in run.steps(numbers) for row in run.execute(cursor, file)]

    # What was usual in a week of holidays is not so in the week after it.
    ordinary = [
        row
        for row in rows(USUAL)
        if not row[1] or run.report_date - dt.timedelta(days=row[1]) not in run.holidays
    ]
    odd = odd_rows_of(rows(ODD), released_lately(cursor, run.parameters))
    parts = day_parts_of(run.execute(cursor, "parts.sql"))
    return [*numbers_of(ordinary), *sample_ratios_of(rows(RATIO)), *odd, *parts]


def _is_far_off(number: Releasable, run: ReportRun) -> bool:
    return number.is_far_off(may_be_quiet=run.report_date in run.holidays)


def run_day(connection: Any, run: ReportRun) -> dict[str, int]:
    """All steps of one report date: rows by published name. Raises Held when a check withholds it."""
    transform(connection, run)
    check(connection, run)
    return publish(connection, run)
