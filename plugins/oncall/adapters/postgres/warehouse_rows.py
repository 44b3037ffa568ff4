"""What one reading of the warehouse found, row by row, as facts of each report and day. Reads nothing itself."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from oncall.adapters.postgres.publication_rows import can_be, due_of, instant_of, is_out_of_time
from oncall.config.load_volume import Volume
from oncall.core.data.expectation import Expectation, expect
from oncall.core.promises.facts import (
    Facts,
    FailedCheck,
    Load,
    Publication,
)
from oncall.core.promises.promise import Pipeline
from oncall.core.time_format import day as short

# What they say is kept as it was on a published day: a new load of them makes none stale.
KEPT = frozenset({"master.customers", "master.products"})
# A load that comes so long before it usually does may be that of its day; what came earlier is that of a day before.
MAY_BE_EARLY = dt.timedelta(hours=12)
GROUP = 4.0  # lines that come with one order, at the most
Row = tuple[Any, ...]
Instant = str | dt.datetime  # as text, where it need not be one
Pair = tuple[str, dt.date]  # an upstream table or a report, and a business day


@dataclass(frozen=True)
class WarehouseRows:
    """What one reading found: loads by table and day, the rest by report and day."""

    loads: Mapping[Pair, Load]
    publications: Mapping[Pair, tuple[Publication, dt.datetime]]
    checks: Mapping[Pair, Sequence[FailedCheck]]
    late: Mapping[Pair, Sequence[Load]]
    odd: Mapping[tuple[str, dt.date | None], tuple[str, ...]] = field(default_factory=dict)
    _together: dict[tuple[tuple[str, ...], dt.date], tuple[Facts, dt.datetime | None]] = field(
        default_factory=dict
    )

    @classmethod
    def of(cls, rows: Sequence[Row], volume: Volume) -> WarehouseRows:
        loads: dict[Pair, Load] = {}
        publications: dict[Pair, tuple[Publication, dt.datetime]] = {}
        checks: defaultdict[Pair, list[FailedCheck]] = defaultdict(list)
        late: defaultdict[Pair, list[Load]] = defaultdict(list)
        odd: dict[tuple[str, dt.date | None], tuple[str, ...]] = {}
        empty = empty_tables((row[1], row[2], row[6]) for row in rows if row[0] == "load")
        for kind, name, day, first, second, third, count, counts, *words in rows:
            if kind == "load":
                load = Load(name, first, count, None, second)
                loads[name, day] = compared(load, day, counts, volume, empty[day])
            elif kind == "publication" and (name, day) not in publications and (name, day) not in odd:
                made = _published(day, first, second, third, (count, *words[:2]))
                now = words[3] if words[3:] else None
                if made and not (now and is_out_of_time(made[0].at, day, now)):
                    publications[name, day] = made
                else:
                    odd[name, day] = (_odd_words(name, day, str(second)),)
            elif kind == "no day":
                odd[name, None] = (words[0],)  # which day is meant, only the one who misses one can say
            elif kind == "late":
                late[name, day].append(Load(words[0], first))
            elif kind == "check":
                check, expected, found = words
                checks[name, day].append(FailedCheck(check, expected, found, counts or "", first))
        return cls(loads, publications, checks, late, odd)

    def with_misnamed(self, unknown: Sequence[Row], missing: Iterable[Pair]) -> WarehouseRows:
        """The same, with the `unknown` (kind, name, day) whose name is almost that of what is missing."""
        if not unknown:
            return self
        called = {(kind, meant(name), day): name for kind, name, day in unknown}

        def almost(kind: str, name: str, day: dt.date) -> str | None:
            return called.get((kind, meant(name), day)) or called.get((kind, meant(bare(name)), day))

        odd, loads = dict(self.odd), dict(self.loads)
        for name, day in missing:
            if said := almost("report", name, day):
                odd[name, day] = (*odd.get((name, day), ()), _misnamed_words(name, day, said))
        for (name, day), load in self.loads.items():
            if load.loaded_at is None and (said := almost("load", name, day)):
                loads[name, day] = replace(load, misnamed=said[:60])
        return replace(self, odd=odd, loads=loads)

    @property
    def late_tables(self) -> set[str]:
        """The tables of which some day's load is not there."""
        return {load.table for load in self.loads.values() if load.loaded_at is None}

    def without_a_day(self, rows: Sequence[Row]) -> WarehouseRows:
        """The same, with what loads of late tables have in the place of their day: the first that can be of it.

        `rows`: (table, what is written, when it was loaded), the oldest first.
        """
        said: defaultdict[str, list[tuple[str, dt.datetime]]] = defaultdict(list)
        for name, written, at in rows:
            said[f"master.{bare(name)}"].append((written, at))

        def named(load: Load, day: dt.date) -> Load:
            usually = load.expected_at or dt.datetime.combine(day, dt.time.max, dt.UTC)
            written = (each for each, at in said.get(load.table, ()) if at >= usually - MAY_BE_EARLY)
            first = next(written, None) if load.loaded_at is None else None
            return load if first is None else replace(load, no_day=(first, day))

        loads = {(name, day): named(load, day) for (name, day), load in self.loads.items()}
        return replace(self, loads=loads) if said else self

    def facts(self, pipeline: Pipeline, date: dt.date, troubles: tuple[str, ...], blocked_by: str) -> Facts:
        """`troubles`: what could not be read; of a published report nothing else need be known."""
        which = pipeline.report, date
        made, read_at = self.publications.get(which, (None, None))
        missing, newest = self._of_upstream(pipeline.upstream, date, troubles)
        checks = tuple(self.checks.get(which, ()))
        no_day = self.odd.get((which[0], None), ())
        odd = self.odd.get(which, ()) or tuple(_no_day_words(*which, said) for said in no_day)
        if made is None and not checks and not blocked_by and not odd:
            return missing  # of ten thousand reports most are alike in this
        loads, newer = missing.loads, tuple[Load, ...]()
        if read_at and (which in self.late or (newest and newest > read_at)):
            newer = self._newer(which, loads, read_at)
        unreadable = () if made else (*odd, *troubles)
        return Facts(made, loads, checks, changed_since=newer, unreadable=unreadable, blocked_by=blocked_by)

    def _of_upstream(
        self, upstream: tuple[str, ...], date: dt.date, troubles: tuple[str, ...]
    ) -> tuple[Facts, dt.datetime | None]:
        """What is known of a missing report, and when its newest load came: once for all with the same upstream."""
        known = self._together.get((upstream, date))
        if known is None:
            found = (self.loads.get((table, date)) for table in loaded(upstream))
            loads = tuple(load for load in found if load is not None)
            newest = max((load.loaded_at for load in loads if load.loaded_at), default=None)
            known = self._together[upstream, date] = Facts(loads=loads, unreadable=troubles), newest
        return known

    def _newer(self, which: Pair, loads: tuple[Load, ...], read_at: dt.datetime) -> tuple[Load, ...]:
        newer = {
            load.table: load
            for load in (*self.late.get(which, ()), *loads)
            if load.loaded_at and load.loaded_at > read_at and load.table not in KEPT
        }
        return tuple(newer.values())


