"""A far side that answers by script and can misbehave; it keeps no rules (the inbox does)."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal
from urllib.parse import parse_qsl

import pytest

from oncall.core.errors import DeliveryFailed

Connect = Callable[..., str]
KEY = "s3cret-key-of-the-tests"


@dataclass(frozen=True)
class Request:
    """What came over the wire. `path` is as it was sent: still quoted, without the query."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw.decode()))


@dataclass(frozen=True)
class Answer:
    """`how`: in full; or never (hang); or a byte now and then (drip); or hung up after the request (drop)."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    how: Literal["full", "hang", "drip", "drop"] = "full"


class FarSide:
    """Answers with `script` in order and then with `always`; fails the test on a request it has no answer for."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.script: list[Answer] = []
        self.always: Answer | None = None
        self.over = threading.Event()
        self.url = ""

    def next_answer(self) -> Answer:
        if self.script:
            return self.script.pop(0)
        return self.always or Answer({"message": "the test expects no such request"}, status=418)


def handler(far_side: FarSide) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            path, _, query = self.path.partition("?")
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, path, dict(parse_qsl(query)), dict(self.headers), raw)
            far_side.requests.append(request)
            self._send(far_side.next_answer())

        do_GET = do_POST  # noqa: N815 - the standard library's name

        def _send(self, answer: Answer) -> None:
            self.close_connection = answer.how != "full"
            if answer.how == "hang":
                far_side.over.wait(30)
            if answer.how in {"hang", "drop"}:
                return
            body = answer.body if isinstance(answer.body, str | bytes) else json.dumps(answer.body)
            raw = body.encode() if isinstance(body, str) else body
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw) if answer.how == "full" else 10_000))
            self.end_headers()
            if answer.how == "full":
                self.wfile.write(raw)
            while answer.how == "drip" and not far_side.over.wait(0.2):
                self.wfile.write(b" ")
                self.wfile.flush()

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # the client has gone, as some of the tests intend
                super().handle()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def failing(call: Any, *arguments: Any) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        call(*arguments)
    return caught.value
