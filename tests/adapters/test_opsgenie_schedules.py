"""The sync of the rota against the strict stand-in and against a far side that misbehaves, over real HTTP."""

from __future__ import annotations

import datetime as dt
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from oncall.adapters.opsgenie.schedules import NoSchedules, OpsgenieSchedules
from oncall.cli.main import main
from oncall.config import oncall_config
from oncall.core.errors import DeliveryFailed, Rejected
from oncall.core.rota.on_call import who_is_on_call
from oncall.core.rota.roster import Override, Roster
from oncall.usecases.sync_schedules import drift, plan, sync
from sandbox.inbox.testing import RunningInbox
from tests.adapters.scripted import KEY, Answer, Connect, FarSide

PRIMARY, SECONDARY = "data-engineering-primary", "data-engineering-secondary"


@pytest.fixture
def schedules(inbox: RunningInbox, connect: Connect) -> OpsgenieSchedules:
    connect("opsgenie_api", host=inbox.opsgenie_host, password=inbox.opsgenie_account_key)
    return OpsgenieSchedules.from_connection()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def scripted(far_side: FarSide, connect: Connect, waits: list[float]) -> OpsgenieSchedules:
    """Against the far side that answers by script; nobody really waits."""
    connect("opsgenie_api", host=far_side.url)
    return OpsgenieSchedules.from_connection(sleep=waits.append)


@pytest.fixture(scope="module")
def roster() -> Roster:
    return oncall_config.load(Path(__file__).parents[2] / "include").roster


@pytest.fixture(scope="module")
def at(roster: Roster) -> dt.datetime:
    return roster.starts + dt.timedelta(weeks=46, days=2, hours=5)


def written(inbox: RunningInbox) -> list[str]:
    """The calls that changed something."""
    return [f"{call.method} {call.path}" for call in inbox.calls(face="opsgenie") if call.method != "GET"]


def test_the_first_sync_makes_both_schedules_and_the_second_calls_nothing(
    inbox: RunningInbox, schedules: OpsgenieSchedules, roster: Roster, at: dt.datetime
) -> None:
    """Two schedules of 13 overrides each, and from then on Opsgenie says what the rota says, at every hour."""
    assert [len(each.put) for each in plan(roster, schedules, at)] == [13, 13]
    assert written(inbox) == []
    sync(roster, schedules, at)
    assert len(written(inbox)) == 2 + 26
    assert drift(roster, schedules, at) == ()
    assert not any(sync(roster, schedules, at))
    assert len(written(inbox)) == 2 + 26
    for hours in (0, 24 * 5, 24 * 40):
        then = at + dt.timedelta(hours=hours)
        shift = who_is_on_call(roster, then)
        for name, person in ((PRIMARY, shift.primary), (SECONDARY, shift.secondary)):
            assert schedules.on_call(name, then) == (roster.people[person or ""].opsgenie,)
    assert not [call for call in inbox.calls() if call.unexpected]


def test_past_the_synced_weeks_the_manager_is_on_call(
    schedules: OpsgenieSchedules, roster: Roster, at: dt.datetime
) -> None:
    """Should the sync stop for good, somebody is still notified, and will ask why."""
    sync(roster, schedules, at, weeks=1)
    assert schedules.on_call(PRIMARY, at + dt.timedelta(weeks=3)) == ("de-manager@example.com",)


def test_a_change_of_the_roster_is_a_few_calls(
    inbox: RunningInbox, schedules: OpsgenieSchedules, roster: Roster, at: dt.datetime
) -> None:
    """A swap of two days: three overrides of one schedule, and back again."""
    sync(roster, schedules, at)
    before = len(written(inbox))
    start = roster.starts + dt.timedelta(weeks=48, days=2)
    swapped = replace(roster, overrides=(Override(start, start + dt.timedelta(days=2), "DE-004"),))
    sync(swapped, schedules, at)
    assert len(written(inbox)) - before == 3
    assert schedules.on_call(PRIMARY, start + dt.timedelta(days=1)) == ("de-004@example.com",)
    assert drift(swapped, schedules, at) == ()
    sync(roster, schedules, at)
    assert [line.split()[0] for line in written(inbox)[before + 3 :]] == ["PUT", "DELETE", "DELETE"]
    assert drift(roster, schedules, at) == ()


def test_somebodys_own_override_is_drift_and_stays(
    inbox: RunningInbox, schedules: OpsgenieSchedules, roster: Roster, at: dt.datetime
) -> None:
    """Made by hand in Opsgenie: it is said, with what to do, and never deleted."""
    sync(roster, schedules, at)
    inbox.http.put(
        f"{inbox.opsgenie_host}/v2/schedules/{PRIMARY}/overrides/mine?scheduleIdentifierType=name",
        headers={"Authorization": f"GenieKey {inbox.opsgenie_account_key}"},
        json={
            "user": {"type": "user", "username": "x@example.com"},
            "startDate": (at - dt.timedelta(hours=1)).isoformat(),
            "endDate": (at + dt.timedelta(hours=1)).isoformat(),
        },
    ).raise_for_status()
    assert not any(sync(roster, schedules, at))
    said = drift(roster, schedules, at)
    assert "an override that is not in the roster: x@example.com" in said[0]
    assert "python -m oncall override" in said[0]
    assert "Opsgenie says" in said[1]


