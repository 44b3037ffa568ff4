"""Published reports as the warehouse has them: numbers and keys of the report's own table, bounded in days and rows."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from oncall.adapters.postgres.database import Connect, Cursor
from oncall.adapters.postgres.lasting_connections import ConnectionPool
from oncall.adapters.postgres.publication_rows import TYPES, first_published, publications
from oncall.core.promises.facts import FailedCheck
from oncall.usecases.report_numbers import MAX_ROWS, NoteOfRelease, ReportNumbers, ReportRow

MAX_COLUMNS = 40
MAX_DIGITS = 60  # a longer number is told in powers of ten

# Numbers, the texts of the primary key, the currency: nothing else of whatever stands under the name is read.
_COLUMNS = """
    select a.attname, t.typcategory = 'N', quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    left join pg_index i on i.indrelid = c.oid and i.indisprimary
    where c.oid = to_regclass(%(report)s) and (
        t.typcategory = 'N' or t.typcategory = 'S' and a.attnum = any(i.indkey)
        or a.attname = 'report_date' and t.typname = 'date' or a.attname = 'currency' and t.typcategory = 'S')
    order by a.attname <> 'report_date', a.attnum limit %(columns)s
"""
_THERE = f"""
    select {TYPES}, to_regclass('investor.checks') is not null,
           to_regclass('investor.restatements') is not null, to_regclass('investor.releases') is not null
"""
# The failed checks of the newest run that checked, unless it published after all.
_HELD = """
    with asked as (
        select report_date, run_id, max(checked_at) as at from investor.checks
        where report = %(report)s and report_date between %(since)s and %(until)s group by report_date, run_id),
    newest as (select distinct on (report_date) report_date, run_id from asked order by report_date, at desc)
    select c.report_date, left(c.name, 250), left(c.expected, 500), left(c.found, 1500)
    from newest join investor.checks c using (report_date, run_id)
    left join {publications} p on p.report = c.report and p.report_date = c.report_date
    where c.report = %(report)s and not c.passed and (p.published_at is null or c.checked_at > p.published_at)
    order by c.report_date, c.checked_at, c.name limit 1000
"""
# By `restated_at`, which has an index: no day is restated before it was.
_RESTATED = """
    select report_date, count(*) from investor.restatements
    where restated_at >= %(since)s and report in (%(report)s, %(report)s || '_by_channel')
      and report_date between %(since)s and %(until)s
    group by report_date
"""
_RELEASED = f"""
    select report_date, left(name, 250), left(amount::text, {MAX_DIGITS}), left(note, 1000), left(released_by, 250),
           released_at
    from investor.releases where report = %(report)s and report_date between %(since)s and %(until)s
    order by report_date desc, released_at desc limit 100
"""


class PublishedReports:
    """Reads published reports; any number of threads may read at once."""

    def __init__(self, connect: Connect) -> None:
        self._db = ConnectionPool(connect, "warehouse")

    def read(self, report: str, since: dt.date, until: dt.date) -> ReportNumbers:
        """The report's days from `since` to `until`, both included. Raises Unreadable."""
        asked = {"report": report, "since": since, "until": until}
        with self._db.cursor() as cursor:
            columns, keys, rows = _rows(cursor, asked)
            ((published, checks, restatements, releases),) = _all(cursor, _THERE, asked)
            held: defaultdict[dt.date, list[FailedCheck]] = defaultdict(list)
            by_instant = _HELD.format(publications=publications("timestamptz", published or {}))
            for date, *words in _all(cursor, by_instant, asked, checks and published):
                held[date].append(FailedCheck(*words))
            return ReportNumbers(
                columns=columns,
                key_columns=keys,
                rows=tuple(reversed(rows[:MAX_ROWS])),
                published=first_published(cursor, published, [report], since, until)[report]
                if published
                else {},
                held=dict(held),
                restated=dict(_all(cursor, _RESTATED, asked, restatements)),
                released=tuple(NoteOfRelease(*row) for row in _all(cursor, _RELEASED, asked, releases)),
                cut=len(rows) > MAX_ROWS,
            )


def _rows(cursor: Cursor, asked: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...], list[ReportRow]]:
    """The report's columns, its keys and its rows, the newest first and one more than are shown."""
    found = _all(cursor, _COLUMNS, {**asked, "columns": MAX_COLUMNS})
    if "report_date" not in [name for name, _, _ in found]:
        return (), (), []
    columns = tuple(name for name, is_number, _ in found if is_number)
    texts = [name for name, is_number, _ in found if not is_number and name != "report_date"]
    keys = tuple(name for name in texts if name != "currency")
    currency = "coalesce(left(currency, 20), '')" if "currency" in texts else "''"
    told = [f"left({_quoted(name)}, 200)" for name in keys] + [_number(_quoted(name)) for name in columns]
    query = (
        f"select {', '.join(['report_date', currency, *told])} from {found[0][2]}"
        " where report_date between %(since)s and %(until)s"
        f" order by {', '.join(['report_date desc', *(f'{_quoted(name)} desc' for name in keys)])}"
        f" limit {MAX_ROWS + 1}"
    )
    rows = [
        ReportRow(
            date,
            tuple(text or "" for text in values[: len(keys)]),
            dict(zip(columns, values[len(keys) :], strict=True)),
            money,
        )
        for date, money, *values in _all(cursor, query, asked)
    ]
    return columns, keys, rows


def _number(name: str) -> str:
    """SQL for a number as text: all its digits, where there are not thousands of them."""
    text = f"{name}::text"
    return (
        f"case when length({text}) <= {MAX_DIGITS} then {text}"
        f" else trim(to_char({name}::numeric, '9.99999999999999EEEE')) end"
    )


def _quoted(name: str) -> str:
    """An identifier within a statement that has parameters."""
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _all(cursor: Cursor, query: str, asked: dict[str, Any], there: object = True) -> Sequence[Any]:
    """The rows; none of a table that no run has made yet."""
    return cursor.execute(query, asked).fetchall() if there else ()
