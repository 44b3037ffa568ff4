"""The Software Engineer Team of the sandbox: loads master data into PostgreSQL, late, in part or amended if told to.

    python -m sandbox.master_data.upstream --dsn DSN load --from 2026-09-24 --until 2026-11-22      (both days included)
    python -m sandbox.master_data.upstream --dsn DSN load --from 2026-11-22 --tables orders --late-by 90
    python -m sandbox.master_data.upstream --dsn DSN load --from 2026-11-22 --tables orders --partial 0.3
    python -m sandbox.master_data.upstream --dsn DSN amend --day 2026-11-22 --table orders

To withhold a table, name the others in `--tables`. Knows when and how much; refuses to know who reads it.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import closing

import psycopg2
from psycopg2.extensions import connection

from sandbox.master_data.business_day import ZONE
from sandbox.master_data.generator import TABLES
from sandbox.master_data.loading import Loader, amend, create_schema, usual_load_time


def _days(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    for n in range((last - first).days + 1):
        yield first + dt.timedelta(days=n)


def _load(conn: connection, asked: argparse.Namespace) -> str:
    count = 0
    tables = asked.tables or list(TABLES)
    loader = Loader(conn, asked.scale, cancelling=True)
    now = dt.datetime.now(ZONE).replace(microsecond=0)
    for day in _days(asked.first, asked.until or asked.first):
        for table in tables:
            usual = usual_load_time(table, day) + dt.timedelta(minutes=asked.late_by)
            # A night that is not over has what is loaded now, not what will be there by 01:30.
            at = asked.at or (now if day < now.date() and usual > now else usual)
            (load,) = loader.load(day, [table], loaded_at=at, partial=asked.partial)
            count += load.row_count
    with conn, conn.cursor() as cursor:
        cursor.execute("".join(f"analyze master.{table};" for table in tables))
    return f"loaded {count:,} rows of {', '.join(tables)}"


def _amend(conn: connection, asked: argparse.Namespace) -> str:
    load = amend(conn, asked.day, asked.table, asked.at or dt.datetime.now(ZONE))
    return f"amended {load.table_name} of {load.business_day} at {load.loaded_at.isoformat()}"


def _instant(text: str) -> dt.datetime:
    """An ISO date-time; without an offset it is meant in UTC+7."""
    at = dt.datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=ZONE)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"found {text}; write a share from 0 to 1, such as 0.3")
    return share


def _tables(text: str) -> list[str]:
    wanted = text.split(",")
    if unknown := set(wanted) - set(TABLES):
        known = ", ".join(TABLES)
        raise argparse.ArgumentTypeError(f"found {', '.join(sorted(unknown))}; write some of {known}")
    return [table for table in TABLES if table in wanted]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandbox.master_data.upstream", description="Load the sandbox's master data."
    )
    parser.add_argument("--dsn", required=True, help="the warehouse, postgresql://…")
    commands = parser.add_subparsers(required=True)
    load = commands.add_parser("load", help="load business days, replacing what is there")
    load.add_argument("--from", dest="first", type=dt.date.fromisoformat, required=True, metavar="DATE")
    load.add_argument("--until", type=dt.date.fromisoformat, metavar="DATE", help="the last day, included")
    load.add_argument("--scale", type=float, default=1.0, help="1 is about 5,000 orders a day")
    load.add_argument("--tables", type=_tables, metavar="T,T", help="only these")
    load.add_argument("--partial", type=_share, default=1.0, metavar="SHARE", help="the share that arrives")
    when = load.add_mutually_exclusive_group()
    when.add_argument("--late-by", type=float, default=0.0, metavar="MINUTES", help="after the usual time")
    when.add_argument("--at", type=_instant, metavar="ISO", help="loaded_at; UTC+7 unless it says otherwise")
    load.set_defaults(run=_load)
    change = commands.add_parser("amend", help="change a day after it was loaded")
    change.add_argument("--day", type=dt.date.fromisoformat, required=True, metavar="DATE")
    change.add_argument("--table", choices=TABLES, required=True)
    change.add_argument("--at", type=_instant, metavar="ISO", help="when (now)")
    change.set_defaults(run=_amend)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; prints one line of what was done."""
    asked = _parser().parse_args(arguments)
    with closing(psycopg2.connect(asked.dsn)) as conn:
        create_schema(conn)
        print(asked.run(conn, asked))


if __name__ == "__main__":
    main()
