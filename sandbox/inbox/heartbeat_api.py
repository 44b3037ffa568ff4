"""Opsgenie's heartbeat API over HTTP; the rules of a heartbeat are in `heartbeats`."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from sandbox.inbox import heartbeats
from sandbox.inbox.opsgenie_http import Refusal, answer, check_key, iso
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
        "enabled": heartbeat.enabled,
        "expired": heartbeat.expired,
        "ownerTeam": heartbeat.owner_team,
        "alertPriority": heartbeat.alert_priority,
        "lastPingTime": iso(heartbeat.last_ping_at),
    }


async def ping(http: HttpRequest) -> Response:
    check_key(http, "integration", right="ping")
    heartbeats.ping(http.app.state.store, http.path_params["name"])
    return answer({"result": "PONG - Heartbeat received"}, 202)


async def get(http: HttpRequest) -> Response:
    check_key(http, "integration", "account", right="read")
    return answer({"data": _shown(_known(http))})


ROUTES = [
    Route("/v2/heartbeats/{name}/ping", ping, methods=["GET", "POST", "PUT", "PATCH"]),
    Route("/v2/heartbeats/{name}", get, methods=["GET"]),
]
