"""The store in this process's memory: what the watcher pages from while `oncall_db` is down. Forgets at its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import RLock

from oncall.adapters.oncall_db import urgency
from oncall.core.decide import Said
from oncall.core.incident import Channel, Event, Incident, Owed, Plan
from oncall.ports import Delivery, Drill, Posted, Remembered, Snapshot, Which


@dataclass
class _Slot:
    """A delivery and when it may be claimed."""

    delivery: Delivery
    urgency: int
    next_at: dt.datetime
    lease_until: dt.datetime | None = None

    def free(self, at: dt.datetime) -> bool:
        """Whether it may be claimed now, as far as it alone is concerned."""
        return self.next_at <= at and (self.lease_until is None or self.lease_until <= at)


@dataclass
class MemoryStore:
    """Implements `Store` and `Desk`. `tries` is what a new delivery has behind it: with 1 the chat's history is asked
    before the first post, because another process may have posted before the database went away."""

    tries: int = 0
    incidents_by_key: dict[str, Incident] = field(default_factory=dict)
    slots: dict[tuple[str, str, str], _Slot] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    begun: list[Drill] = field(default_factory=list)
    _lock: RLock = field(default_factory=RLock)

    def remembered(self, at: dt.datetime, names: Sequence[str]) -> Remembered:
        still_open = [i for i in self.incidents() if i.open and not i.drill]
        return Remembered(
            {name: self.notes[name] for name in names if name in self.notes},
            [(i.dag_id, i.report_date) for i in still_open],
            list(self.begun),
        )

    @contextmanager
    def deciding(self) -> Iterator[MemoryStore]:
        with self._lock:
            yield self

    def incidents(self, of: Collection[Which] = ()) -> list[Incident]:
        return sorted(self.incidents_by_key.values(), key=lambda i: (i.opened_at, i.key))

    def told(self, of: Collection[Which] = ()) -> list[tuple[Incident, Said]]:
        incidents = self.incidents(of)
        of_key = self.said([incident.key for incident in incidents])
        return [
            (
                incident,
                {
                    (one.channel, one.step): one.alias if one.op == "page" else ""
                    for one in of_key[incident.key]
                    if one.state != "cancelled"
                },
            )
            for incident in incidents
        ]

    def said(self, keys: Sequence[str]) -> Mapping[str, list[Delivery]]:
        said: dict[str, list[Delivery]] = {key: [] for key in keys}
        for slot in self.slots.values():
            if slot.delivery.key in said:
                said[slot.delivery.key].append(slot.delivery)
        return said

    def record(self, plan: Plan, at: dt.datetime) -> None:
        for incident in plan.incidents:
            self.incidents_by_key[incident.key] = incident
        for slot in self.slots.values():
            one = slot.delivery
            unsent = one.state == "owed" and one.attempts <= self.tries
            if one.key in plan.cancelled and one.op in ("page", "note") and unsent:
                slot.delivery = replace(one, state="cancelled")
        for owed in plan.owed:
            self._owe(owed, at)
        self.events += plan.events

    def _owe(self, owed: Owed, at: dt.datetime) -> None:
        delivery = Delivery(
            id=len(self.slots) + 1,
            key=owed.key,
            step=owed.step,
            channel=owed.channel,
            op=owed.op,
            alias=owed.alias,
            user=owed.user,
            message=owed.message,
            state="owed",
            attempts=self.tries,
            request_id="",
            owed_at=at,
        )
        self.slots.setdefault((owed.key, owed.step, owed.channel), _Slot(delivery, urgency(owed), at))

    def claim(self, channel: Channel, at: dt.datetime, lease: dt.timedelta) -> Delivery | None:
        with self._lock:
            free = [slot for slot in self._waiting(channel) if slot.free(at)]
            if not free:
                return None
            slot = min(free, key=lambda each: (each.urgency, each.delivery.id))
            slot.lease_until = at + lease
            slot.delivery = replace(slot.delivery, attempts=slot.delivery.attempts + 1)
            return slot.delivery

    def _waiting(self, channel: Channel) -> list[_Slot]:
        """What is not done on this channel; of each thread only the first, because a thread is told in order."""
        waiting = [
            slot
            for slot in self.slots.values()
            if slot.delivery.channel == channel and slot.delivery.state in ("owed", "accepted")
        ]
        if channel == "pager":
            return waiting
        first: dict[str, _Slot] = {}
        for slot in sorted(waiting, key=lambda each: each.delivery.id):
            first.setdefault(slot.delivery.key, slot)
        return list(first.values())

    def accepted(self, delivery: Delivery, request_id: str, again_at: dt.datetime) -> None:
        self._settle(delivery, again_at, state="accepted", request_id=request_id)

    def done(self, delivery: Delivery, at: dt.datetime, posted: Posted | None = None) -> None:
        self._settle(delivery, at, state="done", done_at=at, posted=posted, error="")

    def failed(self, delivery: Delivery, reason: str, again_at: dt.datetime) -> None:
        self._settle(delivery, again_at, state="owed", request_id="", error=reason)

    def _settle(self, delivery: Delivery, next_at: dt.datetime, **values: object) -> None:
        with self._lock:
            slot = self.slots[delivery.key, delivery.step, delivery.channel]
            if slot.delivery.state != "cancelled":
                slot.delivery = replace(slot.delivery, **values)  # type: ignore[arg-type]
                slot.next_at, slot.lease_until = next_at, None

    def waiting(self) -> int:
        with self._lock:
            return sum(slot.delivery.state in ("owed", "accepted") for slot in self.slots.values())

    def failing(self, channel: Channel) -> bool:
        with self._lock:
            owed = (
                slot.delivery for slot in self.slots.values() if slot.delivery.state in ("owed", "accepted")
            )
            return any(each.channel == channel and each.error for each in owed)

    def thread(self, key: str) -> Posted | None:
        posts = [
            slot.delivery for slot in self.slots.values() if slot.delivery.key == key and slot.delivery.posted
        ]
        return min(posts, key=lambda each: each.id).posted if posts else None

    def recall(self, name: str) -> str | None:
        return self.notes.get(name)

    def remember(self, name: str, value: str) -> None:
        self.notes[name] = value

    def snapshot(self) -> Snapshot:
        with self._lock:
            return Snapshot(tuple(self.incidents()), tuple(slot.delivery for slot in self.slots.values()))

    def restore(self, snapshot: Snapshot) -> None:
        """Become what another store was."""
        with self._lock:
            self.incidents_by_key = {incident.key: incident for incident in snapshot.incidents}
            self.slots = {
                (one.key, one.step, one.channel): _Slot(
                    one,
                    urgency(Owed(one.key, one.step, one.channel, one.op, one.message, one.alias)),
                    one.owed_at,
                )
                for one in snapshot.deliveries
            }
