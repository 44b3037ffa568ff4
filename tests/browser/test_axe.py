"""Accessibility as axe-core judges it: every view, light and dark, at a desk and on a phone, and what unfolds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.axe_core import axe_script, grave_findings
from tests.browser.test_page_in_browser import VIEWS
from tests.web.example_page import two_teams

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Site

pytestmark = pytest.mark.browser
OpenPage = Callable[..., "Page"]


@pytest.fixture(scope="session")
def axe() -> str:
    """The script, or all of these tests are left out, loudly."""
    try:
        return axe_script()
    except LookupError as error:
        pytest.skip(f"ACCESSIBILITY WAS NOT CHECKED: {error}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_grave_in_any_view(site: Site, open_page: OpenPage, axe: str, view: str, scheme: str) -> None:
    """No serious or critical finding, with everything that unfolds unfolded."""
    page = open_page(scheme=scheme)
    site.show(page, VIEWS[view])
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert grave_findings(page, axe) == []


@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_grave_where_there_are_teams(site: Site, open_page: OpenPage, axe: str, width: int) -> None:
    """The choice in the head."""
    page = open_page(width=width)
    site.example.seen = two_teams()
    site.show(page, "/oncall/links?team=growth")
    assert grave_findings(page, axe) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["overview", "incident", "rota"])
def test_nothing_grave_on_a_phone(site: Site, open_page: OpenPage, axe: str, view: str, scheme: str) -> None:
    """The narrow layout is another one, and is held to the same."""
    page = open_page(width=360, scheme=scheme)
    site.show(page, VIEWS[view])
    assert grave_findings(page, axe) == []
