"""A night over Jira Service Management: the real pager against its face of the inbox, which shows no alerts to us."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.core.errors import Rejected, Unreadable
from sandbox.inbox.records import Alert
from sandbox.inbox.testing import RunningInbox
from tests.usecases.conftest_night import DAY, Night, at

KEY = f"growth_etl:{DAY}"
ESCALATION = ["page-1-primary", "page-2-secondary", "page-3-manager"]


@pytest.fixture(autouse=True)
def known_calls(inbox: RunningInbox) -> Iterator[None]:
    """Whatever the face does not have was never asked for."""
    yield
    assert not [call for call in inbox.calls() if call.unexpected]


@pytest.fixture
def on_jsm(night: Night, inbox: RunningInbox, monkeypatch: pytest.MonkeyPatch) -> Night:
    """Growth is missing, and the pager's connection leads to JSM."""
    written = {"conn_type": "opsgenie", "host": inbox.jsm_host, "password": inbox.jsm_key}
    monkeypatch.setenv("AIRFLOW_CONN_JSM", json.dumps(written))
    pager: Any = Opsgenie.from_connection("jsm")
    night.pager = pager
    night.world.missing("growth_etl")
    return night


def alerts(inbox: RunningInbox) -> list[Alert]:
    found = inbox.alerts()
    assert {alert.face for alert in found} <= {"jsm"}
    return found


def steps(inbox: RunningInbox) -> list[str]:
    return [alert.alias.removeprefix(f"{KEY}:") for alert in alerts(inbox)]


def test_from_page_through_the_escalation_to_the_end(on_jsm: Night, inbox: RunningInbox) -> None:
    """05:00, 05:15, 05:30, one person each; at 05:42 the report lands and every alert is closed with how late."""
    for clock in ("05:00", "05:00:15", "05:14:59", "05:15", "05:30", "05:41"):
        on_jsm.look(clock)
    assert steps(inbox) == ESCALATION
    assert [alert.recipients for alert in alerts(inbox)] == [
        ["de-003@example.com"],
        ["de-004@example.com"],
        ["de-manager@example.com"],
    ]
    assert [(alert.priority, alert.count) for alert in alerts(inbox)] == [("P1", 1)] * 3
    on_jsm.world.publish("growth_etl", at("05:42"))
    on_jsm.look("05:42:10")
    assert [alert.open for alert in alerts(inbox)] == [False] * 3
    assert all("42 min late" in " ".join(alert.notes) for alert in alerts(inbox))
    on_jsm.look("06:30")
    assert steps(inbox) == ESCALATION


def test_a_tap_in_its_app_is_not_seen_and_the_escalation_goes_on(on_jsm: Night, inbox: RunningInbox) -> None:
    """Escalation by time alone: rather one person too many than one too few."""
    on_jsm.look("05:00")
    inbox.acknowledge(alerts(inbox)[0], user="de-003@example.com")
    on_jsm.look("05:05")
    on_jsm.look("05:15")
    assert steps(inbox) == ESCALATION[:2]
    assert not any("Acknowledged" in message.title for message, _ in on_jsm.chat.posts)


def test_acknowledging_on_the_page_stops_the_escalation_there_and_here(
    on_jsm: Night, inbox: RunningInbox
) -> None:
    """The On-call page tells JSM who has it; nobody else is woken, and the thread says so."""
    on_jsm.look("05:00")
    assert on_jsm.by_hand("de-003@example.com", at("05:10")).acknowledge(KEY).done
    for clock in ("05:10", "05:15", "05:30"):
        on_jsm.look(clock)
    [alert] = alerts(inbox)
    assert (alert.acknowledged, alert.owner) == (True, "de-003@example.com")
    assert any("Acknowledged by DE-003, " in message.title for message, _ in on_jsm.chat.posts)


def test_a_lost_answer_is_one_alert(on_jsm: Night, inbox: RunningInbox) -> None:
    """The alert cannot be looked for, so that it is said again; the alias makes it the same one."""
    inbox.fail("jsm", "create", "lose_answer", count=1)
    on_jsm.look("05:00")
    on_jsm.look("05:00:15")
    on_jsm.look("05:00:30")
    assert [(alert.alias, alert.count) for alert in alerts(inbox)] == [(f"{KEY}:page-1-primary", 2)]


def test_a_request_that_was_accepted_and_then_failed_is_made_again(
    on_jsm: Night, inbox: RunningInbox
) -> None:
    """202 is a receipt: only the request's status counts."""
    inbox.fail("jsm", "create", "process_failed", count=1)
    on_jsm.look("05:00")
    assert alerts(inbox) == []
    on_jsm.look("05:00:15")
    assert steps(inbox) == ESCALATION[:1]


def test_alerts_that_are_gone_do_not_hold_up_the_end(on_jsm: Night, inbox: RunningInbox) -> None:
    """As after a change of sides: closing what the new one does not know is no failure, and is not tried for ever."""
    on_jsm.look("05:00")
    inbox.clear()
    inbox.settings(processing_delay=0)
    on_jsm.world.publish("growth_etl", at("05:20"))
    on_jsm.look("05:20:10")
    closes = len(inbox.calls(face="jsm", operation="close"))
    on_jsm.look("05:30")
    assert len(inbox.calls(face="jsm", operation="close")) == closes == 1


def test_it_is_not_asked_for_what_it_cannot_do(on_jsm: Night, inbox: RunningInbox) -> None:
    """The capabilities say so, and the pager refuses without a call."""
    able = on_jsm.pager.capabilities
    assert (able.name, able.reads_alerts, able.heartbeats) == ("Jira Service Management", False, False)
    with pytest.raises(Unreadable):
        on_jsm.pager.alert_state(f"{KEY}:page-1-primary")
    with pytest.raises(Rejected):
        on_jsm.pager.ping("investor-sla-watch")
    assert inbox.calls() == []
