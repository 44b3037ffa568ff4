"""The controls of the inbox, `/_control`: faults, state, and what a person would do in the apps.

Unauthenticated by design: a test and a person on this machine use them, and the server listens on 127.0.0.1 only.
"""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.inbox import people
from sandbox.inbox.alerts import CannotDo, perform
from sandbox.inbox.faults import BadFault, Faults
from sandbox.inbox.heartbeats import lapse
from sandbox.inbox.records import Heartbeat, SlackMessage, UserGroup
from sandbox.inbox.slack_posting import next_ts
from sandbox.inbox.store import Settings, Store, as_json

PERSONS_ACTIONS = ("acknowledge", "unacknowledge", "close", "notes", "assign", "delete")


def _store(http: HttpRequest) -> Store:
    store: Store = http.app.state.store
    return store


def _faults(http: HttpRequest) -> Faults:
    faults: Faults = http.app.state.faults
    return faults


async def _wish(http: HttpRequest) -> dict[str, Any]:
    return dict(await http.json()) if await http.body() else {}


def _no(message: str, status: int = 400) -> Response:
    return JSONResponse({"error": message}, status)


async def state(http: HttpRequest) -> Response:
    """GET: everything held, and the faults in force."""
    now = _store(http).now()
    faults = [fault.as_json() for fault in _faults(http).in_force(now)]
    return JSONResponse(as_json(_store(http)) | {"faults": faults})


async def clear(http: HttpRequest) -> Response:
    """POST: forget everything received, every fault, every setting, and any advance of the clock."""
    _faults(http).clear()
    store = _store(http)
    store.settings, store.clock_offset = Settings(), 0.0
    store.clear()
    return JSONResponse({"cleared": True})


async def add_fault(http: HttpRequest) -> Response:
    """POST {face, operation, kind, …}: see `faults.Fault`; `count` calls or `seconds`."""
    try:
        fault = _faults(http).add(await _wish(http), _store(http).now())
    except BadFault as bad:
        return _no(str(bad))
    _store(http).revision += 1
    return JSONResponse(fault.as_json(), 201)


async def clear_faults(http: HttpRequest) -> Response:
    """DELETE: all, or the one named in the path."""
    ended = _faults(http).clear(http.path_params.get("fault_id"))
    _store(http).revision += 1
    return JSONResponse({"ended": ended})


async def settings(http: HttpRequest) -> Response:
    """POST some of `store.Settings`."""
    wish = await _wish(http)
    held = _store(http).settings
    if unknown := set(wish) - set(vars(held)):
        return _no(f"unknown settings {sorted(unknown)}; write some of {sorted(vars(held))}")
    for name, value in wish.items():
        setattr(held, name, value)
    return JSONResponse(vars(held))


async def advance_clock(http: HttpRequest) -> Response:
    """POST {seconds}: the inbox's clock jumps ahead; requests fall due and heartbeats lapse."""
    _store(http).clock_offset += float((await _wish(http))["seconds"])
    lapse(_store(http))
    return JSONResponse({"now": _store(http).now()})


async def act_on_alert(http: HttpRequest) -> Response:
    """POST {user, note}: what a person does in Opsgenie's app, or a policy does as "System"; done at once."""
    store, action = _store(http), http.path_params["action"]
    alert = store.alerts.get(http.path_params["alert_id"])
    if alert is None or action not in PERSONS_ACTIONS:
        return _no("no such alert or action", 404)
    try:
        perform(store, alert, action, {"user": "person@example.com"} | await _wish(http), store.now())
    except CannotDo as reason:
        return _no(str(reason), 409)
    return JSONResponse({"id": alert.id, "status": alert.status, "owner": alert.owner})


async def set_heartbeat(http: HttpRequest) -> Response:
    """POST {name, interval_seconds, …}: a heartbeat with any interval, also shorter than Opsgenie's minute."""
    wish = await _wish(http)
    held = _store(http).heartbeats.get(wish["name"])
    heartbeat = held or Heartbeat(name=wish["name"], interval_seconds=60)
    for name, value in wish.items():
        setattr(heartbeat, name, value)
    _store(http).save(heartbeat)
    return JSONResponse(vars(heartbeat), 201)


async def rename_user(http: HttpRequest) -> Response:
    """POST {old, new}: the person has another username from now on, also in the alerts there are."""
    wish = await _wish(http)
    people.rename(_store(http), wish["old"], wish["new"])
    return JSONResponse({"renamed": wish["old"]})


async def add_channel(http: HttpRequest) -> Response:
    """POST {name, archived, member}: a Slack channel, new or changed. `member`: whether the bot is in it."""
    store, wish = _store(http), await _wish(http)
    channel = store.add_channel(wish.pop("name"))
    for name, value in wish.items():
        setattr(channel, name, bool(value))
    store.save(channel)
    return JSONResponse(vars(channel), 201)


async def delete_message(http: HttpRequest) -> Response:
    """POST {channel (an id), ts}: a person deletes a message in Slack."""
    store, wish = _store(http), await _wish(http)
    message = store.messages.get(f"{wish['channel']}:{wish['ts']}")
    if message is None:
        return _no("no such message", 404)
    store.remove(message)
    return JSONResponse({"deleted": message.ts})


async def add_usergroup(http: HttpRequest) -> Response:
    """POST {id, handle}: a Slack user group."""
    group = UserGroup(**await _wish(http))
    _store(http).save(group)
    return JSONResponse(vars(group), 201)


async def say(http: HttpRequest) -> Response:
    """POST {channel (an id), text, user, thread_ts}: what a person writes in Slack."""
    store, wish = _store(http), await _wish(http)
    channel = store.channels.get(wish["channel"])
    if channel is None:
        return _no(f"channel: found {wish['channel']!r}; write one of {sorted(store.channels)}", 404)
    message = SlackMessage(
        channel=channel.id,
        channel_name=channel.name,
        ts=next_ts(store),
        text=wish["text"],
        user=wish.get("user", "U0PERSON"),
        thread_ts=wish.get("thread_ts"),
    )
    store.save(message)
    return JSONResponse({"ts": message.ts}, 201)


def control_app(store: Store, faults: Faults) -> Starlette:
    """The app to mount under /_control."""
    app = Starlette(
        routes=[
            Route("/state", state, methods=["GET"]),
            Route("/clear", clear, methods=["POST"]),
            Route("/faults", add_fault, methods=["POST"]),
            Route("/faults", clear_faults, methods=["DELETE"]),
            Route("/faults/{fault_id}", clear_faults, methods=["DELETE"]),
            Route("/settings", settings, methods=["POST"]),
            Route("/clock", advance_clock, methods=["POST"]),
            Route("/alerts/{alert_id}/{action}", act_on_alert, methods=["POST"]),
            Route("/heartbeats", set_heartbeat, methods=["POST"]),
            Route("/slack/channels", add_channel, methods=["POST"]),
            Route("/slack/usergroups", add_usergroup, methods=["POST"]),
            Route("/slack/messages", say, methods=["POST"]),
            Route("/slack/messages/delete", delete_message, methods=["POST"]),
            Route("/users/rename", rename_user, methods=["POST"]),
        ]
    )
    app.state.store, app.state.faults = store, faults
    return app
