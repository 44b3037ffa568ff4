"""What becomes of an alert: creating, doubling, acknowledging, closing; knows the store and the clock, no HTTP.

Requests are carried out when their time has come (`settle`), in the order they were accepted, as in Opsgenie, where a
202 is only a receipt.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

from sandbox.inbox import people
from sandbox.inbox.records import Alert, Entry, Request
from sandbox.inbox.schedules import find_schedule, on_call
from sandbox.inbox.store import Store

MOST_DOUBLES = 100  # Opsgenie stops counting there
INTEGRATION = "Inbox API integration"


class CannotDo(Exception):
    """The request was accepted, and cannot be carried out; the text becomes its status."""


def find_alert(
    store: Store, face: str, identifier: str, identifier_type: str = "id", *, only_open: bool = False
) -> Alert | None:
    """By id or alias; several of one alias: the open one, else the latest."""
    mine = [alert for alert in store.alerts.values() if alert.face == face and (alert.open or not only_open)]
    alias = kept_alias(store, identifier) if identifier_type == "alias" else None
    found = [alert for alert in mine if (alert.id == identifier if alias is None else alert.alias == alias)]
    return max(found, key=lambda alert: (alert.open, alert.created_at), default=None)


def kept_alias(store: Store, alias: str) -> str:
    """An alias as this far side keeps it, and looks for it."""
    return alias.strip().lower() if store.settings.aliases_are == "trimmed and lowercased" else alias


def settle(store: Store) -> None:
    """Carry out every request whose time has come."""
    now = store.now()
    due = [r for r in store.requests.values() if r.processed_at is None and r.process_at <= now]
    for request in due:
        if not people.pends(store.settings, request.payload):
            _carry_out(store, request)


def _carry_out(store: Store, request: Request) -> None:
    request.processed_at = request.process_at
    try:
        if request.must_fail:
            raise CannotDo("Request could not be processed")
        if stranger := people.failing(store.settings, request.payload):
            raise CannotDo(f"No user found with username [{stranger}]")
        alert = _create(store, request) if request.action == "create" else _act(store, request)
    except CannotDo as reason:
        request.status = str(reason)
    else:
        request.success, request.alert_id, request.alias = True, alert.id, alert.alias
        request.status = request.status or DONE[request.action]
    store.save(request)


def _create(store: Store, request: Request) -> Alert:
    wish, at = request.payload, request.process_at
    if store.settings.aliases_are in ("message", "source"):
        wish = {**wish, "alias": wish.get(store.settings.aliases_are)}
    alias = wish.get("alias") or ""
    double = find_alert(store, request.face, alias, "alias", only_open=True) if alias else None
    if double is not None:
        double.count = min(double.count + 1, MOST_DOUBLES)
        double.last_occurred_at = at
        double.timeline.append(Entry(at, "log", INTEGRATION, f"Same alias again: count {double.count}"))
        request.status = "Deduplicated alert"
        store.save(double)
        return double
    return open_alert(store, request.face, wish, at)


def open_alert(store: Store, face: str, wish: dict[str, Any], at: float) -> Alert:
    """A new open alert from the fields of Opsgenie's create payload."""
    alert_id = f"{uuid.uuid4()}-{int(at * 1000)}"
    alert = Alert(
        face=face,
        id=alert_id,
        alias=kept_alias(store, wish.get("alias") or alert_id),
        message=wish["message"],
        created_at=at,
        updated_at=at,
        last_occurred_at=at,
        description=wish.get("description") or "",
        details=dict(wish.get("details") or {}),
        tags=list(wish.get("tags") or []),
        responders=people.notified(store.settings, wish.get("responders") or []),
        entity=wish.get("entity") or "",
        source=wish.get("source") or "",
        priority=wish.get("priority") or "P3",
    )
    by = wish.get("user") or INTEGRATION
    alert.timeline.append(Entry(at, "log", by, "Alert created"))
    if alert.recipients:
        alert.timeline.append(Entry(at, "log", "Opsgenie", "Notified " + ", ".join(_woken(store, alert, at))))
    if wish.get("note"):
        alert.timeline.append(Entry(at, "note", by, wish["note"]))
    store.save(alert)
    return alert


def _woken(store: Store, alert: Alert, at: float) -> list[str]:
    """The recipients, a schedule with whom it names at that instant."""
    woken = []
    for responder, name in zip(alert.responders, alert.recipients, strict=True):
        kind = "name" if responder.get("name") else "id"
        schedule = find_schedule(store, name, kind) if responder["type"] == "schedule" else None
        people = on_call(schedule, dt.datetime.fromtimestamp(at, dt.UTC)) if schedule else []
        woken.append(f"{name} ({', '.join(people)})" if people else name)
    return woken


def _act(store: Store, request: Request) -> Alert:
    by_alias = request.identifier_type == "alias"
    alert = find_alert(store, request.face, request.identifier, request.identifier_type, only_open=by_alias)
    if alert is None:
        raise CannotDo("Alert does not exist")
    perform(store, alert, request.action, request.payload, request.process_at)
    return alert


def perform(store: Store, alert: Alert, action: str, payload: dict[str, Any], at: float) -> None:
    """Do `action` to the alert. Raises CannotDo when its state forbids it."""
    by = payload.get("user") or INTEGRATION
    said = ACTIONS[action](alert, payload, by, at)
    alert.updated_at = at
    if said:
        alert.timeline.append(Entry(at, "log", by, said))
    if payload.get("note"):
        alert.timeline.append(Entry(at, "note", by, payload["note"]))
    if action == "delete":
        store.remove(alert)
    else:
        store.save(alert)


def _acknowledge(alert: Alert, payload: dict[str, Any], by: str, at: float) -> str:
    if not alert.open:
        raise CannotDo("Alert is already closed")
    if alert.acknowledged:
        raise CannotDo("Alert is already acknowledged")
    alert.acknowledged, alert.owner, alert.acknowledged_at = True, by, at
    return "Acknowledged"


def _unacknowledge(alert: Alert, payload: dict[str, Any], by: str, at: float) -> str:
    if not alert.open or not alert.acknowledged:
        raise CannotDo("Alert is not acknowledged")
    alert.acknowledged, alert.owner, alert.acknowledged_at = False, "", None
    return "Unacknowledged"


def _close(alert: Alert, payload: dict[str, Any], by: str, at: float) -> str:
    if not alert.open:
        raise CannotDo("Alert is already closed")
    alert.status, alert.closed_at, alert.closed_by = "closed", at, by
    return "Closed"


def _assign(alert: Alert, payload: dict[str, Any], by: str, at: float) -> str:
    owner = payload["owner"]
    alert.owner = owner.get("username") or owner.get("id") or ""
    return f"Assigned to {alert.owner}"


ACTIONS: dict[str, Callable[[Alert, dict[str, Any], str, float], str]] = {
    "acknowledge": _acknowledge,
    "unacknowledge": _unacknowledge,
    "close": _close,
    "notes": lambda alert, payload, by, at: "",
    "assign": _assign,
    "delete": lambda alert, payload, by, at: "Deleted",
}
# Of what the API takes, which is less than a person can do.
DONE = {
    "create": "Created alert",
    "acknowledge": "Acknowledged alert",
    "close": "Closed alert",
    "notes": "Added note",
}
