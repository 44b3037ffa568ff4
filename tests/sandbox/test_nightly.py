"""The sandbox's nights: every table once, at its time, and late when the laptop slept."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from sandbox.master_data.business_day import ZONE
from sandbox.master_data.generator import TABLES
from sandbox.master_data.loading import usual_load_time
from sandbox.master_data.nightly import due_between

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=ZONE)
instants = st.integers(0, 30 * 86_400).map(lambda seconds: NOON + dt.timedelta(seconds=seconds))


def test_one_night_brings_every_table_of_yesterday() -> None:
    """From noon to noon each table of the day that ended comes once, in the order of its usual times."""
    night = due_between(NOON - dt.timedelta(days=1), NOON)
    assert {day for day, _ in night} == {dt.date(2026, 11, 22)}
    assert sorted(table for _, table in night) == sorted(TABLES)
    times = [usual_load_time(table, day) for day, table in night]
    assert times == sorted(times)


def test_nothing_comes_before_its_time() -> None:
    """A second before a table's usual time it is not due; at that second it is."""
    day = dt.date(2026, 11, 22)
    at = usual_load_time("orders", day)
    second = dt.timedelta(seconds=1)
    assert (day, "orders") not in due_between(NOON - dt.timedelta(days=1), at - second)
    assert (day, "orders") in due_between(at - second, at)
    assert (day, "orders") not in due_between(at, NOON)


@given(*(instants,) * 3)
def test_waking_up_in_between_changes_nothing(a: dt.datetime, b: dt.datetime, c: dt.datetime) -> None:
    """However often the loop looks, it finds the same table-days, none twice, in the same order."""
    first, middle, last = sorted((a, b, c))
    assert due_between(first, middle) + due_between(middle, last) == due_between(first, last)
