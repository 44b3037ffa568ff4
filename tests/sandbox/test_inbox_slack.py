"""The Slack face, asked by Slack's own client and Airflow's own hook."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.inbox.mrkdwn import mrkdwn
from sandbox.inbox.slack_blocks import complaints
from sandbox.inbox.testing import RunningInbox

HEADER = {"type": "header", "text": {"type": "plain_text", "text": "Growth is not published"}}


def mrk(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def error_of(slack: WebClient, method: str, **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as refused:
        slack.api_call(method, json=arguments)
    assert refused.value.response.status_code == 200
    return str(refused.value.response["error"])


def test_a_message_stands_where_it_was_posted(inbox: RunningInbox, slack: WebClient) -> None:
    """By the channel's name or id; the answer has the id and a ts of the form seconds.micros."""
    first = slack.chat_postMessage(channel="#de-oncall", text="one", blocks=[HEADER])
    second = slack.chat_postMessage(channel=first["channel"], text="two")
    assert first["channel"] == second["channel"] == "C0INBOX001"
    assert len(first["ts"].partition(".")[2]) == 6
    assert [(m.channel_name, m.text, m.blocks) for m in inbox.messages()] == [
        ("de-oncall", "one", [HEADER]),
        ("de-oncall", "two", []),
    ]


def test_every_ts_is_later_than_the_one_before(slack: WebClient) -> None:
    """Unique and monotonic, however fast they are posted."""
    stamps = [float(slack.chat_postMessage(channel="#de-oncall", text=str(n))["ts"]) for n in range(20)]
    assert stamps == sorted(set(stamps))


def test_a_thread_holds_its_replies(slack: WebClient) -> None:
    """Replies are read with conversations.replies, root first; the history shows the root and how many replies."""
    root = slack.chat_postMessage(channel="#de-oncall", text="root")
    for text in ("first", "second"):
        reply = slack.chat_postMessage(channel="#de-oncall", text=text, thread_ts=root["ts"])
        assert reply["message"]["thread_ts"] == root["ts"]
    thread = slack.conversations_replies(channel=root["channel"], ts=root["ts"])["messages"]
    assert [message["text"] for message in thread] == ["root", "first", "second"]
    (shown,) = slack.conversations_history(channel=root["channel"])["messages"]
    assert (shown["reply_count"], shown["latest_reply"]) == (2, reply["ts"])
    assert (
        error_of(slack, "conversations.replies", channel=root["channel"], ts="1.000000") == "thread_not_found"
    )


def test_a_reply_to_nothing_lands_in_the_channel(inbox: RunningInbox, slack: WebClient) -> None:
    """As in Slack: a thread_ts without a message is dropped without a word; a malformed one is refused."""
    posted = slack.chat_postMessage(channel="#de-oncall", text="lost", thread_ts="1700000000.000100")
    assert "thread_ts" not in posted["message"]
    assert inbox.messages()[0].thread_ts is None
    assert (
        error_of(slack, "chat.postMessage", channel="#de-oncall", text="x", thread_ts="abc")
        == "invalid_thread_ts"
    )
    assert (
        error_of(slack, "chat.postMessage", channel="#de-oncall", text="x", thread_ts=1.5)
        == "invalid_arguments"
    )


def test_metadata_comes_back_only_when_asked_for(slack: WebClient) -> None:
    """conversations.history with include_all_metadata shows what was posted with the message."""
    metadata = {"event_type": "incident", "event_payload": {"key": "growth_etl:2026-01-05", "step": "broken"}}
    channel = slack.chat_postMessage(channel="#de-oncall", text="x", metadata=metadata)["channel"]
    (told,) = slack.conversations_history(channel=channel, include_all_metadata=True)["messages"]
    assert told["metadata"] == metadata
    (silent,) = slack.conversations_history(channel=channel)["messages"]
    assert "metadata" not in silent
    bad = {"event_type": "incident"}
    assert (
        error_of(slack, "chat.postMessage", channel=channel, text="x", metadata=bad)
        == "invalid_metadata_format"
    )


def test_the_history_is_paged_and_bounded(slack: WebClient) -> None:
    """Newest first, `limit` a page with a cursor, `oldest` exclusive unless inclusive; a name is no channel id."""
    posted = [slack.chat_postMessage(channel="#de-oncall", text=str(n)) for n in range(5)]
    channel = posted[0]["channel"]
    pages = [
        [message["text"] for message in page["messages"]]
        for page in slack.conversations_history(channel=channel, limit=2)
    ]
    assert pages == [["4", "3"], ["2", "1"], ["0"]]
    since = slack.conversations_history(channel=channel, oldest=posted[2]["ts"])["messages"]
    assert [message["text"] for message in since] == ["4", "3"]
    bounds = {"oldest": posted[2]["ts"], "latest": posted[2]["ts"], "inclusive": True}
    (one,) = slack.conversations_history(channel=channel, **bounds)["messages"]
    assert one["text"] == "2"
    assert error_of(slack, "conversations.history", channel="#de-oncall") == "channel_not_found"


