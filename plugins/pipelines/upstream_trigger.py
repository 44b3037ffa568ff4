"""What waits for upstream in the triggerer: however many wait, the warehouse is asked once per poll."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from oncall.adapters.postgres.database import connect_by
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.adapters.postgres.warehouse_rows import Pair
from oncall.config.load_volume import volume_in_force
from oncall.core.errors import Unreadable
from oncall.core.promises.cause import late_words
from oncall.core.promises.facts import Load
from oncall.usecases.timekeeping import utc_now

log = structlog.get_logger(__name__)

# A scheduler that resumes a task before it has heard from its executor that the process which deferred it is over takes
# the task for killed (Airflow 3.3, process_executor_events knows it only while the task is `scheduled`, not `queued`).
HEARD_WITHIN_S = 5.0
RENEW_S = 60.0  # how long the warehouse is taken to be where it was


class UpstreamFresh(BaseTrigger):
    """Fires when all tables are fresh for the day, or once at `wake_at` while they are not."""

    def __init__(self, tables: list[str], day: str, wake_at: dt.datetime | None, poke_s: float) -> None:
        super().__init__()
        self.tables, self.day, self.wake_at, self.poke_s = tables, day, wake_at, poke_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Airflow's form of the trigger."""
        return (
            "pipelines.upstream_trigger.UpstreamFresh",
            {"tables": self.tables, "day": self.day, "wake_at": self.wake_at, "poke_s": self.poke_s},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event when every table is fresh, not at once; all triggers of this process share a query."""
        clock = asyncio.get_running_loop().time
        heard_at = clock() + HEARD_WITHIN_S
        loads = await _POLL.fresh(self.tables, dt.date.fromisoformat(self.day), self.wake_at, self.poke_s)
        await asyncio.sleep(heard_at - clock())
        late = [load for load in loads if load.state != "fresh"]
        if loads and not late:
            newest = max(load.loaded_at for load in loads if load.loaded_at)
            yield TriggerEvent({"fresh": True, "words": f"the last table came at {newest.isoformat()}"})
        else:
            words = "; ".join(late_words(load, dt.UTC) for load in late) or "the warehouse cannot be read"
            yield TriggerEvent({"fresh": False, "words": words})


@dataclass(eq=False)
class _Waiting:
    """What one trigger waits for, and where it is told."""

    pairs: Sequence[Pair]
    poke_s: float
    told: asyncio.Future[None]


class _Poll:
    """One query per poll for all the triggers of this triggerer, whatever they wait for.

    Nobody who waits does anything meanwhile: one task asks, and wakes those whose tables are all there.
    """

    def __init__(self) -> None:
        self.waiting: set[_Waiting] = set()
        self._task: asyncio.Task[None] | None = None
        self._loads: dict[Pair, Load] = {}
        self._warehouse: Warehouse | None = None
        self._renew_at = 0.0

    async def fresh(
        self, tables: Sequence[str], day: dt.date, until: dt.datetime | None, poke_s: float
    ) -> list[Load]:
        """The loads of the tables for the day, as soon as all are fresh; at `until` as they are then.

        Some are missing from the list when the warehouse cannot be read.
        """
        told = asyncio.get_running_loop().create_future()
        mine = _Waiting([(table, day) for table in tables], poke_s, told)
        self.waiting.add(mine)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        # Also for whoever comes late, time enough to ask once.
        left = max(poke_s, (until - utc_now()).total_seconds()) if until else None
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await told
        finally:
            self.waiting.discard(mine)
        return [self._loads[pair] for pair in mine.pairs if pair in self._loads]

    async def _poll(self) -> None:
        """As often as the most impatient wants it, for as long as anybody waits."""
        try:
            while True:
                await self._ask()
                pokes = [each.poke_s for each in self.waiting if not each.told.done()]
                if not pokes:
                    return
                await asyncio.sleep(min(pokes))
        except Exception as error:  # noqa: BLE001 - a fault of our own: every task that waits shall fail with it
            for each in self.waiting:
                if not each.told.done():
                    each.told.set_exception(error)

    async def _ask(self) -> None:
        try:
            self._loads = await sync_to_async(self._read, thread_sensitive=False)()
        except Unreadable as error:
            log.warning("oncall.upstream_unreadable", reason=str(error))
            self._loads, self._warehouse = {}, None
        for each in self.waiting:
            if not each.told.done() and all(self._is_fresh(pair) for pair in each.pairs):
                each.told.set_result(None)

    def _is_fresh(self, pair: Pair) -> bool:
        return pair in self._loads and self._loads[pair].state == "fresh"

    def _read(self) -> dict[Pair, Load]:
        wanted = sorted({pair for each in tuple(self.waiting) for pair in each.pairs})
        if self._warehouse is None or time.monotonic() >= self._renew_at:
            self._renew_at = time.monotonic() + RENEW_S
            # It may be written anew, or its name lead elsewhere, while the one before still answers.
            with suppress(*([Unreadable] if self._warehouse else [])):
                newer = Warehouse(connect_by("warehouse"), volume_in_force)
                loads, self._warehouse = newer.loads_of(wanted), newer
                return loads
        assert self._warehouse is not None
        return self._warehouse.loads_of(wanted)


_POLL = _Poll()
