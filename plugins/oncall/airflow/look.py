"""One look of the watcher, in a thread of its own: with `oncall_db`, without it, and while a look hangs.

What it finds out is handed on in one piece, `WatcherState`, which nobody changes.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from oncall.adapters.http.calls import Lanes
from oncall.adapters.memory_store import MemoryStore
from oncall.airflow.composition import PerLoop, Services, Wiring, clocks_of, renewed
from oncall.airflow.dag_files import watch_dag_files
from oncall.airflow.run_once import quietly
from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import OncallError, Unreadable
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import store_unusable, store_usable
from oncall.usecases.changed_connections import note_connections
from oncall.usecases.channel_health import DAG_FILES, health_notes
from oncall.usecases.chat_delivery import CHANNEL_ID, THREAD
from oncall.usecases.current_config import config_in_force, say_configuration
from oncall.usecases.delivery_round import LEASE
from oncall.usecases.evaluate import NOTES, Evaluation, evaluate
from oncall.usecases.heartbeat import HEARTBEATS
from oncall.usecases.lost_rows import lost_rows
from oncall.usecases.metrics import of_look, of_snapshot, of_tick
from oncall.usecases.mutual_watch import SLA_WATCH_AWAY, WATCHER_AWAY, watch_sla_watch, watch_watcher
from oncall.usecases.notes import TICK
from oncall.usecases.ports import NOTHING_AT_ALL, Snapshot, Store, TaskRunReader
from oncall.usecases.promise_statuses import NoAnswer
from oncall.usecases.timekeeping import ODD_CLOCKS, SteadyClock, note_clocks, read_clocks, utc_now
from oncall.usecases.watch_record import LOOK_BACK, SINCE

log = structlog.get_logger(__name__)

LOOK_S = 15.0  # a look that takes longer hangs: the next ones go by what was last known
NO_ANSWER = f"warehouse or oncall_db: no answer within {LOOK_S:.0f} s"
HANGS_S = 2.0  # a database that fails after so long does not answer: it is not asked again in the same look
RENEW_S = 120.0  # how long connections are used before they are read again
RENEWAL_S = 3.0  # how long a look waits for them to be read
STAYS_AWAY = dt.timedelta(minutes=5)  # longer than a restart or a failover takes


@dataclass(frozen=True)
class WatcherState:
    """What the loops go by. `memory`: the store while oncall_db is down, `down_since` then; `handed_over`: it was, and
    a sender may still have been at work on it. `looked_at` and `began` are of the monotonic clock: since `began` the
    store knows all that was done."""

    wiring: Wiring | None = None
    services: Services | None = None
    seen: Evaluation | None = None
    snapshot: Snapshot = field(default_factory=Snapshot)
    memory: MemoryStore | None = None
    down_since: dt.datetime | None = None
    handed_over: MemoryStore | None = None
    looked_at: float | None = None
    began: float = field(default_factory=time.monotonic)


class Looker:
    """Looks, and keeps what is known: whatever is slow in it runs in a thread, and never twice at once."""

    def __init__(self) -> None:
        self.clock = SteadyClock(utc_now())
        self._agreed_before: SteadyClock | None = None  # by two clocks, the last time that two agreed
        self.known = WatcherState()
        self.renewed = time.monotonic()
        self._lane = Lanes("Airflow", 1)
        self._cannot_send = ""
        self._knowing = threading.Lock()
        self._clock_links = PerLoop(lambda wiring: (wiring.store(), wiring.world()))

    def know(self, **found: Any) -> None:
        """Hand on what was found out, also by a look that hung and comes back beside a newer one."""
        with self._knowing:
            self.known = replace(self.known, **found)

    def cannot_send(self, reason: str) -> None:
        """A sender has found no way to the store. It has a connection of its own: there may be none left for it."""
        self._cannot_send = reason

    def prepare(self) -> None:
        self._renewed()
        self.set_clock()

    def set_clock(self) -> None:
        """Agree on the time with the databases' clocks, and say which one is wrong."""
        known = self.known
        services = known.services
        if known.wiring is None or services is None:
            return
        # Not over the look's connections: this may go on beside the next look, and two threads on one connection
        # would end each other's transactions.
        store, world = self._clock_links.of(known.wiring)
        agreed = read_clocks(clocks_of(store, world), self._agreed_before)
        self.clock.set(agreed.at)
        if agreed.by_two:
            self._agreed_before = SteadyClock(agreed.at)
        scene = Scene(services.config.roster, services.links, agreed.at)
        quietly(lambda: note_clocks(self.known.memory or store, scene, agreed))

    def look(self, at: dt.datetime) -> Evaluation | None:
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
        # Page all the same, from what was last known; oncall_db is not waited for twice in a look.
        runs: TaskRunReader = NoAnswer(reason) if hangs else services.runs
        seen = evaluate(services.config, services.world, runs, self._remembering(at), services.links, at)
        quietly(lambda: self._say_down(services, at, reason))
        return seen

    def _look_on(self, services: Services, store: Store, at: dt.datetime) -> Evaluation:
        # What can be read and written, and not be sent from, is of no use: its pages would wait for ever. Asked before
        # the memory is handed over, which would be made anew at each look, and would send all of it again.
        self._ask_for_the_senders()
        store.claim("pager", NOTHING_AT_ALL, LEASE["pager"])
        self.hand_over(store, at)
        seen = evaluate(services.config, services.world, services.runs, store, services.links, at)
        store.set_note(TICK, at.isoformat())
        scene = Scene(services.config.roster, services.links, at)
        quietly(lambda: say_configuration(store, scene, services.problems))
        if (wiring := self.known.wiring) is not None:
            quietly(lambda: note_connections(store, scene, wiring.troubles))
        quietly(lambda: self._say_back(services, at))
        quietly(lambda: watch_watcher(store, scene))
        quietly(lambda: watch_sla_watch(store, scene))
        quietly(lambda: watch_dag_files(services, store, scene))
        names = [
            *NOTES,
            *_spoken_of(services.config),
            *(f"{CHANNEL_ID}:{name}" for name in services.config.channels),
        ]
        names += [f"{THREAD}:{case.incident.key}" for case in seen.cases]
        notes = store.evaluation_inputs(at, names).notes
        self.know(snapshot=replace(store.snapshot(), notes=dict(notes)))
        return seen

    def _ask_for_the_senders(self) -> None:
        """Raises Unreadable where one of them found no way to the store, and there is none yet."""
        reason, wiring = self._cannot_send, self.known.wiring
        if reason and wiring is not None:
            if not wiring.answers(("oncall_db",)):
                raise Unreadable(reason)
            self._cannot_send = ""

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

    def hand_over(self, store: Store, at: dt.datetime) -> None:
        """Tell the store what went on without it, and what it knew at the last look and has lost since."""
        known = self.known
        for memory in (known.handed_over, known.memory):
            if memory is not None:
                store.merge(memory.snapshot())
        said = known.memory.notes if known.memory else {}
        for name in _spoken_of(known.services.config) if said and known.services else ():
            if (value := said.get(name, "")) != known.snapshot.notes.get(name, ""):
                store.set_note(name, value)
        self.know(handed_over=known.memory, memory=None)
        notes = store.evaluation_inputs(at, tuple(known.snapshot.notes)).notes
        lost = lost_rows(known.snapshot, replace(store.snapshot(), notes=notes), at)
        if lost != Snapshot():
            log.warning("oncall.store_lost_something", incidents=[each.key for each in lost.incidents])
            store.merge(_uncertain(lost, self.clock).snapshot())
        elif known.memory is not None:
            log.info("oncall.store_back")
        else:
            return
        self.know(began=time.monotonic())  # and what was done after the last look may be lost too

    def look_blind(self, at: dt.datetime) -> Evaluation | None:
        """Page from what was last known, while a look hangs in something that has no time-out."""
        memory, known = self._remembering(at), self.known
        if known.wiring is None:
            return None
        services = known.services or known.wiring.services(memory)
        self.know(services=services)
        hangs = NoAnswer(NO_ANSWER)
        return evaluate(services.config, hangs, hangs, memory, services.links, at)

    def _remembering(self, at: dt.datetime) -> MemoryStore:
        if self.known.memory is not None:
            return self.known.memory
        memory = _uncertain(self.known.snapshot, self.clock)
        # Whoever began while it was down remembers nothing: rather look back too far than miss a page.
        memory.notes.setdefault(SINCE, (at - LOOK_BACK).isoformat())
        self.know(memory=memory, down_since=self.known.down_since or at)
        return memory

    def measure(self, at: dt.datetime, began: float, before: float | None) -> None:
        """Send the numbers of this look; `before` is when the last one had ended."""
        known = self.known
        if known.wiring is None or known.services is None or known.seen is None or known.looked_at is None:
            return
        memory, tell = known.memory, known.wiring.metrics.tell
        age = dt.timedelta(seconds=began - before) if before is not None else None
        tell(of_tick(age, known.looked_at - began))
        tell(of_look(known.seen, roster_valid=not known.services.problems, store_readable=memory is None))
        tell(of_snapshot(memory.snapshot() if memory else known.snapshot, at))

    def _renewed(self) -> Services:
        """What is outside, with connections read anew now and then, and the configuration at every look."""
        services = self.known.services
        if services is None:
            services = self._connect()
        elif time.monotonic() - self.renewed > RENEW_S:
            # What is in use goes on where a secrets backend is slow.
            with suppress(OncallError, TimeoutError):
                services = self._lane.start(self._connect, 0).result(RENEWAL_S)
        config, problems = config_in_force(self.known.memory or services.store)
        services = replace(services, config=config, problems=problems)
        self.know(services=services)
        return services

    def _connect(self) -> Services:
        """Read the connections, unless those in use go on, and make the tables where they are missing."""
        before, self.renewed = self.known, time.monotonic()
        wiring = renewed(before.wiring)
        if wiring is before.wiring and before.services is not None:
            return self.known.services or before.services
        if before.services is None:
            # before the first call that can hang: who goes on without this look needs it
            self.know(wiring=wiring)
        quietly(wiring.store().install)
        services = wiring.services()
        for channel in (wiring.pager, wiring.chat):
            quietly(channel.prepare)
        self.know(wiring=wiring, services=services)
        return services


def _spoken_of(config: OncallConfig) -> tuple[str, ...]:
    """The notes of what has been said once: said again it would be double, and since when it is so would be untrue."""
    return (HEARTBEATS, ODD_CLOCKS, WATCHER_AWAY, SLA_WATCH_AWAY, DAG_FILES, *health_notes(config.rosters))


def _uncertain(seen: Snapshot, clock: Callable[[], dt.datetime]) -> MemoryStore:
    """A store of what was seen last: what was still owed then may have been sent since."""
    memory = MemoryStore(uncertain=True, now=clock)
    memory.merge(seen)
    return memory
