"""What is said of the rota, as tables: who is on call and why, what a week earns, what a change does to that."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import islice

import pytest

from oncall.core.rota import change_words, shift_words, week_words
from oncall.core.rota.change import Altered
from oncall.core.rota.credit_ledger import CreditDays, InLieu, ledger
from oncall.core.rota.on_call import fold, next_handoff, rota, who_is_on_call
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import CompWeek
from oncall.core.time_format import TimeFormat
from tests.core.rosters import PLUS_SEVEN, instant, team

SICK = team(leave=[("A", "2025-12-29", "2026-01-05")], holidays={"2026-01-01": "New Year"})
LEDGER = ledger(SICK, instant("2027-01-01"))


def asked(roster: Roster, at: str) -> list[str]:
    now = instant(at)
    shift = who_is_on_call(roster, now)
    following = who_is_on_call(roster, shift.end)
    say = TimeFormat(now, PLUS_SEVEN)
    return list(shift_words.who_is_paged(roster, shift, following, next_handoff(roster, now), say))


def test_who_is_on_call_says_who_why_until_when_and_who_comes_after() -> None:
    """By rotation, on the Friday of the first week."""
    assert asked(team(), "2026-01-02 12:00") == [
        "A is on call until Mon 5 Jan 09:00 (UTC+07:00).",
        "Week 1 of the rotation.",
        "Paged after them: B, then the manager, M.",
        "From Mon 5 Jan 09:00 on: B, then C.",
    ]


@pytest.mark.parametrize(
    ("name", "told", "after"),
    [
        ("DE manager", "DE manager", "DE manager (M)"),
        ("Anna", "Anna (manager)", "the manager, Anna (M)"),
    ],
)
def test_a_seat_that_the_name_tells_is_not_said_twice(name: str, told: str, after: str) -> None:
    roster = team()
    people = {**roster.people, "M": replace(roster.people["M"], name=name)}
    assert shift_words.seated(name, "manager") == told
    lines = asked(replace(roster, people=people), "2026-01-02 12:00")
    assert lines[2] == f"Paged after them: B, then {after}."


def test_a_shift_that_ends_before_the_handoff_names_both() -> None:
    """An override of one evening; a manager who holds a seat is not named a second time."""
    roster = team(overrides=[("2026-01-02 18:00", "2026-01-02 23:00", "C", "M")])
    assert asked(roster, "2026-01-02 20:00") == [
        "C is on call until Fri 2 Jan 23:00 (UTC+07:00).",
        "Week 1 of the rotation, by an override.",
        "Paged after them: M.",
        "From Fri 2 Jan 23:00 on: A, then B.",
        "The next handoff is on Mon 5 Jan 09:00.",
    ]


def test_before_the_rota_begins_nobody_is_on_call() -> None:
    """With the reason and nothing else."""
    [words] = asked(team(), "2025-12-28 12:00")
    assert words == "Nobody is on call: there is no rota before 2025-12-29T09:00:00+07:00."


@pytest.mark.parametrize(
    ("roster", "at", "words"),
    [
        (team(), "2026-01-02", "Week 1 of the rotation."),
        (SICK, "2026-01-02", "Week 1 of the rotation, standing in for A, on leave."),
        (SICK, "2026-03-02", "Week 10 of the rotation, B has a comp week."),
        (team(), "2025-12-28", "There is no rota before 2025-12-29T09:00:00+07:00."),
    ],
)
def test_the_reason_of_a_pair_is_one_sentence(roster: Roster, at: str, words: str) -> None:
    """By rotation nothing more is to be said."""
    assert shift_words.why(roster, who_is_on_call(roster, instant(at))) == words


@pytest.mark.parametrize(
    ("person", "at", "words"),
    [
        ("A", "2025-12-29 08:59", "A"),
        ("A", "2025-12-29 09:00", "A (on leave)"),
        ("B", "2025-12-29 09:00", "B"),
        ("A", "2026-01-05 09:00", "A"),
    ],
)
def test_of_whom_to_ask_it_is_said_that_they_are_on_leave(person: str, at: str, words: str) -> None:
    """Whoever is woken asks the other one then."""
    assert shift_words.to_ask(SICK, person, instant(at)) == words


def test_a_person_is_named_with_the_id_where_that_is_another_word() -> None:
    """An id that the roster does not know stands for itself."""
    roster = team()
    known = replace(roster, people={**roster.people, "A": replace(roster.people["A"], name="Anna")})
    named = [shift_words.named_with_id(known, person) for person in ("A", "B", "Z")]
    assert named == ["Anna (A)", "B", "Z"]
    assert shift_words.named(known, None) == "nobody"
    assert [shift_words.pair("Anna", ""), shift_words.pair("", "B")] == [
        "Anna, then nobody",
        "nobody, then B",
    ]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (
            1,
            [
                "A is on leave 29 Dec – 4 Jan.",
                "B stands in for A, on leave; C is secondary.",
                "B earns 7 credit days; rests in rota week 10 (from 2 Mar), repaid by A.",
                "Thu 1 Jan is a public holiday, New Year; B gets a day in lieu on Mon 12 Jan.",
            ],
        ),
        (2, ["As the rotation says: B is primary, C secondary."]),
        (
            10,
            [
                "B rests in the comp week earned in rota week 1; A repays it and heads the order.",
                "A is primary in the place of B, C secondary.",
            ],
        ),
    ],
)
def test_why_a_week_is_as_it_is(number: int, words: list[str]) -> None:
    """Who is away, who stands in, what is earned by it, and the week that pays it back."""
    week = next(islice(fold(SICK), number - 1, None))
    shifts = rota(SICK, week.week.start, week.week.end)
    assert list(week_words.why(SICK, week, shifts, LEDGER.in_lieu)) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "B: 1 day in rota week 3 (12 Jan), for A"), (2, "B: 2 days in rota week 3 (12 Jan), for A")],
)
def test_days_that_are_earned_are_counted(count: int, words: str) -> None:
    """One day is no "days"."""
    assert week_words.credit_days("B", count, 3, dt.date(2026, 1, 12), "A") == words


def test_two_primary_weeks_running_are_a_warning_with_both_dates() -> None:
    """And a fair share says what it does not count."""
    first, last = dt.date(2026, 1, 5), dt.date(2026, 1, 19)
    assert (
        week_words.weeks_running("B", 2, first, last)
        == "B is primary two weeks running: Mon 5 Jan to Mon 19 Jan"
    )
    assert week_words.fair_share(3.25, 3) == (
        "A fair share of these weeks is 3.25 as primary and 3 as secondary for each who takes turns."
        " Drills do not count as nights."
    )


CREDIT = CreditDays("B", 3, dt.date(2026, 1, 12), 2, "A")
REST = CompWeek("B", "A", 12, dt.date(2026, 3, 16), 3, dt.date(2026, 1, 15))
OFF = InLieu("B", dt.date(2026, 1, 19), dt.date(2026, 1, 1), "New Year")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (change_words.credit(Altered(None, CREDIT)), "B earns 2 credit days in rota week 3 for A"),
        (
            change_words.credit(Altered(replace(CREDIT, days=1), CREDIT)),
            "B earns 2 credit days instead of 1 in rota week 3 for A",
        ),
        (
            change_words.credit(Altered(CREDIT, replace(CREDIT, days=1))),
            "B earns 1 credit day instead of 2 in rota week 3 for A",
        ),
        (
            change_words.credit(Altered(CREDIT, None)),
            "B earns 0 credit days instead of 2 in rota week 3 for A",
        ),
        (
            change_words.comp_week(Altered(None, REST)),
            "B rests in rota week 12 (from 2026-03-16; A takes the turn)",
        ),
        (
            change_words.comp_week(Altered(replace(REST, week=8), REST)),
            "B rests in rota week 12 (from 2026-03-16; A takes the turn, instead of in rota week 8)",
        ),
        (
            change_words.comp_week(Altered(REST, None)),
            "B does not rest in rota week 12 (2026-03-16) any more",
        ),
        (
            change_words.in_lieu(Altered(None, OFF)),
            "in lieu of 2026-01-01 (New Year): B on 2026-01-19 instead of nobody",
        ),
        (
            change_words.in_lieu(Altered(OFF, replace(OFF, date=None))),
            "in lieu of 2026-01-01 (New Year): B, no date yet instead of B on 2026-01-19",
        ),
    ],
)
def test_a_change_says_what_is_earned_by_it(said: str, words: str) -> None:
    """With what was said before, where there was anything."""
    assert said == words
