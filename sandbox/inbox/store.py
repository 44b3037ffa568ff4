"""Everything the inbox has received, in memory, and a journal that outlives a restart; knows no HTTP and no rules.

The journal is append-only JSON lines: each line is one record as it stood then; the last line of a key wins.
"""

from __future__ import annotations

import dataclasses
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.inbox.records import Alert, Call, Channel, Heartbeat, Request, Schedule, SlackMessage, UserGroup

Record = Alert | Call | Channel | Heartbeat | Request | Schedule | SlackMessage | UserGroup
# Where a store keeps each kind.
TABLES: dict[Any, str] = {
    Alert: "alerts", Request: "requests", Heartbeat: "heartbeats", Channel: "channels", SlackMessage: "messages",
    UserGroup: "usergroups", Schedule: "schedules", Call: "calls",
}  # fmt: skip
KINDS = {kind.__name__: kind for kind in TABLES}


@dataclass(frozen=True)
class Keys:
    """The credentials the faces accept; made up, and shown on purpose: there is nothing to protect."""

    opsgenie: str = "0a1b2c3d-0000-4000-8000-00000000c0de"
    opsgenie_account: str = "0a1b2c3d-0000-4000-8000-0000000acc00"
    jsm: str = "0a1b2c3d-0000-4000-8000-000000000a5c"
    slack: str = "xoxb-inbox-0000000001"


@dataclass
class Settings:
    """What a test or a drill may turn.

    `processing_delay`: seconds from a 202 to its being carried out. `slack_seconds_per_message`: 0 is off; 1 is
    Slack's own limit per channel. `key_may_read`, `key_may_write`, `key_may_ping`: the
    rights of the integration key. `owner_team`: the team that owns the integration; with one it is the responder of
    every alert, whoever was named. `unknown_users`: usernames that are nobody's; to name one as a responder is
    `refused` with a 422, or the request is accepted and is `failed`, or the person is `dropped` without a word.
    `pending_users`: what names one of them is accepted and never carried out. `aliases_are`: kept "as given", or
    "trimmed and lowercased", or the alert's "message" or "source" in their place.
    `slack_scopes`: what the bot token may do; None is everything.
    """

    processing_delay: float = 0.2
    key_may_read: bool = True
    key_may_write: bool = True
    key_may_ping: bool = True
    owner_team: str = ""
    unknown_users: list[str] = field(default_factory=list)
    unknown_users_are: str = "refused"
    pending_users: list[str] = field(default_factory=list)
    aliases_are: str = "as given"
    slack_scopes: list[str] | None = None
    slack_seconds_per_message: float = 0.0


class Store:
    """The records by kind and key, the clock, and the journal. One event loop uses it: there are no locks."""

    def __init__(self, journal: Path | None = None, channels: tuple[str, ...] = ()) -> None:
        self.keys = Keys()
        self.settings = Settings()
        self.clock_offset = 0.0
        self.revision = 0
        self._journal = journal
        self.channels: dict[str, Channel] = {}
        self.first_channels = ("de-oncall", "swe-master-data", *(name.lstrip("#") for name in channels))
        self._start_afresh()
        if journal is not None and journal.exists():
            self._replay(journal)

    def now(self) -> float:
        """Epoch seconds, moved on by whatever a test has advanced the clock."""
        return time.time() + self.clock_offset

    def save(self, record: Record) -> None:
        """Keep the record as it stands now, and write it down."""
        self._table(type(record))[record.key] = record
        self.revision += 1
        self._write({"kind": type(record).__name__, "record": dataclasses.asdict(record)})

    def remove(self, record: Record) -> None:
        self._table(type(record)).pop(record.key, None)
        self.revision += 1
        self._write({"kind": type(record).__name__, "removed": record.key})

    def clear(self) -> None:
        """Forget everything received; the known channels stay."""
        self._start_afresh()
        self.revision += 1
        self._write({"kind": "clear"})

    def add_channel(self, name: str) -> Channel:
        """The channel of this name, made when it is new. Ids are the same in every run."""
        name = name.lstrip("#")
        known = next((channel for channel in self.channels.values() if channel.name == name), None)
        if known is None:
            known = Channel(id=f"C0INBOX{len(self.channels) + 1:03d}", name=name)
            self.save(known)
        return known

    def _start_afresh(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.requests: dict[str, Request] = {}
        self.heartbeats: dict[str, Heartbeat] = {}
        self.messages: dict[str, SlackMessage] = {}
        self.usergroups: dict[str, UserGroup] = {}
        self.schedules: dict[str, Schedule] = {}
        self.calls: dict[str, Call] = {}
        for number, name in enumerate(self.first_channels, start=1):
            channel_id = f"C0INBOX{number:03d}"
            self.channels.setdefault(channel_id, Channel(id=channel_id, name=name))
        self.usergroups["S0DEONCALL"] = UserGroup(id="S0DEONCALL", handle="de-oncall")
        name = "investor-sla-watch"
        self.heartbeats[name] = Heartbeat(name=name, interval_seconds=300, alert_priority="P1")

    def _table(self, kind: Any) -> dict[str, Any]:
        table: dict[str, Any] = getattr(self, TABLES[kind])
        return table

    def _write(self, line: dict[str, Any]) -> None:
        if self._journal is not None:
            with self._journal.open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _replay(self, journal: Path) -> None:
        for text in journal.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue  # the last line of a process that was killed while writing
            if line["kind"] not in {"clear", *KINDS}:
                continue  # of another version
            if line["kind"] == "clear":
                self._start_afresh()
            elif "removed" in line:
                self._table(KINDS[line["kind"]]).pop(line["removed"], None)
            else:
                self._restore(KINDS[line["kind"]], line["record"])

    def _restore(self, kind: Any, told: dict[str, Any]) -> None:
        """Take in what was written down, perhaps by another version: what this one does not know is left out."""
        known = {field.name for field in dataclasses.fields(kind)}
        with suppress(TypeError):  # … and so is a record that lacks what this one needs
            record = kind(**{name: value for name, value in told.items() if name in known})
            self._table(kind)[record.key] = record


def as_json(store: Store) -> dict[str, Any]:
    """Everything the inbox holds, oldest first, in JSON's terms."""
    held = {
        name: [dataclasses.asdict(record) for record in getattr(store, name).values()]
        for name in TABLES.values()
    }
    return {
        "now": store.now(),
        "revision": store.revision,
        "settings": dataclasses.asdict(store.settings),
        **held,
    }
