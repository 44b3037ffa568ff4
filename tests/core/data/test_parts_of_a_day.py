"""What a day is made of: a part that was always there and is missing, or is in another unit, and what only looks so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from oncall.core.data.day_parts import Amount, DayParts, Kind, day_parts_of

DAYS = 14
DAY = dt.date(2026, 11, 20)


def rows(**parts: int) -> Mapping[str, Amount]:
    """A day of so many rows of each part."""
    return {part: Amount(count, sum(parts.values()), count) for part, count in parts.items()}


def money(**parts: float) -> Mapping[str, Amount]:
    return {part: Amount(amount, sum(parts.values()), 1) for part, amount in parts.items()}


def typical(count: int = 40, **parts: float) -> Mapping[str, Amount]:
    return {part: Amount(amount, 1, count) for part, amount in parts.items()}


def basket(food: int, gifts: int) -> Mapping[str, Amount]:
    """Lines of dear goods and of cheap ones, whose prices are as ever."""
    return {**typical(food, food=0.7), **typical(gifts, gifts=0.4)}


def of(kind: Kind, today: Mapping[str, Amount], *before: Mapping[str, Amount], days: int = DAYS) -> DayParts:
    return DayParts("orders_by_country", kind, today, [before[n % len(before)] for n in range(days)])


def rare(cancelled: int, orders: int) -> Mapping[str, Amount]:
    return {"cancelled": Amount(cancelled, orders, cancelled)}


def hours(*orders: int) -> Mapping[str, Amount]:
    return rows(**{str(hour): count for hour, count in enumerate(orders) if count})


WEEKDAY, SUNDAY = rows(VN=300, TH=100, SG=30), rows(VN=90, TH=40, SG=20)


@pytest.mark.parametrize(
    ("kind", "today", "before", "part"),
    [
        ("rows", rows(VN=310, TH=100), WEEKDAY, "SG"),
        ("rows", rows(VN=310, TH=100, SG=2), WEEKDAY, "SG"),
        ("rows", rows(VN=310, TH=100), rows(VN=300, TH=100, SG=15), "SG"),
        ("rows", rows(VN=900, TH=100, SG=0, PH=30), WEEKDAY, "SG"),
        ("rows", rows(VN=3000, TH=1000, SG=50), rows(VN=3000, TH=1000, SG=300), "SG"),
        ("typical", typical(VN=50, SG=0.5), typical(VN=50, SG=52), "SG"),
        ("typical", typical(VN=50, SG=5000), typical(VN=50, SG=52), "SG"),
        ("least", typical(all=0.001), typical(all=0.12), "all"),
        ("typical", typical(VN=25, SG=26), typical(VN=50, SG=52), "all"),
        ("typical", typical(VN=100, SG=104), typical(VN=50, SG=52), "all"),
        ("price", typical(VN=0.25, SG=0.26), typical(VN=0.5, SG=0.52), "all"),
        ("price", typical(VN=0.5, SG=3), typical(VN=0.5, SG=0.52), "SG"),
        ("typical", {"SG": Amount(52, 0, 40)}, typical(SG=52), "SG"),
        ("typical", typical(20, VN=25, SG=26), typical(40, VN=50, SG=52), "all"),
        ("money", money(tv=1000, email=2), money(tv=1000, email=200), "email"),
        ("money", money(tv=1000), money(tv=1000, email=200), "email"),
        ("money", money(tv=1000, email=20_000), money(tv=1000, email=200), "email"),
        ("money", money(tv=1000, email=500), money(tv=1000, email=5), "email"),
        ("money", money(tv=1000, email=2200), money(tv=1000, email=220), "email"),
        ("typical", typical(VN=32, SG=33), typical(VN=50, SG=52), "all"),
        ("price", typical(30, VN=0.5, SG=0.41), typical(30, VN=0.5, SG=0.5), "SG"),
        ("rare", rare(36, 120), rare(2, 120), "cancelled"),
        ("rare", rare(36, 120), rare(0, 120), "cancelled"),
        ("rare", rare(3000, 20_000), rare(900, 20_000), "cancelled"),
        ("again", rare(13, 136), rare(1, 120), "cancelled"),
        ("rare", rare(50, 2), rare(10, 100), "cancelled"),
        ("rows", hours(0, 0, 60), hours(*[3] * 20), "all but 2"),
    ],
)  # fmt: skip
def test_a_part_that_is_missing_or_in_another_unit_is_named(
    kind: Kind, today: Mapping[str, Amount], before: Mapping[str, Amount], part: str
) -> None:
    """However plausible the total is."""
    found = of(kind, today, before)
    assert [off.part for off in found.off] == [part]
    assert found.is_far_off()


@pytest.mark.parametrize(
    ("kind", "today", "before"),
    [
        ("rows", WEEKDAY, [WEEKDAY, SUNDAY]),
        ("rows", SUNDAY, [WEEKDAY]),
        ("rows", rows(VN=310, TH=100, SG=7), [WEEKDAY]),
        ("rows", rows(VN=310, TH=100), [rows(VN=300, TH=100, SG=12)]),
        ("rows", rows(VN=310, TH=100), [WEEKDAY, rows(VN=300, TH=100)]),
        ("rows", rows(VN=6000, TH=100, SG=30), [WEEKDAY]),
        ("rows", rows(VN=30, TH=10), [WEEKDAY]),
        ("rows", rows(VN=2, TH=2), [rows(VN=85, TH=12)]),
        ("rows", rows(VN=0, TH=8), [rows(VN=60, TH=40)]),
        ("rows", rows(TH=1), [rows(VN=2, SG=1)]),
        ("rows", {}, [WEEKDAY]),
        ("rows", rows(VN=310, TH=100, SG=30, PH=500), [WEEKDAY]),
        ("typical", typical(VN=150, SG=15), [typical(VN=50, SG=52)]),
        ("typical", typical(count=9, SG=5000), [typical(SG=52)]),
        ("typical", typical(SG=5000), [typical(count=9, SG=52)]),
        ("least", typical(all=0.9), [typical(all=0.12)]),
        ("least", typical(all=0.05), [typical(all=0.12)]),
        ("price", typical(VN=1, SG=1.04), [typical(VN=0.5, SG=0.52)]),
        ("price", typical(29, VN=0.5, SG=0.41), [typical(30, VN=0.5, SG=0.5)]),
        ("price", typical(30, VN=0.5, SG=0.7), [typical(30, VN=0.5, SG=0.5)]),
        ("price", typical(30, VN=0.46, SG=0.46), [typical(30, VN=0.52, SG=0.52)]),  # prices that rise by a tenth
        ("price", typical(30, VN=0.43, SG=0.43), [typical(30, VN=0.52, SG=0.52), typical(30, VN=0.42, SG=0.42)]),
        ("typical", typical(30, VN=50, SG=40), [typical(30, VN=50, SG=60)]),
        ("typical", typical(VN=30, SG=90), [typical(VN=50, SG=52)]),
        ("typical", typical(VN=30, SG=31), [typical(VN=50, SG=52), typical(VN=90, SG=90)]),
        ("typical", typical(VN=40, SG=41), [typical(VN=50, SG=52)]),
        ("typical", typical(10, VN=35, SG=36), [typical(40, VN=50, SG=52)]),  # a quarter of the rows
        ("typical", typical(SG=0), [typical(SG=0)]),
        ("typical", typical(VN=50, PH=5000), [typical(VN=50)]),
        ("money", money(tv=1000, email=1700), [money(tv=1000, email=220)]),
        ("money", money(tv=1000), [money(tv=1000, email=15)]),
        ("money", money(tv=1000), [money(tv=1000, email=200), money(tv=1000, email=0)]),
        ("money", money(tv=1000, radio=9000), [money(tv=1000)]),
        ("rare", rare(50, 0), [rare(48, 0), rare(55, 0)]),  # a shop whose customers are all new, beside no others
        ("rare", rare(55, 6), [rare(58, 2)]),  # … or few
        ("rare", rare(17, 120), [rare(2, 120)]),
        ("rare", rare(36, 120), [rare(2, 120), rare(13, 120)]),
        ("rare", rare(3, 10), [rare(0, 10), rare(1, 12)]),
        ("rare", rare(60, 120), [rare(60, 120)]),
        ("rare", rare(0, 0), [rare(0, 0)]),
        ("again", rare(13, 136), [rare(1, 120), rare(1, 20)]),
        ("again", rare(5, 136), [rare(0, 120)]),
        ("rows", hours(0, 0, 60, 3), [hours(*[3] * 20), hours(0, 3, 60)]),
        ("rows", rows(VN=430), [rows(VN=400)]),
        ("price", typical(VN=0.5, SG=12), [typical(VN=0.5, SG=0.3), typical(VN=0.5, SG=3)]),
        ("price", basket(food=20, gifts=80), [basket(food=80, gifts=20)]),
        ("price", typical(40, gifts=0.4), [basket(food=80, gifts=20)]),  # how many lines there are is asked elsewhere
        ("typical", typical(40, gifts=0.4), [basket(food=80, gifts=20)]),
    ],
)  # fmt: skip
def test_what_is_only_unusual_is_none_of_them(
    kind: Kind, today: Mapping[str, Amount], before: list[Mapping[str, Amount]]
) -> None:
    """A quiet day, a few rows, a part that comes and goes, grows or is new, a campaign, a price cut, some cancelled."""
    assert of(kind, today, *before).off == []


def test_parts_of_which_each_may_be_missing_by_chance_cannot_all_be() -> None:
    """A small shop whose day is seven hours late has three orders an hour; those that are there are as many as ever."""
    today, before = hours(*[0] * 7, *[3] * 20), [hours(*[3] * 20)] * DAYS
    found = DayParts("orders_by_hour", "rows", today, before, same_weekday=before[:3])
    assert [off.part for off in found.off] == sorted(map(str, range(7)))
    assert found.is_far_off()
    assert not found.is_far_off(may_be_quiet=True)
    in_the_third_week = DayParts("orders_by_shard", "rows", today, before, same_weekday=before[:2])
    assert in_the_third_week.off == []  # it may be a quiet Sunday
    four = DayParts("orders_by_hour", "rows", hours(*[0] * 4, *[3] * 16), before, same_weekday=before[:3])
    assert four.off == []


def test_in_the_first_week_nothing_is_compared_and_on_a_holiday_no_part_is_missed() -> None:
    """Nobody knows yet what is always there; on a holiday not every hour has an order, but money is money."""
    assert not of("rows", rows(VN=310, TH=100), WEEKDAY, days=6).is_far_off()
    assert not of("rows", rows(VN=310, TH=100), WEEKDAY).is_far_off(may_be_quiet=True)
    assert of("money", money(tv=1000), money(tv=1000, email=200)).is_far_off(may_be_quiet=True)


def test_a_few_rows_beside_very_many_are_compared_too() -> None:
    """Far more rows on other days, and those a thousandfold apart: nothing that few can be is out of such a range."""
    wide = [typical(200_000, toys=10.0), typical(200_000, toys=10_000.0)]
    assert of("typical", typical(10, toys=1e9), *wide).off == []
    assert of("typical", typical(200_000, toys=1e9), *wide).is_far_off()


@pytest.mark.parametrize(("today", "missing"), [(rows(direct=60), ["TH", "VN"]), (rows(VN=60), ["TH"])])
def test_quiet_sundays_tell_nothing_of_a_tuesday(today: Mapping[str, Amount], missing: list[str]) -> None:
    """In a small shop too few are expected on a Sunday to be missed; on a day of its weekday they are."""
    quiet, busy = rows(VN=5, TH=4), rows(VN=40, TH=30)
    days = {ago: quiet if ago % 7 == 2 else busy for ago in range(1, 29)}
    told = [
        ("orders_by_channel", name, "rows", ago, *amount)
        for ago, day in {0: today, **days}.items()
        for name, amount in sorted(day.items())
    ]
    (found,) = day_parts_of(told)
    assert [off.part for off in found.off] == missing
    (in_the_second_week,) = day_parts_of([row for row in told if row[3] < 14])
    assert in_the_second_week.off == []


def test_it_says_which_parts_and_what_they_were_at_the_least_or_most() -> None:
    """With a number that a release is remembered by: more that is missing is another one."""
    found = of("rows", rows(VN=310, TH=1), WEEKDAY)
    assert found.check == "orders_by_country_is_usual"
    assert found.found_words() == "SG 0, TH 1"
    expected = "orders by country as on the days before: SG at least 21.70, TH at least 72.33"
    assert found.usual_words(DAY) == expected
    assert found.amount > of("rows", rows(VN=310, TH=100), WEEKDAY).amount


def test_rows_of_the_warehouse_become_measures() -> None:
    """The newest day first, whatever days are missing; of today there may be nothing."""
    found = day_parts_of(
        [
            ("orders", "SG", "rows", 0, 5, 10, 5),
            ("orders", "VN", "rows", 0, 5, 10, 5),
            ("orders", "SG", "rows", 3, 6, 10, 6),
            ("orders", "SG", "rows", 1, 4, 10, 4),
            ("spend", "tv", "money", 2, 100, 100, 1),
        ]
    )
    assert [(one.name, one.kind, dict(one.today), len(one.before)) for one in found] == [
        ("orders", "rows", {"SG": (5, 10, 5), "VN": (5, 10, 5)}, 2),
        ("spend", "money", {}, 1),
    ]
    assert [day["SG"].amount for day in found[0].before] == [4, 6]


SPENT = [("spend", "tv", "money", ago, 100, 100, 1) for ago in range(1, 29) if ago % 7 not in (0, 6)]
OPEN = [("orders", "all", "rows", ago, 50, 50, 50) for ago in range(29)]


@pytest.mark.parametrize(
    ("spent", "held"),
    [
        (SPENT, False),  # on no Friday nor Saturday before it
        (
            [*SPENT, *(("spend", "tv", "money", ago, 100, 100, 1) for ago in (7, 14, 21, 28))],
            True,
        ),  # on each Friday
        ([row for row in SPENT if row[3] < 14 and row[3] != 6], False),  # of few Fridays nothing is known
        ([("spend", "tv", "money", ago, 100, 100, 1) for ago in range(1, 29)], True),
        # On one Friday of four there was none; on two of them.
        *(
            ([("spend", "tv", "money", ago, 100, 100, 1) for ago in range(1, 29) if ago not in gone], held)
            for gone, held in (((7,), True), ((28,), True), ((7, 28), False), ((7, 21), False))
        ),
    ],
)  # fmt: skip
def test_what_there_is_not_on_such_a_day_is_not_missed(spent: list[tuple[Any, ...]], held: bool) -> None:
    """A shop that does not advertise at weekends is not held each Saturday for ever; one day without tells nothing."""
    found = day_parts_of([*OPEN, *spent])
    assert [one.name for one in found if one.is_far_off()] == (["spend"] if held else [])


BY_DAY = (8, 7, 6, 6, 6, 7, 9, 12, 16, 20, 24, 26, 22, 20, 19, 18, 17, 18, 20, 24, 26, 20, 14, 10)


def by_hour(today: Mapping[str, Amount], before: Mapping[str, Amount]) -> DayParts:
    return DayParts("sessions_by_hour", "rows", today, [before] * DAYS, [before] * 3)


@pytest.mark.parametrize(
    ("today", "words"),
    [
        (hours(*BY_DAY[-7:], *BY_DAY[:-7]), "7 hours later"),
        (hours(*BY_DAY[8:], *BY_DAY[:8]), "8 hours earlier"),
    ],
)
def test_hours_of_another_clock_are_named_though_none_is_empty(
    today: Mapping[str, Amount], words: str
) -> None:
    """Whichever way the clock is off."""
    found = by_hour(today, hours(*BY_DAY))
    assert found.is_far_off()
    assert words in found.found_words()


@pytest.mark.parametrize(
    "today",
    [
        hours(*BY_DAY),
        hours(*(count // 3 for count in BY_DAY)),
        # a sale in the evening, a clock that was put forward, a morning without a newsletter
        hours(*BY_DAY[:20], 400, 90, *BY_DAY[22:]),
        hours(BY_DAY[-1], *BY_DAY[:-1]),
        hours(*BY_DAY[:8], 4, 5, 6, *BY_DAY[11:]),
        hours(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 2, 0, 0, 1, 0, 0, 1, 1, 2, 3, 2, 1, 0),
        hours(*(10,) * 24),
    ],
)
def test_what_is_busy_at_other_hours_has_no_other_clock(today: Mapping[str, Amount]) -> None:
    """A sale, an hour of summer time, half a day, a quiet one."""
    assert not by_hour(today, hours(*BY_DAY)).off


@pytest.mark.parametrize("open_hours", [range(9, 13), range(13, 24), range(13)])
def test_half_a_day_has_no_other_clock(open_hours: range) -> None:
    """A small shop that is closed in the afternoon, or in the morning: no hour by itself is missed."""
    few = [count // 5 for count in BY_DAY]
    today = hours(*(count * (hour in open_hours) for hour, count in enumerate(few)))
    assert not DayParts("orders_by_hour", "rows", today, [hours(*few)] * DAYS).off


def test_only_hours_have_a_clock() -> None:
    """Other parts that are numbers are what they are."""
    moved = hours(*BY_DAY[8:], *BY_DAY[:8])
    assert not DayParts("orders_by_shard", "rows", moved, [hours(*BY_DAY)] * DAYS).off
