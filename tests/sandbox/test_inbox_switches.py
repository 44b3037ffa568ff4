"""What the inbox can be told to be like: rights, an owner team, unknown people, odd answers, closed channels."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.inbox.testing import RunningInbox

Genie = Callable[..., httpx.Response]

WISH = {"message": "m", "alias": "a", "responders": [{"type": "user", "username": "de-003@example.com"}]}
BY_ALIAS = "?identifierType=alias"


def test_a_key_without_the_right_to_read_still_pages(inbox: RunningInbox, genie: Genie) -> None:
    """403 on every GET; the alert is made."""
    inbox.settings(key_may_read=False)
    request_id = genie("POST", "/v2/alerts", WISH).json()["requestId"]
    asked = (f"/v2/alerts/a{BY_ALIAS}", "/v2/alerts", f"/v2/alerts/requests/{request_id}", "/v2/heartbeats/h")
    assert [genie("GET", path).status_code for path in asked] == [403] * 4
    assert len(inbox.alerts(alias="a")) == 1


def test_a_key_without_the_right_to_write_or_ping(inbox: RunningInbox, genie: Genie) -> None:
    """403, and nothing is made."""
    inbox.settings(key_may_write=False, key_may_ping=False)
    assert genie("POST", "/v2/alerts", WISH).status_code == 403
    assert genie("POST", "/v2/heartbeats/h/ping").status_code == 403
    assert not inbox.alerts()


def test_the_team_that_owns_the_integration_is_notified_instead(inbox: RunningInbox, genie: Genie) -> None:
    """Without a word, as Opsgenie does."""
    inbox.settings(owner_team="data-engineering")
    assert genie("POST", "/v2/alerts", WISH).status_code == 202
    assert inbox.alerts()[0].responders == [{"type": "team", "name": "data-engineering"}]
    shown = genie("GET", f"/v2/alerts/a{BY_ALIAS}").json()["data"]
    assert [responder["type"] for responder in shown["responders"]] == ["team"]
    assert genie("GET", f"/v2/alerts/a/recipients{BY_ALIAS}").json()["data"] == []


def test_an_alert_shows_ids_and_its_recipients_tell_the_names(inbox: RunningInbox, genie: Genie) -> None:
    """The same id stands in both."""
    genie("POST", "/v2/alerts", WISH)
    [responder] = genie("GET", f"/v2/alerts/a{BY_ALIAS}").json()["data"]["responders"]
    [recipient] = genie("GET", f"/v2/alerts/a/recipients{BY_ALIAS}").json()["data"]
    assert recipient["user"] == {"id": responder["id"], "username": "de-003@example.com"}
    assert "username" not in responder


@pytest.mark.parametrize(
    ("are", "status", "success", "notified"),
    [("refused", 422, None, None), ("failed", 202, False, None), ("dropped", 202, True, [])],
)
def test_an_unknown_user(
    inbox: RunningInbox, genie: Genie, are: str, status: int, success: Any, notified: Any
) -> None:
    """Refused at once, or after the receipt, or left out without a word."""
    inbox.settings(unknown_users=["de-003@example.com"], unknown_users_are=are)
    answer = genie("POST", "/v2/alerts", WISH)
    assert answer.status_code == status
    if status == 422:
        assert "de-003@example.com" in str(answer.json()["errors"])
    else:
        state = genie("GET", f"/v2/alerts/requests/{answer.json()['requestId']}").json()["data"]
        assert state["isSuccess"] is success
    assert [alert.recipients for alert in inbox.alerts()] == ([] if notified is None else [notified])


def test_a_renamed_user_has_the_new_name_everywhere(inbox: RunningInbox, genie: Genie) -> None:
    """Also in the alerts there are; the old name is nobody's."""
    genie("POST", "/v2/alerts", WISH)
    inbox.acknowledge(inbox.alerts()[0], user="de-003@example.com")
    inbox.rename_user("de-003@example.com", "new@example.com")
    assert [(alert.recipients, alert.owner) for alert in inbox.alerts()] == [
        (["new@example.com"], "new@example.com")
    ]
    assert genie("POST", "/v2/alerts", WISH).status_code == 422


def test_a_request_is_processed_late_or_never(inbox: RunningInbox, genie: Genie) -> None:
    """202 both times."""
    inbox.fail("opsgenie", "create", "process_late", delay=30, count=1)
    inbox.fail("opsgenie", "create", "process_never", count=1)
    for alias in ("late", "never"):
        assert genie("POST", "/v2/alerts", WISH | {"alias": alias}).status_code == 202
    assert not inbox.alerts()
    inbox.advance(31)
    assert [alert.alias for alert in inbox.alerts()] == ["late"]


