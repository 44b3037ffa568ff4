"""The page as people see it: both themes, a phone and a desk, keyboard only, without script, inside Airflow's frame."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
OpenPage = Callable[..., "Page"]

VIEWS = {
    "overview": "/oncall/",
    "incidents": "/oncall/incidents",
    "incident": "/oncall/incidents/growth_etl:2026-11-22",
    "rota": "/oncall/rota?at=2026-12-24",
    "runbook": "/oncall/runbooks/growth_etl",
    "no-runbook": "/oncall/runbooks/somebody_elses?embedded=1",
}
SHOTS = os.environ.get("ONCALL_SHOTS")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_fits(site, open_page: OpenPage, view: str, width: int, scheme: str) -> None:
    """No sideways scrolling and no console error, on a phone and on a desk, light and dark."""
    page = open_page(width=width, scheme=scheme)
    site.show(page, VIEWS[view])
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{view}-{width}-{scheme}.png", full_page=True)
