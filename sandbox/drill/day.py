"""The business day that a drill borrows: one before the warehouse's first. Knows its rows; judges nothing.

The pipeline is Engagement ETL because nothing starts from its base model: what a drill publishes is taken away again
before anybody computes with it. Nor does any real day look changed meanwhile: the rows are as old as their day, and a
load is news to its own day, the next one and the last of its month, of which the warehouse has none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import cast

import psycopg2
from psycopg2.extensions import connection, cursor

from oncall.core.promises.facts import DRILL_RUNS
from sandbox.master_data.business_day import first_id
from sandbox.master_data.loading import Loader
from sandbox.stack.postgres import SandboxError

DAG_ID = "engagement_etl"
REPORT = "investor.daily_engagement"

# Whatever the pipeline writes about a report date.
_REPORT_ROWS = (
    "base.engagement",
    "base.daily_engagement_draft",
    "base.daily_engagement_by_channel_draft",
    "investor.daily_engagement",
    "investor.daily_engagement_by_channel",
)
_NOBODY = 1  # a customer id that the generator never gives


class Warehouse:
    """The stack's warehouse in the hands of a drill."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def free_day(self) -> dt.date:
        """The last but one of the month before the first day that was ever loaded. Raises SandboxError in an empty
        warehouse."""
        with self._cursor() as cursor:
            cursor.execute("select date_trunc('month', min(business_day))::date - 2 from master.loads")
            (day,) = cursor.fetchone() or (None,)
        if day is None:
            raise SandboxError("the warehouse has no master data yet; `make up` loads it")
        return cast(dt.date, day)

    def deliver_customers(self, day: dt.date) -> None:
        """Upstream says that the day's customers are there: the first load brings everybody from before."""
        with self._cursor() as cursor:
            cursor.execute(
                "insert into master.loads (table_name, business_day, loaded_at, row_count)"
                " select 'customers', %s, now(), count(*) from master.customers"
                " where customer_id >= %s and customer_id < %s",
                (day, *_ids(day)),
            )

    def deliver_sessions(self, day: dt.date) -> None:
        """Upstream delivers the day's sessions, now; of customers that the warehouse knows."""
        with closing(psycopg2.connect(self._dsn)) as conn:
            Loader(conn).load(day, ["sessions"])
        with self._cursor() as cursor:
            cursor.execute(
                "delete from master.sessions as session where session_id >= %s and session_id < %s and not exists"
                " (select from master.customers as customer where customer.customer_id = session.customer_id)",
                _ids(day),
            )
            cursor.execute(
                "update master.loads set loaded_at = now(), row_count = (select count(*) from master.sessions"
                " where session_id >= %s and session_id < %s) where table_name = 'sessions' and business_day = %s",
                (*_ids(day), day),
            )

    def spoil(self, day: dt.date) -> None:
        """Give one session of the day to a customer that nobody knows: the contract will withhold the report."""
        with self._cursor() as cursor:
            cursor.execute(
                "update master.sessions set customer_id = %s where session_id ="
                " (select min(session_id) from master.sessions where session_id >= %s)",
                (_NOBODY, first_id(day)),
            )

    def stand_in_the_way(self, day: dt.date) -> connection:
        """Take the lock of another run of this report date, which then hangs: transform waits until it is closed."""
        conn = psycopg2.connect(self._dsn)
        with conn.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(hashtext(%s), %s - date '2000-01-01')", (REPORT, day))
        conn.commit()
        return conn

    def break_off_waiting(self, holder: connection) -> None:
        """Break the connection of whoever waits for the lock of `holder`, as a failover of the server would."""
        with self._cursor() as cursor:
            cursor.execute(
                "select pg_terminate_backend(waiting.pid) from pg_locks held"
                " join pg_locks waiting using (locktype, database, classid, objid, objsubid)"
                " where held.pid = %s and held.locktype = 'advisory' and held.granted and not waiting.granted",
                (holder.info.backend_pid,),
            )

    def published_at(self, day: dt.date) -> dt.datetime | None:
        """When the drill's report was published."""
        with self._cursor() as cursor:
            cursor.execute(
                "select first_published_at from investor.publications where report = %s and report_date = %s",
                (REPORT, day),
            )
            row = cursor.fetchone()
        return row[0] if row else None

    def take_away(self, day: dt.date) -> None:
        """Leave nothing of the day behind, all or nothing."""
        with self._cursor() as cursor:
            for table in _REPORT_ROWS:
                cursor.execute(f"delete from {table} where report_date = %s", (day,))
            for table in ("base.readings", "base.day_parts"):
                cursor.execute(f"delete from {table} where report = %s and report_date = %s", (REPORT, day))
            for table in ("publications", "checks"):
                cursor.execute(
                    f"delete from investor.{table} where report_date = %s and starts_with(run_id, %s)",
                    (day, DRILL_RUNS),
                )
            cursor.execute(
                "delete from master.sessions where session_id >= %s and session_id < %s", _ids(day)
            )
            cursor.execute("delete from master.loads where business_day = %s", (day,))

    @contextmanager
    def _cursor(self) -> Iterator[cursor]:
        """A cursor in one transaction."""
        with closing(psycopg2.connect(self._dsn)) as conn, conn, conn.cursor() as made:
            yield made


def _ids(day: dt.date) -> tuple[int, int]:
    """The ids of a day's rows: from the first, to the second excluded."""
    return first_id(day), first_id(day + dt.timedelta(days=1))
