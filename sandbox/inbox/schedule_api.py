"""Opsgenie's schedule API over HTTP, for account keys only; who is on call is reckoned in `schedules`."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from sandbox.inbox import schedules
from sandbox.inbox.opsgenie_http import Refusal, answer, check_key, payload_of, refuse_if
from sandbox.inbox.records import Schedule
from sandbox.inbox.store import Store


def _store(http: HttpRequest) -> Store:
    store: Store = http.app.state.store
    return store


def _schedule(http: HttpRequest, type_name: str = "scheduleIdentifierType") -> Schedule:
    """The schedule of the path, for a caller who may see it."""
    check_key(http, "account")
    identifier = http.path_params["schedule"]
    schedule = schedules.find_schedule(_store(http), identifier, http.query_params.get(type_name, "id"))
    if schedule is None:
        raise Refusal(404, f"Schedule [{identifier}] does not exist")
    return schedule


def _short(schedule: Schedule) -> dict[str, Any]:
    return {"id": schedule.id, "name": schedule.name, "enabled": schedule.enabled}


def _shown(schedule: Schedule) -> dict[str, Any]:
    return _short(schedule) | {
        "description": schedule.description,
        "timezone": schedule.timezone,
        "rotations": schedule.rotations,
    }


def _change(schedule: Schedule, wish: dict[str, Any]) -> None:
    for name in ("name", "description", "timezone", "enabled"):
        if wish.get(name) is not None:
            setattr(schedule, name, wish[name])
    if wish.get("rotations") is not None:
        schedule.rotations = [_rotation(rotation) for rotation in wish["rotations"]]


def _rotation(wish: dict[str, Any]) -> dict[str, Any]:
    rotation_id = str(uuid.uuid4())
    rotation: dict[str, Any] = {"id": rotation_id, "name": f"Rot-{rotation_id[:8]}", "length": 1} | wish
    for field in ("startDate", "endDate"):
        if rotation.get(field):
            rotation[field] = schedules.to_half_hour(rotation[field])
    return rotation


async def create(http: HttpRequest) -> Response:
    check_key(http, "account")
    wish = await payload_of(http)
    refuse_if(schedules.schedule_complaints(wish, new=True))
    if schedules.find_schedule(_store(http), wish["name"], "name"):
        raise Refusal(409, f"Schedule with name [{wish['name']}] already exists")
    schedule = Schedule(id=str(uuid.uuid4()), name=wish["name"])
    _change(schedule, wish)
    _store(http).save(schedule)
    return answer({"result": "Created", "data": _short(schedule)}, 201)


async def get(http: HttpRequest) -> Response:
    return answer({"data": _shown(_schedule(http, "identifierType"))})


async def update(http: HttpRequest) -> Response:
    schedule = _schedule(http, "identifierType")
    wish = await payload_of(http)
    refuse_if(schedules.schedule_complaints(wish, new=False))
    _change(schedule, wish)
    _store(http).save(schedule)
    return answer({"result": "Updated", "data": _short(schedule)})


async def on_calls(http: HttpRequest) -> Response:
    """Who is on call at `date` (now): names with flat=true, else participants."""
    schedule = _schedule(http)
    try:
        date = http.query_params.get("date")
        at = schedules.instant(date) if date else dt.datetime.fromtimestamp(_store(http).now(), dt.UTC)
    except ValueError:
        raise Refusal(422, "date should be an ISO 8601 date-time") from None
    names = schedules.on_call(schedule, at)
    participants = [{"id": str(uuid.uuid5(uuid.NAMESPACE_URL, n)), "name": n, "type": "user"} for n in names]
    flat = http.query_params.get("flat") == "true"
    who = {"onCallRecipients": names} if flat else {"onCallParticipants": participants}
    return answer({"data": {"_parent": _short(schedule), **who}})


async def list_overrides(http: HttpRequest) -> Response:
    return answer({"data": list(_schedule(http).overrides.values())})


async def set_override(http: HttpRequest) -> Response:
    """One alias is one override."""
    schedule, alias = _schedule(http), http.path_params["alias"]
    wish = await payload_of(http)
    refuse_if(schedules.override_complaints(wish))
    known = alias in schedule.overrides
    schedule.overrides[alias] = wish | {"alias": alias}
    _store(http).save(schedule)
    data = {"_parent": _short(schedule), "alias": alias}
    return answer({"result": "Updated" if known else "Created", "data": data}, 200 if known else 201)


async def delete_override(http: HttpRequest) -> Response:
    schedule, alias = _schedule(http), http.path_params["alias"]
    if alias not in schedule.overrides:
        raise Refusal(404, f"Override with alias [{alias}] does not exist")
    del schedule.overrides[alias]
    _store(http).save(schedule)
    return answer({"result": "Deleted"})


ONE = "/v2/schedules/{schedule}"
ROUTES = [
    Route("/v2/schedules", create, methods=["POST"]),
    Route(ONE, get, methods=["GET"]),
    Route(ONE, update, methods=["PATCH"]),
    Route(ONE + "/on-calls", on_calls, methods=["GET"]),
    Route(ONE + "/overrides", list_overrides, methods=["GET"]),
    Route(ONE + "/overrides/{alias}", set_override, methods=["PUT"]),
    Route(ONE + "/overrides/{alias}", delete_override, methods=["DELETE"]),
]
