"""The overrides that Opsgenie's schedules should have, and the fewest calls to get there."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from oncall.core.rota.opsgenie_schedules import Schedule, ScheduleOverride, changes, drift, wanted
from oncall.core.rota.roster import Override, Person, Roster
from tests.core.rosters import instant, team

AT = instant("2026-01-07 12:00")  # week 2: B / C
OTHERS = ("2026-01-12", "2026-01-14")


def roster(**kwargs: object) -> Roster:
    return replace(team(**kwargs), opsgenie_team="data")  # type: ignore[arg-type]


def lines(overrides: tuple[ScheduleOverride, ...]) -> list[str]:
    return [f"{each.start:%m-%dT%H}..{each.end:%m-%dT%H} {each.username.split('@')[0]}" for each in overrides]


def found(overrides: tuple[ScheduleOverride, ...], *more: ScheduleOverride, enabled: bool = True) -> Schedule:
    return Schedule(enabled, (*overrides, *more))


def test_each_seat_is_written_from_the_present_shift_on() -> None:
    """Whole shifts, the present one and two more; the alias is the seat and the start in UTC."""
    primary = wanted(roster(), "primary", AT, 2)
    assert lines(primary) == ["01-05T02..01-12T02 B", "01-12T02..01-19T02 C", "01-19T02..01-26T02 D"]
    assert primary[0].alias == "oncall-primary-20260105T020000Z"
    secondary = wanted(roster(), "secondary", AT, 0)
    assert (lines(secondary), secondary[0].alias) == (
        ["01-05T02..01-12T02 C"],
        "oncall-secondary-20260105T020000Z",
    )


def test_a_span_is_the_same_all_week() -> None:
    """What was written on Monday is not written anew on Sunday."""
    at_first, at_last = instant("2026-01-05"), instant("2026-01-12") - dt.timedelta(seconds=1)
    assert wanted(roster(), "primary", at_first, 12) == wanted(roster(), "primary", at_last, 12)


def test_the_other_seats_changes_do_not_split_a_span() -> None:
    """C, the secondary, is away for two days: the primary's span stays whole, the secondary's is three."""
    away = roster(leave=[("C", "2026-01-07", "2026-01-09")])
    assert lines(wanted(away, "primary", AT, 0)) == ["01-05T02..01-12T02 B"]
    assert lines(wanted(away, "secondary", AT, 0)) == [
        "01-05T02..01-07T02 C",
        "01-07T02..01-09T02 D",
        "01-09T02..01-12T02 C",
    ]


def test_where_there_is_no_secondary_the_manager_has_both() -> None:
    """A schedule without an override would leave the seat to its rotation."""
    nobody = roster(leave=[(who, "2026-01-05", "2026-01-12") for who in "ABCD"])
    assert lines(wanted(nobody, "primary", AT, 0)) == lines(wanted(nobody, "secondary", AT, 0))
    assert lines(wanted(nobody, "primary", AT, 0)) == ["01-05T02..01-12T02 M"]


def test_whoever_cannot_be_reached_is_left_to_the_rotation_beneath() -> None:
    """B has no username: no override, so that the manager holds."""
    known = roster()
    mute = replace(known, people={**known.people, "B": Person("B", "B")})
    assert lines(wanted(mute, "primary", AT, 1)) == ["01-12T02..01-19T02 C"]


def test_before_the_first_rota_there_is_nothing_to_write() -> None:
    """The first weeks are written ahead of their start."""
    assert lines(wanted(roster(), "primary", instant("2025-12-01"), 0)) == ["12-29T02..01-05T02 A"]


def test_nothing_is_called_for_when_all_is_there() -> None:
    """Usernames differ in case at the far side."""
    want = wanted(roster(), "primary", AT, 12)
    shouted = tuple(replace(each, username=each.username.upper()) for each in want)
    assert not changes(roster(), "primary", found(shouted), AT, 12)


def test_a_swap_is_the_fewest_calls() -> None:
    """The first two days of a week change hands: two overrides are written; and back, one is, and one deleted."""
    before = roster()
    after = replace(before, overrides=(Override(instant(OTHERS[0]), instant(OTHERS[1]), "D"),))
    there = changes(after, "primary", found(wanted(before, "primary", AT, 12)), AT, 12)
    assert lines(there.put) == ["01-12T02..01-14T02 D", "01-14T02..01-19T02 C"]
    assert (there.create, there.delete) == (False, ())
    back = changes(before, "primary", found(wanted(after, "primary", AT, 12)), AT, 12)
    assert lines(back.put) == ["01-12T02..01-19T02 C"]
    assert back.delete == ("oncall-primary-20260114T020000Z",)


@pytest.mark.parametrize(
    "mine",
    [
        ScheduleOverride(
            "oncall-primary-20251229T020000Z", instant("2025-12-29"), instant("2026-01-05"), "a"
        ),
        ScheduleOverride(
            "oncall-primary-20270104T020000Z", instant("2027-01-04"), instant("2027-01-11"), "a"
        ),
        ScheduleOverride("by-hand", instant("2026-01-12"), instant("2026-01-13"), "d"),
    ],
)
def test_the_past_the_far_future_and_peoples_own_overrides_are_left_alone(mine: ScheduleOverride) -> None:
    """The sync deletes only what it wrote and what is within its weeks."""
    assert not changes(roster(), "primary", found(wanted(roster(), "primary", AT, 12), mine), AT, 12)


def test_drift_is_said_in_sentences() -> None:
    """Missing, disabled, somebody's own override, and another person on call."""
    want = wanted(roster(), "primary", AT, 1)
    assert drift(roster(), "primary", found(want), ["B@example.com"], AT, 1) == ()
    assert drift(roster(), "primary", None, [], AT, 1) == ("The schedule data-primary does not exist.",)
    by_hand = ScheduleOverride("x", instant("2026-01-07"), instant("2026-01-08"), "d@example.com")
    said = drift(roster(), "primary", found(want[:1], by_hand, enabled=False), ["d@example.com"], AT, 1)
    assert [line.split(". ")[0] for line in said] == [
        "The schedule data-primary is disabled: it notifies nobody.",
        "data-primary lacks C@example.com from 2026-01-12 09:00 until 2026-01-19 09:00.",
        "data-primary has an override that is not in the roster: d@example.com from 2026-01-07 09:00 until "
        "2026-01-08 09:00",
        "data-primary: Opsgenie says d@example.com, the rota says B@example.com.",
    ]


def test_an_override_for_some_rotations_only_is_drift() -> None:
    """It would leave the others to the rotation beneath."""
    [want] = wanted(roster(), "primary", AT, 0)
    said = drift(roster(), "primary", found((replace(want, partly=True),)), ["B@example.com"], AT, 0)
    assert said == ("data-primary lacks B@example.com from 2026-01-05 09:00 until 2026-01-12 09:00.",)
