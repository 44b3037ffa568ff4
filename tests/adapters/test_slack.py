"""The chat over real HTTP: what goes over the wire, how it is found again, and what comes of every bad answer."""

from __future__ import annotations

import datetime as dt
import json
import logging
import socket
import time
import traceback
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall.adapters.slack import blocks as slack_blocks
from oncall.adapters.slack.chat import Slack
from oncall.core.errors import DeliveryFailed, Gone, LockedOut, Rejected, UnknownPerson
from oncall.core.message import Message, Recipient
from oncall.usecases.channel_ports import Posted
from tests.adapters.scripted import KEY, Answer, Connect, FarSide, failing

POSTED = Answer({"ok": True, "channel": "C0ONCALL", "ts": "1767567600.000100"})
OLDEST = dt.datetime(2026, 1, 5, 5, 0, tzinfo=dt.timezone(dt.timedelta(hours=7)))
MESSAGE = Message(
    key="growth_etl:2026-01-05",
    step="broken:primary",
    title="Growth ETL is late",
    summary="Stuck in transform <since> 03:12 & waiting.",
    facts=(("Owner", "DE-003"), ("Rows", "< 5")),
    steps="**Do:** look at **the run**.\nThen call.\n\n1. Ask:\n\n```sql\nselect 1;\n```",
    links=(("Run", "https://airflow.example.com/run?a=1&b=2"), ("Runbook", "https://airflow.example.com/r")),
    recipients=(
        Recipient("DE-003", "x", "U0DE003"),
        Recipient("DE-MANAGER"),
        Recipient("all", None, "S0ALL"),
    ),
)


def chat(far_side: FarSide, connect: Connect, **extra: Any) -> Slack:
    return Slack.from_connection(
        connect(conn_type="slack", extra={"base_url": f"{far_side.url}/api", **extra})
    )


def refused(error: str, **further: Any) -> Answer:
    return Answer({"ok": False, "error": error, **further})


def size(blocks: list[dict[str, Any]]) -> int:
    return len(json.dumps(blocks, ensure_ascii=False))


def test_a_message_is_posted_with_blocks_text_and_metadata(far_side: FarSide, connect: Connect) -> None:
    """The notification line names who is meant; plain values are escaped, our links and mentions are not."""
    far_side.script = [POSTED]
    posted = chat(far_side, connect).post(MESSAGE, "#de-oncall")
    assert posted == Posted("C0ONCALL", "1767567600.000100")
    [request] = far_side.requests
    assert request.path == "/api/chat.postMessage"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    mentions = "<@U0DE003> DE-MANAGER <!subteam^S0ALL>"
    assert request.body == {
        "channel": "#de-oncall",
        "text": f"Growth ETL is late {mentions}\nDo: look at *the run*.\nhttps://airflow.example.com/run?a=1&amp;b=2",
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {
            "event_type": "oncall_step",
            "event_payload": {"key": "growth_etl:2026-01-05", "step": "broken:primary"},
        },
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "Growth ETL is late", "emoji": False}},
            _section(mentions),
            _section(STEPS),
            _section("Stuck in transform &lt;since&gt; 03:12 &amp; waiting."),
            {
                "type": "section",
                "fields": [
                    {"type": "mrkdwn", "text": "*Owner*\nDE-003"},
                    {"type": "mrkdwn", "text": "*Rows*\n&lt; 5"},
                ],
            },
            {
                "type": "context",
                "elements": [
                    {
                        "type": "mrkdwn",
                        "text": "<https://airflow.example.com/run?a=1&amp;b=2|Run> · "
                        "<https://airflow.example.com/r|Runbook>",
                    }
                ],
            },
        ],
    }


def test_a_reply_repeats_nothing(far_side: FarSide, connect: Connect) -> None:
    """One line where nobody is called; who is called sees what to do, and where."""
    far_side.always = POSTED
    said = Message(
        "k", "acknowledged-0", "Acknowledged by DE-004, 05:03", facts=MESSAGE.facts, links=MESSAGE.links
    )
    chat(far_side, connect).post(said, "#de-oncall", "1.2")
    chat(far_side, connect).post(MESSAGE, "#de-oncall", "1.2")
    [plain, page] = [request.body for request in far_side.requests]
    assert (plain["thread_ts"], plain["text"]) == ("1.2", "Acknowledged by DE-004, 05:03")
    assert plain["blocks"] == [_section("Acknowledged by DE-004, 05:03")]
    first, steps, summary, links = page["blocks"]
    assert first == _section("Growth ETL is late <@U0DE003> DE-MANAGER <!subteam^S0ALL>")
    assert steps == _section(STEPS)
    assert "Stuck in transform" in summary["text"]["text"]
    assert links["type"] == "context"


