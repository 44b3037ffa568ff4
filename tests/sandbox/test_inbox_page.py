"""The inbox's page, as served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from slack_sdk import WebClient

from sandbox.drill.inbox import Inbox
from sandbox.inbox.testing import RunningInbox

Genie = Callable[..., httpx.Response]


def read(inbox: RunningInbox) -> str:
    return inbox.http.get(inbox.url + "/").raise_for_status().text


def test_an_empty_inbox_says_so(inbox: RunningInbox) -> None:
    """Both columns have words when there is nothing to show."""
    page = read(inbox)
    assert "Nobody has been paged." in page
    assert "Nothing has been said." in page


def test_an_alert_is_shown_whole(inbox: RunningInbox, genie: Genie) -> None:
    """Priority, message, to whom, description, details, count, notes, and the buttons a person needs."""
    wish = {
        "message": "Growth is not published",
        "alias": "growth_etl:2026-01-05:broken",
        "priority": "P1",
        "description": "line one\nline two, see http://127.0.0.1:8080/run",
        "details": {"cause": "stuck"},
        "responders": [{"type": "user", "username": "de-001@example.com"}],
        "note": "by the watcher",
    }
    genie("POST", "/v2/alerts", wish)
    genie("POST", "/v2/alerts", wish)
    page = read(inbox)
    for words in ("P1", "Growth is not published", "de-001@example.com", "line one\nline two", "stuck", "×2"):
        assert words in page
    assert 'href="http://127.0.0.1:8080/run"' in page
    assert "by the watcher" in page
    assert "/acknowledge" in page
    assert "/close" in page


def test_whatever_was_sent_is_escaped(inbox: RunningInbox, genie: Genie, slack: WebClient) -> None:
    """No text of a far side becomes markup of the page."""
    evil = "<script>alert(1)</script>"
    wish = {
        "message": evil,
        "description": evil,
        "details": {evil: evil},
        "tags": [evil],
        "note": evil,
        "alias": evil,
    }
    genie("POST", "/v2/alerts", wish | {"responders": [{"type": "team", "name": evil}]})
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*{evil}* `{evil}` ```{evil}``` <{evil}|x>"}},
        {"type": "header", "text": {"type": "plain_text", "text": evil}},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": '<https://e.com/"onclick="x|y>'}]},
    ]
    slack.chat_postMessage(channel="#de-oncall", text=evil, blocks=blocks)
    slack.chat_postMessage(channel="#de-oncall", text=evil)
    page = read(inbox)
    assert "<script>alert" not in page
    assert '"onclick="' not in page


def test_threads_edits_and_mentions_are_shown(inbox: RunningInbox, slack: WebClient) -> None:
    """A reply stands under its root; an edited message says so."""
    root = slack.chat_postMessage(channel="#de-oncall", text="*Growth* is late, paging <@U0DE001>")
    reply = slack.chat_postMessage(channel="#de-oncall", text="still late", thread_ts=root["ts"])
    slack.chat_update(channel=root["channel"], ts=reply["ts"], text="landed")
    page = read(inbox)
    assert "<b>Growth</b> is late" in page
    assert '<span class="mention">@U0DE001</span>' in page
    assert "1 reply" in page
    assert "(edited)" in page
    assert "still late" not in page


def test_only_news_is_fetched_again(inbox: RunningInbox, slack: WebClient) -> None:
    """The page asks with its revision and gets text only when something has changed."""
    url = f"{inbox.url}/_page"
    first = inbox.http.get(url).json()
    assert "html" in first
    same = inbox.http.get(url, params={"revision": first["revision"]}).json()
    assert same == {"revision": first["revision"]}
    slack.chat_postMessage(channel="#de-oncall", text="news")
    changed = inbox.http.get(url, params={"revision": first["revision"]}).json()
    assert "news" in changed["html"]


def test_a_person_can_act_on_an_alert(inbox: RunningInbox, genie: Genie) -> None:
    """What the buttons call: acknowledging gives an owner, closing ends it, doing it again is refused."""
    genie("POST", "/v2/alerts", {"message": "m"})
    (alert,) = inbox.alerts()
    path = f"{inbox.url}/_control/alerts/{alert.id}"
    assert inbox.http.post(f"{path}/acknowledge").json()["owner"] == "person@example.com"
    assert inbox.http.post(f"{path}/acknowledge").status_code == 409
    Inbox(inbox.url).acknowledge(alert)  # a drill goes on when a person was quicker
    assert inbox.http.post(f"{path}/close").json()["status"] == "closed"
    assert "Acknowledge</button>" not in read(inbox)


def test_trouble_stands_at_the_top(inbox: RunningInbox) -> None:
    """A fault in force, a lapsed heartbeat and a call that belonged nowhere are named."""
    inbox.fail("slack", "chat.postMessage", status=503, count=2)
    inbox.tell("heartbeats", name="investor-sla-watch", interval_seconds=0.5, last_ping_at=1.0)
    inbox.http.post(f"{inbox.url}/v2/alerts")
    page = read(inbox)
    assert "slack chat.postMessage: status 503, 2 more calls" in page
    assert "investor-sla-watch · lapsed" in page
    assert "1 unexpected call: POST /v2/alerts" in page
