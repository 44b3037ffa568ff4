"""The page as people see it: both themes, a phone and a desk, keyboard only, without script, inside Airflow's frame."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oncall.core.errors import Problem
from tests.web.example_page import calm, states, two_teams

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Site

pytestmark = pytest.mark.browser
OpenPage = Callable[..., "Page"]

INCIDENT = "growth_etl:2026-11-22"
VIEWS = {
    "overview": "/oncall/",
    "incidents": "/oncall/incidents",
    "incident": f"/oncall/incidents/{INCIDENT}",
    "rota": "/oncall/rota?at=2026-12-24",
    "runbook": "/oncall/runbooks/growth_etl",
    "links": "/oncall/links",
    "reports": "/oncall/reports",
    "report": "/oncall/reports/investor.daily_profit",
    "report-stacked": "/oncall/reports/investor.daily_growth",
    "report-of-variants": "/oncall/reports/experiments.unit_profit",
    "api": "/oncall/api",
    "no-runbook": "/oncall/runbooks/somebody_elses?embedded=1",
}
SHOTS = os.environ.get("ONCALL_SHOTS")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_fits(site: Site, open_page: OpenPage, view: str, width: int, scheme: str) -> None:
    """No sideways scrolling and no console error, on a phone and on a desk, light and dark."""
    page = open_page(width=width, scheme=scheme)
    site.show(page, VIEWS[view])
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{view}-{width}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("state", states())
def test_every_state_fits(site: Site, open_page: OpenPage, state: str, width: int, scheme: str) -> None:
    """From a calm day to a night in which nobody looks any more: a phone and a desk, light and dark."""
    page = open_page(width=width, scheme=scheme)
    site.example.seen = seen = states()[state]
    known = {record.incident.key for record in seen.records}
    for view in ("overview", "incident", "runbook", *(("incidents", "rota", "reports") if SHOTS else ())):
        if view == "incident" and INCIDENT not in known:
            continue
        site.show(page, VIEWS[view])
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"state-{state}-{view}-{width}-{scheme}.png")


def test_a_long_address_stays_in_its_card(site: Site, open_page: OpenPage) -> None:
    """On a phone it is broken where its parts meet."""
    page = open_page(width=360)
    seen = site.example.seen
    roster = seen.config.roster
    long = "a-very-long-first-name.and-a-longer-family-name@data-engineering.asia-pacific.example.com"
    people = {name: replace(one, opsgenie=long) for name, one in roster.people.items()}
    site.example.seen = replace(seen, config=replace(seen.config, roster=replace(roster, people=people)))
    site.show(page)
    links = page.locator('.reach a[href^="mailto:"]')
    assert links.all_inner_texts() == [long] * 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    lines = links.first.evaluate(
        "it => new Set([...it.getClientRects()].map(box => Math.round(box.top))).size"
    )
    assert lines <= 4


def test_the_theme_follows_airflows_at_once(site: Site, open_page: OpenPage) -> None:
    """Inside Airflow its choice counts, not the system's; a switch shows without loading anew."""
    page = open_page(scheme="dark")
    site.show_framed(page, theme="light")
    html = page.frame_locator("iframe").locator("html")
    assert html.get_attribute("data-theme") == "light"
    page.evaluate("document.documentElement.className = 'dark'")
    page.frame_locator("iframe").locator("html[data-theme=dark]").wait_for()


def test_without_a_choice_the_system_decides(site: Site, open_page: OpenPage) -> None:
    """Airflow's html has no class until somebody chooses."""
    page = open_page(scheme="dark")
    site.show_framed(page, theme="")
    assert page.frame_locator("iframe").locator("html").get_attribute("data-theme") == "dark"


def test_without_a_script_the_system_decides(site: Site, open_page: OpenPage) -> None:
    """As of a page that is refused: whoever is not signed in is not handed the script."""
    for scheme, bright in (("dark", False), ("light", True)):
        page = open_page(scheme=scheme, script=False)
        site.show(page)
        background = page.evaluate(
            "(() => { const c = document.createElement('canvas').getContext('2d');"
            " c.fillStyle = getComputedStyle(document.body).backgroundColor; c.fillRect(0, 0, 1, 1);"
            " return c.getImageData(0, 0, 1, 1).data[0]; })()"
        )
        assert (background > 128) is bright


