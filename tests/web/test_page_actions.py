"""The forms of an incident: who may post them, from where, and under whose name they are recorded."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from oncall.core.promises.evaluation import evaluate_promise
from oncall.core.promises.facts import Task, TaskState
from oncall.web.snapshot import PageSnapshot
from tests.web.example_page import DAY, TZ, Example, at, states
from tests.web.per_dag import PerDag

Token = Callable[..., str]
INCIDENT = "/oncall/incidents/growth_etl:2026-11-22"
ACTIONS = ("acknowledge", "resolve", "page", "run")
OURS = {"sec-fetch-site": "same-origin", "accept": "text/html"}


def post(client: TestClient, what: str, headers: dict[str, str]) -> int:
    answer: Response = client.post(
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


ALL = {"key": ["growth_etl:2026-11-22", "engagement_etl:2026-11-22"]}


def test_all_are_taken_with_one_press(admin: TestClient, example: Example) -> None:
    """The button stands where two or more are free, with their number; it leads to the list, which says so."""
    growth, engagement, *rest = example.seen.records
    free = replace(engagement, incident=replace(engagement.incident, acknowledged_at=None))
    assert "Acknowledge all" not in admin.get("/oncall/").text
    led = replace(free, incident=replace(free.incident, leader=growth.incident.key))
    example.seen = replace(example.seen, records=(growth, led, *rest))
    assert "Acknowledge all" not in admin.get("/oncall/").text  # one is taken with the one that speaks for it
    example.seen = replace(example.seen, records=(growth, free, *rest))
    for path in ("/oncall/", "/oncall/incidents"):
        assert "Acknowledge all 2" in admin.get(path).text
    answer = admin.post("/oncall/acknowledge", headers=OURS, data=ALL, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/oncall/incidents?done=acknowledge")
    assert [act[:3] for act in example.acts] == [("acknowledge", key, "anna") for key in ALL["key"]]
    assert "escalation stops" in admin.get(answer.headers["location"]).text


def test_what_of_all_was_refused_is_said(admin: TestClient, example: Example) -> None:
    """By the incident's key, on the list."""
    example.refuses = "DE-003 has acknowledged it already."
    answer = admin.post("/oncall/acknowledge", headers=OURS, data=ALL)
    assert answer.status_code == 409
    assert "growth_etl:2026-11-22: DE-003 has acknowledged it already." in answer.text


def test_of_several_nothing_is_done_where_one_is_anothers(
    admin: TestClient, manager: PerDag, example: Example
) -> None:
    """Anna may change growth's runs only."""
    assert admin.post("/oncall/acknowledge", headers=OURS, data=ALL).status_code == 403
    assert example.acts == []


def test_the_page_goes_to_whom_the_button_names(admin: TestClient, example: Example) -> None:
    """The form carries the name that was read."""
    text = admin.get(INCIDENT).text
    assert "Page DE-004 now" in text
    assert '<input type="hidden" name="person" value="DE-004">' in text
    admin.post(f"{INCIDENT}/page", headers=OURS, data={"person": "DE-004"})
    assert example.acts == [("page", "growth_etl:2026-11-22", "anna", "DE-004", "growth_etl")]


def test_a_day_is_run_again_by_whoever_may_trigger_its_dag(admin: TestClient, example: Example) -> None:
    """Its own right in Airflow; a confirmation says what it replaces."""
    text = admin.get(INCIDENT).text
    assert "Run this day again" in text
    assert "replaces all rows of that day in one transaction" in text
    admin.post(f"{INCIDENT}/run", headers=OURS)
    assert example.acts == [("run", "growth_etl:2026-11-22", "anna")]


def test_a_drill_has_no_day_to_run_again(admin: TestClient, example: Example) -> None:
    """Its report date is another one's, or none's."""
    growth, *rest = example.seen.records
    key = f"drill-x:{growth.incident.key}"
    drill = replace(growth, incident=replace(growth.incident, key=key, drill="x"))
    example.seen = replace(example.seen, records=(drill, *rest))
    assert "Run this day again" not in admin.get(f"/oncall/incidents/{key}").text
    assert admin.post(f"/oncall/incidents/{key}/run", headers=OURS).status_code == 404
    assert example.acts == []


