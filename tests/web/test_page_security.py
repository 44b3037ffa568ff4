"""Who gets to see the page: every route, every kind of caller, with Airflow's real tokens."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from httpx import Response

from oncall.core.errors import Problem
from oncall.core.incidents.incident import Event
from oncall.web.snapshot import Trouble
from tests.web.conftest_page import Token
from tests.web.example_page import Example

SECRET = "hunter2hunter2"

ROUTES = (
    "/oncall/",
    "/oncall/incidents",
    "/oncall/incidents/growth_etl:2026-11-22",
    "/oncall/rota",
    "/oncall/runbooks/profit_etl",
    "/oncall/links",
    "/oncall/api",
    "/oncall/api/now",
    "/oncall/api/who?at=2026-12-24",
    "/oncall/api/promises",
    "/oncall/api/other-reports",
    "/oncall/api/upstream",
    "/oncall/api/incidents",
    "/oncall/api/incidents/growth_etl:2026-11-22",
    "/oncall/api/rota?from=2026-11-23&until=2026-12-07",
    "/oncall/api/weeks",
    "/oncall/api/calendar",
    "/oncall/api/load",
    "/oncall/api/ledger",
    "/oncall/api/pipelines",
    "/oncall/api/troubles",
    "/oncall/api/home",
    "/oncall/api/restatements",
    "/oncall/reports",
    "/oncall/reports/investor.daily_profit",
    "/oncall/api/reports",
    "/oncall/api/reports/investor.daily_profit",
    "/oncall/api/reports/investor.daily_profit.csv",
    "/oncall/static/oncall.css",
    "/oncall/static/icon.svg",
)
NOT_THERE = ("/oncall/docs", "/oncall/redoc", "/oncall/openapi.json")


def _get(path: str) -> dict[str, object]:
    return {"type": "http", "method": "GET", "path": path, "headers": []}


def test_every_route_is_in_the_table(app: object) -> None:
    """A route that somebody adds must be tried by these tests too."""
    from oncall.web.app import create_app

    known = {route.removeprefix("/oncall").split("?")[0] for route in ROUTES}
    by_key = {"/calendar.ics", "/badge/{report}.svg"}
    open_to_all = {
        "/health"
    }  # the one exception: a monitor cannot sign in (test_page_health.py: what it tells)
    routes = create_app(object()).routes  # type: ignore[arg-type]
    read = [route for route in routes if isinstance(route, APIRoute) and "GET" in route.methods]
    tried = {route.path for route in read for path in known if route.matches(_get(path))[0].value == 2}
    assert {route.path for route in read} - tried == by_key | open_to_all


@pytest.mark.parametrize("route", ROUTES)
def test_anonymous_is_refused(client: TestClient, route: str) -> None:
    """401 without a token."""
    assert client.get(route).status_code == 401


@pytest.mark.parametrize("route", ROUTES)
def test_a_bogus_token_is_refused(client: TestClient, route: str) -> None:
    """403 for a token that nobody signed, as cookie and as bearer."""
    assert client.get(route, headers={"Authorization": "Bearer bogus"}).status_code == 403
    client.cookies.set("_token", "bogus")
    assert client.get(route).status_code == 403


@pytest.mark.parametrize("route", ROUTES)
def test_a_viewer_reads(viewer: TestClient, route: str) -> None:
    """Whoever may see plugins may read everything."""
    assert viewer.get(route).status_code == 200


@pytest.mark.parametrize("route", ROUTES)
def test_a_logged_out_token_is_refused(client: TestClient, token: Token, route: str) -> None:
    """After logging out the same token is worth nothing, as in Airflow's own API."""
    from airflow.api_fastapi.app import get_auth_manager

    gone = token()
    client.cookies.set("_token", gone)
    assert client.get(route).status_code == 200
    get_auth_manager().revoke_token(gone)
    assert client.get(route).status_code == 403
    assert client.get(route, headers={"Authorization": f"Bearer {gone}"}).status_code == 403


ACTIONS = {
    "/oncall/incidents/growth_etl:2026-11-22/acknowledge": {},
    "/oncall/incidents/growth_etl:2026-11-22/resolve": {"note": "known"},
    "/oncall/incidents/growth_etl:2026-11-22/page": {"person": "DE-004"},
    "/oncall/incidents/growth_etl:2026-11-22/run": {},
    "/oncall/acknowledge": {"key": "growth_etl:2026-11-22"},
    "/oncall/runbooks/unit_profit_experiments/run": {"report_date": "2026-11-22"},
    "/oncall/links": {"what": "calendar:team"},
}
OURS = {"sec-fetch-site": "same-origin"}


