"""The Opsgenie and JSM faces, asked by Opsgenie's own client and Airflow's own hook."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import opsgenie_sdk
import pytest

from sandbox.inbox.limits import complaints
from sandbox.inbox.testing import RunningInbox, running_inbox

Genie = Callable[..., httpx.Response]
ALIAS = "growth_etl:2026-01-05:broken"


def page(api: opsgenie_sdk.AlertApi, alias: str = ALIAS, **fields: Any) -> str:
    payload = opsgenie_sdk.CreateAlertPayload(message="Growth is not published", alias=alias, **fields)
    return str(api.create_alert(payload).request_id)


def test_an_alert_is_kept_as_it_was_sent(inbox: RunningInbox, alert_api: opsgenie_sdk.AlertApi) -> None:
    """Every field arrives, addressed to whom it was sent to."""
    page(
        alert_api,
        priority="P1",
        description="line one\nline <two>",
        details={"cause": "stuck"},
        tags=["investor"],
        responders=[{"type": "user", "username": "de-001@example.com"}],
        note="from the watcher",
    )
    (alert,) = inbox.alerts()
    assert (alert.message, alert.priority, alert.status) == ("Growth is not published", "P1", "open")
    assert (alert.description, alert.details, alert.tags) == (
        "line one\nline <two>",
        {"cause": "stuck"},
        ["investor"],
    )
    assert alert.recipients == ["de-001@example.com"]
    assert alert.notes == ["from the watcher"]


def test_a_receipt_is_not_a_delivery(
    inbox: RunningInbox, alert_api: opsgenie_sdk.AlertApi, genie: Genie
) -> None:
    """Until its delay has passed a request is not found, with the error type that says so; then it is done."""
    inbox.settings(processing_delay=60)
    request_id = page(alert_api)
    early = genie("GET", f"/v2/alerts/requests/{request_id}")
    assert (early.status_code, early.headers["X-Opsgenie-Errortype"]) == (404, "RequestNotProcessed")
    assert inbox.alerts() == []
    inbox.advance(61)
    status = alert_api.get_request_status(request_id).data
    assert (status.is_success, status.action, status.alias) == (True, "Create", ALIAS)
    assert status.alert_id == inbox.alerts()[0].id


def test_an_alias_is_one_alert_while_it_is_open(
    inbox: RunningInbox, alert_api: opsgenie_sdk.AlertApi
) -> None:
    """A repeat only counts, also after acknowledging, up to 100; after closing it is a new alert."""
    page(alert_api)
    alert_api.acknowledge_alert(
        ALIAS,
        identifier_type="alias",
        acknowledge_alert_payload=opsgenie_sdk.AcknowledgeAlertPayload(user="DE-001"),
    )
    page(alert_api)
    assert [(alert.count, alert.owner) for alert in inbox.alerts()] == [(2, "DE-001")]
    for _ in range(100):
        page(alert_api)
    assert inbox.alerts()[0].count == 100
    alert_api.close_alert(
        ALIAS, identifier_type="alias", close_alert_payload=opsgenie_sdk.CloseAlertPayload()
    )
    page(alert_api)
    assert [(alert.status, alert.count) for alert in inbox.alerts()] == [("closed", 100), ("open", 1)]


def test_an_alert_is_found_by_alias_and_id(inbox: RunningInbox, alert_api: opsgenie_sdk.AlertApi) -> None:
    """Both identifier types name the same alert; it shows status, owner and what was acknowledged."""
    page(alert_api)
    inbox.acknowledge(inbox.alerts()[0], "de-001@example.com")
    (alert,) = inbox.alerts()
    for kind, identifier in (("alias", ALIAS), ("id", alert.id)):
        shown = alert_api.get_alert(identifier, identifier_type=kind).data
        assert (shown.id, shown.status, shown.acknowledged) == (alert.id, "open", True)
        assert shown.owner == "de-001@example.com"
    with pytest.raises(opsgenie_sdk.ApiException, match="404"):
        alert_api.get_alert(ALIAS)  # an alias without saying so is taken for an id


def test_what_happens_to_an_alert_stands_in_its_timeline(inbox: RunningInbox, genie: Genie) -> None:
    """Notes, taking and closing are carried out, one after the other; the newest alert is listed first."""
    genie("POST", "/v2/alerts", {"message": "m", "alias": ALIAS})
    for action, body in (
        ("notes", {"note": "a note"}),
        ("acknowledge", {"user": "DE-001"}),
        ("close", {"note": "landed", "user": "watcher"}),
    ):
        taken = genie("POST", f"/v2/alerts/{ALIAS}/{action}?identifierType=alias", body)
        assert taken.status_code == 202, action
    (alert,) = inbox.alerts()
    assert (alert.owner, alert.status, alert.closed_by) == ("DE-001", "closed", "watcher")
    assert alert.notes == ["a note", "landed"]
    assert [line.text for line in alert.timeline if line.kind == "log"][1:] == ["Acknowledged", "Closed"]
    genie("POST", "/v2/alerts", {"message": "the next one"})
    [newest] = genie("GET", "/v2/alerts?limit=1").json()["data"]
    assert newest["message"] == "the next one"


@pytest.mark.parametrize("action", ["close", "acknowledge", "notes"])
def test_an_action_on_an_unknown_alias_is_accepted_and_fails_later(genie: Genie, action: str) -> None:
    """202, and then a request status without success."""
    taken = genie("POST", f"/v2/alerts/nobody/{action}?identifierType=alias", {"note": "n"})
    assert taken.status_code == 202
    status = genie("GET", f"/v2/alerts/requests/{taken.json()['requestId']}").json()["data"]
    assert (status["success"], status["isSuccess"], status["status"]) == (
        False,
        False,
        "Alert does not exist",
    )


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("message", "m" * 130, "m" * 131),
        ("alias", "a" * 512, "a" * 513),
        ("description", "d" * 15_000, "d" * 15_001),
        ("entity", "e" * 512, "e" * 513),
        ("source", "s" * 100, "s" * 101),
        ("note", "n" * 25_000, "n" * 25_001),
        ("tags", ["t" * 50] * 20, ["t"] * 21),
        ("tags", ["t"], ["t" * 51]),
        ("details", {"k": "v" * 7_999}, {"k": "v" * 8_000}),
        ("details", {"k": "5"}, {"k": 5}),
        ("priority", "P5", "P0"),
        ("responders", [{"type": "team", "name": "de"}] * 50, [{"type": "team", "name": "de"}] * 51),
        ("responders", [{"type": "user", "username": "x"}], [{"type": "person", "name": "x"}]),
        ("responders", [{"type": "user", "id": "x"}], [{"type": "user", "name": "x"}]),
        ("responders", [{"type": "schedule", "name": "x"}], [{"type": "schedule", "username": "x"}]),
    ],
)
def test_each_limit_is_where_the_original_has_it(field: str, good: Any, bad: Any) -> None:
    """The longest allowed value passes, the next one is named in the complaints."""
    assert complaints("create", {"message": "m", field: good}) == {}
    assert any(name.startswith(field) for name in complaints("create", {"message": "m", field: bad}))


def test_a_bad_payload_is_refused_in_opsgenies_words(
    inbox: RunningInbox, alert_api: opsgenie_sdk.AlertApi
) -> None:
    """422 with the field's complaint, at once; the client calls it a wrong configuration; nothing is created."""
    with pytest.raises(
        opsgenie_sdk.exceptions.ConfigurationException, match="length should be between 0 and 130"
    ):
        alert_api.create_alert(opsgenie_sdk.CreateAlertPayload(message="m" * 131))
    assert inbox.alerts() == []
    (call,) = inbox.calls()
    assert (call.status, call.answer["errors"]) == (
        422,
        {"message": "length should be between 0 and 130, found 131"},
    )
    assert {"message", "took", "requestId"} <= set(call.answer)


