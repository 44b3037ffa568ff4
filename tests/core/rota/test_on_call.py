"""The rules of the rota, each by worked cases: what stands in the roster, and who is on call then."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from oncall.core.rota.on_call import next_handoff, rota, who_is_on_call
from oncall.core.rota.roster import Handoff
from oncall.core.wall_time import utc
from tests.core.rosters import PLUS_SEVEN, by_week, instant, said, table, team, turns

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")


# Rule 1: shifts


def test_without_leave_the_rota_is_the_teams_table_and_repeats() -> None:
    """Eight weeks equal the table of the team's document."""
    assert by_week(team(), 8) == [f"{pair} rotation" for pair in ("AB", "BC", "CD", "DA") * 2]


@pytest.mark.parametrize(
    ("at", "pair", "week"),
    [
        ("2026-01-05 05:00", "AB", 1),
        ("2026-01-05 08:59:59.999999", "AB", 1),
        ("2026-01-05 09:00:00", "BC", 2),
        ("2026-12-28 09:00", "AB", 53),
        ("2027-01-04 09:00", "BC", 54),
    ],
)
def test_the_shift_changes_at_nine_and_weeks_count_from_starts(at: str, pair: str, week: int) -> None:
    """The Monday 05:00 promise belongs to the outgoing pair; 2026 has 53 ISO weeks and the count goes on."""
    shift = who_is_on_call(team(), instant(at))
    assert (said(shift), shift.week) == (f"{pair} rotation", week)


def test_before_the_first_start_there_is_no_rota_and_the_answer_says_so() -> None:
    """Nobody is on call a moment before; the span runs to the first start."""
    before = instant("2025-12-29 08:59:59")
    shift = who_is_on_call(team(), before)
    assert (shift.start, shift.end, shift.week, shift.primary) == (before, instant("2025-12-29"), None, None)
    assert shift.end.isoformat() == "2025-12-29T09:00:00+07:00"
    assert shift.reason == "no rota before 2025-12-29T09:00:00+07:00"
    assert [part.primary for part in rota(team(), instant("2025-12-28"), instant("2025-12-30"))] == [
        None,
        "A",
    ]
    assert next_handoff(team(), before) == instant("2025-12-29")


def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    """02:00 UTC is 09:00 at UTC+7."""
    assert who_is_on_call(team(), dt.datetime(2026, 1, 5, 2, tzinfo=dt.UTC)).primary == "B"


def test_the_rota_is_cut_to_what_was_asked_and_an_empty_stretch_is_empty() -> None:
    """The first and last spans are clipped; a stretch that ends before it begins has none."""
    assert table(team(), "2026-01-03 12:00", "2026-01-06 00:00") == [
        "01-03 12:00 AB rotation",
        "01-05 09:00 BC rotation",
    ]
    begins, ends = instant("2026-01-03 12:00"), dt.datetime(2026, 1, 5, 17, tzinfo=dt.UTC)
    parts = rota(team(), begins, ends)
    assert [(part.start, part.end) for part in parts] == [
        (begins, instant("2026-01-05")),
        (instant("2026-01-05"), ends),
    ]
    assert {part.end.isoformat()[-6:] for part in parts} == {"+07:00"}  # as the roster's clock shows it
    assert rota(team(), instant("2026-01-06"), instant("2026-01-06")) == []


def test_next_handoff_is_strictly_after() -> None:
    """At the handoff itself the next one is a week away, at the first of all too."""
    assert next_handoff(team(), instant("2025-12-29")) == instant("2026-01-05")
    assert next_handoff(team(), instant("2026-01-05")) == instant("2026-01-12")
    assert next_handoff(team(), instant("2026-01-05 08:59")) == instant("2026-01-05")


def test_handoff_on_another_day_and_hour() -> None:
    """A team that hands over on Thursday at 22:30."""
    handoff = Handoff(3, dt.time(22, 30))
    roster = team([turns("2026-01-01", "AB BA")], handoff=handoff)
    assert table(roster, "2026-01-01", "2026-01-15") == ["01-01 22:30 AB rotation", "01-08 22:30 BA rotation"]


