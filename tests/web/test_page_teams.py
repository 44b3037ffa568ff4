"""A page for each team: its own people, zone, promises, incidents and feeds; nothing changes where there is one."""

from __future__ import annotations

import re
from dataclasses import replace

import icalendar
import pytest
from fastapi.testclient import TestClient

from oncall.core.incidents.wording import Links
from oncall.web.teams import by_team, names, of_team, unasked
from oncall.web.views.home import MOST_PROMISES, home
from tests.web.example_page import BERLIN, Example, two_teams

OURS = {"sec-fetch-site": "same-origin"}
HTML = {"accept": "text/html"}
GROWTH = "growth_etl:2026-11-22"
VIEWS = ("", "incidents", "rota", "links", "api")
INNER = re.compile(r'(?:href|action)="/oncall(/(?:incidents|rota|links|api|))(\?[^"#]*)?(?:#[^"]*)?"')


@pytest.fixture
def example() -> Example:
    return Example(two_teams())


def test_every_look_belongs_to_one_team() -> None:
    """Nothing is lost and nothing is shown twice."""
    seen = two_teams()
    looks = by_team(seen)
    assert {team: sorted(look.config.pipelines) for team, look in looks.items()} == {
        "": ["engagement_etl", "profit_etl", "unit_profit_experiments"],
        "growth": ["daily_growth_experiments", "growth_etl"],
    }
    assert sum(len(look.statuses) for look in looks.values()) == len(seen.statuses)
    assert sum(len(look.records) for look in looks.values()) == len(seen.records)
    assert [one.incident.key for one in looks["growth"].records] == [GROWTH]
    assert list(looks["growth"].published) == ["investor.daily_growth"]
    assert looks["growth"].config.roster.tz is BERLIN


def test_the_top_is_shown_unasked_unless_it_has_nothing_of_its_own() -> None:
    """Then it is the first team, and the roster at the top can still be chosen."""
    config = two_teams().config
    assert list(names(config).items()) == [("", "data-engineering"), ("growth", "growth")]
    theirs = {name: one for name, one in config.pipelines.items() if one.team}
    bare = replace(config, pipelines=theirs)
    assert (list(names(bare)), unasked(bare)) == (["growth", ""], "growth")


def test_an_incident_of_no_pipeline_any_more_is_not_lost() -> None:
    """The team shown unasked has it."""
    seen = two_teams()
    record = seen.records[0]
    seen = replace(seen, records=(replace(record, incident=replace(record.incident, dag_id="gone")),))
    assert [len(look.records) for look in by_team(seen).values()] == [1, 0]


@pytest.mark.parametrize(
    ("address", "mine", "others"),
    [
        ("", "Profit ETL", "Growth ETL"),
        ("?team=", "Profit ETL", "Growth ETL"),
        ("?team=growth", "Growth ETL", "Profit ETL"),
    ],
)
def test_the_first_page_is_one_teams(viewer: TestClient, address: str, mine: str, others: str) -> None:
    """Its promises, incidents and pipelines; whose it is can be chosen in the head, by a form."""
    text = viewer.get(f"/oncall/{address}").text
    assert mine in text
    assert others not in text
    assert re.search(r'<form class="whose" method="get" action="/oncall/">', text)
    assert text.count(" selected>") == 1


def test_people_and_times_are_the_teams(viewer: TestClient) -> None:
    """The same id is another person, and 05:12 in Bangkok is 23:12 of the day before in Berlin."""
    text = viewer.get("/oncall/?team=growth").text
    assert "DE-001 of Berlin" in text
    assert "Europe/Berlin" in text
    assert "de-001@example.com" not in text
    assert "of Berlin" not in viewer.get("/oncall/").text
    now = viewer.get("/oncall/api/now?team=growth").json()["current"]
    assert (now["primary"]["name"], now["at"][:16]) == ("DE-001 of Berlin", "2026-11-22T23:12")
    asked = viewer.get("/oncall/rota?team=growth&at=2026-11-24").text
    assert '<input type="hidden" name="team" value="growth">' in asked
    assert "Tue 24 Nov 09:00: DE-002 of Berlin, then " in asked


@pytest.mark.parametrize("view", VIEWS)
def test_every_link_keeps_the_team(admin: TestClient, view: str) -> None:
    """Of a team that was chosen; the one that is shown unasked needs no name."""
    for team, kept in (("?team=growth", "?team=growth"), ("", "")):
        found = INNER.findall(admin.get(f"/oncall/{view}{team}").text)
        forms = [one for one in found if one[1] != kept]
        assert len(found) - len(forms) >= 4
        assert len(forms) <= 2  # what is chosen in a form, is not in its address


@pytest.mark.parametrize("address", ["", "?team=growth", "?team="])
@pytest.mark.parametrize("view", [f"incidents/{GROWTH}", "runbooks/growth_etl"])
def test_an_incident_and_a_runbook_are_their_own_teams(viewer: TestClient, view: str, address: str) -> None:
    """Whatever the address says: who is on call, the zone, and where the head leads."""
    text = viewer.get(f"/oncall/{view}{address}").text
    assert "DE-001 of Berlin" in text
    assert "Europe/Berlin" in text
    assert 'href="/oncall/rota?team=growth"' in text


