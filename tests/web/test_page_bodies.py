"""What is sent to the page: little, or it is refused before anybody is asked. HEAD is GET without a body."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from oncall.web.body_limit import MOST_BYTES, SmallBodies
from tests.web.example_page import Example, at

FORMS = (
    "/oncall/incidents/growth_etl:2026-11-22/acknowledge",
    "/oncall/incidents/growth_etl:2026-11-22/resolve",
    "/oncall/links",
    "/oncall/links/x/revoke",
    "/oncall/nowhere",
)
OURS = {"sec-fetch-site": "same-origin"}


def chunks(count: int) -> Iterator[bytes]:
    """A body that does not say how long it is."""
    for _ in range(count):
        yield b"x" * 4096


@pytest.mark.parametrize("path", [*FORMS, "/oncall/", "/oncall/health", "/oncall/calendar.ics"])
@pytest.mark.parametrize("token", [None, "bogus"])
def test_a_long_body_is_refused_whoever_sends_it(client: TestClient, path: str, token: str | None) -> None:
    """413, with its length or in pieces, as a form, as files: nobody is asked, and nothing is kept in memory."""
    if token:
        client.cookies.set("_token", token)
    method = "POST" if path in FORMS else "GET"
    files = [("note", (f"{number}.bin", b"x" * 512)) for number in range(300)]
    for sent in (
        {"content": b"x" * (MOST_BYTES + 1)},
        {"content": chunks(100)},
        {"content": b"x", "headers": {"content-length": "150000000"}},
        {"content": b"x", "headers": {"content-length": "9" * 5000}},
        {"files": files},
    ):
        answer = client.request(method, path, **sent)
        assert answer.status_code == 413
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_longest_note_fits(admin: TestClient, example: Example) -> None:
    """A thousand letters of any script, as a browser sends them."""
    note = "🙂" * 1000
    path = "/oncall/incidents/growth_etl:2026-11-22/resolve"
    assert admin.post(path, data={"note": note}, headers=OURS, follow_redirects=False).status_code == 303
    assert example.acts[0][3] == note


def test_a_short_body_in_pieces_is_a_body(admin: TestClient, example: Example) -> None:
    """However it is cut."""
    form = {"content-type": "application/x-www-form-urlencoded", **OURS}
    path = "/oncall/incidents/growth_etl:2026-11-22/resolve"
    answer = admin.post(path, content=iter([b"no", b"te=", b"known"]), headers=form, follow_redirects=False)
    assert answer.status_code == 303
    assert example.acts[0][3] == "known"


def test_half_a_form_does_nothing() -> None:
    """The line was cut in the middle of a note: the incident was resolved with what had arrived of it."""
    reached: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope)

    said: list[Message] = [
        {"type": "http.request", "body": b"note=half a no", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return said.pop(0)

    async def send(_: Message) -> None:
        return None

    scope = {"type": "http", "method": "POST", "headers": [(b"content-length", b"400")]}
    asyncio.run(SmallBodies(app)(scope, receive, send))
    assert reached == []
    assert said == []


@pytest.mark.parametrize(
    "path", ["/oncall/health", "/oncall/calendar.ics", "/oncall/badge/investor.daily_profit.svg", "/oncall/"]
)
def test_head_is_get_without_the_body(client: TestClient, example: Example, path: str) -> None:
    """The same status and headers, for monitors and calendars that ask so; who is refused is refused."""
    what = "badge:investor.daily_profit" if "badge" in path else "calendar:team"
    key = example.links.make(what, "anna", at("05:00"))
    for query in (f"?token={key}", "?token=wrong"):
        head, get = client.head(path + query), client.get(path + query)
        assert head.status_code == get.status_code
        assert head.content == b""
        for name in ("content-type", "content-length", "cache-control", "content-security-policy"):
            assert head.headers.get(name) == get.headers.get(name)
