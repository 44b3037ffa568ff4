"""The watcher: lives in the triggerer, needs no run, no scheduler, no API server and no worker slot.

Loops that cannot hold each other up: one looks (every 15 s, and at each due instant to the moment), three send pages
(somebody's first call, further steps, all the rest), one posts, one asks who has acknowledged, one pings the heartbeat
while the first is alive. When `oncall_db` is down it goes on from memory; when a look hangs, from what it last knew.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import structlog
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from oncall.airflow.composition import PerLoop, Wiring
from oncall.airflow.look import LOOK_S, Looker
from oncall.airflow.run_once import quietly
from oncall.core.errors import Unreadable, trace
from oncall.core.incidents.wording import Scene
from oncall.usecases.delivery_round import Sent
from oncall.usecases.dispatch import Dispatch
from oncall.usecases.evaluate import Evaluation, due_instants
from oncall.usecases.heartbeat import ping_all
from oncall.usecases.ports import LANES, OTHERS_CHANNELS, OUR_CHANNELS, Lane, OutboxEntry, Store

log = structlog.get_logger(__name__)
T = TypeVar("T")

TICK_S = 15.0
CLOCK_S = 1.0  # how long a look waits for the databases' clocks and for telling of the last one
PING_S = 60.0
ACK_POLL_S = 5.0
NEW_S = 60.0
ALIVE_S = 45.0  # a look older than this is no sign of life


class SlaWatch(BaseEventTrigger):
    """Watches the promises for ever; an event tells the `sla_watch` DAG that incidents were opened or resolved."""

    def __init__(self, tick_s: float = TICK_S) -> None:
        super().__init__()
        self.tick_s = tick_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return ("oncall.airflow.watcher.SlaWatch", {"tick_s": self.tick_s})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        watch = Watch(self.tick_s)
        loops = [asyncio.create_task(loop) for loop in watch.loops()]
        try:
            async for keys in watch.looks():
                yield TriggerEvent({"incidents": keys})
        finally:
            for loop in loops:
                loop.cancel()
            watch.pool.shutdown(wait=False, cancel_futures=True)


class Watch:
    """The watcher's loops. Everything blocking runs in its own pool, so that no other trigger waits for it."""

    def __init__(self, tick_s: float) -> None:
        self.tick_s = tick_s
        self.pool = ThreadPoolExecutor(max_workers=12, thread_name_prefix="oncall")
        self.looker = Looker()
        self._beside: dict[str, asyncio.Future[None]] = {}
        self.look_now = asyncio.Event()
        self.owed = {name: asyncio.Event() for name in (*LANES, "chat", "others")}

    def loops(self) -> Sequence[Coroutine[Any, Any, None]]:
        return (
            *(self.send(lane, partial(Dispatch.pages, lane=lane)) for lane in LANES),
            self.send("chat", partial(Dispatch.posts, lane=OUR_CHANNELS)),
            self.send("others", partial(Dispatch.posts, lane=OTHERS_CHANNELS)),
            self.sync_acknowledgements(),
            self.ping(),
        )

    async def looks(self) -> AsyncIterator[list[str]]:
        """Look, and yield the keys of incidents whenever the set of open ones has changed."""
        known_keys: set[str] | None = None
        hanging: asyncio.Future[Evaluation | None] | None = None
        await self._within(LOOK_S, "clock", self.looker.prepare)
        while True:
            began = time.monotonic()
            at = self.looker.clock()
            hanging = hanging or self._in_pool(partial(self.looker.look, at))
            await _at_most(LOOK_S, asyncio.shield(hanging))
            if hanging.done():
                seen, hanging = await self._result(hanging), None
            else:
                log.error("oncall.look_hangs", seconds=LOOK_S)
                seen = await self._blocking(partial(self.looker.look_blind, self.looker.clock()))
            for owed in self.owed.values():
                owed.set()
            if seen is not None:
                before = self.looker.known.looked_at
                self.looker.know(seen=seen, looked_at=time.monotonic())
                await self._within(CLOCK_S, "measure", partial(self.looker.measure, at, began, before))
                open_keys = {case.incident.key for case in seen.cases}
                if known_keys is not None and open_keys != known_keys:
                    yield sorted(open_keys ^ known_keys)
                known_keys = open_keys
            await self._within(CLOCK_S, "clock", self.looker.set_clock)
            await self._sleep_until(self._next_look(min(at, self.looker.clock()), seen))

    def _next_look(self, at: dt.datetime, seen: Evaluation | None) -> dt.datetime:
        instants = [at + dt.timedelta(seconds=self.tick_s)]
        if seen is not None and seen.next_at is not None:
            instants.append(seen.next_at)
        elif self.looker.known.services is not None:
            instants += due_instants(self.looker.known.services.config, at)
        return min(instants)

    async def _sleep_until(self, instant: dt.datetime) -> None:
        """Sleep until then, no shorter (at 04:59:59.999 a promise is not broken) unless somebody cannot be reached."""
        while (left := (instant - self.looker.clock()).total_seconds()) > 0:
            await _at_most(left, self.look_now.wait())
            if self.look_now.is_set():
                break
        self.look_now.clear()

    async def send(self, name: Lane | str, act: Callable[[Dispatch], Sent]) -> None:
        """Send what one lane owes as soon as it is owed; its pages also whenever one may be left to somebody else."""
        store, journal = PerLoop[Store](Wiring.store), list[OutboxEntry]()
        while True:
            await _at_most(
                ACK_POLL_S if name in LANES and self._is_busy() else self.tick_s, self.owed[name].wait()
            )
            self.owed[name].clear()
            await self._send(store, journal, act)

    async def sync_acknowledgements(self) -> None:
        """Ask who has acknowledged, while there is something to acknowledge; first for alerts that nobody knows of,
        until that is answered."""
        store, began = PerLoop[Store](Wiring.store), 0.0
        while True:
            await asyncio.sleep(ACK_POLL_S)
            dispatch = self._dispatch(store, [])
            if dispatch is not None and dispatch.seen is not None and began != self.looker.known.began:
                since = self.looker.known.began
                if await self._blocking(lambda d=dispatch: quietly(d.lost_alerts)):  # type: ignore[misc]
                    began = since
            if dispatch is not None and self._is_busy():
                await self._blocking(lambda d=dispatch: quietly(d.acknowledgements))  # type: ignore[misc]

    async def ping(self) -> None:
        """Ping the heartbeats, for as long as this watcher looks."""
        store = PerLoop[Store](Wiring.store)
        while True:
            looked_at = self.looker.known.looked_at
            if looked_at is not None and time.monotonic() - looked_at < ALIVE_S:
                await self._blocking(lambda: self._ping(store))
                await asyncio.sleep(PING_S)
            else:
                await asyncio.sleep(1.0)

    async def _send(
        self, store: PerLoop[Store], journal: list[OutboxEntry], act: Callable[[Dispatch], Sent]
    ) -> None:
        dispatch = self._dispatch(store, journal)
        if dispatch is None:
            return
        sent: list[Sent] = []

        def send() -> None:
            try:
                sent.append(act(dispatch))
            except Unreadable as error:
                if self.looker.known.memory is None:
                    self.looker.cannot_send(str(error))
                raise

        await self._blocking(lambda: quietly(send))
        if any(round_.unreached for round_ in sent):
            self.look_now.set()

    def _dispatch(self, store: PerLoop[Store], journal: list[OutboxEntry]) -> Dispatch | None:
        known = self.looker.known
        if known.wiring is None or known.services is None:
            return None
        # A watcher before this one may have paged from memory, and its memory went with it; or the store has lost it.
        new = time.monotonic() - known.began < NEW_S
        return known.wiring.dispatch(
            known.services.config, known.memory or store.of(known.wiring), self.looker.clock, known.seen,
            check_before_send=new, journal=journal,
        )  # fmt: skip

    def _ping(self, store: PerLoop[Store]) -> None:
        known, services = self.looker.known, self.looker.known.services
        if known.wiring is not None and services is not None:
            at_hand = known.memory or store.of(known.wiring)
            scene = Scene(services.config.roster, services.links, self.looker.clock())
            quietly(lambda: ping_all(services.config.heartbeats, services.pager, at_hand, scene))

    def _is_busy(self) -> bool:
        return bool(self.looker.known.snapshot.incidents or self.looker.known.memory)

    async def _within(self, seconds: float, name: str, act: Callable[[], None]) -> None:
        """Wait so long at most; what hangs is neither waited for nor begun again."""
        if name not in self._beside or self._beside[name].done():
            self._beside[name] = asyncio.ensure_future(self._blocking(act))
            await asyncio.wait([self._beside[name]], timeout=seconds)

    def _in_pool(self, act: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self.pool, act)

    async def _blocking(self, act: Callable[[], T]) -> T | None:
        """Run in our own pool; whatever goes wrong is logged, and the loop goes on."""
        return await self._result(self._in_pool(act))

    @staticmethod
    async def _result(future: asyncio.Future[T]) -> T | None:
        try:
            return await future
        except Exception as error:  # noqa: BLE001 - the loop goes on
            log.error("oncall.watcher", traceback=trace(error))
            return None


async def _at_most(seconds: float, what: Awaitable[Any]) -> None:
    # Not `asyncio.wait_for`: Python 3.11's forgets that it was cancelled in the instant in which the wait ends, and
    # the watcher would go on for ever (https://github.com/python/cpython/issues/86296).
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await what