@pytest.mark.parametrize(("zone", "changes"), [(BERLIN, "2026-03-23"), (NEW_YORK, "2026-03-02")])
def test_the_handoff_stays_at_nine_on_the_wall_when_clocks_change(zone: dt.tzinfo, changes: str) -> None:
    """The shift over the spring change is an hour short, and the next begins at 09:00 again."""
    roster = team(tz=zone)
    shift = who_is_on_call(roster, instant(changes, zone))
    assert (shift.end.hour, (utc(shift.end) - utc(shift.start)) / dt.timedelta(hours=1)) == (9, 167)


def test_a_handoff_in_the_hour_that_comes_twice_is_its_first() -> None:
    """02:30 on 25 October 2026 in Berlin is 00:30 UTC; between the two 02:30s the new shift is on already."""
    roster = team([turns("2026-10-18", "AB BA")], tz=BERLIN, handoff=Handoff(6, dt.time(2, 30)))
    assert who_is_on_call(roster, dt.datetime(2026, 10, 25, 0, 29, 59, tzinfo=dt.UTC)).primary == "A"
    assert who_is_on_call(roster, dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)).primary == "B"
    assert who_is_on_call(roster, dt.datetime(2026, 10, 25, 1, 15, tzinfo=dt.UTC)).primary == "B"


def test_a_handoff_in_the_hour_that_is_skipped_comes_when_the_clock_jumps_past_it() -> None:
    """02:30 on 29 March 2026 in Berlin does not exist; the instant is 03:30 there, 01:30 UTC."""
    roster = team([turns("2026-03-22", "AB BA")], tz=BERLIN, handoff=Handoff(6, dt.time(2, 30)))
    assert next_handoff(roster, dt.datetime(2026, 3, 28, tzinfo=dt.UTC)) == dt.datetime(
        2026, 3, 29, 1, 30, tzinfo=dt.UTC
    )
    assert who_is_on_call(roster, dt.datetime(2026, 3, 29, 1, 29, 59, tzinfo=dt.UTC)).primary == "A"


def test_a_later_entry_replaces_the_earlier_from_its_day_on_and_weeks_count_on() -> None:
    """It begins with its first row; what came before stays, and a week number still means one week."""
    roster = team([turns("2026-01-12", "DC CD"), turns("2025-12-29", "AB BC CD DA")])
    shifts = rota(roster, roster.starts, instant("2026-01-26"))
    assert [(shift.week, said(shift)[:2]) for shift in shifts] == [(1, "AB"), (2, "BC"), (3, "DC"), (4, "CD")]


# Rules 2 to 4: on-call days, order, cover


@pytest.mark.parametrize(
    ("away", "said_of_week"),
    [
        ("A", ["12-29 09:00 BC cover A"]),
        ("B", ["12-29 09:00 AC cover B"]),
        ("AB", ["12-29 09:00 CD cover A"]),
        ("BC", ["12-29 09:00 AD cover B"]),
        ("ABC", ["12-29 09:00 DM cover A"]),
        ("BCD", ["12-29 09:00 AM cover B"]),
        ("ABCD", ["12-29 09:00 M- cover A"]),
        ("C", ["12-29 09:00 AB rotation"]),
    ],
)
def test_the_first_two_of_the_order_who_are_there_are_on_call(away: str, said_of_week: list[str]) -> None:
    """The secondary steps up, the next in order fills in, then the manager, who at last is alone."""
    roster = team(leave=[(person, "2025-12-29", "2026-01-05") for person in away])
    assert table(roster, "2025-12-29", "2026-01-05") == said_of_week


def test_leave_on_some_days_changes_the_seats_at_the_handoff_hour() -> None:
    """A is away from Wednesday to Thursday, B on Thursday."""
    roster = team(leave=[("A", "2025-12-31", "2026-01-02"), ("B", "2026-01-01", "2026-01-02")])
    assert table(roster, "2025-12-29", "2026-01-05") == [
        "12-29 09:00 AB rotation",
        "12-31 09:00 BC cover A",
        "01-01 09:00 CD cover A",
        "01-02 09:00 AB rotation",
    ]


def test_leave_given_as_times_counts_for_those_times() -> None:
    """Cover may begin and end within an on-call day."""
    roster = team(leave=[("A", "2025-12-31 13:00", "2025-12-31 17:30")])
    assert table(roster, "2025-12-31", "2026-01-01") == [
        "12-31 09:00 AB rotation",
        "12-31 13:00 BC cover A",
        "12-31 17:30 AB rotation",
    ]


