"""The store's small notes, read with care: whatever stands there, a look goes on as if nothing had been noted."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import structlog

from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.usecases.ports import Store

log = structlog.get_logger(__name__)
T = TypeVar("T")

# The name of the note that says when the watcher evaluated last.
TICK = "tick"


def noted(name: str, text: str | None, read: Callable[[str], T], otherwise: T) -> T:
    """What `read` makes of a note; `otherwise` where there is none, or none that can be read (which is logged)."""
    if not text:
        return otherwise
    try:
        return read(text)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        log.error("oncall.note_unreadable", name=name, reason=f"{type(error).__name__}: {error}")
        return otherwise


def say_once(store: Store, scene: Scene, name: str, change: Callable[[str], tuple[str, Plan]]) -> str:
    """Change a note and say what follows from it; returns it as it is then. Two who notice at once say it once.

    `change`: of what is noted ("" for nothing) what is noted from now on, and what is owed for that. Raises Unreadable.
    """
    before = store.get_note(name) or ""
    if change(before)[0] == before:
        return before
    with store.decision_lock() as decision:
        before = store.get_note(name) or ""
        after, plan = change(before)
        decision.record(plan, scene.at)
        if after != before:
            store.set_note(name, after)
    return after


def instant(text: str) -> dt.datetime:
    """An instant with its zone, between the years 2000 and 2200. Raises ValueError for any other."""
    at = dt.datetime.fromisoformat(text)
    if at.tzinfo is None or not 2000 <= at.year < 2200:
        raise ValueError(f"{text!r} is no instant that could have been noted")
    return at


def stretch(text: str) -> tuple[dt.datetime, dt.datetime]:
    """Two instants: from when, until when. Raises ValueError for anything else."""
    since, until = text.split()
    return instant(since), instant(until)


def mapping(text: str) -> dict[str, Any]:
    """A JSON object. Raises ValueError for anything else."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


# What each host goes by, as a digest, and when it said so last.
ByHost = Mapping[str, tuple[str, dt.datetime]]


def by_host(text: str) -> ByHost:
    """What `dumped` has written. Raises ValueError or TypeError for anything else."""
    return {host: (str(digest), instant(said)) for host, (digest, said) in mapping(text).items()}


def dumped(hosts: ByHost) -> str:
    """The text of such a note; "" for no host."""
    said = {host: [digest, at.isoformat()] for host, (digest, at) in sorted(hosts.items())}
    return json.dumps(said) if said else ""


def state(text: str) -> dict[str, Any]:
    """What is noted of something that fails: `since` (an instant), `said` and `reason`."""
    found = mapping(text)
    return {
        "since": instant(str(found["since"])).isoformat(),
        "said": bool(found.get("said")),
        "reason": str(found.get("reason", "")),
    }
