"""A night over Opsgenie: the real pager and SDK against the inbox, with the rights and habits that far sides have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oncall.adapters.opsgenie.pager import Opsgenie
from sandbox.inbox.testing import RunningInbox
from tests.usecases.conftest_night import DAY, Night

KEY = f"growth_etl:{DAY}"


@pytest.fixture
def broken(night: Night, inbox: RunningInbox, monkeypatch: pytest.MonkeyPatch) -> Night:
    """Growth is missing, and the pager's connection leads to Opsgenie's face of the inbox."""
    written = {"conn_type": "opsgenie", "host": inbox.opsgenie_host, "password": inbox.opsgenie_key}
    monkeypatch.setenv("AIRFLOW_CONN_OPSGENIE_NIGHT", json.dumps(written))
    pager: Any = Opsgenie.from_connection("opsgenie_night")
    night.pager = pager
    night.world.missing("growth_etl")
    return night


def paged(inbox: RunningInbox) -> list[tuple[str, int]]:
    return [
        (alert.alias.removeprefix(f"{KEY}:"), alert.count) for alert in inbox.alerts() if alert.entity == KEY
    ]


def said(night: Night, words: str) -> list[str]:
    return [message.title for message, _ in night.chat.posts if words in message.title]


def test_a_key_that_may_not_read_pages_once_and_says_what_is_not_heard(
    broken: Night, inbox: RunningInbox
) -> None:
    """403 to every question: the page goes out all the same, and Slack hears at once that nobody is heard."""
    inbox.settings(key_may_read=False)
    broken.look("05:00")
    broken.look("05:00:15")
    broken.look("05:00:30")
    assert paged(inbox) == [("page-1-primary", 1)]
    assert len(said(broken, "Acknowledgements in Opsgenie are not heard")) == 1
    broken.look("05:15")
    assert paged(inbox) == [("page-1-primary", 1), ("page-2-secondary", 1)]


def test_the_key_of_a_team_calls_everybody_and_says_whose_key_it_is(
    broken: Night, inbox: RunningInbox
) -> None:
    """Opsgenie overwrites whom a page is for with the team that owns the integration."""
    inbox.settings(owner_team="data-engineering")
    for clock in ("05:00", "05:00:15", "05:00:30"):
        broken.look(clock)
    assert [step for step, _ in paged(inbox)] == ["page-1-primary", "page-2-secondary", "page-3-manager"]
    (first, *_) = said(broken, "could not be paged")
    assert "DE-003 (primary)" in first
    [whole] = [m.summary for m, _ in broken.chat.posts if m.title == first]
    assert "no team owns" in whole
