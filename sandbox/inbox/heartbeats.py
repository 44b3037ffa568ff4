"""Opsgenie's heartbeats: pings, and the alert that comes by itself when they stop; knows no HTTP."""

from __future__ import annotations

from typing import Any

from sandbox.inbox.alerts import find_alert, open_alert, perform
from sandbox.inbox.records import Heartbeat
from sandbox.inbox.store import Store


def alias_of(heartbeat: Heartbeat) -> str:
    """The alias of the alert a lapsed heartbeat raises."""
    return f"heartbeat:{heartbeat.name}"


def ping(store: Store, name: str) -> None:
    """A sign of life. An unknown name is taken without a word: PONG does not prove that the heartbeat exists."""
    heartbeat = store.heartbeats.get(name)
    if heartbeat is None or not heartbeat.enabled:
        return
    heartbeat.last_ping_at = store.now()
    if heartbeat.expired:
        heartbeat.expired = False
        alert = find_alert(store, "opsgenie", alias_of(heartbeat), "alias", only_open=True)
        if alert is not None:
            note = {"user": "Heartbeat", "note": "The heartbeat is back"}
            perform(store, alert, "close", note, store.now())
    store.save(heartbeat)


def lapse(store: Store) -> None:
    """Raise the alert of every heartbeat whose last ping is too long ago; it watches from its first ping on."""
    for heartbeat in list(store.heartbeats.values()):
        if heartbeat.last_ping_at is None or heartbeat.expired or not heartbeat.enabled:
            continue
        due = heartbeat.last_ping_at + heartbeat.interval_seconds
        if store.now() <= due:
            continue
        heartbeat.expired = True
        store.save(heartbeat)
        wish: dict[str, Any] = {
            "alias": alias_of(heartbeat),
            "message": f"Heartbeat [{heartbeat.name}] is expired",
            "source": "Heartbeat",
            "user": "Heartbeat",
            "priority": heartbeat.alert_priority,
            "responders": [{"type": "team", **heartbeat.owner_team}] if heartbeat.owner_team else [],
        }
        if find_alert(store, "opsgenie", wish["alias"], "alias", only_open=True) is None:
            open_alert(store, "opsgenie", wish, due)
