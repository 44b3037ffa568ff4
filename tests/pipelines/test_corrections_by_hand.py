"""Each kind of correction, with rows written by hand: what it changes, on which day, and what is written down."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import closing
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from oncall.cli.main import main
from oncall.config.oncall_config import load
from oncall.core.promises.facts import Load
from pipelines import publication, runner
from pipelines.report_run import Held
from pipelines.stale_days import StalePublications
from tests.pipelines.master_by_hand import DAY, add, at, row, rows
from tests.pipelines.model_runs import Run, report_run, run_all
from tests.spare_databases import SpareDatabases

INCLUDE = Path(__file__).resolve().parents[2] / "include"
SETUP = load(INCLUDE)
BEFORE, NEXT = DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=1)
NOTHING = {
    "orders": 0,
    "cancelled_orders": 0,
    "revenue": 0,
    "cost": 0,
    "refunds": 0,
    "marketing": 0,
    "profit": 0,
}


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def profit(warehouse: Any, day: dt.date = DAY) -> dict[str, Any]:
    found = row(warehouse, "select * from investor.daily_profit where report_date = %s", day)
    del found["report_date"]
    assert found.pop("currency") == "USD"
    return found


def change(warehouse: Any, statement: str, *values: Any) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute(statement, values)
    warehouse.commit()


def loaded(warehouse: Any, table: str, day: dt.date, at: dt.datetime, count: int | None = 1) -> None:
    change(warehouse, "insert into master.loads values (%s, %s, %s, %s)", table, day, at, count)


def restatements(warehouse: Any) -> list[dict[str, Any]]:
    return rows(
        warehouse, "select * from investor.restatements order by report, report_date, column_name, row_key"
    )


def stale(warehouse: Any) -> list[tuple[str, dt.date]]:
    return [(day.pipeline.dag_id, day.report_date) for day in StalePublications(warehouse, SETUP).find()]


@pytest.fixture(scope="module")
def sold(warehouses: SpareDatabases) -> dict[str, str]:
    """The rows of every table, as `copy` writes them: order 1 of the day before DAY, two pieces for 10.00 that cost
    4.00 each, published; a session of that day."""
    with warehouses.one() as dsn, closing(psycopg2.connect(dsn)) as warehouse:
        add(warehouse, "customers", {"customer_id": 1})
        add(warehouse, "products", {"product_id": 1, "unit_cost": "4.00"})
        add(warehouse, "orders", {"order_id": 1, "ordered_at": at("12:00", BEFORE)})
        add(warehouse, "order_lines", {"order_id": 1, "unit_price": "5.00", "quantity": 2})
        add(warehouse, "sessions", {"session_id": 1, "started_at": at("12:00", BEFORE)})
        for dag_id in ("profit_etl", "engagement_etl", "growth_etl"):
            run_all(warehouse, report_run(dag_id, BEFORE))
        written = {}
        ours = "relkind = 'r' and relnamespace::regnamespace::text in ('master', 'base', 'investor')"
        for table in rows(warehouse, f"select oid::regclass::text as name from pg_class where {ours}"):
            with warehouse.cursor() as cursor:
                cursor.copy_expert(f"copy {table['name']} to stdout", file := StringIO())
            written[table["name"]] = file.getvalue()
        return written


@pytest.fixture
def a_sale(warehouse: Any, sold: dict[str, str]) -> Any:
    """Order 1 is sold and published: see `sold`."""
    with warehouse.cursor() as cursor:
        for table, written in sold.items():
            if written:
                cursor.copy_expert(f"copy {table} from stdin", StringIO(written))
    warehouse.commit()
    return warehouse


def cancel(warehouse: Any, when: dt.datetime, order: int = 1) -> None:
    change(
        warehouse,
        "update master.orders set status = 'cancelled', updated_at = %s where order_id = %s",
        when,
        order,
    )


def sell_too(warehouse: Any, order: int = 9, day: dt.date = DAY) -> None:
    add(warehouse, "orders", {"order_id": order, "ordered_at": at("12:00", day)})
    add(warehouse, "order_lines", {"order_id": order, "unit_price": "7.00"})


def test_a_cancellation_on_a_later_day_is_taken_back_on_that_day(a_sale: Any, run: Run) -> None:
    """Revenue and cost come back on the day of the cancellation; the day of the sale stays as it is published."""
    before = profit(a_sale, BEFORE)
    cancel(a_sale, at("09:00"))
    sell_too(a_sale)
    run("profit_etl")
    assert profit(a_sale) == {
        "orders": 1, "cancelled_orders": 1, "revenue": Decimal("-3.00"), "cost": Decimal("-4.00"),
        "refunds": 0, "marketing": 0, "profit": Decimal("1.00"),
    }  # fmt: skip
    run("profit_etl", day=BEFORE)
    assert profit(a_sale, BEFORE) == before
    assert restatements(a_sale) == []
    assert stale(a_sale) == []


def test_what_was_refunded_is_not_given_back_twice(a_sale: Any, run: Run) -> None:
    """6.00 were refunded on the day before the cancellation, and 1.00 after it: of 10.00 only 4.00 are taken back."""
    add(a_sale, "refunds", {"refund_id": 1, "order_id": 1, "amount": "6.00", "refunded_at": at("08:00")})
    sell_too(a_sale)
    run("profit_etl")
    cancel(a_sale, at("09:00", NEXT))
    later = NEXT + dt.timedelta(days=1)
    add(
        a_sale,
        "refunds",
        {"refund_id": 2, "order_id": 1, "amount": "1.00", "refunded_at": at("08:00", later)},
    )
    for day in (NEXT, later):
        sell_too(a_sale, 10 + day.day, day)
        run("profit_etl", day=day)
    assert profit(a_sale, NEXT)["revenue"] == Decimal("3.00")
    assert profit(a_sale, later)["refunds"] == 0
    found = row(
        a_sale, "select sum(revenue - refunds) as kept, sum(cost) as cost from base.profit where order_id = 1"
    )
    assert found == {"kept": 0, "cost": 0}


def test_a_refund_after_the_cancellation_makes_nothing_stale(a_sale: Any, run: Run) -> None:
    """The money of a cancelled order is often paid back days later, and counts on no day."""
    cancel(a_sale, at("09:00"))
    sell_too(a_sale)
    run("profit_etl")
    late = {"refund_id": 1, "order_id": 1, "refunded_at": at("08:00", NEXT), "updated_at": now()}
    add(a_sale, "refunds", {**late, "amount": "10.00"})
    assert stale(a_sale) == []


@pytest.mark.parametrize(
    "becomes",
    [
        "update master.refunds set refunded_at = refunded_at + interval '2 days', updated_at = now()",
        "update master.refunds set order_id = 9, updated_at = now()",
        "delete from master.refunds",
    ],
)
def test_what_a_cancellation_takes_back_follows_the_refunds_before_it(
    a_sale: Any, run: Run, becomes: str
) -> None:
    """One that was of a later day, of another order, or none at all, was not given back before the cancellation."""
    add(a_sale, "refunds", {"refund_id": 1, "order_id": 1, "amount": "6.00", "refunded_at": at("20:00")})
    sell_too(a_sale)
    run("profit_etl")
    cancel(a_sale, at("09:00", NEXT))
    sell_too(a_sale, 8, NEXT)
    run("profit_etl", day=NEXT)
    assert profit(a_sale, NEXT)["revenue"] == 7 - 4
    change(a_sale, becomes)
    assert stale(a_sale) == [("profit_etl", DAY), ("profit_etl", NEXT)]
    for day in (DAY, NEXT):
        run("profit_etl", day=day)
    assert profit(a_sale, NEXT)["revenue"] == 7 - 10
    assert stale(a_sale) == []


@pytest.mark.parametrize(
    ("written", "days"),
    [
        (at("11:00", BEFORE - dt.timedelta(days=1)), [BEFORE]),  # a clock that went back
        (at("13:00", BEFORE), [BEFORE]),
        (at("09:00"), [BEFORE, DAY]),
    ],
)
def test_a_cancellation_that_comes_later_than_it_says_is_found(
    a_sale: Any, run: Run, written: dt.datetime, days: list[dt.date]
) -> None:
    """The days that it says were read before it came: over all of them the order adds up to nothing once they ran."""
    sell_too(a_sale)
    run("profit_etl")
    cancel(a_sale, written)
    sell_too(a_sale, 10, NEXT)
    run("profit_etl", day=NEXT)
    publication.note_late_rows(a_sale, report_run("profit_etl", NEXT))
    assert [day for dag_id, day in stale(a_sale) if dag_id == "profit_etl"] == days
    StalePublications(a_sale, SETUP).rerun("again")
    publication.note_late_rows(a_sale, report_run("profit_etl", NEXT))
    assert stale(a_sale) == []
    found = row(
        a_sale, "select sum(revenue - refunds) as kept, sum(cost) as cost from base.profit where order_id = 1"
    )
    assert not any(found.values())
    assert restatements(a_sale)


def test_a_late_cancellation_that_a_later_refund_has_shown_is_found(a_sale: Any, run: Run) -> None:
    """The day of the refund asks when its order was cancelled; the day of the cancellation has not heard of it."""
    sell_too(a_sale)
    run("profit_etl")
    cancel(a_sale, at("09:00"))
    add(
        a_sale, "refunds", {"refund_id": 1, "order_id": 1, "amount": "6.00", "refunded_at": at("08:00", NEXT)}
    )
    sell_too(a_sale, 10, NEXT)
    run("profit_etl", day=NEXT)
    assert profit(a_sale, NEXT)["refunds"] == 0
    assert DAY in [day for dag_id, day in stale(a_sale) if dag_id == "profit_etl"]
    StalePublications(a_sale, SETUP).rerun("again")
    assert stale(a_sale) == []
    assert (profit(a_sale)["cancelled_orders"], profit(a_sale)["revenue"]) == (1, 7 - 10)


def test_a_cancelled_order_that_is_anothers_is_so_on_both_days(a_sale: Any, run: Run) -> None:
    """Between the two days it is that customer's who bought it, and the credit that customer's touches'."""
    add(a_sale, "customers", {"customer_id": 2, "acquisition_channel": "email"})
    sell_too(a_sale)
    cancel(a_sale, at("09:00"))
    run("profit_etl")
    change(a_sale, "update master.orders set customer_id = 2, updated_at = now() where order_id = 1")
    assert [day for dag_id, day in stale(a_sale) if dag_id == "profit_etl"] == [BEFORE, DAY]
    StalePublications(a_sale, SETUP).rerun("again")
    assert stale(a_sale) == []
    found = rows(
        a_sale, "select report_date, customer_id, revenue from base.profit where order_id = 1 order by 1"
    )
    assert [tuple(line.values()) for line in found] == [(BEFORE, 2, 10), (DAY, 2, -10)]


