"""What no column of any upstream table may say, and what is only written oddly: for every table and column in turn."""

# ruff: noqa: E501 - a table: a line is a case

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from oncall.config.data_contracts import REPOSITORY, load_data_contracts
from oncall.core.data.data_contract import Column, TableContract
from tests.pipelines.contract_cases import PROFIT, READ_BY
from tests.pipelines.master_by_hand import DAY, row, rows
from tests.pipelines.model_runs import REPORTS
from tests.pipelines.plain_calculation import ITEMS, Master
from tests.pipelines.test_contract import change, failed

CONTRACTS = load_data_contracts(REPOSITORY.parent)
# A row of the day in each table of the good day.
ROW = {
    "customers": "customer_id = 1",
    "products": "true",
    "orders": "order_id = 101",
    "order_lines": "order_id = 101",
    "refunds": "true",
    "marketing_spend": "channel = 'email'",
    "touches": "true",
    "sessions": "session_id = 2",
    "experiment_assignments": "customer_id = 2",
}
# (the value, how the check that finds it ends)
TIMES = (
    ("'-infinity'", "in_range"),
    ("'0044-03-15 BC'", "in_range"),
    ("'4714-11-24 00:00+00 BC'", "in_range"),
    ("'1969-12-31 23:59:60Z'", "in_range"),
    ("'infinity'", "not_in_the_future"),
    ("'294276-12-31 23:59:59+00'", "not_in_the_future"),
    ("null", "there"),
)
DATES = (*((value.replace(" 00:00+00", ""), check) for value, check in TIMES[:3]), *TIMES[4:5], TIMES[6])
WORDS = (
    *("''", "' '", "'email '", "' email'", "E'e\\tmail'", "E'email\\n'", "E'email\\r'"),
    *(f"E'em\\u{code}ail'" for code in ("00a0", "00ad", "200b", "200d", "2060", "feff", "202e", "3000")),
    *(f"E'email\\u{code}'" for code in ("00a0", "200b", "0085")),
    "repeat('x', 255)",
)
CODE_WORDS = (*WORDS, "'e  mail'", "repeat('x', 101)")
# No report is told by them.
IN_A_PERSONS_WORDS = ("country", "category")
NUMBERS = (
    *((value, "a_number") for value in ("'NaN'", "'Infinity'", "'-Infinity'")),
    *((value, "in_range") for value in ("-0.01", "-1e-20", "1000000000.01", "1e30")),
    ("null", "there"),
)
WHOLE = (
    *((value, "a_number") for value in ("'NaN'", "'Infinity'", "'-Infinity'")),
    *((value, "in_range") for value in ("1e25", "-1e25")),
    ("1.5", "whole"),
    ("null", "there"),
)


def values(column: Column) -> Iterator[tuple[str, str]]:
    """What the column must not say, and how the check ends that says so."""
    match column.type:
        case "timestamp":
            yield from TIMES
        case "date":
            yield from DATES
        case "number":
            yield from NUMBERS
        case "integer":
            yield from (one for one in WHOLE if one[1] != "there" or column.required)
        case "string":
            yield "null", "there"
            words = WORDS if column.name in IN_A_PERSONS_WORDS else CODE_WORDS
            yield from ((value, "accepted" if column.accepted else "well_written") for value in words)


EVERY = [(contract, column) for contract in CONTRACTS.tables.values() for column in contract.columns]


@pytest.mark.parametrize(
    ("contract", "column"), EVERY, ids=[f"{table.table}.{column.name}" for table, column in EVERY]
)
def test_what_a_column_must_not_say_holds_the_day(
    good_day: Any, contract: TableContract, column: Column
) -> None:
    """With table, column, how many rows and the key of one; no word of the database's own."""
    table = contract.table.removeprefix("master.")
    tried = 0
    for value, ends in values(column):
        if column.type == "integer":
            change(good_day, f"alter table {contract.table} alter column {column.name} type numeric")
        change(good_day, f"update {contract.table} set {column.name} = {value} where {ROW[table]}")
        held = failed(good_day, READ_BY.get(table, PROFIT))
        names = [f"{contract.short}_{column.name}_is_{end}" for end in {ends, f"{ends}s"}]
        found = next((held[name] for name in names if name in held), "")
        assert f"1 in {contract.table}.{column.name}, such as {contract.key[0]} " in found, (value, held)
        good_day.undo()
        tried += 1
    assert tried >= 5


def at_instant(table: str, column: str, instant: str) -> str:
    return f"update master.{table} set {column} = '{instant}' where {ROW[table]}"


