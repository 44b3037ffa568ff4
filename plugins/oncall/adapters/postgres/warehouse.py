"""The world as the warehouse shows it: publications, upstream loads, failed checks. Reads only; judges nothing."""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import structlog

from oncall.adapters.postgres import warehouse_sql as sql
from oncall.adapters.postgres.column_types import Types
from oncall.adapters.postgres.database import Connect
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.publication_rows import TYPES
from oncall.adapters.postgres.sql_values import columns
from oncall.adapters.postgres.warehouse_rows import (
    KEPT,
    Pair,
    Row,
    WarehouseRows,
    compared,
    empty_tables,
    loaded,
)
from oncall.config.load_volume import Volume
from oncall.core.data.expectation import WINDOW_DAYS
from oncall.core.errors import Unreadable
from oncall.core.promises.facts import Facts, Load
from oncall.core.promises.promise import Pipeline
from oncall.usecases.ports import ReportKey

EARLIEST, LATEST = dt.date(2000, 1, 1), dt.date(9000, 1, 1)  # nothing is known of a day beyond them
LOOK_BACK = dt.timedelta(days=WINDOW_DAYS)  # far enough for 7 earlier loads of a table that skips some days

log = structlog.get_logger(__name__)

BLOCKED_FOR = dt.timedelta(seconds=15)  # two runs of a day may well wait for each other for a moment
ASK_AGAIN_S = 60.0
# A standby breaks a question off that is in the way of its copying; a server that is switched over, its connections.
BROKEN_OFF = ("40001", "57P01")
MOST_TRIES = 3

BEHIND = dt.timedelta(minutes=1)  # for less a copy is waited for (a run that has just published, a hiccup)
_BEHIND = (
    "the warehouse is read from a standby that lags behind its primary (nothing new for more than"
    f" {BEHIND.seconds // 60} min); let it catch up, or write the primary's host into the connection"
)


