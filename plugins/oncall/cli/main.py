"""`python -m oncall`: questions to the roster and changes of it, without Airflow running.

Exit code 0: answered or done; 1: a file of the include folder is wrong, Opsgenie is not as it should be, or a stale
day is held; 2: the arguments are wrong, or refused.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from oncall.cli import check_connections
from oncall.cli.command import (
    Command,
    UsageError,
    moment_of,
    now,
    roster_of,
    show_json,
    show_problems,
    show_table,
)
from oncall.cli.held_reports import HELD_COMMANDS
from oncall.cli.leave_swap_override import ROSTER_COMMANDS
from oncall.cli.stale_days import STALE_COMMAND
from oncall.cli.sync_schedules import SYNC_COMMAND
from oncall.config import oncall_config
from oncall.core.errors import ConfigError
from oncall.core.rota.ledger import Ledger, ledger
from oncall.core.rota.on_call import rota, who_is_on_call
from oncall.core.rota.roster import Roster


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except UsageError as error:
        print(f"oncall {args.command}: {error}", file=sys.stderr)
        return 2
    except ConfigError as error:
        show_problems(error.problems)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="oncall",
        description="Who is on call, what they earned by it, how to change who it will be, and what is stale.",
        epilog="More on each: oncall COMMAND --help. How the roster is read: docs/RULES.md.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.summary, description=command.summary)
        sub.add_argument(
            "--include", type=Path, metavar="DIR", help="the include folder (default: %(default)s)"
        )
        sub.add_argument(
            "--team", default="", metavar="NAME", help="a team with a roster of its own (include/teams/NAME)"
        )
        sub.add_argument("--json", action="store_true", help="answer in JSON")
        sub.set_defaults(run=command.run, include=oncall_config.include_dir())
        command.arguments(sub)
    return parser


def _who_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--at", metavar="ISO", help="the instant, in the roster's zone unless it says (default: now)"
    )


def _who(args: argparse.Namespace) -> int:
    roster = roster_of(args)
    at = moment_of("--at", args.at, roster) if args.at is not None else now(roster)
    shift = who_is_on_call(roster, at)
    answer = {
        "at": at.isoformat(),
        "week": shift.week,
        "primary": shift.primary,
        "secondary": shift.secondary,
        "manager": roster.manager,
        "reason": shift.reason,
    }
    if args.json:
        show_json(answer)
    else:
        show_table([[key, value] for key, value in answer.items()])
    return 0


def _rota_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="start", required=True, metavar="DATE", help="from its handoff hour on"
    )
    parser.add_argument("--until", required=True, metavar="DATE", help="until its handoff hour, excluded")


def _rota(args: argparse.Namespace) -> int:
    roster = roster_of(args)
    start, until = moment_of("--from", args.start, roster), moment_of("--until", args.until, roster)
    if until <= start:
        raise UsageError(f"--until {args.until} is not after --from {args.start}")
    shifts = [
        {**asdict(shift), "start": shift.start.isoformat(), "end": shift.end.isoformat()}
        for shift in rota(roster, start, until)
    ]
    if args.json:
        show_json(shifts)
    else:
        columns = ("start", "end", "week", "primary", "secondary", "reason", "covering_for")
        show_table([[shift[column] for column in columns] for shift in shifts], columns)
    return 0


def _ledger_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until", metavar="DATE", help="what was earned on the on-call days before (default: today's)"
    )


def _ledger(args: argparse.Namespace) -> int:
    roster = roster_of(args)
    until = moment_of("--until", args.until, roster) if args.until is not None else now(roster)
    answer = _ledger_json(roster, ledger(roster, until))
    if args.json:
        show_json(answer)
        return 0
    for title, entries in answer.items():
        print(title.replace("_", " ").capitalize())
        show_table([list(entry.values()) for entry in entries], tuple(entries[0]) if entries else ("none",))
        print()
    return 0


def _ledger_json(roster: Roster, found: Ledger) -> dict[str, list[dict[str, Any]]]:
    return {
        "credits": [
            {
                "person": entry.person,
                "week": entry.week,
                "days": entry.days,
                "covering_for": entry.covering_for,
            }
            for entry in found.credits
        ],
        "comp_weeks": [
            {
                "person": comp.person,
                "week": comp.week,
                "start": roster.day_starts(comp.begins).isoformat(),
                "repaid_by": comp.repaid_by,
                "earned_week": comp.earned_week,
            }
            for comp in found.comp_weeks
        ],
        "in_lieu": [
            {
                "person": entry.person,
                "date": entry.date.isoformat() if entry.date else None,
                "for": entry.holiday.isoformat(),
            }
            for entry in found.in_lieu
        ],
    }


def _check(args: argparse.Namespace) -> int:
    problems = oncall_config.check(args.include)
    if args.json:
        show_json([asdict(problem) for problem in problems])
    else:
        print("\n".join(map(str, problems)) or f"{args.include}: all good")
    return 1 if problems else 0


COMMANDS = (
    Command("who", "Who is on call at an instant.", _who_arguments, _who),
    Command("rota", "The shifts between two dates.", _rota_arguments, _rota),
    Command("ledger", "Credit days, comp weeks and leave in lieu.", _ledger_arguments, _ledger),
    Command(
        "check",
        "Every problem of roster, runbooks and SQL; with --connections of whatever they lead to.",
        check_connections.arguments,
        check_connections.or_else(_check),
    ),
    *ROSTER_COMMANDS,
    SYNC_COMMAND,
    STALE_COMMAND,
    *HELD_COMMANDS,
)
