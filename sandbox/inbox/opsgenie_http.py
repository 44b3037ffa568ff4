"""How Opsgenie answers over HTTP: its envelope, its errors, its keys; knows no alerts and no schedules.

Source of the error texts: what the original is seen to answer in public issue reports (bad priority 422, malformed key
422, unknown key 401, account key on an alert 403 with code 40301).
"""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from sandbox.inbox.store import Store

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Refusal(Exception):
    """A call that is answered with an error at once."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: dict[str, str] | None = None,
        code: int | None = None,
        error_type: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors
        self.code, self.error_type = code, error_type


def answer(
    content: dict[str, Any],
    status: int = 200,
    *,
    request_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The content with `took` and `requestId`, and the headers every answer has."""
    request_id = request_id or str(uuid.uuid4())
    usual = {"X-Request-Id": request_id, "X-Response-Time": "0.002", "X-RateLimit-State": "OK"}
    return JSONResponse({**content, "took": 0.002, "requestId": request_id}, status, usual | (headers or {}))


async def refused(request: HttpRequest, refusal: Exception) -> Response:
    """The error body of a Refusal (an exception handler)."""
    assert isinstance(refusal, Refusal)
    content: dict[str, Any] = {"message": refusal.message}
    if refusal.code is not None:
        content["code"] = refusal.code
    if refusal.errors:
        content["errors"] = refusal.errors
    headers = {"X-Opsgenie-Errortype": refusal.error_type} if refusal.error_type else {}
    return answer(content, refusal.status, headers=headers)


async def unknown_path(request: HttpRequest, error: Exception) -> Response:
    """404 or 405 for what the original does not have; the call is marked unexpected."""
    request.scope["call"].unexpected = True
    status = getattr(error, "status_code", 404)
    return answer(
        {"message": "Requested URL was not found" if status == 404 else "Method not allowed"}, status
    )


def check_key(request: HttpRequest, *allowed: str, right: str = "") -> None:
    """Refuse a caller without a fitting key. `allowed`: "integration" and/or "account".

    `right`: what an integration key must be allowed to do: "read", "write" or "ping".
    """
    store: Store = request.app.state.store
    face = request.app.state.face
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme != "GenieKey" or not key:
        raise Refusal(401, "Could not authenticate")
    if not UUID.fullmatch(key):
        raise Refusal(422, "Key format is not valid!")
    kinds = {store.keys.jsm: "integration"}
    if face == "opsgenie":
        kinds = {store.keys.opsgenie: "integration", store.keys.opsgenie_account: "account"}
    if key not in kinds:
        raise Refusal(401, "Could not authenticate")
    if kinds[key] not in allowed:
        wanted = "an API integration" if "integration" in allowed else "API key management"
        raise Refusal(403, f"To perform this action, use an API key from {wanted}.", code=40301)
    if right and kinds[key] == "integration" and not getattr(store.settings, f"key_may_{right}"):
        raise Refusal(403, "You are not authorized to perform this action")


async def payload_of(request: HttpRequest) -> dict[str, Any]:
    """The JSON object of the body; an empty body is an empty object."""
    raw = await request.body()
    if not raw:
        return {}
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refusal(415, "Content-Type should be application/json")
    try:
        payload = json.loads(raw)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise Refusal(400, "Could not parse request body. It should be valid JSON.") from None
    if not isinstance(payload, dict):
        raise Refusal(400, "Could not parse request body. It should be a JSON object.")
    return payload


def refuse_if(wrong: dict[str, str]) -> None:
    if wrong:
        raise Refusal(422, "Request body is not processable. Please check the errors.", errors=wrong)


def iso(at: float | None) -> str | None:
    """Epoch seconds in Opsgenie's form: ISO 8601, UTC, milliseconds, Z."""
    if at is None:
        return None
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
