"""The world as the warehouse shows it: publications, upstream loads, failed checks. Reads only; judges nothing."""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import structlog

from oncall.adapters.postgres import warehouse_sql as sql
from oncall.adapters.postgres.column_types import Types
from oncall.adapters.postgres.database import Connect
from oncall.adapters.postgres.links import Link
from oncall.adapters.postgres.publication_rows import TYPES, can_be, instant_of, is_out_of_time
from oncall.adapters.postgres.sql_values import columns
from oncall.config.quiet_days import Volume
from oncall.core.data.expectation import WINDOW_DAYS, Expectation, expect
from oncall.core.errors import Unreadable
from oncall.core.promises.facts import (
    FIRST_WEEK_SHARE,
    PARTIAL_SHARE,
    Facts,
    FailedCheck,
    Load,
    Publication,
)
from oncall.core.promises.promise import Pipeline
from oncall.usecases.ports import ReportKey

EARLIEST, LATEST = dt.date(2000, 1, 1), dt.date(9000, 1, 1)  # nothing is known of a day beyond them
# What they say is kept as it was on a published day: a new load of them makes none stale.
KEPT = frozenset({"master.customers", "master.products"})
LOOK_BACK = dt.timedelta(days=WINDOW_DAYS)  # far enough for 7 earlier loads of a table that skips some days

log = structlog.get_logger(__name__)

BLOCKED_FOR = dt.timedelta(seconds=15)  # two runs of a day may well wait for each other for a moment
ASK_AGAIN_S = 60.0

Row = tuple[Any, ...]
Instant = str | dt.datetime  # as text, where it need not be one
Pair = tuple[str, dt.date]  # an upstream table or a report, and a business day


