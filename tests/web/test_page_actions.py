"""The forms of an incident: who may post them, from where, and under whose name they are recorded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from example_page import Example
from fastapi.testclient import TestClient

Token = Callable[..., str]
INCIDENT = "/oncall/incidents/growth_etl:2026-11-22"
ACTIONS = ("acknowledge", "resolve", "page")
OURS = {"sec-fetch-site": "same-origin", "accept": "text/html"}


def post(client: TestClient, what: str, headers: dict[str, str]) -> int:
    answer = client.post(
        f"{INCIDENT}/{what}", headers=headers, data={"note": "known"}, follow_redirects=False
    )
    return answer.status_code


@pytest.mark.parametrize("what", ACTIONS)
def test_an_admin_acts_under_their_own_name(admin: TestClient, example: Example, what: str) -> None:
    """303 back to the incident, which says what was done."""
    answer = admin.post(f"{INCIDENT}/{what}", headers=OURS, data={"note": "known"}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{INCIDENT}?done={what}"
    assert example.acts[0][:3] == (what, "growth_etl:2026-11-22", "anna")
    assert 'role="status"' in admin.get(answer.headers["location"]).text


@pytest.mark.parametrize("what", ACTIONS)
def test_a_viewer_may_not_act(viewer: TestClient, example: Example, what: str) -> None:
    """403, and nothing is done."""
    assert post(viewer, what, OURS) == 403
    assert example.acts == []


def test_a_viewer_sees_no_forms(viewer: TestClient) -> None:
    """Who may only look is told so, and what else works."""
    text = viewer.get(INCIDENT).text
    assert "<form" not in text
    assert "Opsgenie works too" in text


@pytest.mark.parametrize("what", ACTIONS)
def test_nobody_without_a_valid_token_acts(
    client: TestClient, token: Token, example: Example, what: str
) -> None:
    """Anonymous and expired 401, bogus and logged out 403."""
    from airflow.api_fastapi.app import get_auth_manager

    assert post(client, what, OURS) == 401
    client.cookies.set("_token", "bogus")
    assert post(client, what, OURS) == 403
    client.cookies.set("_token", token("anna", "ADMIN", seconds=-120))
    assert post(client, what, OURS) == 401
    gone = token("anna", "ADMIN")
    get_auth_manager().revoke_token(gone)
    client.cookies.set("_token", gone)
    assert post(client, what, OURS) == 403
    assert example.acts == []


@pytest.mark.parametrize("what", ACTIONS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-site", "origin": "http://airflow.test"},
        {"origin": "http://evil.test"},
        {"origin": "http://evil.airflow.test"},
        {"origin": "null"},
        {"referer": "http://airflow.test/oncall/"},
    ],
    ids=str,
)
def test_another_site_cannot_post_with_the_users_cookie(
    admin: TestClient, example: Example, what: str, headers: dict[str, str]
) -> None:
    """CSRF: only the page itself posts, whatever cookie the browser adds."""
    assert post(admin, what, headers) == 403
    assert example.acts == []


@pytest.mark.parametrize("origin", ["http://airflow.test", "http://localhost:8080"])
def test_plain_http_is_told_by_its_origin(
    admin: TestClient, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    """Browsers send no Sec-Fetch-Site over plain HTTP: the asked host or Airflow's own address counts."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://localhost:8080")
    assert post(admin, "acknowledge", {"origin": origin}) == 303


def test_a_program_posts_with_its_bearer_token(client: TestClient, token: Token) -> None:
    """No browser adds such a header by itself."""
    bearer = {"authorization": f"Bearer {token('anna', 'ADMIN')}"}
    assert post(client, "acknowledge", bearer) == 303


def test_what_was_refused_is_said_and_the_note_is_not_lost(admin: TestClient, example: Example) -> None:
    """409 with the reason, on the incident's own page."""
    example.refuses = "DE-003 has acknowledged it already."
    answer = admin.post(f"{INCIDENT}/acknowledge", headers=OURS)
    assert answer.status_code == 409
    assert "DE-003 has acknowledged it already." in answer.text


@pytest.mark.parametrize("key", ["nonsense", "somebody_elses:2026-11-22", "..%2f..%2f"])
def test_what_is_no_incident_is_not_found(admin: TestClient, key: str) -> None:
    """404 for reading and for acting."""
    assert admin.get(f"/oncall/incidents/{key}").status_code == 404
    assert admin.post(f"/oncall/incidents/{key}/acknowledge", headers=OURS).status_code in (404, 405)


def test_a_follower_leads_to_the_incident_that_speaks(admin: TestClient, example: Example) -> None:
    """Act once, where it is told and paged."""
    from dataclasses import replace

    leader, follower, *rest = example.seen.records
    led = replace(follower, incident=replace(follower.incident, leader=leader.incident.key))
    example.seen = replace(example.seen, records=(leader, led, *rest))
    text = admin.get("/oncall/incidents/engagement_etl:2026-11-22").text
    assert "act there" in text
    assert "<form" not in text
