"""Airflow under a path (`base_url = https://host/airflow`): every address of the page begins with that path."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.web.example_page import Example

VIEWS = ("", "incidents", "incidents/growth_etl:2026-11-22", "rota", "runbooks/growth_etl", "links", "api")
ADDRESS = re.compile(r'(?:href|src|action)="([^"]*)"')


@pytest.fixture
def client(app: object) -> Iterator[TestClient]:
    """As Airflow's own app is told where it stands."""
    with TestClient(app, base_url="http://airflow.test", root_path="/airflow") as client:  # type: ignore[arg-type]
        yield client


@pytest.mark.parametrize("view", VIEWS)
def test_every_address_of_a_view_begins_there(admin: TestClient, view: str) -> None:
    """Links, assets, forms; what is told elsewhere (mail, the far sides) and anchors aside."""
    answer = admin.get(f"/airflow/oncall/{view}")
    assert answer.status_code == 200
    found = [one for one in ADDRESS.findall(answer.text) if not one.startswith(("#", "mailto:", "https:"))]
    assert found
    assert [one for one in found if not one.startswith("/airflow/")] == []


def test_assets_and_json_are_there(admin: TestClient) -> None:
    """What the stylesheet's and the script's addresses lead to, and the links that JSON carries."""
    text = admin.get("/airflow/oncall/").text
    for asset in re.findall(r'(?:href|src)="(/airflow/oncall/static/[^"]*)"', text):
        assert admin.get(asset).status_code == 200
    links = admin.get("/airflow/oncall/api/promises").json()[0]["today"]["links"]
    assert {link[:9] for link in links.values() if link} == {"/airflow/"}


def test_an_action_leads_back_there(admin: TestClient, example: Example) -> None:
    """The redirect after a form, and the way to sign in for who was not."""
    incident = "/airflow/oncall/incidents/growth_etl:2026-11-22"
    answer = admin.post(
        f"{incident}/acknowledge", headers={"sec-fetch-site": "same-origin"}, follow_redirects=False
    )
    assert answer.headers["location"] == f"{incident}?done=acknowledge"
    admin.cookies.clear()
    refused = admin.get("/airflow/oncall/rota", headers={"accept": "text/html"})
    assert refused.status_code == 401
    assert "/airflow/api/v2/auth/login?next=%2Fairflow%2Foncall%2Frota" in refused.text
