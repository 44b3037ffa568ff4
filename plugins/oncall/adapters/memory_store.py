"""The store in this process's memory: what the watcher pages from while `oncall_db` is down. Forgets at its end."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import RLock

from oncall.adapters.settling import Settling
from oncall.core.incidents.incident import (
    Channel,
    Event,
    Incident,
    Notification,
    NotificationStatus,
    Plan,
    incident_of,
    urgency,
)
from oncall.core.incidents.merging import merged
from oncall.core.message import Message
from oncall.usecases.channel_ports import Posted
from oncall.usecases.ports import (
    Drill,
    EvaluationInputs,
    IncidentFile,
    Lane,
    OutboxEntry,
    ReportKey,
    Snapshot,
)
from oncall.usecases.timekeeping import utc_now

# What one copy of a delivery knows more than another.
RANK = {"owed": 0, "accepted": 1, "cancelled": 2, "done": 3}


@dataclass
class _Slot:
    """A delivery and when it may be claimed."""

    delivery: OutboxEntry
    urgency: int
    next_at: dt.datetime
    lease_until: dt.datetime | None = None

    @property
    def waiting(self) -> bool:
        return self.delivery.state in ("owed", "accepted")

    def free(self, at: dt.datetime, lane: Lane) -> bool:
        """Whether it may be claimed now, as far as it alone is concerned."""
        leased = self.lease_until is not None and self.lease_until > at
        return lane.first <= self.urgency <= lane.last and self.next_at <= at and not leased


def _to_be_owed_again(before: OutboxEntry, owed: Notification) -> bool:
    """Whether it was withdrawn, or was refused for another person."""
    others = before.message.recipients != owed.message.recipients
    return before.state == "cancelled" or (before.entry.refused and others)


@dataclass
class MemoryStore(Settling):
    """Implements `Store` and `DecisionTransaction`.

    `uncertain`: another process may have sent what is owed here, before the database went away, so the far side is
    asked before the first try. `now`: this store's clock.
    """

    uncertain: bool = False
    now: Callable[[], dt.datetime] = utc_now
    incidents_by_key: dict[str, Incident] = field(default_factory=dict)
    slots: dict[tuple[str, str, str], _Slot] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    begun: list[Drill] = field(default_factory=list)
    _lock: RLock = field(default_factory=RLock)

    def evaluation_inputs(self, at: dt.datetime, names: Sequence[str]) -> EvaluationInputs:
        """Implements `Store`."""
        still_open = [i for i in self.incidents() if i.open and not i.drill]
        return EvaluationInputs(
            {name: self.notes[name] for name in names if name in self.notes},
            [(i.dag_id, i.report_date) for i in still_open],
            list(self.begun),
        )

    @contextmanager
    def decision_lock(self) -> Iterator[MemoryStore]:
        """Implements `Store`, among the threads of this process."""
        with self._lock:
            yield self

    def incidents(self, of: Collection[ReportKey] = ()) -> list[Incident]:
        return sorted(self.incidents_by_key.values(), key=lambda i: (i.opened_at, i.key))

    def told(self, of: Collection[ReportKey] = ()) -> list[tuple[Incident, tuple[NotificationStatus, ...]]]:
        entries: defaultdict[str, list[NotificationStatus]] = defaultdict(list)
        for slot in self.slots.values():
            entries[incident_of(slot.delivery.key)].append(slot.delivery.entry)
        return [(incident, tuple(entries[incident.key])) for incident in self.incidents(of)]

    def said(self, keys: Sequence[str]) -> Mapping[str, list[OutboxEntry]]:
        said: dict[str, list[OutboxEntry]] = {key: [] for key in keys}
        for slot in self.slots.values():
            if slot.delivery.key in said:
                said[slot.delivery.key].append(slot.delivery)
        return said

    def file(self, key: str) -> IncidentFile | None:
        with self._lock:
            incident = self.incidents_by_key.get(key)
            if incident is None:
                return None
            followers = tuple(each for each in self.incidents() if each.leader == key)
            return IncidentFile(incident, followers, tuple(each.entry for each in self.said([key])[key]))

    def record(self, plan: Plan, at: dt.datetime) -> None:
        """Implements `Store`."""
        for incident in plan.incidents:
            self.incidents_by_key[incident.key] = incident
        for slot in self.slots.values():
            unsent = slot.delivery.state == "owed" and not slot.delivery.maybe_taken
            if slot.delivery.key in plan.cancelled and unsent:
                slot.delivery = replace(slot.delivery, state="cancelled")
        for owed in plan.owed:
            self._owe(owed, at)
        self.events += plan.events

    def _owe(self, owed: Notification, at: dt.datetime) -> None:
        where = owed.key, owed.step, owed.channel
        before = self.slots.get(where)
        if before is not None and not _to_be_owed_again(before.delivery, owed):
            return
        delivery = OutboxEntry(
            **vars(owed),
            id=before.delivery.id if before else len(self.slots) + 1,
            state="owed",
            attempts=0,
            request_id="",
            owed_at=at,
            maybe_taken=self.uncertain or bool(before and before.delivery.maybe_taken),
        )
        self.slots[where] = _Slot(delivery, urgency(owed), self.now())

    def claim(self, channel: Channel, lane: Lane, lease: dt.timedelta) -> OutboxEntry | None:
        """Implements `Store`, by the clock of this process."""
        with self._lock:
            now = self.now()
            free = [slot for slot in self._waiting(channel) if slot.free(now, lane)]
            if not free:
                return None
            slot = min(free, key=lambda each: (each.urgency, each.delivery.id))
            slot.lease_until = now + lease
            claimed = replace(slot.delivery, attempts=slot.delivery.attempts + 1)
            slot.delivery = replace(claimed, maybe_taken=True)
            return claimed

    def _waiting(self, channel: Channel) -> list[_Slot]:
        """What is not done on this channel; of each thread only the first, because a thread is told in order."""
        waiting = [slot for slot in self.slots.values() if slot.delivery.channel == channel and slot.waiting]
        if channel == "pager":
            return waiting
        first: dict[str, _Slot] = {}
        for slot in sorted(waiting, key=lambda each: each.delivery.id):
            first.setdefault(slot.delivery.key, slot)
        return list(first.values())

    def bound(self, delivery: OutboxEntry, message: Message) -> None:
        """Implements `Store`."""
        with self._lock:
            slot = self._slot(delivery)
            slot.delivery = replace(slot.delivery, message=message)

    def _settle(self, delivery: OutboxEntry, wait: dt.timedelta, **values: object) -> None:
        with self._lock:
            slot = self._slot(delivery)
            if slot.waiting:
                slot.delivery = replace(slot.delivery, **values)  # type: ignore[arg-type]
                slot.next_at, slot.lease_until = self.now() + wait, None

    def _slot(self, delivery: OutboxEntry) -> _Slot:
        return self.slots[delivery.key, delivery.step, delivery.channel]

    def waiting(self) -> int:
        with self._lock:
            return sum(slot.waiting for slot in self.slots.values())

    def thread(self, key: str) -> Posted | None:
        posts = (slot.delivery.posted for slot in self.slots.values() if slot.delivery.key == key)
        return min((post for post in posts if post and post.ts), key=lambda post: post.order, default=None)

    def said_at(self, key: str, posted: Posted) -> Message | None:
        there = (slot.delivery for slot in self.slots.values() if slot.delivery.key == key)
        return next((each.message for each in there if each.posted and each.posted.ts == posted.ts), None)

    def get_note(self, name: str) -> str | None:
        return self.notes.get(name)

    def set_note(self, name: str, value: str) -> None:
        self.notes[name] = value

    def snapshot(self) -> Snapshot:
        """Implements `Store`."""
        with self._lock:
            deliveries = tuple(slot.delivery for slot in self.slots.values())
            return Snapshot(tuple(self.incidents()), deliveries, dict(self.notes))

    def merge(self, snapshot: Snapshot) -> None:
        """Implements `Store`."""
        with self._lock:
            for incident in snapshot.incidents:
                mine = self.incidents_by_key.get(incident.key)
                self.incidents_by_key[incident.key] = merged(mine, incident) if mine else incident
            for delivery in snapshot.deliveries:
                self._take_in(delivery)
            for name, value in snapshot.notes.items():
                self.notes.setdefault(name, value)

    def _take_in(self, delivery: OutboxEntry) -> None:
        where = delivery.key, delivery.step, delivery.channel
        mine = self.slots.get(where)
        if mine is None:
            owed = Notification(*where, delivery.op, delivery.message, delivery.alias)
            delivery = replace(
                delivery, id=len(self.slots) + 1, maybe_taken=delivery.maybe_taken or self.uncertain
            )
            self.slots[where] = _Slot(delivery, urgency(owed), self.now())
        elif RANK[delivery.state] > RANK[mine.delivery.state]:
            mine.delivery = replace(delivery, id=mine.delivery.id)
        elif mine.waiting:
            # known to neither, and perhaps being sent from there just now; and tried there for long already
            pends = [each.pending_since for each in (mine.delivery, delivery) if each.pending_since]
            maybe = mine.delivery.maybe_taken or delivery.maybe_taken
            mine.delivery = replace(mine.delivery, maybe_taken=maybe, pending_since=min(pends, default=None))
