"""Nights on a real far side: the stand-in with its faults, the real adapters, a real store; only the clock is ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.slack.chat import Slack
from tests.adapters.conftest_far import PRIMARY, SECONDARY, FarNight
from tests.adapters.scripted import Connect
from tests.usecases.conftest_night import at

# An answer that says too little.


@pytest.mark.parametrize("history", [True, False], ids=["history", "no history"])
def test_an_ok_without_a_ts_is_taken_for_one(far: FarNight, history: bool) -> None:
    """Each message once; where the history can be read all are in one thread."""
    for body in ({"ok": True}, {"ok": True, "channel": "C0DEONCALL"}):
        far.inbox.fail("slack", "chat.postMessage", kind="answer", body=body, works=True, count=1)
    if not history:
        far.inbox.fail("slack", "read", kind="slack_error", error="missing_scope")
    far.every_15_s("05:00", "05:03")
    far.night.world.publish("growth_etl", at("05:03:05"))
    far.looks("05:03:15", "05:03:30")
    assert [len(far.said(words)) for words in ("late since 05:00", "Resolved: Growth")] == [1, 1]
    roots = {message.thread_ts or message.ts for message in far.inbox.messages(channel_name="de-oncall")}
    assert len(roots) == 1 if history else len(roots) <= 2
    assert far.night.store.waiting() == 0


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "may not read"])
@pytest.mark.parametrize("body", [{"result": "ok"}, ""], ids=str)
def test_a_receipt_that_names_no_request_is_believed(far: FarNight, body: object, reads: bool) -> None:
    """Where the alert is shown, or nothing is: it is not asked for again and again, and the next one is called."""
    far.inbox.settings(key_may_read=reads)
    far.inbox.fail("opsgenie", "create", kind="answer", status=202, body=body, works=True)
    far.every_15_s("05:00", "05:02")
    assert far.woken == [PRIMARY]
    assert len(far.inbox.calls(operation="create")) == 1
    far.looks("05:15", "05:15:15")
    assert far.woken == [PRIMARY, SECONDARY]


# What nobody knows of any more.


@pytest.mark.parametrize(
    ("clocks", "made", "how"),
    [(("04:45",), "04:50", "in time"), (("05:00", "05:15", "05:15:15"), "05:16", "16 min late")],
    ids=["last chance", "page"],
)
def test_what_was_paged_from_a_memory_that_died_is_closed(
    far: FarNight, clocks: tuple[str, ...], made: str, how: str
) -> None:
    """The report is there before a new watcher begins: the alerts are found by their aliases, and the thread ends."""
    store, memory = far.night.store, MemoryStore(uncertain=True, now=lambda: far.night.now)
    memory.set_note("watching_since", at("01:00").isoformat())
    far.night.store = memory
    far.looks(*clocks)
    assert any(alert.open for alert in far.inbox.alerts())
    far.night.world.publish("growth_etl", at(made))
    channel = "channel_id:#de-oncall"  # known from earlier days
    store.set_note(channel, memory.get_note(channel) or "")
    far.night.store = store
    far.begin_anew("05:17")
    far.every_15_s("05:17:15", "05:18")
    assert not any(alert.open for alert in far.inbox.alerts())
    said = far.inbox.messages(channel_name="de-oncall")
    replies = [message.text for message in said if message.thread_ts]
    assert len([text for text in replies if text.startswith(f"Resolved: Growth ETL, 22 Nov — {how}")]) == 1
    assert len(said) - len(replies) == 1


def test_an_older_oncall_db_and_a_new_watcher_close_what_was_acknowledged(far: FarNight) -> None:
    """The warning is all that it remembers; the acknowledgement is heard from its alert, the page is found."""
    far.looks("04:45")
    older = far.night.store.snapshot()
    far.looks("05:00", "05:15", "05:15:15")
    far.inbox.acknowledge(far.alerts()[0], PRIMARY)
    far.looks("05:16", "05:16:15")
    far.night.store = MemoryStore(now=lambda: far.night.now)
    far.night.store.merge(older)
    far.night.store.set_note("watching_since", at("01:00").isoformat())
    far.begin_anew("05:17")
    far.every_15_s("05:17:15", "05:18")
    far.looks("05:30", "05:30:15", "05:45")
    assert far.woken == [PRIMARY, SECONDARY]
    far.night.world.publish("growth_etl", at("05:46"))
    far.every_15_s("05:46:15", "05:47")
    assert not any(alert.open for alert in far.inbox.alerts())


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 429}, {"kind": "slack_error", "error": "ratelimited"}], ids=str
)
def test_a_history_that_fails_holds_no_message_up_that_was_not_tried(
    far: FarNight, fault: dict[str, Any]
) -> None:
    """A new watcher looks first; one answer that fails is enough, and Slack is not said to be out of order."""
    far.looks("04:45")
    far.inbox.fail("slack", "read", **fault)
    far.begin_anew("05:00")
    assert len(far.said("late since 05:00")) == 1
    asked = len(far.inbox.calls(operation="conversations.history"))
    assert asked + len(far.inbox.calls(operation="conversations.replies")) <= 3
    far.every_15_s("05:00:15", "05:01")
    assert not [alert for alert in far.inbox.alerts() if "Slack cannot be reached" in alert.message]


def test_what_is_put_back_before_its_alert_could_be_closed_leaves_that_open(far: FarNight) -> None:
    """In an outage: the page goes out when that is over, and a close behind it would tell that all is well."""
    before = far.night.config
    others = {name: each for name, each in before.pipelines.items() if name != "growth_etl"}
    far.inbox.fail("opsgenie", kind="refuse")
    far.every_15_s("05:00", "05:02:45")
    far.night.config = replace(before, pipelines=others)
    far.every_15_s("05:03", "05:04")
    far.night.config = before
    far.every_15_s("05:05", "05:06")
    far.inbox.heal()
    far.every_15_s("05:06:15", "05:07")
    assert far.woken == [PRIMARY]
    assert far.alerts()[0].open
    far.night.world.publish("growth_etl", at("05:08"))
    far.every_15_s("05:08:15", "05:09")
    assert not far.alerts()[0].open
    assert far.night.store.waiting() == 0


# What Slack refuses.


@pytest.mark.parametrize(
    "error", ["is_archived", "not_in_channel", "ratelimited", "invalid_blocks", "msg_too_long"]
)
def test_what_slack_refuses_delays_no_page_and_is_said_once_it_is_taken(far: FarNight, error: str) -> None:
    """The pages go out as ever; each message stands there once, when Slack takes it again."""
    far.inbox.fail("slack", "chat.postMessage", kind="slack_error", error=error)
    far.every_15_s("05:00", "05:02")
    far.looks("05:15", "05:15:15")
    assert far.woken == [PRIMARY, SECONDARY]
    assert len(far.inbox.calls(operation="chat.postMessage")) < 60
    far.inbox.heal()
    far.every_15_s("05:20", "05:26")
    assert [
        len(far.said(words))
        for words in ("Growth ETL, 22 Nov: late since 05:00, never started: ", "ESCALATED")
    ] == [1, 1]
    assert far.night.store.waiting() == 0


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_too_long", "msg_blocks_too_long"])
def test_a_form_that_slack_refuses_is_said_plainly(far: FarNight, error: str) -> None:
    """At the same look."""
    far.inbox.fail("slack", "chat.postMessage", kind="slack_error", error=error, count=1)
    far.looks("05:00")
    assert len(far.said("Growth ETL")) == 1


@pytest.mark.parametrize("history", [True, False], ids=["history", "no history"])
def test_whoever_knows_no_thread_goes_on_in_the_one_that_stands_there(far: FarNight, history: bool) -> None:
    """A new watcher without oncall_db: it was at risk before, which is all that the channel tells."""
    far.looks("04:45")
    memory = MemoryStore(uncertain=True, now=lambda: far.night.now)
    memory.set_note("watching_since", at("01:00").isoformat())
    far.night.store = memory
    if not history:
        far.inbox.fail("slack", "read", kind="slack_error", error="missing_scope")
    far.looks("05:00", "05:00:15")
    said = far.inbox.messages(channel_name="de-oncall")
    assert [len(far.said(words)) for words in ("At risk: Growth", "late since 05:00")] == [1, 1]
    assert len([message for message in said if message.thread_ts is None]) == (1 if history else 2)


@pytest.mark.parametrize("stored", ["#de-oncall", "de-oncall", ""])
def test_a_thread_that_is_stored_without_its_channels_id_goes_on(
    far: FarNight, stored: str, connect: Connect
) -> None:
    """An answer that told no id, and a restart: one thread, whose first message says at last how it ended."""
    far.looks("05:00", "05:00:15")
    assert isinstance(far.night.store, OncallDb)
    with far.night.store._db.cursor() as cursor:
        cursor.execute("update oncall.deliveries set channel_id = %s where ts <> ''", (stored,))
        cursor.execute("delete from oncall.memory where name like %s", ("channel_id:%",))
    extra = {"base_url": far.inbox.slack_base_url}
    far.night.chat = Slack.from_connection(connect("chat", password=far.inbox.slack_token, extra=extra))  # type: ignore[assignment]
    far.begin_anew("05:01")
    far.looks("05:15", "05:15:15")
    far.night.world.publish("growth_etl", at("05:20"))
    far.looks("05:20:15", "05:21", "05:21:15")
    said = far.inbox.messages(channel_name="de-oncall")
    (first,) = [message for message in said if message.thread_ts is None]
    assert "Resolved: Growth ETL, 22 Nov — 20 min late" in str(first.blocks)
    assert far.night.store.waiting() == 0
