"""The things the inbox keeps, as plain records; knows nothing of HTTP, of files, or of how they come about.

Every record has a `key`, unique in its kind. Times are epoch seconds (float).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class ById:
    """What is kept under its id."""

    id: str

    @property
    def key(self) -> str:
        return self.id


@dataclass
class Entry:
    """One line of an alert's timeline. `kind`: "note" (a person's or program's words) or "log" (what happened)."""

    at: float
    kind: str
    by: str
    text: str


@dataclass
class Alert(ById):
    """An alert as Opsgenie holds it. `face`: "opsgenie" or "jsm"; each face sees only its own."""

    face: str
    id: str
    alias: str
    message: str
    created_at: float
    last_occurred_at: float
    updated_at: float
    description: str = ""
    details: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    responders: list[dict[str, str]] = field(default_factory=list)
    entity: str = ""
    source: str = ""
    priority: str = "P3"
    status: str = "open"
    acknowledged: bool = False
    owner: str = ""
    acknowledged_at: float | None = None
    closed_at: float | None = None
    closed_by: str = ""
    count: int = 1
    timeline: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.timeline = [Entry(**line) if isinstance(line, dict) else line for line in self.timeline]

    @property
    def open(self) -> bool:
        return self.status == "open"

    @property
    def notes(self) -> list[str]:
        return [line.text for line in self.timeline if line.kind == "note"]

    @property
    def recipients(self) -> list[str]:
        """Whom the alert is addressed to, by the name the caller used."""
        return [r.get("username") or r.get("name") or r.get("id") or "?" for r in self.responders]


@dataclass
class Request(ById):
    """An accepted piece of work on an alert: a receipt first, carried out at `process_at`."""

    face: str
    id: str
    action: str
    process_at: float
    payload: dict[str, Any]
    identifier: str = ""
    identifier_type: str = "id"
    must_fail: bool = False
    processed_at: float | None = None
    success: bool = False
    status: str = ""
    alert_id: str = ""
    alias: str = ""


@dataclass
class Heartbeat:
    """A heartbeat monitor. It watches from its first ping on, and raises an alert when pings stop."""

    name: str
    interval_seconds: float
    enabled: bool = True
    owner_team: dict[str, str] = field(default_factory=dict)
    alert_priority: str = "P3"
    last_ping_at: float | None = None
    expired: bool = False

    @property
    def key(self) -> str:
        return self.name


@dataclass
class Channel(ById):
    """A Slack channel; `name` without the leading #. `member`: whether the bot is in it."""

    id: str
    name: str
    archived: bool = False
    member: bool = True


@dataclass
class SlackMessage:
    """A message in a channel. `thread_ts` is None for a message that stands in the channel itself."""

    channel: str
    channel_name: str
    ts: str
    text: str
    user: str
    thread_ts: str | None = None
    blocks: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    edited_ts: str | None = None
    edits: list[str] = field(default_factory=list)  # the texts it had before

    @property
    def key(self) -> str:
        return f"{self.channel}:{self.ts}"


@dataclass
class UserGroup(ById):
    """A Slack user group, and the member ids in it."""

    id: str
    handle: str
    users: list[str] = field(default_factory=list)


@dataclass
class Schedule(ById):
    """An Opsgenie schedule; rotations and overrides are kept as the API shows them."""

    id: str
    name: str
    timezone: str = "UTC"
    description: str = ""
    enabled: bool = True
    rotations: list[dict[str, Any]] = field(default_factory=list)
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)  # by alias


@dataclass
class Call:
    """One HTTP call to a face. `status` is what was answered, None when nothing was; `fault` names what was done to it.

    `face`: "opsgenie", "jsm", "slack" or "" (a path that belongs to nobody). Credentials are not kept.
    """

    number: int
    at: float
    face: str
    operation: str
    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int | None = None
    answer: Any = None
    fault: str = ""
    unexpected: bool = False

    @property
    def key(self) -> str:
        return str(self.number)