@pytest.mark.parametrize(
    "becomes",
    [
        "customer_id = 2",
        "touched_at = touched_at + interval '5 days'",
        "touched_at = touched_at - interval '7 days', channel = 'social'",
    ],
)
def test_a_touch_that_was_anothers_or_of_another_time_gives_its_credit_back(
    a_sale: Any, run: Run, becomes: str
) -> None:
    """Nothing of the customer who had it is written, nor are there fewer of its day."""
    add(a_sale, "customers", {"customer_id": 2})
    add(a_sale, "touches", {"touch_id": 1, "touched_at": at("11:00", BEFORE), "channel": "email"})
    add(
        a_sale,
        "touches",
        {"touch_id": 2, "touched_at": at("01:00", BEFORE - dt.timedelta(days=20)), "channel": "tv"},
    )
    run("profit_etl", day=BEFORE)
    by_channel = "select channel, revenue from investor.daily_profit_by_channel where report_date = %s"
    assert rows(a_sale, by_channel, BEFORE) == [{"channel": "email", "revenue": 10}]
    change(a_sale, f"update master.touches set {becomes}, updated_at = now() where touch_id = 1")
    assert stale(a_sale) == [("profit_etl", BEFORE)]
    StalePublications(a_sale, SETUP).rerun("again")
    assert rows(a_sale, by_channel, BEFORE) == [{"channel": "organic", "revenue": 10}]
    assert stale(a_sale) == []


def test_touches_that_upstream_puts_away_are_not_missed(a_sale: Any, run: Run) -> None:
    """A late one of another customer is no reason to ask for those that an older order's credit came of."""
    add(a_sale, "touches", {"touch_id": 1, "touched_at": at("11:00", BEFORE), "channel": "email"})
    run("profit_etl", day=BEFORE)
    change(a_sale, "delete from master.touches")
    change(a_sale, "delete from base.day_parts")
    late = {"touch_id": 2, "customer_id": 7, "touched_at": at("13:00", BEFORE), "channel": "tv"}
    add(a_sale, "touches", {**late, "updated_at": now()})
    assert stale(a_sale) == []


