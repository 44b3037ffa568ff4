"""How publications stand in their table, whoever publishes: of a report that a team's own publisher writes there may be
no more than its name, its day and its instant, in columns of other types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

from oncall.adapters.postgres import column_types
from oncall.adapters.postgres.column_types import Types
from oncall.adapters.postgres.database import Cursor
from oncall.core.promises.attainment import FirstPublished
from oncall.core.promises.facts import DRILL_RUNS

LATEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


# SQL for the types of the columns; {} without the table, and null in a warehouse that no run has brought up yet, where
# nothing was ever published.
TYPES = f"""case when exists (
        select from pg_class where relnamespace in (
            to_regnamespace('base'), to_regnamespace('experiments'), to_regnamespace('investor')))
    then coalesce({column_types.types_of("to_regclass('investor.publications')")}, '{{}}') end"""


def publications(instants: Literal["text", "timestamptz"], types: Types | None) -> str:
    """SQL to select from: report, report_date, first_at, published_at, read_at, run_id, rows, due_at. Its instants are
    of this type: to be read as text they need not even be instants. `types`: of the columns, as TYPES tells them."""
    if types is None:
        return f"""(
            select null::text as report, null::date as report_date, null::{instants} as first_at,
                   null::{instants} as published_at, null::{instants} as read_at, null::text as run_id,
                   0::bigint as rows, null::{instants} as due_at where false)"""

    def there(name: str, said: str, kind: str = "text") -> str:
        return said if not types or name in types else f"null::{kind}"

    def at(name: str) -> str:
        said = column_types.instant(types, name)
        text = f"({said})::text" if column_types.is_number(types, name) else f"{name}::text"
        return there(name, text if instants == "text" else said, instants)

    run_id, rows = (there(name, f"{name}::text") for name in ("run_id", "rows"))
    published_at = at("published_at")
    return f"""(
        select report::text as report, {column_types.day(types, "report_date")} as report_date,
               coalesce({at("first_published_at")}, {published_at}) as first_at,
               {published_at} as published_at,
               coalesce({at("read_at")}, {published_at}) as read_at,
               left(coalesce({run_id}, ''), 250) as run_id,
               case when {rows} ~ '^[0-9]{{1,18}}$' then ({rows})::bigint else 0 end as rows,
               {at("due_at")} as due_at
        from investor.publications where published_at is not null)"""


def first_published(
    cursor: Cursor, types: Types | None, reports: Sequence[str], since: dt.date, until: dt.date
) -> dict[str, dict[dt.date, FirstPublished]]:
    """Of each report the days of this time that were published, and when first."""
    found: dict[str, dict[dt.date, FirstPublished]] = {report: {} for report in reports}
    cursor.execute(
        f"select report, report_date, min(first_at), min(due_at) from {publications('text', types)} as p"
        " where report = any(%s) and report_date between %s and %s"
        f" and not starts_with(run_id, '{DRILL_RUNS}')"  # what a drill publishes was never promised
        " group by report, report_date",
        (list(reports), since, until),
    )
    for report, date, first_at, due in cursor.fetchall():
        found[report][date] = FirstPublished(instant_of(first_at, date), due_of(due))
    return found


def are_instants(types: Types | None) -> bool:
    """Whether the columns of its instants hold nothing else: they can be compared without reading any as text."""
    names = {"published_at", "first_published_at", "read_at", "due_at"} & {*(types or {})}
    return bool(names) and all(column_types.is_instant(types or {}, name) for name in names)


def without_a_day(types: Types | None) -> str:
    """SQL for the reports of the last two days, and what they have in the place of their day, which is none."""
    if types is None or column_types.has_days(types, "report_date"):
        return "select null::text, null::text where false"
    return f"""
        select report::text, left(report_date::text, 60) from investor.publications
        where published_at::text collate "C" >= (current_date - 2)::text
          and {column_types.day(types, "report_date")} is null
        limit 1000"""


def instant_of(text: str, day: dt.date) -> dt.datetime:
    """What an instant read as text says; where nobody can mean it (infinity, "yes") the midnight at which the day
    begins, which makes nothing late and nothing stale."""
    return _read(text) if can_be(text) else _begins(day)


def due_of(text: str | None) -> dt.datetime | None:
    """When it was due; None where nobody says so, or nobody can mean it."""
    return _read(text) if text and can_be(text) else None


def can_be(text: str) -> bool:
    """Whether it is an instant that somebody can mean."""
    return EARLIEST <= _read(text) < LATEST


def is_out_of_time(published_at: dt.datetime, day: dt.date, now: dt.datetime) -> bool:
    """Whether no report of the day can have been published then: before the day began (a day of grace) or in the future
    (a week), as clocks and zones are wrong too. A clock that is behind the day itself tells nothing."""
    begins = _begins(day) - dt.timedelta(days=1)
    before = published_at < begins <= now
    return before or published_at > max(now, begins + dt.timedelta(days=3)) + dt.timedelta(days=7)


def _read(text: str) -> dt.datetime:
    """LATEST where it says no instant."""
    try:
        said = dt.datetime.fromisoformat(text)
    except ValueError:
        return LATEST
    return said if said.tzinfo else said.replace(tzinfo=dt.UTC)


def _begins(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)