# Written oddly, or rarely seen, and true.
RIGHT = (
    *(
        at_instant(table, column, instant)
        for table, column in (("orders", "ordered_at"), ("refunds", "refunded_at"), ("sessions", "started_at"))
        for instant in (
            "2026-11-20 24:00+07",
            "2026-11-19 24:00+07",
            "2026-11-20 23:59:60+07",
            "2026-11-20 23:59:59.999999+07",
            "2026-11-20 16:59:59.999999Z",
            "2026-11-20 17:00Z",
            "2026-11-20 07:00:00+14",
            "2026-11-19 05:00:00-12",
            "20261120T000000+07",
        )
    ),
    *(at_instant("touches", "touched_at", instant) for instant in ("2026-11-20 12:00+07", "2026-11-13 12:00+07", "2026-11-13 11:59:59.999999+07", "2026-11-20 11:59:60+07")),
    # Without a zone: as the warehouse reads it.
    "set timezone to 'Pacific/Kiritimati'; " + at_instant("orders", "ordered_at", "2026-11-21 06:59"),
    "set timezone to 'America/New_York'; " + at_instant("sessions", "started_at", "2026-11-20 12:00"),
    *(f"update master.products set unit_cost = {cost}" for cost in ("0", "-0.0", "1e-20", "0.005", "1000000000", "2.49999999999999999999")),
    *(f"update master.order_lines set unit_price = {price}, discount = 0 where order_id = 101" for price in ("0", "-0", "0.005", "1e-12", "1000000000", "33.333333333333333333")),
    *(f"update master.order_lines set discount = {discount} where order_id = 101" for discount in ("0", "-0.00", "20", "0.005", "1e-9")),
    "update master.order_lines set quantity = 100000, unit_price = 0.01, discount = 0 where order_id = 101",
    *(f"update master.refunds set amount = {amount}" for amount in ("0", "-0", "0.005", "19", "1e-9")),
    *(f"update master.marketing_spend set amount = {amount} where channel = 'email'" for amount in ("0", "-0", "0.005", "1000000000", "1e-9")),
    # Signed up after the first order, touched after it, bought under another's name, came for a day and a night.
    "update master.customers set signed_up_at = '2026-11-20 23:00+07' where customer_id = 1",
    "insert into master.touches select 7, customer_id, touched_at + interval '5 hours', 'social', updated_at from master.touches",
    "update master.orders set customer_id = 2 where order_id = 101",
    "update master.orders set customer_id = 2, ordered_at = '2026-11-21 00:00+07' where order_id = 101",
    "update master.order_lines set order_id = 101 where order_id = 102 and line_no = 2",
    "update master.sessions set started_at = '2026-11-20 23:30+07', duration_s = 86400 where session_id = 2",
    "update master.sessions set customer_id = 1",
    "update master.customers set acquisition_channel = 'null' where customer_id = 2",
    # Two refunds of a line in one instant; all of it given back on the day of the order; a word beside the channel's.
    "insert into master.refunds select 2, order_id, line_no, 15, refunded_at, updated_at from master.refunds",
    "insert into master.refunds values (2, 101, 1, 19, '2026-11-20 12:00+07', '2026-11-20 12:00+07')",
    "insert into master.marketing_spend values ('2026-11-20', 'paid_social', 0.01, '2026-11-20 12:00+07')",
    # Other types that say the same.
    "alter table master.order_lines alter column quantity type float8",
    "alter table master.order_lines alter column quantity type numeric(30, 10)",
    "alter table master.order_lines alter column unit_price type bigint",
    "alter table master.orders alter column customer_id type numeric",
    "alter table master.sessions alter column duration_s type bigint",
    "alter table master.touches alter column channel type varchar(20)",
    "create domain master.instant as timestamptz; alter table master.sessions alter column started_at type master.instant",
)  # fmt: skip


@pytest.mark.parametrize("change_of_upstream", RIGHT, ids=lambda value: str(value)[-60:])
def test_what_is_only_written_oddly_is_published_to_the_cent(good_day: Any, change_of_upstream: str) -> None:
    """As an independent calculation has it, in all reports, channels too."""
    change(good_day, change_of_upstream)
    assert {dag_id: failed(good_day, dag_id) for dag_id in REPORTS} == {dag_id: {} for dag_id in REPORTS}
    master = Master(good_day)
    orders, whole, channels, customers = master.profit(DAY)
    found = row(good_day, "select * from investor.daily_profit")
    money = {item: Fraction(found[item]) for item in ITEMS}
    assert found["orders"] == orders
    assert money == {item: cents(amount) for item, amount in whole.items()}
    published = rows(good_day, "select * from investor.daily_profit_by_channel")
    assert {one["channel"] for one in published} == set(channels)
    for one in published:
        for item in ITEMS:
            assert abs(Fraction(one[item]) - channels[one["channel"]][item]) < Fraction(1, 100)
    assert all(sum(Fraction(one[item]) for one in published) == money[item] for item in ITEMS)
    for report, expected in (
        ("daily_engagement", master.engagement(DAY)),
        ("daily_growth", master.growth(DAY)),
    ):
        found = row(good_day, f"select * from investor.{report}")
        counted = {name: value for name, value in expected.items() if isinstance(value, int)}
        assert {name: found[name] for name in counted} == counted
    variants = rows(good_day, "select variant, n, mean_profit from experiments.unit_profit")
    assigned = {variant: who for (_, variant), who in master.variants(DAY).items()}
    assert {one["variant"]: one["n"] for one in variants} == {
        name: len(who) for name, who in assigned.items()
    }
    for one in variants:
        mean = sum(customers[customer] for customer in assigned[one["variant"]]) / one["n"]
        assert float(one["mean_profit"]) == pytest.approx(float(mean), abs=1e-6)


def cents(amount: Fraction) -> Fraction:
    """Half a cent away from nothing."""
    whole = abs(amount) * 100
    rounded = Fraction((whole + Fraction(1, 2)).__floor__(), 100)
    return rounded if amount >= 0 else -rounded
