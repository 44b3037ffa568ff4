"""Rows loaded twice under new keys, yesterday's under today's date, or in another unit: only the whole day shows it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from pipelines import runner
from tests.pipelines.contract_cases import ENGAGEMENT, GROWTH, PROFIT
from tests.pipelines.master_by_hand import DAY
from tests.pipelines.model_runs import REPORTS, report_run
from tests.pipelines.test_contract import change, failed

ORDER_COLUMNS = "order_id, customer_id, ordered_at, status, updated_at"
LINE_COLUMNS = "order_id, line_no, product_id, quantity, unit_price, discount, updated_at"
OF_THE_DAY = "ordered_at >= '2026-11-20 00:00+07'"


def orders(day: int, first: int, count: int = 30) -> str:
    """So many orders on a November day, one every seven minutes, with a line each."""
    return (
        f"insert into master.orders ({ORDER_COLUMNS}) select {first} + n, 1 + n % 2,"
        f" '2026-11-{day} 08:00+07'::timestamptz + n * interval '7 minutes', 'paid', '2026-11-{day} 20:00+07'"
        f" from generate_series(1, {count}) n; insert into master.order_lines ({LINE_COLUMNS})"
        f" select order_id, 1, 1, 1 + order_id % 3, 10, 0, updated_at from master.orders where order_id > {first}"
    )


def sessions(day: int, first: int, count: int = 30) -> str:
    return (
        f"insert into master.sessions select {first} + n, 1 + n % 2,"
        f" '2026-11-{day} 08:00+07'::timestamptz + n * interval '7 minutes', 60 + n, 'browse',"
        f" '2026-11-{day} 20:00+07' from generate_series(1, {count}) n"
    )


TWINS = (
    f"insert into master.orders ({ORDER_COLUMNS}) select order_id + 1000, customer_id, ordered_at, status, updated_at"
    f" from master.orders where {OF_THE_DAY}; insert into master.order_lines ({LINE_COLUMNS}) select order_id + 1000,"
    " line_no, product_id, quantity, unit_price, discount, updated_at from master.order_lines where order_id > 100"
)
SESSION_TWINS = (
    "insert into master.sessions select session_id + 1000, customer_id, started_at, duration_s, feature, updated_at"
    " from master.sessions"
)
LINE_TWINS = (
    f"insert into master.order_lines ({LINE_COLUMNS}) select order_id, line_no + 10, product_id, quantity, unit_price,"
    " discount, updated_at from master.order_lines where order_id > 100"
)
OTHER_ARTICLES = (
    "insert into master.products select 2, category, unit_cost, updated_at from master.products where product_id = 1;"
    f" insert into master.order_lines ({LINE_COLUMNS}) select order_id, 2, 2, quantity, unit_price, discount,"
    " updated_at from master.order_lines where order_id > 5000"
)
# Carts of ten articles, of which each has one on two lines.
LARGE_CARTS = (
    f"insert into master.order_lines ({LINE_COLUMNS}) select order_id, 1 + n, 1, 10 + n, 10, 0, updated_at"
    " from master.order_lines, generate_series(1, 9) n where order_id > 5000; insert into master.order_lines"
    f" ({LINE_COLUMNS}) select order_id, 11, 1, 19, 10, 0, updated_at from master.order_lines where line_no = 10"
)
# A shop of twenty articles, each sold fifteen times over the day for its own price.
ARTICLES = (
    "insert into master.products (product_id, category, unit_cost, updated_at)"
    " select 100 + n, 'toys', 1, '2026-11-01' from generate_series(1, 20) n;"
    f" {orders(20, 5000, 300).replace('7 minutes', '3 minutes')};"
    " update master.order_lines set product_id = 101 + order_id % 20, unit_price = 2 * (1 + order_id % 20)"
    " where order_id > 5000"
)
IN_CENTS = "update master.order_lines set unit_price = unit_price {} where order_id between {} and {}"
NOT_AGAIN = "sessions_are_not_those_of_the_day_before"


@pytest.mark.parametrize(
    ("loaded", "dag_id", "check", "found"),
    [
        (f"{orders(20, 5000)}; {TWINS}", PROFIT, "orders_come_once", "32 of 64 in master.orders"),
        (
            f"{sessions(20, 5000)}; {SESSION_TWINS}",
            ENGAGEMENT,
            "sessions_come_once",
            "32 of 64 in master.sessions",
        ),
        (f"{orders(20, 5000, 5)}; {TWINS}", PROFIT, "orders_come_once", "7 of 14 in master.orders"),
        (
            f"{sessions(20, 5000, 5)}; {SESSION_TWINS}",
            ENGAGEMENT,
            "sessions_come_once",
            "7 of 14 in master.sessions",
        ),
        (f"{orders(20, 5000)}; {LINE_TWINS}", PROFIT, "lines_come_once", "33 of 66 in master.order_lines"),
        (
            f"{ARTICLES}; {IN_CENTS.format('* 100', 5001, 5005)}",
            PROFIT,
            "prices_are_in_one_unit",
            "5 of 20 in master.order_lines.unit_price, such as order_id 5001, line_no 1 (",
        ),
        (
            f"{ARTICLES}; {IN_CENTS.format('/ 100', 5041, 5060)}",
            PROFIT,
            "prices_are_in_one_unit",
            "20 of 20 in master.order_lines.unit_price, such as order_id 5041, line_no 1 (",
        ),
        (
            f"{orders(19, 3000)}; {orders(20, 5000)}",
            PROFIT,
            "orders_are_not_those_of_the_day_before",
            "30 of 31 in master.orders.ordered_at, such as order_id 5001",
        ),
        *(
            (
                f"{sessions(19, 3000)}; {sessions(20, 5000)}",
                dag_id,
                NOT_AGAIN,
                "30 of 32 in master.sessions.started_at",
            )
            for dag_id in (ENGAGEMENT, GROWTH)
        ),
    ],
    ids=lambda value: str(value)[-50:],
)
def test_rows_that_together_look_wrong_hold_the_day(
    good_day: Any, loaded: str, dag_id: str, check: str, found: str
) -> None:
    """How many of how many, in which table, and the key of one."""
    change(good_day, loaded)
    held = failed(good_day, dag_id)
    assert list(held) == [check]
    assert held[check].startswith(found)
    command = f"python -m oncall release {REPORTS[dag_id]} {DAY} --note TEXT"
    assert held[check].endswith(f"; if it is true: {command}")
    runner.release(good_day, report_run(dag_id), "anna", "guests share a number, and upstream keeps minutes")
    assert failed(good_day, dag_id) == {}


def test_what_was_true_once_is_this_shops_way(shop: Any) -> None:
    """Released with 50 in 100, half as many again are no question on the days after; all of them are one."""
    following = DAY + dt.timedelta(days=1)
    change(shop, f"{orders(20, 5000)}; {TWINS}")
    assert list(failed(shop, PROFIT)) == ["orders_come_once"]
    runner.release(shop, report_run(PROFIT), "anna", "one account for all guests")
    change(shop, orders(21, 7000).replace("n % 2", "n * 0"))
    change(shop, TWINS.replace("11-20", "11-21").replace("order_id > 100", "order_id > 7000"))
    assert failed(shop, PROFIT, following) == {}
    change(shop, "delete from investor.releases")
    assert list(failed(shop, PROFIT, following)) == ["orders_come_once"]


@pytest.mark.parametrize(
    "loaded",
    [
        "update master.orders set ordered_at = '2026-11-20 00:00+07' where order_id in (101, 102);"
        " update master.order_lines set unit_price = 5, quantity = 1, discount = 0 where order_id = 102;"
        " delete from master.order_lines where order_id = 102 and line_no = 2;"
        " update master.order_lines set unit_price = 5, quantity = 1, discount = 0 where order_id = 101",
        f"{orders(20, 5000, 300)}; update master.orders set ordered_at = (select ordered_at from master.orders where"
        " order_id = 5002), customer_id = 1 where order_id = 5008; update master.orders set customer_id = 1 where"
        " order_id = 5002",
        f"{TWINS}; {SESSION_TWINS}; {LINE_TWINS}",
        f"{orders(20, 5000, 60)}; update master.orders set ordered_at = '2026-11-20 13:00+07' where order_id > 5000",
        f"{orders(19, 3000, 10)}; {orders(20, 5000)}",
        f"{orders(19, 3000, 5)}; {orders(20, 5000, 5)}; {sessions(19, 3000, 5)}; {sessions(20, 5000, 5)}",
        f"{sessions(19, 3000, 10)}; {sessions(20, 5000)}",
        f"{ARTICLES}; {IN_CENTS.format('* 100', 5001, 5004)}; {IN_CENTS.format('* 0', 5100, 5200)}",
        f"{ARTICLES}; {IN_CENTS.format('* 25', 5001, 5100)}",
        f"{orders(20, 5000)}; {OTHER_ARTICLES}",
        f"{orders(20, 5000)}; {LARGE_CARTS}",
    ],
    ids=[
        "days for instants",
        "a finger that slipped",
        "a small shop",
        "hours for instants",
        "a few again",
        "a small shop again",
        "regulars",
        "postage at any price, and gifts",
        "a sale",
        "articles of one price",
        "large carts",
    ],
)
def test_what_only_looks_alike_is_published(good_day: Any, loaded: str) -> None:
    """Two orders of a day are two where nobody knows the hour; a few of thousands are no alarm."""
    change(good_day, loaded)
    assert {dag_id: failed(good_day, dag_id) for dag_id in REPORTS} == {dag_id: {} for dag_id in REPORTS}