def test_airflow_links_go_through_airflows_router(site: Site, open_page: OpenPage) -> None:
    """The frame may not navigate its parent: the parent's address changes, and its router is told."""
    page = open_page()
    site.show_framed(page)
    page.evaluate("window.told = 0; addEventListener('popstate', () => window.told++)")
    page.frame_locator("iframe").locator("article:has-text('Growth ETL') a:has-text('Run')").last.click()
    page.wait_for_function("window.told === 1")
    assert page.url == f"{site.url}/dags/growth_etl/runs/scheduled__3"


def test_outside_links_open_beside_airflow(site: Site, open_page: OpenPage) -> None:
    """The sandbox blocks new tabs from within; the parent opens them."""
    page = open_page()
    site.show_framed(page)
    page.evaluate("() => { window.opened = []; window.open = (...what) => window.opened.push(what) }")
    page.frame_locator("iframe").locator("a:has-text('de-003@example.com')").click()
    assert page.evaluate("window.opened") == [["mailto:de-003@example.com", "_blank", "noopener"]]


def test_an_incident_is_acknowledged_by_keyboard_alone(site: Site, open_page: OpenPage) -> None:
    """Tab and Enter, from the page to what was done; recorded under the name of who pressed."""
    page = open_page()
    site.example.acts.clear()
    site.show_framed(page, "/oncall/incidents/growth_etl:2026-11-22")
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Acknowledge Growth ETL, 22 Nov").focus()
    page.keyboard.press("Enter")
    frame.locator("[role=status]:has-text('escalation stops')").wait_for()
    assert site.example.acts == [("acknowledge", "growth_etl:2026-11-22", "anna", "growth_etl")]


def test_on_a_phone_the_fix_comes_first(site: Site, open_page: OpenPage) -> None:
    """Headline, open incidents with their button on the first screen, who is on call; a broken roster is a line."""
    page = open_page(width=360)
    problems = tuple(Problem(f"roster.yaml:{line}", "people", "x", "a name") for line in range(40))
    site.example.seen = replace(site.example.seen, problems=problems)
    site.show(page)
    tops = [
        page.locator(what).first.bounding_box()["y"]  # type: ignore[index]
        for what in (".banner", ".answer", ".incident .take", "#now")
    ]
    assert tops == sorted(tops)
    assert tops[2] < 400
    assert page.locator(".incident .take").first.bounding_box()["height"] < 60  # type: ignore[index]
    assert page.locator(".banner li").first.is_hidden()
    page.get_by_text("The on-call files have 40 problems").click()
    assert page.locator(".banner li").first.is_visible()


def test_a_banner_of_a_few_lines_costs_a_phone_no_room_and_a_desk_no_tap(
    site: Site, open_page: OpenPage
) -> None:
    """On a phone it unfolds; on a desk it stands there."""
    site.example.seen = states()["watcher-gone"]
    for width, open_at_once in ((360, False), (1440, True)):
        page = open_page(width=width)
        site.show(page)
        assert page.locator(".banner li").first.is_visible() is open_at_once


def test_colours_that_tell_something_stay_where_the_reader_chose_the_others(
    site: Site, open_page: OpenPage
) -> None:
    """The days of the strip, the badges, the dot before the first line."""
    page = open_page()
    site.show(page)
    colours = """() => [".strip .late", ".strip .broken", ".badge.broken", ".dot.late"].map(
        name => getComputedStyle(document.querySelector(name)).backgroundColor)"""
    before = page.evaluate(colours)
    page.emulate_media(forced_colors="active")
    assert page.evaluate(colours) == before
    lines = "all => all.map(tab => getComputedStyle(tab).borderBottomColor)"
    here, *others = page.eval_on_selector_all(".top nav a", lines)
    assert here not in others  # a transparent line would be drawn under each tab


def test_on_paper_a_query_has_all_of_its_words(site: Site, open_page: OpenPage) -> None:
    """Nobody can scroll there."""
    page = open_page(width=720)
    site.show(page, "/oncall/runbooks/growth_etl")
    page.emulate_media(media="print")
    assert not page.eval_on_selector_all(
        ".runbook pre", "all => all.filter(it => it.scrollWidth > it.clientWidth).length"
    )


@pytest.mark.parametrize("width", [360, 1440])
def test_a_name_of_two_words_stands_whole_beside_its_bars(
    site: Site, open_page: OpenPage, width: int
) -> None:
    """In two lines, where one is too short for it."""
    page = open_page(width=width)
    site.example.seen = two_teams()
    site.show(page, "/oncall/rota?team=growth")
    cut = (
        "all => all.filter(it => it.scrollWidth > it.clientWidth || it.scrollHeight > it.clientHeight).length"
    )
    assert page.locator(".line .who").evaluate_all(cut) == 0


