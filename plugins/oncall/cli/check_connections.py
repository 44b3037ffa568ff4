"""`check --connections`: asks every connection, table, grant, scope, heartbeat and account once; wakes nobody."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict

from oncall import config, reports
from oncall.cli.command import show_json, show_problems
from oncall.config import Setup
from oncall.core.checked import Checked


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--connections",
        action="store_true",
        help="ask databases, Opsgenie and Slack once for all that is needed of them; nobody is woken",
    )


def or_else(static: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The command `check`: with --connections this one, otherwise the one that reads files alone."""
    return lambda args: _check(args) if args.connections else static(args)


def _check(args: argparse.Namespace) -> int:
    setup = config.load(args.include)
    with redirect_stdout(sys.stderr):  # where Airflow says what it likes: the answer is ours alone
        checked = ask(setup)
    if args.json:
        show_json(asdict(checked))
    else:
        for line in checked.good:
            print(f"good       {line}")
        for line in checked.unasked:
            print(f"not asked  {line}")
        show_problems(checked.problems)
        print(f"{len(checked.good)} good, {len(checked.unasked)} not asked, {len(checked.problems)} to mend")
    return 1 if checked.problems else 0


def ask(setup: Setup) -> Checked:
    """Ask all four connections. Never raises for what they answer."""
    # Only here: the other commands need neither databases nor HTTP.
    from oncall.adapters.oncall_db import SCHEMA
    from oncall.adapters.opsgenie_check import OpsgenieCheck
    from oncall.adapters.plain_connection import look_up
    from oncall.adapters.postgres import connect_by
    from oncall.adapters.postgres_check import LOADS, Database, made_by
    from oncall.adapters.slack_check import SlackCheck

    checked = Checked()
    rosters = (setup.roster, *setup.teams.values())
    people = {person.id: person for roster in rosters for person in roster.people.values()}.values()
    Database("oncall_db", lambda: connect_by("oncall_db"), checked).ask(
        made_by(SCHEMA.read_text(encoding="utf-8"))
    )
    upstream = {name for pipeline in setup.pipelines.values() for name in pipeline.upstream}
    Database("warehouse", lambda: connect_by("warehouse"), checked).ask(
        made_by((reports.sql_dir() / "warehouse.sql").read_text(encoding="utf-8")),
        {LOADS, *(name for name in upstream if name.startswith("master."))},
    )
    OpsgenieCheck(look_up, checked).ask(
        setup.heartbeats, sorted({person.opsgenie for person in people if person.opsgenie})
    )
    SlackCheck(look_up, checked).ask(
        [channel for channel in setup.channels if channel],
        sorted({roster.slack_usergroup for roster in rosters if roster.slack_usergroup}),
        sorted({person.slack for person in people if person.slack}),
    )
    return checked
