"""Charts as SVG: every day has its place, a gap stays a gap, whatever the amounts are."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.web.views.charts import AXIS_WIDTH, HEIGHT, MOST, WIDTH, Canvas, Series, compact, drawable, lane

AMOUNTS = st.lists(st.one_of(st.none(), st.floats(-MOST, MOST)), min_size=1, max_size=60)


def canvas(days: int, **more: bool) -> Canvas:
    return Canvas([f"day {n}" for n in range(days)], [n == 1 for n in range(days)], "a chart", **more)


def paths(svg: str, kind: str) -> list[str]:
    """What is drawn with a class."""
    return [one.get("d", "") for one in ET.fromstring(svg).iter() if kind in one.get("class", "").split()]


def heights(path: str) -> list[float]:
    return [float(y) for y in re.findall(r"[ML][\d.]+ (-?[\d.]+)", path)]


@given(AMOUNTS)
def test_whatever_the_amounts_are_it_stays_on_the_paper(amounts: list[float | None]) -> None:
    """Also of one day, of amounts that are all alike, and of endlessly small and large ones."""
    series = Series("profit", amounts)
    drawn = canvas(len(amounts)).lines([series])
    assert bool(drawn) == any(amount is not None for amount in amounts)
    if drawn:
        (line,) = paths(drawn.plot, "line")
        assert len(heights(line)) == sum(amount is not None for amount in amounts)
        assert all(0 <= height <= HEIGHT for height in heights(line))
        assert "nan" not in drawn.plot
        assert len(ET.fromstring(drawn.axis)) >= 2
    assert "nan" not in canvas(len(amounts)).stacked([series, series], [series], [(0, 1)] * len(amounts)).plot


def test_a_day_without_an_amount_is_a_gap_and_a_day_alone_a_dot() -> None:
    """The line begins anew after it."""
    drawn = canvas(5).lines([Series("profit", [1.0, 2.0, None, 3.0, None])])
    (line,) = paths(drawn.plot, "line")
    assert line.count("M") == 2
    assert line.count("L") == 1
    assert line.endswith("h0")


def test_each_day_is_told_when_it_is_pointed_at_and_what_is_to_know_is_behind_it() -> None:
    """Texts are escaped."""
    drawn = Canvas(["<b>&", "two"], [False, True], '"quoted"').lines([Series("profit", [1.0, 2.0])])
    assert [title.text for title in ET.fromstring(drawn.plot).iter("title")] == ["<b>&", "two"]
    (strip,) = paths(drawn.plot, "strip")
    assert strip.startswith(f"M{WIDTH / 2:.1f} ")
    assert ET.fromstring(drawn.plot).get("aria-label") == '"quoted"'


def test_bars_stand_on_each_other_and_what_is_below_nothing_hangs() -> None:
    """Two up, one down; the tallest is their sum."""
    drawn = canvas(2).stacked(
        [Series("a", [10.0, 4.0]), Series("b", [5.0, None])], [Series("c", [5.0, 2.0])], [(12, 16), None]
    )
    first, second, below = (paths(drawn.plot, f"s{n}")[0] for n in range(3))
    tops = [float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)", first + second + below)]
    assert len(tops) == 2 + 1 + 2
    assert tops[2] < tops[0] < tops[1] < tops[3] == tops[4]
    assert len(paths(drawn.plot, "band")) == 1


def test_where_zero_is_is_drawn_over_the_interval() -> None:
    """Whether an interval holds zero is what it is looked at for."""
    drawn = canvas(2).interval(Series("difference", [1.0, 2.0]), [(-1.0, 3.0), (1.0, 3.0)])
    assert drawn.plot.index("interval") < drawn.plot.index('class="zero"') < drawn.plot.index('class="line')
    assert canvas(2).lines([Series("none", [None, None])]).plot == ""


@given(st.floats(-MOST, MOST))
def test_an_amount_is_written_short(amount: float) -> None:
    """It fits beside the chart."""
    assert 1 <= len(compact(amount)) <= AXIS_WIDTH / 6


def test_amounts_are_written_as_people_write_them() -> None:
    """Thousands, millions, fractions, percent."""
    amounts = (0, 950, 1250, -2000, 3e6, 0.05, 1e-7, 1e17)
    assert [compact(n) for n in amounts] == ["0", "950", "1.25k", "−2k", "3M", "0.05", "1e-07", "1e+05T"]
    assert compact(0.4, percent=True) == "40 %"


def test_the_scale_is_round_and_even() -> None:
    """Steps of 1, 2, 2.5 or 5."""
    (axis,) = [canvas(1).lines([Series("x", [18723.0])]).axis]
    told = [text.text or "" for text in ET.fromstring(axis)]
    assert told == ["0", "5k", "10k", "15k", "20k"]
    places = [float(text.get("y", "0")) for text in ET.fromstring(axis)]
    assert {round(a - b, 0) for a, b in pairwise(places)} == {round(places[0] - places[1], 0)}


@pytest.mark.parametrize("text", [None, "NaN", "Infinity", "-Infinity", "1e400", "9.9e18", "$1.00", ""])
def test_what_is_no_amount_is_not_drawn(text: str | None) -> None:
    """It is told in the table."""
    assert drawable(text) is None


def test_amounts_are_drawn() -> None:
    """Also below zero."""
    assert (drawable("-12.50"), drawable("0"), drawable("1e18")) == (-12.5, 0.0, MOST)
    assert not math.isnan(drawable("5") or math.nan)


def test_a_lane_has_a_mark_for_each_day_with_words() -> None:
    """And says what it is of."""
    svg = ET.fromstring(lane("held", ["", "Mon: held"], "days held"))
    (mark,) = svg
    assert (mark.get("class"), mark[0].text, svg.get("aria-label")) == (
        "mark held",
        "Mon: held",
        "days held",
    )


@pytest.mark.parametrize("amount", [5e-324, -1e-310, 1e-10, 1e-9, MOST, -MOST])
def test_the_smallest_and_the_largest_amounts_have_a_scale(amount: float) -> None:
    """A line on the paper, whatever it says."""
    (line,) = paths(canvas(1).lines([Series("profit", [amount])]).plot, "line")
    assert 0 <= heights(line)[0] <= HEIGHT