class Warehouse:
    """Implements `WarehouseReader`. Not for use by two threads at once."""

    def __init__(self, connect: Connect, volumes: Callable[[], Volume] = Volume) -> None:
        self._link = Link(connect, "warehouse")
        self._volumes = volumes
        self._shape: tuple[float, sql.Shape] | None = None
        self._types: tuple[float, Types] | None = None

    def clock(self) -> dt.datetime:
        """What time it is on the warehouse's server, in UTC. Raises Unreadable."""
        with self._link.cursor() as cursor:
            cursor.execute("select clock_timestamp()")
            ((now,),) = cursor.fetchall()
        assert isinstance(now, dt.datetime)
        return now

    def read(
        self,
        wanted: Sequence[tuple[Pipeline, dt.date]],
        published: Sequence[Pipeline] = (),
        since: dt.date | None = None,
    ) -> Mapping[ReportKey, Facts]:
        """Implements `WarehouseReader`."""
        if not wanted and not published:
            return {}
        # Two may claim one report, which is told elsewhere: neither is to go unwatched for it.
        pipelines = {each.dag_id: each for each in (*published, *(each for each, _ in wanted))}
        of_report: defaultdict[str, list[Pipeline]] = defaultdict(list)
        for pipeline in pipelines.values():
            of_report[pipeline.report].append(pipeline)
        pairs = {(pipeline.report, date): None for pipeline, date in wanted}
        # First and alone: that a report is published is known whatever becomes of the rest.
        made = self._seen(
            "investor.publications",
            self._ask(sql.published(self._of_publications()), {"wanted": _pairs(pairs)}),
        )
        more, troubles = self._besides(
            list(pipelines.values()), list(pairs), {each.report for each in published}, since
        )
        found = _Found.of([*made, *more], self._volumes())
        blocked = self._blocked([pair for pair in pairs if pair not in found.publications])
        reports = pairs | dict.fromkeys(found.publications)
        return {
            (pipeline.dag_id, date): found.facts(pipeline, date, troubles, blocked.get((report, date), ""))
            for report, date in reports
            for pipeline in of_report[report]
        }

    def _blocked(self, wanted: Sequence[Pair]) -> Mapping[Pair, str]:
        """Whose lock the run of each waits for. A courtesy: where it cannot be told, nothing else suffers."""
        if not wanted:
            return {}
        try:
            rows = self._ask(sql.BLOCKED, {"wanted": _pairs(wanted), "blocked_for": BLOCKED_FOR})
        except Unreadable as error:
            log.info("oncall.locks_not_seen", reason=str(error))
            return {}
        return {
            (report, day): f"pid {pid}{f' ({user})' if user else ''}" for report, day, pid, user in rows[::-1]
        }

    def _besides(
        self,
        pipelines: Sequence[Pipeline],
        wanted: Sequence[Pair],
        published: Collection[str],
        since: dt.date | None,
    ) -> tuple[list[Row], tuple[str, ...]]:
        """Loads and failed checks, and what of them cannot be read."""
        rows: list[Row] = []
        try:
            query = sql.upstream(self._as_it_is(), self._of_publications())
            rows += self._ask(query, _asked(pipelines, wanted, published, since))
            self._seen("master.loads", [row for row in rows if row[0] == "load" and row[3] is not None])
            pairs = dict.fromkeys([*wanted, *((row[1], row[2]) for row in rows if row[0] == "publication")])
            rows += self._ask(sql.checks(self._of_publications()), {"wanted": _pairs(pairs)})
        except Unreadable as error:
            return rows, (str(error),)
        return rows, ()

    def loads(self, tables: Sequence[str], day: dt.date) -> list[Load]:
        """The latest load of each table for one business day."""
        found = self.loads_of([(table, day) for table in tables])
        return [found[table, day] for table in tables]

    def loads_of(self, pairs: Sequence[Pair]) -> dict[Pair, Load]:
        """The same for any tables and days, in one query."""
        if not pairs:
            return {}
        names, days = [name for name, _ in pairs], [day for _, day in pairs]
        query = sql.waited_for(self._as_it_is())
        rows = self._ask(query, {"table": names, "day": days, **_bounds(names, days)})
        volume = self._volumes()
        empty = _empty((row[0], row[1], row[3]) for row in rows)
        return {
            (name, day): _compared(Load(name, at, count, None, expected_at), day, counts, volume, empty[day])
            for name, day, at, count, counts, expected_at in rows
        }

    def _ask(self, query: str, values: Mapping[str, Any]) -> list[Row]:
        try:
            with self._link.cursor() as cursor:
                return cursor.execute(query, values).fetchall()
        except Unreadable:
            self._shape = self._types = None  # what cannot be read as it was may have become something else
            raise

    def _seen(self, table: str, rows: list[Row]) -> list[Row]:
        """The rows. Raises Unreadable when there are none because row-level security shows this role no row at all."""
        if not rows:
            ((guarded, role),) = self._ask(
                "select row_security_active(%(table)s), current_user", {"table": table}
            )
            if guarded and not self._ask(f"select from {table} limit 1", {}):
                raise Unreadable(
                    f"warehouse: row-level security shows the role {role} no row of {table}; write a policy for it, or"
                    f" alter role {role} bypassrls"
                )
        return rows

    def _as_it_is(self) -> sql.Shape:
        """How the warehouse is to be asked. Found out once a minute: tables grow slowly."""
        if self._shape is None or time.monotonic() - self._shape[0] > ASK_AGAIN_S:
            ((indexed, late_rows, loads),) = self._ask(sql.SHAPE, {})
            self._shape = time.monotonic(), sql.Shape(indexed, late_rows, loads or {})
        return self._shape[1]

    def _of_publications(self) -> Types:
        """The types of their columns. Asked for alone: a publication is known whatever becomes of the loads."""
        if self._types is None or time.monotonic() - self._types[0] > ASK_AGAIN_S:
            ((types,),) = self._ask(f"select {TYPES}", {})
            self._types = time.monotonic(), types or {}
        return self._types[1]


@dataclass(frozen=True)
class _Found:
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
    def of(cls, rows: Sequence[Row], volume: Volume) -> _Found:
        loads: dict[Pair, Load] = {}
        publications: dict[Pair, tuple[Publication, dt.datetime]] = {}
        checks: defaultdict[Pair, list[FailedCheck]] = defaultdict(list)
        late: defaultdict[Pair, list[Load]] = defaultdict(list)
        odd: dict[tuple[str, dt.date | None], tuple[str, ...]] = {}
        empty = _empty((row[1], row[2], row[6]) for row in rows if row[0] == "load")
        for kind, name, day, first, second, third, count, counts, *words in rows:
            if kind == "load":
                load = Load(name, first, count, None, second)
                loads[name, day] = _compared(load, day, counts, volume, empty[day])
            elif kind == "publication" and (name, day) not in publications and (name, day) not in odd:
                made = _published(day, first, second, third, count, words[0])
                now = words[3] if words[3:] else None
                if made and not (now and is_out_of_time(made[0].at, day, now)):
                    publications[name, day] = made
                else:
                    odd[name, day] = (_odd_words(name, day, str(second)),)
            elif kind == "no day":
                odd[name, None] = (_no_day_words(name, words[0]),)
            elif kind == "late":
                late[name, day].append(Load(words[0], first))
            elif kind == "check":
                check, expected, found = words
                checks[name, day].append(FailedCheck(check, expected, found, counts or "", first))
        return cls(loads, publications, checks, late, odd)

    def facts(self, pipeline: Pipeline, date: dt.date, troubles: tuple[str, ...], blocked_by: str) -> Facts:
        """`troubles`: what could not be read; of a published report nothing else need be known."""
        which = pipeline.report, date
        made, read_at = self.publications.get(which, (None, None))
        missing, newest = self._of_upstream(pipeline.upstream, date, troubles)
        checks = tuple(self.checks.get(which, ()))
        odd = self.odd.get(which, ()) or self.odd.get((which[0], None), ())
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
            found = (self.loads.get((table, date)) for table in _loaded(upstream))
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
    day: dt.date, first: Instant, last: Instant, read: Instant, rows: int, run_id: str
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
    return Publication(min(first_at or at, at), at, run_id, rows), min(read_at or at, at)


