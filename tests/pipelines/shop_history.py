"""A small shop whose history is made up as it goes: what upstream writes, when, and what the team runs meanwhile.

Its clock is its own and only goes forward; `updated_at` is what it shows.
"""

from __future__ import annotations

import datetime as dt
import json
from fractions import Fraction
from typing import Any

from oncall.config.oncall_config import OncallConfig
from pipelines.report_run import Held
from pipelines.sql_files import SqlFiles
from pipelines.stale_days import Rerun, StalePublications
from tests.pipelines import master_by_hand as by_hand
from tests.pipelines.master_by_hand import ZONE, rows
from tests.pipelines.model_runs import REPORTS, report_run, run_all
from tests.pipelines.plain_calculation import day_of

FIRST = dt.date(2025, 3, 3)
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
PUBLISHED = {
    "investor.daily_profit": (),
    "investor.daily_profit_by_channel": ("channel",),
    "investor.daily_engagement": (),
    "investor.daily_engagement_by_channel": ("channel",),
    "investor.daily_growth": (),
    "investor.daily_growth_by_channel": ("channel",),
    "investor.weekly_growth": (),
    "investor.monthly_growth": (),
    "investor.signup_cohorts": ("cohort",),
    "experiments.unit_profit": ("experiment", "variant"),
    "experiments.daily_growth": ("experiment", "variant"),
}
CUSTOMERS, PRODUCTS, CHANNELS = (1, 2, 3), (1, 2), ("email", "social")
KEY_AND_INSTANT = {
    "orders": ("order_id", "ordered_at"),
    "refunds": ("refund_id", "refunded_at"),
    "sessions": ("session_id", "started_at"),
    "touches": ("touch_id", "touched_at"),
}
WHEN_ORDERED = "(select ordered_at from master.orders where order_id = t.order_id)"

Cells = dict[tuple[str, dt.date, str, str], str | None]


