"""A report's numbers beside what is usual for that weekday, and a person's word that unusual ones are true.

Knows the drafts and what was published; refuses to know how a number is made.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

from oncall.core.data.day_parts import DayParts
from oncall.core.data.expectation import WINDOW_DAYS, Number
from oncall.core.data.odd_rows import OddRows
from oncall.core.data.sample_ratio import SampleRatio

Releasable: TypeAlias = Number | SampleRatio | OddRows | DayParts

# A released number may change by this share of itself, as late rows come, and needs no new release.
CLOSE = 0.05
# And for a week it goes on being true, once the second day of it was released, while no day since is so many times more
# or less: a shop that closes for some days is asked about twice.
ALIKE_TIMES, ALIKE_DAYS = 1.5, 7

_RELEASES = """
    select name, amount, note, released_by, released_at from investor.releases
    where report = %(report)s and report_date = %(report_date)s::date
"""
_RELEASES_LATELY = """
    select %(report_date)s::date - report_date, name, amount, note, released_by, released_at from investor.releases
    where report = %(report)s and report_date < %(report_date)s::date
    and report_date >= %(report_date)s::date - %(days)s
    order by report_date desc
"""
_SAID = """
    select name, max(amount) from investor.releases
    where report = %(report)s and report_date < %(report_date)s::date
    and report_date >= %(report_date)s::date - %(days)s
    group by name
"""
_RELEASE = """
    insert into investor.releases (report, report_date, name, amount, note, released_by, released_at)
    values (%(report)s, %(report_date)s::date, %(name)s, %(amount)s, %(note)s, %(by)s, clock_timestamp())
    on conflict (report, report_date, name) do update
    set amount = excluded.amount, note = excluded.note, released_by = excluded.released_by,
        released_at = excluded.released_at
    returning name, amount, note, released_by, released_at
"""


@dataclass(frozen=True)
class Release:
    """Somebody's word that an unusual number of a report is true, or a thin load that it waits for (by its table)."""

    name: str
    amount: float
    note: str
    by: str
    at: dt.datetime

    def covers(self, number: Releasable) -> bool:
        return number.name == self.name and abs(number.amount - self.amount) <= CLOSE * abs(self.amount)

    def is_like_all_since(self, number: Number, ago: int) -> bool:
        """Whether each day since, this one included, is like the one `ago` days before it of which it was said."""
        low, high = sorted((self.amount / ALIKE_TIMES, self.amount * ALIKE_TIMES))
        days = [number.amount, *(amount for back, amount in number.history if back <= ago)]
        return self.amount != 0 and all(low <= amount <= high for amount in days)


def go_on(lately: Sequence[tuple[int, Release]], number: Releasable) -> list[Release]:
    """What of the releases of the week before holds for this number, too.

    One day may be a holiday, and nothing at all may be a load gone wrong: that of a second day tells a level.
    """
    said = [(ago, word) for ago, word in lately if word.name == number.name]
    if not isinstance(number, Number) or not said:
        return []
    newest = min(ago for ago, _ in said)
    return [word for ago, word in said if ago > newest and word.is_like_all_since(number, ago)]


def numbers_of(rows: Sequence[tuple[Any, ...]]) -> list[Number]:
    """From rows of (name, days ago, amount, unit), 0 days ago being the draft; without a draft there are none."""
    days: dict[str, dict[int, tuple[float, float]]] = defaultdict(dict)
    for name, ago, amount, unit in rows:
        if amount is not None:
            days[name][int(ago)] = (float(amount), float(unit or 0))
    found = []
    for name, by_day in days.items():
        if 0 not in by_day:
            continue
        history = tuple((ago, by_day[ago][0]) for ago in sorted(by_day) if ago > 0)
        # The days before say how large one of them is: today's own could be what is wrong.
        units = [by_day[ago][1] for ago in by_day if ago > 0 and by_day[ago][1] > 0]
        found.append(Number(name, by_day[0][0], history, median(units) if units else None))
    return found


def releases(cursor: Any, report: Mapping[str, Any]) -> list[Release]:
    """Who has released what of a report's day; `report` binds `report` and `report_date`."""
    cursor.execute(_RELEASES, report)
    return [_release(row) for row in cursor.fetchall()]


def releases_lately(cursor: Any, report: Mapping[str, Any]) -> list[tuple[int, Release]]:
    """The same of the days of the week before, and how many days ago each is, the newest first."""
    cursor.execute(_RELEASES_LATELY, {**report, "days": ALIKE_DAYS})
    return [(int(ago), _release(row)) for ago, *row in cursor.fetchall()]


def released_lately(cursor: Any, report: Mapping[str, Any]) -> dict[str, float]:
    """The most that a person has released of each number of the days before."""
    cursor.execute(_SAID, {**report, "days": WINDOW_DAYS})
    return {name: float(amount) for name, amount in cursor.fetchall()}


def release(
    cursor: Any, report: Mapping[str, Any], name: str, amount: float, *, by: str, note: str
) -> Release:
    """Write down that a number is true, or a load of so many rows, over what was said of it before."""
    cursor.execute(_RELEASE, {**report, "name": name, "amount": amount, "by": by, "note": note})
    return _release(cursor.fetchone())


def _release(row: Sequence[Any]) -> Release:
    name, amount, note, by, at = row
    return Release(name, float(amount), note, by, at)
