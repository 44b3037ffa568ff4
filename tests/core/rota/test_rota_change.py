"""What a change of the roster does: the rota, the ledger, and what should be confirmed first."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall.core.rota.change import RotaChange, compare, swap, worries
from oncall.core.rota.on_call import rota, who_is_on_call
from oncall.core.rota.roster import Leave, Override, Roster
from tests.core.rosters import instant, said, team

START, END = instant("2026-01-26"), instant("2026-02-02")  # week 5: A / B


def with_leave(roster: Roster, *entries: tuple[str, str, str]) -> Roster:
    new = (Leave(who, instant(start), instant(end)) for who, start, end in entries)
    return replace(roster, leave=(*roster.leave, *new))


def moved(change: RotaChange) -> list[str]:
    return [
        f"{each.start:%m-%d}..{each.end:%m-%d} {said(each.before)} → {said(each.after)}"
        for each in change.moved
    ]


def test_leave_shows_cover_credit_and_the_comp_week_that_follows() -> None:
    """A is away in week 5: B covers, earns 7 days, and rests in week 14 while A takes the turn."""
    before = team()
    change = compare(before, with_leave(before, ("A", "2026-01-26", "2026-02-02")), START, END)
    assert moved(change) == [
        "01-26..02-02 AB rotation → BC cover A",
        "03-30..04-06 BC rotation → AC comp B",
    ]
    assert change.people == ("A", "B", "C")
    [credit] = change.credits
    assert credit.before is None
    assert credit.after is not None
    assert (credit.after.person, credit.after.days, credit.after.covering_for) == ("B", 7, "A")
    [comp] = change.comp_weeks
    assert comp.after is not None
    assert (comp.after.person, comp.after.week, comp.after.repaid_by) == ("B", 14, "A")


def test_more_leave_takes_a_credit_and_its_comp_week_away() -> None:
    """B, who would have covered, is away too: C covers in B's place."""
    before = team(leave=[("A", "2026-01-26", "2026-02-02")])
    change = compare(before, with_leave(before, ("B", "2026-01-26", "2026-02-02")), START, END)
    told = {
        (credit.before or credit.after).person: (  # type: ignore[union-attr]
            credit.before and credit.before.days,
            credit.after and credit.after.days,
        )
        for credit in change.credits
    }
    assert told == {"B": (7, None), "C": (None, 7)}
    assert [each.after is None for each in change.comp_weeks] == [True, False]


def test_leave_on_a_day_in_lieu_moves_the_day_and_not_the_rota() -> None:
    """A was primary on a holiday and is free the Monday after; away on it, the day moves to the Tuesday."""
    before = team(holidays={"2026-01-28": "Holiday"})
    after = with_leave(before, ("A", "2026-02-02", "2026-02-03"))
    change = compare(before, after, instant("2026-02-02"), instant("2026-02-03"))
    assert change.moved == ()
    [lieu] = change.in_lieu
    assert (str(lieu.before.date), str(lieu.after.date)) == ("2026-02-02", "2026-02-03")  # type: ignore[union-attr]


def test_nobody_left_is_to_be_confirmed() -> None:
    """The worry says who takes over."""
    before = team(leave=[(who, "2026-01-26", "2026-02-02") for who in "ABC"])
    after = with_leave(before, ("D", "2026-01-27", "2026-01-28"))
    change = compare(before, after, instant("2026-01-27"), instant("2026-01-28"))
    [worry] = worries(change, after, after.leave[-1:])
    assert "from 2026-01-27 09:00 until 2026-01-28 09:00 nobody of the rotation is left" in worry
    assert "the manager, M, takes over as primary" in worry


def test_leave_of_somebody_an_override_names_is_to_be_confirmed() -> None:
    """The override beats the leave, so that they stay on call; the rota shows no difference."""
    before = team(overrides=[("2026-01-27", "2026-01-28", "D", None)])
    after = with_leave(before, ("D", "2026-01-26", "2026-02-02"))
    [worry] = worries(compare(before, after, START, END), after, after.leave)
    assert worry.startswith("D stays on call from 2026-01-27 09:00 until 2026-01-28 09:00")


@pytest.mark.parametrize(
    ("one", "other", "start", "end", "expected"),
    [
        ("A", "C", "2026-01-26", "2026-02-02", ["01-26..02-02 C-"]),
        ("A", "B", "2026-01-26", "2026-02-02", ["01-26..02-02 BA"]),
        ("C", "B", "2026-01-28", "2026-01-29", ["01-28..01-29 -C"]),
        ("A", "C", "2026-01-26", "2026-02-09", ["01-26..02-02 C-", "02-02..02-09 -A"]),
        ("D", "C", "2026-01-26", "2026-02-02", []),
    ],
)
def test_a_swap_is_told_in_overrides(one: str, other: str, start: str, end: str, expected: list[str]) -> None:
    """Each holds the other's seat; a seat of neither is not named, so that later leave still counts for it."""
    found = swap(team(), one, other, instant(start), instant(end), "swap")
    assert [
        f"{each.start:%m-%d}..{each.end:%m-%d} {each.primary or '-'}{each.secondary or '-'}" for each in found
    ] == expected


def test_a_swap_over_leave_is_one_override_where_the_seats_stay() -> None:
    """D's leave splits nothing that A and C exchange; what they hold counts, not the plain rotation."""
    before = team(leave=[("B", "2026-01-28", "2026-01-29")])
    found = swap(before, "A", "D", START, END, "swap")
    assert [(each.start, each.end, each.primary) for each in found] == [(START, END, "D")]


@settings(deadline=None, max_examples=30)
@given(st.sampled_from("ABCD"), st.sampled_from("ABCD"), st.integers(0, 40), st.integers(1, 20))
def test_after_a_swap_each_holds_what_the_other_held(person: str, other: str, offset: int, days: int) -> None:
    """A law: within the stretch the two names are exchanged, everywhere else nothing moves."""
    before = team()
    start = before.starts + dt.timedelta(days=offset)
    end = start + dt.timedelta(days=days)
    overrides: tuple[Override, ...] = () if person == other else swap(before, person, other, start, end, "")
    after = replace(before, overrides=overrides)
    names = {person: other, other: person}
    for day in range(max(0, offset - 1), offset + days + 2):
        at = before.starts + dt.timedelta(days=day)
        old, new = who_is_on_call(before, at), who_is_on_call(after, at)
        seats = (old.primary or "", old.secondary or "")
        expected = tuple(names.get(seat, seat) for seat in seats) if start <= at < end else seats
        assert (new.primary, new.secondary) == expected


def test_the_moved_stretches_are_all_that_differs() -> None:
    """Outside of them both rotas say the same."""
    before = team()
    after = with_leave(before, ("A", "2026-01-28 12:00", "2026-02-20"))
    change = compare(before, after, instant("2026-01-28 12:00"), instant("2026-02-20"))
    for shift in rota(before, START, START + dt.timedelta(weeks=12)):
        for hours in range(0, 168, 28):
            at = shift.start + dt.timedelta(hours=hours)
            same = said(who_is_on_call(before, at)) == said(who_is_on_call(after, at))
            assert same != any(each.start <= at < each.end for each in change.moved)
