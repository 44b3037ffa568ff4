"""What a roster remembers of its rota: never another answer, never another roster's, never without end."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from oncall.core.rota.assigned_weeks import MOST_KEPT, assigned_weeks
from oncall.core.rota.credit_ledger import ledger
from oncall.core.rota.on_call import fold, rota, who_is_on_call
from oncall.core.rota.roster import Leave, Roster
from oncall.core.rota.rota_week import Shift
from oncall.core.wall_time import utc
from tests.core.rosters import instant, team
from tests.core.rota.test_rota_laws import WEEKS, quick, rosters

AWAY = [
    ("A", "2025-12-29", "2026-01-05"),
    ("A", "2026-03-02", "2026-03-09"),
    ("C", "2026-05-04", "2026-05-11"),
]


def asked(roster: Roster, seconds: int) -> tuple[Shift, list[Shift], object]:
    """All that can be asked of a roster, for an instant so long after its first start."""
    at = utc(roster.starts) + dt.timedelta(seconds=seconds)
    return who_is_on_call(roster, at), rota(roster, at, at + dt.timedelta(weeks=3)), ledger(roster, at)


@given(rosters(), st.lists(st.integers(-86_400 * 9, 86_400 * 7 * WEEKS), min_size=2, max_size=6))
@quick
def test_the_answer_is_that_of_a_roster_which_was_asked_nothing_else(
    roster: Roster, instants: list[int]
) -> None:
    """Whatever was asked before, early or late: a memory only saves time."""
    for seconds in instants:
        assert asked(roster, seconds) == asked(replace(roster), seconds)


@given(rosters(), st.randoms())
@quick
def test_weeks_are_the_same_in_whatever_order_they_are_asked_for(roster: Roster, random: Random) -> None:
    """A week that is resolved alone is the week that the fold comes to."""
    in_turn = list(islice(fold(replace(roster)), WEEKS))
    for week in random.sample(in_turn, WEEKS):
        alone = assigned_weeks(roster).week(week.week.begins)
        assert (alone.week, alone.order, alone.comp) == (week.week, week.order, week.comp)
        assert (alone.spans, alone.credits, alone.earned) == (week.spans, week.credits, week.earned)


def test_a_roster_that_was_edited_remembers_nothing_of_the_old_one() -> None:
    """Leave comes and goes while the process runs, and each roster goes on answering for itself."""
    roster = team()
    at = instant("2026-01-01")
    assert who_is_on_call(roster, at).primary == "A"
    away = replace(roster, leave=(Leave("A", instant("2025-12-29"), instant("2026-01-05")),))
    assert who_is_on_call(away, at).primary == "B"
    assert who_is_on_call(replace(away, leave=()), at).primary == "A"
    assert who_is_on_call(roster, at).primary == "A"
    assert who_is_on_call(away, at).primary == "B"


def test_a_roster_is_the_same_roster_whatever_it_was_asked() -> None:
    """Equal, copied and sent elsewhere: what it remembers is no part of what the file says."""
    roster, fresh = team(leave=AWAY), team(leave=AWAY)
    shifts = rota(roster, instant("2026-01-01"), instant("2026-12-01"))
    assert roster == fresh
    assert repr(roster) == repr(fresh)
    for other in (copy.deepcopy(roster), pickle.loads(pickle.dumps(roster))):
        assert rota(other, instant("2026-01-01"), instant("2026-12-01")) == shifts


def test_the_memory_does_not_grow_without_end() -> None:
    """Five hundred years ahead is one week more to keep, and a century of weeks is not kept."""
    roster = team(leave=AWAY)
    assert who_is_on_call(roster, instant("2526-03-05")).primary
    assert len(assigned_weeks(roster)._kept) < 10
    century = rota(roster, instant("2026-01-05"), instant("2126-01-07"))
    assert len(century) > 5000
    assert len(assigned_weeks(roster)._kept) <= MOST_KEPT
    assert who_is_on_call(roster, instant("2026-03-02")) == who_is_on_call(
        replace(roster), instant("2026-03-02")
    )


def test_leave_without_an_end_is_borne() -> None:
    """Somebody has left, and the file says "until 2999": those who stay share the weeks, and the memory stays small."""
    roster = team(leave=[("A", "2026-01-05", "2999-01-01")])
    at = instant("2031-03-06")
    assert who_is_on_call(roster, at) == who_is_on_call(replace(roster), at)
    assert "A" not in (who_is_on_call(roster, at).primary, who_is_on_call(roster, at).secondary)
    assert len(assigned_weeks(roster)._kept) <= MOST_KEPT


def test_threads_that_ask_at_once_are_all_told_the_truth() -> None:
    """The page's threads and the watcher share one roster; each asks in an order of its own."""
    roster = team(leave=AWAY, overrides=[("2026-02-03", "2026-02-05", "D", None)])
    instants = [instant("2025-12-20") + dt.timedelta(days=27 * number) for number in range(30)]
    truth = {at: who_is_on_call(roster, at) for at in instants}
    fresh = replace(roster)

    def ask(seed: int) -> bool:
        shuffled = Random(seed).sample(list(truth), len(truth))
        return all(who_is_on_call(fresh, at) == truth[at] for at in shuffled)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(32)))


def test_a_remembered_list_is_the_askers_own() -> None:
    """Whoever takes the rota apart takes nobody else's apart."""
    roster = team()
    stretch = (instant("2026-01-01"), instant("2026-02-01"))
    first = rota(roster, *stretch)
    whole = list(first)
    first.clear()
    assert rota(roster, *stretch) == whole
