"""The subcommands who, rota and ledger: what the roster answers. Knows no database and no far side."""

from __future__ import annotations

import argparse
import datetime as dt
from typing import Any

from oncall.cli.command import (
    Command,
    UsageError,
    moment_of,
    now,
    roster_of,
    show_json,
    show_table,
    tell,
    years_later,
)
from oncall.core.rota.credit_ledger import ledger
from oncall.core.rota.on_call import next_handoff, rota, who_is_on_call
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_json import ledger_json, shift_json
from oncall.core.rota.rotation import week_beginning
from oncall.core.rota.shift_words import reason_in_words, who_is_paged
from oncall.core.time_format import TimeFormat

WEEKS_SHOWN = 8
# A ledger is counted week by week from the rota's first day: of 8,000 years that takes half a minute.
MOST_YEARS = 100


def _who_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--at", metavar="ISO", help="the instant, in the roster's zone unless it says (default: now)"
    )


def _who(args: argparse.Namespace) -> int:
    roster = roster_of(args)
    at = moment_of("--at", args.at, roster) if args.at is not None else now(roster)
    shift = who_is_on_call(roster, at)
    if args.json:
        seats = {"primary": shift.primary, "secondary": shift.secondary, "manager": roster.manager}
        show_json({"at": at.isoformat(), "week": shift.week, **seats, "reason": shift.reason})
        return 0
    say, following = TimeFormat(now(roster), roster.tz), who_is_on_call(roster, shift.end)
    if args.at is not None:
        tell(f"At {say.moment(at)} ({say.zone}):")
    for line in who_is_paged(roster, shift, following, next_handoff(roster, at), say):
        tell(line)
    return 0


def _rota_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="start", metavar="DATE", help="from its handoff hour on (default: the present week)"
    )
    parser.add_argument(
        "--until",
        metavar="DATE",
        help=f"until its handoff hour, excluded (default: {WEEKS_SHOWN} weeks after --from)",
    )


def _rota(args: argparse.Namespace) -> int:
    roster = roster_of(args)
    start = _or(roster, "--from", args.start, week_beginning(roster, now(roster)))
    until = _or(roster, "--until", args.until, start.date() + dt.timedelta(weeks=WEEKS_SHOWN))
    if until <= start:
        raise UsageError(f"--until {args.until} is not after --from {args.start or start.date()}")
    _bounded(args.until, until, years_later(start, MOST_YEARS))
    shifts = rota(roster, start, until)
    if args.json:
        show_json([shift_json(shift) for shift in shifts])
        return 0
    say = TimeFormat(now(roster), roster.tz)
    rows: list[list[Any]] = [
        [say.moment(shift.start), say.moment(shift.end), shift.week, shift.primary, shift.secondary,
         reason_in_words(shift)]
        for shift in shifts
    ]  # fmt: skip
    show_table(rows, ("from", "until", "rota week", "primary", "secondary", "why"))
    return 0


def _or(roster: Roster, option: str, text: str | None, day: dt.date) -> dt.datetime:
    """The instant of an option, or the handoff hour of the day when it is not given."""
    return roster.day_starts(day) if text is None else moment_of(option, text, roster)


def _bounded(text: str | None, until: dt.datetime, last: dt.datetime) -> None:
    if until > last:
        raise UsageError(
            f"--until {text} is more than {MOST_YEARS} years ahead; write {last.date()} or sooner"
        )


def _ledger_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until", metavar="DATE", help="what was earned on the on-call days before (default: today's)"
    )


def _ledger(args: argparse.Namespace) -> int:
    roster = roster_of(args)
    until = moment_of("--until", args.until, roster) if args.until is not None else now(roster)
    _bounded(args.until, until, years_later(now(roster), MOST_YEARS))
    answer = ledger_json(roster, ledger(roster, until))
    if args.json:
        show_json(answer)
        return 0
    for title, entries in answer.items():
        tell(title.replace("_", " ").capitalize())
        show_table([list(entry.values()) for entry in entries], tuple(entries[0]) if entries else ("none",))
        tell()
    return 0


ROTA_COMMANDS = (
    Command("who", "Tells who is on call at an instant.", _who_arguments, _who),
    Command("rota", "The shifts between two dates; of the next weeks unasked.", _rota_arguments, _rota),
    Command("ledger", "Credit days, comp weeks and leave in lieu.", _ledger_arguments, _ledger),
)
