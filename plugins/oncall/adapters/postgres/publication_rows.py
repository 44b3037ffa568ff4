"""How publications stand in their table, whoever publishes: of a report that a team's own publisher writes there may be
no more than its name, its day and its instant, in columns of other types."""

from __future__ import annotations

import datetime as dt
from typing import Literal

LATEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def publications(instants: Literal["text", "timestamptz"]) -> str:
    """SQL to select from: report, report_date, first_at, published_at, read_at, run_id, rows. Its instants are of this
    type: to be read as text they need not even be instants."""
    # A name that the table has no column for is looked for one level further out, and is null there.
    return f"""(
        select p.* from (
            select null::timestamptz as first_published_at, null::timestamptz as read_at, null::text as run_id,
                   null::bigint as rows) as lacking
        cross join lateral (
            select report::text as report, report_date::date as report_date,
                   coalesce(first_published_at::{instants}, published_at::{instants}) as first_at,
                   published_at::{instants} as published_at,
                   coalesce(read_at::{instants}, published_at::{instants}) as read_at,
                   left(coalesce(run_id::text, ''), 250) as run_id,
                   case when rows::text ~ '^[0-9]{{1,18}}$' then rows::text::bigint else 0 end as rows
            from investor.publications where published_at is not null) as p)"""


def instant_of(text: str, day: dt.date) -> dt.datetime:
    """What an instant read as text says; where nobody can mean it (infinity, "yes") the midnight at which the day
    begins, which makes nothing late and nothing stale."""
    return _read(text) if can_be(text) else _begins(day)


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