def test_overlapping_leave_of_one_person_is_one_leave() -> None:
    """Where two leaves overlap nothing changes, and the spans are one."""
    roster = team(leave=[("A", "2025-12-30", "2026-01-01"), ("A", "2025-12-31", "2026-01-02")])
    assert table(roster, "2025-12-30", "2026-01-02") == ["12-30 09:00 BC cover A"]


def test_equal_neighbours_of_two_weeks_stay_two_shifts() -> None:
    """A and B are away for two weeks of a rotation that starts with the same pair twice."""
    assert table(team("AB AB"), "2025-12-29", "2026-01-12") == [
        "12-29 09:00 AB rotation",
        "01-05 09:00 AB rotation",
    ]


def test_the_order_goes_through_the_following_rows_as_people_appear() -> None:
    """After row BC comes A, then E of row AE: with B and C away they are A and E."""
    roster = team("BC AE ED", leave=[(person, "2025-12-29", "2026-01-05") for person in "BC"])
    assert table(roster, "2025-12-29", "2026-01-05") == ["12-29 09:00 AE cover B"]


def test_the_managers_own_leave_does_not_empty_the_seat() -> None:
    """With all four away the manager is on call, on leave or not."""
    roster = team(leave=[(person, "2025-12-29", "2026-01-05") for person in "ABCDM"])
    assert who_is_on_call(roster, instant("2025-12-30")).primary == "M"


# Rule 6: comp weeks


def test_week_ten_of_the_documents_example() -> None:
    """A is away all of week 1; B is primary in weeks 1 and 2 and rests in week 10, when the rota is A / C."""
    roster = team(leave=[("A", "2025-12-29", "2026-01-05")])
    weeks = by_week(roster, 11)
    assert weeks[:2] == ["BC cover A", "BC rotation"]
    assert weeks[5] == "BC rotation"
    assert weeks[8:] == ["AB rotation", "AC comp B", "CD rotation"]


@pytest.mark.parametrize(("days", "week_10"), [("2026-01-01", "BC rotation"), ("2026-01-02", "AC comp B")])
def test_four_covered_days_earn_a_comp_week_and_three_do_not(days: str, week_10: str) -> None:
    """From Monday to Thursday, excluded and included."""
    assert by_week(team(leave=[("A", "2025-12-29", days)]), 10)[-1] == week_10


def test_days_of_two_shifts_do_not_add_up() -> None:
    """Two days in week 1 and two in week 5 are no comp week."""
    roster = team(leave=[("A", "2025-12-29", "2025-12-31"), ("A", "2026-01-26", "2026-01-28")])
    assert not any("comp" in week for week in by_week(roster, 30))


def test_the_repayer_on_leave_is_covered_and_the_credit_goes_against_them() -> None:
    """A should repay in week 10 and is away: C covers, and earns a comp week of its own, repaid by A in week 19."""
    roster = team(leave=[("A", "2025-12-29", "2026-01-05"), ("A", "2026-03-02", "2026-03-09")])
    weeks = by_week(roster, 19)
    assert weeks[9] == "CD cover A"
    assert weeks[18] == "AD comp C"


def test_a_second_comp_week_of_one_person_takes_their_next_own_week() -> None:
    """B covers A in weeks 1 and 5 of a team of two rows per person: both claims fall on different own weeks."""
    roster = team("AB AB BC CA", leave=[("A", "2025-12-29", "2026-01-12")])
    weeks = by_week(roster, 16)
    assert weeks[:2] == ["BC cover A", "BC cover A"]
    assert [n + 1 for n, week in enumerate(weeks) if "comp B" in week] == [11, 15]


def test_a_team_of_two_repays_with_the_manager_as_secondary() -> None:
    """The cycle is two weeks: B rests in the first own week from week 5 on."""
    roster = team("AB BA", leave=[("A", "2025-12-29", "2026-01-05")])
    assert by_week(roster, 6) == ["BM cover A", *["BA rotation", "AB rotation"] * 2, "AM comp B"]


