"""A heartbeat that Opsgenie does not take is said once, by name, in the chat and on the page; and its end too."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.core.errors import DeliveryFailed, Rejected
from oncall.core.incidents.wording import Scene
from oncall.usecases.channel_ports import PagerCapabilities
from oncall.usecases.heartbeat import HEARTBEATS, ping_all, refused
from sandbox.inbox.testing import RunningInbox
from tests.usecases.conftest_night import FakePager, Night, at

NAME = "investor-sla-watch"


@dataclass
class Services(FakePager):
    """Takes pings, or not."""

    refuses: dict[str, DeliveryFailed] = field(default_factory=dict)
    takes: bool = True

    @property
    def capabilities(self) -> PagerCapabilities:
        return PagerCapabilities("fake", True, self.takes)

    def ping(self, heartbeat: str) -> None:
        super().ping(heartbeat)
        if heartbeat in self.refuses:
            raise self.refuses[heartbeat]


def ping(night: Night, services: Services, clock: str, *names: str) -> list[str]:
    """One round; what the chat has been told of heartbeats until then."""
    ping_all(names or (NAME,), services, night.store, Scene(night.config.roster, night.links, at(clock)))
    night.send(clock)
    return [message.title for message, _ in night.chat.posts if message.key.startswith("heartbeat")]


def test_a_refused_heartbeat_is_said_once_by_name_and_its_end_too(night: Night) -> None:
    """404 all night long: one notice, with what to do; then it is made, and that is said."""
    services = Services(refuses={NAME: Rejected("404: add it in Opsgenie")})
    first = [f"Opsgenie does not take the heartbeat {NAME}"]
    assert [ping(night, services, clock) for clock in ("04:00", "04:01", "04:02")] == [first] * 3
    assert "404: add it in Opsgenie" in night.chat.posts[0][0].summary
    assert refused(night.store.get_note(HEARTBEATS) or "") == {NAME: (at("04:00"), "404: add it in Opsgenie")}
    services.refuses.clear()
    assert ping(night, services, "04:03")[1:] == [f"Opsgenie takes the heartbeat {NAME} again"]
    assert refused(night.store.get_note(HEARTBEATS) or "") == {}
    services.refuses[NAME] = Rejected("403")
    assert len(ping(night, services, "04:04")) == 3


def test_one_heartbeat_does_not_hold_up_another(night: Night) -> None:
    """Each is pinged, and each is judged by itself."""
    services = Services(refuses={"a": Rejected("404"), "b": DeliveryFailed("503")})
    assert ping(night, services, "04:00", "a", "b", "c") == ["Opsgenie does not take the heartbeat a"]
    assert [name for kind, name in services.told if kind == "ping"] == ["a", "b", "c"]


def test_an_outage_neither_begins_nor_ends_a_refusal(night: Night) -> None:
    """A far side that does not answer says nothing about the heartbeat."""
    services = Services(refuses={NAME: DeliveryFailed("no answer")})
    assert ping(night, services, "04:00") == []
    services.refuses[NAME] = Rejected("404")
    assert len(ping(night, services, "04:01")) == 1
    services.refuses[NAME] = DeliveryFailed("no answer")
    assert len(ping(night, services, "04:02")) == 1
    assert NAME in refused(night.store.get_note(HEARTBEATS) or "")


def test_a_heartbeat_that_the_roster_names_no_more_is_forgotten(night: Night) -> None:
    """Nobody wants to hear of it."""
    services = Services(refuses={"old": Rejected("404")})
    ping(night, services, "04:00", "old")
    assert len(ping(night, services, "04:01", "new")) == 1
    assert refused(night.store.get_note(HEARTBEATS) or "") == {}


def test_where_there_are_no_heartbeats_nothing_is_said(night: Night) -> None:
    """Jira Service Management takes none from an integration key."""
    assert ping(night, Services(refuses={NAME: Rejected("no")}, takes=False), "04:00") == []


@pytest.mark.parametrize(
    "noted", ["nonsense", "[]", '{"a": 1}', '{"a": ["never", "x"]}', '{"a": ["2026-11-22T05:00", "x"]}']
)
def test_a_note_that_cannot_be_read_is_no_note(noted: str) -> None:
    """At worst it is said again."""
    assert refused(noted) == {}


def test_opsgenies_own_ways_of_not_taking_a_heartbeat(
    inbox: RunningInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PONG for one that does not exist, one that is switched off, a key that may not ping, one that may not ask."""
    written = {"conn_type": "opsgenie", "host": inbox.opsgenie_host, "password": inbox.opsgenie_key}
    monkeypatch.setenv("AIRFLOW_CONN_OPS", json.dumps(written))
    opsgenie = Opsgenie.from_connection("ops")
    with pytest.raises(Rejected, match=r"'unknown'.*404.*add it in Opsgenie"):
        opsgenie.ping("unknown")
    inbox.settings(key_may_read=False)
    opsgenie.ping("unknown")
    inbox.settings(key_may_read=True)
    inbox.tell("heartbeats", name=NAME, enabled=False)
    with pytest.raises(Rejected, match="switched off"):
        opsgenie.ping(NAME)
    inbox.tell("heartbeats", name=NAME, enabled=True)
    opsgenie.ping(NAME)
    assert inbox.state()["heartbeats"][0]["last_ping_at"]
    inbox.settings(key_may_ping=False)
    with pytest.raises(Rejected, match=rf"'{NAME}'.*403"):
        opsgenie.ping(NAME)
