"""`python -m oncall`: questions to the roster and the incidents, and changes of both.

Exit code 0: answered or done; 1: a file of the include folder is wrong, a database or a far side does not answer or is
not as it should be, the watcher does not look, or a stale day is held; 2: the arguments are wrong, or refused.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from oncall import __version__
from oncall.cli import check_connections
from oncall.cli.command import (
    Command,
    UsageError,
    only_answers_on_stdout,
    show_json,
    show_problems,
    tell,
    warn,
)
from oncall.cli.held_reports import HELD_COMMANDS
from oncall.cli.leave_swap_override import ROSTER_COMMANDS
from oncall.cli.open_incidents import INCIDENT_COMMANDS
from oncall.cli.rota_questions import ROTA_COMMANDS
from oncall.cli.stale_days import STALE_COMMAND
from oncall.cli.sync_schedules import SYNC_COMMAND
from oncall.config import oncall_config
from oncall.core.errors import ConfigError, OncallError

INTERRUPTED = 130  # as a shell tells it
# Airflow's: it warns of each short field of a connection, which nobody who reads an answer can do anything about.
_MASKER = logging.getLogger("airflow.sdk._shared.secrets_masker.secrets_masker")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = _parser()
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        getattr(args, "parser", parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if args.command is None:
        parser.print_help(sys.stderr)
        return 2
    _MASKER.addFilter(_is_an_error)
    with only_answers_on_stdout():
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    try:
        code: int = args.run(args)
    except UsageError as error:
        warn(f"oncall {args.command}: {error}")
        return 2
    except ConfigError as error:
        show_problems(error.problems)
        return 1
    except OncallError as error:
        warn(f"oncall {args.command}: {error}")
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "airflow":
            raise
        warn(
            f"oncall {args.command}: this needs Airflow, which knows the connections; it is not installed here"
        )
        return 1
    except KeyboardInterrupt:
        warn("")
        return INTERRUPTED
    return code


def _is_an_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="oncall",
        description="Tells who is on call, what is broken and why; changes the roster; runs stale days again.",
        epilog="More on each: oncall COMMAND --help. How the roster is read: docs/RULES.md.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.summary, description=command.summary)
        sub.add_argument(
            "--include", type=Path, metavar="DIR", help="the include folder (default: %(default)s)"
        )
        sub.add_argument(
            "--team", default="", metavar="NAME", help="a team with a roster of its own (include/teams/NAME)"
        )
        sub.add_argument("--json", action="store_true", help="answer in JSON")
        sub.set_defaults(run=command.run, parser=sub, include=oncall_config.include_dir())
        command.arguments(sub)
    return parser


def _check(args: argparse.Namespace) -> int:
    if args.connections:
        return check_connections.check(args)
    problems = oncall_config.check(args.include)
    if args.json:
        show_json([asdict(problem) for problem in problems])
    else:
        tell("\n".join(map(str, problems)) or f"{args.include}: all good")
    return 1 if problems else 0


COMMANDS = (
    *ROTA_COMMANDS,
    *INCIDENT_COMMANDS,
    Command(
        "check",
        "Every problem of roster, runbooks, contracts and SQL files; with --connections of the SQL and all else.",
        check_connections.arguments,
        _check,
    ),
    *ROSTER_COMMANDS,
    SYNC_COMMAND,
    STALE_COMMAND,
    *HELD_COMMANDS,
)
