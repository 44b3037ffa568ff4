"""The doors to the outside, as Protocols: what the use case asks of a pager, a chat, a store and the world.

Adapters raise `DeliveryFailed` (may be tried again; `uncertain=True` when the far side may have taken it),
`Rejected` (will fail again) or `Unreadable`; nothing else leaves an adapter.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, Protocol

from oncall.core.message import Message


@dataclass(frozen=True)
class PagerCapabilities:
    """What this far side can do (FACTS: Jira Service Management can do less than Opsgenie)."""

    name: str
    reads_alerts: bool
    heartbeats: bool


@dataclass(frozen=True)
class AlertState:
    """An alert as the far side shows it. `owner`: who acknowledged it, "" when nobody or not told."""

    open: bool
    acknowledged: bool
    owner: str = ""
    alert_id: str = ""


RequestState = Literal["pending", "done", "failed"]


class Pager(Protocol):
    """Wakes people. Every action is accepted first (a request id) and is true only when its request is done."""

    @property
    def capabilities(self) -> PagerCapabilities: ...

    def page(self, message: Message) -> str:
        """Create the alert `message.alias` for `message.recipients`; returns the request id."""
        ...

    def close(self, alias: str, note: str) -> str: ...

    def acknowledge(self, alias: str, note: str, user: str) -> str: ...

    def note(self, alias: str, note: str) -> str: ...

    def request_state(self, request_id: str) -> tuple[RequestState, str]:
        """Whether the request was carried out, and the far side's words."""
        ...

    def alert_state(self, alias: str) -> AlertState | None:
        """None when the far side knows no such alert. Raises Unreadable where `reads_alerts` is False."""
        ...

    def ping(self, heartbeat: str) -> None:
        """Tell the heartbeat that we live."""
        ...


@dataclass(frozen=True)
class Posted:
    """Where a chat message stands: channel id (not name) and ts (a string)."""

    channel_id: str
    ts: str


class Chat(Protocol):
    """Says things where the team reads."""

    def post(self, message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        """Post to a channel (name or id), or as a reply in its thread."""
        ...

    def find(
        self, key: str, step: str, channel: str, oldest: dt.datetime, thread_ts: str | None = None
    ) -> Posted | None:
        """The message of this key and step posted since `oldest` (by its metadata), or None."""
        ...

    def update(self, message: Message, posted: Posted) -> None: ...
