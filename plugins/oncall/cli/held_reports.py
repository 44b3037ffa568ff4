"""The subcommands breaches and release: what holds a report, and a person's word that its numbers or loads are true."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from typing import Any

from oncall.cli.command import (
    Command,
    UsageError,
    by_argument,
    confirm,
    report_date,
    show_json,
    tell,
    user_name,
    yes_argument,
)
from oncall.config import oncall_config
from oncall.config.oncall_config import OncallConfig
from oncall.core.data.report_words import WAITING_GOES_ON, publishes_next
from oncall.core.errors import OncallError, Unreadable
from oncall.core.wall_time import in_zone
from pipelines import runner
from pipelines.held_reports import pipeline_of, release_report, rows_that_break


def _breaches_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("date", type=report_date, metavar="DATE", help="the report date")
    parser.add_argument("--report", default="", metavar="REPORT", help="what one report reads (default: all)")
    parser.add_argument("--check", default="", metavar="NAME", help="what breaks this rule alone")


def _breaches(args: argparse.Namespace) -> int:
    def run(connection: Any, config: OncallConfig) -> int:
        found = rows_that_break(connection, config, args.date, args.report, args.check)
        if args.json:
            show_json([{**asdict(breach), "rows": keys} for breach, keys in found.items()])
        for breach, keys in found.items() if not args.json else ():
            tell(f"{breach.name}: expected {breach.expected}; {breach.table}: {len(keys)} found")
            for key in keys:
                tell(f"  {key}")
        if not found and not args.json:
            tell(f"nothing breaks {args.check or 'the contracts'} on {args.date}")
        return 1 if found else 0

    return _with_warehouse(args, run)


def _release_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "report", metavar="REPORT", help="the report, such as investor.daily_profit, or its DAG"
    )
    parser.add_argument("date", type=report_date, metavar="DATE", help="the report date")
    parser.add_argument("--note", required=True, metavar="TEXT", help="why it is true")
    by_argument(parser)
    yes_argument(parser)


def _release(args: argparse.Namespace) -> int:
    def run(connection: Any, config: OncallConfig) -> int:
        runner.install(connection)
        by = args.by or user_name()
        confirm(args, f"Release {args.report} of {args.date} as {by}?", "nothing is released")
        released = release_report(connection, config, args.report, args.date, by=by, note=args.note)
        if args.json:
            show_json([{**asdict(one), "at": one.at.isoformat()} for one in released])
            return 0
        for one in released:
            at = in_zone(one.at, config.roster.tz)
            tell(f"{one.name} {one.amount:,.2f}: released by {one.by} at {at:%Y-%m-%d %H:%M %Z}: {one.note}")
        if any("." in one.name for one in released):
            tell(WAITING_GOES_ON)
        dag_id = pipeline_of(config, args.report).dag_id
        tell(publishes_next(dag_id, args.date))
        return 0

    return _with_warehouse(args, run)


def _with_warehouse(args: argparse.Namespace, run: Callable[[Any, OncallConfig], int]) -> int:
    # Only here: the other commands need no database.
    from oncall.adapters.postgres.database import work_by

    config = oncall_config.load(args.include)
    try:
        with closing(work_by("warehouse")) as connection:
            return run(connection, config)
    except Unreadable:
        raise
    except OncallError as error:
        raise UsageError(str(error)) from error


HELD_COMMANDS = (
    Command(
        "breaches", "The upstream rows of a day that break their contract.", _breaches_arguments, _breaches
    ),
    Command(
        "release",
        "Say that unusual numbers of a held report, or partial loads, are true.",
        _release_arguments,
        _release,
    ),
)
