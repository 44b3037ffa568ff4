"""The doors to whoever wakes and tells people, as Protocols: what the use case asks of a pager and of a chat.

Adapters raise `DeliveryFailed` (may be tried again; `uncertain=True` when the far side may have taken it),
`Rejected` (will fail again) or `Unreadable`; nothing else leaves an adapter.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from oncall.core.message import Message


@dataclass(frozen=True)
class PagerCapabilities:
    """What this far side can do: Jira Service Management can do less than Opsgenie."""

    name: str
    reads_alerts: bool
    heartbeats: bool


@dataclass(frozen=True)
class AlertState:
    """An alert as the far side shows it. `owner`: who acknowledged it or has it, "" when nobody or not told.

    `closed_by`: the same of who closed it. Either may be a person's username, or the name of a policy or integration.
    `responders`: the usernames (or "team:…") that it notifies. `created_at`: since when it is there. None when the far
    side does not tell. `priority`: P1 to P5, "" where it is not told. `snoozed`: it notifies nobody for a while.
    """

    open: bool
    acknowledged: bool
    owner: str = ""
    responders: tuple[str, ...] | None = None
    closed_by: str = ""
    created_at: dt.datetime | None = None
    priority: str = ""
    snoozed: bool = False


# Unknown: it cannot be read; a `Pager` raises instead. Unseen: carried out, and its alert is not shown yet.
RequestState = Literal["pending", "done", "failed", "unknown", "unseen"]


class RequestOutcome(NamedTuple):
    """How a request stands, in the far side's words too. `alias`: by which the far side knows its alert ("" where that
    is not told): a policy or an integration may have put another one in the place of ours."""

    state: RequestState
    words: str = ""
    alias: str = ""


class Pager(Protocol):
    """Wakes people. Every action is accepted first (a request id) and is true only when its request is done."""

    @property
    def capabilities(self) -> PagerCapabilities:
        """What the far side that the connection names can do. Raises DeliveryFailed without a usable connection."""
        ...

    def page(self, message: Message) -> str:
        """Create the alert `message.alias` for `message.recipients`; returns the request id."""
        ...

    def close(self, alias: str, note: str) -> str:
        """Close the alert, with a note. Returns the request id. Raises DeliveryFailed or Rejected; Gone: no such
        alert."""
        ...

    def acknowledge(self, alias: str, note: str, user: str) -> str:
        """Acknowledge the alert in the name of `user`. Returns and raises as `close` does."""
        ...

    def note(self, alias: str, note: str) -> str:
        """Write a note on the alert. Returns and raises as `close` does."""
        ...

    def request_state(self, request_id: str) -> RequestOutcome:
        """Whether the request was carried out. NotAllowed when the key may not read."""
        ...

    def alert_state(self, alias: str) -> AlertState | None:
        """None when the far side knows no such alert. Raises Unreadable where `reads_alerts` is False.

        NotAllowed when the key may not read; a far side that cannot be asked just now is a DeliveryFailed.
        """
        ...

    def ping(self, heartbeat: str) -> None:
        """Tell the heartbeat that we live."""
        ...


@dataclass(frozen=True)
class Posted:
    """Where a chat message stands: channel id (not name) and ts (a string; "" where the far side does not tell).

    `unthreaded`: it was meant for a thread whose first message is gone, and stands in the channel itself.
    """

    channel_id: str
    ts: str
    unthreaded: bool = False

    @property
    def order(self) -> tuple[int, str]:
        """By the chat's own clock, of which there is one: seconds and a fraction of one, as text."""
        return len(self.ts.partition(".")[0]), self.ts


class Chat(Protocol):
    """Says things where the team reads."""

    def post(self, message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        """Post to a channel (name or id), or as a reply in its thread."""
        ...

    def find(
        self, key: str, step: str, channel: str, oldest: dt.datetime, thread_ts: str | None = None
    ) -> Posted | None:
        """The message of this key and step ("": any that begins a thread) posted since `oldest` (by its metadata)."""
        ...

    def update(self, message: Message, posted: Posted) -> None:
        """Put the message in the place of one that was posted. Raises DeliveryFailed or Rejected."""
        ...
