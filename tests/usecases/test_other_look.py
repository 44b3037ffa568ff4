"""That `sla_watch` does not run is told hours before the reports that need the same scheduler; so is its end."""

from __future__ import annotations

import datetime as dt

import pytest

from oncall.core.incidents.wording import Scene
from oncall.usecases.other_look import LOOKED, MISSED, note_other_look, say_other_look
from oncall.usecases.promise_statuses import LOOKING
from tests.usecases.conftest_night import Night, at


def look(night: Night, clock: str, *, looking_since: str = "00:00") -> list[str]:
    """The watcher's look then; what has been said until then."""
    night.store.set_note(LOOKING, f"{at(looking_since).isoformat()} {at(clock).isoformat()}")
    notes = night.store.evaluation_inputs(at(clock), (LOOKED, LOOKING)).notes
    say_other_look(night.store, Scene(night.config.roster, night.links, at(clock)), notes)
    night.send(clock)
    return [message.title for message, _ in night.chat.posts if message.key.startswith("sla_watch")]


def test_runs_that_do_not_come_are_told_once_and_so_is_that_they_come_again(night: Night) -> None:
    """Four in a row are missed: it is no busy minute. Nobody is woken."""
    note_other_look(night.store, at("01:00"))
    assert look(night, "01:20") == []
    first = ["Airflow has not run sla_watch since 01:00"]
    assert [look(night, clock) for clock in ("01:20:15", "01:25", "03:00")] == [first] * 3
    assert "tonight's reports do not start either" in night.chat.posts[0][0].summary
    note_other_look(night.store, at("03:05"))
    assert look(night, "03:05:15")[1:] == ["Airflow runs sla_watch again after 2 h 05 min"]
    assert len(look(night, "03:10")) == 2
    assert len(look(night, "03:26")) == 3
    assert night.pager.paged == []


@pytest.mark.parametrize(
    ("looked", "looking_since", "said"),
    [
        (None, "00:00", False),  # a new installation: it is yet to come
        ("01:00", "00:00", True),
        ("01:00", "01:39", True),
        ("01:00", "01:41", False),  # all of Airflow was away, or oncall_db: that is told elsewhere
        ("01:45", "00:00", False),
    ],
)
def test_it_is_told_of_what_the_watcher_saw_missing_itself(
    night: Night, looked: str | None, looking_since: str, said: bool
) -> None:
    if looked:
        note_other_look(night.store, at(looked))
    assert bool(look(night, "02:00", looking_since=looking_since)) is said


@pytest.mark.parametrize("odd", ["", "yesterday", "[1]", "2026-11-23T01:00:00"])
def test_a_note_that_cannot_be_read_says_nothing(night: Night, odd: str) -> None:
    night.store.set_note(LOOKED, odd)
    night.store.set_note(MISSED, odd)
    assert look(night, "02:00") == []


def test_a_clock_that_is_ahead_hides_it_no_longer_than_it_is_ahead(night: Night) -> None:
    """What was noted by a worker's clock is no reason to wait for ever."""
    note_other_look(night.store, at("02:00") + dt.timedelta(minutes=30))
    assert look(night, "02:00") == []
    assert look(night, "02:51") == ["Airflow has not run sla_watch since 02:30"]
