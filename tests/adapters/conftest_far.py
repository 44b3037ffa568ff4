"""Nights on a real far side: the stand-in with its faults, the real adapters, a real store; only the clock is ours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.slack.chat import Slack
from oncall.usecases import page_requests
from sandbox.inbox.records import Alert
from sandbox.inbox.testing import RunningInbox
from tests.adapters.scripted import Connect
from tests.usecases.conftest_night import DAY, Night, at

KEY = f"growth_etl:{DAY}"
PRIMARY, SECONDARY, MANAGER = "de-003@example.com", "de-004@example.com", "de-manager@example.com"


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
        self.night.looks(start, end, 15)

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
    inbox: RunningInbox, connect: Connect, oncall_database: str, monkeypatch: pytest.MonkeyPatch
) -> FarNight:
    monkeypatch.setattr(page_requests, "CARRIED_OUT_WITHIN_S", 0.3)
    store = OncallDb(connect_to(oncall_database), now=lambda: night.now)
    extra = {"base_url": inbox.slack_base_url}
    night = Night(store=store)
    night.pager = Opsgenie.from_connection(  # type: ignore[assignment]
        connect("ops", host=inbox.opsgenie_host, password=inbox.opsgenie_key)
    )
    night.chat = Slack.from_connection(connect("chat", password=inbox.slack_token, extra=extra))  # type: ignore[assignment]
    store.set_note("watching_since", at("01:00").isoformat())
    night.world.missing("growth_etl")
    return FarNight(night, inbox)