def test_the_cycle_is_the_shortest_block_however_often_it_is_written() -> None:
    """Two rows written three times are a cycle of two weeks."""
    leave = [("A", "2025-12-29", "2026-01-05")]
    assert by_week(team("AB BA AB BA AB BA", leave=leave), 12) == by_week(team("AB BA", leave=leave), 12)


def test_a_claim_made_before_a_new_rotation_is_met_by_the_rows_in_force_then() -> None:
    """B's own weeks have moved to the even weeks of the new entry by the time the claim falls due."""
    entries = [turns("2025-12-29", "AB BC CD DA"), turns("2026-02-02", "CD DC AB BA")]
    roster = team(entries, leave=[("A", "2025-12-29", "2026-01-05")])
    weeks = by_week(roster, 17)
    assert [n + 1 for n, week in enumerate(weeks) if "comp" in week] == [9]
    assert weeks[8] == "AC comp B"


def test_who_is_never_primary_again_gets_no_comp_week() -> None:
    """B left the rotation; the search ends."""
    entries = [turns("2025-12-29", "AB BC CD DA"), turns("2026-02-02", "AC CD DA")]
    roster = team(entries, leave=[("A", "2025-12-29", "2026-01-05")])
    assert not any("comp" in week for week in by_week(roster, 40))


# Rule 8: overrides


@pytest.mark.parametrize(
    ("primary", "secondary", "pair"),
    [
        ("D", None, "DB"),
        (None, "D", "AD"),
        ("C", "D", "CD"),
        ("B", None, "BA"),
        (None, "A", "BA"),
        ("A", None, "AB"),
        ("B", "A", "BA"),
        ("B", "D", "BD"),
    ],
)
def test_an_override_takes_its_seats_and_exchanges_when_its_person_holds_the_other(
    primary: str | None, secondary: str | None, pair: str
) -> None:
    """The base pair is A / B; times are exact and half-open."""
    roster = team(overrides=[("2025-12-30 10:00", "2025-12-31 11:30", primary, secondary)])
    assert table(roster, "2025-12-29", "2026-01-05") == [
        "12-29 09:00 AB rotation",
        f"12-30 10:00 {pair} override",
        "12-31 11:30 AB rotation",
    ]


def test_two_overrides_of_different_seats_act_together() -> None:
    """B is made primary and C secondary: nobody exchanges."""
    day = ("2025-12-30", "2025-12-31")
    roster = team(overrides=[(*day, None, "C"), (*day, "B", None)])
    assert table(roster, *day) == ["12-30 09:00 BC override"]


def test_an_override_beats_leave_and_comp_weeks() -> None:
    """A is on leave and B rests, and both serve when an override says so."""
    roster = team(
        leave=[("A", "2025-12-29", "2026-01-05")],
        overrides=[("2026-01-01", "2026-01-02", "A", None), ("2026-03-02", "2026-03-09", "B", None)],
    )
    assert table(roster, "2026-01-01", "2026-01-02") == ["01-01 09:00 AC override"]
    assert table(roster, "2026-03-02", "2026-03-09") == ["03-02 09:00 BC override"]


def test_an_override_never_leaves_the_primary_seat_empty() -> None:
    """The manager is alone on call; named as secondary they cannot exchange with nobody."""
    roster = team(
        leave=[(person, "2025-12-29", "2026-01-05") for person in "ABCD"],
        overrides=[("2025-12-30", "2025-12-31", None, "M"), ("2025-12-31", "2026-01-01", None, "D")],
    )
    assert table(roster, "2025-12-30", "2026-01-01") == ["12-30 09:00 M- override", "12-31 09:00 MD override"]


def test_an_override_over_a_handoff_holds_in_both_weeks() -> None:
    """It is cut at the handoff, because a shift belongs to one week."""
    roster = team(overrides=[("2026-01-04", "2026-01-06", "D", None)])
    assert table(roster, "2026-01-04", "2026-01-06") == ["01-04 09:00 DB override", "01-05 09:00 DC override"]


def test_an_override_before_the_first_start_does_nothing() -> None:
    """There is no rota to override yet."""
    roster = team(overrides=[("2025-12-28", "2025-12-30", "D", None)])
    assert table(roster, "2025-12-28", "2025-12-29")[0].startswith("12-28 09:00 -- no rota before")
    assert who_is_on_call(roster, instant("2025-12-29", PLUS_SEVEN)).primary == "D"
