"""The usual range of a report's number, day by day, to be drawn: by the rule of the check."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

from oncall.core.data.expectation import WINDOW_DAYS, Number

_BACK = range(1, WINDOW_DAYS + 1)
SPREADS = 2.0  # to each side: of a hundred ordinary days about five lie outside


@dataclass(frozen=True)
class UsualRange:
    """`expected` is what the days before make expected; an ordinary day lies between `low` and `high`."""

    expected: float
    low: float
    high: float


def usual_ranges(
    days: Sequence[dt.date], amounts: Mapping[dt.date, float], units: Mapping[dt.date, float] | None = None
) -> list[UsualRange | None]:
    """What is usual on each day, from the days before it alone; None while too few are known, or around zero.

    `units`: the size of one of what the number of each day is made of (an order), by which it varies of itself.
    """
    known = {date.toordinal(): amount for date, amount in amounts.items()}
    sizes = {date.toordinal(): size for date, size in (units or {}).items() if size > 0}
    found = []
    for day in map(dt.date.toordinal, days):
        history = tuple((ago, known[day - ago]) for ago in _BACK if day - ago in known)
        before = [sizes[day - ago] for ago in _BACK if day - ago in sizes]
        found.append(_range(known.get(day, 0.0), history, median(before) if before else None))
    return found


@lru_cache(maxsize=8192)  # the days before a published day hardly ever change
def _range(amount: float, history: tuple[tuple[int, float], ...], unit: float | None) -> UsualRange | None:
    # Of what may be expected while a shop grows, what is nearest: as the check judges it.
    number = Number("", amount, history, unit)
    expected = number.expected
    if expected is None or expected.amount <= 0:
        return None
    width = SPREADS * max(expected.spread, number.noise)
    low = expected.amount - width
    return UsualRange(
        expected.amount, max(low, 0.0) if min(a for _, a in history) >= 0 else low, expected.amount + width
    )
