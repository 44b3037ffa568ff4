"""What holds for every roster: laws of the rota and the ledger, tried on random ones."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace
from itertools import islice, pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncall.core.rota.credit_ledger import ledger
from oncall.core.rota.on_call import fold, next_handoff, rota, who_is_on_call
from oncall.core.rota.roster import Handoff, Leave, Override, Person, Roster, Rotation
from oncall.core.rota.rota_week import Shift
from oncall.core.rota.rotation import on_call_day, week_beginning
from oncall.core.wall_time import at_wall, utc

PEOPLE = "ABCDE"
ZONES = [
    dt.timezone(dt.timedelta(hours=7)),
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("America/New_York"),
]
FIRST = dt.date(2026, 2, 16)
WEEKS = 30  # long enough for comp weeks of comp weeks, over both clock changes of spring
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def rosters(draw: st.DrawFn) -> Roster:
    """A roster with up to three rotation entries and any leave and overrides that the file could hold."""
    tz = draw(st.sampled_from(ZONES))
    handoff = Handoff(
        draw(st.integers(0, 6)), dt.time(draw(st.sampled_from([0, 2, 9, 23])), draw(st.sampled_from([0, 30])))
    )
    first = FIRST + dt.timedelta(days=handoff.weekday)
    row = st.permutations(PEOPLE).map(lambda people: (people[0], people[1]))
    rows = st.lists(row, min_size=1, max_size=4).map(tuple)
    later = draw(st.lists(st.integers(1, WEEKS), max_size=2, unique=True))
    rotation = tuple(Rotation(first + dt.timedelta(weeks=week), draw(rows)) for week in (0, *later))
    roster = Roster(tz, "M", {who: Person(who, who) for who in (*PEOPLE, "M")}, rotation, handoff)
    holidays = draw(st.lists(st.integers(0, 7 * WEEKS), max_size=5, unique=True))
    return replace(
        roster,
        leave=tuple(draw(st.lists(_leave(roster), max_size=8))),
        overrides=_without_overlaps(draw(st.lists(_overrides(roster), max_size=4))),
        public_holidays={first + dt.timedelta(days=day): "holiday" for day in holidays},
    )


@st.composite
def _stretches(draw: st.DrawFn, roster: Roster) -> tuple[dt.datetime, dt.datetime]:
    day = roster.starts.date() + dt.timedelta(days=draw(st.integers(-3, 7 * WEEKS)))
    last = day + dt.timedelta(days=draw(st.sampled_from([0, 1, 3, 4, 7, 7, 14])))
    if draw(st.booleans()) and last > day:
        return roster.day_starts(day), roster.day_starts(last)
    hours = st.integers(0, 23)
    start = at_wall(day, dt.time(draw(hours)), roster.tz)
    return start, at_wall(last + dt.timedelta(days=1), dt.time(draw(hours)), roster.tz)


@st.composite
def _leave(draw: st.DrawFn, roster: Roster) -> Leave:
    return Leave(draw(st.sampled_from((*PEOPLE, "M"))), *draw(_stretches(roster)))


@st.composite
def _overrides(draw: st.DrawFn, roster: Roster) -> Override:
    primary, secondary, *_ = draw(st.permutations((*PEOPLE, "M")))
    seats = draw(st.sampled_from([(primary, None), (None, secondary), (primary, secondary)]))
    return Override(*draw(_stretches(roster)), *seats)


def _without_overlaps(overrides: list[Override]) -> tuple[Override, ...]:
    kept: list[Override] = []
    for override in overrides:
        if all(utc(override.end) <= other.start or other.end <= utc(override.start) for other in kept):
            kept.append(override)
    return tuple(kept)


def _all(roster: Roster, weeks: int = WEEKS) -> list[Shift]:
    return rota(roster, roster.starts, roster.starts + dt.timedelta(weeks=weeks))


@given(rosters())
@quick
def test_the_answer_is_never_empty_and_the_seats_differ(roster: Roster) -> None:
    """From the first start on there is a primary, who is not the secondary."""
    assert all(shift.primary and shift.primary != shift.secondary for shift in _all(roster))


@given(rosters())
@quick
def test_nobody_on_leave_holds_a_seat_but_by_override(roster: Roster) -> None:
    """The manager apart, who is taken to be there."""
    for shift in _all(roster):
        for entry in roster.leave:
            apart = shift.reason == "override" or entry.person == "M"
            over = utc(entry.start) < shift.end and utc(shift.start) < entry.end
            assert apart or not over or entry.person not in (shift.primary, shift.secondary)


@given(rosters())
@quick
def test_the_spans_tile_the_time_and_are_maximal(roster: Roster) -> None:
    """No gap, no overlap, no span over a handoff, no equal neighbours within a week."""
    shifts = _all(roster)
    assert shifts[0].start == roster.starts
    assert utc(shifts[-1].end) == utc(roster.starts + dt.timedelta(weeks=WEEKS))
    for shift, following in pairwise(shifts):
        assert utc(shift.start) < utc(shift.end) == utc(following.start)
        assert utc(shift.end) <= utc(next_handoff(roster, shift.start))
        same = replace(shift, start=following.start, end=following.end) == following
        assert not same or utc(next_handoff(roster, shift.start)) == utc(shift.end)


@given(rosters(), st.integers(-86_400 * 9, 86_400 * 7 * WEEKS))
@quick
def test_one_answer_and_the_whole_rota_agree(roster: Roster, seconds: int) -> None:
    """Who is on call at an instant is what the rota says of it, whatever stretch was asked for."""
    at = utc(roster.starts) + dt.timedelta(seconds=seconds)
    shift = who_is_on_call(roster, at)
    (here,) = rota(roster, at, at + dt.timedelta(microseconds=1))
    assert utc(shift.start) <= at < utc(shift.end)
    assert (here.primary, here.secondary, here.week, here.reason, here.covering_for) == (
        *(shift.primary, shift.secondary, shift.week, shift.reason, shift.covering_for),
    )


@given(rosters(), st.randoms())
@quick
def test_the_order_in_the_file_does_not_matter(roster: Roster, random: Random) -> None:
    """Leave, overrides and rotation entries may stand in any order."""
    parts = {name: list(getattr(roster, name)) for name in ("leave", "overrides", "rotation")}
    for part in parts.values():
        random.shuffle(part)
    orders: dict[str, Any] = {name: tuple(part) for name, part in parts.items()}
    shuffled = replace(roster, **orders)
    until = roster.starts + dt.timedelta(weeks=WEEKS)
    assert _all(shuffled) == _all(roster)
    assert ledger(shuffled, until) == ledger(roster, until)


@given(rosters(), st.data())
@quick
def test_the_past_never_changes(roster: Roster, data: st.DataObject) -> None:
    """Leave, overrides and a rotation entry that begin later alter no answer before, and no credit earned."""
    week = data.draw(st.integers(1, WEEKS))
    begins = roster.starts.date() + dt.timedelta(weeks=week)
    now = roster.day_starts(begins)
    leave = data.draw(st.lists(_leave(roster), max_size=4))
    overrides = data.draw(st.lists(_overrides(roster), max_size=2))
    rows = data.draw(st.permutations(PEOPLE))
    entries = {entry.starts: entry for entry in roster.rotation} | {
        begins: Rotation(begins, ((rows[0], rows[1]),))
    }
    later = replace(
        roster,
        leave=(*roster.leave, *(entry for entry in leave if utc(entry.start) >= now)),
        overrides=(*roster.overrides, *(entry for entry in overrides if utc(entry.start) >= now)),
        rotation=tuple(entries.values()),
    )
    assert rota(later, roster.starts, now) == rota(roster, roster.starts, now)
    assert ledger(later, now).credits == ledger(roster, now).credits


@given(rosters())
@quick
def test_credits_are_conserved(roster: Roster) -> None:
    """Without overrides a credit day is an on-call day with somebody else than the head of the order as primary."""
    roster = replace(roster, overrides=())
    heads = {page.week.begins: page.order[0] for page in islice(fold(roster), WEEKS)}
    served = set()
    for shift in _all(roster):
        begins = week_beginning(roster, shift.start)
        day = on_call_day(roster, shift.start)
        while shift.primary not in (heads[begins], "M") and utc(roster.day_starts(day)) < shift.end:
            served.add((shift.primary, begins, day))
            day += dt.timedelta(days=1)
    credited = ledger(roster, roster.starts + dt.timedelta(weeks=WEEKS)).credits
    days = {(entry.person, entry.begins): entry.days for entry in credited}
    assert days == Counter((person, begins) for person, begins, _ in served)
    assert all(entry.covering_for == heads[entry.begins] for entry in credited)


@given(rosters())
@quick
def test_days_in_lieu_are_free_and_given_once(roster: Roster) -> None:
    """One for each past public holiday; on a working day without seat, leave, holiday or another day in lieu."""
    until = roster.starts + dt.timedelta(weeks=WEEKS)
    given_days = ledger(roster, until).in_lieu
    ended = on_call_day(roster, until)
    assert {entry.holiday for entry in given_days} == {
        day for day in roster.public_holidays if roster.starts.date() <= day < ended
    }
    taken = [(entry.person, entry.date) for entry in given_days if entry.date]
    assert len(taken) == len(set(taken))
    for person, day in taken:
        assert day.weekday() < 5
        assert day not in roster.public_holidays
        start, end = roster.day_starts(day), roster.day_starts(day + dt.timedelta(days=1))
        assert all(person not in (shift.primary, shift.secondary) for shift in rota(roster, start, end))
        assert not any(
            entry.person == person and entry.start < end and start < entry.end for entry in roster.leave
        )
