"""Opsgenie's heartbeat API over HTTP; the rules of a heartbeat are in `heartbeats`."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from sandbox.inbox import heartbeats
from sandbox.inbox.opsgenie_http import Refusal, answer, check_key, iso, payload_of, refuse_if
from sandbox.inbox.records import Heartbeat
from sandbox.inbox.store import Store


def _known(http: HttpRequest) -> Heartbeat:
    store: Store = http.app.state.store
    name = http.path_params["name"]
    if name not in store.heartbeats:
        raise Refusal(404, f"Heartbeat with name [{name}] does not exist")
    return store.heartbeats[name]


def _shown(heartbeat: Heartbeat) -> dict[str, Any]:
    return {
        "name": heartbeat.name,
        "description": heartbeat.description,
        "interval": heartbeat.interval,
        "enabled": heartbeat.enabled,
        "intervalUnit": heartbeat.interval_unit,
        "expired": heartbeat.expired,
        "ownerTeam": heartbeat.owner_team,
        "alertTags": heartbeat.alert_tags,
        "alertPriority": heartbeat.alert_priority,
        "alertMessage": heartbeat.alert_message,
        "lastPingTime": iso(heartbeat.last_ping_at),
    }


async def ping(http: HttpRequest) -> Response:
    check_key(http, "integration", right="ping")
    heartbeats.ping(http.app.state.store, http.path_params["name"])
    return answer({"result": "PONG - Heartbeat received"}, 202)


async def create(http: HttpRequest) -> Response:
    check_key(http, "integration", "account")
    wish = await payload_of(http)
    refuse_if(heartbeats.complaints(wish))
    store: Store = http.app.state.store
    if wish["name"] in store.heartbeats:
        raise Refusal(409, f"Heartbeat with name [{wish['name']}] already exists")
    heartbeat = Heartbeat(name=wish["name"], interval_seconds=60)
    heartbeats.change(heartbeat, wish)
    store.save(heartbeat)
    return answer({"data": {"name": heartbeat.name, "enabled": heartbeat.enabled, "expired": False}}, 201)


async def get(http: HttpRequest) -> Response:
    check_key(http, "integration", "account", right="read")
    return answer({"data": _shown(_known(http))})


ROUTES = [
    Route("/v2/heartbeats", create, methods=["POST"]),
    Route("/v2/heartbeats/{name}/ping", ping, methods=["GET", "POST", "PUT", "PATCH"]),
    Route("/v2/heartbeats/{name}", get, methods=["GET"]),
]
