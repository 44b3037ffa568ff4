"""How long one look of the watcher takes on databases with 60 nights behind them; no Airflow takes part."""

from __future__ import annotations

import datetime as dt
from contextlib import closing

import psycopg
import psycopg2

from oncall import reports
from oncall.adapters.oncall_db import OncallDb
from oncall.adapters.postgres import connect_to
from oncall.adapters.task_log import TaskLog
from oncall.adapters.warehouse import Warehouse
from oncall.config import load
from oncall.core.wording import Links
from oncall.paging import look
from sandbox.bench.figures import Figure, Section, timed
from sandbox.business_day import ZONE
from sandbox.environment import REPOSITORY
from sandbox.loading import create_schema
from sandbox.master_data import TABLES
from sandbox.postgres import Server

LOOKS = 50
NIGHTS = 60
LAST = dt.date(2026, 11, 22)
AT = dt.datetime(2026, 11, 23, 5, 10, tzinfo=ZONE)
LATE = "sessions"  # has not arrived for LAST
STEPS = ("wait_for_upstream", "transform", "check", "publish")

_DAYS = "generate_series(%(last)s::date - %(nights)s + 1, %(last)s::date, interval '1 day') as day"
_LOADS = f"""
    insert into master.loads (table_name, business_day, loaded_at, row_count)
    select name, day::date, (day + interval '25 hours')::timestamp at time zone 'Asia/Bangkok', 10000
    from unnest(%(tables)s::text[]) as name, {_DAYS}
    where name <> %(late)s or day < %(last)s::date
"""
_PUBLICATIONS = f"""
    insert into investor.publications (report, report_date, published_at, first_published_at, read_at, run_id, rows)
    select report, day::date, at, at, at, 'bench', 1
    from unnest(%(reports)s::text[]) as report, {_DAYS},
         lateral (select (day + interval '27 hours')::timestamp at time zone 'Asia/Bangkok' as at) as published
    where day < %(last)s::date
"""
_TASKS = f"""
    insert into oncall.tasks (dag_id, run_id, task_id, report_date, state, started_at, ended_at)
    select dag_id, 'bench__' || day::date, task_id, day::date, 'success',
           (day + interval '26 hours' + number * interval '5 min')::timestamp at time zone 'Asia/Bangkok',
           (day + interval '26 hours' + (number + 1) * interval '5 min')::timestamp at time zone 'Asia/Bangkok'
    from unnest(%(dags)s::text[]) as dag_id, unnest(%(steps)s::text[]) with ordinality as step (task_id, number),
         {_DAYS}
    where day < %(last)s::date
"""


def measure(server: Server) -> Section:
    """A whole `oncall.paging.look`, ten minutes after three promises were broken, beside one `select 1`."""
    setup = load(REPOSITORY / "include")
    warehouse, oncall = server.ensure_database("looking"), server.ensure_database("looking_oncall")
    store = OncallDb(connect_to(oncall))
    store.install()
    values = {
        "last": LAST, "nights": NIGHTS, "tables": list(TABLES), "late": LATE, "steps": list(STEPS),
        "dags": list(setup.pipelines), "reports": [pipeline.report for pipeline in setup.pipelines.values()],
    }  # fmt: skip
    _fill(warehouse, oncall, values)
    store.remember("watching_since", (AT - dt.timedelta(days=1)).isoformat())
    world, runs = Warehouse(connect_to(warehouse)), TaskLog(connect_to(oncall))
    looks = timed(
        "one look: read, judge, decide, record",
        lambda: look(setup, world, runs, store, Links("http://localhost"), AT),
        LOOKS,
    )
    with psycopg.connect(warehouse, autocommit=True) as connection:
        trips = timed("one round trip: select 1", lambda: connection.execute("select 1").fetchone(), LOOKS)
    how = (
        f"{LOOKS} looks at {NIGHTS} nights of loads, publications and tasks on one PostgreSQL, at 05:10 of a night"
        " in which all three promises are broken. The watcher looks every 15 s."
    )
    return Section("One look", how, (Figure(looks, trips),))


def _fill(warehouse: str, oncall: str, values: dict[str, object]) -> None:
    """Nights that went well, and the last one, in which a table has not arrived and nothing was published."""
    with closing(psycopg2.connect(warehouse)) as connection:
        create_schema(connection)
        reports.install(connection)
        with connection, connection.cursor() as cursor:
            cursor.execute(_LOADS, values)
            cursor.execute(_PUBLICATIONS, values)
    with closing(psycopg2.connect(oncall)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_TASKS, values)
    for uri in (warehouse, oncall):
        with psycopg.connect(uri, autocommit=True) as connection_:
            connection_.execute("analyze")
