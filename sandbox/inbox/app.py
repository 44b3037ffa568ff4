"""Puts the inbox together: three faces, the controls and the page behind one front door; decides nothing itself."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from sandbox.inbox import heartbeat_api, page, schedule_api
from sandbox.inbox.control import control_app
from sandbox.inbox.faults import Faults
from sandbox.inbox.middleware import FrontDoor
from sandbox.inbox.opsgenie import jsm_face, opsgenie_face
from sandbox.inbox.slack import slack_face
from sandbox.inbox.store import Store


async def healthy(http: HttpRequest) -> Response:
    return JSONResponse({"status": "ok"})


async def nobodys_path(http: HttpRequest, error: Exception) -> Response:
    """A path of no face: most likely a host that was configured without its prefix."""
    if "call" in http.scope:
        http.scope["call"].unexpected = True
    return PlainTextResponse("Not found. The faces are /opsgenie, /jsm/ops/integration and /api.", 404)


def inbox_app(journal: Path | None = None, channels: tuple[str, ...] = ()) -> ASGIApp:
    """The whole inbox as an ASGI app. `journal`: a file that keeps what was received; `channels`: further ones."""
    store, faults = Store(journal, channels), Faults()
    app = Starlette(
        routes=[
            Mount("/opsgenie", opsgenie_face(store, [*heartbeat_api.ROUTES, *schedule_api.ROUTES])),
            Mount("/jsm/ops/integration", jsm_face(store)),
            Mount("/api", slack_face(store)),
            Mount("/_control", control_app(store, faults)),
            Route("/_health", healthy),
            *page.ROUTES,
        ],
        exception_handlers={404: nobodys_path, 405: nobodys_path},
    )
    app.state.store, app.state.faults = store, faults
    return FrontDoor(app, store, faults)
