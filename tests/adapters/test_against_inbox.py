"""Pager and chat against the strict stand-in: whole conversations with a far side that keeps its own rules."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.slack.chat import Slack
from oncall.core.errors import DeliveryFailed, NotAllowed, Rejected
from oncall.core.message import Message, Recipient
from oncall.usecases.channel_ports import Posted
from sandbox.inbox.testing import RunningInbox
from tests.adapters.scripted import Connect

MESSAGE = Message(
    key="growth_etl:2026-01-05",
    step="broken:primary",
    title="Growth ETL is late",
    summary="Stuck in transform since 03:12.",
    facts=tuple((f"Fact {n}", "value") for n in range(12)),
    steps="1. Look at **the run**.\n\n```sql\nselect 1 < 2\n```\n" + "\n\nA long step. " * 900,
    links=(("Run", "https://airflow.example.com/run?a=1&b=2"), ("Runbook", "https://airflow.example.com/r")),
    priority="P1",
    recipients=(Recipient("DE-003", "de-003@example.com", "U0DE003"),),
    tags=("promise",),
)
REPLY = replace(MESSAGE, step="escalated:secondary", steps="")
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def opsgenie(inbox: RunningInbox, connect: Connect) -> Opsgenie:
    return Opsgenie.from_connection(connect("ops", host=inbox.opsgenie_host, password=inbox.opsgenie_key))


@pytest.fixture
def slack(inbox: RunningInbox, connect: Connect) -> Slack:
    extra = {"base_url": inbox.slack_base_url}
    return Slack.from_connection(connect("chat", password=inbox.slack_token, extra=extra))


def test_an_alert_from_page_to_close(inbox: RunningInbox, opsgenie: Opsgenie) -> None:
    """Paged, carried out, acknowledged by a person, noted, closed, and closed again without harm."""
    inbox.settings(processing_delay=60)
    request = opsgenie.page(MESSAGE)
    assert opsgenie.request_state(request)[:2] == ("pending", "")
    assert opsgenie.alert_state(MESSAGE.alias) is None
    inbox.advance(61)
    assert opsgenie.request_state(request)[0] == "done"
    inbox.settings(processing_delay=0)
    [alert] = inbox.alerts(alias=MESSAGE.alias)
    assert (alert.recipients, alert.priority) == (["de-003@example.com"], "P1")
    inbox.acknowledge(alert, user="de-003@example.com")
    state = opsgenie.alert_state(MESSAGE.alias)
    assert state is not None
    assert (state.open, state.acknowledged, state.owner) == (True, True, "de-003@example.com")
    opsgenie.note(MESSAGE.alias, "Seen on the page.")
    assert opsgenie.request_state(opsgenie.close(MESSAGE.alias, "It landed."))[0] == "done"
    [alert] = inbox.alerts(alias=MESSAGE.alias)
    assert alert.notes == ["Seen on the page.", "It landed."]
    assert not alert.open


def test_an_alert_tells_whom_it_notifies(inbox: RunningInbox, opsgenie: Opsgenie) -> None:
    """By username, asked once; with the key of a team's integration it is the team, and nobody by name."""
    opsgenie.page(MESSAGE)
    for _ in range(2):
        state = opsgenie.alert_state(MESSAGE.alias)
        assert state is not None
        assert state.responders == ("de-003@example.com",)
    assert len(inbox.calls(operation="get_recipients")) == 1
    inbox.settings(owner_team="data-engineering")
    opsgenie.page(replace(MESSAGE, step="escalated:secondary"))
    state = opsgenie.alert_state(replace(MESSAGE, step="escalated:secondary").alias)
    assert state is not None
    assert [name.startswith("team:") for name in state.responders or ()] == [True]


def test_whom_it_notifies_is_not_told_where_names_cannot_be_asked(
    inbox: RunningInbox, opsgenie: Opsgenie
) -> None:
    """Ids alone prove nothing."""
    inbox.fail("opsgenie", "get_recipients", status=403)
    opsgenie.page(MESSAGE)
    for _ in range(3):
        state = opsgenie.alert_state(MESSAGE.alias)
        assert state is not None
        assert (state.open, state.responders) == (True, None)
    assert len(inbox.calls(operation="get_recipients")) == 1  # and not at every look