def _odd_words(report: str, day: dt.date, said: str) -> str:
    return (
        f"investor.publications says that {report} of {day} was published at {said[:60]}, which cannot be; look whether"
        " the report is there, and correct published_at or delete the row"
    )


def _no_day_words(report: str, said: str) -> str:
    return (
        f"investor.publications has a row of {report} whose report_date is {said!r}, which is no day; write it as"
        " 2026-11-22, or delete the row"
    )


def _empty(loads: Iterable[tuple[str, dt.date, int | None]]) -> defaultdict[dt.date, set[str]]:
    """By day, the tables that were loaded without a row."""
    empty: defaultdict[dt.date, set[str]] = defaultdict(set)
    for table, day, rows in loads:
        if rows == 0:
            empty[day].add(table)
    return empty


def _compared(load: Load, day: dt.date, counts: str | None, volume: Volume, empty: Collection[str]) -> Load:
    """A load beside what its table's days so far make expected of it."""
    expected = _expected(counts or "", volume.holidays_before(day))
    if expected is None:
        return load
    known = (FIRST_WEEK_SHARE, PARTIAL_SHARE, 1.0)[min(expected.weekdays, 2)]
    share = min(known, volume.share(load.table, day, empty))
    return replace(load, median=expected.amount, spread=expected.spread, share=share)


@lru_cache(maxsize=4096)  # every look asks again, and it changes once a day
def _expected(counts: str, left_out: frozenset[int]) -> Expectation | None:
    """From "days ago:rows days ago:rows …", without some of the days."""
    pairs = (one.split(":") for one in counts.split())
    return expect([(int(ago), float(rows)) for ago, rows in pairs if int(ago) not in left_out])


@lru_cache(maxsize=1024)
def _loaded(upstream: tuple[str, ...]) -> tuple[str, ...]:
    """The tables that another team loads (base models are published by our own pipelines)."""
    return tuple(name for name in upstream if name.startswith("master."))


def _asked(
    pipelines: Sequence[Pipeline], wanted: Sequence[Pair], published: Collection[str], since: dt.date | None
) -> dict[str, Any]:
    """The parameters of `sql.upstream`."""
    upstream = dict.fromkeys(
        (pipeline.report, table) for pipeline in pipelines for table in _loaded(pipeline.upstream)
    )
    days = [day for _, day in wanted]
    if since:
        days += [since, since + LOOK_BACK]  # with what is looked back to, all days between
    return {
        "upstream": columns(
            report=(report for report, _ in upstream),
            name=(table for _, table in upstream),
            published=(report in published and table not in KEPT for report, table in upstream),
        ),
        "wanted": _pairs(wanted),
        "since": since or dt.date.max,
        **_bounds([table for _, table in upstream], days),
    }


def _bounds(names: Collection[str], days: Collection[dt.date]) -> dict[str, Any]:
    """Which loads are read at all: of these tables, of these days and of those that each is compared with."""
    back = range(LOOK_BACK.days + 1)
    of_days = {day - dt.timedelta(days=ago) for day in set(days) if EARLIEST < day < LATEST for ago in back}
    of_names = sorted(set(names))
    bare = [name.removeprefix("master.") for name in of_names]
    return {"names": of_names, "bare": bare, "days": sorted(of_days), "look_back": LOOK_BACK.days}


def _pairs(wanted: Collection[Pair]) -> str:
    reports, days = zip(*wanted, strict=True) if wanted else ((), ())
    return columns(report=reports, business_day=days)