def test_a_team_that_there_is_not_is_told_so(viewer: TestClient) -> None:
    """404 with the names that there are, for people and for programs; one roster alone has no teams."""
    answer = viewer.get("/oncall/?team=sales", headers=HTML)
    assert answer.status_code == 404
    assert "No team “sales” has a roster of its own. Those that do: growth." in answer.text
    assert viewer.get("/oncall/api/promises?team=sales").status_code == 404
    assert viewer.get("/oncall/api/rota?from=2026-11-23&until=2026-12-07&team=sales").status_code == 404


def test_the_json_takes_the_same_parameter(viewer: TestClient) -> None:
    """Each answer is of one team; without it of the roster at the top."""
    ask = "/oncall/api/{}?team=growth"
    assert {one["today"]["dag_id"] for one in viewer.get(ask.format("promises")).json()} == {"growth_etl"}
    assert [one["key"] for one in viewer.get(ask.format("incidents")).json()] == [GROWTH]
    assert len(viewer.get(ask.format("pipelines")).json()) == 2
    assert len(viewer.get("/oncall/api/pipelines").json()) == 3
    assert {one["person"] for one in viewer.get(ask.format("load")).json()} == {"DE-001", "DE-002"}
    opened = viewer.get(f"/oncall/api/incidents/{GROWTH}").json()
    assert opened["status"] == "Paged DE-003 23:00 (P1); nobody has acknowledged"
    assert "<code>?team=</code> names a team" in viewer.get("/oncall/api").text


def test_two_of_the_same_name_have_a_calendar_each(admin: TestClient, example: Example) -> None:
    """Two keys, two calendars: no entry of one is taken for one of the other."""
    calendars = {}
    for team, what in (("", "calendar:DE-001"), ("?team=growth", "calendar:growth/DE-001")):
        made = admin.post(f"/oncall/links{team}", data={"what": what}, headers=OURS)
        path = re.search(r"/oncall/calendar\.ics\?token=[\w-]+", made.text)
        assert path
        calendars[what] = icalendar.Calendar.from_ical(admin.get(path[0]).content)
    names = [str(calendar["x-wr-calname"]) for calendar in calendars.values()]
    assert names == ["On call: DE-001", "On call (growth): DE-001"]
    uids = [{str(event["uid"]) for event in calendar.walk("VEVENT")} for calendar in calendars.values()]
    assert uids[0]
    assert uids[1]
    assert not uids[0] & uids[1]
    assert set(example.links.said) == set(calendars)


def test_each_team_sees_its_own_links(admin: TestClient, example: Example) -> None:
    """Made, listed and revoked on its page; another team's calendar is not offered there."""
    key = example.links.make("calendar:growth/team", "anna", example.seen.at)
    badge = example.links.make("badge:investor.daily_growth", "anna", example.seen.at)
    assert "Revoke it" not in admin.get("/oncall/links").text
    assert admin.get("/oncall/links?team=growth").text.count("Revoke it") == 2
    wrong = admin.post("/oncall/links", data={"what": "calendar:growth/DE-001"}, headers=OURS)
    assert wrong.status_code == 404
    drawn = admin.get(f"/oncall/badge/investor.daily_growth.svg?token={badge}").text
    assert "refreshed Sat 21 Nov 20:31" in drawn  # as its people read a clock
    answer = admin.post(f"/oncall/links/id-{key}/revoke?team=growth", headers=OURS, follow_redirects=False)
    assert answer.headers["location"] == "/oncall/links?team=growth"


def test_the_panel_on_home_is_of_all_teams(viewer: TestClient, example: Example) -> None:
    """On call is the roster at the top, and it says so; promises and open incidents are everybody's."""
    told = viewer.get("/oncall/api/home").json()
    assert (told["team"], told["on_call"]["primary"]["name"]) == ("data-engineering", "DE-003")
    assert [one["today"]["dag_id"] for one in told["promises"]] == [
        "profit_etl",
        "engagement_etl",
        "growth_etl",
    ]
    assert {one["dag_id"] for one in told["open_incidents"]} == {"growth_etl", "engagement_etl"}
    assert next(one for one in told["promises"] if one["next"])["next"]["verdict"] == "waiting"


def test_a_long_panel_shows_the_worst() -> None:
    """And how many are left out; a short one keeps the order of the roster."""
    seen = of_team(two_teams(), "")
    kept, late = seen.statuses[0], seen.statuses[1]
    many = {f"p{n:02}": replace(kept.pipeline, dag_id=f"p{n:02}") for n in range(20)}
    statuses = tuple(replace(late if n == 19 else kept, pipeline=one) for n, one in enumerate(many.values()))
    seen = replace(seen, config=replace(seen.config, pipelines=many), statuses=statuses)
    told = home(seen, seen, Links(""))
    assert (len(told.promises), told.more_promises) == (MOST_PROMISES, 20 - MOST_PROMISES)
    assert told.promises[0].today.dag_id == "p19"


def test_with_one_roster_there_is_nothing_to_choose(viewer: TestClient, example: Example) -> None:
    """No form, no name in any link, and a team named all the same is not there."""
    example.seen = replace(example.seen, config=replace(example.seen.config, teams={}))
    text = viewer.get("/oncall/").text
    assert "whose" not in text
    assert "team=" not in text
    assert viewer.get("/oncall/?team=growth").status_code == 404
    assert viewer.get("/oncall/api/home").json()["team"] == ""