def test_sessions_of_another_length_change_no_other_day(a_sale: Any, run: Run) -> None:
    """Who was active on which day is as it was."""
    add(a_sale, "sessions", {"session_id": 2, "started_at": at("12:00")})
    run("engagement_etl")
    change(a_sale, "update master.sessions set duration_s = 99, updated_at = now() where session_id = 1")
    run("engagement_etl", day=BEFORE)
    assert [day for dag_id, day in stale(a_sale) if dag_id == "engagement_etl"] == []
    assert {r["column_name"] for r in restatements(a_sale)} == {"seconds", "seconds_per_active"}


@pytest.mark.parametrize("odd", ["-infinity", "0044-03-15 BC", "1999-12-31", "9999-12-31", "infinity"])
def test_a_day_that_no_report_is_about_stops_no_other(
    a_sale: Any, run: Run, known_to_airflow: None, odd: str
) -> None:
    """A garbage row among the publications makes no day of a young warehouse incomplete, and is not run again."""
    change(
        a_sale,
        "insert into investor.publications (report, report_date, published_at, run_id, rows)"
        " select report, %s, published_at, run_id, rows from investor.publications",
        odd,
    )
    change(
        a_sale,
        "insert into investor.late_rows select report, report_date, 'master.orders', clock_timestamp()"
        " from investor.publications",
    )
    run("engagement_etl", "growth_etl", day=BEFORE)
    done = StalePublications(a_sale, SETUP).rerun("again")
    assert {rerun.day.report_date for rerun in done} == {BEFORE}
    assert [rerun.held for rerun in done if rerun.held] == []
    assert stale(a_sale) == []
    for day in ("9999-12-31", "0001-01-01"):
        with pytest.raises(SystemExit, match="2"):
            main(["breaches", day])


def test_a_cancellation_of_a_day_that_has_not_run_yet_makes_nothing_stale(a_sale: Any) -> None:
    """As each day has them: its own run will hear of it."""
    cancel(a_sale, at("09:00"))
    publication.note_late_rows(a_sale, report_run("profit_etl", BEFORE))
    assert stale(a_sale) == []


def test_a_load_that_is_noted_later_than_it_says_makes_its_day_stale(a_sale: Any, run: Run) -> None:
    """Begun before the day was read and finished after it, or by a clock that is behind: it is not what was read."""
    upstream = SETUP.pipelines["profit_etl"].upstream
    loaded(a_sale, "marketing_spend", BEFORE, at("01:00"), 0)
    run("profit_etl", day=BEFORE, upstream=upstream, at=at("02:00"))
    assert stale(a_sale) == []
    add(a_sale, "marketing_spend", {"day": BEFORE, "channel": "tv", "amount": 3, "updated_at": at("01:50")})
    loaded(a_sale, "marketing_spend", BEFORE, at("01:55"), 1)
    assert stale(a_sale) == [("profit_etl", BEFORE)]
    StalePublications(a_sale, SETUP).rerun("again")
    assert profit(a_sale, BEFORE)["marketing"] == 3
    assert stale(a_sale) == []


def test_a_day_with_a_cancellation_alone_is_published(a_sale: Any, run: Run) -> None:
    """Nothing was sold, upstream says so, and what was sold before comes back."""
    cancel(a_sale, at("09:00"))
    loaded(a_sale, "orders", DAY, at("01:00", NEXT), 0)
    run("profit_etl")
    assert (profit(a_sale)["revenue"], profit(a_sale)["cost"]) == (-10, -8)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        (at("00:00", BEFORE), None),  # by the order's own day,
        (at("01:00", DAY), None),  # and with the first load of that day it came cancelled: it never counted
        (at("01:01", DAY), DAY),
        (at("23:59", DAY), DAY),
        (at("00:59", NEXT), DAY),  # the load of DAY, after midnight, still closes DAY
        (at("02:00", NEXT), NEXT),
    ],
)
def test_the_day_of_a_cancellation(a_sale: Any, run: Run, written: dt.datetime, day: dt.date | None) -> None:
    """By the row's last writing, beside the first loads of the days."""
    loaded(a_sale, "orders", BEFORE, at("01:00", DAY))
    loaded(a_sale, "orders", DAY, at("01:00", NEXT))
    loaded(a_sale, "orders", BEFORE, at("20:00", NEXT))  # a later load of a day says nothing new
    cancel(a_sale, written)
    for n, each in enumerate((DAY, NEXT)):
        sell_too(a_sale, 20 + n, each)
    run("profit_etl", day=BEFORE)
    run("profit_etl", day=DAY)
    run("profit_etl", day=NEXT)
    found = {each: profit(a_sale, each)["cancelled_orders"] for each in (DAY, NEXT)}
    assert found == {each: int(each == day) for each in (DAY, NEXT)}
    assert profit(a_sale, BEFORE)["orders"] == (0 if day is None else 1)


def test_a_cancellation_stays_on_its_day_when_the_row_is_written_again(a_sale: Any, run: Run) -> None:
    """Upstream loads a whole day anew: the row looks as if it were cancelled today."""
    cancel(a_sale, at("09:00"))
    sell_too(a_sale)
    sell_too(a_sale, 10, NEXT)
    run("profit_etl")
    before = profit(a_sale)
    cancel(a_sale, at("09:00", NEXT))
    run("profit_etl", day=NEXT)
    run("profit_etl")
    assert profit(a_sale) == before
    assert profit(a_sale, NEXT)["cancelled_orders"] == 0


def test_an_order_that_is_reinstated_counts_again(a_sale: Any, run: Run) -> None:
    """The day of its cancellation is stale; run again it is restated, and says so."""
    cancel(a_sale, at("09:00"))
    sell_too(a_sale)
    run("profit_etl", at=at("10:00"))
    change(
        a_sale, "update master.orders set status = 'paid', updated_at = %s where order_id = 1", at("11:00")
    )
    assert ("profit_etl", DAY) in stale(a_sale)
    StalePublications(a_sale, SETUP).rerun("again")
    assert profit(a_sale)["revenue"] == Decimal("7.00")
    assert {r["column_name"] for r in restatements(a_sale) if r["report"] == "investor.daily_profit"} == {
        "cancelled_orders", "revenue", "cost", "profit",
    }  # fmt: skip


