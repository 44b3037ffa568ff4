"""In front of everything: what is sent is small, or it is refused before anybody is asked who they are."""

from __future__ import annotations

from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 16 * 1024  # the longest form is a note of 1000 letters, each of 12 bytes at the most
TOO_LARGE = f"The On-call page takes at most {MOST_BYTES:,} bytes in one request"


class SmallBodies:
    """Answers 413 to a longer body, whatever it says of its length; else hands it on whole, or not at all.

    FastAPI reads a body before it asks who sent it: 150 MB, or 300 files, would be in memory by then.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        said = Headers(scope=scope).get("content-length", "")
        too_long = said.isascii() and said.isdigit() and int(said[:19]) > MOST_BYTES
        body = None if too_long else await _body(receive)
        if body is None:
            return await PlainTextResponse(TOO_LARGE, 413)(scope, receive, send)
        return await self._app(scope, _again(body, receive), send)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when it is too long, or the line was cut before its end: half a form is nobody's wish."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_BYTES or message["type"] == "http.disconnect":
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Tells the body once more, then whatever comes after it."""
    told = False

    async def receive_again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