class Warehouse:
    """Implements `WarehouseReader`. Not for use by two threads at once."""

    def __init__(self, connect: Connect, volumes: Callable[[], Volume] = Volume) -> None:
        self._db = LastingConnection(connect, "warehouse")
        self._volumes = volumes
        self._shape: tuple[float, sql.Shape] | None = None
        self._types: tuple[float, Types | None] | None = None

    def clock(self) -> dt.datetime:
        """What time it is on the warehouse's server, in UTC. Raises Unreadable."""
        ((now,),) = self._db.ask("select clock_timestamp()")
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
        made = self._ask(sql.published(self._of_publications()), {"wanted": _pairs(pairs)})
        if self._of_publications() is not None:
            self._seen("investor.publications", made)
        more, troubles = self._besides(
            list(pipelines.values()), list(pairs), {each.report for each in published}, since
        )
        found = WarehouseRows.of([*made, *more], self._volumes())
        missing = [pair for pair in pairs if pair not in found.publications]
        if not troubles:  # what hangs is waited for once
            found = found.with_misnamed(self._unknown_names(missing, pipelines.values()), missing)
            found = found.without_a_day(self._loads_without_a_day(found.late_tables))
        blocked = self._blocked(missing)
        reports = pairs | dict.fromkeys(found.publications)
        return {
            (pipeline.dag_id, date): found.facts(pipeline, date, troubles, blocked.get((report, date), ""))
            for report, date in reports
            for pipeline in of_report[report]
        }

    def _blocked(self, wanted: Sequence[Pair]) -> Mapping[Pair, str]:
        """Whose lock the run of each waits for."""
        if not wanted:
            return {}
        rows = self._rows_or_none(lambda: sql.BLOCKED, {"wanted": _pairs(wanted), "blocked_for": BLOCKED_FOR})
        return {
            (report, day): f"pid {pid}{f' ({user})' if user else ''}" for report, day, pid, user in rows[::-1]
        }

    def _unknown_names(self, missing: Sequence[Pair], pipelines: Collection[Pipeline]) -> list[Row]:
        """(kind, name, day) of each row of the missing days whose report or table nobody knows."""
        if not missing:
            return []
        tables = {table for pipeline in pipelines for table in pipeline.upstream}
        known = (
            tables | {table.removeprefix("master.") for table in tables} | {each.report for each in pipelines}
        )
        return self._rows_or_none(
            lambda: sql.unknown_names(self._as_it_is(), self._of_publications()),
            {"days": sorted({day for _, day in missing}), "known": sorted(known)},
        )

    def _loads_without_a_day(self, tables: Collection[str]) -> list[Row]:
        """(table, what is written, when it came) of each load of late whose day is none."""
        if not tables:
            return []
        known = sorted({name for table in tables for name in (table, table.removeprefix("master."))})
        return self._rows_or_none(lambda: sql.loads_without_a_day(self._as_it_is()), {"known": known})

    def _rows_or_none(self, query: Callable[[], str], values: Mapping[str, Any]) -> list[Row]:
        """The rows of what only helps; [] where they cannot be read: nothing else suffers."""
        try:
            return self._ask(query(), values)
        except Unreadable as error:
            log.info("oncall.not_seen", reason=str(error))
            return []

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
            # What it does not show may be there: neither "not published" nor "not loaded" can be told.
            if self._as_it_is().standby and self._rows_or_none(lambda: sql.BEHIND, {"may_be": BEHIND}):
                return [], (_BEHIND,)
            query = sql.upstream(self._as_it_is(), self._of_publications())
            rows += self._ask(query, _asked(pipelines, wanted, published, since))
            self._seen("master.loads", [row for row in rows if row[0] == "load" and row[3] is not None])
            if self._of_publications() is None:
                return rows, ()
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
        empty = empty_tables((row[0], row[1], row[3]) for row in rows)
        return {
            (name, day): compared(Load(name, at, count, None, expected_at), day, counts, volume, empty[day])
            for name, day, at, count, counts, expected_at in rows
        }

    def _ask(self, query: str, values: Mapping[str, Any], tries: int = MOST_TRIES) -> list[Row]:
        try:
            return self._db.ask(query, values)
        except Unreadable as error:
            broken_off = getattr(error.__cause__, "sqlstate", "") in BROKEN_OFF
            if broken_off and tries > 1:  # it ended at once: what was only slow is not asked again
                return self._ask(query, values, tries - 1)
            self._shape = self._types = None  # what cannot be read as it was may have become something else
            raise

    def _seen(self, table: str, rows: Sequence[Row]) -> None:
        """Raises Unreadable when there are no rows because row-level security shows this role no row at all."""
        if not rows:
            ((guarded, role),) = self._ask(
                "select row_security_active(%(table)s), current_user", {"table": table}
            )
            if guarded and not self._ask(f"select from {table} limit 1", {}):
                raise Unreadable(
                    f"warehouse: row-level security shows the role {role} no row of {table}; write a policy for it, or"
                    f" alter role {role} bypassrls"
                )

    def _as_it_is(self) -> sql.Shape:
        """How the warehouse is to be asked. Found out once a minute: tables grow slowly."""
        if self._shape is None or time.monotonic() - self._shape[0] > ASK_AGAIN_S:
            ((indexed, late_rows, releases, standby, loads),) = self._ask(sql.SHAPE, {})
            shape = sql.Shape(indexed, late_rows, releases, standby, loads or {})
            self._shape = time.monotonic(), shape
        return self._shape[1]

    def _of_publications(self) -> Types | None:
        """The types of their columns; None before the first run. Asked for alone: a publication is known whatever
        becomes of the loads."""
        if self._types is None or time.monotonic() - self._types[0] > ASK_AGAIN_S:
            ((types,),) = self._ask(f"select {TYPES}", {})
            self._types = time.monotonic(), types
        return self._types[1]


def _asked(
    pipelines: Sequence[Pipeline], wanted: Sequence[Pair], published: Collection[str], since: dt.date | None
) -> dict[str, Any]:
    """The parameters of `sql.upstream`."""
    upstream = dict.fromkeys(
        (pipeline.report, table) for pipeline in pipelines for table in loaded(pipeline.upstream)
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