def test_two_taps_from_the_alert_to_acknowledged(site: Site, open_page: OpenPage) -> None:
    """The alert's link, the button: without script, on a phone, with the button on the first screen."""
    page = open_page(width=360, script=False)
    site.example.acts.clear()
    site.show(page, "/oncall/incidents/growth_etl:2026-11-22#actions")
    button = page.get_by_role("button", name="Acknowledge Growth ETL, 22 Nov")
    title, box = page.locator("main h1").bounding_box(), button.bounding_box()
    assert title
    assert box
    assert title["y"] > 48, "the incident is named above it, below the menu"
    assert box["y"] + box["height"] < 640
    button.click()
    page.get_by_text("escalation stops").wait_for()
    assert site.example.acts == [("acknowledge", "growth_etl:2026-11-22", "anna", "growth_etl")]


def test_a_runbook_opens_at_the_live_cause(site: Site, open_page: OpenPage) -> None:
    """Or at the section that was asked for; a place named after the # wins."""
    page = open_page(width=360)
    for path, anchor in (("", "stuck"), ("?section=failed", "failed"), ("?section=failed#after", "after")):
        page.goto("about:blank")
        site.show(page, f"/oncall/runbooks/growth_etl{path}")
        page.wait_for_function("name => location.hash === '#' + name", arg=anchor)
        page.wait_for_function(
            "name => Math.abs(document.getElementById(name).getBoundingClientRect().top) < 120"
            " || scrollY + innerHeight >= document.documentElement.scrollHeight - 2",
            arg=anchor,
        )


@pytest.mark.parametrize("teams", [1, 2])
def test_no_menu_covers_the_section_that_an_alert_leads_to(
    site: Site, open_page: OpenPage, teams: int
) -> None:
    """On a phone; where there are several teams the menu is two rows high."""
    page = open_page(width=360)
    site.example.seen = two_teams() if teams > 1 else site.example.seen
    site.show(page, "/oncall/runbooks/growth_etl?section=failed#failed")
    page.wait_for_function("Math.abs(document.getElementById('failed').getBoundingClientRect().top) < 120")
    section, menu = (page.locator(one).first.bounding_box() for one in ("#failed", ".top"))
    assert section
    assert menu
    assert section["y"] >= menu["y"] + menu["height"]


TAPPED = """() => [...document.querySelectorAll("main a, main button, main summary, header a")]
    .filter(one => one.checkVisibility() && !one.closest(".runbook, .calendar, p, li.old"))
    .map(one => [one.getBoundingClientRect().height, one.outerHTML.slice(0, 90)])
    .filter(([height]) => height < 23.5)"""


@pytest.mark.parametrize("view", ["overview", "incidents", "incident", "rota", "links", "runbook"])
def test_what_is_tapped_is_large_enough(site: Site, open_page: OpenPage, view: str) -> None:
    """24 px high or more; links within a sentence are as high as the sentence."""
    page = open_page(width=360)
    site.show(page, VIEWS[view])
    assert page.evaluate(TAPPED) == []


