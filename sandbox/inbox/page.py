"""The page a person reads: alerts to the left, Slack to the right; shows the store, changes nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.inbox.faults import Fault, Faults
from sandbox.inbox.mrkdwn import mrkdwn, plain
from sandbox.inbox.records import Channel, SlackMessage
from sandbox.inbox.store import Store

ZONE = dt.timezone(dt.timedelta(hours=7))
ALERTS_SHOWN, THREADS_SHOWN, CALLS_SHOWN = 60, 60, 40


def _clock(at: float, form: str = "%a %d %b %H:%M:%S") -> str:
    """Epoch seconds as the team reads them, UTC+07:00."""
    return dt.datetime.fromtimestamp(at, ZONE).strftime(form)


def _lasting(fault: Fault) -> str:
    """How long a fault goes on, in words."""
    parts = []
    if fault.left is not None:
        parts.append(f"{fault.left} more call{'' if fault.left == 1 else 's'}")
    if fault.until is not None:
        parts.append(f"until {_clock(fault.until, '%H:%M:%S')}")
    return ", ".join(parts) or "until cleared"


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals.update(mrkdwn=mrkdwn, plain=plain, clock=_clock, lasting=_lasting)


def _threads(store: Store, channel: Channel) -> list[tuple[SlackMessage, list[SlackMessage]]]:
    """The channel's messages with their replies, newest thread first, replies oldest first."""
    roots: dict[str, tuple[SlackMessage, list[SlackMessage]]] = {}
    for message in store.messages.values():
        if message.channel != channel.id:
            continue
        if message.thread_ts is None:
            roots[message.ts] = (message, [])
        elif message.thread_ts in roots:
            roots[message.thread_ts][1].append(message)
    return list(roots.values())[::-1][:THREADS_SHOWN]


def _shown(http: HttpRequest) -> dict[str, Any]:
    store: Store = http.app.state.store
    faults: Faults = http.app.state.faults
    in_force = faults.in_force(store.now())
    alerts = sorted(store.alerts.values(), key=lambda alert: alert.created_at, reverse=True)
    return {
        "revision": f"{store.revision}-{len(in_force)}",
        "alerts": alerts[:ALERTS_SHOWN],
        "unacknowledged": sum(1 for alert in alerts if alert.open and not alert.acknowledged),
        "channels": [(channel, _threads(store, channel)) for channel in store.channels.values()],
        "heartbeats": list(store.heartbeats.values()),
        "faults": in_force,
        "calls": list(store.calls.values())[::-1][:CALLS_SHOWN],
        "call_count": len(store.calls),
        "unexpected": [call for call in store.calls.values() if call.unexpected],
        "now": store.now(),
    }


async def whole(http: HttpRequest) -> Response:
    """GET /"""
    return HTMLResponse(TEMPLATES.get_template("inbox.html").render(_shown(http)))


async def news(http: HttpRequest) -> Response:
    """GET /_page?revision=…: what has changed since, {"revision", "html"}, or {"revision"} alone when nothing has."""
    shown = _shown(http)
    content = {"revision": shown["revision"]}
    if http.query_params.get("revision") != shown["revision"]:
        content["html"] = TEMPLATES.get_template("body.html").render(shown)
    return JSONResponse(content)


async def no_icon(http: HttpRequest) -> Response:
    return Response(status_code=204)


ROUTES = [
    Route("/", whole, methods=["GET"]),
    Route("/_page", news, methods=["GET"]),
    Route("/favicon.ico", no_icon, methods=["GET"]),
]