STEPS = "• Look at *the run*.\n• Then call.\n<https://airflow.example.com/r|All steps, with their queries to copy>"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


@pytest.mark.parametrize("status", [200, 201, 203])
def test_what_was_taken_is_taken_whatever_a_proxy_makes_of_its_status(
    status: int, far_side: FarSide, connect: Connect
) -> None:
    """203: somebody on the way has changed the answer. It was said again, as if nobody knew."""
    far_side.always = Answer({"ok": True, "channel": "C1", "ts": "1.000001"}, status)
    slack = Slack.from_connection(connect("chat", conn_type="slack", extra={"base_url": far_side.url}))
    assert slack.post(MESSAGE, "C1").ts == "1.000001"


def test_an_update_names_the_channels_id(far_side: FarSide, connect: Connect) -> None:
    """chat.update refuses a channel's name."""
    far_side.script = [POSTED]
    chat(far_side, connect).update(MESSAGE, Posted("C0ONCALL", "1.2"))
    body = far_side.requests[0].body
    assert (far_side.requests[0].path, body["channel"], body["ts"]) == ("/api/chat.update", "C0ONCALL", "1.2")
    assert body["blocks"]


@pytest.mark.parametrize(
    "error", ["invalid_blocks", "msg_blocks_too_long", "msg_too_long", "no_text", "invalid_arguments"]
)
def test_refused_blocks_are_said_in_plain_text(error: str, far_side: FarSide, connect: Connect) -> None:
    """A page whose form is wrong is better than no page."""
    far_side.script = [refused(error), POSTED]
    chat(far_side, connect).post(MESSAGE, "#de-oncall")
    body = far_side.requests[1].body
    assert "blocks" not in body
    assert body["text"] == (
        "Growth ETL is late <@U0DE003> DE-MANAGER <!subteam^S0ALL>\n\n"
        f"{STEPS}\n\n"
        "Stuck in transform &lt;since&gt; 03:12 &amp; waiting.\n\n"
        "<https://airflow.example.com/run?a=1&amp;b=2|Run> · <https://airflow.example.com/r|Runbook>\n\n"
        "Owner: DE-003\nRows: &lt; 5"
    )


def test_refused_metadata_is_left_out(far_side: FarSide, connect: Connect) -> None:
    """It only helps us to find the message again."""
    far_side.script = [refused("invalid_metadata_format"), POSTED]
    chat(far_side, connect).post(MESSAGE, "#de-oncall")
    assert "metadata" not in far_side.requests[1].body
    assert "blocks" in far_side.requests[1].body


def test_a_form_that_is_refused_in_every_shape_is_refused_for_good(
    far_side: FarSide, connect: Connect
) -> None:
    """Without metadata, then in plain text, then no more."""
    far_side.script = [refused("metadata_too_large"), refused("invalid_blocks"), refused("msg_too_long")]
    error = failing(chat(far_side, connect).post, MESSAGE, "#de-oncall")
    assert (isinstance(error, Rejected), isinstance(error, LockedOut)) == (True, False)
    assert [sorted(set(request.body) & {"blocks", "metadata"}) for request in far_side.requests] == [
        ["blocks", "metadata"],
        ["blocks"],
        [],
    ]


def said(ts: str, step: str) -> dict[str, Any]:
    payload = {"key": MESSAGE.key, "step": step}
    return {"ts": ts, "metadata": {"event_type": "oncall_step", "event_payload": payload}}