def test_fields_the_api_does_not_know_are_ignored(inbox: RunningInbox, genie: Genie) -> None:
    """As in the original an unknown field harms nothing."""
    assert genie("POST", "/v2/alerts", {"message": "m", "colour": "red"}).status_code == 202
    assert len(inbox.alerts()) == 1


def test_keys_open_only_their_own_doors(inbox: RunningInbox, genie: Genie) -> None:
    """Integration keys write alerts, account keys configure; malformed, unknown and absent keys are told apart."""
    unknown = "0a1b2c3d-0000-4000-8000-ffffffffffff"
    body = {"message": "m"}
    assert genie("POST", "/v2/alerts", body, key="not-a-key").status_code == 422
    assert genie("POST", "/v2/alerts", body, key=unknown).status_code == 401
    assert inbox.http.post(inbox.opsgenie_host + "/v2/alerts", json=body).status_code == 401
    wrong = genie("POST", "/v2/alerts", body, key=inbox.opsgenie_account_key)
    assert (wrong.status_code, wrong.json()["code"]) == (403, 40301)
    assert genie("GET", "/v2/alerts?limit=1", key=inbox.opsgenie_account_key).status_code == 200


def test_pong_does_not_prove_a_heartbeat(
    inbox: RunningInbox, heartbeat_api: opsgenie_sdk.HeartbeatApi
) -> None:
    """A ping of an unknown name is answered as any other."""
    assert heartbeat_api.ping("nobody").result.startswith("PONG")
    assert "nobody" not in [heartbeat["name"] for heartbeat in inbox.state()["heartbeats"]]


