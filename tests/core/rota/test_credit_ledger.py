"""What people earn by being on call, by worked cases (rules 5 to 7)."""

from __future__ import annotations

import datetime as dt

import pytest

from oncall.core.rota.credit_ledger import Ledger, ledger
from oncall.core.rota.on_call import rota
from oncall.core.rota.roster import Handoff, Roster
from tests.core.rosters import instant, team, turns

WEEK_1 = ("2025-12-29", "2026-01-05")


def credited(roster: Roster, until: str = "2026-06-01") -> list[str]:
    """Credits as "B week 1: 7 for A"."""
    found = ledger(roster, instant(until, roster.tz, roster.handoff)).credits
    return [f"{entry.person} week {entry.week}: {entry.days} for {entry.covering_for}" for entry in found]


def in_lieu(roster: Roster, until: str = "2026-06-01") -> list[str]:
    """Days in lieu as "A 2026-01-05 for 2026-01-01"."""
    found = ledger(roster, instant(until, roster.tz, roster.handoff)).in_lieu
    return [f"{entry.person} {entry.date} for {entry.holiday}" for entry in found]


# Rule 5: credits


def test_nothing_is_earned_without_leave_and_holidays() -> None:
    """An empty ledger."""
    assert ledger(team(), instant("2026-06-01")) == Ledger((), (), ())


@pytest.mark.parametrize(
    ("leave", "expected"),
    [
        ([("A", *WEEK_1)], ["B week 1: 7 for A"]),
        ([("B", *WEEK_1)], []),
        ([("A", *WEEK_1), ("B", *WEEK_1)], ["C week 1: 7 for A"]),
        ([("A", *WEEK_1), ("B", "2025-12-31", "2026-01-05")], ["B week 1: 2 for A", "C week 1: 5 for A"]),
        ([(person, *WEEK_1) for person in "ABCD"], []),
        ([("A", "2025-12-31 13:00", "2025-12-31 14:00")], ["B week 1: 1 for A"]),
        ([("A", "2025-12-31 22:00", "2026-01-01 10:00")], ["B week 1: 2 for A"]),
        (
            [("A", "2025-12-31", "2026-01-01"), ("B", "2025-12-31 12:00", "2026-01-01")],
            ["B week 1: 1 for A", "C week 1: 1 for A"],
        ),
        ([("A", "2026-01-04", "2026-01-06")], ["B week 1: 1 for A"]),
    ],
)
def test_whoever_stands_in_as_primary_earns_a_day_per_on_call_day(
    leave: list[tuple[str, str, str]], expected: list[str]
) -> None:
    """The secondary's stand-in and the manager earn none; part of a day is a day; two who share it earn one each."""
    assert credited(team(leave=leave)) == expected


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (("2025-12-30", "2025-12-31", "D", None), 6),
        (("2025-12-30", "2025-12-31", "B", None), 6),
        (("2025-12-30", "2025-12-31", None, "B"), 6),
        (("2025-12-30", "2025-12-31", None, "D"), 7),
        (("2025-12-30 12:00", "2025-12-30 13:00", "D", None), 7),
    ],
)
def test_an_override_of_the_primary_seat_earns_nothing(
    override: tuple[str, str, str | None, str | None], expected: int
) -> None:
    """B covers A all week but for the override; one of the other seat takes nothing away."""
    assert credited(team(leave=[("A", *WEEK_1)], overrides=[override])) == [f"B week 1: {expected} for A"]


def test_repaying_earns_nothing_and_covering_the_repayer_does() -> None:
    """A repays in week 10; on leave there, C covers and the credit is against A."""
    assert credited(team(leave=[("A", *WEEK_1)])) == ["B week 1: 7 for A"]
    twice = team(leave=[("A", *WEEK_1), ("A", "2026-03-02", "2026-03-09")])
    assert credited(twice) == ["B week 1: 7 for A", "C week 10: 7 for A"]


def test_until_counts_only_days_that_are_over() -> None:
    """At 08:59 on Thursday the on-call day of Wednesday is still running."""
    roster = team(leave=[("A", *WEEK_1)])
    assert credited(roster, "2026-01-01 08:59") == ["B week 1: 2 for A"]
    assert credited(roster, "2026-01-01") == ["B week 1: 3 for A"]
    assert credited(roster, "2025-12-29") == credited(roster, "2020-01-01") == []


# Rule 6: comp weeks


def test_a_comp_week_names_who_rests_who_repays_and_both_weeks() -> None:
    """B earned it in week 1 and rests in week 10."""
    (comp,) = ledger(team(leave=[("A", *WEEK_1)]), instant("2026-01-05")).comp_weeks
    assert (comp.person, comp.repaid_by, comp.week, comp.earned_week) == ("B", "A", 10, 1)
    assert (comp.begins, comp.earned_on) == (dt.date(2026, 3, 2), dt.date(2026, 1, 1))


def test_the_ledger_keeps_what_earlier_weeks_have_earned() -> None:
    """B covers week 1, D week 3; each entry says when its week began."""
    roster = team(leave=[("A", *WEEK_1), ("C", "2026-01-12", "2026-01-19")])
    found = ledger(roster, instant("2026-06-01"))
    assert [(comp.person, comp.earned_week) for comp in found.comp_weeks] == [("B", 1), ("D", 3)]
    assert [entry.begins for entry in found.credits] == [dt.date(2025, 12, 29), dt.date(2026, 1, 12)]


