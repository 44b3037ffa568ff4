"""Nights on a real far side: the stand-in with its faults, the real adapters, a real store; only the clock is ours."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.slack.chat import Slack
from oncall.core.rota.roster import Override
from oncall.usecases import page_requests
from sandbox.inbox.records import Alert
from sandbox.inbox.testing import RunningInbox, running_inbox
from tests.adapters.scripted import Connect
from tests.usecases.conftest_night import DAY, Night, at

KEY = f"growth_etl:{DAY}"
PRIMARY, SECONDARY, MANAGER = "de-003@example.com", "de-004@example.com", "de-manager@example.com"


@pytest.fixture(scope="module")
def served() -> Iterator[RunningInbox]:
    with running_inbox() as inbox:
        yield inbox


@dataclass
class FarNight:
    """A night in which Growth is missing, and the far side that it is told to."""

    night: Night
    inbox: RunningInbox

    def looks(self, *clocks: str) -> None:
        for clock in clocks:
            self.night.look(clock)

    def begin_anew(self, clock: str) -> None:
        """A new watcher: it asks the far side what it may have been told already, and by whom it was forgotten."""
        dispatch = self.night.dispatch
        self.night.dispatch = lambda: replace(dispatch(), check_before_send=True)  # type: ignore[method-assign]
        self.night.seen = None
        self.looks(clock)
        self.night.dispatch().lost_alerts()

    def every_15_s(self, start: str, end: str) -> None:
        now = at(start)
        while now <= at(end):
            self.night.look(now.time().isoformat())
            now += dt.timedelta(seconds=15)

    @property
    def woken(self) -> list[str]:
        """Whom the P1 alerts of the incident notify, in order."""
        return [user for alert in self.alerts() for user in alert.recipients]

    def alerts(self) -> list[Alert]:
        return [alert for alert in self.inbox.alerts() if alert.priority == "P1"]

    def said(self, words: str) -> list[str]:
        return [message.text for message in self.inbox.messages() if words in message.text]


@pytest.fixture
def far(
    served: RunningInbox, connect: Connect, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> FarNight:
    monkeypatch.setattr(page_requests, "PATIENCE_S", 0.3)
    served.clear()
    served.settings(processing_delay=0)
    store = OncallDb(connect_to(fresh_database), now=lambda: night.now)
    store.install()
    extra = {"base_url": served.slack_base_url}
    night = Night(store=store)
    night.pager = Opsgenie.from_connection(  # type: ignore[assignment]
        connect("ops", host=served.opsgenie_host, password=served.opsgenie_key)
    )
    night.chat = Slack.from_connection(connect("chat", password=served.slack_token, extra=extra))  # type: ignore[assignment]
    store.set_note("watching_since", at("01:00").isoformat())
    night.world.missing("growth_etl")
    return FarNight(night, served)


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
def test_a_receipt_that_names_no_request_is_believed(far: FarNight, reads: bool) -> None:
    """Where the alert is shown, or nothing is: it is not asked for again and again."""
    far.inbox.settings(key_may_read=reads)
    far.inbox.fail("opsgenie", "create", kind="answer", status=202, body={"result": "ok"}, works=True)
    far.every_15_s("05:00", "05:02")
    assert far.woken == [PRIMARY]
    assert len(far.inbox.calls(operation="create")) == 1


# What the far side does with a page.


def test_a_request_of_one_person_that_pends_for_ever_calls_the_next_one(far: FarNight) -> None:
    """Those of others are carried out: within a minute the secondary is woken, and nobody twice."""
    far.inbox.settings(pending_users=[PRIMARY])
    far.every_15_s("05:00", "05:01")
    assert far.woken == [SECONDARY]
    far.every_15_s("05:01:15", "05:03")
    far.inbox.settings(pending_users=[])
    far.every_15_s("05:03:15", "05:04")
    assert far.woken == [SECONDARY, PRIMARY]
    assert len(far.said("DE-003 (primary) could not be paged")) == 1


def test_an_alert_that_is_not_shown_at_once_is_no_other_one(far: FarNight) -> None:
    """404 for half a minute after the 202: one alert, one person; an acknowledgement is heard when it is shown."""
    far.inbox.fail("opsgenie", "get", status=404)
    far.every_15_s("05:00", "05:00:30")
    far.inbox.heal()
    assert far.woken == [PRIMARY]
    far.inbox.acknowledge(far.alerts()[0], PRIMARY)
    far.every_15_s("05:00:45", "05:01:15")
    far.looks("05:15:15")
    assert far.woken == [PRIMARY]
    assert len(far.said("Acknowledged by DE-003")) == 1


def test_an_alias_that_the_far_side_writes_otherwise_is_the_same_alert(far: FarNight) -> None:
    """Somebody with capitals in the name takes over the seat: their alert is found, heard and closed."""
    far.inbox.settings(aliases_are="trimmed and lowercased")
    far.looks("05:00")
    roster = far.night.config.roster
    people = {**roster.people, "DE-001": replace(roster.people["DE-001"], name="Mai TRAN ")}
    over = (Override(at("05:01"), at("09:00"), primary="DE-001"),)
    far.night.config = replace(far.night.config, roster=replace(roster, people=people, overrides=over))
    far.every_15_s("05:01", "05:02")
    assert far.woken == [PRIMARY, "de-001@example.com"]
    far.inbox.acknowledge(far.alerts()[1], "de-001@example.com")
    far.looks("05:02:15", "05:15:15")
    far.night.world.publish("growth_etl", at("05:16"))
    far.looks("05:16:15")
    assert far.woken == [PRIMARY, "de-001@example.com"]
    assert not any(alert.open for alert in far.alerts())


def shown(far: FarNight, **fields: Any) -> None:
    """From now on the far side shows alerts so."""
    data = {"id": "x", "status": "open", "acknowledged": False, "owner": "", **fields}
    far.inbox.fail("opsgenie", "get", kind="answer", body={"data": data, "took": 0.1, "requestId": "r"})


@pytest.mark.parametrize(
    ("fields", "stops"),
    [
        ({"snoozed": True, "snoozedUntil": "2026-11-23T09:00:00Z"}, False),
        ({"acknowledged": True, "owner": ""}, True),
        ({"acknowledged": True, "owner": None}, True),
        ({"acknowledged": True, "owner": PRIMARY.upper()}, True),
        ({"acknowledged": True, "owner": "Airflow - Slack integration"}, False),
        ({"acknowledged": True, "owner": "System"}, False),
        ({"status": "closed", "report": {"closedBy": "System"}}, False),
        ({"status": "closed", "report": {"closedBy": "Alert policy: quiet hours"}}, False),
        ({"status": "closed", "report": {"closedBy": "de-001@example.com"}}, True),
        ({"acknowledged": False, "owner": "de-001@example.com"}, False),  # assigned to somebody
        ({"acknowledged": None}, False),
        ({"acknowledged": "yes", "owner": PRIMARY}, False),
        ({"status": "exploded"}, False),
    ],
    ids=str,
)
def test_only_a_persons_act_stops_the_next_call(far: FarNight, fields: dict[str, Any], stops: bool) -> None:
    """Whatever the alert looks like."""
    far.looks("05:00")
    shown(far, **fields)
    far.looks("05:05", "05:15", "05:15:15")
    assert far.woken == [PRIMARY] + [SECONDARY] * (not stops)


@pytest.mark.parametrize(
    ("act", "wish"),
    [
        ("notes", {"user": PRIMARY, "note": "looking at it"}),
        ("assign", {"user": "de-001@example.com", "owner": {"username": "de-001@example.com"}}),
        ("delete", {"user": PRIMARY}),
    ],
)
def test_what_is_no_acknowledgement_stops_nobody(far: FarNight, act: str, wish: dict[str, Any]) -> None:
    """A note, another owner, an alert deleted by hand: the next one is called in time, nobody twice; it all ends."""
    far.looks("05:00")
    far.inbox.tell(f"alerts/{far.alerts()[0].id}/{act}", **wish)
    far.every_15_s("05:00:15", "05:01")
    far.looks("05:15", "05:15:15")
    assert far.woken[-1:] == [SECONDARY]
    assert len(far.inbox.calls(operation="create")) == 2
    far.night.world.publish("growth_etl", at("05:20"))
    far.every_15_s("05:20:15", "05:21")
    assert not any(alert.open for alert in far.alerts())
    assert far.night.store.waiting() == 0


@pytest.mark.parametrize(
    ("responders", "next_one"),
    [
        ([{"type": "user", "id": "u-1", "username": SECONDARY}], True),
        (
            [
                {"type": "user", "id": "u-1", "username": SECONDARY},
                {"type": "user", "id": "u-2", "username": PRIMARY},
            ],
            False,
        ),
        ([], True),
        ([{"type": "schedule", "id": "s", "name": "DE"}], True),
        (None, False),
        ([{"type": "user", "id": "u-9"}], False),  # nobody tells who that is
        ("nonsense", False),
    ],
    ids=str,
)
def test_responders_that_were_replaced_are_seen(far: FarNight, responders: Any, next_one: bool) -> None:
    """The primary is not among them: the next one is called at once."""
    shown(far, responders=responders)
    far.looks("05:00", "05:00:15")
    assert far.woken[:2] == [PRIMARY] + [SECONDARY] * next_one


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
    assert [len(far.said(words)) for words in ("Growth ETL, 22 Nov: late since", "ESCALATED")] == [1, 1]
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
    with far.night.store._link.cursor() as cursor:
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
