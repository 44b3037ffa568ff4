"""The watcher: lives in the triggerer, needs no run, no scheduler, no API server and no worker slot.

Loops that cannot hold each other up: one looks (every 15 s, and at each due instant to the moment), three send pages
(somebody's first call, further steps, all the rest), one posts, one asks who has acknowledged, one pings the heartbeat
while the first is alive. When `oncall_db` is down it goes on from memory; when a look hangs, from what it last knew.
What a look finds out it hands to the loops in one piece, `Known`, which nobody changes.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, TypeVar

import structlog
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from oncall.adapters.memory_store import MemoryStore
from oncall.airflow.composition import Services, Wiring, clocks_of
from oncall.airflow.run_once import quietly
from oncall.core.errors import OncallError, Unreadable
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import store_unusable, store_usable
from oncall.core.promises.facts import TypicalDurations
from oncall.usecases.changed_connections import note_connections
from oncall.usecases.chat_delivery import CHANNEL_ID, THREAD
from oncall.usecases.current_config import config_in_force, say_configuration
from oncall.usecases.delivery_round import LEASE, Sent
from oncall.usecases.dispatch import Dispatch
from oncall.usecases.evaluate import LOOK_BACK, NOTES, SINCE, Evaluation, due_instants, evaluate
from oncall.usecases.heartbeat import ping_all
from oncall.usecases.metrics import of_look, of_snapshot, of_tick
from oncall.usecases.notes import TICK, instant, noted
from oncall.usecases.ports import (
    LANES,
    NOTHING_AT_ALL,
    OTHERS_CHANNELS,
    OUR_CHANNELS,
    Lane,
    OutboxEntry,
    Snapshot,
    Store,
    TaskRunReader,
)
from oncall.usecases.timekeeping import SteadyClock, note_clocks, read_clocks, utc_now

log = structlog.get_logger(__name__)
T = TypeVar("T")

TICK_S = 15.0
LOOK_S = 15.0  # a look that takes longer hangs: the next ones go by what was last known
NO_ANSWER = f"warehouse or oncall_db: no answer within {LOOK_S:.0f} s"
HANGS_S = 2.0  # a database that fails after so long does not answer: it is not asked again in the same look
CLOCK_S = 1.0  # how long a look waits for the databases' clocks and for telling of the last one
PING_S = 60.0
HEAR_S = 5.0
RENEW_S = 120.0  # how long connections are used before they are read again
NEW_S = 60.0
STAYS_AWAY = dt.timedelta(minutes=5)  # longer than a restart or a failover takes
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


@dataclass(frozen=True)
class Known:
    """What the loops go by. `memory`: the store while oncall_db is down, `down_since` then; `handed_over`: it was, and
    a sender may still have been at work on it; `ticked`: what oncall_db was last told, at least; `looked_at` is of the
    monotonic clock."""

    wiring: Wiring | None = None
    services: Services | None = None
    seen: Evaluation | None = None
    snapshot: Snapshot = field(default_factory=Snapshot)
    memory: MemoryStore | None = None
    down_since: dt.datetime | None = None
    handed_over: MemoryStore | None = None
    ticked: dt.datetime | None = None
    looked_at: float | None = None


class Watch:
    """The watcher's state. Everything blocking runs in its own pool, so that no other trigger waits for it."""

    def __init__(self, tick_s: float) -> None:
        self.tick_s = tick_s
        self.pool = ThreadPoolExecutor(max_workers=12, thread_name_prefix="oncall")
        self.clock = SteadyClock(utc_now())
        self.began = self.renewed = time.monotonic()
        self.known = Known()
        self._knowing = threading.Lock()
        self._beside: dict[str, asyncio.Future[None]] = {}
        self._clock_links = _PerLoop(lambda wiring: (wiring.store(), wiring.world()))
        self.look_now = asyncio.Event()
        self.owed = {name: asyncio.Event() for name in (*LANES, "chat", "others")}

    def loops(self) -> Sequence[Coroutine[Any, Any, None]]:
        return (
            *map(self.send_pages, LANES),
            self.send_posts("chat", OUR_CHANNELS),
            self.send_posts("others", OTHERS_CHANNELS),
            self.hear(),
            self.ping(),
        )

    async def looks(self) -> AsyncIterator[list[str]]:
        """Look, and yield the keys of incidents whenever the set of open ones has changed."""
        known_keys: set[str] | None = None
        hanging: asyncio.Future[Evaluation | None] | None = None
        await self._within(LOOK_S, "clock", self._prepare)
        while True:
            began = time.monotonic()
            at = self.clock()
            hanging = hanging or self._in_pool(partial(self._look, at))
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(hanging), LOOK_S)
            if hanging.done():
                seen, hanging = await self._result(hanging), None
            else:
                log.error("oncall.look_hangs", seconds=LOOK_S)
                seen = await self._blocking(partial(self._look_blind, self.clock()))
            for owed in self.owed.values():
                owed.set()
            if seen is not None:
                before = self.known.looked_at
                self.know(seen=seen, looked_at=time.monotonic())
                await self._within(CLOCK_S, "measure", partial(self._measure, self.known, at, began, before))
                open_keys = {case.incident.key for case in seen.cases}
                if known_keys is not None and open_keys != known_keys:
                    yield sorted(open_keys ^ known_keys)
                known_keys = open_keys
            await self._within(CLOCK_S, "clock", self._set_clock)
            await self._sleep_until(self._next_look(min(at, self.clock()), seen))

    def know(self, **found: Any) -> None:
        """Hand on what was found out: a look that hung may come back beside the one that went on without it."""
        with self._knowing:
            self.known = replace(self.known, **found)

    def _next_look(self, at: dt.datetime, seen: Evaluation | None) -> dt.datetime:
        instants = [at + dt.timedelta(seconds=self.tick_s)]
        if seen is not None and seen.next_at is not None:
            instants.append(seen.next_at)
        elif self.known.services is not None:
            instants += due_instants(self.known.services.config, at)
        return min(instants)

    async def _sleep_until(self, instant: dt.datetime) -> None:
        """Never wakes early: at 04:59:59.999 a promise is not broken. Unless somebody cannot be reached."""
        while (left := (instant - self.clock()).total_seconds()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.look_now.wait(), left)
            if self.look_now.is_set():
                break
        self.look_now.clear()

    def _prepare(self) -> None:
        self._renewed()
        self._set_clock()

    def _set_clock(self) -> None:
        """Agree on the time with the databases' clocks, and say which one is wrong."""
        known = self.known
        services = known.services
        if known.wiring is None or services is None:
            return
        # Not over the look's connections: this may go on beside the next look, and two threads on one connection
        # would end each other's transactions.
        store, world = self._clock_links.of(known.wiring)
        clocks = clocks_of(store, world)
        agreed = read_clocks(clocks)
        self.clock.set(agreed.at)
        scene = Scene(services.config.roster, services.links, agreed.at)
        quietly(lambda: note_clocks(self.known.memory or store, scene, agreed, clocks))

    def _look(self, at: dt.datetime) -> Evaluation | None:
        try:
            services = self._renewed()
        except OncallError as error:
            log.error("oncall.cannot_watch", reason=str(error))
            return None
        asked = time.monotonic()
        try:
            return self._look_on(services, services.store, at)
        except Unreadable as error:
            log.warning("oncall.store_down", reason=str(error))
            reason, hangs = str(error), time.monotonic() - asked > HANGS_S
        seen = self._look_from_memory(services, at, runs=_Hanging(reason) if hangs else services.runs)
        quietly(lambda: self._say_down(services, at, reason))
        return seen

    def _look_on(self, services: Services, store: Store, at: dt.datetime) -> Evaluation:
        self._hand_over(store, at)
        # What can be read and written, and not be sent from, is of no use: its pages would wait for ever.
        store.claim("pager", NOTHING_AT_ALL, LEASE["pager"])
        seen = evaluate(services.config, services.world, services.runs, store, services.links, at)
        store.set_note(TICK, at.isoformat())
        scene = Scene(services.config.roster, services.links, at)
        quietly(lambda: say_configuration(store, scene, services.problems))
        quietly(lambda: self._say_connections(store, scene))
        quietly(lambda: self._say_back(services, at))
        names = [*NOTES, *(f"{CHANNEL_ID}:{name}" for name in services.config.channels)]
        names += [f"{THREAD}:{case.incident.key}" for case in seen.cases]
        notes = store.evaluation_inputs(at, names).notes
        self.know(snapshot=replace(store.snapshot(), notes=dict(notes)), ticked=at)
        return seen

    def _say_connections(self, store: Store, scene: Scene) -> None:
        if self.known.wiring is not None:
            note_connections(store, scene, self.known.wiring.troubles)

    def _say_down(self, services: Services, at: dt.datetime, reason: str) -> None:
        """Say once, from memory, that oncall_db stays away."""
        memory, since = self.known.memory, self.known.down_since
        if memory is not None and since is not None and at - since > STAYS_AWAY:
            notice = store_unusable(Scene(services.config.roster, services.links, at), since, reason)
            with memory.decision_lock() as decision:
                decision.record(Plan(owed=(notice,)), at)  # which owes nothing twice

    def _say_back(self, services: Services, at: dt.datetime) -> None:
        """… and, where that was said, that it is back."""
        since = self.known.down_since
        if since is None:
            return
        self.know(down_since=None)
        if at - since > STAYS_AWAY:
            notice = store_usable(Scene(services.config.roster, services.links, at), since)
            with services.store.decision_lock() as decision:
                decision.record(Plan(owed=(notice,)), at)

    def _hand_over(self, store: Store, at: dt.datetime) -> None:
        """Tell the store what went on without it; all that this watcher knows, when the store has lost something."""
        known = self.known
        for memory in (known.handed_over, known.memory):
            if memory is not None:
                store.merge(memory.snapshot())
        if known.memory is not None:
            log.info("oncall.store_back")
        self.know(handed_over=known.memory, memory=None)
        told = noted(TICK, store.evaluation_inputs(at, (TICK,)).notes.get(TICK), instant, None)
        if known.ticked is not None and (told is None or told < known.ticked):
            log.warning("oncall.store_lost_something", since=str(told))
            store.merge(_uncertain(known.snapshot, self.clock).snapshot())

    def _look_from_memory(self, services: Services, at: dt.datetime, runs: TaskRunReader) -> Evaluation:
        """`oncall_db` is down: page all the same, from what was last known. It is not waited for twice in a look."""
        return evaluate(services.config, services.world, runs, self._remembering(at), services.links, at)

    def _look_blind(self, at: dt.datetime) -> Evaluation | None:
        """A look hangs in something that has no bound: page all the same, from what was last known."""
        memory, known = self._remembering(at), self.known
        if known.wiring is None:
            return None
        services = known.services or known.wiring.services(memory)
        self.know(services=services)
        hangs = _Hanging(NO_ANSWER)
        return evaluate(services.config, hangs, hangs, memory, services.links, at)

    def _remembering(self, at: dt.datetime) -> MemoryStore:
        if self.known.memory is not None:
            return self.known.memory
        memory = _uncertain(self.known.snapshot, self.clock)
        # Whoever began while it was down remembers nothing: rather look back too far than miss a page.
        memory.notes.setdefault(SINCE, (at - LOOK_BACK).isoformat())
        self.know(memory=memory, down_since=self.known.down_since or at)
        return memory

    @staticmethod
    def _measure(known: Known, at: dt.datetime, began: float, before: float | None) -> None:
        """Tell of this look, after the senders were woken: `before` is when the last one had ended."""
        if known.wiring is None or known.services is None or known.seen is None or known.looked_at is None:
            return
        memory, tell = known.memory, known.wiring.metrics.tell
        age = dt.timedelta(seconds=began - before) if before is not None else None
        tell(of_tick(age, known.looked_at - began))
        tell(of_look(known.seen, roster_valid=not known.services.problems, store_readable=memory is None))
        tell(of_snapshot(memory.snapshot() if memory else known.snapshot, at))

    def _renewed(self) -> Services:
        """What is outside, with connections read anew now and then, and the configuration at every look."""
        known, stale = self.known, time.monotonic() - self.renewed > RENEW_S
        wiring, services = known.wiring, known.services
        if wiring is None or services is None or stale:
            wiring = Wiring(wiring)
            self.renewed = time.monotonic()
            # before the first call that can hang: who goes on without this look needs it
            self.know(wiring=wiring)
            quietly(wiring.store().install)
            services = wiring.services()
            for channel in (wiring.pager, wiring.chat):
                quietly(channel.prepare)
        config, problems = config_in_force(self.known.memory or services.store)
        services = replace(services, config=config, problems=problems)
        self.know(services=services)
        return services

    async def send_pages(self, lane: Lane) -> None:
        """Send this lane's pages as soon as they are owed."""
        store, journal = _PerLoop[Store](Wiring.store), list[OutboxEntry]()
        while True:
            await _wait(self.owed[lane], HEAR_S if self._is_busy() else self.tick_s)
            await self._send(store, journal, partial(Dispatch.pages, lane=lane))

    async def send_posts(self, name: str, lane: Lane) -> None:
        """Post what this lane owes: to our own channels, or beside them to those of other teams."""
        store, journal = _PerLoop[Store](Wiring.store), list[OutboxEntry]()
        while True:
            await _wait(self.owed[name], self.tick_s)
            await self._send(store, journal, partial(Dispatch.posts, lane=lane))

    async def hear(self) -> None:
        """Ask who has acknowledged, while there is something to acknowledge; first for alerts that nobody knows of."""
        store, begins = _PerLoop[Store](Wiring.store), True
        while True:
            await asyncio.sleep(HEAR_S)
            dispatch = self._dispatch(store, [])
            if dispatch is not None and dispatch.seen is not None and begins:
                begins = False
                await self._blocking(lambda d=dispatch: quietly(d.lost_alerts))  # type: ignore[misc]
            if dispatch is not None and self._is_busy():
                await self._blocking(lambda d=dispatch: quietly(d.acknowledgements))  # type: ignore[misc]

    async def ping(self) -> None:
        """Tell the far side that we live, for as long as we truly look."""
        store = _PerLoop[Store](Wiring.store)
        while True:
            looked_at = self.known.looked_at
            if looked_at is not None and time.monotonic() - looked_at < ALIVE_S:
                await self._blocking(lambda: self._ping(store))
                await asyncio.sleep(PING_S)
            else:
                await asyncio.sleep(1.0)

    async def _send(
        self, store: _PerLoop[Store], journal: list[OutboxEntry], act: Callable[[Dispatch], Sent]
    ) -> None:
        dispatch = self._dispatch(store, journal)
        if dispatch is None:
            return
        sent: list[Sent] = []
        await self._blocking(lambda: quietly(lambda: sent.append(act(dispatch))))
        if any(round_.unreached for round_ in sent):
            self.look_now.set()

    def _dispatch(self, store: _PerLoop[Store], journal: list[OutboxEntry]) -> Dispatch | None:
        known = self.known
        if known.wiring is None or known.services is None:
            return None
        # A watcher before this one may have paged from memory, and its memory went with it.
        new = time.monotonic() - self.began < NEW_S
        return known.wiring.dispatch(
            known.services.config, known.memory or store.of(known.wiring), self.clock, known.seen,
            check_before_send=new, journal=journal,
        )  # fmt: skip

    def _ping(self, store: _PerLoop[Store]) -> None:
        known, services = self.known, self.known.services
        if known.wiring is not None and services is not None:
            at_hand = known.memory or store.of(known.wiring)
            scene = Scene(services.config.roster, services.links, self.clock())
            quietly(lambda: ping_all(services.config.heartbeats, services.pager, at_hand, scene))

    def _is_busy(self) -> bool:
        return bool(self.known.snapshot.incidents or self.known.memory)

    async def _within(self, seconds: float, name: str, act: Callable[[], None]) -> None:
        """Wait for it so long at most; while it hangs it is neither waited for nor begun again."""
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
        except Exception:
            log.exception("oncall.watcher")
            return None


@dataclass(frozen=True)
class _Hanging:
    """What is read, while it does not answer: nobody waits for it again."""

    why: str

    def read(self, *_: object) -> Any:
        raise Unreadable(self.why)

    def usual(self, _: dt.date) -> Mapping[str, TypicalDurations]:
        return {}


def _uncertain(seen: Snapshot, clock: Callable[[], dt.datetime]) -> MemoryStore:
    """A store of what was seen last: what was still owed then may have been sent since."""
    memory = MemoryStore(uncertain=True, now=clock)
    memory.merge(seen)
    return memory


class _PerLoop(Generic[T]):
    """What one loop alone asks, over connections of its own, made anew when the wiring is."""

    def __init__(self, make: Callable[[Wiring], T]) -> None:
        self._make = make
        self._made: tuple[Wiring, T] | None = None

    def of(self, wiring: Wiring) -> T:
        if self._made is None or self._made[0] is not wiring:
            self._made = (wiring, self._make(wiring))
        return self._made[1]


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    event.clear()
