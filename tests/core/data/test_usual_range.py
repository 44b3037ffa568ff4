"""The range drawn behind a number: around what the days before make expected, also while they grow."""

from __future__ import annotations

import datetime as dt

from oncall.core.data.usual_range import usual_ranges

FIRST = dt.date(2026, 6, 22)


def days(amounts: list[float]) -> dict[dt.date, float]:
    return {FIRST + dt.timedelta(days=n): amount for n, amount in enumerate(amounts)}


def test_in_a_young_shop_the_range_grows_with_the_number() -> None:
    """The customers of 28 days are more each day for four weeks, which is no sale: the range follows within days."""
    young = days([40 + 160 * min(n, 28) / 28 for n in range(60)])
    for day, there in zip(young, usual_ranges(list(young), young), strict=True):
        assert there is None or there.low <= young[day] <= 1.2 * there.high, (day, young[day], there)


def test_a_number_far_off_is_out_of_its_range() -> None:
    """Both ways; and a day that is not published has a range too."""
    shop = days([100.0] * 40)
    last = max(shop)
    for amount in (60.0, 140.0):
        (there,) = usual_ranges([last], shop | {last: amount})
        assert there is not None
        assert not there.low <= amount <= there.high
    (there,) = usual_ranges([last + dt.timedelta(days=1)], shop)
    assert there is not None
    assert there.low < 100 < there.high
