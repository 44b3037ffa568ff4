"""Permissions per DAG, as an auth manager other than the simple one gives them: who sees and who acts on what."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from oncall.core.errors import Problem
from oncall.web.snapshot import Trouble
from tests.web.example_page import Example, at
from tests.web.per_dag import PerDag

OURS = {"sec-fetch-site": "same-origin"}
GROWTH, ENGAGEMENT = "growth_etl:2026-11-22", "engagement_etl:2026-11-22"


def test_only_readable_pipelines_are_shown(viewer: TestClient, manager: PerDag) -> None:
    """On the page, in the JSON, in their incidents and runbooks; and the page says that it leaves some out."""
    text = viewer.get("/oncall/").text
    assert "Growth ETL" in text
    assert "Profit ETL" not in text
    assert "master.orders" not in text
    assert "3 more are hidden" in text
    cards = viewer.get("/oncall/api/promises").json()
    assert {card["today"]["dag_id"] for card in cards} == {"growth_etl", "engagement_etl"}
    assert len(viewer.get("/oncall/api/pipelines").json()) == 2
    assert {one["dag_id"] for one in viewer.get("/oncall/api/incidents").json()} == manager.read
    assert "Profit ETL" not in viewer.get("/oncall/incidents").text
    assert viewer.get("/oncall/api/incidents/profit_etl:2026-11-16").status_code == 404
    assert viewer.get("/oncall/incidents/profit_etl:2026-11-16").status_code == 404
    hidden = viewer.get("/oncall/runbooks/profit_etl")
    assert hidden.status_code == 404
    assert "Profit ETL" not in hidden.text
    assert viewer.get("/oncall/runbooks/growth_etl").status_code == 200


def test_what_a_reader_sees_is_not_said_of_all_there_is(viewer: TestClient, manager: PerDag) -> None:
    """Two reports are missing and have open incidents, of which who may read profit alone is told nothing."""
    assert "2 of 2 reports are missing" in viewer.get("/oncall/").text
    manager.read = {"profit_etl"}
    text = viewer.get("/oncall/").text
    assert "The report is there, in time" in text
    assert "Investors have" not in text
    assert "No open incidents of the pipelines that you may read." in text
    manager.read = {"daily_growth_experiments"}
    assert "Nothing can be said" not in viewer.get("/oncall/").text
    assert "None of the pipelines that you may read." in viewer.get("/oncall/incidents").text


def test_who_is_on_call_is_everybodys(viewer: TestClient, manager: PerDag) -> None:
    """Without a single readable pipeline the rota and the people stand as ever."""
    manager.read = set()
    text = viewer.get("/oncall/").text
    assert "DE-001" in text
    assert "not yours to see" in text
    assert viewer.get("/oncall/rota").status_code == 200
    assert viewer.get("/oncall/api/load").json()[0]["nights_paged"] is not None


def test_who_may_edit_a_dag_acts_on_its_incidents_only(
    admin: TestClient, manager: PerDag, example: Example
) -> None:
    """The forms stand on the editable pipeline's incident; posting elsewhere is refused."""
    assert "<form" in admin.get(f"/oncall/incidents/{GROWTH}").text
    assert "<form" not in admin.get(f"/oncall/incidents/{ENGAGEMENT}").text
    answer = admin.post(f"/oncall/incidents/{GROWTH}/acknowledge", headers=OURS, follow_redirects=False)
    assert answer.status_code == 303
    assert admin.post(f"/oncall/incidents/{ENGAGEMENT}/acknowledge", headers=OURS).status_code == 403
    elsewhere = admin.post(f"/oncall/incidents/{ENGAGEMENT}/acknowledge?dag_id=growth_etl", headers=OURS)
    assert elsewhere.status_code == 403
    hidden = admin.post("/oncall/incidents/profit_etl:2026-11-16/acknowledge", headers=OURS)
    assert hidden.status_code == 404
    assert [act[1] for act in example.acts] == [GROWTH]
    assert example.acts[0][-1] == "growth_etl"  # nothing else may be changed by it