def test_a_cost_that_rises_does_not_restate_the_days_before(a_sale: Any, run: Run) -> None:
    """Neither a run more, nor a line that comes late for that day, nor the cancellation: it cost 4.00 then."""
    before = profit(a_sale, BEFORE)
    change(a_sale, "update master.products set unit_cost = 9")
    run("profit_etl", day=BEFORE)
    assert profit(a_sale, BEFORE) == before
    add(a_sale, "orders", {"order_id": 2, "ordered_at": at("13:00", BEFORE)})
    add(a_sale, "order_lines", {"order_id": 2, "unit_price": "5.00"})
    run("profit_etl", day=BEFORE)
    assert profit(a_sale, BEFORE)["cost"] == Decimal("12.00")
    cancel(a_sale, at("09:00"))
    sell_too(a_sale)
    run("profit_etl")
    assert profit(a_sale)["cost"] == 9 - 8


def test_a_cost_that_was_wrong_can_be_corrected_on_purpose(a_sale: Any, run: Run) -> None:
    """As docs/METRICS.md says; the change is restated."""
    change(
        a_sale,
        "update base.product_costs set unit_cost = 3 where report_date = %s and product_id = 1",
        BEFORE,
    )
    run("profit_etl", day=BEFORE)
    assert profit(a_sale, BEFORE)["cost"] == Decimal("6.00")
    assert ("cost", "8.00", "6.00") in [
        (r["column_name"], r["old_value"], r["new_value"]) for r in restatements(a_sale)
    ]


def test_a_held_day_takes_the_cost_that_upstream_has_corrected(warehouse: Any, run: Run) -> None:
    """Only what was published is kept."""
    add(warehouse, "customers", {"customer_id": 1})
    add(warehouse, "products", {"product_id": 1, "unit_cost": "400.00"})
    sell_too(warehouse)
    add(warehouse, "orders", {"order_id": 8})
    with pytest.raises(Held):
        run("profit_etl")
    change(
        warehouse, "update master.products set unit_cost = 4; delete from master.orders where order_id = 8"
    )
    run("profit_etl")
    assert profit(warehouse)["cost"] == Decimal("4.00")


def test_a_published_day_that_is_held_when_it_is_run_again_keeps_its_costs_and_learns_none(
    a_sale: Any, run: Run
) -> None:
    """Its sale had moved away and is back, at 9.00 since; what came late at 900.00 was repaired."""
    change(a_sale, "update master.products set unit_cost = 9")
    change(a_sale, "update master.orders set ordered_at = ordered_at - interval '5 days'")
    add(a_sale, "products", {"product_id": 2, "unit_cost": "900.00"})
    add(a_sale, "orders", {"order_id": 8, "ordered_at": at("12:00", BEFORE)})
    add(a_sale, "order_lines", {"order_id": 8, "product_id": 2, "unit_price": "20.00"})
    runner.transform(a_sale, report_run("profit_etl", BEFORE))
    change(a_sale, "update master.orders set ordered_at = ordered_at + interval '5 days' where order_id = 1")
    change(a_sale, "update master.products set unit_cost = 5 where product_id = 2")
    run("profit_etl", day=BEFORE)
    assert profit(a_sale, BEFORE)["cost"] == Decimal("8.00") + 5
    run("profit_etl", day=BEFORE)
    assert profit(a_sale, BEFORE)["cost"] == Decimal("8.00") + 5


def test_a_day_published_before_costs_were_kept_keeps_them_through_a_run_that_is_held(
    a_sale: Any, run: Run
) -> None:
    """Also those of a sale that had moved away when it was held; what came late takes what upstream says at last."""
    add(a_sale, "products", {"product_id": 2, "unit_cost": "900.00"})
    change(
        a_sale,
        "delete from base.product_costs; update master.products set unit_cost = 9 where product_id = 1",
    )
    add(a_sale, "orders", {"order_id": 8, "ordered_at": at("12:00", BEFORE)})
    add(a_sale, "order_lines", {"order_id": 8, "product_id": 2, "unit_price": "20.00"})
    for moved in ("order_id = 1", "true"):
        runner.transform(a_sale, report_run("profit_etl", BEFORE))
        change(a_sale, f"update master.orders set ordered_at = ordered_at - interval '5 days' where {moved}")
    runner.transform(a_sale, report_run("profit_etl", BEFORE))
    change(a_sale, "update master.orders set ordered_at = %s", at("12:00", BEFORE))
    change(a_sale, "update master.products set unit_cost = 5 where product_id = 2")
    run("profit_etl", day=BEFORE)
    assert profit(a_sale, BEFORE)["cost"] == Decimal("8.00") + 5
    assert {r["old_value"] for r in restatements(a_sale) if r["column_name"] == "cost"} == {"8.00"}


def test_a_cancellation_takes_back_what_the_sale_cost_though_its_day_is_held(a_sale: Any, run: Run) -> None:
    """The line was missing when that day was run again; it is back, and costs more since."""
    change(a_sale, "update master.orders set ordered_at = ordered_at - interval '5 days' where order_id = 1")
    with pytest.raises(Held, match="not_empty"):
        run("profit_etl", day=BEFORE)
    change(a_sale, "update master.orders set ordered_at = ordered_at + interval '5 days' where order_id = 1")
    change(a_sale, "update master.products set unit_cost = 9")
    cancel(a_sale, at("09:00"))
    sell_too(a_sale)
    run("profit_etl")
    published = profit(a_sale)
    assert published["cost"] == 9 - 8
    run("profit_etl", day=BEFORE)
    assert stale(a_sale) == [("profit_etl", DAY)]  # whatever it has read of that day in between
    run("profit_etl")
    assert (profit(a_sale), stale(a_sale)) == (published, [])


def test_what_a_day_that_was_held_took_is_not_remembered(a_sale: Any, run: Run) -> None:
    """Neither a cost nor a channel: they may be what it was held for."""
    earlier = BEFORE - dt.timedelta(days=1)
    add(a_sale, "products", {"product_id": 2, "unit_cost": "9.00"})
    add(a_sale, "customers", {"customer_id": 2, "acquisition_channel": "email"})
    add(a_sale, "orders", {"order_id": 8, "customer_id": 2, "ordered_at": at("12:00", earlier)})
    add(a_sale, "order_lines", {"order_id": 8, "product_id": 2, "unit_price": "20.00"})
    runner.transform(a_sale, report_run("profit_etl", earlier))
    change(a_sale, "update master.products set unit_cost = 5 where product_id = 2")
    change(a_sale, "update master.customers set acquisition_channel = 'tv' where customer_id = 2")
    add(a_sale, "orders", {"order_id": 9, "customer_id": 2, "ordered_at": at("12:00", BEFORE)})
    add(a_sale, "order_lines", {"order_id": 9, "product_id": 2, "unit_price": "20.00"})
    run("profit_etl", day=BEFORE)
    by_channel = (
        "select channel, cost from investor.daily_profit_by_channel where report_date = %s order by channel"
    )
    assert rows(a_sale, by_channel, BEFORE) == [
        {"channel": "organic", "cost": 8},
        {"channel": "tv", "cost": 5},
    ]


