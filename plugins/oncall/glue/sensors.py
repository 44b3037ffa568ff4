"""Waits for upstream master data without holding a worker slot, and lets the on-call system warn in time."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from oncall.adapters.postgres import connect_by
from oncall.adapters.warehouse import Warehouse
from oncall.core.errors import Unreadable
from oncall.core.facts import Load
from oncall.core.promise import warn_at
from oncall.core.verdict import late_words
from oncall.glue.contract import contract
from oncall.glue.report_date import NoReportDate, report_date
from oncall.glue.wiring import look_once, now_utc

log = structlog.get_logger(__name__)

POKE_S = 10.0


class UpstreamFreshSensor(BaseOperator):
    """Succeeds once every upstream table of the DAG's contract is fresh for the run's report date.

    Waits in the triggerer. At the promise's `warn_upstream_at` it wakes for a moment to have the warning said (the
    same one that the watcher says: it reaches people once), then waits on.
    """

    def __init__(self, *, poke_s: float = POKE_S, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.poke_s = poke_s

    def execute(self, context: Any) -> None:
        terms = contract(self.dag_id)
        try:
            date = report_date(context, terms.zone)
        except NoReportDate as wrong:
            raise AirflowFailException(str(wrong)) from None
        tables = [name for name in terms.upstream if name.startswith("master.")]
        late = [
            load for load in Warehouse(connect_by("warehouse")).loads(tables, date) if load.state != "fresh"
        ]
        if late:
            for load in late:
                self.log.info("Waiting: %s", late_words(load, terms.zone))
            self._wait(tables, date, self._warns_at(date))

    def _warns_at(self, date: dt.date) -> dt.datetime | None:
        terms = contract(self.dag_id)
        warn = warn_at(terms.promise, date, terms.zone) if terms.promise else None
        return warn if warn and warn > now_utc() else None

    def _wait(self, tables: Sequence[str], date: dt.date, wake_at: dt.datetime | None) -> None:
        self.defer(
            trigger=UpstreamFresh(list(tables), date.isoformat(), wake_at, self.poke_s),
            method_name="resume",
            kwargs={"tables": list(tables), "date": date.isoformat()},
        )

    def resume(self, context: Any, event: dict[str, Any], tables: list[str], date: str) -> None:
        """Either all is there, or it is time to warn."""
        if event["fresh"]:
            self.log.info("Upstream is fresh for %s: %s", date, event["words"])
            return
        self.log.warning("Upstream is late for %s: %s", date, event["words"])
        try:
            look_once(look_first=True)
        except Exception:
            self.log.exception("The warning could not be said from here; the watcher says it too")
        self._wait(tables, dt.date.fromisoformat(date), None)


class UpstreamFresh(BaseTrigger):
    """Fires when all tables are fresh for the day, or once at `wake_at` while they are not."""

    def __init__(self, tables: list[str], day: str, wake_at: dt.datetime | None, poke_s: float) -> None:
        super().__init__()
        self.tables, self.day, self.wake_at, self.poke_s = tables, day, wake_at, poke_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "oncall.glue.sensors.UpstreamFresh",
            {"tables": self.tables, "day": self.day, "wake_at": self.wake_at, "poke_s": self.poke_s},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        day = dt.date.fromisoformat(self.day)
        zone = dt.UTC
        with _POLL.waiting(self.tables, day):
            while True:
                loads = await _POLL.loads(self.tables, day, self.poke_s)
                late = [load for load in loads if load.state != "fresh"]
                if loads and not late:
                    newest = max(load.loaded_at for load in loads if load.loaded_at)
                    yield TriggerEvent(
                        {"fresh": True, "words": f"the last table came at {newest.isoformat()}"}
                    )
                    return
                if self.wake_at is not None and now_utc() >= self.wake_at:
                    words = (
                        "; ".join(late_words(load, zone) for load in late) or "the warehouse cannot be read"
                    )
                    yield TriggerEvent({"fresh": False, "words": words})
                    return
                left = (self.wake_at - now_utc()).total_seconds() if self.wake_at else self.poke_s
                await asyncio.sleep(max(0.1, min(self.poke_s, left)))


class _Waiting:
    """Registers what one trigger waits for, for as long as it waits."""

    def __init__(self, poll: _Poll, wanted: set[tuple[str, dt.date]]) -> None:
        self._poll, self._wanted = poll, wanted

    def __enter__(self) -> None:
        self._poll.wanted.append(self._wanted)

    def __exit__(self, *_: object) -> None:
        self._poll.wanted.remove(self._wanted)


class _Poll:
    """One query per poll for all the triggers of this triggerer, whatever they wait for."""

    def __init__(self) -> None:
        self.wanted: list[set[tuple[str, dt.date]]] = []
        self._lock: asyncio.Lock | None = None
        self._loads: dict[tuple[str, dt.date], Load] = {}
        self._read_at: dt.datetime | None = None
        self._warehouse: Warehouse | None = None

    def waiting(self, tables: Sequence[str], day: dt.date) -> _Waiting:
        return _Waiting(self, {(table, day) for table in tables})

    async def loads(self, tables: Sequence[str], day: dt.date, max_age_s: float) -> list[Load]:
        """The loads of these tables for the day, at most `max_age_s` old; empty when they cannot be read now."""
        pairs = [(table, day) for table in tables]
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            old = self._read_at is None or (now_utc() - self._read_at).total_seconds() >= max_age_s * 0.9
            if old or any(pair not in self._loads for pair in pairs):
                try:
                    self._loads = await sync_to_async(self._read, thread_sensitive=False)()
                except Unreadable as error:
                    log.warning("oncall.upstream_unreadable", reason=str(error))
                    self._loads, self._warehouse = {}, None
                self._read_at = now_utc()
        return [self._loads[pair] for pair in pairs if pair in self._loads]

    def _read(self) -> dict[tuple[str, dt.date], Load]:
        self._warehouse = self._warehouse or Warehouse(connect_by("warehouse"))
        return self._warehouse.loads_of(sorted(set().union(*self.wanted)))


_POLL = _Poll()
