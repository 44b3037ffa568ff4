"""Slack's Web API over HTTP: who calls, with what, and which method answers; posting is in `slack_posting`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.inbox import slack_posting, slack_reading
from sandbox.inbox.slack_error import Arguments, RateLimited, SlackError
from sandbox.inbox.store import Store

METHODS: dict[str, Callable[[Store, Arguments], dict[str, Any]]] = {
    **slack_posting.METHODS,
    **slack_reading.METHODS,
}

SCOPES = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.list": "channels:read",
    "usergroups.users.update": "usergroups:write",
    "users.info": "users:read",
    "usergroups.users.list": "usergroups:read",
}


async def method(http: HttpRequest) -> Response:
    """POST or GET /api/{method}: 200 with {"ok": …}, whatever happened, except for 429."""
    store: Store = http.app.state.store
    name = http.path_params["name"]
    try:
        arguments, warnings = await _arguments(http)
        _check_token(http, store, arguments)
        if name not in METHODS:
            http.scope["call"].unexpected = True
            raise SlackError("unknown_method", req_method=name)
        _check_scope(store, name)
        content = {"ok": True, **METHODS[name](store, Arguments(arguments))}
    except RateLimited as limited:
        return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(limited.seconds)})
    except SlackError as error:
        return JSONResponse(error.content)
    warnings += content.pop("warnings", [])
    if warnings:
        metadata = content.setdefault("response_metadata", {})
        metadata["warnings"] = warnings
        content["warning"] = ",".join(warnings)
    granted = store.settings.slack_scopes
    scopes = set(SCOPES.values()) if granted is None else granted
    return JSONResponse(content, headers={"X-OAuth-Scopes": ",".join(sorted(scopes))})


async def _arguments(http: HttpRequest) -> tuple[dict[str, Any], list[str]]:
    """The arguments from query, form or JSON, and what Slack warns of in how they were sent."""
    arguments: dict[str, Any] = dict(http.query_params)
    raw = await http.body()
    content_type = http.headers.get("content-type", "")
    if content_type.startswith("application/json"):
        try:
            sent = json.loads(raw or b"{}")
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise SlackError("invalid_json") from None
        if not isinstance(sent, dict):
            raise SlackError("json_not_object")
        sent.pop("token", None)  # with JSON the token counts only in the header
        return arguments | sent, [] if "charset" in content_type else ["missing_charset"]
    form = dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
    return arguments | {name: _from_form(name, value) for name, value in form.items()}, []


def _from_form(name: str, value: str) -> Any:
    """A form carries structured arguments as JSON text."""
    if name not in ("blocks", "metadata"):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _check_token(http: HttpRequest, store: Store, arguments: dict[str, Any]) -> None:
    scheme, _, bearer = http.headers.get("authorization", "").partition(" ")
    token = bearer if scheme == "Bearer" and bearer else arguments.pop("token", "")
    if not token:
        raise SlackError("not_authed")
    if token != store.keys.slack:
        raise SlackError("invalid_auth")


def _check_scope(store: Store, name: str) -> None:
    granted, needed = store.settings.slack_scopes, SCOPES.get(name)
    if granted is not None and needed is not None and needed not in granted:
        raise SlackError("missing_scope", needed=needed, provided=",".join(granted))


async def unknown_path(http: HttpRequest, error: Exception) -> Response:
    http.scope["call"].unexpected = True
    return Response("Not found", 404)


def slack_face(store: Store) -> Starlette:
    """The app to mount under /api."""
    handlers: Any = {404: unknown_path, 405: unknown_path}
    face = Starlette(routes=[Route("/{name}", method, methods=["GET", "POST"])], exception_handlers=handlers)
    face.state.store = store
    return face
