"""What is told of the past: incidents with their timeline, publications. Data only; reads nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from oncall.core.incident import Channel, Event, Incident

# A report's publications: report date → the first time it was complete and visible.
Published = Mapping[dt.date, dt.datetime]


@dataclass(frozen=True)
class Told:
    """One delivery as it stands: what was owed to which channel, to whom, and what became of it.

    `state` is owed, accepted, done or cancelled; `error` is the far side's last refusal ("" when there was none).
    """

    channel: Channel
    step: str
    op: str
    title: str
    people: tuple[str, ...]
    state: str
    attempts: int
    owed_at: dt.datetime
    done_at: dt.datetime | None = None
    alias: str = ""
    channel_id: str = ""
    ts: str = ""
    error: str = ""


@dataclass(frozen=True)
class Record:
    """An incident with all that happened to it, oldest first."""

    incident: Incident
    events: tuple[Event, ...] = ()
    told: tuple[Told, ...] = ()


class Past(Protocol):
    """The reading side of the store. Raises Unreadable."""

    def records(self, since: dt.datetime, limit: int) -> Sequence[Record]:
        """Every open incident, and those opened since, newest first."""
        ...

    def record(self, key: str) -> Record | None: ...


class Publications(Protocol):
    """When reports were published. Raises Unreadable."""

    def published(self, reports: Sequence[str], since: dt.date) -> Mapping[str, Published]: ...