def test_a_sync_that_was_broken_off_goes_on(
    inbox: RunningInbox, connect: Connect, roster: Roster, at: dt.datetime, waits: list[float]
) -> None:
    """Opsgenie fails in the middle: tried again with pauses, then said; the next sync does the rest."""
    connect("opsgenie_api", host=inbox.opsgenie_host, password=inbox.opsgenie_account_key)
    schedules = OpsgenieSchedules.from_connection(sleep=waits.append)
    sync(roster, schedules, at, weeks=1)
    inbox.fail("opsgenie", "*", "status", status=500, count=4)
    with pytest.raises(DeliveryFailed, match="500"):
        sync(roster, schedules, at)
    assert waits == [2, 4, 8]
    sync(roster, schedules, at)
    assert drift(roster, schedules, at) == ()


def test_the_integration_key_is_refused_with_what_to_write(inbox: RunningInbox, connect: Connect) -> None:
    """The key that pages may not configure."""
    connect("opsgenie_api", host=inbox.opsgenie_host, password=inbox.opsgenie_key)
    with pytest.raises(Rejected, match="an API key of the account") as refused:
        OpsgenieSchedules.from_connection().find(PRIMARY)
    assert inbox.opsgenie_key not in str(refused.value)


def test_a_missing_connection_says_what_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which connection, with which key, and where it is made."""
    monkeypatch.delenv("AIRFLOW_CONN_OPSGENIE_API", raising=False)
    with pytest.raises(NoSchedules, match=r"AIRFLOW_CONN_OPSGENIE_API.*API key management"):
        OpsgenieSchedules.from_connection().find(PRIMARY)


def test_jira_service_management_is_said_to_have_none(inbox: RunningInbox, connect: Connect) -> None:
    """No call is made."""
    connect("opsgenie_api", host=inbox.jsm_host, password=inbox.jsm_key)
    with pytest.raises(NoSchedules, match="OPSGENIE_TO_JSM"):
        OpsgenieSchedules.from_connection().find(PRIMARY)
    assert inbox.calls() == []


def test_plain_http_is_refused_outside_loopback(connect: Connect) -> None:
    """The key would go out unencrypted."""
    connect("opsgenie_api", host="http://opsgenie.example.com")
    with pytest.raises(Rejected, match="unencrypted"):
        OpsgenieSchedules.from_connection().find(PRIMARY)


def test_it_waits_as_long_as_it_is_asked_to(
    scripted: OpsgenieSchedules, far_side: FarSide, waits: list[float]
) -> None:
    """429 with Retry-After, in seconds."""
    far_side.script = [
        Answer({"message": "slow down", "requestId": "1"}, 429, {"Retry-After": "7"}),
        Answer({"message": "no such schedule", "requestId": "2"}, 404),
    ]
    assert scripted.find(PRIMARY) is None
    assert waits == [7]


def test_a_lost_answer_to_a_creation_is_not_sent_again(
    scripted: OpsgenieSchedules, far_side: FarSide, waits: list[float]
) -> None:
    """The schedule may be there: the next sync will see."""
    far_side.script = [Answer(how="drop")]
    with pytest.raises(DeliveryFailed) as lost:
        scripted.create(PRIMARY, "", "m@example.com", dt.datetime(2026, 1, 5, 2, tzinfo=dt.UTC))
    assert (lost.value.uncertain, waits, len(far_side.requests)) == (True, [], 1)


@pytest.mark.parametrize("answer", [Answer("<html>hello</html>"), Answer("not found", 404), Answer({"a": 1})])
def test_somebody_elses_server_is_recognised(
    scripted: OpsgenieSchedules, far_side: FarSide, answer: Answer
) -> None:
    """A wrong host is not an empty Opsgenie."""
    far_side.always = answer
    with pytest.raises(DeliveryFailed):
        scripted.find(PRIMARY)


def test_the_key_is_in_no_log_line_and_no_error(
    scripted: OpsgenieSchedules, far_side: FarSide, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when the far side repeats it."""
    caplog.set_level(logging.DEBUG)
    far_side.always = Answer({"message": f"bad key {KEY}", "requestId": "1"}, 401)
    with pytest.raises(Rejected) as refused:
        scripted.find(PRIMARY)
    assert far_side.requests[0].headers["Authorization"] == f"GenieKey {KEY}"
    assert KEY not in str(refused.value) + caplog.text


def test_the_command_line_syncs_without_airflow(
    inbox: RunningInbox, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    """First a dry run, then the sync, then nothing to do; in words and as JSON."""
    connect("opsgenie_api", host=inbox.opsgenie_host, password=inbox.opsgenie_account_key)
    assert main(["sync", "--dry-run", "--weeks", "1"]) == 0
    assert f"{PRIMARY}: would be created, 2 overrides would be written" in capsys.readouterr().out
    assert written(inbox) == []
    assert main(["sync", "--weeks", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(each["schedule"], each["create"], len(each["put"])) for each in said["schedules"]] == [
        (PRIMARY, True, 2),
        (SECONDARY, True, 2),
    ]
    assert said["drift"] == []
    assert main(["sync", "--weeks", "1"]) == 0
    assert capsys.readouterr().out == f"{PRIMARY}: as the rota says\n{SECONDARY}: as the rota says\n"


def test_the_command_line_says_what_is_missing(
    connect: Connect, capsys: pytest.CaptureFixture[str], inbox: RunningInbox
) -> None:
    """Exit code 1, and what to add."""
    connect("opsgenie_api", host=inbox.opsgenie_host, password="")
    assert main(["sync"]) == 1
    assert "oncall sync: connection 'opsgenie_api' has no password" in capsys.readouterr().err