def test_an_update_needs_the_channel_id_and_ones_own_message(inbox: RunningInbox, slack: WebClient) -> None:
    """The text changes and is marked edited, blocks not given stay; a name, a stranger's message, a wrong ts fail."""
    posted = slack.chat_postMessage(channel="#de-oncall", text="broken", blocks=[HEADER])
    channel, ts = posted["channel"], posted["ts"]
    slack.chat_update(channel=channel, ts=ts, text="resolved")
    (message,) = inbox.messages()
    assert (message.text, message.edits, message.blocks) == ("resolved", ["broken"], [HEADER])
    assert message.edited_ts
    theirs = inbox.tell("slack/messages", channel=channel, text="hello")["ts"]
    assert error_of(slack, "chat.update", channel="#de-oncall", ts=ts, text="x") == "channel_not_found"
    assert error_of(slack, "chat.update", channel=channel, ts="1.000000", text="x") == "message_not_found"
    assert error_of(slack, "chat.update", channel=channel, ts=theirs, text="x") == "cant_update_message"
    assert error_of(slack, "chat.update", channel=channel, ts=ts, text="x" * 4001) == "msg_too_long"


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ([HEADER] * 50, [HEADER] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
        (
            [{"type": "section", "text": mrk("x" * 3000)}],
            [{"type": "section", "text": mrk("x" * 3001)}],
            "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            [{"type": "header", "text": {"type": "plain_text", "text": "x" * 150}}],
            [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
            "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            [HEADER],
            [{"type": "header", "text": mrk("x")}],
            "must be one of plain_text [json-pointer:/blocks/0/text/type]",
        ),
        (
            [{"type": "section", "fields": [mrk("x" * 2000)] * 10}],
            [{"type": "section", "fields": [mrk("x")] * 11}],
            "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
        ),
        (
            [{"type": "context", "elements": [mrk("x")] * 10}],
            [{"type": "context", "elements": [mrk("x")] * 11}],
            "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
        ),
        ([HEADER], [{"type": "line"}], "unsupported type: line [json-pointer:/blocks/0/type]"),
        (
            [{"type": "section", "text": mrk("x")}],
            [{"type": "section"}],
            "missing required field: text or fields [json-pointer:/blocks/0]",
        ),
        (
            [{"type": "section", "text": mrk("x")}],
            [{"type": "section", "text": mrk("")}],
            "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            [{"type": "section", "text": mrk("x")}],
            [{"type": "section", "text": mrk("x") | {"emoji": True}}],
            "invalid additional property: emoji [json-pointer:/blocks/0/text]",
        ),
        (
            [HEADER],
            [HEADER | {"colour": "red"}],
            "invalid additional property: colour [json-pointer:/blocks/0]",
        ),
        ([HEADER], ["text"], "must be an object [json-pointer:/blocks/0]"),
    ],
)
def test_each_block_limit_is_where_slack_has_it(good: list[Any], bad: list[Any], words: str) -> None:
    """The largest allowed block passes; one more is refused with Slack's words and pointer."""
    assert complaints(good) == []
    assert complaints(bad) == [words]


def test_a_message_that_cannot_be_posted_says_why(inbox: RunningInbox, slack: WebClient) -> None:
    """200 with ok false and Slack's error; nothing is posted."""
    long = [{"type": "section", "text": mrk("x" * 2700)}] * 5
    for expected, content in (
        ("channel_not_found", {"channel": "#nowhere", "text": "x"}),
        ("no_text", {"channel": "#de-oncall"}),
        ("invalid_blocks", {"channel": "#de-oncall", "text": "x", "blocks": [{"type": "section"}]}),
        ("invalid_blocks_format", {"channel": "#de-oncall", "text": "x", "blocks": "[]"}),
        ("msg_blocks_too_long", {"channel": "#de-oncall", "text": "x", "blocks": long}),
        ("invalid_arguments", {"text": "x"}),
    ):
        assert error_of(slack, "chat.postMessage", **content) == expected
    assert error_of(slack, "chat.sing") == "unknown_method"
    assert inbox.messages() == []
    assert inbox.calls()[2].answer["response_metadata"]["messages"] == [
        "[ERROR] missing required field: text or fields [json-pointer:/blocks/0]"
    ]


def test_slack_warns_of_what_it_takes_nevertheless(slack: WebClient) -> None:
    """Blocks without a top-level text, and a text that had to be cut."""
    with warnings.catch_warnings(action="ignore"):
        silent = slack.chat_postMessage(channel="#de-oncall", blocks=[HEADER])
    assert silent["response_metadata"]["warnings"] == ["missing_text_in_message"]
    cut = slack.chat_postMessage(channel="#de-oncall", text="x" * 40_001)
    assert cut["response_metadata"]["warnings"] == ["message_truncated"]
    assert len(cut["message"]["text"]) == 40_000


