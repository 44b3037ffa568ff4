"""A real Chromium before the real app: served by uvicorn, behind Airflow's real auth, inside a frame like Airflow's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pytest

from sandbox import chromium
from tests.web.conftest_page import airflow_auth, token
from tests.web.example_page import Example, morning

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

__all__ = ["airflow_auth", "token"]

# Chromium says this of every frame that Airflow makes.
KNOWN = "An iframe which has both allow-scripts and allow-same-origin"
# How Airflow frames a plugin's page (its sandbox blocks _blank and _top).
FRAME = """<!doctype html><html class="{theme}"><head><title>Airflow</title>
<link rel="icon" href="data:,"><base href="/"></head><body>
<iframe sandbox="allow-scripts allow-same-origin allow-forms allow-downloads" title="On-call"
 width="100%" height="900" src="{path}"></iframe></body></html>"""


@dataclass
class Site:
    """The served page. `example` is what it shows; `opened` are addresses that the frame's parent was led to."""

    url: str
    example: Example
    cookies: dict[str, str] = field(default_factory=dict)

    def show(self, page: Page, path: str = "/oncall/") -> None:
        page.goto(f"{self.url}{path}")

    def show_framed(self, page: Page, path: str = "/oncall/", theme: str = "light") -> None:
        page.goto(f"{self.url}/frame?theme={theme}&path={path}")
        page.frame_locator("iframe").locator("main h1").first.wait_for()


def _is_trouble(said: ConsoleMessage) -> bool:
    return said.type in ("error", "warning") and not said.text.startswith(KNOWN)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if chromium.find() is None:
        pytest.skip(
            "THERE IS NO CHROMIUM HERE: what people see and press was not tried (set ONCALL_CHROMIUM)"
        )
    with chromium.started() as browser:
        yield browser


@pytest.fixture(scope="session")
def site(airflow_auth: None) -> Iterator[Site]:
    import uvicorn
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse

    from oncall.web.app import create_app

    example = Example(morning())
    app = FastAPI()

    @app.get("/frame")
    def frame(theme: str, path: str) -> HTMLResponse:
        return HTMLResponse(FRAME.format(theme=theme, path=path))

    app.mount("/oncall", create_app(example))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Site(f"http://127.0.0.1:{port}", example)
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def open_page(browser: Browser, site: Site, token: Callable[..., str]) -> Iterator[Callable[..., Page]]:
    """`open_page(name, role, width=…, scheme=…)`: a page signed in to Airflow; fails on any console error."""
    site.example.seen = morning()
    contexts, errors = [], []

    def make(
        name: str = "anna",
        role: str = "ADMIN",
        *,
        width: int = 1440,
        scheme: Literal["light", "dark"] = "light",
        script: bool = True,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=script,
        )
        context.add_cookies(
            [{"name": "_token", "value": token(name, role), "url": site.url, "httpOnly": True}]
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: errors.append(said.text) if _is_trouble(said) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert errors == []
