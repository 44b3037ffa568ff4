"""The sign of life that Opsgenie waits for, and what is said when it does not take it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence

import structlog

from oncall.core.errors import OncallError, Rejected, Unreadable
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import heartbeat_back, heartbeat_refused
from oncall.usecases.channel_ports import Pager
from oncall.usecases.notes import instant, mapping, noted, say_once
from oncall.usecases.ports import Store

log = structlog.get_logger(__name__)

HEARTBEATS = "heartbeats"  # under which the store keeps those that are refused: JSON, name to [since, reason]

Refused = Mapping[str, tuple[dt.datetime, str]]


def ping_all(heartbeats: Sequence[str], pager: Pager, store: Store, scene: Scene) -> None:
    """Ping each heartbeat. One that is refused is said once in the chat, by name, and again when it is taken.

    A far side that cannot be reached just now is not spoken of: that is what the heartbeat itself tells.
    """
    if not pager.capabilities.heartbeats:
        return
    heard = {heartbeat: _ping(heartbeat, pager) for heartbeat in heartbeats}
    try:
        _note(heard, store, scene)
    except Unreadable as error:  # it was pinged, and that counts
        log.warning("oncall.heartbeat_not_noted", reason=str(error))


def refused(text: str | None) -> Refused:
    """What the store keeps under HEARTBEATS: since when, and why. What somebody else wrote is said again."""

    def read(text: str) -> Refused:
        found = mapping(text).items()
        return {str(name): (instant(since), str(reason)) for name, (since, reason) in found}

    return noted(HEARTBEATS, text, read, {})


def _ping(heartbeat: str, pager: Pager) -> str | None:
    """Why it is refused, "" when it is taken, None when it cannot be told."""
    try:
        pager.ping(heartbeat)
    except Rejected as error:
        log.error("oncall.heartbeat_refused", heartbeat=heartbeat, reason=str(error))
        return str(error)
    except OncallError as error:
        log.warning("oncall.heartbeat_failed", heartbeat=heartbeat, reason=str(error))
        return None
    return ""


def _note(heard: Mapping[str, str | None], store: Store, scene: Scene) -> None:
    def change(text: str) -> tuple[str, Plan]:
        before = refused(text)
        after = _after(heard, before, scene)
        if after == before:
            return text, Plan()
        new = [heartbeat_refused(scene, name, *after[name]) for name in after if name not in before]
        gone = [name for name in before if name in heard and name not in after]
        back = [heartbeat_back(scene, name, before[name][0]) for name in gone]
        kept = {name: [since.isoformat(), reason] for name, (since, reason) in after.items()}
        return json.dumps(kept) if kept else "", Plan(owed=(*new, *back))

    say_once(store, scene, HEARTBEATS, change)


def _after(heard: Mapping[str, str | None], before: Refused, scene: Scene) -> Refused:
    """Who is refused now: as just heard, else as known before. One that the roster names no more is forgotten."""
    return {
        name: (before[name][0], reason or before[name][1]) if name in before else (scene.at, reason or "")
        for name, reason in heard.items()
        if reason or (reason is None and name in before)
    }
