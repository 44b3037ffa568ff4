"""`python -m oncall`: who is on call, the rota, the ledger and the check of `include/`, without Airflow running.

Exit code 0: answered; 1: a file of the include folder is wrong; 2: the arguments are wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pendulum

from oncall import config
from oncall.core.errors import ConfigError, OncallError, Problem
from oncall.core.ledger import Ledger, ledger
from oncall.core.roster import Roster
from oncall.core.rota import rota, who_is_on_call
from oncall.core.wall import in_zone
from oncall.reading.moments import moment


class UsageError(OncallError):
    """The arguments are wrong; says how."""


@dataclass(frozen=True)
class Command:
    """One subcommand: `arguments` adds its own to the parser, `run` answers and returns the exit code."""

    name: str
    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except UsageError as error:
        print(f"oncall {args.command}: {error}", file=sys.stderr)
        return 2
    except ConfigError as error:
        _show_problems(error.problems)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="oncall", description="Who is on call, and what they earned by it.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.summary, description=command.summary)
        sub.add_argument(
            "--include", type=Path, metavar="DIR", help="the include folder (default: %(default)s)"
        )
        sub.add_argument("--json", action="store_true", help="answer in JSON")
        sub.set_defaults(run=command.run, include=config.include_dir())
        command.arguments(sub)
    return parser


def _who_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--at", metavar="ISO", help="the instant, in the roster's zone unless it says (default: now)"
    )


def _who(args: argparse.Namespace) -> int:
    roster = _roster(args)
    at = _moment("--at", args.at, roster) if args.at else _now(roster)
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
        _show_json(answer)
    else:
        _show_table([[key, value] for key, value in answer.items()])
    return 0


def _rota_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="start", required=True, metavar="DATE", help="from its handoff hour on"
    )
    parser.add_argument("--until", required=True, metavar="DATE", help="until its handoff hour, excluded")


def _rota(args: argparse.Namespace) -> int:
    roster = _roster(args)
    start, until = _moment("--from", args.start, roster), _moment("--until", args.until, roster)
    if until <= start:
        raise UsageError(f"--until {args.until} is not after --from {args.start}")
    shifts = [
        {**asdict(shift), "start": shift.start.isoformat(), "end": shift.end.isoformat()}
        for shift in rota(roster, start, until)
    ]
    if args.json:
        _show_json(shifts)
    else:
        columns = ("start", "end", "week", "primary", "secondary", "reason", "covering_for")
        _show_table([[shift[column] for column in columns] for shift in shifts], columns)
    return 0


def _ledger_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until", metavar="DATE", help="what was earned on the on-call days before (default: today's)"
    )


def _ledger(args: argparse.Namespace) -> int:
    roster = _roster(args)
    until = _moment("--until", args.until, roster) if args.until else _now(roster)
    answer = _ledger_json(roster, ledger(roster, until))
    if args.json:
        _show_json(answer)
        return 0
    for title, entries in answer.items():
        print(title.replace("_", " ").capitalize())
        _show_table([list(entry.values()) for entry in entries], tuple(entries[0]) if entries else ("none",))
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


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes no arguments of its own."""


def _check(args: argparse.Namespace) -> int:
    problems = config.check(args.include)
    if args.json:
        _show_json([asdict(problem) for problem in problems])
    else:
        print("\n".join(map(str, problems)) or f"{args.include}: all good")
    return 1 if problems else 0


def _roster(args: argparse.Namespace) -> Roster:
    roster, problems = config.load_roster(args.include)
    _show_problems(problems)
    return roster


def _now(roster: Roster) -> pendulum.DateTime:
    return in_zone(pendulum.now("UTC").replace(microsecond=0), roster.tz)


def _moment(option: str, text: str, roster: Roster) -> pendulum.DateTime:
    try:
        return moment(text, roster.handoff, roster.tz)
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is no date (2026-03-02) and no time (2026-03-02T05:00)"
        ) from None


def _show_json(answer: object) -> None:
    print(json.dumps(answer, indent=2, ensure_ascii=False))


def _show_problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)


def _show_table(rows: list[list[Any]], columns: Sequence[str] = ()) -> None:
    """Columns as wide as their widest cell; an empty cell is a dash."""
    cells = [["–" if cell is None else str(cell) for cell in row] for row in rows]
    lines = [list(columns), *cells] if columns else cells
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


COMMANDS = (
    Command("who", "Who is on call at an instant.", _who_arguments, _who),
    Command("rota", "The shifts between two dates.", _rota_arguments, _rota),
    Command("ledger", "Credit days, comp weeks and leave in lieu.", _ledger_arguments, _ledger),
    Command("check", "Every problem of roster, runbooks and SQL.", _no_arguments, _check),
)