class Shop:
    """The warehouse, the shop's clock, and what was seen of the published numbers so far."""

    def __init__(self, connection: Any, config: OncallConfig) -> None:
        self.connection, self.config = connection, config
        self.sql = SqlFiles()
        self.now = dt.datetime.combine(FIRST, dt.time(8), tzinfo=ZONE)
        self.orders: list[int] = []
        self.sessions: list[int] = []
        self.refunds: list[int] = []
        self.touches: list[int] = []
        self.loaded_again: set[str] = set()
        self.serial = 0
        self.seen: Cells = {}
        self.published: set[tuple[str, dt.date]] = set()
        # No order's status was written twice, so that the day of a cancellation is plain to see.
        self.simple = True
        before = FIRST - dt.timedelta(days=40)
        for number in CUSTOMERS:
            by_hand.add(connection, "customers", {"customer_id": number, "updated_at": LONG_AGO})
            assigned = {
                "customer_id": number,
                "variant": "control" if number % 2 else "red",
                "updated_at": LONG_AGO,
            }
            by_hand.add(
                connection,
                "experiment_assignments",
                {**assigned, "assigned_at": dt.datetime.combine(before, dt.time(8), tzinfo=ZONE)},
            )
        for number in PRODUCTS:
            by_hand.add(
                connection,
                "products",
                {"product_id": number, "unit_cost": 4 * number, "updated_at": LONG_AGO},
            )

    @property
    def today(self) -> dt.date:
        return day_of(self.now)

    def days(self) -> list[dt.date]:
        """From the first day to today."""
        return [FIRST + dt.timedelta(days=n) for n in range((self.today - FIRST).days + 1)]

    def tick(self, **step: float) -> None:
        self.now += dt.timedelta(**(step or {"minutes": 7}))

    def write(self, table: str, **row: Any) -> None:
        self.tick()
        by_hand.add(self.connection, table, {"updated_at": self.now, **row})

    def change(self, statement: str, *values: Any) -> None:
        """An update of upstream's; `%s` at its end take the instant and the values."""
        self.tick()
        with self.connection.cursor() as cursor:
            cursor.execute(statement, (self.now, *values))
        self.connection.commit()

    def next_id(self) -> int:
        self.serial += 1
        return self.serial

    def moment(self, days_ago: int) -> dt.datetime:
        """Some time of today, or of an earlier day of the shop's."""
        return max(
            self.now - dt.timedelta(days=days_ago), dt.datetime.combine(FIRST, dt.time(1), tzinfo=ZONE)
        )

    def sell(self, days_ago: int, customer: int, product: int, price: int) -> None:
        order = self.next_id()
        self.orders.append(order)
        self.write("orders", order_id=order, customer_id=customer, ordered_at=self.moment(days_ago))
        for line in (1, 2)[: 1 + price % 2]:
            self.write(
                "order_lines",
                order_id=order,
                line_no=line,
                product_id=product,
                quantity=line,
                unit_price=price,
            )

    def refund(self, order: int, days_ago: int, amount: int) -> None:
        """Of the first line, after the order, and never more than was paid for it: so upstream has promised."""
        found = self._first_line(order)
        amount = min(amount, found["unit_price"] - found["refunded"])
        if amount > 0:
            when = max(self.moment(days_ago), found["ordered_at"]) + dt.timedelta(microseconds=self.serial)
            self.refunds.append(self.next_id())
            self.write("refunds", refund_id=self.refunds[-1], order_id=order, amount=amount, refunded_at=when)

    def _first_line(self, order: int) -> dict[str, Any]:
        (found,) = rows(
            self.connection,
            "select line.unit_price, ordered.ordered_at, ordered.status, (select coalesce(sum(refund.amount), 0)"
            " from master.refunds as refund where refund.order_id = line.order_id) as refunded"
            " from master.order_lines as line join master.orders as ordered using (order_id)"
            " where line.order_id = %s and line.line_no = 1",
            order,
        )
        return found

    def come(self, customer: int, days_ago: int) -> None:
        session = self.next_id()
        self.sessions.append(session)
        self.write("sessions", session_id=session, customer_id=customer, started_at=self.moment(days_ago))

    def give(self, session: int, customer: int) -> None:
        """It was another customer's."""
        self.change(
            "update master.sessions set updated_at = %s, customer_id = %s where session_id = %s",
            customer,
            session,
        )

    def move(self, order: int, days_ago: int) -> None:
        """It was dated wrongly. Not after a refund, and not once it was cancelled."""
        found = self._first_line(order)
        if not found["refunded"] and found["status"] == "paid":
            self.simple = False
            self.change(
                "update master.orders set updated_at = %s, ordered_at = %s where order_id = %s",
                self.moment(days_ago),
                order,
            )
            self._say_what_is_left(day_of(found["ordered_at"]))

    def hand_over(self, order: int, customer: int, days_ago: int) -> None:
        """It was dated wrongly, and another customer's. Not after a refund, and not once it was cancelled."""
        found = self._first_line(order)
        if not found["refunded"] and found["status"] == "paid":
            self.simple = False
            self.change(
                "update master.orders set updated_at = %s, ordered_at = %s, customer_id = %s where order_id = %s",
                self.moment(days_ago),
                customer,
                order,
            )
            self._say_what_is_left(day_of(found["ordered_at"]))

    def _say_what_is_left(self, day: dt.date) -> None:
        """That no order is left of a day only a load can say, and a load that nobody published from is to stay true."""
        of_day = "select from master.orders where (ordered_at at time zone 'Asia/Bangkok')::date = %s"
        if "orders" in self.loaded_again or not rows(self.connection, of_day, day):
            self.load_again("orders", "ordered_at")
        if "order_lines" in self.loaded_again:
            self.load_again("order_lines", WHEN_ORDERED)

    def refund_another(self, refund: int, order: int, days_ago: int) -> None:
        """It was given back for another order's line, on another day."""
        found = self._first_line(order)
        when = max(self.moment(days_ago), found["ordered_at"]) + dt.timedelta(microseconds=refund)
        self.change(
            "update master.refunds set updated_at = %s, refunded_at = %s, order_id = %s"
            " where refund_id = %s and amount <= %s",
            when,
            order,
            refund,
            found["unit_price"] - found["refunded"],
        )

    def move_session(self, session: int, days_ago: int) -> None:
        """It was dated wrongly. Of where it was only a load tells."""
        self.change(
            "update master.sessions set updated_at = %s, started_at = %s where session_id = %s",
            self.moment(days_ago),
            session,
        )
        self.load_again("sessions", "started_at")

    def delete(self, table: str, number: int) -> None:
        """A row that should never have been, and an order's lines and refunds with it.

        Not of the first day: without an older one that has all its rows, these were put away.
        """
        key, when = KEY_AND_INSTANT[table]
        (found,) = rows(self.connection, f"select {when} as at from master.{table} where {key} = %s", number)
        day = day_of(found["at"])
        if day == FIRST:
            return
        if table == "orders":
            refunds = rows(
                self.connection, "select refund_id from master.refunds where order_id = %s", number
            )
            for refund in refunds:
                self.delete("refunds", refund["refund_id"])
            self.change("delete from master.order_lines where %s is not null and order_id = %s", number)
        self.change(f"delete from master.{table} where %s is not null and {key} = %s", number)
        getattr(self, table).remove(number)
        if table == "orders":
            self._say_what_is_left(day)
        elif table in self.loaded_again or ("investor.daily_engagement", day) not in self.published:
            self.load_again(table, when)

    def touch(self, customer: int, days_ago: int, channel: str) -> None:
        self.touches.append(self.next_id())
        self.write(
            "touches",
            touch_id=self.touches[-1],
            customer_id=customer,
            touched_at=self.moment(days_ago),
            channel=channel,
        )

    def spend(self, days_ago: int, channel: str, amount: int) -> None:
        """What is said of a day and channel last holds."""
        self.change(
            "insert into master.marketing_spend (updated_at, day, channel, amount) values (%s, %s, %s, %s)"
            " on conflict (day, channel) do update set amount = excluded.amount, updated_at = excluded.updated_at",
            max(self.today - dt.timedelta(days=days_ago), FIRST),
            channel,
            amount,
        )

    def move_touch(self, touch: int, customer: int, days_ago: int) -> None:
        """It was another customer's, and dated wrongly."""
        self.change(
            "update master.touches set updated_at = %s, touched_at = %s, customer_id = %s where touch_id = %s",
            self.moment(days_ago),
            customer,
            touch,
        )
        self.load_again("touches", "touched_at")

    def move_line(self, order: int, another: int) -> None:
        """The second line of an order is the third one of another."""
        self.change(
            "update master.order_lines as line set updated_at = %s, order_id = %s, line_no = 3 where order_id = %s"
            " and line_no = 2 and not exists (select from master.order_lines where order_id = %s and line_no = 3)",
            another,
            order,
            another,
        )
        self.load_again("order_lines", WHEN_ORDERED)

    def merge(self, customer: int, into: int) -> None:
        """Two customers were one all along; the one that is left keeps its variant."""
        for table in ("orders", "sessions", "touches"):
            self.change(
                f"update master.{table} set updated_at = %s, customer_id = %s where customer_id = %s",
                into,
                customer,
            )

    def load_again(self, table: str, when: str) -> None:
        """Every day that was loaded, with what it has now."""
        self.loaded_again.add(table)
        self.change(
            f"insert into master.loads (loaded_at, table_name, business_day, row_count) select %s, '{table}', day,"
            f" (select count(*) from master.{table} as t where ({when} at time zone 'Asia/Bangkok')::date = day)"
            " from generate_series(%s::date, %s::date, interval '1 day') as days (day)",
            FIRST,
            self.today - dt.timedelta(days=1),
        )

    def assign(self, customer: int, days_ago: int) -> None:
        """To the experiment on another day than it was said."""
        self.change(
            "update master.experiment_assignments set updated_at = %s, assigned_at = %s where customer_id = %s",
            self.moment(days_ago),
            customer,
        )

    def set_status(self, order: int, status: str) -> None:
        self.simple = self.simple and (self._first_line(order)["status"], status) == ("paid", "cancelled")
        self.change(
            "update master.orders set updated_at = %s, status = %s where order_id = %s", status, order
        )

    def correct_price(self, order: int, price: int) -> None:
        price = max(price, self._first_line(order)["refunded"])
        self.change(
            "update master.order_lines set updated_at = %s, unit_price = %s where order_id = %s", price, order
        )

    def set_cost(self, product: int, cost: int) -> None:
        self.change(
            "update master.products set updated_at = %s, unit_cost = %s where product_id = %s", cost, product
        )

    def set_channel(self, customer: int, channel: str) -> None:
        self.change(
            "update master.customers set updated_at = %s, acquisition_channel = %s where customer_id = %s",
            channel,
            customer,
        )

    def run(self, dag_id: str, day: dt.date) -> None:
        """As the team would: what a check withholds stays as it was."""
        self.tick()
        try:
            run_all(self.connection, self._run(dag_id, day))
        except Held:
            self.connection.rollback()

    def run_all(self, days: list[dt.date]) -> None:
        for day in days:
            for dag_id in REPORTS:
                self.run(dag_id, day)
        self.look()

    def rerun_stale(self) -> list[Rerun]:
        """Everything stale, oldest first, by the product's own command."""
        self.tick()
        done = StalePublications(self.connection, self.config).rerun(self._id(), since=LONG_AGO, at=self.now)
        self.look()
        return done

    def stale(self) -> list[tuple[str, dt.date]]:
        found = StalePublications(self.connection, self.config).find(LONG_AGO)
        return [(day.pipeline.dag_id, day.report_date) for day in found]

    def look(self) -> None:
        """What is published now; each number that is another one than when last seen must have been restated."""
        now, published = self.cells(), self.publications()
        for cell in {*self.seen, *now}:
            table, day, key, column = cell
            old, new = self.seen.get(cell), now.get(cell)
            if old == new or (table.removesuffix("_by_channel"), day) not in self.published:
                continue
            said = rows(
                self.connection,
                "select old_value, new_value, reason from investor.restatements where report = %s and report_date = %s"
                " and row_key = %s and column_name = %s order by ctid desc limit 1",
                table, day, key, column,
            )  # fmt: skip
            assert [(r["new_value"], bool(r["reason"])) for r in said] == [(new, True)], (
                cell,
                old,
                new,
                said,
            )
        self.seen, self.published = now, published

    def cells(self) -> Cells:
        found: Cells = {}
        for table, keys in PUBLISHED.items():
            for row in rows(self.connection, f"select to_jsonb(t)::text as cells from {table} t"):
                cells = json.loads(row["cells"], parse_float=str, parse_int=str)  # as they are written
                key = "/".join(cells[name] for name in keys)
                day = dt.date.fromisoformat(cells["report_date"])
                for column in cells.keys() - {"report_date", *keys}:
                    found[table, day, key, column] = cells[column]
        return found

    def publications(self) -> set[tuple[str, dt.date]]:
        return {
            (row["report"], row["report_date"])
            for row in rows(self.connection, "select report, report_date from investor.publications")
        }

    def restatements(self) -> int:
        (found,) = rows(self.connection, "select count(*) as many from investor.restatements")
        return int(found["many"])

    def _id(self) -> str:
        return f"run__{self.now.isoformat()}"

    def _run(self, dag_id: str, day: dt.date) -> Any:
        upstream = self.config.pipelines[dag_id].upstream
        found = report_run(dag_id, day, run_id=self._id(), at=self.now, upstream=upstream)
        # The files do not change meanwhile: each is read once.
        vars(found)["sql"] = self.sql
        return found


def sums(connection: Any) -> dict[str, Fraction]:
    """Over all published days."""
    (found,) = rows(
        connection,
        "select coalesce(sum(orders - cancelled_orders), 0) as orders, coalesce(sum(revenue - refunds), 0) as kept,"
        " coalesce(sum(cost), 0) as cost, coalesce(sum(marketing), 0) as marketing, coalesce(sum(profit), 0) as profit"
        " from investor.daily_profit",
    )
    return {name: Fraction(value) for name, value in found.items()}
