"""Puts master data into schema `master`, a table-day at a time; refuses to know whether that is on time.

One transaction per table-day: its rows are replaced and a row is added to `master.loads`, or nothing happens.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from psycopg2.extensions import connection, cursor

from sandbox.master_data.business_day import ZONE, day_of_id, first_id, randomness
from sandbox.master_data.generator import TABLES, Rows, Universe, rows
from sandbox.master_data.population import WINDOW
from sandbox.master_data.sales import cancelled_after, cancelled_on

SEED = 7

# A day's rows of a table, by the range of its primary key where the key carries the day (so also for late rows).
_OF_DAY = {
    "customers": "customer_id >= %(first)s and customer_id < %(end)s",
    "products": "true",
    "orders": "order_id >= %(first)s and order_id < %(end)s",
    "order_lines": "order_id >= %(first)s and order_id < %(end)s",
    "refunds": "refund_id >= %(first)s and refund_id < %(end)s",
    "marketing_spend": "day = %(day)s",
    "touches": "touch_id >= %(first)s and touch_id < %(end)s",
    "sessions": "session_id >= %(first)s and session_id < %(end)s",
    "experiment_assignments": "assigned_at >= %(starts)s and assigned_at < %(ends)s",
}


@dataclass(frozen=True)
class Load:
    """A finished load, as its row in `master.loads`."""

    table_name: str
    business_day: dt.date
    loaded_at: dt.datetime
    row_count: int


def create_schema(conn: connection) -> None:
    """Create schema `master` with its tables, unless it is there."""
    with conn, conn.cursor() as db:
        # one at a time: PostgreSQL refuses two
        db.execute("select pg_advisory_xact_lock(hashtext('master.sql'))")
        db.execute(Path(__file__).with_name("master.sql").read_text(encoding="utf-8"))


def usual_load_time(table: str, day: dt.date) -> dt.datetime:
    """When the team finishes `table` of `day` on a good night: between 00:40 and 01:30 UTC+7 of the next day."""
    minutes = randomness(SEED, day, f"load {table}").uniform(40, 90)
    midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), tzinfo=ZONE)
    return (midnight + dt.timedelta(minutes=minutes)).replace(microsecond=0)


@dataclass(frozen=True)
class Loader:
    """The team's loading job. `scale`: 1 is about 5,000 orders a day.

    `cancelling`: a load of orders also brings the cancellations of earlier ones.
    """

    conn: connection
    scale: float = 1.0
    cancelling: bool = False

    def load(
        self,
        day: dt.date,
        tables: Iterable[str] | None = None,
        *,
        loaded_at: dt.datetime | None = None,
        partial: float = 1.0,
    ) -> list[Load]:
        """Load `tables` (None: all) of `day`, replacing its rows; one transaction and one row in `loads` per table.

        `loaded_at` (aware; None: the usual time) is also the rows' `updated_at`. `partial`: the share of the rows that
        arrive. The first load of customers brings everybody who signed up before, too; its `row_count` does not count
        them. Raises ValueError for an unknown table.
        """
        wanted = set(TABLES if tables is None else tables)
        if unknown := wanted - set(TABLES):
            raise ValueError(
                f"no such table: {', '.join(sorted(unknown))}; write some of {', '.join(TABLES)}"
            )
        return [
            self._table(table, day, loaded_at or usual_load_time(table, day), partial)
            for table in TABLES
            if table in wanted
        ]

    def _table(self, table: str, day: dt.date, at: dt.datetime, partial: float) -> Load:
        with self.conn, self.conn.cursor() as db:
            universe = Universe(SEED, self.scale, since=_first_day_of_orders(db, day))
            if table == "customers":
                for earlier in _days_without_customers(db, day):
                    _copy(db, rows("customers", earlier, universe), at)
            db.execute(f"delete from master.{table} where {_OF_DAY[table]}", _bounds(day))
            arrived = rows(table, day, universe).first(partial)
            _copy(db, arrived, at)
            if table == "orders" and self.cancelling:
                _cancel(db, day, universe, at)
            return _record(db, Load(table, day, at, len(arrived)))


def _cancel(db: cursor, day: dt.date, universe: Universe, at: dt.datetime) -> None:
    """Earlier orders that are cancelled on `day`; and of its own those that later loads have already cancelled."""
    db.execute("select max(business_day) from master.loads where table_name = 'orders'")
    (last,) = db.fetchone() or (None,)
    known = (last - day).days if last else 0
    after = cancelled_after(day, universe.seed, universe.scale)
    own = first_id(day) + np.flatnonzero((after > 0) & (after <= known))
    earlier = cancelled_on(day, universe.seed, universe.scale, universe.since)
    db.execute(
        "update master.orders set status = 'cancelled', updated_at = %s"
        " where order_id = any(%s) and status is distinct from 'cancelled'",
        (at, [*own.tolist(), *earlier.tolist()]),
    )


def _bounds(day: dt.date) -> dict[str, Any]:
    starts = dt.datetime.combine(day, dt.time(), tzinfo=ZONE)
    tomorrow = day + dt.timedelta(days=1)
    return {
        "day": day,
        "first": first_id(day),
        "end": first_id(tomorrow),
        "starts": starts,
        "ends": starts + dt.timedelta(days=1),
    }


def _first_day_of_orders(db: cursor, day: dt.date) -> dt.date:
    """The first day of orders that this database knows: a refund of an older one would point nowhere."""
    db.execute("select min(order_id) from master.orders")
    (first,) = db.fetchone() or (None,)
    return day if first is None else day_of_id(first)


def _days_without_customers(db: cursor, day: dt.date) -> list[dt.date]:
    """The days whose sign-ups may still visit on `day` but are older than the oldest customer loaded."""
    db.execute("select min(customer_id) from master.customers")
    (first,) = db.fetchone() or (None,)
    end = day if first is None else min(day, day_of_id(first))
    start = day - dt.timedelta(days=WINDOW - 1)
    return [start + dt.timedelta(days=n) for n in range((end - start).days)]


def _copy(db: cursor, arrived: Rows, updated_at: dt.datetime) -> None:
    columns = ", ".join((*arrived.names, "updated_at"))
    for piece in arrived.as_text(updated_at):
        db.copy_expert(f"copy master.{arrived.table} ({columns}) from stdin", io.StringIO(piece), 1 << 18)


def _record(db: cursor, load: Load) -> Load:
    db.execute(
        "insert into master.loads (table_name, business_day, loaded_at, row_count) values (%s, %s, %s, %s)",
        (load.table_name, load.business_day, load.loaded_at, load.row_count),
    )
    return load
