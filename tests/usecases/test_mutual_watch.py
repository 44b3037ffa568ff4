"""Whether `sla_watch` or the watcher does not look is told by the other one: once, and its end too."""

from __future__ import annotations

import pytest

from oncall.core.incidents.wording import Scene
from oncall.usecases import mutual_watch
from oncall.usecases.mutual_watch import SLA_WATCH_AWAY, SLA_WATCH_LOOKED, WATCHER_AWAY
from oncall.usecases.notes import TICK
from oncall.usecases.promise_statuses import LOOKING
from tests.usecases.conftest_night import Night, at


def scene(night: Night, clock: str) -> Scene:
    return Scene(night.config.roster, night.links, at(clock))


def sla_watch_looks(night: Night, clock: str) -> None:
    mutual_watch.sla_watch_looked(night.store, scene(night, clock))
    mutual_watch.watch_watcher(night.store, scene(night, clock))


def watcher_looks(night: Night, *clocks: str) -> list[str]:
    """Its looks then; what the chat has been told of either until the last of them."""
    for clock in clocks:
        night.store.set_note(TICK, at(clock).isoformat())
        mutual_watch.watch_watcher(night.store, scene(night, clock))
        mutual_watch.watch_sla_watch(night.store, scene(night, clock))
        night.send(clock)
    return told(night)


def told(night: Night) -> list[str]:
    return [
        message.title for message, _ in night.chat.posts if message.key.startswith(("sla_watch", "watcher"))
    ]


def test_runs_of_sla_watch_that_do_not_come_are_told_once_and_that_they_come_again(night: Night) -> None:
    """Four in a row are missed: it is no busy minute. Nobody is woken."""
    sla_watch_looks(night, "01:00")
    assert watcher_looks(night, "01:07", "01:07:01", "01:20") == []
    first = ["The DAG sla_watch has not looked since 01:00"]
    assert watcher_looks(night, "01:20:01") == first
    assert "tonight's reports do not start either" in night.chat.posts[0][0].summary
    assert watcher_looks(night, "01:25", "03:00") == first
    sla_watch_looks(night, "03:05")
    assert watcher_looks(night, "03:05:15", "03:10") == [*first, "The DAG sla_watch looks again"]
    assert len(watcher_looks(night, "03:12:01", "03:25:01")) == 3
    assert night.pager.paged == []


def test_who_begins_to_look_waits_for_the_other_as_long_as_for_any(night: Night) -> None:
    """A laptop that slept, an Airflow that was away: the watcher is back first. A new one waits for its first run."""
    assert watcher_looks(night, "01:00", "02:00", "03:00") == []
    sla_watch_looks(night, "03:01")
    assert watcher_looks(night, "09:00", "09:04") == []
    sla_watch_looks(night, "09:05")
    assert watcher_looks(night, "09:05:15", "09:13") == []


def test_that_the_watcher_does_not_look_is_told_by_whoever_looks(night: Night) -> None:
    """A release takes a minute. The end is told by the watcher itself."""
    watcher_looks(night, "01:00")
    for clock in ("01:01", "01:05", "01:10", "01:14:59"):
        sla_watch_looks(night, clock)
        night.send(clock)
    assert told(night) == []
    sla_watch_looks(night, "01:15")
    night.send("01:15")
    first = ["The watcher has not looked since 01:00"]
    assert told(night) == first
    assert "is sla_watch unpaused" in night.chat.posts[0][0].summary
    sla_watch_looks(night, "01:20")
    night.send("01:20")
    assert told(night) == first
    assert watcher_looks(night, "01:21", "01:21:15") == [*first, "The watcher looks again"]


def test_a_watcher_that_never_looked_is_told_too(night: Night) -> None:
    """No triggerer was ever started."""
    for clock in ("01:00", "01:05", "01:10", "01:15"):
        sla_watch_looks(night, clock)
        night.send(clock)
    assert told(night) == ["The watcher has never looked"]


def test_what_ends_before_it_was_told_is_not_told(night: Night) -> None:
    watcher_looks(night, "01:00")
    sla_watch_looks(night, "01:05")
    assert watcher_looks(night, "01:05:15", "01:12", "01:13") == []
    sla_watch_looks(night, "01:14")
    assert watcher_looks(night, "01:14:15") == []


@pytest.mark.parametrize("odd", ["", "yesterday", "[1]", "{}", "2026-11-23T01:00:00"])
def test_notes_that_cannot_be_read_are_as_none(night: Night, odd: str) -> None:
    for name in (SLA_WATCH_LOOKED, SLA_WATCH_AWAY, WATCHER_AWAY):
        night.store.set_note(name, odd)
    assert watcher_looks(night, "02:00", "02:30") == []
    night.store.set_note(LOOKING, odd)
    assert mutual_watch.nobody_looks(night.store, at("02:30"))


def test_nobody_looks_where_no_look_was_noted_for_two_minutes(night: Night) -> None:
    """Whoever looked: it is noted once a minute."""
    assert mutual_watch.nobody_looks(night.store, at("02:00"))
    night.look("02:00")
    assert not mutual_watch.nobody_looks(night.store, at("02:02"))
    assert mutual_watch.nobody_looks(night.store, at("02:02:01"))