def test_reading_can_fail_while_writing_works(inbox: RunningInbox, genie: Genie, slack: WebClient) -> None:
    """`read` is whatever changes nothing."""
    inbox.fail("opsgenie", "read", status=500)
    inbox.fail("slack", "read", "slack_error", error="missing_scope")
    genie("POST", "/v2/alerts", WISH)
    assert genie("GET", f"/v2/alerts/a{BY_ALIAS}").status_code == 500
    slack.chat_postMessage(channel="#de-oncall", text="x")
    with pytest.raises(SlackApiError, match="missing_scope"):
        slack.conversations_history(channel="C0INBOX001")


def test_an_acknowledgement_is_taken_back(inbox: RunningInbox, genie: Genie) -> None:
    """A policy acknowledges, a person takes it back, a policy closes: each by its name."""
    genie("POST", "/v2/alerts", WISH)
    [alert] = inbox.alerts()
    inbox.acknowledge(alert, user="System")
    assert inbox.alerts()[0].owner == "System"
    inbox.unacknowledge(alert)
    assert (inbox.alerts()[0].acknowledged, inbox.alerts()[0].owner) == (False, "")
    inbox.close_alert(alert, user="System")
    assert inbox.alerts()[0].closed_by == "System"


def test_a_token_has_the_scopes_it_was_given(inbox: RunningInbox, slack: WebClient) -> None:
    """Slack says which one is missing."""
    inbox.settings(slack_scopes=["chat:write"])
    slack.chat_postMessage(channel="#de-oncall", text="x")
    with pytest.raises(SlackApiError) as refused:
        slack.conversations_history(channel="C0INBOX001")
    assert refused.value.response["needed"] == "channels:history"


def test_a_closed_channel_and_a_deleted_message(inbox: RunningInbox, slack: WebClient) -> None:
    """Archived, without the bot, and a message that is gone."""
    said = slack.chat_postMessage(channel="#de-oncall", text="x")
    inbox.delete_message(inbox.messages()[0])
    with pytest.raises(SlackApiError, match="message_not_found"):
        slack.chat_update(channel=said["channel"], ts=said["ts"], text="y")
    inbox.tell("slack/channels", name="de-oncall", archived=True)
    with pytest.raises(SlackApiError, match="is_archived"):
        slack.chat_postMessage(channel="#de-oncall", text="x")
    inbox.tell("slack/channels", name="de-oncall", archived=False, member=False)
    with pytest.raises(SlackApiError, match="not_in_channel"):
        slack.chat_postMessage(channel="#de-oncall", text="x")
    inbox.tell("slack/channels", name="de-oncall", member=True)


def test_a_redirect_leads_where_it_is_told(inbox: RunningInbox, genie: Genie) -> None:
    """302, or another one."""
    inbox.fail("opsgenie", kind="redirect", location="http://127.0.0.1:9/", status=307)
    answer = genie("POST", "/v2/alerts", WISH)
    assert (answer.status_code, answer.headers["location"]) == (307, "http://127.0.0.1:9/")
    assert not inbox.alerts()


def test_an_answer_of_a_wrong_type_after_the_work(inbox: RunningInbox, genie: Genie) -> None:
    """A list where an object is expected, bytes that are no text; the alert is there with `works`."""
    inbox.fail("opsgenie", kind="answer", body=[1], works=True, count=1)
    inbox.fail("opsgenie", kind="garbled", status=202, count=1)
    assert genie("POST", "/v2/alerts", WISH).json() == [1]
    assert b"\xff" in genie("POST", "/v2/alerts", WISH).content
    assert [alert.count for alert in inbox.alerts()] == [1]


def test_bodies_without_an_end(inbox: RunningInbox) -> None:
    """Dripping, endless, packed, cut: seen by a caller who looks at the first bytes only."""
    url = f"{inbox.opsgenie_host}/v2/alerts"
    for kind in ("drip", "endless", "gzip_bomb", "cut"):
        inbox.fail("opsgenie", kind=kind, count=1, delay=0.01)
        with inbox.http.stream("POST", url, json=WISH) as answer:
            assert answer.status_code == 200
            assert next(answer.iter_raw())
    started = time.monotonic()
    inbox.fail("opsgenie", kind="cut", count=1)
    with pytest.raises(httpx.TransportError):
        inbox.http.post(url, json=WISH)
    assert time.monotonic() - started < 5
