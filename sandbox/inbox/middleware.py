"""The front door: writes down every call to a face, and makes it go wrong on demand; knows no face's rules."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.inbox.alerts import settle
from sandbox.inbox.faults import ODD, WORKING, Fault, Faults
from sandbox.inbox.heartbeats import lapse
from sandbox.inbox.odd_answers import cut_off, gone, send_oddly
from sandbox.inbox.records import Call
from sandbox.inbox.store import Store

PREFIXES = {"/opsgenie/": "opsgenie", "/jsm/ops/integration/": "jsm", "/api/": "slack"}
OURS = ("/", "/_page", "/_health", "/favicon.ico")


def face_of(path: str) -> str | None:
    """The face a path belongs to; "" when it belongs to nobody, None when it is the inbox's own."""
    if path in OURS or path.startswith("/_control"):
        return None
    return next((face for prefix, face in PREFIXES.items() if path.startswith(prefix)), "")


def operation_of(face: str, method: str, path: str) -> str:
    """The name faults and tests use: Slack's method; an alert's action, "create", "get", "list", "request_status";
    "ping" or "heartbeat"; "schedule"."""
    if face == "slack":
        return path.removeprefix("/api/")
    parts = path.partition("/v2/")[2].split("/")
    if parts[0] == "heartbeats":
        return "ping" if parts[-1] == "ping" else "heartbeat"
    if parts[0] != "alerts":
        return "schedule" if parts[0] == "schedules" else "unknown"
    if len(parts) == 1:
        return "create" if method == "POST" else "list"
    if parts[1] == "requests":
        return "request_status"
    if len(parts) == 2:
        return "get"
    return parts[2] if method != "GET" else f"get_{parts[2]}"


class FrontDoor:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, store: Store, faults: Faults) -> None:
        self.app, self.store, self.faults = app, store, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        lapse(self.store)
        settle(self.store)
        face = face_of(scope["path"])
        if face is None:
            await self.app(scope, receive, send)
            return
        body = await _whole_body(receive)
        call = self._write_down(scope, face, body)
        scope["call"] = call
        try:
            await self._answer(scope, _again(body, receive), send, call)
        finally:
            if self.store.calls.get(call.key) is call:  # not cleared meanwhile
                self.store.save(call)

    def _write_down(self, scope: Scope, face: str, body: bytes) -> Call:
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        call = Call(
            number=len(self.store.calls) + 1,
            at=self.store.now(),
            face=face,
            operation=operation_of(face, scope["method"], scope["path"]),
            method=scope["method"],
            path=scope["path"],
            query=dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
            body=_readable(body, headers.get("content-type", "")),
        )
        self.store.save(call)
        return call

    async def _answer(self, scope: Scope, receive: Receive, send: Send, call: Call) -> None:
        fault = self.faults.take(call.face, call.operation, self.store.now())
        call.fault = fault.kind if fault else ""
        if fault is None or fault.kind in WORKING:
            if fault is not None and fault.kind == "slow":
                await asyncio.sleep(fault.delay)
            scope["fault"] = fault
            await self.app(scope, receive, _noting(send, call))
        elif fault.kind == "hang":
            await self._hang(fault, receive)
            await _drop(receive, send)
        elif fault.kind == "hang_after":
            await self.app(scope, receive, _noting(None, call))
            await self._hang(fault, receive)
            await _drop(receive, send)
        elif fault.kind == "refuse":
            await _drop(receive, send)
        elif fault.kind == "lose_answer":
            await self.app(scope, receive, _noting(None, call))
            await _drop(receive, send)
        elif fault.kind in ODD:
            if fault.works:
                await self.app(scope, receive, _noting(None, call))
            call.status = fault.status
            await send_oddly(fault, receive, send)
        else:
            await _failure(fault, call.face)(scope, receive, _noting(send, call))

    async def _hang(self, fault: Fault, receive: Receive) -> None:
        """Until the fault is cleared or has passed, or the caller has gone."""
        left = None if fault.until is None else max(0.0, fault.until - self.store.now())
        waits = {asyncio.ensure_future(fault.cleared.wait()), asyncio.ensure_future(gone(receive))}
        _, still = await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for wait in still:
            wait.cancel()


async def _whole_body(receive: Receive) -> bytes:
    chunks, more = [], True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


def _again(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body once more."""
    given = False

    async def give() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


def _noting(send: Send | None, call: Call) -> Send:
    """A send that notes status and JSON answer in the call; without `send` the answer goes nowhere."""

    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            call.status = message["status"]
        elif message.get("body"):
            call.answer = _readable(message["body"], "application/json")
        if send is not None:
            await send(message)

    return note


def _readable(body: bytes, content_type: str) -> Any:
    """JSON as JSON, a form as a dict (without its token), anything else as text."""
    text = body.decode("utf-8", "replace")
    if content_type.startswith("application/x-www-form-urlencoded"):
        return {name: value for name, value in parse_qsl(text, keep_blank_values=True) if name != "token"}
    try:
        return json.loads(text) if text else None
    except json.JSONDecodeError:
        return text


async def _drop(receive: Receive, send: Send) -> None:
    """Close the connection without an answer."""
    cut_off(send)
    await gone(receive)


def _failure(fault: Fault, face: str) -> Response:
    """The answer of a failing far side, in that face's own form."""
    status = 200 if fault.kind == "slack_error" else fault.status
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    if face == "slack":
        if status == 429:
            headers.setdefault("Retry-After", "1")
        error = "ratelimited" if status == 429 else fault.error
        return JSONResponse({"ok": False, "error": error}, status, headers)
    if status == 429:
        period = str(fault.retry_after or 60)
        headers |= {
            "X-RateLimit-State": "THROTTLED",
            "X-RateLimit-Reason": "ACCOUNT",
            "X-RateLimit-Period-In-Sec": period,
        }
    words = WORDS.get(status, "An error occurred")
    return JSONResponse({"message": words, "took": 0.001, "requestId": f"fault-{fault.id}"}, status, headers)


WORDS = {
    401: "Could not authenticate",
    403: "You are not authorized to perform this action",
    429: "You are making too many requests!",
}