def test_a_channel_that_a_held_run_has_taken_anew_is_not_kept(a_sale: Any, run: Run) -> None:
    """In any of the three reports; whose channel was published keeps it, though upstream says another one since."""
    add(a_sale, "sessions", {"session_id": 4, "started_at": at("12:00")})
    run("engagement_etl")
    add(a_sale, "customers", {"customer_id": 2, "acquisition_channel": "wrong"})
    change(a_sale, "update master.customers set acquisition_channel = 'tv' where customer_id = 1")
    add(a_sale, "orders", {"order_id": 2, "customer_id": 2, "ordered_at": at("13:00", BEFORE)})
    add(a_sale, "order_lines", {"order_id": 2, "unit_price": "7.00"})
    add(a_sale, "sessions", {"session_id": 2, "customer_id": 2, "started_at": at("13:00", BEFORE)})
    add(a_sale, "sessions", {"session_id": 3, "customer_id": 2, "started_at": at("13:00")})
    dags = ("profit_etl", "engagement_etl", "growth_etl")
    for dag_id in dags:
        runner.transform(a_sale, report_run(dag_id, BEFORE))
    change(a_sale, "update master.customers set acquisition_channel = 'email' where customer_id = 2")
    run("engagement_etl")
    for dag_id in dags:
        runner.transform(a_sale, report_run(dag_id, BEFORE))
    for _ in range(2):
        run(*dags, day=BEFORE)
        for name in ("profit", "engagement", "growth"):
            found = rows(
                a_sale,
                f"select channel from investor.daily_{name}_by_channel where report_date = %s order by channel",
                BEFORE,
            )
            assert [r["channel"] for r in found] == ["email", "organic"], name
        change(a_sale, "update master.customers set acquisition_channel = 'radio' where customer_id = 2")


def test_an_acquisition_channel_stays_that_of_the_day(a_sale: Any, run: Run) -> None:
    """In all three reports by channel, also for what is refunded later."""
    tables = [f"investor.daily_{name}_by_channel" for name in ("profit", "engagement", "growth")]
    before = [rows(a_sale, f"select * from {table}") for table in tables]
    change(a_sale, "update master.customers set acquisition_channel = 'referral'")
    run("profit_etl", "engagement_etl", "growth_etl", day=BEFORE)
    assert [rows(a_sale, f"select * from {table}") for table in tables] == before
    add(a_sale, "refunds", {"refund_id": 1, "order_id": 1, "amount": "6.00", "refunded_at": at("08:00")})
    sell_too(a_sale)
    run("profit_etl")
    found = rows(
        a_sale, "select channel, refunds from investor.daily_profit_by_channel where report_date = %s", DAY
    )
    assert {r["channel"]: r["refunds"] for r in found} == {"organic": 6, "referral": 0}


def test_a_day_without_a_sale_is_published_with_zeros(warehouse: Any, run: Run) -> None:
    """Upstream's load says that there is nothing; refunds and spend count all the same."""
    loaded(warehouse, "orders", DAY, at("01:00", NEXT), 0)
    run("profit_etl")
    assert profit(warehouse) == NOTHING
    add(warehouse, "marketing_spend", {"channel": "tv", "amount": "2.50"})
    run("profit_etl")
    assert profit(warehouse)["profit"] == Decimal("-2.50")


def test_a_day_without_a_session_is_published_with_zeros(warehouse: Any, run: Run) -> None:
    """Engagement and growth as well; and the day after it counts on."""
    loaded(warehouse, "sessions", DAY, at("01:00", NEXT), 0)
    loaded(warehouse, "sessions", NEXT, at("01:00", NEXT + dt.timedelta(days=1)), 0)
    run("engagement_etl", "growth_etl")
    run("engagement_etl", "growth_etl", day=NEXT)
    found = rows(warehouse, "select active, new, churned from investor.daily_growth order by report_date")
    assert found == [{"active": 0, "new": 0, "churned": 0}] * 2


def test_rows_that_a_load_counted_and_nobody_sees_hold_the_day(warehouse: Any, run: Run) -> None:
    """A load that says 5 orders, and none there: that is no day without a sale."""
    loaded(warehouse, "orders", DAY, at("01:00", NEXT), 5)
    with pytest.raises(Held, match=r"business_day 2026-11-20 \(5 rows, but 0 of that day in master.orders\)"):
        run("profit_etl")


def test_a_published_day_whose_rows_are_gone_for_good_is_published_anew_once_a_load_says_so(
    a_sale: Any, run: Run
) -> None:
    """It may as well be loaded just now: upstream says that there are none by a load of 0 rows."""
    sell_too(a_sale)
    for table in ("orders", "order_lines"):
        loaded(a_sale, table, DAY, at("01:00", NEXT))
    run("profit_etl")
    assert profit(a_sale)["orders"] == 1
    change(
        a_sale,
        "delete from master.orders where order_id <> 1; delete from master.order_lines where order_id <> 1",
    )
    with pytest.raises(Held, match="orders_are_as_many_as_loaded"):
        run("profit_etl")
    for table in ("orders", "order_lines"):
        loaded(a_sale, table, DAY, now(), 0)
    run("profit_etl")
    assert profit(a_sale) == NOTHING
    assert stale(a_sale) == []


def test_a_cancelled_order_whose_lines_are_gone_holds_the_day(a_sale: Any, run: Run) -> None:
    """What was sold could not be taken back, and would stay in the reports for ever."""
    with a_sale.cursor() as cursor:
        cursor.execute("update master.orders set status = 'cancelled', updated_at = %s", (at("10:00"),))
        cursor.execute("delete from master.order_lines")
    a_sale.commit()
    with pytest.raises(
        Held, match=r"cancelled_lines_are_there: expected 0 .*; found 1.* order_id 1, line_no 1"
    ):
        run("profit_etl")


