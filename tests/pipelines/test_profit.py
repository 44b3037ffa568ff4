"""Profit by day and channel, against the plain calculation and against rows written by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.pipelines.master_by_hand import DAY, add, at, row, rows
from tests.pipelines.model_runs import GENERATED_DAYS, Run
from tests.pipelines.plain_calculation import ITEMS, Master

CENT = Fraction(1, 100)


def channels_of(warehouse: Any, day: dt.date = DAY) -> dict[str, dict[str, Decimal]]:
    found = rows(warehouse, "select * from investor.daily_profit_by_channel where report_date = %s", day)
    return {channel["channel"]: channel for channel in found}


def day_of_profit(warehouse: Any, day: dt.date = DAY) -> dict[str, Any]:
    return row(warehouse, "select * from investor.daily_profit where report_date = %s", day)


def a_shop(warehouse: Any, *channels: str) -> None:
    """Customer 1, a product that costs 4.00, and a touch of each channel an hour before noon of DAY."""
    add(warehouse, "customers", {"customer_id": 1})
    add(warehouse, "products", {"product_id": 1, "unit_cost": "4.00"})
    for number, channel in enumerate(channels):
        add(warehouse, "touches", {"touch_id": number, "touched_at": at("11:00"), "channel": channel})


def sell(warehouse: Any, order_id: int, ordered_at: dt.datetime, price: str = "10.00", **order: Any) -> None:
    add(warehouse, "orders", {"order_id": order_id, "ordered_at": ordered_at, **order})
    add(warehouse, "order_lines", {"order_id": order_id, "unit_price": price})


def test_generated_days_equal_the_plain_calculation(generated: Any) -> None:
    """Each generated day: orders and money to the cent, and no channel off by a cent."""
    master = Master(generated)
    for day in GENERATED_DAYS:
        orders, whole, channels, _ = master.profit(day)
        found = day_of_profit(generated, day)
        assert found["orders"] == orders
        assert {item: Fraction(found[item]) for item in ITEMS} == whole
        assert found["profit"] == found["revenue"] - found["cost"] - found["refunds"] - found["marketing"]
        published = channels_of(generated, day)
        assert set(published) == set(channels)
        for channel, money in channels.items():
            assert all(abs(Fraction(published[channel][item]) - money[item]) < CENT for item in ITEMS)


def test_channels_add_up_to_the_day(generated: Any) -> None:
    """Every item of every published day is the sum of its channels, to the cent."""
    for day in GENERATED_DAYS:
        found, channels = day_of_profit(generated, day), channels_of(generated, day).values()
        for item in (*ITEMS, "profit"):
            assert sum(channel[item] for channel in channels) == found[item]


def test_lines_add_up_to_the_day(generated: Any) -> None:
    """The base model's lines carry the day's profit, but for spend that no channel could take."""
    query = """
        select d.report_date, d.profit, sum(b.profit) - coalesce(max(m.amount), 0) as lines
        from investor.daily_profit d join base.profit b using (report_date)
        left join (select report_date, sum(amount) as amount from base.marketing where not allotted group by 1) m
        using (report_date) group by 1, 2"""
    found = rows(generated, query)
    assert len(found) == len(GENERATED_DAYS)
    assert all(day["profit"] == day["lines"] for day in found)


def test_a_day_begins_and_ends_at_midnight_in_utc_7(warehouse: Any, run: Run) -> None:
    """16:59:59.999999Z is still the day before, 17:00Z is the day, and so at its end."""
    a_shop(warehouse)
    before, first = (
        dt.datetime(2026, 11, 19, 16, 59, 59, 999999, dt.UTC),
        dt.datetime(2026, 11, 19, 17, tzinfo=dt.UTC),
    )
    last, after = before + dt.timedelta(days=1), first + dt.timedelta(days=1)
    for order_id, (instant, price) in enumerate(
        [(before, "1.00"), (first, "20.00"), (last, "300.00"), (after, "4000.00")]
    ):
        sell(warehouse, order_id, instant, price)
    run("profit_etl")
    assert day_of_profit(warehouse)["revenue"] == Decimal("320.00")
    assert day_of_profit(warehouse)["orders"] == 2


def test_three_channels_share_a_cent_that_does_not_divide(warehouse: Any, run: Run) -> None:
    """10.00 among three channels is 3.34, 3.33 and 3.33, and each row's profit is what is left of it."""
    a_shop(warehouse, "social", "email", "display")
    sell(warehouse, 1, at("12:00"))
    run("profit_etl")
    found = channels_of(warehouse)
    assert {c: r["revenue"] for c, r in found.items()} == {
        "display": Decimal("3.34"),
        "email": Decimal("3.33"),
        "social": Decimal("3.33"),
    }
    assert sum(r["profit"] for r in found.values()) == Decimal("6.00")


