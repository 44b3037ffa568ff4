"""Nights on a real far side: the stand-in with its faults, the real adapters, a real store; only the clock is ours."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.slack.chat import Slack
from oncall.usecases import outbox
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
    monkeypatch.setattr(outbox, "PATIENCE_S", 0.3)
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
