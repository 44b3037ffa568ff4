"""The On-call page's app: puts routes, templates, headers and error pages together. Knows no on-call rule."""

from __future__ import annotations

import anyio
from fastapi import Depends, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oncall.core.errors import ConfigError
from oncall.web import error_pages, static_files
from oncall.web.auth import reader
from oncall.web.body_limit import SmallBodies
from oncall.web.response_cache import in_turn
from oncall.web.routes import actions, api, feed_links, feeds, health, pages, reports
from oncall.web.snapshot import Source

# Nothing from anywhere else, no inline script or style; only Airflow itself may put the page in a frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)


def create_app(source: Source) -> FastAPI:
    """The app to mount at `/oncall`, which shows what `source` reads.

    To be built in the api-server only: Airflow's security costs a second and 28 MB to import.
    """
    # No docs of FastAPI's own: they are open to everybody, and their script comes from elsewhere.
    app = FastAPI(title="On-call", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.source = source
    app.state.turn, app.state.reports_turn = anyio.Semaphore(1), anyio.Semaphore(1)
    for router in (pages.router, api.router):
        app.include_router(router, dependencies=[Depends(reader), Depends(in_turn("turn"), scope="function")])
    for router in (reports.router, reports.actions, actions.router, feed_links.router, static_files.router):
        app.include_router(router, dependencies=[Depends(reader)])
    app.include_router(feeds.router)  # these are opened by a key instead
    app.include_router(health.router)  # open: a monitor cannot sign in, and it is told nothing of anybody
    app.add_exception_handler(HTTPException, error_pages.refused)
    app.add_exception_handler(ConfigError, error_pages.no_configuration)
    app.add_middleware(SmallBodies)
    app.add_middleware(Outermost)
    return app


class Outermost:
    """Gives every answer of the app the headers that it has not given itself; HEAD is GET without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = scope["type"] == "http" and scope["method"] == "HEAD"
        if head:
            scope = {**scope, "method": "GET"}

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", POLICY)
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
            await send(
                {**message, "body": b""} if head and message["type"] == "http.response.body" else message
            )

        await self._app(scope, receive, sent)
