"""The daily sync as Airflow runs it: what it says in Slack, how often, and when it is skipped."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.config import oncall_config
from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import DeliveryFailed, Rejected
from oncall.core.incidents.wording import Links
from oncall.core.rota.opsgenie_schedules import Schedule, ScheduleOverride
from sandbox.inbox.testing import RunningInbox, running_inbox

LINKS = Links("http://airflow.test")
NAMES = {"data-engineering-primary", "data-engineering-secondary"}


class FakeSchedules:
    """Schedules that keep what they are told; `says` is who is on call beside that, `down` why nothing works."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, ScheduleOverride]] = {}
        self.says: tuple[str, ...] | None = None
        self.down = ""

    def find(self, name: str) -> Schedule | None:
        if self.down:
            raise DeliveryFailed(self.down)
        return Schedule(True, tuple(self.kept[name].values())) if name in self.kept else None

    def create(self, name: str, description: str, beneath: str, starts: dt.datetime) -> None:
        assert beneath == "de-manager@example.com"
        self.kept[name] = {}

    def put(self, name: str, override: ScheduleOverride) -> None:
        self.kept[name][override.alias] = override

    def delete(self, name: str, alias: str) -> None:
        del self.kept[name][alias]

    def on_call(self, name: str, at: dt.datetime) -> tuple[str, ...]:
        if self.says is not None:
            return self.says
        return tuple(each.username for each in self.kept[name].values() if each.start <= at < each.end)


@pytest.fixture(scope="module")
def setup() -> OncallConfig:
    return oncall_config.load(Path(__file__).parents[2] / "include")


@pytest.fixture
def schedules() -> FakeSchedules:
    return FakeSchedules()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def titles(store: MemoryStore) -> list[str]:
    return [slot.delivery.message.title for slot in store.slots.values()]


def at(setup: OncallConfig, days: int) -> dt.datetime:
    return setup.roster.starts + dt.timedelta(weeks=20, days=days)


def test_an_agreement_is_silent(setup: OncallConfig, schedules: FakeSchedules, store: MemoryStore) -> None:
    """Made, then nothing to do; nobody hears of it."""
    from oncall.airflow.schedules import synced

    assert synced(setup, schedules, store, LINKS, at(setup, 0)) == "28 changes; 0 differences left"
    assert set(schedules.kept) == NAMES
    assert synced(setup, schedules, store, LINKS, at(setup, 1)) == "0 changes; 0 differences left"
    assert synced(setup, schedules, store, LINKS, at(setup, 7)) == "2 changes; 0 differences left"
    assert titles(store) == []


def test_the_same_drift_is_said_once_and_its_end_too(
    setup: OncallConfig, schedules: FakeSchedules, store: MemoryStore
) -> None:
    """Opsgenie names somebody else for three days, then not, then again."""
    from oncall.airflow.schedules import synced

    for days, says in ((0, ("x@example.com",)), (1, ("x@example.com",)), (2, None), (3, None), (4, ())):
        schedules.says = says
        synced(setup, schedules, store, LINKS, at(setup, days))
    assert titles(store) == [
        "Opsgenie's schedules are not as the rota says: 2 differences",
        "Opsgenie's schedules are as the rota says again",
        "Opsgenie's schedules are not as the rota says: 2 differences",
    ]
    [first, *_] = store.slots.values()
    assert (
        "• data-engineering-primary: Opsgenie says x@example.com, the rota says de-00"
        in first.delivery.message.summary
    )
    assert {slot.delivery.key.split(":")[0] for slot in store.slots.values()} == {"schedules"}


def test_a_sync_that_fails_is_said_and_fails_its_task(
    setup: OncallConfig, schedules: FakeSchedules, store: MemoryStore
) -> None:
    """Once for one reason, however often it is tried."""
    from oncall.airflow.schedules import synced

    schedules.down = "503"
    for days in (0, 1):
        with pytest.raises(DeliveryFailed):
            synced(setup, schedules, store, LINKS, at(setup, days))
    [slot] = store.slots.values()
    assert slot.delivery.message.summary == "• The sync failed: 503"


def test_a_sync_that_will_be_tried_again_is_not_said(
    setup: OncallConfig, schedules: FakeSchedules, store: MemoryStore
) -> None:
    """Only what is left when all tries are used, or what will fail again in any case."""
    from oncall.airflow.schedules import synced

    schedules.down = "503"
    with pytest.raises(DeliveryFailed):
        synced(setup, schedules, store, LINKS, at(setup, 0), last_try=False)
    assert titles(store) == []


def test_one_team_that_cannot_be_synced_stops_no_other(
    setup: OncallConfig, schedules: FakeSchedules, store: MemoryStore
) -> None:
    """Its roster names no Opsgenie team: that is said, and the other team's schedules are made."""
    from oncall.airflow.schedules import synced

    without = replace(setup.roster, opsgenie_team="", team="a")
    both = replace(setup, roster=without, teams={"b": replace(setup.roster, team="b")})
    with pytest.raises(Rejected, match="names no opsgenie"):
        synced(both, schedules, store, LINKS, at(setup, 0), last_try=False)
    assert set(schedules.kept) == NAMES
    [slot] = store.slots.values()
    assert "names no opsgenie.team" in slot.delivery.message.summary


@pytest.fixture
def inbox(fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningInbox]:
    """A far side, and the connections `oncall_db` and Slack; no warehouse, and not yet `opsgenie_api`."""
    parts = urlsplit(fresh_database)
    database = {"host": parse_qs(parts.query)["host"][0], "login": "postgres", "schema": parts.path[1:]}
    with running_inbox() as inbox:
        slack = {"password": inbox.slack_token, "extra": {"base_url": inbox.slack_base_url}}
        for name, written in (
            ("ONCALL_DB", {"conn_type": "postgres", **database}),
            ("SLACK_API_DEFAULT", slack),
        ):
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": "generic", **written}))
        monkeypatch.delenv("AIRFLOW_CONN_OPSGENIE_API", raising=False)
        monkeypatch.delenv("ONCALL_INCLUDE_DIR", raising=False)
        yield inbox


def test_without_its_connection_it_is_skipped_and_nothing_else_fails(inbox: RunningInbox) -> None:
    """The reason names the connection to add; Slack hears nothing."""
    from airflow.sdk.exceptions import AirflowSkipException

    from oncall.airflow.schedules import sync_and_compare

    with pytest.raises(AirflowSkipException, match="'opsgenie_api' is not defined"):
        sync_and_compare()
    assert inbox.messages() == []


def test_the_whole_way_from_airflows_connections_to_slack(
    inbox: RunningInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schedules are made; one that somebody disabled is said in Slack."""
    from oncall.airflow.schedules import sync_and_compare

    written = {"conn_type": "generic", "host": inbox.opsgenie_host, "password": inbox.opsgenie_account_key}
    monkeypatch.setenv("AIRFLOW_CONN_OPSGENIE_API", json.dumps(written))
    assert sync_and_compare() == "28 changes; 0 differences left"
    inbox.http.patch(
        f"{inbox.opsgenie_host}/v2/schedules/data-engineering-primary?identifierType=name",
        headers={"Authorization": f"GenieKey {inbox.opsgenie_account_key}"},
        json={"enabled": False},
    ).raise_for_status()
    assert sync_and_compare() == "0 changes; 2 differences left"
    [message] = inbox.messages()
    assert "The schedule data-engineering-primary is disabled: it notifies nobody." in json.dumps(
        message.blocks
    )
