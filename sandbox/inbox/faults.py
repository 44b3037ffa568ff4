"""Faults: which calls must go wrong, how, and for how long; knows nothing of what the calls mean.

README.md lists the kinds with examples.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FACES = ("opsgenie", "jsm", "slack", "*")
WORKING = ("slow", "process_failed", "process_late", "process_never")  # the face answers as always
# the answer is no answer of the face
ODD = ("answer", "garbled", "drip", "endless", "gzip_bomb", "cut", "redirect")
KINDS = ("status", "slack_error", "hang", "hang_after", "refuse", "lose_answer", *WORKING, *ODD)
READING = {
    "get", "list", "get_recipients", "request_status", "heartbeat", "conversations.history", "conversations.replies",
    "conversations.list", "usergroups.users.list",
}  # fmt: skip
USUAL_STATUS = {**dict.fromkeys(ODD, 200), "redirect": 302}
# What may be said of a fault, as it is kept; and for how long it lasts.
TOLD = ("face", "operation", "kind", "status", "retry_after", "error", "delay", "body", "location", "works")
KNOWN = {*TOLD, "count", "seconds"}


class BadFault(ValueError):
    """The fault that was asked for makes no sense; the message says what to write."""


@dataclass
class Fault:
    """One thing that goes wrong, for `left` more calls (None: any number) until the instant `until` (None: for ever).

    `operation`: one of `middleware.operation_of`, "read" (whatever changes nothing), "write" (the others) or "*".
    `works`: an odd answer comes after the work was done. `body`: of `answer`, any JSON, or text as it stands.
    """

    id: str
    face: str
    kind: str
    operation: str = "*"
    status: int = 500
    retry_after: int | None = None
    error: str = "fatal_error"
    delay: float = 0.0
    body: Any = None
    location: str = ""
    works: bool = False
    left: int | None = None
    until: float | None = None
    cleared: asyncio.Event = field(default_factory=asyncio.Event)

    def matches(self, face: str, operation: str, now: float) -> bool:
        return (
            self.face in ("*", face)
            and self.operation in ("*", operation, "read" if operation in READING else "write")
            and (self.left is None or self.left > 0)
            and (self.until is None or now < self.until)
        )

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "cleared"}


class Faults:
    """The faults in force, in the order they were asked for; the first that matches a call is the one it gets."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)

    def add(self, wish: Mapping[str, Any], now: float) -> Fault:
        """The fault described by `wish` (see Fault; `count` calls or `seconds`). Raises BadFault."""
        if unknown := set(wish) - KNOWN:
            raise BadFault(f"unknown keys {sorted(unknown)}; write some of {sorted(KNOWN)}")
        if wish.get("face") not in FACES:
            raise BadFault(f"face: found {wish.get('face')!r}; write one of {FACES}")
        if wish.get("kind") not in KINDS:
            raise BadFault(f"kind: found {wish.get('kind')!r}; write one of {KINDS}")
        seconds = wish.get("seconds")
        told = {name: wish[name] for name in TOLD if wish.get(name) is not None}
        fault = Fault(
            id=str(next(self._numbers)),
            left=wish.get("count"),
            until=None if seconds is None else now + float(seconds),
            **{"status": USUAL_STATUS.get(wish["kind"], 500), **told},
        )
        self._faults.append(fault)
        return fault

    def take(self, face: str, operation: str, now: float) -> Fault | None:
        """The fault this call gets, counted as used; None when it may go well."""
        fault = next((f for f in self._faults if f.matches(face, operation, now)), None)
        if fault is not None and fault.left is not None:
            fault.left -= 1
        return fault

    def in_force(self, now: float) -> list[Fault]:
        return [fault for fault in self._faults if fault.matches(fault.face, fault.operation, now)]

    def clear(self, fault_id: str | None = None) -> int:
        """End one fault, or all; hanging calls are let go. Returns how many ended."""
        ended = [fault for fault in self._faults if fault_id in (None, fault.id)]
        for fault in ended:
            fault.cleared.set()
            self._faults.remove(fault)
        return len(ended)
