"""What a far side makes of a page by itself: its policies, integrations and people, on the stand-in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oncall.core.rota.roster import Override
from tests.adapters.conftest_far import KEY, MANAGER, PRIMARY, SECONDARY, FarNight
from tests.usecases.conftest_night import at


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
        ({"acknowledged": True, "owner": "", "report": {"acknowledgedBy": "Jira integration"}}, False),
        ({"acknowledged": True, "owner": PRIMARY, "report": {"acknowledgedBy": "Policy: take"}}, False),
        ({"acknowledged": True, "owner": "", "report": {"acknowledgedBy": "Mai Tran"}}, True),
        ({"acknowledged": True, "owner": "de-003"}, True),
        ({"acknowledged": True, "owner": "", "report": {"acknowledgedBy": "AlertAPI"}}, False),
        ({"acknowledged": True, "owner": "", "report": {"acknowledgedBy": "Prod Datadog"}}, False),
        ({"status": "closed", "report": {"closedBy": "Mai Tran"}}, True),
        ({"acknowledged": True, "owner": SECONDARY, "report": {"acknowledgedBy": PRIMARY}}, True),
        ({"status": "closed", "report": {"closedBy": "System"}}, False),
        ({"status": "closed"}, False),
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
    assert far.woken[:2] == [PRIMARY] + [SECONDARY] * (not stops)


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


@pytest.mark.parametrize(("priority", "next_one"), [("P1", False), ("P2", False), ("P3", True), ("P5", True)])
def test_a_page_whose_priority_is_lowered_to_a_warning_calls_the_next_one(
    far: FarNight, priority: str, next_one: bool
) -> None:
    """A policy has done it: what is to wake nobody has woken nobody, and the thread says which priority it has."""
    responders = [{"type": "user", "id": "u-1", "username": PRIMARY}]
    shown(far, priority=priority, responders=responders)
    far.looks("05:00")
    far.inbox.heal()
    far.looks("05:00:15")
    assert (SECONDARY in far.woken) is next_one
    assert (
        len(far.said(f"DE-003 (primary) could not be paged: the pager has made {priority} of its P1"))
        == next_one
    )


@pytest.mark.parametrize(
    ("fields", "how"),
    [
        ({"status": "closed", "report": {"closedBy": "Alert policy: quiet hours"}}, "closed"),
        ({"status": "closed"}, "closed"),
        ({"snoozed": True}, "snoozed"),
        ({"snoozed": "no"}, ""),
        ({"status": "closed", "report": {"closedBy": PRIMARY}}, ""),
    ],
    ids=str,
)
def test_a_page_that_is_silenced_as_it_is_made_calls_the_next_one(
    far: FarNight, fields: dict[str, Any], how: str
) -> None:
    """A policy has closed or snoozed its alert: it woke nobody. A person who closes it has it."""
    shown(far, **fields)
    far.looks("05:00")
    far.inbox.heal()
    far.looks("05:00:15")
    assert far.woken[:2] == [PRIMARY] + [SECONDARY] * bool(how)
    assert len(far.said(f"DE-003 (primary) could not be paged: the pager has {how} its alert")) == bool(how)


def test_whom_a_policy_let_nobody_wake_is_called_anew_once_it_is_mended(far: FarNight) -> None:
    """Every page was made a P4: ten minutes later all begins again, and goes on by its usual waits."""
    shown(far, priority="P4")
    far.every_15_s("05:00", "05:01")
    assert far.woken == [PRIMARY, SECONDARY, MANAGER]
    far.inbox.heal()
    far.every_15_s("05:01:15", "05:09")
    assert far.woken == [PRIMARY, SECONDARY, MANAGER]
    far.every_15_s("05:09:15", "05:11")
    assert far.woken[3:] == [PRIMARY]
    far.looks("05:24", "05:26", "05:26:15")
    assert far.woken[3:] == [PRIMARY, SECONDARY]
    assert len(far.said("Nobody could be woken: the escalation starts again")) == 1
    far.night.world.publish("growth_etl", at("05:27"))
    far.every_15_s("05:27:15", "05:28")
    assert not any(alert.open for alert in far.alerts())


def test_an_alias_that_the_far_side_replaces_is_the_alerts_own_from_then_on(far: FarNight) -> None:
    """Its integration makes the alias of the message: the acknowledgement is heard, and all is closed in the end."""
    far.inbox.settings(aliases_are="message")
    far.looks("05:00", "05:15", "05:15:15")
    assert far.woken == [PRIMARY, SECONDARY]
    far.inbox.acknowledge(far.alerts()[1], SECONDARY)
    far.every_15_s("05:16", "05:17")
    assert all(alert.acknowledged for alert in far.alerts())
    far.looks("05:30", "05:30:15")
    far.night.world.publish("growth_etl", at("05:31"))
    far.looks("05:31:15", "05:31:30")
    assert far.woken == [PRIMARY, SECONDARY]
    assert not any(alert.open for alert in far.alerts())


def test_a_page_that_is_added_to_another_alert_is_said_to_reach_nobody(far: FarNight) -> None:
    """One alias for all that one source sends: the later calls wake nobody, and the thread says why."""
    far.inbox.settings(aliases_are="source")
    far.every_15_s("05:00", "05:01")
    far.looks("05:15", "05:15:15")
    assert far.woken == [PRIMARY]
    assert len(far.said("could not be paged: the pager has added it to its alert")) == 2
    far.night.world.publish("growth_etl", at("05:16"))
    far.looks("05:16:15", "05:16:30")
    assert not any(alert.open for alert in far.alerts())


def test_a_page_that_is_counted_on_an_open_alert_of_somebody_else_calls_the_next_one_at_once(
    far: FarNight,
) -> None:
    """Another source has one open by its alias, for other people: the primary is not rung, and the thread says so."""
    wish: dict[str, Any] = {"message": "Disk full", "alias": f"{KEY}:page-1-primary", "priority": "P1"}
    wish["responders"] = [{"type": "user", "username": MANAGER}]
    key = {"Authorization": f"GenieKey {far.inbox.opsgenie_key}"}
    far.inbox.http.post(f"{far.inbox.opsgenie_host}/v2/alerts", json=wish, headers=key).raise_for_status()
    far.every_15_s("05:00", "05:00:30")
    assert far.woken == [MANAGER, SECONDARY]
    assert len(far.said("(primary) could not be paged")) == 1


def test_whoever_gives_back_an_alert_that_we_acknowledged_takes_it_from_nobody(far: FarNight) -> None:
    """The secondary has it by their own alert; the primary's was acknowledged in their name."""
    far.looks("05:00", "05:15", "05:15:15")
    far.inbox.acknowledge(far.alerts()[1], SECONDARY)
    far.every_15_s("05:16", "05:17")
    assert far.alerts()[0].acknowledged
    far.inbox.unacknowledge(far.alerts()[0])
    far.every_15_s("05:17:15", "05:31")
    assert far.woken == [PRIMARY, SECONDARY]
    far.inbox.unacknowledge(far.alerts()[1])
    far.every_15_s("05:31:15", "05:31:45")
    assert far.woken == [PRIMARY, SECONDARY, PRIMARY]