def test_a_heartbeat_that_stops_raises_an_alert_and_a_ping_closes_it(
    inbox: RunningInbox, genie: Genie
) -> None:
    """It watches from its first ping on; the alert goes to its team with its priority, once."""
    inbox.tell(
        "heartbeats", name="watch", interval_seconds=60, alert_priority="P1", owner_team={"name": "de"}
    )
    inbox.advance(3600)
    assert inbox.alerts() == []  # never pinged: not watching yet
    genie("GET", "/v2/heartbeats/watch/ping")
    inbox.advance(61)
    inbox.advance(61)
    (alert,) = inbox.alerts()
    assert (alert.priority, alert.recipients, alert.source) == ("P1", ["de"], "Heartbeat")
    assert genie("GET", "/v2/heartbeats/watch").json()["data"]["expired"] is True
    genie("POST", "/v2/heartbeats/watch/ping")
    assert [alert.status for alert in inbox.alerts()] == ["closed"]


def test_jira_service_management_can_do_less(inbox: RunningInbox, genie: Genie) -> None:
    """Create, acknowledge, close, notes and request status; reading, heartbeats and escalating are not there."""

    def jsm(method: str, path: str, body: Any = None) -> httpx.Response:
        return genie(method, path, body, key=inbox.jsm_key, host=inbox.jsm_host)

    taken = jsm("POST", "/v2/alerts", {"message": "m", "alias": ALIAS})
    assert jsm("GET", f"/v2/alerts/requests/{taken.json()['requestId']}").json()["data"]["success"] is True
    assert jsm("POST", f"/v2/alerts/{ALIAS}/notes?identifierType=alias", {"note": "n"}).status_code == 202
    assert jsm("POST", f"/v2/alerts/{ALIAS}/close?identifierType=alias", {}).status_code == 202
    assert [(a.face, a.status, a.notes) for a in inbox.alerts()] == [("jsm", "closed", ["n"])]
    for method, path in (
        ("GET", f"/v2/alerts/{ALIAS}?identifierType=alias"),
        ("POST", f"/v2/alerts/{ALIAS}/responders?identifierType=alias"),
        ("POST", f"/v2/alerts/{ALIAS}/escalate?identifierType=alias"),
        ("GET", "/v2/heartbeats/watch/ping"),
        ("GET", "/v2/schedules"),
    ):
        assert jsm(method, path, {} if method == "POST" else None).status_code == 404, path
    assert len([call for call in inbox.calls() if call.unexpected]) == 5


def test_what_was_received_outlives_a_restart(tmp_path: Path) -> None:
    """With a journal a new inbox knows the alerts, the messages, the calls and what is still to be processed."""
    journal = tmp_path / "inbox.jsonl"
    with running_inbox(journal) as first:
        first.settings(processing_delay=30)
        headers = {"Authorization": f"GenieKey {first.opsgenie_key}"}
        body = {"message": "m", "alias": ALIAS}
        first.http.post(f"{first.opsgenie_host}/v2/alerts", json=body, headers=headers)
        first.tell("slack/messages", channel="C0INBOX001", text="before the restart")
    journal.write_text(journal.read_text() + '{"kind": "Ale')  # killed while writing
    with running_inbox(journal) as second:
        assert [message.text for message in second.messages()] == ["before the restart"]
        assert [call.body["alias"] for call in second.calls()] == [ALIAS]
        second.advance(31)
        assert [alert.alias for alert in second.alerts()] == [ALIAS]


def test_what_another_version_wrote_down_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    """After an upgrade, or a way back: a field more, a field less, another kind of record."""
    journal = tmp_path / "inbox.jsonl"
    with running_inbox(journal) as first:
        first.tell("slack/messages", channel="C0INBOX001", text="before the upgrade")
        first.tell("slack/messages", channel="C0INBOX001", text="no longer to be read")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    messages = [line["record"] for line in lines if line["kind"] == "SlackMessage"]
    messages[0]["remarks"] = ["of the other version"]
    del messages[-1]["ts"]
    journal.write_text(
        "".join(json.dumps(line) + "\n" for line in [*lines, {"kind": "Remark", "record": {}}])
    )
    with running_inbox(journal) as second:
        assert [message.text for message in second.messages()] == ["before the upgrade"]


def test_airflows_hook_pages_through_it(inbox: RunningInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpsgenieAlertHook builds the right paths on both hosts."""
    from airflow.providers.opsgenie.hooks.opsgenie import OpsgenieAlertHook

    for host, key in ((inbox.opsgenie_host, inbox.opsgenie_key), (inbox.jsm_host, inbox.jsm_key)):
        connection = {"conn_type": "opsgenie", "host": host, "password": key}
        monkeypatch.setenv("AIRFLOW_CONN_OPSGENIE_DEFAULT", json.dumps(connection))
        hook = OpsgenieAlertHook()
        hook.create_alert({"message": "m", "alias": ALIAS})
        hook.close_alert(ALIAS, identifier_type="alias")
    assert [(alert.face, alert.status) for alert in inbox.alerts()] == [
        ("opsgenie", "closed"),
        ("jsm", "closed"),
    ]
