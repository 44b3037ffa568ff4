"""What the subcommands of `python -m oncall` share: their shape, the roster they ask, how they read and print."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pendulum

from oncall.config import oncall_config
from oncall.config.time_fields import NO_MOMENT, moment
from oncall.config.yaml_fields import shortened
from oncall.core.errors import OncallError, Problem
from oncall.core.rota.roster import Roster
from oncall.core.wall_time import in_zone


class UsageError(OncallError):
    """The arguments are wrong; says how."""


@dataclass(frozen=True)
class Command:
    """One subcommand: `arguments` adds its own to the parser, `run` answers and returns the exit code."""

    name: str
    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def roster_of(args: argparse.Namespace) -> Roster:
    """The roster of `--include` and `--team`; what is wrong beside the rota goes to stderr. Raises ConfigError."""
    roster, problems = oncall_config.load_roster(args.include, args.team)
    show_problems(problems)
    return roster


def now(roster: Roster) -> pendulum.DateTime:
    """This second, in the roster's zone."""
    return in_zone(pendulum.now("UTC").replace(microsecond=0), roster.tz)


def moment_of(option: str, text: str, roster: Roster, *, included: bool = False) -> pendulum.DateTime:
    """The instant given to an option: a date is its handoff hour (or, `included`, the end of its on-call day), a time
    without zone the roster's.

    Raises UsageError, also outside 1970 to 9990.
    """
    try:
        return moment(text, roster.handoff, roster.tz, included=included)
    except ValueError:
        raise UsageError(f"{option} {shortened(text)!r} is {NO_MOMENT}") from None


def show_json(answer: object) -> None:
    """Print an answer for programs."""
    print(json.dumps(answer, indent=2, ensure_ascii=False))


def show_problems(problems: Sequence[Problem]) -> None:
    """Print problems to standard error."""
    for problem in problems:
        print(problem, file=sys.stderr)


def show_table(rows: list[list[Any]], columns: Sequence[str] = ()) -> None:
    """Print an answer for people. Columns are as wide as their widest cell; an empty cell is a dash."""
    cells = [["–" if cell is None else str(cell) for cell in row] for row in rows]
    lines = [list(columns), *cells] if columns else cells
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
