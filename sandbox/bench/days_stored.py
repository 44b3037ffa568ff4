"""What a day of each pipeline costs with sixty days stored, and with two years: the same day in two warehouses."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from functools import partial
from typing import Any

import psycopg2
from psycopg2 import sql

from oncall.config.oncall_config import load
from pipelines import runner
from sandbox.bench.figures import Figure, Sample, Section, seconds
from sandbox.bench.models import DAG_IDS, DAY, analyze, run
from sandbox.master_data.loading import Loader, create_schema
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import Server

FEW, MANY = 60, 730
RUN_FOR = 28  # days that the pipelines have run for; of what they made, older days are copies
SCALE = 0.25
TIMES = 9

_MADE = """
    select table_schema, table_name, array_agg(column_name::text)
    from information_schema.columns join information_schema.tables using (table_schema, table_name)
    where table_schema in ('base', 'investor', 'experiments') and table_type = 'BASE TABLE'
    group by 1, 2 having bool_or(column_name = 'report_date')
"""
_COPIED = """
    insert into {table} ({columns}, report_date)
    select {columns}, report_date - %(block)s * back.blocks
    from {table}, generate_series(1, %(days)s / %(block)s) as back (blocks)
    where report_date > %(day)s - %(block)s and report_date - %(block)s * back.blocks > %(day)s - %(days)s
    order by back.blocks desc, report_date  -- a day lies together, as the night that wrote it left it
"""


def measure(server: Server) -> Section:
    config = load(REPOSITORY / "include")
    with closing(_stored(server, FEW)) as few, closing(_stored(server, MANY)) as many:
        took: dict[tuple[Any, str], list[float]] = {}
        for number in range(TIMES + 1):
            for connection in (few, many):
                _tidy(connection)
            for dag_id in DAG_IDS:
                for connection in (few, many):
                    spent = seconds(partial(run, connection, config, dag_id, DAY))
                    # the first is warm-up
                    took.setdefault((connection, dag_id), [])[:0] = [spent] if number else []
        figures = tuple(
            Figure(
                Sample(f"{dag_id}, {MANY} days stored", tuple(took[many, dag_id]), "s"),
                Sample(f"{FEW} days stored", tuple(took[few, dag_id]), "s"),
            )
            for dag_id in DAG_IDS
        )
    how = (
        f"The same report date, {TIMES} times by turns in two warehouses at {SCALE:g} x: one with {FEW} days of master"
        f" data, base models and reports behind it, one with {MANY}. In both the experiments assign customers since"
        f" {FEW} days: they report on everybody who was ever assigned. Asked for: at most 1.2 times as long."
    )
    return Section("The days stored", how, figures)


def _stored(server: Server, days: int) -> Any:
    """A warehouse with so many days before and with DAY, counted and packed."""
    config, first = load(REPOSITORY / "include"), DAY - dt.timedelta(days=FEW - 1)
    connection = psycopg2.connect(server.ensure_database(f"stored_{days}"))
    create_schema(connection)
    runner.install(connection)
    for back in range(days - 1, -1, -1):
        Loader(connection, SCALE).load(DAY - dt.timedelta(days=back))
    with connection, connection.cursor() as cursor:
        cursor.execute("delete from master.experiment_assignments where assigned_at < %s", (first,))
    analyze(connection)
    for back in range(RUN_FOR - 1, -1, -1):
        for dag_id in DAG_IDS:
            run(connection, config, dag_id, DAY - dt.timedelta(days=back))
    _copy_back(connection, days)
    _tidy(connection, "full, analyze")  # as if what was deleted for the comparison had never been
    return connection


def _tidy(connection: Any, how: str = "index_cleanup on") -> None:
    """No night runs one date ten times. What that leaves behind the server tidies up sooner where few rows are."""
    connection.autocommit = True  # `vacuum` refuses a transaction
    with connection.cursor() as cursor:
        cursor.execute(f"vacuum ({how})")
        cursor.execute("checkpoint")
    connection.autocommit = False


def _copy_back(connection: Any, days: int) -> None:
    """What the pipelines made of the last RUN_FOR days, again and again for the days before them."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_MADE)
        for schema, table, columns in cursor.fetchall():
            name = sql.Identifier(schema, table)
            others = sql.SQL(", ").join(sql.Identifier(each) for each in columns if each != "report_date")
            older = sql.SQL("delete from {} where report_date <= %s").format(name)
            cursor.execute(older, (DAY - dt.timedelta(days=RUN_FOR),))
            values = {"day": DAY, "block": RUN_FOR, "days": days}
            cursor.execute(sql.SQL(_COPIED).format(table=name, columns=others), values)
