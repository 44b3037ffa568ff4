"""Whom an alert notifies: unknown users, renamed ones, and the team that owns the integration; knows no HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.inbox.store import Settings, Store

Responder = dict[str, str]


def complaints(settings: Settings, payload: Mapping[str, Any]) -> dict[str, str]:
    """What a create is refused for, by field: a user whom nobody knows."""
    if settings.unknown_users_are != "refused":
        return {}
    return {
        f"responders[{place}]": f"User with username [{name}] does not exist"
        for place, name in enumerate(map(_username, _named(payload)))
        if name in settings.unknown_users
    }


def failing(settings: Settings, payload: Mapping[str, Any]) -> str:
    """The unknown user because of whom an accepted request fails; "" when it does not."""
    if settings.unknown_users_are != "failed":
        return ""
    return next((name for name in map(_username, _named(payload)) if name in settings.unknown_users), "")


def pends(settings: Settings, payload: Mapping[str, Any]) -> bool:
    """Whether an accepted request is never carried out because of whom it is for."""
    return any(name in settings.pending_users for name in map(_username, _named(payload)))


def notified(settings: Settings, responders: Iterable[Responder]) -> list[Responder]:
    """Who is notified in truth: the owner team, else everybody who is known."""
    if settings.owner_team:
        return [{"type": "team", "name": settings.owner_team}]
    return [responder for responder in responders if _username(responder) not in settings.unknown_users]


def rename(store: Store, old: str, new: str) -> None:
    """Another username, also in the alerts there are; the old one is nobody's."""
    store.settings.unknown_users = [*store.settings.unknown_users, old]
    for alert in list(store.alerts.values()):
        alert.owner = new if alert.owner == old else alert.owner
        for responder in alert.responders:
            if _username(responder) == old:
                responder["username"] = new
        store.save(alert)


def id_of(responder: Responder) -> str:
    """The id by which the API shows a responder, whatever the caller named it by."""
    name = responder.get("username") or responder.get("name") or ""
    return responder.get("id") or str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _named(payload: Mapping[str, Any]) -> list[Responder]:
    return payload.get("responders") or []


def _username(responder: Responder) -> str:
    return responder.get("username", "") if responder.get("type") == "user" else ""