def test_acting_through_a_follower_needs_the_right_to_who_speaks(
    admin: TestClient, manager: PerDag, example: Example
) -> None:
    """The action falls on the incident that speaks for it, whose pipeline may be another's. To run one's own again does
    not."""
    growth, engagement, *rest = example.seen.records
    led = replace(growth, incident=replace(growth.incident, leader=ENGAGEMENT))
    example.seen = replace(example.seen, records=(led, engagement, *rest))
    assert admin.post(f"/oncall/incidents/{GROWTH}/acknowledge", headers=OURS).status_code == 403
    manager.read = {"growth_etl"}
    text = admin.get(f"/oncall/incidents/{GROWTH}").text
    assert "a pipeline that you may not see" in text
    assert _forms(text) == [f"/oncall/incidents/{GROWTH}/run"]
    assert example.acts == []


@pytest.mark.parametrize("what", ["acknowledge", "resolve", "page"])
def test_acting_on_who_speaks_needs_the_right_to_all_it_speaks_for(
    admin: TestClient, manager: PerDag, example: Example, what: str
) -> None:
    """The plan changes the followers too: with one among them that is another's there is no such form and no action."""
    growth, engagement, *rest = example.seen.records
    led = replace(engagement, incident=replace(engagement.incident, leader=GROWTH))
    example.seen = replace(example.seen, records=(growth, led, *rest))
    for readable in ({"growth_etl", "engagement_etl"}, {"growth_etl"}):
        manager.read = readable
        text = admin.get(f"/oncall/incidents/{GROWTH}").text
        assert "runs you may not change" in text
        assert _forms(text) == [f"/oncall/incidents/{GROWTH}/run"]
        assert (
            admin.post(f"/oncall/incidents/{GROWTH}/{what}", data={"note": "x"}, headers=OURS).status_code
            == 403
        )
    manager.read = manager.edit = {"growth_etl", "engagement_etl"}
    assert "<form" in admin.get(f"/oncall/incidents/{GROWTH}").text
    admin.post(f"/oncall/incidents/{GROWTH}/{what}", data={"note": "x"}, headers=OURS)
    assert [act[-2:] for act in example.acts] == [("engagement_etl", "growth_etl")]


def _forms(page: str) -> list[str]:
    return re.findall(r'<form[^>]*action="([^"]*)"', page)


API = [
    "promises",
    "other-reports",
    "upstream",
    "incidents",
    "pipelines",
    "troubles",
    "home",
    "load",
    "calendar",
    "weeks",
]
EVERYWHERE = [
    *("/", "/incidents", f"/incidents/{GROWTH}", "/rota", "/links", "/runbooks/growth_etl", "/runbooks/profit_etl"),
    *("/api", f"/api/incidents/{GROWTH}", *(f"/api/{name}" for name in API)),
]  # fmt: skip


@pytest.mark.parametrize("path", EVERYWHERE)
def test_hidden_pipelines_are_named_nowhere(
    viewer: TestClient, manager: PerDag, example: Example, path: str
) -> None:
    """Not in the titles and timelines of what is told together, not as who speaks, not in what is broken."""
    together = "3 reports of 22 Nov (Growth ETL, Profit ETL, Engagement ETL): not published"
    growth, engagement, *rest = example.seen.records
    words = f"{together}; check of investor.daily_profit_by_channel, profit_etl is paused"
    told = tuple(
        replace(one, title=together, error="422 profit_etl:2026-11-22:page-1") for one in growth.told
    )
    events = tuple(replace(one, what=words) for one in growth.events)
    led = replace(growth.incident, leader="profit_etl:2026-11-22", detail=words)
    speaker = replace(
        growth, incident=replace(growth.incident, key="profit_etl:2026-11-22", dag_id="profit_etl")
    )
    example.seen = replace(
        example.seen,
        records=(
            replace(growth, incident=led, told=told, others=told, events=events),
            engagement,
            speaker,
            *rest,
        ),
        problems=(Problem("runbooks/profit_etl.md", "promise.due", "25:00", "a time"),),
        unreadable=("warehouse: profit_etl cannot be read",),
        channels=(Trouble("pager", None, "422: profit_etl:2026-11-22:page-1-primary"),),
    )
    example.links.make("badge:investor.daily_profit", "anna", example.seen.at)
    answer = viewer.get(f"/oncall{path}")
    asked = path.rpartition("/")[2]
    for name in ("Profit ETL", "profit_etl", "investor.daily_profit", "Unit-level profit"):
        if name != asked:
            assert name not in answer.text, name
    if path == f"/api/incidents/{GROWTH}":
        assert "Growth ETL" in answer.text
        assert "another pipeline" in answer.text
        assert answer.json()["leader"] == "hidden"