def test_a_message_is_found_by_its_metadata_over_pages(far_side: FarSide, connect: Connect) -> None:
    """After an answer that was lost the channel is asked before anything is posted again."""
    first = {"ok": True, "messages": [{"ts": "3"}, said("2", "other")]}
    first["response_metadata"] = {"next_cursor": "more"}
    second = {"ok": True, "messages": [said("1", MESSAGE.step)]}
    far_side.script = [Answer(first), Answer(second)]
    found = chat(far_side, connect).find(MESSAGE.key, MESSAGE.step, "C0ONCALL", OLDEST)
    assert found == Posted("C0ONCALL", "1")
    asked = far_side.requests[0]
    assert asked.path == "/api/conversations.history"
    sent = {**asked.query, **asked.form}
    assert sent["oldest"] == f"{OLDEST.timestamp():.6f}"
    assert sent["include_all_metadata"] == "1"
    assert {**far_side.requests[1].query, **far_side.requests[1].form}["cursor"] == "more"


def test_a_page_of_history_that_is_too_long_is_asked_for_in_parts(
    far_side: FarSide, connect: Connect
) -> None:
    """Long messages of others must not keep ours from being found."""
    long = Answer({"ok": True, "messages": [{"ts": "3", "text": "x" * 1_100_000}]})
    far_side.script = [long, long, Answer({"ok": True, "messages": [said("2", MESSAGE.step)]})]
    found = chat(far_side, connect).find(MESSAGE.key, MESSAGE.step, "C0ONCALL", OLDEST)
    assert found == Posted("C0ONCALL", "2")
    limits = [int({**request.query, **request.form}["limit"]) for request in far_side.requests]
    assert limits == sorted(limits, reverse=True)
    assert len(set(limits)) == 3


def test_a_reply_is_looked_for_in_its_thread(far_side: FarSide, connect: Connect) -> None:
    """The channel's history leaves replies out; a far side without threads may show them there."""
    page = Answer({"ok": True, "messages": [said("2", MESSAGE.step)]})
    far_side.script = [page, refused("unknown_method"), page]
    slack = chat(far_side, connect)
    for _ in range(2):
        found = slack.find(MESSAGE.key, MESSAGE.step, "C0ONCALL", OLDEST, "1")
        assert found == Posted("C0ONCALL", "2")
    assert [request.path.rsplit("/")[-1] for request in far_side.requests] == [
        "conversations.replies",
        "conversations.replies",
        "conversations.history",
    ]


@pytest.mark.parametrize("how", ["posted before", "in the connection", "listed"])
def test_a_name_becomes_the_id_that_the_history_wants(how: str, far_side: FarSide, connect: Connect) -> None:
    """Learned from an earlier answer, else written in the connection, else asked for."""
    extra = {"channel_ids": {"#de-oncall": "C0ONCALL"}} if how == "in the connection" else {}
    slack = chat(far_side, connect, **extra)
    if how == "posted before":
        far_side.script = [POSTED]
        slack.post(MESSAGE, "#de-oncall")
    if how == "listed":
        channels = [{"id": "C1", "name": "other"}, {"id": "C0ONCALL", "name": "de-oncall"}]
        far_side.script = [refused("channel_not_found"), Answer({"ok": True, "channels": channels})]
    far_side.script.append(Answer({"ok": True, "messages": [said("2", MESSAGE.step)]}))
    assert slack.find(MESSAGE.key, MESSAGE.step, "#de-oncall", OLDEST) == Posted("C0ONCALL", "2")


@pytest.mark.parametrize("error", ["unknown_method", "missing_scope", "channel_not_found"])
def test_where_the_history_may_not_be_read_nothing_is_found(
    error: str, far_side: FarSide, connect: Connect
) -> None:
    """A token without that scope must still be able to post."""
    far_side.always = refused(error)
    assert chat(far_side, connect).find(MESSAGE.key, MESSAGE.step, "#de-oncall", OLDEST, "1") is None


def test_a_history_that_cannot_be_read_now_is_no_answer(far_side: FarSide, connect: Connect) -> None:
    """`Not found` would post the message twice."""
    far_side.always = Answer({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "5"})
    error = failing(chat(far_side, connect).find, MESSAGE.key, MESSAGE.step, "C0ONCALL", OLDEST)
    assert error.retry_after == 5