@lru_cache(maxsize=50_000)  # every look reads the same of what is published
def _published(
    day: dt.date, first: Instant, last: Instant, read: Instant, run: tuple[int, str, str | None]
) -> tuple[Publication, dt.datetime] | None:
    """The publication, and when its upstream was read; None where nothing can have been published then.

    Nothing was read, or published for the first time, after it was published: what says so is no better known.
    """
    if isinstance(last, str) and not can_be(last):
        return None
    at, first_at, read_at = (
        (instant_of(said, day) if can_be(said) else None) if isinstance(said, str) else said
        for said in (last, first, read)
    )
    assert at is not None
    rows, run_id, due = run
    return Publication(min(first_at or at, at), at, run_id, rows, due_of(due)), min(read_at or at, at)


def _odd_words(report: str, day: dt.date, said: str) -> str:
    return (
        f"investor.publications says that {report} of {day} was published at {said[:60]}, which cannot be; look whether"
        " the report is there, and correct published_at or delete the row"
    )


def _no_day_words(report: str, day: dt.date, said: str) -> str:
    return (
        f"investor.publications has a row of {report} whose report_date is {said!r}, which is no day; if it is that of"
        f" {short(day)}, write it as {day}, or else delete the row"
    )


def _misnamed_words(report: str, day: dt.date, called: str) -> str:
    return (
        f"investor.publications has a row of {day} whose report is {called[:60]!r}, which is no report here;"
        f" write it as {report}, or delete the row"
    )


@lru_cache(maxsize=50_000)
def meant(name: str) -> str:
    """A name by its letters and digits alone, whatever capitals, blanks and other signs it is written with."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def bare(name: str) -> str:
    """A name without its schema."""
    return name.partition(".")[2] or name


def empty_tables(loads: Iterable[tuple[str, dt.date, int | None]]) -> defaultdict[dt.date, set[str]]:
    """By day, the tables that were loaded without a row."""
    empty: defaultdict[dt.date, set[str]] = defaultdict(set)
    for table, day, rows in loads:
        if rows == 0:
            empty[day].add(table)
    return empty


def compared(load: Load, day: dt.date, counts: str | None, volume: Volume, empty: Collection[str]) -> Load:
    """A load beside what its table's days so far make expected of it."""
    expected = _expected(counts or "", volume.holidays_before(day))
    if expected is None:
        return load
    group = GROUP if volume.contracts.comes_in_groups(load.table) else 1.0
    share = volume.share(load.table, day, empty)
    return replace(load, median=expected.amount, spread=expected.spread_of_a_load, share=share, group=group)


@lru_cache(maxsize=4096)  # every look asks again, and it changes once a day
def _expected(counts: str, left_out: frozenset[int]) -> Expectation | None:
    """From "days ago:rows days ago:rows …", without some of the days."""
    pairs = (one.split(":") for one in counts.split())
    return expect([(int(ago), float(rows)) for ago, rows in pairs if int(ago) not in left_out])


@lru_cache(maxsize=1024)
def loaded(upstream: tuple[str, ...]) -> tuple[str, ...]:
    """The tables that another team loads (base models are published by our own pipelines)."""
    return tuple(name for name in upstream if name.startswith("master."))
