"""Permissions per DAG, as an auth manager other than the simple one gives them: who sees and who acts on what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from example_page import Example
from fastapi.testclient import TestClient

OURS = {"sec-fetch-site": "same-origin"}
GROWTH, ENGAGEMENT = "growth_etl:2026-11-22", "engagement_etl:2026-11-22"


class PerDag(SimpleAuthManager):
    """Lets everybody read and edit some DAGs; counts the questions."""

    def __init__(self, read: set[str], edit: set[str]) -> None:
        super().__init__()
        self.read, self.edit, self.asked = read, edit, 0

    def is_authorized_dag(self, *, method, user, access_entity=None, details=None) -> bool:  # type: ignore[no-untyped-def]
        self.asked += 1
        if details is None or details.id is None:
            return False
        return details.id in (self.read if method == "GET" else self.edit)


@pytest.fixture
def manager(airflow_auth: None, monkeypatch: pytest.MonkeyPatch) -> PerDag:
    """Growth may be read and edited, engagement read; the other three pipelines are others'."""
    from airflow.api_fastapi.app import _AuthManagerState

    mine = PerDag({"growth_etl", "engagement_etl"}, {"growth_etl"})
    monkeypatch.setattr(_AuthManagerState, "instance", mine)
    mine.init()
    return mine


def test_only_readable_pipelines_are_shown(viewer: TestClient, manager: PerDag) -> None:
    """On the page, in the JSON, in their incidents and runbooks; and the page says that it leaves some out."""
    text = viewer.get("/oncall/").text
    assert "Growth ETL" in text
    assert "Profit ETL" not in text
    assert "master.orders" not in text
    assert "3 more are kept from you" in text
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
    assert [act[1] for act in example.acts] == [GROWTH]


def test_acting_through_a_follower_needs_the_right_to_who_speaks(
    admin: TestClient, manager: PerDag, example: Example
) -> None:
    """The action falls on the incident that speaks for it, whose pipeline may be another's."""
    growth, engagement, *rest = example.seen.records
    led = replace(growth, incident=replace(growth.incident, leader=ENGAGEMENT))
    example.seen = replace(example.seen, records=(led, engagement, *rest))
    assert admin.post(f"/oncall/incidents/{GROWTH}/acknowledge", headers=OURS).status_code == 403
    manager.read = {"growth_etl"}
    text = admin.get(f"/oncall/incidents/{GROWTH}").text
    assert "a pipeline that you may not see" in text
    assert "<form" not in text
    assert example.acts == []


def test_the_page_asks_once_for_each_pipeline(viewer: TestClient, manager: PerDag) -> None:
    """An auth manager may ask over the network: five pipelines are five questions at the most."""
    for path in ("/oncall/", "/oncall/incidents", "/oncall/api/promises"):
        manager.asked = 0
        assert viewer.get(path).status_code == 200
        assert manager.asked <= 5
