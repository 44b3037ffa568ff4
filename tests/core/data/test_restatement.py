"""Restated numbers, gathered by re-publication and said in words."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from oncall.core.data.restatement import Restatement, republications

DAY, AT = dt.date(2026, 11, 20), dt.datetime(2026, 11, 22, 3, tzinfo=dt.UTC)
REFUND = Restatement("investor.daily_profit", DAY, "refunds", "0.00", "6.00", "a late refund", "second", AT)


def test_a_republication_is_one_whatever_it_changed() -> None:
    """By day, report and run; what changed by channel belongs to its report, the newest comes first."""
    channel = replace(REFUND, report="investor.daily_profit_by_channel", key="email", old=None)
    later = replace(REFUND, run_id="third", at=AT + dt.timedelta(hours=1), old="6.00", new="5.00")
    other = replace(REFUND, report_date=DAY + dt.timedelta(days=1), at=AT - dt.timedelta(hours=1))
    found = republications([channel, other, REFUND, later, replace(channel, column="profit")])
    assert [(one.run_id, one.report_date, len(one.numbers)) for one in found] == [
        ("third", DAY, 1),
        ("second", DAY, 3),
        ("second", other.report_date, 1),
    ]
    assert found[1].report == "investor.daily_profit"
    assert found[1].words == "refunds 0.00 → 6.00, 2 numbers by channel or variant"


def test_money_is_said_with_its_currency() -> None:
    """Once, after all numbers."""
    dollars = replace(REFUND, currency="USD")
    (one,) = republications([dollars, replace(dollars, column="orders", old="3", new="4")])
    assert one.words == "refunds 0.00 → 6.00, orders 3 → 4, in USD"


def test_a_row_that_is_gone_has_no_number() -> None:
    """Said as none, not as nothing."""
    (one,) = republications([replace(REFUND, new=None)])
    assert one.words == "refunds 0.00 → none"
