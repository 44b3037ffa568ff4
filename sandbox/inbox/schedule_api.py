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
        "ownerTeam": schedule.owner_team,
        "rotations": schedule.rotations,
    }


def _change(schedule: Schedule, wish: dict[str, Any]) -> None:
    fields = {"name": "name", "description": "description", "timezone": "timezone", "enabled": "enabled"}
    for theirs, ours in (fields | {"ownerTeam": "owner_team"}).items():
        if wish.get(theirs) is not None:
            setattr(schedule, ours, wish[theirs])
    if wish.get("rotations") is not None:
        schedule.rotations = [_rotation(rotation) for rotation in wish["rotations"]]


def _rotation(wish: dict[str, Any], held: dict[str, Any] | None = None) -> dict[str, Any]:
    rotation_id = str(uuid.uuid4())
    rotation: dict[str, Any] = (
        {"id": rotation_id, "name": f"Rot-{rotation_id[:8]}", "length": 1} | (held or {}) | wish
    )
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


async def listing(http: HttpRequest) -> Response:
    """Rotations are listed only with expand=rotation."""
    check_key(http, "account")
    expanded = http.query_params.get("expand") == "rotation"
    shown = [
        _shown(schedule) | ({} if expanded else {"rotations": []})
        for schedule in _store(http).schedules.values()
    ]
    return answer({"data": shown})


async def get(http: HttpRequest) -> Response:
    return answer({"data": _shown(_schedule(http, "identifierType"))})


async def update(http: HttpRequest) -> Response:
    schedule = _schedule(http, "identifierType")
    wish = await payload_of(http)
    refuse_if(schedules.schedule_complaints(wish, new=False))
    _change(schedule, wish)
    _store(http).save(schedule)
    return answer({"result": "Updated", "data": _short(schedule)})


async def delete(http: HttpRequest) -> Response:
    _store(http).remove(_schedule(http, "identifierType"))
    return answer({"result": "Deleted"})


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


async def list_rotations(http: HttpRequest) -> Response:
    return answer({"data": _schedule(http).rotations})


async def add_rotation(http: HttpRequest) -> Response:
    schedule = _schedule(http)
    wish = await payload_of(http)
    refuse_if(schedules.rotation_complaints(wish, new=True))
    schedule.rotations.append(_rotation(wish))
    _store(http).save(schedule)
    made = schedule.rotations[-1]
    data = {"_parent": _short(schedule), "id": made["id"], "name": made["name"]}
    return answer({"result": "Created", "data": data}, 201)


def _place(schedule: Schedule, http: HttpRequest) -> int:
    rotation_id = http.path_params["rotation"]
    for place, rotation in enumerate(schedule.rotations):
        if rotation["id"] == rotation_id:
            return place
    raise Refusal(404, f"Rotation [{rotation_id}] does not exist")


async def get_rotation(http: HttpRequest) -> Response:
    schedule = _schedule(http)
    return answer({"data": schedule.rotations[_place(schedule, http)]})


async def update_rotation(http: HttpRequest) -> Response:
    schedule = _schedule(http)
    place = _place(schedule, http)
    wish = await payload_of(http)
    refuse_if(schedules.rotation_complaints(wish, new=False))
    schedule.rotations[place] = _rotation(wish, schedule.rotations[place])
    _store(http).save(schedule)
    return answer(
        {"result": "Updated", "data": {"_parent": _short(schedule), "id": schedule.rotations[place]["id"]}}
    )


async def delete_rotation(http: HttpRequest) -> Response:
    schedule = _schedule(http)
    del schedule.rotations[_place(schedule, http)]
    _store(http).save(schedule)
    return answer({"result": "Deleted"})


async def list_overrides(http: HttpRequest) -> Response:
    return answer({"data": list(_schedule(http).overrides.values())})


async def set_override(http: HttpRequest) -> Response:
    """POST (alias in the body, or made up here) and PUT (alias in the path): one alias is one override."""
    schedule = _schedule(http)
    wish = await payload_of(http)
    refuse_if(schedules.override_complaints(wish))
    alias = http.path_params.get("alias") or wish.get("alias") or str(uuid.uuid4())
    known = alias in schedule.overrides
    schedule.overrides[alias] = wish | {"alias": alias}
    _store(http).save(schedule)
    data = {"_parent": _short(schedule), "alias": alias}
    return answer({"result": "Updated" if known else "Created", "data": data}, 200 if known else 201)


async def one_override(http: HttpRequest) -> Response:
    """GET and DELETE of an override by its alias."""
    schedule, alias = _schedule(http), http.path_params["alias"]
    if alias not in schedule.overrides:
        raise Refusal(404, f"Override with alias [{alias}] does not exist")
    if http.method == "GET":
        return answer({"data": {"_parent": _short(schedule), **schedule.overrides[alias]}})
    del schedule.overrides[alias]
    _store(http).save(schedule)
    return answer({"result": "Deleted"})


ONE = "/v2/schedules/{schedule}"
ROUTES = [
    Route("/v2/schedules", create, methods=["POST"]),
    Route("/v2/schedules", listing, methods=["GET"]),
    Route(ONE, get, methods=["GET"]),
    Route(ONE, update, methods=["PATCH"]),
    Route(ONE, delete, methods=["DELETE"]),
    Route(ONE + "/on-calls", on_calls, methods=["GET"]),
    Route(ONE + "/rotations", list_rotations, methods=["GET"]),
    Route(ONE + "/rotations", add_rotation, methods=["POST"]),
    Route(ONE + "/rotations/{rotation}", get_rotation, methods=["GET"]),
    Route(ONE + "/rotations/{rotation}", update_rotation, methods=["PATCH"]),
    Route(ONE + "/rotations/{rotation}", delete_rotation, methods=["DELETE"]),
    Route(ONE + "/overrides", list_overrides, methods=["GET"]),
    Route(ONE + "/overrides", set_override, methods=["POST"]),
    Route(ONE + "/overrides/{alias}", set_override, methods=["PUT"]),
    Route(ONE + "/overrides/{alias}", one_override, methods=["GET", "DELETE"]),
]
