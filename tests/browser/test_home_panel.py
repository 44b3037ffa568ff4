"""The real Airflow in a real Chromium: the panel on its Home, the page in its menu, the runbook as a tab of a DAG."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from oncall.config.oncall_config import load
from oncall.core.rota.on_call import who_is_on_call
from sandbox.stack.environment import LOGINS
from tests.browser.axe_core import axe_script, grave_findings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route

    from sandbox.stack.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(300)]

PATIENCE_MS = 60_000
PANEL = "section[aria-label='On-call']"
NOW = "section[aria-label='On call now']"
LINE = f"{PANEL} [role=status]"


@pytest.fixture(scope="module")
def signed_in(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    """Through Airflow's own form."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(f"{stack.airflow_url}/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", LOGINS["admin"])
    page.keyboard.press("Enter")
    page.locator(PANEL).wait_for()
    page.close()
    yield context
    context.close()


@pytest.fixture
def said() -> list[str]:
    """The errors that the console was told of our files and addresses."""
    return []


@pytest.fixture
def page(signed_in: BrowserContext, stack: Stack, said: list[str]) -> Iterator[Page]:
    """Airflow's Home, with what the panel read."""
    page = signed_in.new_page()
    page.on("console", lambda one: said.append(one.text) if _is_our_trouble(one) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{stack.airflow_url}/")
    page.locator(NOW).wait_for()
    yield page
    page.close()


def _is_our_trouble(one: ConsoleMessage) -> bool:
    return one.type == "error" and "/oncall/" in f"{one.text} {one.location['url']}"


def test_the_page_is_at_home_in_airflow(page: Page, stack: Stack, said: list[str]) -> None:
    """Home names who is on call; the menu leads to the page, a DAG's tab to its runbook; nothing of ours complains."""
    config = load(stack.include_dir)
    primary = who_is_on_call(config.roster, dt.datetime.now(dt.UTC)).primary
    assert primary is not None
    name = config.roster.people[primary].name
    page.locator(NOW).get_by_text(name, exact=True).first.wait_for()
    page.locator(
        f"{PANEL} a:has-text('Growth ETL')"
    ).first.wait_for()  # its promise; at night an incident of it, too

    page.get_by_role("link", name="Open the On-call page").click()
    page.wait_for_url("**/plugin/oncall")
    page.frame_locator("iframe").locator(".person.primary").get_by_text(name, exact=True).wait_for()

    page.goto(f"{stack.airflow_url}/dags")
    page.locator("a[href$='/plugin/oncall']").click()
    page.frame_locator("iframe").locator("main h1").first.wait_for()

    page.goto(f"{stack.airflow_url}/dags/growth_etl/plugin/runbook")
    page.frame_locator("iframe").locator(".runbook h2:has-text('Stuck')").wait_for()
    assert said == []


def test_home_stands_whatever_the_page_answers(page: Page) -> None:
    """What cannot be read is said in one line beside what was seen before, and what cannot be shown in another."""
    page.route("**/oncall/api/home", lambda route: route.fulfill(status=503, json={}))
    _look_again(page)
    page.locator(f"{LINE}:has-text('cannot be read (Airflow answers 503); this is how it stood')").wait_for()
    assert page.locator(NOW).is_visible()

    page.route("**/oncall/api/home", lambda route: route.fulfill(json={"on_call": {}}))
    _look_again(page)
    page.locator(f"{LINE}:has-text('cannot be shown')").wait_for()
    assert page.get_by_role("heading", name="Welcome").is_visible()


def test_nothing_grave_for_axe_on_the_worst_of_nights(page: Page) -> None:
    """Every verdict, a drill and a trouble, in both of Airflow's themes."""
    try:
        script = axe_script()
    except LookupError as error:
        pytest.skip(f"ACCESSIBILITY WAS NOT CHECKED: {error}")

    links = {"incident": "/oncall/incidents/k"}
    drill = {"key": "k", "open": True, "drill": "now", "title": "Growth", "status": "Paged", "links": links}

    def worst(route: Route) -> None:
        home = route.fetch().json()
        for promise, verdict in zip(home["promises"], ("broken", "late", "at_risk"), strict=True):
            promise["today"]["verdict"] = verdict
        route.fulfill(json={**home, "open_incidents": [drill], "troubles": [{"title": "Nobody watches"}]})

    page.route("**/oncall/api/home", worst)
    _look_again(page)
    page.locator(f"{LINE}:has-text('Nobody watches')").wait_for()
    assert (
        page.locator(f"{PANEL} a[href='/plugin/oncall/oncall/incidents/k']").count() == 1
    )  # in Airflow's frame
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.locator(f"html.{scheme}").wait_for()
        assert grave_findings(page, script, PANEL) == [], scheme


def _look_again(page: Page) -> None:
    """The panel looks when its tab is shown again, and not only each half minute."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