def test_a_key_that_may_not_read_says_which_right_it_lacks(inbox: RunningInbox, opsgenie: Opsgenie) -> None:
    """The page goes out; what became of it cannot be asked."""
    inbox.settings(key_may_read=False)
    request = opsgenie.page(MESSAGE)
    with pytest.raises(NotAllowed, match="right to read"):
        opsgenie.alert_state(MESSAGE.alias)
    with pytest.raises(NotAllowed, match="right to read"):
        opsgenie.request_state(request)


def test_who_closed_an_alert_is_told(inbox: RunningInbox, opsgenie: Opsgenie) -> None:
    """A policy is no person."""
    opsgenie.page(MESSAGE)
    inbox.close_alert(inbox.alerts()[0], user="System")
    state = opsgenie.alert_state(MESSAGE.alias)
    assert state is not None
    assert (state.open, state.closed_by) == (False, "System")


def test_acknowledging_from_our_side_names_the_person(inbox: RunningInbox, opsgenie: Opsgenie) -> None:
    """The On-call page acknowledges for whoever pressed the button; a second press is no failure."""
    opsgenie.page(MESSAGE)
    for _ in range(2):
        request = opsgenie.acknowledge(MESSAGE.alias, "On it.", "DE-003")
        assert opsgenie.request_state(request)[0] == "done"
    assert inbox.alerts()[0].owner == "DE-003"


def test_a_lost_answer_and_a_repeat_make_one_alert(inbox: RunningInbox, opsgenie: Opsgenie) -> None:
    """The alias is what makes sending again safe."""
    inbox.fail("opsgenie", "create", "lose_answer", count=1)
    with pytest.raises(DeliveryFailed) as lost:
        opsgenie.page(MESSAGE)
    assert lost.value.uncertain
    opsgenie.page(MESSAGE)
    assert [alert.count for alert in inbox.alerts(alias=MESSAGE.alias)] == [2]


def test_work_that_fails_after_it_was_accepted_is_told(inbox: RunningInbox, opsgenie: Opsgenie) -> None:
    """A close of what is not there is a 202 first."""
    outcome = opsgenie.request_state(opsgenie.close("nobody:knows", ""))
    assert outcome[:2] == ("failed", "Alert does not exist")


def test_a_wrong_key_is_refused_for_good(inbox: RunningInbox, connect: Connect) -> None:
    """Trying again would not help; the words say what to write."""
    pager = Opsgenie.from_connection(connect("ops", host=inbox.opsgenie_host, password="wrong-key"))
    with pytest.raises(Rejected, match="password"):
        pager.page(MESSAGE)


def test_jira_service_management_takes_the_same_page(inbox: RunningInbox, connect: Connect) -> None:
    """Only the connection differs."""
    pager = Opsgenie.from_connection(connect("ops", host=inbox.jsm_host, password=inbox.jsm_key))
    assert pager.request_state(pager.page(MESSAGE))[0] == "done"
    assert pager.request_state(pager.close(MESSAGE.alias, "It landed."))[0] == "done"
    assert [alert.face for alert in inbox.alerts(alias=MESSAGE.alias)] == ["jsm"]
    assert not [call for call in inbox.calls() if call.unexpected]


def test_a_thread_is_posted_updated_and_found_again(inbox: RunningInbox, slack: Slack) -> None:
    """A long message passes every limit; roots and replies are found where they stand."""
    root = slack.post(MESSAGE, "#de-oncall")
    reply = slack.post(REPLY, root.channel_id, root.ts)
    assert slack.find(MESSAGE.key, MESSAGE.step, "#de-oncall", LONG_AGO) == root
    assert slack.find(REPLY.key, REPLY.step, root.channel_id, LONG_AGO, root.ts) == reply
    assert slack.find(MESSAGE.key, "another:step", "#de-oncall", LONG_AGO, root.ts) is None
    slack.update(replace(MESSAGE, title="Growth ETL was late"), root)
    assert inbox.messages(thread_ts=None)[0].text.startswith("Growth ETL was late")
    assert not [call for call in inbox.calls() if call.unexpected]


def test_a_lost_answer_is_found_by_a_new_process(inbox: RunningInbox, slack: Slack, connect: Connect) -> None:
    """Nothing is known but the channel's name and the message's key and step."""
    inbox.fail("slack", "chat.postMessage", "lose_answer", count=1)
    with pytest.raises(DeliveryFailed) as lost:
        slack.post(MESSAGE, "#de-oncall")
    assert lost.value.uncertain
    found = Slack.from_connection("chat").find(MESSAGE.key, MESSAGE.step, "#de-oncall", LONG_AGO)
    assert [found and found.ts] == [message.ts for message in inbox.messages()]


