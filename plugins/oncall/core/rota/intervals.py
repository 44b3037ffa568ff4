"""Leave and overrides by when they are, so that those of one week are found without reading all. Knows no rule."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from operator import attrgetter
from typing import Generic, NamedTuple, TypeVar

from oncall.core.rota.roster import Leave, Override
from oncall.core.wall_time import utc

Entry = TypeVar("Entry", Leave, Override)


class Interval(NamedTuple, Generic[Entry]):
    """The instants of an entry, [start, end) in UTC."""

    start: dt.datetime
    end: dt.datetime
    entry: Entry


class Intervals(Generic[Entry]):
    """All entries of one kind, which may overlap."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        found = (Interval(utc(entry.start), utc(entry.end), entry) for entry in entries)
        self._all: list[Interval[Entry]] = sorted(found, key=attrgetter("start"))
        self._starts = [interval.start for interval in self._all]
        self._ends = list(accumulate((interval.end for interval in self._all), max))  # none before ends later

    def within(self, start: dt.datetime, end: dt.datetime) -> tuple[Interval[Entry], ...]:
        """Those that touch [start, end), the latest first."""
        found = []
        place = bisect_left(self._starts, end) - 1
        while place >= 0 and self._ends[place] > start:
            if self._all[place].end > start:
                found.append(self._all[place])
            place -= 1
        return tuple(found)

    def first_from(self, at: dt.datetime) -> dt.datetime | None:
        """The first instant at or after `at` that is in one of them."""
        place = bisect_left(self._starts, at)
        if place and self._ends[place - 1] > at:
            return at
        return self._starts[place] if place < len(self._starts) else None