def test_a_day_on_which_every_order_was_cancelled_is_published(warehouse: Any, run: Run) -> None:
    """They are there, and count nowhere."""
    add(warehouse, "customers", {"customer_id": 1})
    add(warehouse, "orders", {"order_id": 1, "status": "cancelled"}, {"order_id": 2, "status": "cancelled"})
    run("profit_etl")
    assert profit(warehouse) == NOTHING


def test_each_number_that_changes_is_written_down_once(a_sale: Any, run: Run) -> None:
    """With what it was, what it is, why, and by which run; by channel too; a run more adds nothing."""
    add(
        a_sale,
        "refunds",
        {"refund_id": 1, "order_id": 1, "amount": "6.00", "refunded_at": at("13:00", BEFORE)},
    )
    run("profit_etl", day=BEFORE, run_id="second", reason="a late refund", at=at("09:00"))
    run("profit_etl", day=BEFORE, run_id="third")
    found = [r for r in restatements(a_sale) if r["report"] == "investor.daily_profit"]
    assert [(r["column_name"], r["old_value"], r["new_value"]) for r in found] == [
        ("profit", "2.00", "-4.00"),
        ("refunds", "0.00", "6.00"),
    ]
    assert {(r["report_date"], r["reason"], r["run_id"], r["restated_at"], r["row_key"]) for r in found} == {
        (BEFORE, "a late refund", "second", at("09:00"), "")
    }
    channels = [r for r in restatements(a_sale) if r["report"] == "investor.daily_profit_by_channel"]
    assert [(r["row_key"], r["column_name"]) for r in channels] == [
        ("organic", "profit"),
        ("organic", "refunds"),
    ]


@pytest.mark.parametrize("known", [BEFORE - dt.timedelta(days=2), NEXT])
def test_a_session_that_comes_late_counts_for_the_channel_of_then(
    a_sale: Any, run: Run, known: dt.date
) -> None:
    """Of a customer who was seen on another published day, and has another one since. Of others nobody knows it."""
    add(a_sale, "customers", {"customer_id": 2}, {"customer_id": 3})
    add(a_sale, "sessions", {"session_id": 2, "customer_id": 2, "started_at": at("12:00", known)})
    for day in (known, BEFORE - dt.timedelta(days=1), DAY):
        loaded(a_sale, "sessions", day, at("01:00", NEXT + dt.timedelta(days=1)), int(day == known))
    run("engagement_etl", "growth_etl", day=known)
    change(a_sale, "update master.customers set acquisition_channel = 'referral' where customer_id > 1")
    late = {"started_at": at("12:00", BEFORE), "updated_at": now()}
    add(a_sale, "sessions", *({"session_id": 10 + n, "customer_id": n, **late} for n in (2, 3)))
    run("engagement_etl", "growth_etl", day=BEFORE)
    for name in ("engagement", "growth"):
        found = rows(
            a_sale,
            f"select customer_id, channel from base.{name} where report_date = %s order by customer_id",
            BEFORE,
        )
        assert [r["channel"] for r in found if r["customer_id"] in (2, 3)] == ["organic", "referral"]


def test_a_channel_that_comes_new_to_a_published_day_is_a_restatement(a_sale: Any, run: Run) -> None:
    """There was no such row: its old values are null."""
    add(a_sale, "touches", {"touch_id": 1, "touched_at": at("11:00", BEFORE), "channel": "email"})
    run("profit_etl", day=BEFORE)
    found = {
        (r["row_key"], r["old_value"], r["new_value"])
        for r in restatements(a_sale)
        if r["column_name"] == "revenue" and r["report"].endswith("_by_channel")
    }
    assert found == {("email", None, "10.00"), ("organic", "10.00", None)}


def late_session(warehouse: Any, customer: int, day: dt.date, **more: Any) -> None:
    when = {"started_at": at("10:00", day), "updated_at": now()}
    add(warehouse, "sessions", {"session_id": 1000 + customer, "customer_id": customer, **when, **more})


def test_a_late_session_makes_its_day_and_what_depends_on_it_stale(a_sale: Any, run: Run) -> None:
    """Engagement of 28 days; growth of two, of the day on which the customer was new, of its week. The oldest first."""
    days = [BEFORE - dt.timedelta(days=28 - n) for n in range(29)]
    add(a_sale, "customers", {"customer_id": 2})
    for n, day in enumerate(days):
        who = {"session_id": 100 + n, "customer_id": 2 if n == 19 else 1}
        add(a_sale, "sessions", {**who, "started_at": at("12:00", day)})
        run("engagement_etl", "growth_etl", day=day)
    late_session(a_sale, 2, days[0])
    found = stale(a_sale)
    assert [day for dag_id, day in found if dag_id == "engagement_etl"] == days[:28]
    assert [day for dag_id, day in found if dag_id == "growth_etl"] == [days[0], days[1], days[19], days[24]]
    assert found == sorted(found, key=lambda each: each[1])
    done = StalePublications(a_sale, SETUP).rerun("again")
    assert [rerun.held for rerun in done if rerun.held] == []
    assert stale(a_sale) == []
    engagement = row(
        a_sale, "select active_28d from investor.daily_engagement where report_date = %s", days[27]
    )
    assert engagement["active_28d"] == 2
    reasons = {r["reason"] for r in restatements(a_sale)}
    assert any("master.sessions changed" in reason for reason in reasons)
    assert any("depends on base.engagement" in reason for reason in reasons)


@pytest.mark.parametrize(("run_id", "calls_stale"), [("drill__held-1128__1", False), ("manual__1", True)])
def test_what_a_drill_publishes_makes_no_day_stale(a_sale: Any, run_id: str, calls_stale: bool) -> None:
    """It borrows the day before the first one and takes its rows away again: until then nobody is sent after them."""
    early = BEFORE - dt.timedelta(days=1)
    late_session(a_sale, 1, early)
    drilled = report_run("engagement_etl", early, run_id=run_id)
    run_all(a_sale, drilled)
    publication.note_late_rows(a_sale, drilled)
    found = StalePublications(a_sale, SETUP).known()
    assert (
        ("engagement_etl", BEFORE) in [(day.pipeline.dag_id, day.report_date) for day in found]
    ) is calls_stale