def test_tokens_are_checked(inbox: RunningInbox) -> None:
    """No token, a wrong one, and the right one in a form's body."""
    url = inbox.slack_base_url + "auth.test"
    assert inbox.http.post(url).json() == {"ok": False, "error": "not_authed"}
    assert WebClient(token=inbox.slack_token, base_url=inbox.slack_base_url).auth_test()["bot_id"]
    with pytest.raises(SlackApiError, match="invalid_auth"):
        WebClient(token="xoxb-wrong", base_url=inbox.slack_base_url).auth_test()
    form = {
        "token": inbox.slack_token,
        "channel": "#de-oncall",
        "blocks": json.dumps([HEADER]),
        "text": "form",
    }
    answer = inbox.http.post(inbox.slack_base_url + "chat.postMessage", data=form).json()
    assert answer["message"]["blocks"] == [HEADER]
    assert "token" not in inbox.calls()[-1].body


def test_a_group_has_the_members_it_was_given(slack: WebClient) -> None:
    """usergroups.users.update replaces all members; an unknown group, no members and nonsense are refused."""
    slack.usergroups_users_update(usergroup="S0DEONCALL", users=["U0DE001", "U0DE002"])
    assert slack.usergroups_users_list(usergroup="S0DEONCALL")["users"] == ["U0DE001", "U0DE002"]
    assert error_of(slack, "usergroups.users.update", usergroup="S0", users="U1") == "no_such_subteam"
    assert error_of(slack, "usergroups.users.update", usergroup="S0DEONCALL", users="") == "no_users_provided"
    assert error_of(slack, "usergroups.users.update", usergroup="S0DEONCALL", users="bob") == "invalid_users"


def test_channels_are_known_and_can_be_added(inbox: RunningInbox, slack: WebClient) -> None:
    """The standing ones, and any that a test adds."""
    inbox.tell("slack/channels", name="#drill")
    assert {"de-oncall", "swe-master-data", "drill"} <= {
        c["name"] for c in slack.conversations_list()["channels"]
    }
    slack.chat_postMessage(channel="#drill", text="x")
    assert [message.channel_name for message in inbox.messages()] == ["drill"]


def test_one_message_a_second_and_channel_when_strict(inbox: RunningInbox, slack: WebClient) -> None:
    """The second within a second is answered 429 with Retry-After; after waiting, and elsewhere, it goes well."""
    inbox.settings(slack_seconds_per_message=1)
    slack.chat_postMessage(channel="#de-oncall", text="one")
    with pytest.raises(SlackApiError) as limited:
        slack.chat_postMessage(channel="#de-oncall", text="two")
    assert limited.value.response.status_code == 429
    assert limited.value.response.headers["Retry-After"] == "1"
    slack.chat_postMessage(channel="#swe-master-data", text="elsewhere")
    inbox.advance(1)
    slack.chat_postMessage(channel="#de-oncall", text="two")


def test_airflows_hook_posts_through_it(inbox: RunningInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """SlackHook with base_url in the connection's extra."""
    from airflow.providers.slack.hooks.slack import SlackHook

    extra = {"base_url": inbox.slack_base_url}
    connection = {"conn_type": "slack", "password": inbox.slack_token, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", json.dumps(connection))
    SlackHook().call("chat.postMessage", json={"channel": "#de-oncall", "text": "from the hook"})
    assert [message.text for message in inbox.messages()] == ["from the hook"]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _it_ ~gone~ `a*b*c`", "<b>bold</b> <i>it</i> <s>gone</s> <code>a*b*c</code>"),
        ("snake_case_name 2*3*4", "snake_case_name 2*3*4"),
        ("a &lt;b&gt; &amp; c", "a &lt;b&gt; &amp; c"),
        ("one\ntwo", "one<br>two"),
        ("```x\n<y>```", "<pre>x\n&lt;y&gt;</pre>"),
        ("&gt; said\nme", "<blockquote>said</blockquote>me"),
        ("<@U0DE001>", '<span class="mention">@U0DE001</span>'),
        ("<!subteam^S1|@de>", '<span class="mention">@de</span>'),
        ("<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"),
        (
            "<https://e.com/?a=1&amp;b=2|Run>",
            '<a href="https://e.com/?a=1&amp;b=2" target="_blank" rel="noopener">Run</a>',
        ),
    ],
)
def test_markup_is_shown_as_slack_shows_it(text: str, html: str) -> None:
    """Marks, code, links and mentions become HTML; everything else is escaped."""
    assert mrkdwn(text) == html
