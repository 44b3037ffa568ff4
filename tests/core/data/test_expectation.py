"""What is expected of a day: its weekday, the level of late, the usual spread; and which load is partial by it."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Sequence
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.core.data.expectation import WINDOW_DAYS, Number, expect
from oncall.core.promises.facts import DEFAULT_SHARE, Load

MONDAY = dt.date(2026, 11, 23)
AT = dt.datetime(2026, 11, 24, 1, tzinfo=dt.UTC)
Shop = Callable[[dt.date], float]


def days_before(day: dt.date, shop: Shop, count: int = WINDOW_DAYS) -> list[tuple[int, float]]:
    return [(ago, shop(day - dt.timedelta(days=ago))) for ago in range(1, count + 1)]


def state(rows: int | None, history: Sequence[tuple[int, float]], share: float = DEFAULT_SHARE) -> str:
    """The state of a load as the warehouse makes it from the days before."""
    expected = expect(history)
    if expected is None:
        return Load("t", AT, rows).state
    return Load("t", AT, rows, expected.amount, None, expected.spread_of_a_load, share).state


def busy(day: dt.date) -> float:
    """5,000 rows on working days, 1,500 on a Sunday, give or take 5 percent."""
    noise = random.Random(day.toordinal()).gauss(1, 0.05)
    return round((1500 if day.isoweekday() == 7 else 5000) * noise)


def test_a_load_of_sixty_percent_on_an_ordinary_day_is_partial() -> None:
    """Half of it is not the limit any more; a whole day is fresh, and so is one that nobody counted."""
    history = days_before(MONDAY, busy)
    assert [state(rows, history) for rows in (3000, 5000, 4300, None)] == [
        "partial",
        "fresh",
        "fresh",
        "fresh",
    ]


def test_a_quiet_sunday_is_ordinary_and_a_thin_sunday_is_not() -> None:
    """Sundays are compared with Sundays."""
    sunday = MONDAY - dt.timedelta(days=1)
    history = days_before(sunday, busy)
    assert state(1450, history) == "fresh"
    assert state(800, history) == "partial"


@pytest.mark.parametrize("daily", [1.03, 0.97])
def test_growth_and_decline_are_followed(daily: float) -> None:
    """Three percent a day, up or down, for weeks: each day is fresh, and 60 percent of it is partial."""

    def growing(day: dt.date) -> float:
        return busy(day) * daily ** (day - MONDAY).days

    for back in range(14):
        day = MONDAY - dt.timedelta(days=back)
        history = days_before(day, growing)
        assert state(round(growing(day)), history) == "fresh", day
        assert state(round(growing(day) * 0.6), history) == "partial", day


@pytest.mark.parametrize("length", [3, 4, 7, 14])
@pytest.mark.parametrize("times", [1.5, 2.5, 4])
def test_a_sale_makes_no_ordinary_day_after_it_thin(length: int, times: float) -> None:
    """Whichever weekday it ends on: the next ones are fresh, and 60 percent of one is partial."""
    for first in (MONDAY - dt.timedelta(days=back) for back in range(7)):

        def selling(day: dt.date, first: dt.date = first) -> float:
            on_sale = 0 <= (day - first).days < length
            return busy(day) * 1.003 ** (day - first).days * (times if on_sale else 1)

        for after in range(length + 8):
            day = first + dt.timedelta(days=after)
            history = days_before(day, selling)
            assert state(round(selling(day)), history) == "fresh", day
            number = Number("orders", selling(day), tuple(history), 1)
            assert not number.is_far_off(), day
            if after >= length:
                assert state(round(selling(day) * 0.6), history) == "partial", day


def test_what_lasts_longer_than_a_sale_is_the_new_level() -> None:
    """Five weeks after the number of rows has doubled for good, half of them is partial."""

    def doubled(day: dt.date) -> float:
        return busy(day) * (2 if day >= MONDAY - dt.timedelta(days=35) else 1)

    assert state(5500, days_before(MONDAY, doubled)) == "partial"
    assert state(10_000, days_before(MONDAY, doubled)) == "fresh"


def test_the_days_after_a_week_of_holidays_are_no_sale() -> None:
    """A fifth of the usual for nine days; a week later 60 percent is partial again."""

    def closed(day: dt.date) -> float:
        return busy(day) * (0.2 if 16 >= (MONDAY - day).days >= 8 else 1)

    history = days_before(MONDAY, closed)
    assert [state(rows, history) for rows in (5000, 3000)] == ["fresh", "partial"]


def wholesale(day: dt.date) -> float:
    """60 orders a day, give or take a quarter, none on Saturdays; for ten days over New Year it is closed."""
    closed = day.isoweekday() == 6 or dt.date(2026, 12, 24) <= day < dt.date(2027, 1, 4)
    return 0 if closed else round(60 * random.Random(day.toordinal()).gauss(1, 0.25))


def test_a_shop_that_opens_again_is_as_busy_as_before() -> None:
    """Its level of late is nothing, and yet what it had before is no question; ten times of it is one."""
    for day in (dt.date(2027, 1, 4) + dt.timedelta(days=n) for n in range(7)):
        history = tuple(days_before(day, wholesale))
        assert not Number("orders", wholesale(day), history, 1.0).is_far_off()
        assert Number("orders", 600, history, 1.0).is_far_off()


@pytest.mark.parametrize("weeks", range(1, 12))
def test_a_shop_that_was_closed_for_weeks_opens_again_as_it_was(weeks: int) -> None:
    """However long it was: what there was meanwhile says nothing. Ten times of what was before is too much."""

    def shut(day: dt.date) -> float:
        return 0 if 0 < (MONDAY - day).days <= 7 * weeks else wholesale(day)

    for day in (MONDAY + dt.timedelta(days=n) for n in range(28)):
        history = tuple(days_before(day, shut))
        assert not Number("orders", wholesale(day), history, 1.0).is_far_off()
    history = tuple(days_before(MONDAY, shut))
    assert not Number("orders", 0, history, 1.0).is_far_off()
    assert Number("orders", 600, history, 1.0).is_far_off() is (weeks < 8)


@pytest.mark.parametrize(("orders", "far"), [(0, True), (5, True), (30, False)])
def test_nothing_is_far_from_usual_however_much_the_days_differ(orders: int, far: bool) -> None:
    """No day is five spreads off where they are a quarter of it. Of 60 orders none is no chance."""
    history = tuple(days_before(dt.date(2026, 12, 4), wholesale))
    assert Number("orders", orders, history, 1.0).is_far_off() is far
    assert Number(
        "revenue", orders * 30.0, tuple((ago, 30 * found) for ago, found in history), 30.0
    ).is_far_off() is (orders == 0)
    few = tuple((ago, float(round(found / 12))) for ago, found in history)
    assert not Number("orders", 0, few, 1.0).is_far_off()


def test_a_weekday_on_which_a_young_shop_is_closed_is_asked_for_once() -> None:
    """It opened on a Sunday; every other Sunday it is closed."""
    opened = MONDAY - dt.timedelta(days=1)

    def shop(day: dt.date) -> float:
        return 0 if day.isoweekday() == 7 and day > opened else 100 + day.toordinal() % 7

    held = []
    for sunday in (opened + dt.timedelta(weeks=week) for week in range(1, 6)):
        history = tuple(days_before(sunday, shop, (sunday - opened).days))
        held.append(Number("orders", 0, history, 1.0).is_far_off())
    assert held == [True, False, False, False, False]


def test_a_table_of_five_rows_a_day_never_cries() -> None:
    """Of so few rows, some are missing on many a good day."""
    dice = random.Random(1)
    rows = [sum(dice.random() < 0.05 for _ in range(100)) for _ in range(400)]
    for day in range(1, 400):
        history = [(ago, rows[day - ago]) for ago in range(1, min(day, WINDOW_DAYS) + 1)]
        assert state(rows[day], history) == "fresh"


def test_of_a_hundred_ordinary_shops_hardly_any_cries() -> None:
    """In their first 60 days, quiet Sundays and all: what rests on few of its weekday may itself be off."""
    week, cried = (500, 500, 500, 500, 600, 550, 300), 0
    for number in range(100):
        dice = random.Random(number)
        history: list[tuple[int, float]] = []
        for day in range(60):
            usual = week[day % 7]
            rows = round(dice.gauss(usual, usual * 0.08) + dice.gauss(0, usual**0.5))
            cried += state(rows, [(day - earlier, amount) for earlier, amount in history], 0.75) == "partial"
            history.insert(0, (day, rows))
    assert cried <= 4


def test_a_weekday_of_a_few_orders_is_not_known_to_be_quiet() -> None:
    """Of five orders a day one Tuesday has two and another six: eight are far from neither. Of fifty they are."""
    tuesdays = (1, 2, 1, 1, 4, 1, 2, 6)
    days = [(ago, float(tuesdays[ago // 7 - 1] if ago % 7 == 0 else 3 + ago % 5)) for ago in range(1, 57)]
    assert not Number("orders", 8, tuple(days), 1.0).is_far_off()
    assert Number("orders", 40, tuple(days), 1.0).is_far_off()
    assert Number("orders", 80, tuple((ago, 10 * amount) for ago, amount in days), 1.0).is_far_off()


@pytest.mark.parametrize(("open_days", "day"), [((1,), MONDAY), ((6, 7), MONDAY - dt.timedelta(days=1))])
def test_what_there_is_on_few_weekdays_is_expected_on_these(open_days: tuple[int, ...], day: dt.date) -> None:
    """Refunds that are paid on Mondays, a shop that opens at weekends: from the first day on, and on no other."""

    def shop(each: dt.date) -> float:
        return busy(each) / 10 if each.isoweekday() in open_days else 0.0

    history = days_before(day, shop)
    for known in range(1, len(history)):
        assert not Number("refunds", shop(day), tuple(history[:known]), 10.0).is_far_off(), known
    assert Number("refunds", 20 * shop(day), tuple(history), 10.0).is_far_off()
    assert Number("orders", 0, tuple(history), 1.0).is_far_off()
    assert (state(round(shop(day)), history), state(round(shop(day) / 3), history)) == ("fresh", "partial")
    tuesday = days_before(day + dt.timedelta(days=2), shop)
    assert not Number("orders", 0, tuple(tuesday), 1.0).is_far_off()
    assert Number("orders", 500, tuple(tuesday), 1.0).is_far_off()


def test_one_wrong_day_in_the_past_changes_nothing() -> None:
    """Neither a load of nothing nor one of ten times as much makes today unusual, or hides that it is."""
    for wrong in (0.0, 50_000.0):
        history = [(ago, wrong if ago in (7, 12) else rows) for ago, rows in days_before(MONDAY, busy)]
        assert state(5000, history) == "fresh"
        assert state(3000, history) == "partial"


def test_too_few_days_are_judged_leniently() -> None:
    """Within the first two weeks a quiet weekday is not known yet: only less than half is partial."""
    history = days_before(MONDAY, lambda _: 1000, 10)
    assert [state(rows, history) for rows in (600, 500, 400)] == ["fresh", "fresh", "partial"]
    assert state(1, []) == "fresh"
    sunday = MONDAY - dt.timedelta(days=1)
    for weeks in range(4):
        history = days_before(sunday, busy, 5 + 7 * weeks)
        assert state(1450, history) == "fresh", weeks
    assert state(500, days_before(sunday, busy, 5)) == "partial"


def test_a_weekday_that_began_with_nothing_is_not_held_at_the_level_of_late() -> None:
    """A shop's first day has no refunds yet: a week later nobody knows that weekday, so it may be like the others."""
    refunds = [0, 1366, 2029, 2583, 3149, 3406, 3915, 3509, 4458, 5568, 5237, 4621, 6084, 6486, 5858, 5566]
    for today in range(7, len(refunds)):
        history = tuple((ago, float(refunds[today - ago])) for ago in range(1, today + 1))
        assert not Number("refunds", refunds[today], history, 54.3).is_far_off(), today
    first_week = tuple((ago, float(refunds[7 - ago])) for ago in range(1, 8))
    much = Number("refunds", 20_000, first_week, 54.3)
    assert much.is_far_off()
    assert much.usual_words(MONDAY).startswith("about 2,583, give or take ")
    assert much.found_words() == "20,000, 7.7 times the usual"


