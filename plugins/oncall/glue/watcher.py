"""The watcher: lives in the triggerer, needs no run, no scheduler, no API server and no worker slot.

Four loops that cannot hold each other up: one looks (every 15 s, and at each due instant to the moment), one sends
pages, one posts, one pings the heartbeat while the first is alive. When `oncall_db` is down it goes on from memory.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import structlog
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from oncall.adapters.memory import MemoryStore
from oncall.core.errors import OncallError, Unreadable
from oncall.core.wording import Scene
from oncall.current_config import current_setup, say_configuration
from oncall.delivery import CHANNEL_ID
from oncall.glue.wiring import TICK, Outside, Wiring, now_utc, quietly, send
from oncall.heartbeat import ping_all
from oncall.measures import of_look, of_snapshot, of_tick
from oncall.paging import NOTES, SINCE, Look, due_instants, hear, look
from oncall.ports import Snapshot, Store

log = structlog.get_logger(__name__)
T = TypeVar("T")

TICK_S = 15.0
PING_S = 60.0
HEAR_S = 5.0
RENEW_S = 300.0  # how long connections are used before they are read again
NEW_S = 60.0
LOOK_BACK = dt.timedelta(hours=6)
ALIVE = dt.timedelta(seconds=45)  # a look older than this is no sign of life


class SlaWatch(BaseEventTrigger):
    """Watches the promises for ever; an event tells the `sla_watch` DAG that incidents were opened or resolved."""

    def __init__(self, tick_s: float = TICK_S) -> None:
        super().__init__()
        self.tick_s = tick_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return ("oncall.glue.watcher.SlaWatch", {"tick_s": self.tick_s})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        watch = Watch(self.tick_s)
        loops = [asyncio.create_task(loop()) for loop in (watch.send_pages, watch.send_posts, watch.ping)]
        try:
            async for keys in watch.looks():
                yield TriggerEvent({"incidents": keys})
        finally:
            for loop in loops:
                loop.cancel()
            watch.pool.shutdown(wait=False, cancel_futures=True)


class Watch:
    """The watcher's state. Everything blocking runs in its own pool, so that no other trigger waits for it."""

    def __init__(self, tick_s: float) -> None:
        self.tick_s = tick_s
        self.pool = ThreadPoolExecutor(max_workers=5, thread_name_prefix="oncall")
        self.wiring: Wiring | None = None
        self.began_at = self.renewed_at = now_utc()
        self.looked_at: dt.datetime | None = None
        self.outside: Outside | None = None
        self.memory: MemoryStore | None = None  # the store while oncall_db is down
        self.last_seen = Snapshot()
        self.kept: dict[str, str] = {}  # the store's small notes that a look from memory needs
        self.pages_owed, self.posts_owed = asyncio.Event(), asyncio.Event()

    async def looks(self) -> AsyncIterator[list[str]]:
        """Look, and yield the keys of incidents whenever the set of open ones has changed."""
        known: set[str] | None = None
        while True:
            at = now_utc()
            seen = await self._blocking(partial(self._look, at))
            self.pages_owed.set()
            self.posts_owed.set()
            if seen is not None:
                before, self.looked_at = self.looked_at, now_utc()
                await self._blocking(partial(self._measure, seen, at, before))
                open_keys = {case.incident.key for case in seen.cases}
                if known is not None and open_keys != known:
                    yield sorted(open_keys ^ known)
                known = open_keys
            await self._sleep_until(self._next_look(at, seen))

    def _next_look(self, at: dt.datetime, seen: Look | None) -> dt.datetime:
        instants = [at + dt.timedelta(seconds=self.tick_s)]
        if seen is not None and seen.next_at is not None:
            instants.append(seen.next_at)
        elif self.outside is not None:
            instants += due_instants(self.outside.setup, at)
        return min(instants)

    async def _sleep_until(self, instant: dt.datetime) -> None:
        """Never wakes early: at 04:59:59.999 a promise is not broken."""
        while (left := (instant - now_utc()).total_seconds()) > 0:
            await asyncio.sleep(left)

    def _look(self, at: dt.datetime) -> Look | None:
        try:
            outside = self._renewed(at)
        except OncallError as error:
            log.error("oncall.cannot_watch", reason=str(error))
            return None
        try:
            return self._look_on(outside, outside.store, at)
        except Unreadable as error:
            log.warning("oncall.store_down", reason=str(error))
            return self._look_from_memory(outside, at)

    def _look_on(self, outside: Outside, store: Store, at: dt.datetime) -> Look:
        if self.memory is not None:
            store.restore(self.memory.snapshot())
            self.memory = None
            log.info("oncall.store_back")
        seen = look(outside.setup, outside.world, outside.runs, store, outside.links, at)
        store.remember(TICK, at.isoformat())
        scene = Scene(outside.setup.roster, outside.links, at)
        quietly(lambda: say_configuration(store, scene, outside.problems))
        self.last_seen = store.snapshot()
        names = (*NOTES, *(f"{CHANNEL_ID}:{name}" for name in outside.setup.channels))
        self.kept = dict(store.remembered(at, names).notes)
        return seen

    def _look_from_memory(self, outside: Outside, at: dt.datetime) -> Look:
        """`oncall_db` is down: page all the same, from what was last known."""
        if self.memory is None:
            self.memory = MemoryStore(tries=1)
            self.memory.restore(self.last_seen)
            # Whoever began while it was down remembers nothing: rather look back too far than miss a page.
            self.memory.notes[SINCE] = (at - LOOK_BACK).isoformat()
            self.memory.notes.update(self.kept)
        return look(outside.setup, outside.world, outside.runs, self.memory, outside.links, at)

    def _measure(self, seen: Look, at: dt.datetime, before: dt.datetime | None) -> None:
        """Tell of this look, after the senders were woken: `before` is when the last one had ended."""
        if self.wiring is not None and self.outside is not None and self.looked_at is not None:
            memory, tell = self.memory, self.wiring.metrics.tell
            tell(of_tick(at - before if before else None, (self.looked_at - at).total_seconds()))
            tell(of_look(seen, roster_valid=not self.outside.problems, store_readable=memory is None))
            tell(of_snapshot(memory.snapshot() if memory else self.last_seen, at))

    def _renewed(self, at: dt.datetime) -> Outside:
        """What is outside, with connections read anew now and then, and the configuration at every look."""
        stale = (at - self.renewed_at).total_seconds() > RENEW_S
        if self.wiring is None or self.outside is None or stale:
            self.wiring = Wiring(self.wiring)
            self.renewed_at = at
            quietly(self.wiring.store().install)
            self.outside = self.wiring.outside()
            for channel in (self.wiring.pager, self.wiring.chat):
                quietly(channel.prepare)
        setup, problems = current_setup(self.memory or self.outside.store)
        self.outside = Outside(
            setup, problems, self.outside.world, self.outside.runs, self.outside.store,
            self.outside.pager, self.outside.chat, self.outside.links,
        )  # fmt: skip
        return self.outside

    async def send_pages(self) -> None:
        """Send pages as soon as they are owed; in between, ask who acknowledged."""
        store = _PerLoop()
        heard_at = now_utc()
        while True:
            await _wait(self.pages_owed, HEAR_S if self.last_seen.incidents or self.memory else self.tick_s)
            await self._blocking(lambda: self._send("pager", store))
            if (now_utc() - heard_at).total_seconds() >= HEAR_S:
                heard_at = now_utc()
                await self._blocking(lambda: self._hear(store))

    async def send_posts(self) -> None:
        store = _PerLoop()
        while True:
            await _wait(self.posts_owed, self.tick_s)
            await self._blocking(lambda: self._send("chat", store))

    async def ping(self) -> None:
        """Tell the far side that we live, for as long as we truly look."""
        store = _PerLoop()
        while True:
            if self.looked_at and now_utc() - self.looked_at < ALIVE:
                await self._blocking(lambda: self._ping(store))
                await asyncio.sleep(PING_S)
            else:
                await asyncio.sleep(1.0)

    def _send(self, channel: Any, store: _PerLoop) -> None:
        if self.wiring is not None and self.outside is not None:
            wiring, setup = self.wiring, self.outside.setup
            # A watcher before this one may have paged from memory, and its memory went with it.
            new = (now_utc() - self.began_at).total_seconds() < NEW_S
            quietly(lambda: send(channel, wiring, self.memory or store.of(wiring), setup, look_first=new))

    def _hear(self, store: _PerLoop) -> None:
        if self.wiring is not None and self.outside is not None:
            wiring, outside = self.wiring, self.outside
            quietly(
                lambda: hear(
                    outside.setup, outside.pager, self.memory or store.of(wiring), outside.links, now_utc()
                )
            )

    def _ping(self, store: _PerLoop) -> None:
        if self.wiring is not None and self.outside is not None:
            wiring, outside = self.wiring, self.outside
            scene = Scene(outside.setup.roster, outside.links, now_utc())
            quietly(
                lambda: ping_all(
                    outside.setup.heartbeats, outside.pager, self.memory or store.of(wiring), scene
                )
            )

    async def _blocking(self, act: Callable[[], T]) -> T | None:
        """Run in our own pool; whatever goes wrong is logged, and the loop goes on."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self.pool, act)
        except Exception:
            log.exception("oncall.watcher")
            return None


class _PerLoop:
    """A store for one loop alone, made anew when the wiring is."""

    def __init__(self) -> None:
        self._wiring: Wiring | None = None
        self._store: Store | None = None

    def of(self, wiring: Wiring) -> Store:
        if self._store is None or self._wiring is not wiring:
            self._wiring, self._store = wiring, wiring.store()
        return self._store


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    event.clear()
