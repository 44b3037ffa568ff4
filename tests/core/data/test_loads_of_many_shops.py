"""Loads of generated shops: no clean day is waited for, and no load of 60 percent passes in silence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pytest

from oncall.core.data.expectation import WINDOW_DAYS, expect
from oncall.core.promises.facts import Load

AT = dt.datetime(2026, 11, 24, 1, tzinfo=dt.UTC)
WEEKS = ((1, 1, 1, 1, 1.2, 1.1, 0.6), (1,) * 7, (1, 0.95, 1, 1.05, 1.1, 0.5, 0.3))
DAYS, KNOWN_AFTER = 150, 28


def rows_of_days(rows: float, varies_by: float, seed: int) -> list[int]:
    """A count a day, of a level that grows or shrinks, has its weekdays, and varies besides."""
    dice = np.random.default_rng([seed, round(rows), round(100 * varies_by)])
    week, daily = WEEKS[seed % 3], 1 + (seed % 5 - 2) * 0.002
    shape = 1 / varies_by**2
    levels = (rows * week[day % 7] * daily**day * dice.gamma(shape, varies_by**2) for day in range(DAYS))
    return [int(dice.poisson(level)) for level in levels]


def loads(rows: float, varies_by: float, part: float, seeds: int, since: int = 1) -> Iterator[Load]:
    """The load of each day, with this part of its rows, beside the days before it."""
    for seed in range(seeds):
        days = rows_of_days(rows, varies_by, seed)
        for day in range(since, DAYS):
            earlier = [(ago, float(days[day - ago])) for ago in range(1, min(day, WINDOW_DAYS) + 1)]
            expected = expect(earlier)
            assert expected is not None
            yield Load("t", AT, round(part * days[day]), expected.amount, None, expected.spread_of_a_load)


def share_of(found: list[bool]) -> float:
    return sum(found) / len(found)


@pytest.mark.parametrize("rows", [3, 9, 30, 100, 1000, 30_000])
@pytest.mark.parametrize("varies_by", [0.04, 0.1, 0.15])
def test_no_clean_day_is_waited_for(rows: float, varies_by: float) -> None:
    """Of a year and more of each such table, from its second day on, growing or shrinking, with quiet Sundays."""
    cried = [load for load in loads(rows, varies_by, 1.0, seeds=3) if load.state == "partial"]
    assert not cried


@pytest.mark.parametrize(
    ("rows", "varies_by", "held", "told"),
    [
        (30_000, 0.04, 0.97, 1.0),
        (3000, 0.04, 0.95, 1.0),
        (1000, 0.04, 0.85, 0.99),
        (30_000, 0.08, 0.5, 0.97),
        (9, 0.15, 0.0, 0.45),
    ],
)
def test_a_load_of_sixty_percent_is_waited_for_or_said(
    rows: float, varies_by: float, held: float, told: float
) -> None:
    """The more rows and the more alike the days, the more often it is waited for; of the rest people are told."""
    found = list(loads(rows, varies_by, 0.6, seeds=3, since=KNOWN_AFTER))
    assert share_of([load.state == "partial" for load in found]) >= held
    assert share_of([load.state == "partial" or load.is_small for load in found]) >= told


@pytest.mark.parametrize(
    ("rows", "varies_by", "noticed"),
    [(100, 0.04, 0.5), (200, 0.04, 0.85), (400, 0.04, 0.95), (200, 0.1, 0.55), (400, 0.1, 0.6)],
)
def test_a_load_of_sixty_percent_of_a_small_table_is_waited_for_or_told(
    rows: float, varies_by: float, noticed: float
) -> None:
    """From a hundred rows a day on: of fewer it is no rarer than a quiet day."""
    found = loads(rows, varies_by, 0.6, seeds=3, since=KNOWN_AFTER)
    assert share_of([load.state == "partial" or load.is_unusually_small for load in found]) >= noticed


@pytest.mark.parametrize("rows", [5, 30, 100, 1000])
@pytest.mark.parametrize("varies_by", [0.04, 0.1, 0.15])
def test_hardly_a_clean_day_is_told(rows: float, varies_by: float) -> None:
    """On four days a year at the most, of three years of each such table."""
    told = [load.is_unusually_small for load in loads(rows, varies_by, 1.0, seeds=9, since=KNOWN_AFTER)]
    assert sum(told) <= 4 * 3


def test_what_varies_by_no_more_than_a_count_is_known_sooner() -> None:
    """A stock of 200 products that never changes: 120 of them are partial, 120 of as many orders are not."""
    stock = Load("t", AT, 120, 200.0, None, 0.07 * 200)
    orders = Load("t", AT, 120, 200.0, None, 0.12 * 200)
    assert (stock.state, orders.state) == ("partial", "fresh")
    assert orders.is_small


def test_rows_that_come_in_groups_are_counted_by_groups() -> None:
    """155 lines of 262 may be 39 carts of 65; 155 orders of 262 are no chance."""
    assert Load("t", AT, 155, 262.0, None, 19.5).state == "partial"
    assert Load("t", AT, 155, 262.0, None, 19.5, group=4.0).state == "fresh"
