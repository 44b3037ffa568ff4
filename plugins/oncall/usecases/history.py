"""What is told of the past: incidents with their timeline, publications. Data only; reads nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from oncall.core.incidents.incident import Channel, Event, Incident, NotificationStatus
from oncall.core.promises.attainment import FirstPublished

Published = Mapping[dt.date, FirstPublished]  # a report's days
# A watcher that has not looked for so long is not there.
WATCHER_SILENT_AFTER = dt.timedelta(seconds=60)


@dataclass(frozen=True)
class DeliveryRecord:
    """One delivery as it stands: what was owed to which channel, to whom, and what became of it.

    `state` is owed, accepted, done or cancelled; `error` is the far side's last refusal ("" when there was none).
    `maybe_taken`, `unreached` and `account` as in `NotificationStatus`. `room`: the channel of other people ("": ours).
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
    maybe_taken: bool = False
    unreached: str = ""
    room: str = ""
    account: str = ""

    @property
    def as_status(self) -> NotificationStatus:
        """The same as the rules see it."""
        return NotificationStatus(
            self.step, self.channel, self.op,  # type: ignore[arg-type]
            alias=self.alias, state=self.state, person=next(iter(self.people), ""),  # type: ignore[arg-type]
            owed_at=self.owed_at, done_at=self.done_at, maybe_taken=self.maybe_taken, unreached=self.unreached,
            account=self.account,
        )  # fmt: skip


@dataclass(frozen=True)
class IncidentRecord:
    """An incident with all that happened to it, oldest first. `others`: what other people's channels were told."""

    incident: Incident
    events: tuple[Event, ...] = ()
    told: tuple[DeliveryRecord, ...] = ()
    others: tuple[DeliveryRecord, ...] = ()


@dataclass(frozen=True)
class SystemHealth:
    """Whether the on-call system lives. `tick`: when the watcher last looked (None: never); `files_valid`: as it found
    the files then (None: not known); `owed`: deliveries that no far side has taken, the oldest since `owed_since`."""

    tick: dt.datetime | None = None
    files_valid: bool | None = None
    owed: int = 0
    owed_since: dt.datetime | None = None


@dataclass(frozen=True)
class FeedLink:
    """A link that needs no sign-in. `what` is calendar:<person or team> or badge:<report>; `id` revokes it.

    `by` made it at `at`; from `until` on it opens nothing; `used_at`: when it was used last, to the hour (None: never).
    """

    id: str
    what: str
    by: str
    at: dt.datetime
    until: dt.datetime
    used_at: dt.datetime | None = None


class Feeds(Protocol):
    """The links that need no sign-in, and what calendars said before. Raises Unreadable."""

    def make(self, what: str, by: str, at: dt.datetime) -> str:
        """A new key for it, for a year; it is told once and kept nowhere."""
        ...

    def find(self, key: str, at: dt.datetime) -> str | None:
        """What the key is for, noting that it was used; None when nobody made it, it was revoked or has expired."""
        ...

    def all(self) -> Sequence[FeedLink]:
        """Every link that was made and not revoked."""
        ...

    def revoke(self, link_id: str) -> bool:
        """Let the link open nothing from now on; False when there is none of this id."""
        ...

    def revise(self, what: str, change: Callable[[str], str]) -> str:
        """Replace what was said before by what `change` makes of it, and return that."""
        ...
