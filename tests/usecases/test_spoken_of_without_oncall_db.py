"""What has been said of a channel, a clock or a heartbeat is not said again because `oncall_db` went away."""

from __future__ import annotations

import datetime as dt

import pytest

from oncall.core.errors import DeliveryFailed, Rejected
from oncall.core.incidents.wording import Scene
from oncall.core.message import Message
from oncall.usecases.heartbeat import ping_all
from tests.usecases.conftest_night import at
from tests.usecases.test_laws_of_paging import LINKS, Night


@pytest.fixture
def watched() -> Night:
    """Growth is missing at five; the watcher and its store."""
    night = Night()
    night.begin()
    return night


def ticks(night: Night, start: str, end: str) -> None:
    night.now = at(start)
    while night.now <= at(end):
        night.tick()
        night.now += dt.timedelta(seconds=15)


def said(night: Night, words: str) -> list[str]:
    return [message.title for message, _ in night.chat.posts if words in message.title]


def test_an_outage_is_told_once_also_when_oncall_db_goes_away_in_it(
    watched: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the instant at which it began; and once that it is over, which only the watcher's memory had seen."""

    def down(_: Message) -> str:
        raise DeliveryFailed("connection refused")

    with monkeypatch.context() as out:
        out.setattr(watched.pager, "page", down)
        ticks(watched, "05:00", "05:01")
        watched.database.down = True
        ticks(watched, "05:01:15", "05:03")
    ticks(watched, "05:03:15", "05:04")
    watched.database.down = False
    ticks(watched, "05:04:15", "05:06")
    assert said(watched, "The pager (Opsgenie)") == [
        "The pager (Opsgenie) cannot be reached since 05:00",
        "The pager (Opsgenie) can be reached again after 3 min",
    ]


def test_a_heartbeat_that_is_refused_is_told_once_also_when_oncall_db_goes_away(
    watched: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was refused before, and still is."""

    def unknown(heartbeat: str) -> None:
        raise Rejected(f"no heartbeat {heartbeat}")

    def ping() -> None:
        store = watched.looker.known.memory or watched.database
        scene = Scene(watched.config.roster, LINKS, watched.now)
        ping_all(["investor-sla-watch"], watched.pager, store, scene)

    monkeypatch.setattr(watched.pager, "ping", unknown)
    for clock, is_down in (("04:58", False), ("04:59", True), ("05:00", False)):
        watched.database.down = is_down
        watched.now = at(clock)
        watched.tick()
        ping()
        watched.tick()
    assert len(said(watched, "does not take the heartbeat")) == 1
