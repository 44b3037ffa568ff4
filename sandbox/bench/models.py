"""How long a pipeline takes for one report date, beside the bare COPY of that day's master data."""

from __future__ import annotations

import datetime as dt
import io
from contextlib import closing
from functools import partial
from typing import Any

import psycopg2

from oncall import reports
from oncall.config import Setup, load
from oncall.reports import ReportRun
from sandbox.bench.figures import Figure, Sample, Section, seconds
from sandbox.environment import REPOSITORY
from sandbox.history import LINES
from sandbox.loading import create_schema, load_day
from sandbox.master_data import TABLES, Universe, rows
from sandbox.postgres import Server

DAY = dt.date(2026, 11, 22)
EARLIER = 2  # days that are loaded and published before DAY
SCALES = (1, 10)
TIMES = 3


def measure(server: Server) -> tuple[Section, ...]:
    """A section for each scale; the baseline is the same for all five pipelines."""
    return tuple(_at(server, scale) for scale in SCALES)


def _at(server: Server, scale: int) -> Section:
    setup = load(REPOSITORY / "include")
    dag_ids = [dag_id for line in LINES for dag_id in line]
    with closing(psycopg2.connect(server.ensure_database(f"models_{scale}"))) as connection:
        create_schema(connection)
        reports.install(connection)
        for back in range(EARLIER, -1, -1):
            day = DAY - dt.timedelta(days=back)
            load_day(connection, day, scale=scale)
            _analyze(connection, *(f"master.{table}" for table in TABLES))
            for dag_id in dag_ids if back else ():
                _run(connection, setup, dag_id, day)
        copied, count = _copied(connection, scale)
        took: dict[str, list[float]] = {dag_id: [] for dag_id in dag_ids}
        for _ in range(TIMES):
            for dag_id in dag_ids:
                took[dag_id].append(seconds(partial(_run, connection, setup, dag_id, DAY)))
    figures = tuple(Figure(Sample(dag_id, tuple(values), "s"), copied) for dag_id, values in took.items())
    how = (
        f"Transform, check and publish of one report date, {TIMES} times, without Airflow; {count:,} upstream rows"
        f" that day, {EARLIER} days before it. The baseline copies those rows into empty tables with the same indexes."
    )
    return Section(f"The models at {scale} x", how, figures)


def _run(connection: Any, setup: Setup, dag_id: str, day: dt.date) -> None:
    pipeline = setup.pipelines[dag_id]
    one = ReportRun(dag_id, pipeline.report, day, setup.roster.tz, "bench", pipeline.upstream)
    reports.transform(connection, one)
    reports.check(connection, one)
    reports.publish(connection, one)


def _copied(connection: Any, scale: int) -> tuple[Sample, int]:
    """The time that COPY alone takes for DAY, and how many rows there are."""
    universe = Universe(scale=scale, since=DAY - dt.timedelta(days=EARLIER))
    arrived = [rows(table, DAY, universe) for table in TABLES]
    now = dt.datetime.now(dt.UTC)
    texts = [(each, list(each.as_text(now))) for each in arrived]
    took = []
    for _ in range(TIMES):
        with connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"create temp table copied_{table} (like master.{table} including all)")
            took.append(seconds(partial(_copy, cursor, texts)))
        connection.rollback()
    return Sample("COPY of that day, all tables", tuple(took), "s"), sum(len(each) for each in arrived)


def _copy(cursor: Any, texts: list[tuple[Any, list[str]]]) -> None:
    for each, pieces in texts:
        columns = ", ".join((*each.names, "updated_at"))
        for piece in pieces:
            cursor.copy_expert(f"copy copied_{each.table} ({columns}) from stdin", io.StringIO(piece))


def _analyze(connection: Any, *tables: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(f"analyze {', '.join(tables)}")