@pytest.mark.parametrize(
    ("answer", "kind", "uncertain", "retry_after"),
    [
        (Answer({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "7"}), DeliveryFailed, False, 7),
        (Answer("slow down", 429, {"retry-after": "7"}), DeliveryFailed, False, 7),
        (Answer("slow down", 429, {"retry-after": "soon"}), DeliveryFailed, False, 0),
        (refused("ratelimited"), DeliveryFailed, False, 0),
        (refused("internal_error"), DeliveryFailed, True, None),
        (refused("fatal_error"), DeliveryFailed, True, None),
        (Answer("<html>", 503, {"Retry-After": "3"}), DeliveryFailed, True, 3),
        (Answer("<html>welcome</html>"), DeliveryFailed, True, None),
        (Answer([1]), DeliveryFailed, True, None),
        (Answer({"ok": "yes"}, 203), DeliveryFailed, True, None),
        (Answer(how="drop"), DeliveryFailed, True, None),
        (Answer("<html>no</html>", 404), LockedOut, False, None),
        (refused("channel_not_found"), Rejected, False, None),
        (refused("is_archived"), Rejected, False, None),
        (refused("invalid_auth"), LockedOut, False, None),
    ],
)
def test_every_bad_answer_says_whether_to_try_again(
    answer: Answer,
    kind: type[DeliveryFailed],
    uncertain: bool,
    retry_after: float | None,
    far_side: FarSide,
    connect: Connect,
) -> None:
    """At once, after one request, and whether the message may stand in the channel."""
    far_side.script = [answer]
    error = failing(chat(far_side, connect).post, MESSAGE, "#de-oncall")
    assert isinstance(error, kind)
    assert isinstance(error, Rejected) == issubclass(kind, Rejected)
    assert isinstance(error, LockedOut) == (kind is LockedOut)
    assert (error.uncertain, error.retry_after) == (uncertain, retry_after)
    assert len(far_side.requests) == 1


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ("invalid_auth not_authed account_inactive token_revoked token_expired missing_scope no_permission"
         " ekm_access_denied not_allowed_token_type access_denied team_access_not_granted", LockedOut),
        ("message_not_found cant_update_message edit_window_closed thread_not_found cannot_reply_to_message"
         " restricted_action_thread_locked", Gone),
        ("is_archived channel_not_found not_in_channel restricted_action restricted_action_read_only_channel"
         " messages_tab_disabled never_heard_of_this_one", Rejected),
        ("fatal_error internal_error service_unavailable request_timeout ratelimited message_limit_exceeded"
         " org_login_required external_channel_migrating", DeliveryFailed),
    ],
)  # fmt: skip
def test_every_word_of_slack_has_its_meaning(
    errors: str, kind: type[DeliveryFailed], far_side: FarSide, connect: Connect
) -> None:
    """Of everybody, of what is gone, of this one message, or of just now; an unknown one is no outage."""
    slack = chat(far_side, connect)
    for error in errors.split():
        far_side.script = [refused(error)] * 2
        for call in (
            lambda: slack.post(MESSAGE, "#c", "1.2"),
            lambda: slack.update(MESSAGE, Posted("C0ONCALL", "1.2")),
        ):
            found = failing(call)
            kinds = (LockedOut, Gone, UnknownPerson, Rejected, DeliveryFailed)
            assert next(k for k in kinds if isinstance(found, k)) is kind, error


@pytest.mark.parametrize(
    ("error", "kind"),
    [("missing_scope", Rejected), ("no_such_subteam", Rejected), ("permission_denied", Rejected),
     ("invalid_users", UnknownPerson), ("token_revoked", LockedOut)],
)  # fmt: skip
def test_a_group_that_may_not_be_edited_is_no_outage(
    error: str, kind: type[DeliveryFailed], far_side: FarSide, connect: Connect
) -> None:
    """Who may not edit a user group may post all the same."""
    far_side.script = [refused(error, needed="usergroups:write")]
    found = failing(chat(far_side, connect).set_group, "S0", ["U0DE001"])
    assert isinstance(found, kind)
    assert isinstance(found, LockedOut) == (kind is LockedOut)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refused("not_in_channel"), "/invite the bot"),
        (refused("invalid_auth"), "bot token (xoxb-…) into the connection's password"),
        (refused("missing_scope", needed="chat:write"), "(needed: chat:write)"),
    ],
)
def test_a_refusal_says_what_to_mend(answer: Answer, words: str, far_side: FarSide, connect: Connect) -> None:
    """The notice on the other channel is all that the team sees of it."""
    far_side.script = [answer]
    error = failing(chat(far_side, connect).post, MESSAGE, "#de-oncall")
    assert words in str(error)
    assert "'far_side'" in str(error)


