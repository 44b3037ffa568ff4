"""What the inbox does when it is told to fail, seen from the callers' side."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import opsgenie_sdk
import pytest
import tenacity
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from sandbox.inbox.testing import RunningInbox

Genie = Callable[..., httpx.Response]


def post(inbox: RunningInbox, text: str = "x", timeout: float = 5) -> httpx.Response:
    return inbox.http.post(
        f"{inbox.slack_base_url}chat.postMessage",
        json={"channel": "#de-oncall", "text": text},
        headers={"Authorization": f"Bearer {inbox.slack_token}"},
        timeout=timeout,
    )


def test_a_status_is_answered_so_many_times(inbox: RunningInbox, genie: Genie) -> None:
    """Two 500s, then it goes well; the other face and the other operations never noticed."""
    inbox.fail("opsgenie", "create", status=500, count=2)
    assert genie("GET", "/v2/alerts").status_code == 200
    assert post(inbox).json()["ok"] is True
    assert [genie("POST", "/v2/alerts", {"message": "m"}).status_code for _ in range(3)] == [500, 500, 202]
    assert [call.status for call in inbox.calls(operation="create")] == [500, 500, 202]
    assert len(inbox.alerts()) == 1


def test_opsgenies_rate_limit_has_its_headers(inbox: RunningInbox, genie: Genie) -> None:
    """429 with the throttled state and the period."""
    inbox.fail("opsgenie", status=429, retry_after=7)
    answer = genie("POST", "/v2/alerts", {"message": "m"})
    assert answer.status_code == 429
    assert answer.headers["X-RateLimit-State"] == "THROTTLED"
    assert (answer.headers["X-RateLimit-Period-In-Sec"], answer.headers["Retry-After"]) == ("7", "7")


def test_slacks_rate_limit_is_what_its_client_waits_for(inbox: RunningInbox) -> None:
    """The client's own handler reads Retry-After and tries again."""
    inbox.fail("slack", status=429, retry_after=1, count=1)
    client = WebClient(
        token=inbox.slack_token, base_url=inbox.slack_base_url, retry_handlers=[RateLimitErrorRetryHandler()]
    )
    client.chat_postMessage(channel="#de-oncall", text="x")
    first, second = inbox.calls()
    assert (first.status, second.status) == (429, 200)
    assert second.at - first.at >= 1


def test_slack_can_refuse_with_any_of_its_errors(inbox: RunningInbox, slack: WebClient) -> None:
    """200 with ok false."""
    inbox.fail("slack", "chat.postMessage", "slack_error", error="is_archived")
    with pytest.raises(SlackApiError, match="is_archived"):
        slack.chat_postMessage(channel="#de-oncall", text="x")
    slack.auth_test()


def test_a_lost_answer_was_nevertheless_work_done(inbox: RunningInbox, genie: Genie) -> None:
    """The caller sees a dropped connection; the far side has the message and the alert, once."""
    inbox.fail("*", kind="lose_answer", count=2)
    with pytest.raises(httpx.TransportError):
        post(inbox, "said once")
    with pytest.raises(httpx.TransportError):
        genie("POST", "/v2/alerts", {"message": "m"})
    assert [message.text for message in inbox.messages()] == ["said once"]
    assert len(inbox.alerts()) == 1
    assert [(call.fault, call.status) for call in inbox.calls()] == [
        ("lose_answer", 200),
        ("lose_answer", 202),
    ]


def test_an_answer_that_never_comes_was_nevertheless_work_done(inbox: RunningInbox) -> None:
    """The caller waits and waits; the message stands."""
    inbox.fail("slack", kind="hang_after", count=1)
    with pytest.raises(httpx.ReadTimeout):
        post(inbox, "said once", timeout=0.3)
    assert [message.text for message in inbox.messages()] == ["said once"]


def test_slacks_own_client_repeats_a_lost_post_by_default(inbox: RunningInbox) -> None:
    """Why the adapter must bring its own retry handlers: the default one says it twice."""
    inbox.fail("slack", kind="lose_answer", count=1)
    WebClient(token=inbox.slack_token, base_url=inbox.slack_base_url).chat_postMessage(
        channel="#de-oncall", text="x"
    )
    assert len(inbox.messages()) == 2


