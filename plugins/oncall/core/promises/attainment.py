"""How a promise was kept, day by day: from publications and due instants alone. Knows no incident."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from oncall.core.promises.promise import Promise, due_at

Outcome = Literal["kept", "late", "broken", "open", "none"]


class FirstPublished(NamedTuple):
    """When a day was first complete and visible, and when it was due then (None: nobody wrote that down)."""

    at: dt.datetime
    due: dt.datetime | None = None


@dataclass(frozen=True)
class Day:
    """One report date of one promise.

    `outcome`: kept (published by `due`), late (published after), broken (past due and not published), open (not due
    yet), none (before the first publication on record: nobody promised it yet). `late_by` only when late.
    """

    report_date: dt.date
    due: dt.datetime
    outcome: Outcome
    published_at: dt.datetime | None = None
    late_by: dt.timedelta | None = None


@dataclass(frozen=True)
class Attainment:
    """Of `counted` days that were due, `kept` were kept."""

    kept: int
    counted: int

    @property
    def percent(self) -> float | None:
        """None when nothing was due."""
        return 100 * self.kept / self.counted if self.counted else None


def days(
    promise: Promise,
    published: Mapping[dt.date, FirstPublished],
    last: dt.date,
    count: int,
    at: dt.datetime,
    tz: dt.tzinfo,
) -> tuple[Day, ...]:
    """The report dates of the `count` days up to `last`, oldest first, as they stand at `at`.

    A day that says when it was due is judged by that, whatever is promised now.
    """
    began = min(published, default=last)
    dates = (last - dt.timedelta(days=ago) for ago in range(count - 1, -1, -1))
    dates = (date for date in dates if promise.covers(date) or date in published)
    return tuple(_day(date, due_at(promise, date, tz), published.get(date), began, at) for date in dates)


def attainment(over: Sequence[Day]) -> Attainment:
    """A day that was late or broken counts against the promise; one that is open or unknown does not count."""
    counted = [day for day in over if day.outcome in ("kept", "late", "broken")]
    return Attainment(sum(day.outcome == "kept" for day in counted), len(counted))


def _day(
    date: dt.date, due: dt.datetime, made: FirstPublished | None, began: dt.date, at: dt.datetime
) -> Day:
    if made is not None:
        published_at, due = made.at, made.due or due
        late = published_at > due
        return Day(date, due, "late" if late else "kept", published_at, published_at - due if late else None)
    if at < due:
        return Day(date, due, "open")
    return Day(date, due, "none" if date < began else "broken")