RUNBOOK = "/oncall/runbooks/growth_etl"
THE_DAY = {"report_date": "2026-11-22"}


def failed(seen: PageSnapshot, state: TaskState = "failed") -> PageSnapshot:
    """The same morning, but growth's transform is in this state since 03:30."""
    growth = next(one for one in seen.statuses if one.pipeline.dag_id == "growth_etl")
    ended = at("03:30") if state == "failed" else None
    task = Task("transform", state, at("03:12"), ended, run_id="scheduled__3", error="division by zero")
    facts = replace(growth.facts, loads=(), tasks=(task,))
    judged = evaluate_promise(growth.pipeline, DAY, facts, seen.at, TZ)
    return replace(seen, statuses=tuple(judged if one is growth else one for one in seen.statuses))


def test_the_runbook_runs_the_day_again_where_that_is_its_repair(admin: TestClient, example: Example) -> None:
    """One press from the steps, for whoever may trigger the DAG; the press is answered on the same page."""
    example.seen = failed(example.seen)
    text = admin.get(RUNBOOK).text
    assert "Run Growth ETL for 22 Nov" in text
    assert '<input type="hidden" name="report_date" value="2026-11-22">' in text
    answer = admin.post(f"{RUNBOOK}/run", headers=OURS, data=THE_DAY, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{RUNBOOK}?done=run")
    assert example.acts == [("run", "growth_etl:2026-11-22", "anna")]
    assert "the run is in Airflow" in admin.get(f"{RUNBOOK}?done=run").text
    example.refuses = "The DAG growth_etl is paused, and a run would only wait: unpause it first."
    refused = admin.post(f"{RUNBOOK}/run", headers=OURS, data=THE_DAY)
    assert (refused.status_code, "unpause it first" in refused.text) == (409, True)


def test_whoever_may_not_trigger_the_dag_has_no_button(viewer: TestClient, example: Example) -> None:
    """And a form made by hand starts nothing."""
    example.seen = failed(example.seen)
    assert "run-again" not in viewer.get(RUNBOOK).text
    assert viewer.post(f"{RUNBOOK}/run", headers=OURS, data=THE_DAY).status_code == 403
    assert example.acts == []


def test_another_sites_form_runs_nothing_by_the_runbook(admin: TestClient, example: Example) -> None:
    """Nor does the runbook of what is no pipeline."""
    example.seen = failed(example.seen)
    theirs = {**OURS, "sec-fetch-site": "cross-site"}
    assert admin.post(f"{RUNBOOK}/run", headers=theirs, data=THE_DAY).status_code == 403
    assert admin.post("/oncall/runbooks/nowhere/run", headers=OURS, data=THE_DAY).status_code == 404
    assert example.acts == []


@pytest.mark.parametrize("state", ["running", "queued", "up_for_retry"])
def test_while_a_run_is_at_work_the_runbook_starts_no_other(
    admin: TestClient, example: Example, state: TaskState
) -> None:
    """Stuck, running, waiting for upstream: the repair is another one, and a second run would wait for the first."""
    example.seen = failed(example.seen, state)
    assert "run-again" not in admin.get(RUNBOOK).text
    answer = admin.post(f"{RUNBOOK}/run", headers=OURS, data=THE_DAY)
    assert (answer.status_code, example.acts) == (409, [])
    assert "no run of that day is needed" in answer.text


def test_the_runbook_runs_no_other_day_than_the_one_it_named(admin: TestClient, example: Example) -> None:
    """Between reading and pressing another day may have become the broken one."""
    example.seen = failed(example.seen)
    for day in ("2026-11-21", "yesterday", "2026-11-22; drop"):
        answer = admin.post(f"{RUNBOOK}/run", headers=OURS, data={"report_date": day})
        assert answer.status_code == 409
    assert example.acts == []


def test_a_held_report_is_repaired_before_it_is_run_again(admin: TestClient) -> None:
    """A run over the same rows would be held by the same check, and the page says so beside the button."""
    text = admin.get("/oncall/runbooks/unit_profit_experiments").text
    assert "Repair or release what the check has found first" in text
    assert "run-again" not in admin.get("/oncall/runbooks/profit_etl").text


def test_what_is_no_pipeline_any_more_is_not_run(admin: TestClient, example: Example) -> None:
    """Its incident is still to be read; its DAG is another's business."""
    seen = example.seen
    others = {name: one for name, one in seen.config.pipelines.items() if name != "growth_etl"}
    statuses = tuple(one for one in seen.statuses if one.pipeline.dag_id != "growth_etl")
    example.seen = replace(seen, config=replace(seen.config, pipelines=others), statuses=statuses)
    assert admin.get(INCIDENT).status_code == 200
    assert admin.post(f"{INCIDENT}/run", headers=OURS).status_code == 404
    assert example.acts == []


@pytest.mark.parametrize(
    "odd",
    [
        {"cause": "nonsense"},
        {"cause": "", "due": None},
        {"paged_at": None, "opened_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
        {"leader": "gone:2026-11-22", "detail": "<script>alert(1)</script>"},
        {"acknowledged_at": dt.datetime(2026, 11, 23, tzinfo=dt.UTC), "acknowledged_by": ""},
    ],
    ids=str,
)
def test_an_odd_incident_still_has_its_page(
    admin: TestClient, example: Example, odd: dict[str, object]
) -> None:
    """Of an unknown cause, without a due time, before the rota, led by one that is gone, taken by nobody."""
    growth, *rest = example.seen.records
    changed = replace(growth, incident=replace(growth.incident, **odd))  # type: ignore[arg-type]
    example.seen = replace(example.seen, records=(changed, *rest))
    for path in (INCIDENT, "/oncall/", "/oncall/runbooks/growth_etl"):
        answer = admin.get(path)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text


def test_one_tap_takes_an_incident(admin: TestClient) -> None:
    """On the incident itself and in every list: a button, not something to unfold."""
    button = f'action="{INCIDENT}/acknowledge"><button class="go"'
    for path in ("/oncall/", "/oncall/incidents", INCIDENT):
        assert admin.get(path).text.count(button) == 1


def test_whoever_may_not_act_is_offered_nothing(viewer: TestClient) -> None:
    """Nor in the lists."""
    for path in ("/oncall/", "/oncall/incidents"):
        assert ">Acknowledge<" not in viewer.get(path).text


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
        {"origin": "http://[airflow.test"},
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
    assert admin.post(f"/oncall/incidents/{key}/acknowledge", headers=OURS).status_code == 404


def test_a_follower_leads_to_the_incident_that_speaks(admin: TestClient, example: Example) -> None:
    """Act once, where it is told and paged; but each has a day of its own to run again."""
    leader, follower, *rest = example.seen.records
    led = replace(follower, incident=replace(follower.incident, leader=leader.incident.key))
    example.seen = replace(example.seen, records=(leader, led, *rest))
    text = admin.get("/oncall/incidents/engagement_etl:2026-11-22").text
    assert "act there" in text
    assert re.findall(r'<form[^>]*action="([^"]*)"', text) == [
        "/oncall/incidents/engagement_etl:2026-11-22/run"
    ]


def test_a_card_says_nothing_twice(admin: TestClient, example: Example) -> None:
    """The step of what is stuck stands in its cause; that it is at risk, on its badge."""
    example.seen = replace(example.seen, statuses=states()["at-risk"].statuses)
    text = admin.get("/oncall/").text
    assert "in transform since 03:12" in text
    assert "At step transform" not in text
    assert "At step wait_for_upstream" in text
    assert "<strong>At risk</strong>" not in text


@pytest.mark.parametrize(("state", "offered"), [("running", False), ("failed", True)])
def test_what_waits_for_upstream_is_run_again_only_once_it_gave_up(
    admin: TestClient, example: Example, state: TaskState, offered: bool
) -> None:
    """The runbook names the command for a run that gave up; one that waits goes on by itself."""
    growth = next(one for one in example.seen.statuses if one.pipeline.dag_id == "growth_etl")
    ended = at("03:30") if state == "failed" else None
    facts = replace(growth.facts, tasks=(Task("wait_for_upstream", state, at("02:00"), ended),))
    judged = evaluate_promise(growth.pipeline, DAY, facts, example.seen.at, TZ)
    assert judged.why
    assert judged.why.cause == "upstream_late"
    statuses = tuple(judged if one is growth else one for one in example.seen.statuses)
    example.seen = replace(example.seen, statuses=statuses)
    assert ("run-again" in admin.get(RUNBOOK).text) == offered