def test_many_shared_cents_do_not_pile_up_in_one_channel(warehouse: Any, run: Run) -> None:
    """A hundred orders of 0.10 among three channels: nobody is more than a cent from 3.33⅓."""
    a_shop(warehouse, "social", "email", "display")
    for order_id in range(100):
        sell(warehouse, order_id, at("12:00"), "0.10")
    run("profit_etl")
    assert sorted(r["revenue"] for r in channels_of(warehouse).values()) == [
        Decimal(x) for x in ("3.33", "3.33", "3.34")
    ]


def test_a_channel_counts_once_however_often_it_touched(warehouse: Any, run: Run) -> None:
    """Credit is shared among distinct channels."""
    a_shop(warehouse, "social", "email", "email", "email")
    sell(warehouse, 1, at("12:00"))
    run("profit_etl")
    assert {c: r["revenue"] for c, r in channels_of(warehouse).items()} == {"email": 5, "social": 5}


@pytest.mark.parametrize(
    ("before", "counts"),
    [
        (dt.timedelta(), False),
        (dt.timedelta(microseconds=1), True),
        (dt.timedelta(days=7), True),
        (dt.timedelta(days=7, microseconds=1), False),
    ],
)
def test_touches_count_in_the_seven_days_before_the_order(
    warehouse: Any, run: Run, before: dt.timedelta, counts: bool
) -> None:
    """From exactly seven days before, included, to the order itself, excluded; else the acquisition channel."""
    a_shop(warehouse)
    add(warehouse, "touches", {"touch_id": 1, "touched_at": at("12:00") - before, "channel": "email"})
    sell(warehouse, 1, at("12:00"))
    run("profit_etl")
    assert set(channels_of(warehouse)) == {"email" if counts else "organic"}


def test_cancelled_orders_count_nowhere(warehouse: Any, run: Run) -> None:
    """Neither their revenue nor their refunds."""
    a_shop(warehouse)
    sell(warehouse, 1, at("12:00"))
    sell(warehouse, 2, at("12:00"), "99.00", status="cancelled")
    add(warehouse, "refunds", {"refund_id": 1, "order_id": 2, "amount": "5.00"})
    run("profit_etl")
    found = day_of_profit(warehouse)
    assert (found["orders"], found["revenue"], found["refunds"]) == (1, Decimal("10.00"), 0)


def test_a_refund_counts_on_its_own_day_with_the_orders_credit(warehouse: Any, run: Run) -> None:
    """An earlier day never changes; the refund follows the channels that sold the order, and is no order."""
    a_shop(warehouse)
    earlier = DAY - dt.timedelta(days=20)
    for number, channel in enumerate(("email", "social")):
        add(
            warehouse, "touches", {"touch_id": number, "touched_at": at("11:00", earlier), "channel": channel}
        )
    sell(warehouse, 1, at("12:00", earlier))
    run("profit_etl", day=earlier)
    sold = day_of_profit(warehouse, earlier)
    sell(warehouse, 2, at("12:00"))
    add(warehouse, "refunds", {"refund_id": 1, "order_id": 1, "amount": "3.00"})
    run("profit_etl", day=earlier)
    run("profit_etl")
    assert day_of_profit(warehouse, earlier) == sold
    assert {c: r["refunds"] for c, r in channels_of(warehouse).items()} == {
        "email": Decimal("1.50"),
        "social": Decimal("1.50"),
        "organic": 0,
    }
    found = day_of_profit(warehouse)
    assert (found["orders"], found["refunds"], found["profit"]) == (1, Decimal("3.00"), Decimal("3.00"))


def test_spend_goes_to_lines_by_credited_revenue(warehouse: Any, run: Run) -> None:
    """A channel's spend is allotted in proportion, to the last decimal."""
    a_shop(warehouse)
    sell(warehouse, 1, at("12:00"), "10.00")
    sell(warehouse, 2, at("12:00"), "20.00")
    add(warehouse, "marketing_spend", {"channel": "organic", "amount": "1.00"})
    run("profit_etl")
    found = rows(warehouse, "select marketing from base.profit order by order_id")
    assert [line["marketing"] for line in found] == [Decimal("0.3333333333"), Decimal("0.6666666667")]
    assert channels_of(warehouse)["organic"]["marketing"] == Decimal("1.00")


