"""How long one look of the watcher takes on databases with 60 nights behind them; no Airflow takes part."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest.mock import patch

import psycopg
import psycopg2

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.adapters.postgres.task_log import TaskLog
from oncall.adapters.postgres.warehouse import Warehouse
from oncall.config.oncall_config import OncallConfig, load
from oncall.core.incidents.wording import Links
from oncall.usecases.evaluate import evaluate
from pipelines import runner
from sandbox.bench.figures import Figure, Sample, Section, timed
from sandbox.master_data.business_day import ZONE
from sandbox.master_data.generator import TABLES
from sandbox.master_data.loading import create_schema
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import Server

LOOKS = 50
NIGHTS = 60
LAST = dt.date(2026, 11, 22)
BROKEN = dt.datetime(2026, 11, 23, 5, 10, tzinfo=ZONE)  # ten minutes after all were due
WAITING = BROKEN.replace(hour=3, minute=0)  # before anybody is warned
LATE = "sessions"  # has not arrived for LAST
STEPS = ("wait_for_upstream", "transform", "check", "publish")
COUNTS = (5, 100, 1_000, 10_000)
MISSING = 20  # reports that are broken beside ten thousand that are kept
FEWER = 10_000  # with so many promises a tenth of the looks tells enough

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


def measure(server: Server) -> tuple[Section, ...]:
    """The shipped promises, broken, in wall time; and generated ones, by their number, in CPU time and queries."""
    return _broken(server), _many(server)


def _broken(server: Server) -> Section:
    site = _site(server, load(REPOSITORY / "include"), "shipped", LATE)
    looks = timed("one look: read, judge, decide, record", partial(site.look, BROKEN), LOOKS)
    with psycopg.connect(site.warehouse, autocommit=True) as connection:
        trips = timed("one round trip: select 1", lambda: connection.execute("select 1").fetchone(), LOOKS)
    how = (
        f"{LOOKS} looks at {NIGHTS} nights of loads, publications and tasks on one PostgreSQL, at 05:10 of a night"
        " in which all three promises are broken. The watcher looks every 15 s."
    )
    return Section("One look", how, (Figure(looks, trips),))


def _many(server: Server) -> Section:
    base = load(REPOSITORY / "include")
    took, asked = [], []
    for count in COUNTS:
        site = _site(server, _generated(base, count), f"many_{count}", "")
        times = LOOKS // 10 if count >= FEWER else LOOKS
        took.append(timed(f"{count:,} promises", partial(site.look, WAITING), times, time.process_time))
        with _queries() as queries:
            site.look(WAITING)
        asked.append(Sample(f"{count:,} promises", (float(len(queries)),), "queries"))
    _publish(site, missing=MISSING)
    name = f"{count:,} promises, all but {MISSING} kept"
    took.append(timed(name, partial(site.look, BROKEN), times, time.process_time))
    figures = [Figure(sample, took[0]) for sample in took[1:]] + [
        Figure(each, asked[0]) for each in asked[1:]
    ]
    how = (
        f"Generated promises, each with a report and {NIGHTS} nights of its own, at 03:00 of a night in which all wait"
        f" for their runs; then at 05:10, when all but {MISSING} are published. CPU time of the looking process;"
        " PostgreSQL's own is not in it. Asked for: with 1,000 promises below 150 ms, with 10,000 that are kept at most"
        " 500 ms, growth no worse than linear, and as many queries whatever the number. The queries are: what is"
        " remembered, what ran, what is published, loads, failed checks, locks, the decision's lock, the incidents with"
        " what was said of them; once a day one more reckons the usual durations, and what is new is written."
    )
    return Section("A look at many promises", how, tuple(figures))


def _generated(base: OncallConfig, count: int) -> OncallConfig:
    """So many promised pipelines, each like one of those that are promised in `base`."""
    models = [pipeline for pipeline in base.pipelines.values() if pipeline.promise]
    pipelines = [
        replace(models[number % len(models)], dag_id=f"p{number:05}", report=f"investor.p{number:05}")
        for number in range(count)
    ]
    return replace(base, pipelines={pipeline.dag_id: pipeline for pipeline in pipelines})


@contextmanager
def _queries() -> Iterator[list[Any]]:
    """Every statement that is executed through psycopg meanwhile."""
    execute: Any = psycopg.Cursor.execute
    seen: list[Any] = []

    def counted(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(query)
        return execute(cursor, query, *args, **kwargs)

    with patch.object(psycopg.Cursor, "execute", counted):
        yield seen


@dataclass(frozen=True)
class _Site:
    """All that a look needs, ready. `warehouse` is its URI."""

    config: OncallConfig
    warehouse: str
    world: Warehouse
    runs: TaskLog
    store: OncallDb

    def look(self, at: dt.datetime) -> None:
        evaluate(self.config, self.world, self.runs, self.store, Links("http://localhost"), at)


def _site(server: Server, config: OncallConfig, name: str, late: str) -> _Site:
    """Nights that went well, and the last one, in which nothing was published and the table `late` has not come."""
    warehouse, oncall = server.ensure_database(name), server.ensure_database(f"{name}_oncall")
    store = OncallDb(connect_to(oncall))
    store.install()
    values = {
        "last": LAST, "nights": NIGHTS, "tables": list(TABLES), "late": late, "steps": list(STEPS),
        "dags": list(config.pipelines), "reports": [pipeline.report for pipeline in config.pipelines.values()],
    }  # fmt: skip
    _fill(warehouse, [(_LOADS, values), (_PUBLICATIONS, values)], with_tables=True)
    _fill(oncall, [(_TASKS, values)], with_tables=False)
    store.set_note("watching_since", (BROKEN - dt.timedelta(days=1)).isoformat())
    return _Site(config, warehouse, Warehouse(connect_to(warehouse)), TaskLog(connect_to(oncall)), store)


def _publish(site: _Site, missing: int) -> None:
    """The last night's reports too, but for some."""
    reports = [pipeline.report for pipeline in site.config.pipelines.values()][missing:]
    values: dict[str, object] = {"last": LAST + dt.timedelta(days=1), "nights": 2, "reports": reports}
    _fill(site.warehouse, [(_PUBLICATIONS, values)], with_tables=False)


def _fill(uri: str, statements: Sequence[tuple[str, dict[str, object]]], *, with_tables: bool) -> None:
    with closing(psycopg2.connect(uri)) as connection:
        if with_tables:
            create_schema(connection)
            runner.install(connection)
        with connection, connection.cursor() as cursor:
            for statement, values in statements:
                cursor.execute(statement, values)
    with psycopg.connect(uri, autocommit=True) as connection_:
        connection_.execute("vacuum analyze")
