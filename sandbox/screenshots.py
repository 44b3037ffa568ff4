"""`make screenshots`: photographs what README and docs show of the running stack, in Airflow. Changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import httpx

from sandbox import chromium
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import SandboxError
from sandbox.stack.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Frame, Page

IMAGES = REPOSITORY / "docs/images"
PATIENCE_MS = 60_000
SETTLED_WITHIN_MS = 8_000
PAGE = "plugin/oncall"  # where Airflow shows the page in its frame
RUNBOOK_OF = "growth_etl"


@dataclass(frozen=True)
class View:
    """What to photograph. `inside` leads the On-call page in Airflow's frame on to another of its pages.

    `shows` is a selector that must be there: within the frame when there is one.
    """

    name: str
    url: str
    shows: str = "main h1"
    framed: bool = True
    inside: str = ""
    width: int = 1440
    height: int = 1000
    scheme: Literal["light", "dark"] = "light"


def views(stack: Stack) -> Iterator[View]:
    """What README and docs show, of one night; an incident and a task instance only when the stack has one."""
    base, page = stack.airflow_url, f"{stack.airflow_url}/{PAGE}"
    if key := _an_incident(stack):
        incident = f"/oncall/incidents/{quote(key, safe=':')}"
        yield View("night", f"{base}/oncall/", framed=False, height=900)
        yield View("night-360", f"{base}/oncall/", framed=False, width=360, height=900, scheme="dark")
        yield View(
            "incident-360", f"{base}{incident}#actions", framed=False, width=360, height=780, scheme="dark"
        )
    yield View("rota", page, inside="/oncall/rota", height=1200)
    yield View("runbook", f"{base}/dags/{RUNBOOK_OF}/plugin/runbook")
    yield View("home", f"{base}/", shows="section[aria-label='On call now']", framed=False, height=900)
    if path := _a_task(stack):
        yield View("task", f"{base}/{path}", shows="a:has-text('Runbook')", framed=False, height=900)
    yield View("inbox", stack.inbox_url, shows="body", framed=False, height=800)


def photograph(stack: Stack, folder: Path) -> Iterator[Path]:
    """Take each view's picture; the files, one by one. Raises SandboxError when the stack or Chromium is missing."""
    if not stack.api().health() or stack.component("inbox").running() is None:
        raise SandboxError("the stack is not up; start it with `make up`, then try again")
    folder.mkdir(parents=True, exist_ok=True)
    with chromium.started() as browser:
        for view in views(stack):
            path = folder / f"{view.name}.png"
            _take(browser, stack, view, path)
            yield path


def _take(browser: Browser, stack: Stack, view: View, path: Path) -> None:
    from playwright.sync_api import Error

    size = {"width": view.width, "height": view.height}
    context = browser.new_context(viewport=size, color_scheme=view.scheme)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    context.add_cookies([{"name": "_token", "value": stack.api().token, "url": stack.airflow_url}])
    try:
        page = context.new_page()
        page.goto(view.url)
        where = _frame(page, view) if view.framed else page.main_frame
        where.locator(view.shows).first.wait_for()
        _settle(page)
        page.screenshot(path=path, animations="disabled")
    except Error as error:
        raise SandboxError(
            f"{view.name}: {view.url} does not show {view.shows!r}: {error.message}"
        ) from error
    finally:
        context.close()


def _frame(page: Page, view: View) -> Frame:
    frame = page.locator("iframe").first.element_handle().content_frame()
    assert frame is not None
    frame.locator(view.shows).first.wait_for()
    if view.inside:
        frame.goto(f"{page.url.partition('/plugin/')[0]}{view.inside}")
    return frame


def _settle(page: Page) -> None:
    """Until nothing is loaded any more, or a page that never rests has had its time."""
    from playwright.sync_api import TimeoutError as Restless

    with suppress(Restless):
        page.wait_for_load_state("networkidle", timeout=SETTLED_WITHIN_MS)


def _an_incident(stack: Stack) -> str:
    """The key of an incident: of the other pictures' pipeline, else the first one; "" when there is none."""
    headers = {"Authorization": f"Bearer {stack.api().token}"}
    answer = httpx.get(f"{stack.airflow_url}/oncall/api/incidents", headers=headers, timeout=30)
    found = answer.raise_for_status().json()
    chosen = sorted(found, key=lambda one: one["dag_id"] != RUNBOOK_OF)
    return str(chosen[0]["key"]) if chosen else ""


def _a_task(stack: Stack) -> str:
    """Airflow's path of the newest run's `transform`; "" when there is no run yet."""
    runs = stack.api().get(f"dags/{RUNBOOK_OF}/dagRuns", order_by="-run_after", limit=1)["dag_runs"]
    run = quote(runs[0]["dag_run_id"], safe="") if runs else ""
    return f"dags/{RUNBOOK_OF}/runs/{run}/tasks/transform/details" if run else ""


def main() -> None:
    try:
        for path in photograph(Stack.chosen(), IMAGES):
            print(f"  {path.relative_to(REPOSITORY)}   {path.stat().st_size / 1000:.0f} kB", flush=True)
    except SandboxError as error:
        sys.exit(f"\n{error}")


if __name__ == "__main__":
    main()