def test_money_with_more_decimals_than_ten_is_shared_and_published(warehouse: Any, run: Run) -> None:
    """Upstream takes a tax out by division, and writes every digit of it."""
    a_shop(warehouse)
    with warehouse.cursor() as cursor:
        cursor.execute(
            "alter table master.order_lines alter column unit_price type numeric, alter column discount type numeric;"
            "alter table master.products alter column unit_cost type numeric;"
            "alter table master.refunds alter column amount type numeric;"
            "alter table master.marketing_spend alter column amount type numeric;"
            "update master.products set unit_cost = 4.3999999999999999"
        )
    warehouse.commit()
    for number, channel in enumerate(("email", "social", "search")):
        add(warehouse, "touches", {"touch_id": number, "touched_at": at("11:00"), "channel": channel})
        add(warehouse, "marketing_spend", {"channel": channel, "amount": "3.3333333333333333"})
    sell(warehouse, 1, at("12:00"), "18.1818181818181818")
    sell(warehouse, 2, at("12:00"), "9.0909090909090909")
    refund = {"refund_id": 1, "order_id": 1, "amount": "7.2727272727272727"}
    add(warehouse, "refunds", {**refund, "refunded_at": at("13:00")})
    run("profit_etl")
    found = day_of_profit(warehouse)
    assert [found[item] for item in ("revenue", "cost", "refunds", "marketing")] == [
        Decimal(amount) for amount in ("27.27", "8.80", "7.27", "10.00")
    ]


def test_spend_without_credited_revenue_stays_unattributed(warehouse: Any, run: Run) -> None:
    """It has a row of its own, and is in the day's marketing; a refund alone earns no spend."""
    a_shop(warehouse)
    earlier = DAY - dt.timedelta(days=20)
    add(warehouse, "touches", {"touch_id": 1, "touched_at": at("11:00", earlier), "channel": "email"})
    sell(warehouse, 1, at("12:00", earlier))
    sell(warehouse, 2, at("12:00"))
    add(warehouse, "refunds", {"refund_id": 1, "order_id": 1, "amount": "3.00"})
    add(
        warehouse,
        "marketing_spend",
        {"channel": "email", "amount": "7.00"},
        {"channel": "tv", "amount": "0.50"},
    )
    run("profit_etl")
    found = channels_of(warehouse)
    assert found["unattributed"]["marketing"] == Decimal("7.50")
    assert found["unattributed"]["profit"] == Decimal("-7.50")
    assert found["email"]["marketing"] == 0
    assert day_of_profit(warehouse)["marketing"] == Decimal("7.50")


def test_the_statement_has_the_lines_of_the_plain_calculation(generated: Any) -> None:
    """Each day once: net revenue, gross profit, contribution, and their shares."""
    master = Master(generated)
    lines = rows(generated, "select * from investor.profit_statement order by report_date")
    assert [line["report_date"] for line in lines] == GENERATED_DAYS
    for line in lines:
        _, money, _, _ = master.profit(line["report_date"])
        net = money["revenue"] - money["refunds"]
        gross = net - money["cost"]
        assert (Fraction(line["net_revenue"]), Fraction(line["gross_profit"])) == (net, gross)
        contribution = gross - money["marketing"]
        assert Fraction(line["contribution"]) == contribution
        assert float(line["gross_margin"]) == pytest.approx(float(gross / net), abs=1e-10)
        assert float(line["contribution_margin"]) == pytest.approx(float(contribution / net), abs=1e-10)


@pytest.mark.parametrize(
    ("revenue", "refunds", "expected"),
    [
        (100, 20, ("80.00", "30.00", "20.00", "0.3750000000", "0.2500000000")),
        (0, 0, ("0.00", "-50.00", "-60.00", None, None)),
        (-10, 5, ("-15.00", "-65.00", "-75.00", None, None)),
        (5, 5, ("0.00", "-50.00", "-60.00", None, None)),
    ],
)
def test_a_margin_has_something_to_be_divided_by(
    warehouse: Any, revenue: int, refunds: int, expected: tuple[str | None, ...]
) -> None:
    """As docs/METRICS.md reckons; none on a day that took more back than it sold."""
    with warehouse.cursor() as cursor:
        cursor.execute(
            "insert into investor.daily_profit (report_date, orders, revenue, cost, refunds, marketing, profit)"
            " values (%s, 1, %s, 50, %s, 10, %s)",
            (DAY, revenue, refunds, revenue - refunds - 60),
        )
        cursor.execute(
            "select net_revenue::text, gross_profit::text, contribution::text, gross_margin::text,"
            " contribution_margin::text from investor.profit_statement"
        )
        assert cursor.fetchall() == [expected]