@pytest.mark.parametrize(("until", "count"), [("2026-01-01", 0), ("2026-01-02", 1)])
def test_a_comp_week_is_earned_with_the_fourth_day(until: str, count: int) -> None:
    """On Friday 09:00 four days are over."""
    assert len(ledger(team(leave=[("A", *WEEK_1)]), instant(until)).comp_weeks) == count


# Rule 7: leave in lieu


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "A 2026-01-05 for 2026-01-01"),
        ({"leave": [("A", "2026-01-05", "2026-01-06")]}, "A 2026-01-06 for 2026-01-01"),
        ({"leave": [("A", "2026-01-05 14:00", "2026-01-05 15:00")]}, "A 2026-01-06 for 2026-01-01"),
        ({"overrides": [("2026-01-05 20:00", "2026-01-05 21:00", None, "A")]}, "A 2026-01-06 for 2026-01-01"),
        ({"overrides": [("2026-01-01", "2026-01-02", "C", None)]}, "C 2026-01-19 for 2026-01-01"),
        ({"overrides": [("2026-01-01", "2026-01-01 20:00", "M", None)]}, "A 2026-01-05 for 2026-01-01"),
        ({"overrides": [("2026-01-01", "2026-01-01 21:00", "M", None)]}, "A 2026-01-05 for 2026-01-01"),
        ({"overrides": [("2026-01-01", "2026-01-01 21:01", "M", None)]}, "M 2026-01-05 for 2026-01-01"),
        # A holds it for 7 and for 8 hours, M for 9 in between.
        ({"overrides": [("2026-01-01 16:00", "2026-01-02 01:00", "M", None)]}, "A 2026-01-05 for 2026-01-01"),
        # A day is free up to the instant at which the next one's leave or seat begins, and from the end of the last.
        ({"leave": [("A", "2026-01-06", "2026-01-07")]}, "A 2026-01-05 for 2026-01-01"),
        ({"overrides": [("2026-01-06", "2026-01-07", None, "A")]}, "A 2026-01-05 for 2026-01-01"),
        ({"overrides": [("2026-01-05", "2026-01-06", None, "A")]}, "A 2026-01-06 for 2026-01-01"),
        ({"leave": [("A", *WEEK_1)]}, "B 2026-01-12 for 2026-01-01"),
    ],
)
def test_the_primary_of_a_public_holiday_gets_the_first_free_working_day(
    changes: dict[str, list[tuple[str, ...]]], expected: str
) -> None:
    """1 January 2026 is a Thursday of week 1; B and C hold seats in week 2, C and D in week 3."""
    roster = team(holidays={"2026-01-01": "New Year"}, **changes)  # type: ignore[arg-type]
    assert in_lieu(roster) == [expected]
    assert ledger(roster, instant("2026-06-01")).in_lieu[0].name == "New Year"


def test_a_holiday_counts_when_its_on_call_day_is_over() -> None:
    """At its handoff hour it has only begun; a later one of the week is not looked at."""
    roster = team(holidays={"2026-01-01": "New Year", "2026-01-02": "another"})
    assert in_lieu(roster, "2026-01-01") == []
    assert in_lieu(roster, "2026-01-02") == ["A 2026-01-05 for 2026-01-01"]


def test_days_in_lieu_avoid_holidays_weekends_and_each_other() -> None:
    """Seven holidays of one week fill the five working days of the next, without its Tuesday, and the week after."""
    days = {f"2026-01-0{day}": "feast" for day in range(1, 5)} | {"2026-01-06": "another"}
    dates = [line.split()[1] for line in in_lieu(team(holidays=days), "2026-01-05")]
    assert dates == ["2026-01-05", "2026-01-07", "2026-01-08", "2026-01-09"]


def test_the_day_of_a_holiday_begins_at_the_handoff_hour() -> None:
    """Monday 5 January belongs to week 2 from 09:00 on, so B gets the day, not A."""
    assert in_lieu(team(holidays={"2026-01-05": "Monday"})) == ["B 2026-01-12 for 2026-01-05"]


def test_who_always_holds_a_seat_is_owed_a_day_without_date() -> None:
    """A team of two never has a free day."""
    assert in_lieu(team("AB BA", holidays={"2026-01-01": "New Year"})) == ["A None for 2026-01-01"]


def test_the_monday_after_a_shift_that_ends_on_thursday() -> None:
    """Handoff on Thursday: from the Monday after it."""
    handoff = Handoff(3, dt.time(9))
    roster = team([turns("2026-01-01", "AB BC CD DA")], handoff=handoff, holidays={"2026-01-02": "feast"})
    assert in_lieu(roster) == ["A 2026-01-12 for 2026-01-02"]
    roster = team([turns("2025-12-31", "AB BC CD DA")], handoff=Handoff(2), holidays={"2026-01-02": "feast"})
    assert in_lieu(roster) == [
        "A 2026-01-12 for 2026-01-02"
    ]  # not the Friday after a shift that ends on Wednesday


def test_in_lieu_never_moves_the_rota() -> None:
    """The rota is the same with and without holidays."""
    first, last = instant("2025-12-29"), instant("2026-06-01")
    assert rota(team(holidays={"2026-01-01": "New Year"}), first, last) == rota(team(), first, last)
