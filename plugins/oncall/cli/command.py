"""What the subcommands of `python -m oncall` share: their shape, the roster they ask, how they read and print."""

from __future__ import annotations

import argparse
import datetime as dt
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TextIO

from oncall.config import oncall_config
from oncall.config.time_fields import NO_MOMENT, moment
from oncall.core.errors import OncallError, Problem
from oncall.core.plain_text import UNSPEAKABLE, shortened
from oncall.core.rota.roster import Roster
from oncall.core.wall_time import in_zone

_answers: ContextVar[TextIO | None] = ContextVar("answers", default=None)


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


def now(roster: Roster) -> dt.datetime:
    """This second, in the roster's zone."""
    return in_zone(dt.datetime.now(dt.UTC).replace(microsecond=0), roster.tz)


def years_later(at: dt.datetime, years: int) -> dt.datetime:
    """The same day and wall clock of a later year, of the last one at most; of 29 February the day before."""
    leap_day = (at.month, at.day) == (2, 29)
    return at.replace(year=min(at.year + years, dt.MAXYEAR), day=28 if leap_day else at.day)


def moment_of(option: str, text: str, roster: Roster, *, included: bool = False) -> dt.datetime:
    """The instant given to an option: a date is its handoff hour (or, `included`, the end of its on-call day), a time
    without zone the roster's.

    Raises UsageError, also outside 1970 to 9990.
    """
    try:
        return moment(text, roster.handoff, roster.tz, included=included)
    except ValueError:
        raise UsageError(f"{option} {shortened(text)!r} is {NO_MOMENT}") from None


@contextmanager
def only_answers_on_stdout() -> Iterator[None]:
    """Within it standard output carries what `tell` prints, and nothing else.

    Airflow and its providers print what they like while a connection is looked up: that goes to standard error.
    """
    token = _answers.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _answers.reset(token)


def tell(text: object = "") -> None:
    """Print a line of the answer at once."""
    print(_speakable(text), file=_answers.get() or sys.stdout, flush=True)


def warn(text: object) -> None:
    """Print a line beside the answer, to standard error."""
    print(_speakable(text), file=sys.stderr)


def _speakable(text: object) -> str:
    """Without what a terminal would obey: a name or an error may be anybody's."""
    return UNSPEAKABLE.sub("\ufffd", str(text))


def is_at_terminal() -> bool:
    """Whether somebody reads what is asked, and can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirmed(args: argparse.Namespace, question: str) -> bool:
    """Whether to write: asked only where somebody sits at a terminal, and not with --yes or --json."""
    if args.yes or args.json or not is_at_terminal():
        return True
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def confirm(args: argparse.Namespace, question: str, otherwise: str) -> None:
    """Go on if it is `confirmed`. Raises UsageError, which says `otherwise`: "nothing is released"."""
    if not confirmed(args, question):
        raise UsageError(f"{otherwise}; add --yes when that is meant")


def by_argument(parser: argparse.ArgumentParser) -> None:
    """The option that names whoever does it."""
    parser.add_argument(
        "--by", default="", metavar="NAME", help="the name it is noted under (default: yours)"
    )


def user_name() -> str:
    """The name of whoever types; of a container's user who stands in no list, the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def yes_argument(parser: argparse.ArgumentParser) -> None:
    """The option with which `confirmed` does not ask."""
    parser.add_argument("--yes", action="store_true", help="write without asking (a terminal is asked first)")


def report_date(text: str) -> dt.date:
    """A report date of the arguments, in one of its ISO forms, of which there can be a report."""
    from oncall.airflow.report_date import AHEAD, EARLIEST  # for three commands alone

    latest = dt.datetime.now(dt.UTC).date() + AHEAD
    with suppress(ValueError):
        if EARLIEST <= (day := dt.date.fromisoformat(text)) <= latest:
            return day
    raise argparse.ArgumentTypeError(
        f"found {shortened(text)!r}; write a report date such as 2026-11-20, from {EARLIEST} to {latest}"
    )


def show_json(answer: object) -> None:
    """Print an answer for programs."""
    tell(json.dumps(answer, indent=2, ensure_ascii=False))


def show_problems(problems: Sequence[Problem]) -> None:
    """Print problems to standard error."""
    for problem in problems:
        warn(problem)


def show_table(rows: list[list[Any]], columns: Sequence[str] = ()) -> None:
    """Print an answer for people. Columns are as wide as their widest cell; an empty cell is a dash."""
    cells = [["–" if cell is None else str(cell) for cell in row] for row in rows]
    lines = [list(columns), *cells] if columns else cells
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    for line in lines:
        tell("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