@pytest.mark.parametrize("route", ACTIONS)
def test_who_may_act(client: TestClient, token: Token, example: Example, route: str) -> None:
    """Nobody 401, a bogus token 403, a viewer 403, another site's form 403; and whoever may change runs."""

    def post(headers: dict[str, str]) -> int:
        answer: Response = client.post(route, data=ACTIONS[route], headers=headers, follow_redirects=False)
        return answer.status_code

    assert post(OURS) == 401
    client.cookies.set("_token", "bogus")
    assert post(OURS) == 403
    client.cookies.set("_token", token("vera", "VIEWER"))
    assert post(OURS) == 403
    client.cookies.set("_token", token("anna", "ADMIN"))
    assert post({"sec-fetch-site": "cross-site"}) == 403
    assert example.acts == []
    assert example.links.made == {}
    assert post(OURS) in (200, 303)


def test_every_action_is_in_the_table(app: object) -> None:
    """A form that somebody adds must be tried by this test too."""
    from oncall.web.app import create_app

    routes = create_app(object()).routes  # type: ignore[arg-type]
    acts = [one for one in routes if isinstance(one, APIRoute) and "POST" in one.methods]
    scopes = [{**_get(path.removeprefix("/oncall")), "method": "POST"} for path in ACTIONS]
    untried = {one.path for one in acts if not any(one.matches(scope)[0].value == 2 for scope in scopes)}
    elsewhere = {
        "/links/{link_id}/revoke",
        "/reports/{report}/{date}/release",
    }  # test_page_feeds, test_page_reports
    assert untried == elsewhere


def test_an_expired_token_is_refused(client: TestClient, token: Token) -> None:
    """401, with a way to sign in and back."""
    client.cookies.set("_token", token(seconds=-120))
    answer = client.get("/oncall/rota?at=2026-12-24", headers={"accept": "text/html"})
    assert answer.status_code == 401
    assert "/api/v2/auth/login?next=%2Foncall%2Frota%3Fat%3D2026-12-24" in answer.text


def _refusals(client: TestClient, token: Token) -> list[tuple[int, Response]]:
    """What each kind of reader may not have, as a browser asks for it."""
    html = {"accept": "text/html"}
    found = [(401, client.get("/oncall/", headers=html))]
    client.cookies.set("_token", "bogus")
    found.append((403, client.get("/oncall/", headers=html)))
    client.cookies.set("_token", token("vera", "VIEWER"))
    act = "/oncall/incidents/growth_etl:2026-11-22/acknowledge"
    found.append((403, client.post(act, headers={**html, **OURS})))
    found += [
        (404, client.get(f"/oncall/{path}", headers=html)) for path in ("nowhere", "incidents/x", "?team=x")
    ]
    return found


def test_a_refusal_is_a_page_of_the_product(client: TestClient, token: Token) -> None:
    """With the menu, one heading and a way on; its stylesheet is within it, and the policy allows exactly that."""
    for status, answer in _refusals(client, token):
        assert answer.status_code == status
        assert '<nav aria-label="On-call">' in answer.text
        assert answer.text.count("<h1>") == 1
        style = answer.text.partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("route", NOT_THERE)
def test_there_are_no_open_docs(client: TestClient, viewer: TestClient, route: str) -> None:
    """FastAPI's own documentation is open to everybody, so there is none."""
    assert viewer.get(route).status_code == 404


def test_the_page_runs_nothing_from_elsewhere(viewer: TestClient) -> None:
    """A strict policy: own script and style only, framed by Airflow only, and nothing inline that needs more."""
    for route in ROUTES[:7]:
        answer = viewer.get(route)
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy
        assert " style=" not in answer.text
        assert "<style" not in answer.text
        assert answer.text.count("<script") == answer.text.count("<script src=") == 1
        assert "http://" not in answer.text.replace("http://www.w3.org", "")


@pytest.mark.parametrize("name", ["..%2fapp.py", "%2e%2e/app.py", "app.py", "oncall.py", "", "nothing.css"])
def test_static_serves_its_own_files_only(viewer: TestClient, name: str) -> None:
    """No way out of the folder."""
    assert viewer.get(f"/oncall/static/{name}").status_code == 404


@pytest.mark.parametrize(
    "route", [*ROUTES[:7], "/oncall/api/incidents", "/oncall/api/home", "/oncall/api/troubles"]
)
def test_no_secret_is_shown(viewer: TestClient, example: Example, route: str) -> None:
    """Whatever a database, a far side or a task said, and whoever wrote it down: on the page and in the JSON."""
    told = f"refused: token={SECRET} at postgresql://etl:{SECRET}@db/x"
    seen = example.seen
    records = [
        replace(
            record,
            incident=replace(record.incident, detail=told),
            events=(*record.events, Event(record.incident.key, seen.at, told)),
            told=tuple(replace(each, state="owed", title=told, error=told) for each in record.told),
        )
        for record in seen.records
    ]
    trouble = Trouble("chat", None, told)
    example.seen = replace(
        seen, records=tuple(records), channels=(trouble,), unreadable=(f"warehouse: {told}",),
        problems=(Problem("roster.yaml", "x", told, "y"),),
    )  # fmt: skip
    text = viewer.get(route).text
    assert SECRET not in text
