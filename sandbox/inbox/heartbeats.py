"""Opsgenie's heartbeats: pings, and the alert that comes by itself when they stop; knows no HTTP."""

from __future__ import annotations

from typing import Any

from sandbox.inbox.alerts import find_alert, open_alert, perform
from sandbox.inbox.records import Heartbeat
from sandbox.inbox.store import Store

SECONDS = {"minutes": 60, "hours": 3600, "days": 86400}


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
            "message": heartbeat.alert_message or f"Heartbeat [{heartbeat.name}] is expired",
            "source": "Heartbeat",
            "user": "Heartbeat",
            "priority": heartbeat.alert_priority,
            "tags": heartbeat.alert_tags,
            "responders": [{"type": "team", **heartbeat.owner_team}] if heartbeat.owner_team else [],
        }
        if find_alert(store, "opsgenie", wish["alias"], "alias", only_open=True) is None:
            open_alert(store, "opsgenie", wish, due)


def change(heartbeat: Heartbeat, wish: dict[str, Any]) -> None:
    """Set the fields of Opsgenie's create payload."""
    fields = {
        "description": "description",
        "interval": "interval",
        "intervalUnit": "interval_unit",
        "enabled": "enabled",
        "ownerTeam": "owner_team",
        "alertMessage": "alert_message",
        "alertTags": "alert_tags",
        "alertPriority": "alert_priority",
    }
    for theirs, ours in fields.items():
        if wish.get(theirs) is not None:
            setattr(heartbeat, ours, wish[theirs])
    heartbeat.interval_seconds = heartbeat.interval * SECONDS[heartbeat.interval_unit]


def complaints(wish: dict[str, Any]) -> dict[str, str]:
    """What is wrong with a create payload, by field. The shortest interval is one minute."""
    wrong: dict[str, str] = {}
    if not wish.get("name"):
        wrong["name"] = "Name can not be empty."
    for field in ("interval", "intervalUnit", "enabled"):
        if wish.get(field) is None:
            wrong[field] = f"{field} should be provided"
    interval = wish.get("interval")
    if interval is not None and (not isinstance(interval, int) or interval < 1):
        wrong["interval"] = "should be at least 1"
    if wish.get("intervalUnit") is not None and wish["intervalUnit"] not in SECONDS:
        wrong["intervalUnit"] = "should be one of [ minutes, hours, days ]"
    if wish.get("alertPriority") is not None and wish["alertPriority"] not in ("P1", "P2", "P3", "P4", "P5"):
        wrong["alertPriority"] = "should be one of [ P1, P2, P3, P4, P5 ]"
    return wrong