def test_a_table_that_begins_with_nothing_is_not_expected_to_go_on_growing() -> None:
    """In its first week there is hardly anything to give back; in the third a day is like the others."""
    loads = [0, 1, 1, 5, 6, 11, 13, 8, 10, 7, 8, 6, 10, 14, 11, 7, 14, 11, 6, 10, 7]
    for today, rows in enumerate(loads):
        history = [(today - day, float(earlier)) for day, earlier in enumerate(loads[:today])][::-1]
        assert state(rows, history, 0.3) == "fresh", today


@given(st.lists(st.floats(1, 1e6), min_size=7, max_size=13))
def test_the_level_of_late_is_ordinary_on_a_weekday_that_nobody_knows(amounts: list[float]) -> None:
    """Neither as much as usual on the other days nor as much as there was on the same one a week ago is held."""
    history = tuple(enumerate(amounts, 1))
    assert not Number("n", median(amounts[:7]), history).is_far_off()
    assert not Number("n", amounts[6], history).is_far_off()


def test_it_says_how_unusual_it_is() -> None:
    """Expected, found, and by how many spreads."""
    load = Load("master.orders", AT, 3000, 5000.0, None, 400.0, DEFAULT_SHARE)
    assert load.counts_words == "3,000 rows, usually 5,000 (60%; such a day varies by about 8%)"


