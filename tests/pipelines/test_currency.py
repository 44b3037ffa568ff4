"""Money is in one currency: rows in another one hold the report, and nothing of two currencies is ever added."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.history import PublicationHistory
from oncall.adapters.postgres.report_numbers import PublishedReports
from pipelines.report_run import Held
from tests.exploring import examples
from tests.pipelines.contract_cases import PROFIT
from tests.pipelines.master_by_hand import DAY, add, at, row, rows
from tests.pipelines.model_runs import report_run, run_all
from tests.pipelines.plain_calculation import ITEMS, Master

BEFORE = DAY - dt.timedelta(days=1)
MONEY = ("orders", "order_lines", "refunds", "products", "marketing_spend")
# (table, the rows that the day reads of it, the key of the first of them)
ROWS = [
    ("orders", "order_id = 101", "order_id 101"),
    ("orders", "order_id = 90", "order_id 90"),  # sold earlier, refunded today
    ("order_lines", "order_id = 102 and line_no = 2", "order_id 102, line_no 2"),  # another one than its order
    ("order_lines", "order_id = 90", "order_id 90, line_no 1"),
    ("refunds", "true", "refund_id 1"),
    ("products", "true", "product_id 1"),
    ("marketing_spend", "channel = 'tv'", "day 2026-11-20, channel tv"),
]  # fmt: skip
NOUNS = {"order_lines": "order lines", "marketing_spend": "marketing spend"}


def change(connection: Any, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.commit()


def sold_before(connection: Any) -> None:
    """The day before has a sale too."""
    add(connection, "orders", {"order_id": 80, "ordered_at": at("10:00", BEFORE)})
    add(connection, "order_lines", {"order_id": 80, "unit_price": "3.00"})


def held(connection: Any, day: dt.date = DAY) -> dict[str, tuple[str, str]]:
    """What holds the day's profit: expected and found, by check; nothing when it is published."""
    try:
        run_all(connection, report_run(PROFIT, day))
    except Held as why:
        return {check.name: (check.expected, check.found) for check in why.failed}
    return {}


@pytest.mark.parametrize(
    ("place", "money"),
    [
        *((ROWS[0], money) for money in ("usd", " USD", "USD ", "", "US", "US$", "USD\n")),
        *((place, money) for place in ROWS for money in ("EUR", None)),
    ],
    ids=str,
)
def test_a_row_in_another_currency_holds_the_report(
    shop: Any, place: tuple[str, str, str], money: str | None
) -> None:
    """With table, column, how many rows, and the key of one; whatever spelling is not the contract's is another one."""
    table, where, key = place
    with shop.cursor() as cursor:
        cursor.execute(f"update master.{table} set currency = %s where {where}", (money,))
    shop.commit()
    short, noun = table.rpartition("_")[2], NOUNS.get(table, table)
    name, expected = (
        (f"{short}_currency_is_there", f"0 {noun} without currency")
        if money is None
        else (f"{short}_currency_is_accepted", f"0 {noun} whose currency is not USD")
    )
    found = held(shop)
    assert found.keys() == {name}
    assert found[name][0] == expected
    said = "null" if money is None else f"'{money}'"
    assert found[name][1].startswith(f"1 in master.{table}.currency, such as {key} ({said})")
    assert rows(shop, "select * from investor.daily_profit") == []


def test_another_currency_on_another_day_holds_that_day_alone(shop: Any) -> None:
    """What the day does not read is not its business."""
    sold_before(shop)
    change(shop, "update master.orders set currency = 'EUR' where order_id = 80")
    assert held(shop) == {}
    assert "orders_currency_is_accepted" in held(shop, BEFORE)


@pytest.mark.parametrize("lacking", [MONEY, *((table,) for table in MONEY)], ids=str)
def test_a_warehouse_without_the_column_is_taken_at_its_word(shop: Any, lacking: tuple[str, ...]) -> None:
    """All of the tables or some may lack it: published as before, in the currency of the contract."""
    change(shop, *(f"alter table master.{table} drop column currency" for table in lacking))
    assert held(shop) == {}
    for table in ("daily_profit", "daily_profit_by_channel", "profit_statement"):
        assert {one["currency"] for one in rows(shop, f"select currency from investor.{table}")} == {"USD"}
    for table in set(MONEY) - set(lacking):
        change(shop, f"update master.{table} set currency = 'EUR'")
        name = f"{table.rpartition('_')[2]}_currency_is_accepted"
        assert name in held(shop)
        change(shop, f"update master.{table} set currency = 'USD'")