def test_a_refused_connection_was_certainly_not_taken(connect: Connect) -> None:
    """Nobody listens: nothing needs to be looked for in the channel."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{taken.getsockname()[1]}/api/"
        error = failing(
            Slack.from_connection(connect(extra={"base_url": base_url})).post, MESSAGE, "#de-oncall"
        )
    assert (type(error), error.uncertain) == (DeliveryFailed, False)


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_a_call_ends_in_time_whatever_the_server_does(how: Any, far_side: FarSide, connect: Connect) -> None:
    """Slack's own time-out is 30 seconds, and per read."""
    far_side.always = Answer(how=how)
    slack = chat(far_side, connect, timeout=1)
    slack._connected.use()
    started = time.monotonic()
    assert failing(slack.post, MESSAGE, "#de-oncall").uncertain
    assert time.monotonic() - started < 4


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    far_side: FarSide, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK would send even a call to 127.0.0.1 to HTTPS_PROXY, token included."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    far_side.script = [POSTED]
    assert chat(far_side, connect).post(MESSAGE, "#de-oncall").ts


def test_a_wrong_connection_is_refused_in_its_own_words(connect: Connect) -> None:
    """No token, or one that would go out unencrypted."""
    no_token = Slack.from_connection(connect("mine", password=None))
    assert "'mine' has no password" in str(failing(no_token.post, MESSAGE, "#c"))
    plain = Slack.from_connection(connect("mine", extra={"base_url": "http://slack.example.com/api/"}))
    assert "unencrypted" in str(failing(plain.post, MESSAGE, "#c"))


def test_nothing_logs_the_token(
    far_side: FarSide, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """Not on success, not on failure, not at DEBUG, not in a traceback; nor what the message says."""
    caplog.set_level(logging.DEBUG)
    far_side.script = [POSTED, refused(f"bad {KEY}"), Answer(how="drop"), Answer("x", 500)]
    slack = chat(far_side, connect)
    slack.post(MESSAGE, "#de-oncall")
    told = ""
    for _ in range(3):
        try:
            slack.post(MESSAGE, "#de-oncall")
        except DeliveryFailed as error:
            told += "".join(traceback.format_exception(error)) + repr(error)
    assert "bad ***" in told
    assert KEY not in caplog.text + told
    assert "Stuck in transform" not in caplog.text


def test_steps_are_three_lines_and_a_link() -> None:
    """Whatever a runbook's section holds: no page of SQL; the runbook has it."""
    listed = "\n".join(f"{n}. step {n} " + "long " * 400 for n in range(1, 9)) + "\n\n```sql\nselect 1;\n```"
    for steps in (listed, "\n".join(f"Line {n}." for n in range(9)), "```sql\nselect 1;\n```"):
        made = slack_blocks.blocks(replace(MESSAGE, steps=steps))
        assert "select 1" not in str(made)
        [shown] = [b["text"]["text"] for b in made if "All steps" in str(b)]
        *lines, link = shown.splitlines()
        assert len(lines) <= 3
        assert all(line.startswith("• ") for line in lines)
        assert link == "<https://airflow.example.com/r|All steps, with their queries to copy>"
        assert size(made) <= 13_000


TEXTS = st.text(alphabet="a<>&| \n`*é", max_size=60).map(lambda text: text * 90)


@settings(deadline=None)
@given(TEXTS, TEXTS, TEXTS, TEXTS, st.integers(0, 30))
def test_no_message_breaks_slacks_limits(title: str, summary: str, value: str, steps: str, many: int) -> None:
    """Whatever is said, it is said within the limits, and mentions nobody by accident."""
    message = Message(
        key="k",
        step="s",
        title=title,
        summary=summary,
        facts=((value[:100], value),) * many,
        steps=steps,
        links=((title[:50], "https://x/?" + "q" * 300),) * many,
        recipients=(Recipient("someone " * 30),) * many,
    )
    blocks = slack_blocks.blocks(message)
    assert size(blocks) <= 13_000
    assert len(blocks) <= 50
    for block in blocks:
        for part in [block.get("text"), *block.get("fields", []), *block.get("elements", [])]:
            assert part is None or 0 < len(part["text"]) <= (150 if part["type"] == "plain_text" else 3_000)
    assert len(slack_blocks.plain_text(message)) <= 4_000