@given(
    st.lists(st.floats(0, 1e9), min_size=1, max_size=WINDOW_DAYS),
    st.floats(0, 1e9),
)
def test_any_history_gives_numbers(amounts: list[float], found: float) -> None:
    """Zeros, gaps and giants: an expectation within what was seen, scaled; never an error."""
    expected = expect(list(enumerate(amounts, 1)))
    assert expected is not None
    assert expected.amount >= 0
    assert expected.spread >= 0
    expected.unusual(found)


@pytest.mark.parametrize("weeks", [4, 5, 8])
def test_a_weekday_seen_a_few_times_seems_no_more_alike_than_it_is(weeks: int) -> None:
    """Days that vary by 20 percent, and what is expected of them besides: small tables cried for it in vain."""
    dice = random.Random(15)
    days = range(1, 7 * weeks + 1)
    spreads = [expect([(ago, 100 * dice.gauss(1, 0.2)) for ago in days]) for _ in range(200)]
    assert 0.195 < sum(one.share for one in spreads if one) / len(spreads) < 0.24


def test_bank_holidays_do_not_make_a_weekday_one_on_which_the_shop_is_closed() -> None:
    """Real revenue before a Monday in June, after three in nine weeks without a sale, and some sales between."""
    mondays = [-556, 34_570, 39_651, 27_900, 0, 0, 56_026, 22_188, 33_254]
    others = (0, 15_820, 32_826, 20_511, 22_714, 30_000)  # closed on Saturdays
    history = [
        (ago, float(mondays[ago // 7 - 1] if ago % 7 == 0 else others[ago % 7 - 1])) for ago in range(1, 64)
    ]
    for monday in (17_789, 22_457):
        assert not Number("revenue", monday, tuple(history), 400.0).is_far_off()
    expected = expect(history)
    assert expected
    assert expected.amount > 15_000
    assert state(0, history) == "partial"


def test_a_weekday_without_a_sale_most_of_the_time_is_expected_to_have_none() -> None:
    """Two Mondays on which it was open, before Christmas, change nothing: the next without a sale is ordinary."""

    def shop(day: dt.date) -> float:
        return 0 if day.isoweekday() == 1 and (MONDAY - day).days not in (14, 21) else 60

    history = days_before(MONDAY, shop)
    assert state(0, history) == "fresh"
    assert not Number("orders", 0, tuple(history), 1.0).is_far_off()


@pytest.mark.parametrize("closed", [0, 14, 20])
def test_a_level_that_rose_for_good_has_an_expectation_on_each_day(closed: int) -> None:
    """Four weeks after it all that is ordinary lies before; so it does for a shop that was closed for weeks."""
    for since in range(1, 60):
        after = [(ago, 0.0 if ago > since - closed else 200.0 + ago % 3) for ago in range(1, since + 1)]
        before = [(ago, 100.0 + ago % 3) for ago in range(since + 1, since + 60)]
        assert expect([*after, *before]) is not None