def test_whoever_was_new_is_not_after_two_late_sessions(a_sale: Any, run: Run) -> None:
    """The second of them has an earlier one before it; the day on which the customer was new is stale all the same."""
    days = [BEFORE - dt.timedelta(days=7 - n) for n in range(8)]
    add(a_sale, "customers", {"customer_id": 2})
    for n, day in enumerate(days):
        who = {"session_id": 100 + n, "customer_id": 2 if n == 6 else 1}
        add(a_sale, "sessions", {**who, "started_at": at("12:00", day)})
        run("growth_etl", day=day)
    late_session(a_sale, 2, days[1])
    late_session(a_sale, 2, days[3], session_id=2000)
    assert [day for dag_id, day in stale(a_sale) if dag_id == "growth_etl"] == [*days[1:5], days[6]]
    StalePublications(a_sale, SETUP).rerun("again")
    new = rows(a_sale, "select report_date from base.growth where customer_id = 2 and status = 'new'")
    assert [found["report_date"] for found in new] == [days[1]]
    assert stale(a_sale) == []


def test_whoever_was_new_by_somebody_elses_session_is_new_later(a_sale: Any, run: Run) -> None:
    """A session that goes to another customer, or with a new load: the day on which they come next is stale too."""
    days = [BEFORE - dt.timedelta(days=7 - n) for n in range(8)]
    add(a_sale, "customers", {"customer_id": 2}, {"customer_id": 3})
    visits = {0: 3, 1: 2, 5: 2, 6: 3}
    for n, day in enumerate(days):
        add(
            a_sale,
            "sessions",
            {"session_id": 100 + n, "customer_id": visits.get(n, 1), "started_at": at("12:00", day)},
        )
        run("growth_etl", day=day)
    change(
        a_sale, "update master.sessions set customer_id = 1, updated_at = %s where session_id = 101", now()
    )
    change(a_sale, "delete from master.sessions where session_id = 100")
    loaded(a_sale, "sessions", days[0], now(), 0)
    found = [day for dag_id, day in stale(a_sale) if dag_id == "growth_etl"]
    assert found == [days[0], days[1], days[2], days[5], days[6]]
    StalePublications(a_sale, SETUP).rerun("again")
    new = rows(a_sale, "select report_date, customer_id from base.growth where status = 'new' order by 1")
    assert [(one["report_date"], one["customer_id"]) for one in new] == [
        (days[1], 1),
        (days[5], 2),
        (days[6], 3),
    ]
    assert stale(a_sale) == []


@pytest.mark.parametrize("dag_id", ["unit_profit_experiments", "daily_growth_experiments"])
def test_an_assignment_that_is_dated_later_makes_the_days_before_stale(
    a_sale: Any, run: Run, dag_id: str
) -> None:
    """Those that have counted the customer already."""
    assigned = {"experiment": "button", "assigned_at": at("09:00", BEFORE)}
    add(a_sale, "customers", {"customer_id": 2})
    add(
        a_sale,
        "experiment_assignments",
        {**assigned, "customer_id": 1},
        {**assigned, "customer_id": 2, "variant": "red"},
    )
    sell_too(a_sale)
    add(a_sale, "sessions", {"session_id": 2, "started_at": at("12:00")})
    run("profit_etl", "growth_etl")
    run(dag_id, day=BEFORE)
    run(dag_id)
    change(
        a_sale,
        "update master.experiment_assignments set assigned_at = %s, updated_at = %s where customer_id = 2",
        at("09:00"),
        now(),
    )
    assert [day for name, day in stale(a_sale) if name == dag_id] == [BEFORE, DAY]
    StalePublications(a_sale, SETUP).rerun("again")
    table = f"experiments.{dag_id.removesuffix('_experiments')}"
    found = rows(a_sale, f"select variant, n from {table} where report_date = %s and n > 0", BEFORE)
    assert found == [{"variant": "control", "n": 1}]
    assert stale(a_sale) == []


def test_what_moves_to_another_day_makes_both_stale(a_sale: Any, run: Run) -> None:
    """An order that was dated wrongly, and a refund: where they were, and where they are."""
    sell_too(a_sale)
    add(
        a_sale,
        "refunds",
        {"refund_id": 1, "order_id": 1, "amount": "6.00", "refunded_at": at("13:00", BEFORE)},
    )
    run("profit_etl", day=BEFORE)
    run("profit_etl")
    change(
        a_sale,
        "update master.orders set ordered_at = %s, updated_at = %s where order_id = 9",
        at("12:30", BEFORE),
        now(),
    )
    change(a_sale, "update master.refunds set refunded_at = %s, updated_at = %s", at("13:00"), now())
    sell_too(a_sale, 10)
    assert stale(a_sale) == [("profit_etl", BEFORE), ("profit_etl", DAY)]
    StalePublications(a_sale, SETUP).rerun("again")
    found = [(profit(a_sale, day)["orders"], profit(a_sale, day)["refunds"]) for day in (BEFORE, DAY)]
    assert found == [(2, 0), (1, 6)]


def test_experiments_are_stale_behind_a_day_of_profit(a_sale: Any, run: Run) -> None:
    """Every later day counts that day's profit; the days before the first assignment count for nobody."""
    assigned = {"customer_id": 1, "assigned_at": at("09:00", BEFORE)}
    add(a_sale, "experiment_assignments", assigned)
    sell_too(a_sale)
    run("unit_profit_experiments", day=BEFORE)
    run("profit_etl", "unit_profit_experiments")
    add(a_sale, "refunds", {
        "refund_id": 1, "order_id": 1, "amount": "6.00", "refunded_at": at("13:00", BEFORE), "updated_at": now(),
    })  # fmt: skip
    assert stale(a_sale) == [
        ("profit_etl", BEFORE),
        ("unit_profit_experiments", BEFORE),
        ("unit_profit_experiments", DAY),
    ]
    StalePublications(a_sale, SETUP).rerun("again")
    found = row(a_sale, "select mean_profit from experiments.unit_profit where report_date = %s", DAY)
    assert found["mean_profit"] == 10 - 8 - 6 + 7 - 4
    assert stale(a_sale) == []


