"""The Software Engineer Team's nights: loads each table of each business day at its usual time, for as long as it runs.

    python -m sandbox.master_data.nightly           for ever; catches up after the laptop slept, then without hurry
    python -m sandbox.master_data.nightly --once    what is missing by now

The warehouse is `WAREHOUSE_DSN`. An empty one is given HISTORY_DAYS of the past. What is missing is asked once, at the
start: from then on a table that a drill takes away stays away.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import time
from contextlib import closing

import psycopg2
from psycopg2.extensions import connection

from sandbox.master_data.business_day import ZONE
from sandbox.master_data.generator import TABLES
from sandbox.master_data.loading import Loader, create_schema, usual_load_time

HISTORY_DAYS = 60
TICK_S = 20
ON_TIME = dt.timedelta(minutes=2)


def due_between(after: dt.datetime, now: dt.datetime) -> list[tuple[dt.date, str]]:
    """The table-days whose usual load time is after `after` and not after `now`, in the order of those times."""
    first, last = (at.astimezone(ZONE).date() for at in (after, now))
    days = [first + dt.timedelta(days=n) for n in range(-2, (last - first).days + 1)]
    times = [(usual_load_time(table, day), day, table) for day in days for table in TABLES]
    return [(day, table) for at, day, table in sorted(times) if after < at <= now]


def missing(conn: connection, now: dt.datetime) -> list[tuple[dt.date, str]]:
    """The table-days due by `now` that are newer than the newest loaded day, or that it lacks (a night broken off)."""
    with conn, conn.cursor() as cursor:
        cursor.execute(
            "select business_day, table_name from master.loads"
            " where business_day = (select max(business_day) from master.loads)"
        )
        newest: list[tuple[dt.date, str]] = cursor.fetchall()
    today = now.astimezone(ZONE).date()
    first = newest[0][0] if newest else today - dt.timedelta(days=HISTORY_DAYS)
    midnight = dt.datetime.combine(first + dt.timedelta(days=1), dt.time(), tzinfo=ZONE)
    return [table_day for table_day in due_between(midnight, now) if table_day not in newest]


def load(conn: connection, table_days: list[tuple[dt.date, str]], now: dt.datetime | None) -> None:
    """Load them, as of `now`, or as of their usual times when it is None or about the same."""
    loader = Loader(conn, cancelling=True)
    for day, table in table_days:
        usual = usual_load_time(table, day)
        at = usual if now is None or now - usual < ON_TIME else now
        (done,) = loader.load(day, [table], loaded_at=at)
        print(f"{done.loaded_at.isoformat()} {table} of {day}: {done.row_count:,} rows", flush=True)
    with conn, conn.cursor() as cursor:
        # The nightly SQL is planned by these counts; autovacuum comes too late for it.
        for table in sorted({table for _, table in table_days}):
            cursor.execute(f"analyze master.{table}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.master_data.nightly", description=__doc__)
    parser.add_argument("--once", action="store_true", help="load what is missing by now, then end")
    once = parser.parse_args().once
    with closing(psycopg2.connect(os.environ["WAREHOUSE_DSN"])) as conn:
        create_schema(conn)
        after = dt.datetime.now(ZONE)
        # The past of an empty warehouse came in good nights; what a sleeping laptop missed comes late, and says so.
        load(conn, missing(conn, after), None if _is_empty(conn) else after)
        while not once:
            time.sleep(TICK_S)
            now = dt.datetime.now(ZONE)
            load(conn, due_between(after, now), now)
            after = now


def _is_empty(conn: connection) -> bool:
    with conn, conn.cursor() as cursor:
        cursor.execute("select not exists (select from master.loads)")
        (empty,) = cursor.fetchone() or (True,)
    return bool(empty)


if __name__ == "__main__":
    main()