def test_everything_is_reached_by_tab_and_seen_to_be(site: Site, open_page: OpenPage) -> None:
    """The first Tab offers to skip the menu; every stop has a visible outline."""
    page = open_page()
    site.show(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(25):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none", page.evaluate("document.activeElement.outerHTML")


def test_a_day_of_the_strip_tells_itself_on_focus(site: Site, open_page: OpenPage) -> None:
    """Hover and focus show the same words."""
    page = open_page()
    site.show(page)
    day = page.locator(".strip li.late").first
    assert day.locator(".tip").evaluate("it => getComputedStyle(it).opacity") == "0"
    day.focus()
    assert day.locator(".tip").evaluate("it => getComputedStyle(it).opacity") == "1"
    assert "42 min late" in day.inner_text()


def test_the_days_of_a_strip_are_one_stop(site: Site, open_page: OpenPage) -> None:
    """Tab reaches the newest day, the arrow keys the others; the next Tab leaves the strip."""
    page = open_page()
    site.show(page)
    strip = page.locator(".strip").first
    strip.locator("[tabindex='0']").focus()
    page.keyboard.press("ArrowLeft")
    assert strip.locator("li:nth-last-child(2)").evaluate("it => it === document.activeElement")
    page.keyboard.press("Home")
    assert strip.locator("[tabindex]").first.evaluate("it => it === document.activeElement")
    page.keyboard.press("Tab")
    assert not strip.evaluate("it => it.contains(document.activeElement)")


def test_a_press_on_the_calendar_tells_why(site: Site, open_page: OpenPage) -> None:
    """On the bar as on the date above it: that week unfolds."""
    page = open_page()
    site.show(page, "/oncall/rota")
    page.locator(".calendar rect.cover").first.click()
    page.get_by_text("DE-001 stands in for DE-004").wait_for()


def test_a_page_that_grows_old_says_so(site: Site, open_page: OpenPage) -> None:
    """Nobody may take an hour-old morning for the present."""
    page = open_page()
    page.clock.install()
    site.show(page)
    page.evaluate("() => { window.kept = fetch; window.fetch = async () => ({ ok: false, status: 401 }) }")
    page.clock.run_for(16_000)
    page.locator(
        "[role=status]:has-text('Your session has ended: this is how it stood at 05:12.')"
    ).wait_for()
    page.evaluate("() => { window.fetch = window.kept }")
    page.clock.run_for(16_000)
    page.locator(".old").wait_for(state="detached")


def test_a_resolution_asks_for_its_reason(site: Site, open_page: OpenPage) -> None:
    """The browser itself does not send an empty note."""
    page = open_page()
    site.example.acts.clear()
    site.show(page, "/oncall/incidents/growth_etl:2026-11-22")
    page.get_by_text("Resolve with a note").click()
    page.get_by_role("button", name="Resolve").click()
    assert site.example.acts == []
    page.get_by_label("Why is it over?").fill("investors were told")
    page.get_by_role("button", name="Resolve").click()
    page.get_by_role("status").wait_for()
    what = ("resolve", "growth_etl:2026-11-22", "anna", "investors were told", "growth_etl")
    assert site.example.acts[-1] == what


def test_the_page_refreshes_while_it_is_looked_at(site: Site, open_page: OpenPage) -> None:
    """Half a minute later it shows what has become of the night, and what was unfolded stays so."""
    page = open_page()
    page.clock.install()
    site.show(page)
    page.locator("summary:has-text('Week 48')").click()
    page.locator("main").evaluate("it => document.activeElement.blur()")
    site.example.seen = calm()
    page.clock.run_for(16_000)
    page.locator("h1:has-text('Investors have all 3 reports')").wait_for()
    assert page.locator("details[open] summary:has-text('Week 48')").count() == 1


def test_a_form_that_is_being_filled_in_is_left_alone(site: Site, open_page: OpenPage) -> None:
    """Nothing is worse than a note that vanishes."""
    page = open_page()
    page.clock.install()
    site.show(page, "/oncall/incidents/growth_etl:2026-11-22")
    page.get_by_text("Resolve with a note").click()
    page.get_by_label("Why is it over?").fill("half a sentence")
    page.locator("body").evaluate("it => document.activeElement.blur()")
    page.clock.run_for(31_000)
    assert page.get_by_label("Why is it over?").input_value() == "half a sentence"


def test_commands_of_a_runbook_can_be_copied(site: Site, open_page: OpenPage) -> None:
    """One press, the text as it stands."""
    page = open_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    site.show(page, "/oncall/runbooks/growth_etl#stuck")
    box = page.locator("#stuck ~ .code, #stuck ~ ol .code").first
    box.get_by_role("button").click()
    box.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == box.locator("pre").inner_text().rstrip()


@pytest.mark.parametrize("width", [360, 1440])
def test_another_team_is_chosen_without_script(site: Site, open_page: OpenPage, width: int) -> None:
    """In the page's head, on a phone too; the next view is still that team's."""
    page = open_page(width=width, script=False)
    site.example.seen = two_teams()
    site.show(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_label("Whose page").select_option("growth")
    page.get_by_role("button", name="Show").click()
    page.locator(".person.primary:has-text('DE-001 of Berlin')").wait_for()
    page.get_by_role("link", name="Rota", exact=True).click()
    page.get_by_text("Europe/Berlin").first.wait_for(state="attached")
    assert page.get_by_label("Whose page").input_value() == "growth"
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"team-{width}.png")
        site.show(page, "/oncall/?team=growth")
        page.screenshot(path=Path(SHOTS) / f"team-home-{width}.png")


@pytest.mark.parametrize("view", VIEWS)
def test_reading_needs_no_script(site: Site, open_page: OpenPage, view: str) -> None:
    """Everything is there without it, and the week's reasons unfold."""
    page = open_page(script=False)
    site.show(page, VIEWS[view])
    assert page.locator("main h1").count() >= 1
    if view == "rota":
        page.locator("summary:has-text('Week 48')").click()
        assert page.get_by_text("DE-001 stands in for DE-004").is_visible()