def test_a_refused_connection_did_nothing(inbox: RunningInbox) -> None:
    """Dropped at once, before any work."""
    inbox.fail("slack", kind="refuse", count=1)
    with pytest.raises(httpx.TransportError):
        post(inbox)
    assert inbox.messages() == []
    assert inbox.calls()[0].status is None


def test_a_hanging_call_blocks_nobody_else(inbox: RunningInbox, genie: Genie) -> None:
    """It never answers; the other face, the page and the controls do."""
    inbox.fail("slack", kind="hang")
    with pytest.raises(httpx.ReadTimeout):
        post(inbox, timeout=0.3)
    assert genie("POST", "/v2/alerts", {"message": "m"}).status_code == 202
    assert inbox.http.get(inbox.url).status_code == 200
    inbox.heal()
    assert post(inbox).json()["ok"] is True


def test_healing_lets_a_hanging_call_go(inbox: RunningInbox) -> None:
    """A fault for some seconds ends by itself: the connection is dropped."""
    inbox.fail("slack", kind="hang", seconds=0.2)
    started = time.monotonic()
    with pytest.raises(httpx.RemoteProtocolError):
        post(inbox)
    assert time.monotonic() - started < 3
    assert post(inbox).json()["ok"] is True


def test_a_slow_far_side_works_after_its_delay(inbox: RunningInbox) -> None:
    """Late, and well."""
    inbox.fail("slack", kind="slow", delay=0.3, count=1)
    started = time.monotonic()
    assert post(inbox).json()["ok"] is True
    assert time.monotonic() - started >= 0.3


def test_a_request_can_be_accepted_and_fail(inbox: RunningInbox, alert_api: opsgenie_sdk.AlertApi) -> None:
    """202, and then no alert and no success."""
    inbox.fail("opsgenie", "create", "process_failed", count=1)
    request_id = alert_api.create_alert(opsgenie_sdk.CreateAlertPayload(message="m")).request_id
    assert alert_api.get_request_status(request_id).data.is_success is False
    assert inbox.alerts() == []


def test_the_sdk_tries_again(inbox: RunningInbox, alert_api: opsgenie_sdk.AlertApi) -> None:
    """A 500 that passes is nobody's error; every try is in the calls."""
    inbox.fail("opsgenie", status=500, count=1)
    alert_api.create_alert(opsgenie_sdk.CreateAlertPayload(message="m"))
    assert [call.status for call in inbox.calls()] == [500, 202]


def test_the_sdk_gives_up_after_its_retries(inbox: RunningInbox, alert_api: opsgenie_sdk.AlertApi) -> None:
    """A 500 that stays is raised after the one retry that these tests allow, and there is no alert."""
    inbox.fail("opsgenie", status=500)
    with pytest.raises(tenacity.RetryError, match="ServerErrorException"):
        alert_api.create_alert(opsgenie_sdk.CreateAlertPayload(message="m"))
    assert [call.status for call in inbox.calls()] == [500, 500]
    assert inbox.alerts() == []


@pytest.mark.parametrize(
    "wish",
    [{"face": "pager", "kind": "hang"}, {"face": "slack", "kind": "explode"}, {"face": "slack", "what": 1}],
)
def test_a_fault_that_makes_no_sense_is_refused(inbox: RunningInbox, wish: dict[str, object]) -> None:
    """400 with what to write instead; nothing is put in force."""
    answer = inbox.http.post(f"{inbox.url}/_control/faults", json=wish)
    assert answer.status_code == 400
    assert "write" in answer.json()["error"]
    assert inbox.state()["faults"] == []


def test_a_call_to_nobodys_path_is_noticed(inbox: RunningInbox) -> None:
    """A host without its prefix: 404, written down as unexpected."""
    assert inbox.http.post(f"{inbox.url}/v2/alerts", json={}).status_code == 404
    (call,) = inbox.calls()
    assert (call.face, call.unexpected, call.status) == ("", True, 404)


def test_clearing_forgets_everything_but_the_channels(inbox: RunningInbox) -> None:
    """Messages, calls, faults and settings are gone."""
    post(inbox)
    inbox.fail("slack", status=500)
    inbox.clear()
    state = inbox.state()
    assert (state["messages"], state["calls"], state["faults"]) == ([], [], [])
    assert state["settings"]["processing_delay"] == 0.2
    assert len(state["channels"]) >= 2