def test_a_currency_that_is_no_text_is_said(shop: Any) -> None:
    """A code number is no currency that anybody can compare."""
    change(
        shop,
        "alter table master.orders alter column currency drop default",
        "alter table master.orders alter column currency type int using 840",
    )
    found = held(shop)["orders_currency_has_its_type"]
    assert found == ("a column currency of type text, not int4", "none in master.orders")


def test_a_day_published_before_its_currency_was_said_has_the_same(shop: Any) -> None:
    """The column is filled in, and no number is restated for it."""
    sold_before(shop)
    assert held(shop, BEFORE) == {} == held(shop)
    change(
        shop,
        "update investor.daily_profit set currency = null",
        "update investor.daily_profit_by_channel set currency = null",
    )
    assert held(shop, BEFORE) == {} == held(shop)
    assert rows(shop, "select * from investor.daily_profit where currency is distinct from 'USD'") == []
    assert rows(shop, "select * from investor.restatements") == []


def test_a_report_does_not_go_from_one_currency_to_another(shop: Any) -> None:
    """Whoever adds up its days would add two currencies: the day is held, until those before it are in the same."""
    sold_before(shop)
    assert held(shop, BEFORE) == {}
    change(
        shop,
        "update investor.daily_profit set currency = 'EUR'",
        "update investor.daily_profit_by_channel set currency = 'EUR'",
    )
    expected, found = held(shop)["days_are_in_one_currency"]
    assert expected == "0 earlier days in another currency than USD"
    assert found.startswith("1, the last of them 2026-11-19 in EUR: publish them again")
    assert held(shop, BEFORE) == {} == held(shop)
    (said,) = rows(
        shop, "select * from investor.restatements where column_name = 'currency' and row_key = ''"
    )
    assert (said["old_value"], said["new_value"], said["currency"]) == ("EUR", "USD", "USD")


def test_the_experiments_profit_says_its_currency_and_adds_up_no_two(shop: Any) -> None:
    """Old days get it without a restatement; with a day of profit in another one the report is held."""
    for dag_id in ("profit_etl", "unit_profit_experiments"):
        run_all(shop, report_run(dag_id))
    change(shop, "update experiments.unit_profit set currency = null")
    run_all(shop, report_run("unit_profit_experiments"))
    assert rows(shop, "select distinct currency from experiments.unit_profit") == [{"currency": "USD"}]
    assert rows(shop, "select * from investor.restatements") == []
    change(shop, "update investor.daily_profit set currency = 'EUR'")
    with pytest.raises(
        Held, match=r"profit_is_in_one_currency: expected 0 .* than USD; found 1 in .* 2026-11-20 \(EUR\)"
    ):
        run_all(shop, report_run("unit_profit_experiments"))


def test_the_page_and_restatements_say_the_currency(shop: Any) -> None:
    """Beside each number, from the published rows themselves."""
    assert held(shop) == {}
    change(shop, "update master.refunds set amount = 5.00, updated_at = now()")
    assert held(shop) == {}
    given = shop.get_dsn_parameters()
    connect = connect_to(f"postgresql://postgres@/{given['dbname']}?host={given['host']}")
    found = PublishedReports(connect).read("investor.daily_profit", DAY, DAY)
    assert [one.currency for one in found.rows] == ["USD"]
    assert "currency" not in (*found.columns, *found.key_columns)
    restated = PublicationHistory(connect).restated(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    assert {(one.column, one.currency) for one in restated if not one.key} == {
        ("refunds", "USD"),
        ("profit", "USD"),
    }


CODES = some.sampled_from(("USD",) * 12 + ("EUR", "usd", None))


@settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(codes=some.lists(CODES, min_size=14, max_size=14))
def test_the_day_is_published_when_and_only_when_all_its_money_is_in_one(
    shop: Any, codes: list[str | None]
) -> None:
    """Of whichever rows the currency is said: as the plain calculation knows it, and then to the same cent."""
    given_to = iter(codes)
    with shop.cursor() as cursor:
        cursor.execute("delete from investor.daily_profit; delete from investor.publications")
        for table in MONEY:
            cursor.execute(f"select ctid::text from master.{table} order by ctid")
            for (place,) in cursor.fetchall():
                code = next(given_to, "USD")
                cursor.execute(f"update master.{table} set currency = %s where ctid = %s", (code, place))
    shop.commit()
    master = Master(shop)
    found = held(shop)
    assert bool(found) == bool(master.in_another_currency(DAY, "USD")), found
    if not found:
        orders, whole, _, _ = master.profit(DAY)
        published = row(shop, "select * from investor.daily_profit where report_date = %s", DAY)
        assert published["orders"] == orders
        assert {item: Fraction(published[item]) for item in ITEMS} == whole