def test_whoever_reads_one_of_our_dags_may_open_the_page(viewer: TestClient, manager: PerDag) -> None:
    """Without the right to see plugins, or to read all DAGs. Who may read none of ours is told why not."""
    manager.views = False
    assert viewer.get("/oncall/").status_code == 200
    assert viewer.get("/oncall/static/oncall.css").status_code == 200
    manager.read = {"somebody_elses"}
    for path in ("/oncall/", "/oncall/api/now", "/oncall/static/oncall.css", "/oncall/links"):
        refused = viewer.get(path)
        assert refused.status_code == 403
        assert "may read DAGs" in refused.text


def test_the_page_asks_once_for_each_pipeline(viewer: TestClient, manager: PerDag) -> None:
    """An auth manager may ask over the network: five pipelines are five questions at the most.

    Where incidents can be taken, whether this reader may is one question more for each pipeline with an open one.
    """
    for path, questions in (("/oncall/", 6), ("/oncall/incidents", 6), ("/oncall/api/promises", 5)):
        manager.asked = 0
        assert viewer.get(path).status_code == 200
        assert manager.asked <= questions


HIDDEN_ONES = {"key": "profit_etl:2026-11-16", "dag_id": "profit_etl", "report": "investor.daily_profit"}
ONLY_READ = {"key": ENGAGEMENT, "dag_id": "engagement_etl", "report": "investor.daily_engagement"}


@pytest.mark.parametrize("named", [HIDDEN_ONES, ONLY_READ], ids=["hidden", "only read"])
def test_a_dag_id_in_the_address_changes_nothing_on_any_route(
    admin: TestClient,
    mounted: tuple[FastAPI, FastAPI],
    manager: PerDag,
    example: Example,
    named: dict[str, str],
) -> None:
    """Airflow's own dependency asks for the DAG of `?dag_id=`: who names one that they may edit gets no further."""
    example.links.make(f"badge:{named['report']}", "bert", at("05:00"))
    form = {"note": "x", "report_date": "2026-11-22", "what": f"badge:{named['report']}", "key": named["key"]}
    words = {**named, "link_id": "id-key-1", "name": "oncall.css", "date": "2026-11-22"}
    asked = 0
    for route in mounted[1].routes:
        assert isinstance(route, APIRoute)
        path = re.sub(r"{(\w+)(?::\w+)?}", lambda found: words[found[1]], f"/oncall{route.path}")
        for method in sorted(route.methods & {"GET", "POST"}):
            body = {"data": form} if method == "POST" else {}
            answers = [
                admin.request(method, f"{path}{query}", headers=OURS, follow_redirects=False, **body)
                for query in ("", "?dag_id=growth_etl")
            ]
            assert answers[0].status_code == answers[1].status_code, path
            assert answers[0].text == answers[1].text, path
            assert method == "GET" or answers[0].status_code in (403, 404), path
            asked += 1
    assert asked > 30
    assert example.acts == []
    assert len(example.links.made) == 1
