"""Opsgenie's alert API over HTTP, and the smaller face of Jira Service Management; an alert's rules are in `alerts`."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from sandbox.inbox import limits, people
from sandbox.inbox.alerts import find_alert
from sandbox.inbox.opsgenie_http import (
    Refusal,
    answer,
    check_key,
    iso,
    payload_of,
    refuse_if,
    refused,
    unknown_path,
)
from sandbox.inbox.records import Alert, Request
from sandbox.inbox.store import Store

# Jira Service Management's integration API has no others, and nobody here asks Opsgenie's for more.
ACTIONS = ("acknowledge", "close", "notes")
IDENTIFIER_TYPES = ("id", "alias")
NEVER = 10 * 365 * 86_400  # seconds; further ahead than a test moves the clock


def _store(http: HttpRequest) -> Store:
    store: Store = http.app.state.store
    return store


def _take(http: HttpRequest, action: str, payload: dict[str, Any], identifier: str = "") -> Response:
    """Check, accept, and give the receipt."""
    store = _store(http)
    refuse_if(limits.complaints(action, payload))
    refuse_if(people.complaints(store.settings, payload))
    request_id = str(uuid.uuid4())
    fault = http.scope.get("fault")
    late = {"process_late": fault.delay, "process_never": NEVER}.get(fault.kind, 0) if fault else 0
    request = Request(
        face=http.app.state.face,
        id=request_id,
        action=action,
        process_at=store.now() + store.settings.processing_delay + late,
        payload=payload,
        identifier=identifier,
        identifier_type=_identifier_type(http),
        must_fail=bool(fault and fault.kind == "process_failed"),
    )
    store.save(request)  # a later `settle` carries it out
    return answer({"result": "Request will be processed"}, 202, request_id=request_id)


def _identifier_type(http: HttpRequest) -> str:
    kind = http.query_params.get("identifierType", "id")
    if kind not in IDENTIFIER_TYPES:
        raise Refusal(422, f"identifierType should be one of [ {', '.join(IDENTIFIER_TYPES)} ]")
    return kind


async def create(http: HttpRequest) -> Response:
    check_key(http, "integration", right="write")
    return _take(http, "create", await payload_of(http))


def action_route(action: str) -> Callable[[HttpRequest], Awaitable[Response]]:
    """The endpoint of one action on one alert."""

    async def act(http: HttpRequest) -> Response:
        check_key(http, "integration", right="write")
        return _take(http, action, await payload_of(http), http.path_params["identifier"])

    return act


async def request_status(http: HttpRequest) -> Response:
    check_key(http, "integration", "account", right="read")
    request = _store(http).requests.get(http.path_params["request_id"])
    if request is None or request.face != http.app.state.face or request.processed_at is None:
        raise Refusal(
            404, "Request not found. It might not be processed, yet.", error_type="RequestNotProcessed"
        )
    data = {
        "success": request.success,
        "action": request.action.capitalize(),
        "processedAt": iso(request.processed_at),
        "integrationId": INTEGRATION_ID,
        "isSuccess": request.success,
        "status": request.status,
        "alertId": request.alert_id,
        "alias": request.alias,
    }
    return answer({"data": data})


def _alert(http: HttpRequest) -> Alert:
    identifier = http.path_params["identifier"]
    alert = find_alert(_store(http), http.app.state.face, identifier, _identifier_type(http))
    if alert is None:
        raise Refusal(404, f"Alert with {_identifier_type(http)} [{identifier}] does not exist")
    return alert


async def get(http: HttpRequest) -> Response:
    check_key(http, "integration", "account", right="read")
    return answer({"data": shown(_alert(http), whole=True)})


async def recipients(http: HttpRequest) -> Response:
    """GET …/recipients: the people whom the alert notifies, by id and username."""
    check_key(http, "integration", "account", right="read")
    alert = _alert(http)
    told = [
        {
            "user": {"id": people.id_of(responder), "username": name},
            "state": "notactive",
            "method": "",
            "createdAt": iso(alert.created_at),
            "updatedAt": iso(alert.created_at),
        }
        for responder, name in zip(alert.responders, alert.recipients, strict=True)
        if responder["type"] == "user"
    ]
    return answer({"data": told})


async def listing(http: HttpRequest) -> Response:
    """GET /v2/alerts, newest first."""
    check_key(http, "integration", "account", right="read")
    alerts = [alert for alert in _store(http).alerts.values() if alert.face == http.app.state.face]
    newest = sorted(alerts, key=lambda alert: alert.created_at, reverse=True)
    limit = min(int(http.query_params.get("limit", 20)), 100)
    return answer({"data": [shown(alert) for alert in newest[:limit]], "paging": {}})


INTEGRATION_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, "inbox:integration"))


def shown(alert: Alert, *, whole: bool = False) -> dict[str, Any]:
    """The alert as the API shows it; `whole` adds what only GET of one alert has. Responders come back as ids."""
    report = {
        "ackTime": round((alert.acknowledged_at - alert.created_at) * 1000)
        if alert.acknowledged_at
        else None,
        "closeTime": round((alert.closed_at - alert.created_at) * 1000) if alert.closed_at else None,
        "acknowledgedBy": alert.owner or None,
        "closedBy": alert.closed_by or None,
    }
    data = {
        "id": alert.id,
        "alias": alert.alias,
        "message": alert.message,
        "status": alert.status,
        "acknowledged": alert.acknowledged,
        "isSeen": alert.acknowledged,
        "tags": alert.tags,
        "snoozed": False,
        "count": alert.count,
        "lastOccurredAt": iso(alert.last_occurred_at),
        "createdAt": iso(alert.created_at),
        "updatedAt": iso(alert.updated_at),
        "source": alert.source,
        "owner": alert.owner,
        "priority": alert.priority,
        "responders": [{"type": r["type"], "id": people.id_of(r)} for r in alert.responders],
        "integration": {"id": INTEGRATION_ID, "name": "Inbox API integration", "type": "API"},
        "report": {name: value for name, value in report.items() if value is not None},
    }
    if whole:
        data |= {
            "entity": alert.entity,
            "description": alert.description,
            "details": alert.details,
        }
    return data


async def user(http: HttpRequest) -> Response:
    """One account, by its username."""
    check_key(http, "account")
    username = http.path_params["username"]
    if username in _store(http).settings.unknown_users:
        raise Refusal(404, f"User with username [{username}] does not exist")
    data = {
        "id": people.id_of({"username": username}),
        "username": username,
        "blocked": False,
        "verified": True,
    }
    return answer({"data": data})


def _face(store: Store, name: str, routes: list[Route]) -> Starlette:
    handlers: Any = {Refusal: refused, 404: unknown_path, 405: unknown_path}
    face = Starlette(routes=routes, exception_handlers=handlers)
    face.state.store, face.state.face = store, name
    return face


ALERTS = [
    Route("/v2/alerts", create, methods=["POST"]),
    Route("/v2/alerts/requests/{request_id}", request_status, methods=["GET"]),
    *(
        Route(f"/v2/alerts/{{identifier}}/{action}", action_route(action), methods=["POST"])
        for action in ACTIONS
    ),
]
READING = [
    Route("/v2/alerts", listing, methods=["GET"]),
    Route("/v2/alerts/{identifier}", get, methods=["GET"]),
    Route("/v2/alerts/{identifier}/recipients", recipients, methods=["GET"]),
    Route("/v2/users/{username}", user, methods=["GET"]),
]


def opsgenie_face(store: Store, further: list[Route]) -> Starlette:
    """The app to mount under /opsgenie; `further`: heartbeats and schedules."""
    return _face(store, "opsgenie", [*ALERTS, *READING, *further])


def jsm_face(store: Store) -> Starlette:
    """The app to mount under /jsm/ops/integration: it can neither read alerts nor take heartbeats."""
    return _face(store, "jsm", ALERTS)
