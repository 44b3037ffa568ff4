"""Nights in which the clocks change, or a shift ends at the due instant: the right person, once, to the second."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.core.promises.facts import Facts
from oncall.core.promises.promise import Promise
from oncall.core.rota.roster import Handoff, Override, Rotation
from tests.usecases.conftest_night import TZ, Night

BERLIN, NEW_YORK, LORD_HOWE = (
    ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
)
SPRING, AUTUMN = dt.date(2027, 3, 28), dt.date(2026, 10, 25)  # Sundays, in Berlin
SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)


def a_night(tz: dt.tzinfo, handoff: dt.time, due: dt.time, last: dt.date) -> Night:
    """Growth is missing on the morning after `last`, a Sunday on which the shifts change."""
    night = Night()
    night.store = MemoryStore(now=lambda: night.now)
    weeks = night.config.roster.rotation[0].weeks
    first = Rotation(dt.date(2025, 12, 28), weeks)
    roster = replace(night.config.roster, tz=tz, handoff=Handoff(6, handoff), rotation=(first,))
    growth = replace(night.config.pipelines["growth_etl"], promise=Promise(due, dt.time(0, 30)))
    night.config = replace(night.config, roster=roster, pipelines={"growth_etl": growth})
    night.world.facts["growth_etl", last] = Facts()
    night.store.set_note("watching_since", dt.datetime(2026, 1, 1, tzinfo=dt.UTC).isoformat())
    return night


def look(night: Night, instant: dt.datetime) -> None:
    local = instant.astimezone(TZ)
    night.look(local.time().isoformat(), local.date())


def pair(night: Night, instant: dt.datetime) -> tuple[str, str]:
    """By weeks of the calendar alone: whose week it is after this many handoffs."""
    roster = night.config.roster
    begins = roster.rotation[0].starts
    local = instant.astimezone(roster.tz)
    sunday = local.date() - dt.timedelta(days=(local.date() - begins).days % 7)
    if instant < roster.day_starts(sunday).astimezone(dt.UTC):
        sunday -= dt.timedelta(days=7)
    weeks = roster.rotation[0].weeks
    return weeks[(sunday - begins).days // 7 % len(weeks)]


@pytest.mark.parametrize(
    ("tz", "sunday", "handoff", "due", "instant"),
    [
        (BERLIN, SPRING, "02:30", "02:30", "2027-03-28T01:30Z"),  # skipped: what the clock calls 03:30
        (BERLIN, SPRING, "03:30", "02:30", "2027-03-28T01:30Z"),  # … and so are both
        (BERLIN, SPRING, "02:00", "03:00", "2027-03-28T01:00Z"),
        (BERLIN, SPRING, "09:00", "02:59", "2027-03-28T01:59Z"),
        (BERLIN, AUTUMN, "02:30", "02:30", "2026-10-25T00:30Z"),  # twice: the first of the two
        (BERLIN, AUTUMN, "02:45", "02:30", "2026-10-25T00:30Z"),
        (BERLIN, AUTUMN, "02:15", "02:30", "2026-10-25T00:30Z"),
        (BERLIN, AUTUMN, "03:00", "02:59", "2026-10-25T00:59Z"),
        (NEW_YORK, dt.date(2026, 11, 1), "01:30", "01:30", "2026-11-01T05:30Z"),
        (NEW_YORK, dt.date(2027, 3, 14), "02:30", "02:30", "2027-03-14T07:30Z"),
        (LORD_HOWE, dt.date(2026, 10, 4), "02:15", "02:15", "2026-10-03T15:45Z"),  # half an hour is skipped
        (LORD_HOWE, dt.date(2027, 4, 4), "01:45", "01:45", "2027-04-03T14:45Z"),  # … or comes twice
    ],
)
def test_the_pair_of_the_due_instant_is_paged_once(
    tz: dt.tzinfo, sunday: dt.date, handoff: str, due: str, instant: str
) -> None:
    """Not a second before it, and not again when the clock shows that time once more; the new pair when it changes."""
    night = a_night(
        tz, dt.time.fromisoformat(handoff), dt.time.fromisoformat(due), sunday - dt.timedelta(days=1)
    )
    at = dt.datetime.fromisoformat(instant)
    look(night, at - SECOND)
    assert not [page for page in night.pager.paged if page.priority == "P1"]
    for minutes in range(0, 151, 5):
        look(night, at + minutes * MINUTE)
    woken = [page.recipients[0].name for page in night.pager.paged if page.priority == "P1"]
    assert woken[0] == pair(night, at)[0]
    ends = [m for m in range(1, 151) if pair(night, at + m * MINUTE) != pair(night, at)]
    alone = [*pair(night, at), "DE-MANAGER"]
    if not ends:
        assert woken == alone
    else:  # an incident open across the handoff passes to the new pair
        new = [*pair(night, at + 150 * MINUTE), "DE-MANAGER"]
        before = [name for name, waits in zip(alone, (0, 15, 30), strict=True) if waits < ends[0]]
        assert woken == before + new[: len(woken) - len(before)]
        assert new[0] in woken[len(before) :]


@pytest.mark.parametrize("edge", ["until", "from"])
def test_an_override_that_ends_or_begins_at_the_due_instant(edge: str) -> None:
    """Half-open: whoever begins at five has five."""
    night = a_night(TZ, dt.time(9), dt.time(5), dt.date(2026, 11, 22))
    due = dt.datetime(2026, 11, 23, 5, tzinfo=TZ)
    hours = (due - dt.timedelta(hours=3), due) if edge == "until" else (due, due + dt.timedelta(hours=3))
    usual = pair(night, due)[0]
    other = next(name for name in ("DE-001", "DE-003") if name not in pair(night, due))
    over = (Override(*hours, primary=other),)
    night.config = replace(night.config, roster=replace(night.config.roster, overrides=over))
    look(night, due - SECOND)
    look(night, due)
    look(night, due + SECOND)
    woken = [page.recipients[0].name for page in night.pager.paged if page.priority == "P1"]
    assert woken == [usual if edge == "until" else other]