def test_a_day_that_is_held_stays_as_it_was_and_so_does_what_follows(a_sale: Any, run: Run) -> None:
    """Its restatement waits for upstream; another report's stale day does not."""
    sell_too(a_sale)
    run("profit_etl")
    late = now()
    add(a_sale, "orders", {"order_id": 5, "ordered_at": at("13:00", BEFORE), "updated_at": late})
    add(a_sale, "marketing_spend", {"channel": "tv", "amount": 1, "updated_at": late})
    late_session(a_sale, 1, BEFORE)
    before = profit(a_sale, BEFORE), profit(a_sale)
    done = StalePublications(a_sale, SETUP).rerun("again")
    assert {rerun.day.pipeline.dag_id: bool(rerun.held) for rerun in done} == {
        "profit_etl": True, "engagement_etl": False, "growth_etl": False,
    }  # fmt: skip
    assert (profit(a_sale, BEFORE), profit(a_sale)) == before
    add(a_sale, "order_lines", {"order_id": 5, "unit_price": "5.00"})
    StalePublications(a_sale, SETUP).rerun("again")
    assert (profit(a_sale, BEFORE)["orders"], profit(a_sale)["marketing"]) == (2, 1)


@pytest.mark.parametrize("ends", ["held", "died"])
@pytest.mark.parametrize(
    ("read", "wrong", "dag_id"),
    [
        (
            "engagement_etl",
            "update master.sessions set customer_id = %s where session_id = 1",
            "engagement_etl",
        ),
        (
            "profit_etl",
            "update master.orders set customer_id = %s where order_id = 1",
            "unit_profit_experiments",
        ),
    ],
)
def test_what_counted_with_a_draft_that_was_not_published_is_stale(
    a_sale: Any, run: Run, read: str, wrong: str, dag_id: str, ends: str
) -> None:
    """Also where the day is published again just as it was before: others have read what it was in between."""
    add(a_sale, "customers", {"customer_id": 2})
    add(a_sale, "experiment_assignments", {"customer_id": 1, "assigned_at": at("00:00", BEFORE)})
    add(a_sale, "orders", {"order_id": 2})
    add(a_sale, "order_lines", {"order_id": 2})
    add(a_sale, "sessions", {"session_id": 2})
    run("profit_etl")
    change(a_sale, wrong, 2)
    again = report_run(read, BEFORE)
    runner.transform(a_sale, again)
    run(dag_id)
    if ends == "held":
        change(
            a_sale,
            "update base.daily_profit_draft set revenue = 9; update base.daily_engagement_draft set sessions = 9",
        )
        with pytest.raises(Held):
            runner.check(a_sale, again)
    change(a_sale, wrong, 1)
    run(read, day=BEFORE)
    assert (dag_id, DAY) in stale(a_sale)
    run(dag_id)
    assert stale(a_sale) == []


def test_a_search_does_not_stop_a_night(a_sale: Any, run: Run) -> None:
    """What is written by the load of a day makes no published day stale; nor does a product or a customer."""
    loaded(a_sale, "orders", BEFORE, at("01:00", DAY))
    for table in ("products", "customers"):
        loaded(a_sale, table, BEFORE, now())
        change(a_sale, f"update master.{table} set updated_at = clock_timestamp()")
    assert stale(a_sale) == []


def test_what_bears_a_time_to_come_waits_for_it(a_sale: Any) -> None:
    """One wrong clock at upstream's must not keep a day stale for ever."""
    late_session(a_sale, 1, BEFORE, updated_at=now() + dt.timedelta(days=400))
    assert stale(a_sale) == []


def test_a_thin_load_of_a_table_that_has_not_changed_stops_no_day(a_sale: Any) -> None:
    """Its name is a part of the changed one's."""
    late_session(a_sale, 1, BEFORE)
    days = StalePublications(a_sale, SETUP, lambda _: [Load("master.session", rows=1, median=1000.0)])
    assert all(not rerun.held for rerun in days.rerun("again"))


def test_a_day_that_was_loaded_again_in_part_is_not_run_again_until_a_person_says_that_it_is_all(
    a_sale: Any, run: Run, known_to_airflow: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four hundred touches of a thousand; the day stays as it is published."""
    for ago in range(1, 15):
        loaded(a_sale, "touches", BEFORE - dt.timedelta(days=ago), at("01:00") - dt.timedelta(days=ago), 1000)
    touches = (
        "insert into master.touches select nth, 1, %s, 'email', now() from generate_series(1, 400) as nth"
    )
    change(a_sale, touches, at("11:00", BEFORE))
    loaded(a_sale, "touches", BEFORE, now(), 400)
    assert main(["stale", "--rerun", "--yes"]) == 1
    said = capsys.readouterr().out
    assert "held: master.touches is partial since " in said
    assert f"python -m oncall release investor.daily_profit {BEFORE} --note TEXT" in said
    assert restatements(a_sale) == []
    assert main(["release", "profit_etl", str(BEFORE), "--note", "a quiet day", "--yes"]) == 0
    assert main(["stale", "--rerun", "--yes"]) == 0
    assert {r["row_key"] for r in restatements(a_sale)} >= {"email", "organic"}
    # Nobody asks again of one that the day was published with.
    change(a_sale, "delete from investor.releases")
    late = {"refunded_at": at("13:00", BEFORE), "updated_at": now()}
    add(a_sale, "refunds", {"refund_id": 1, "order_id": 1, "amount": "6.00", **late})
    assert main(["stale", "--rerun", "--yes"]) == 0
    assert profit(a_sale, BEFORE)["refunds"] == 6


def test_the_command_lists_and_runs_again(
    a_sale: Any, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people and for programs; the reason given is that of the restatements."""
    parameters = a_sale.get_dsn_parameters()
    said = {
        "conn_type": "postgres",
        "host": parameters["host"],
        "login": "postgres",
        "schema": parameters["dbname"],
    }
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(said))
    assert main(["stale"]) == 0
    assert capsys.readouterr().out == "nothing is stale\n"
    add(a_sale, "refunds", {
        "refund_id": 1, "order_id": 1, "amount": "6.00", "refunded_at": at("13:00", BEFORE), "updated_at": now(),
    })  # fmt: skip
    assert main(["stale", "--json"]) == 0
    (day,) = json.loads(capsys.readouterr().out)
    assert (day["report_date"], day["pipeline"]) == (BEFORE.isoformat(), "profit_etl")
    assert day["because"].startswith("master.refunds changed ")
    assert main(["stale"]) == 0
    assert "python -m oncall stale --rerun" in capsys.readouterr().out
    assert main(["stale", "--rerun", "--reason", "refund of Friday"]) == 0
    assert "4 numbers restated" in capsys.readouterr().out
    assert {r["reason"] for r in restatements(a_sale)} == {"refund of Friday"}
    assert main(["stale", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["stale", "--reason", "for nothing"]) == 2