def test_slack_asks_us_to_slow_down(inbox: RunningInbox, slack: Slack) -> None:
    """One message a second and channel: the outbox learns how long to wait."""
    inbox.settings(slack_seconds_per_message=60)
    slack.post(MESSAGE, "#de-oncall")
    with pytest.raises(DeliveryFailed) as limited:
        slack.post(REPLY, "#de-oncall")
    assert 0 < (limited.value.retry_after or 0) <= 60
    assert not limited.value.uncertain


def test_an_unknown_channel_is_refused_for_good(inbox: RunningInbox, slack: Slack) -> None:
    """A typing error in the roster is said, not retried."""
    with pytest.raises(Rejected, match="channel_not_found"):
        slack.post(MESSAGE, "#nobody-made-this")


ODD = {
    "emoji": "🧯" * 10_000,
    "right to left": "تأخر التقرير \u202e" * 800,
    "combining": "e\u0301" * 5_000,
    "one word": "x" * 10_000,
    "controls": "a\x01\x1b[31m\t\r\n" * 900,
    "half a pair": "late \ud83d again \udca9 " * 500,
    "marks": "<!channel> & *bold* _it_ `code` ``` @here |> " * 250,
    "blanks": "\u3000\u200b \n" * 2_500,
    "quotes": "> " * 5_000,
    "brackets": "[" * 10_000,
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_no_text_is_refused(text: str, inbox: RunningInbox, opsgenie: Opsgenie, slack: Slack) -> None:
    """In every place of a message, to sixty people: cut, never refused; and it rings no channel."""
    people = tuple(Recipient(text[:200], f"p{n}@example.com", f"U0P{n:03d}") for n in range(60))
    odd = Message(
        key=text[:600],
        step="page-1-primary",
        title=text,
        summary=text,
        facts=((text[:5_000], text),) * 12,
        steps=text,
        links=((text[:300], "https://airflow.example.com/run?" + text[:3_000]),) * 5,
        priority="P1",
        recipients=people,
        tags=(text,) * 30,
    )
    assert opsgenie.request_state(opsgenie.page(odd))[0] == "done"
    assert len(inbox.alerts()[0].recipients) == 50
    opsgenie.note(odd.alias, text)
    opsgenie.acknowledge(odd.alias, text, text)
    assert opsgenie.alert_state(odd.alias) is not None
    assert opsgenie.request_state(opsgenie.close(odd.alias, text))[0] == "done"
    root = slack.post(odd, "#de-oncall")
    slack.post(odd, "#de-oncall", root.ts)
    slack.update(odd, root)
    first = inbox.messages()[0]
    spoken = [block for block in first.blocks if block["type"] != "header"]  # a header knows no marks
    assert "<!channel>" not in first.text + str(spoken)
    assert first.blocks, "not even the plain text was needed"
    assert not [call for call in inbox.calls() if call.status not in (200, 202)]


def test_people_without_an_account_in_slack_are_named(inbox: RunningInbox, slack: Slack) -> None:
    """Nobody is mentioned, and nothing is refused."""
    slack.post(replace(MESSAGE, recipients=(Recipient("DE-009"),)), "#de-oncall")
    assert inbox.messages()[0].text.splitlines()[0] == "Growth ETL is late DE-009"


def test_a_reply_to_a_message_that_is_gone_says_that_it_became_none(
    inbox: RunningInbox, slack: Slack
) -> None:
    """Slack takes it and lets it stand in the channel: the answer tells, and so does the history afterwards."""
    root = slack.post(MESSAGE, "#de-oncall")
    assert not slack.post(REPLY, root.channel_id, root.ts).unthreaded
    assert not _found(slack, root, REPLY).unthreaded
    inbox.clear()
    orphan = slack.post(REPLY, root.channel_id, root.ts)
    assert orphan.unthreaded
    assert _found(slack, root, REPLY) == orphan


def _found(slack: Slack, root: Posted, message: Message) -> Posted:
    found = slack.find(message.key, message.step, root.channel_id, LONG_AGO, root.ts)
    assert found is not None
    return found
