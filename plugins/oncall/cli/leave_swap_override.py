"""The subcommands that change `roster.yaml`: what leave, swap and override ask for. `roster_change` carries it out."""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import replace
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
    yes_argument,
)
from oncall.cli.roster_change import RosterChangeRequest, carry_out, day
from oncall.config.near_names import suggestion
from oncall.config.time_fields import Stretch
from oncall.core.rota import change_words
from oncall.core.rota.change import swap
from oncall.core.rota.roster import Leave, Override, Roster
from oncall.core.rota.rotation import week_beginning

_UNTIL = "the last day, included, or the time at which it ends"


def _shared_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", default="", type=_one_line, help="a few words for the roster")
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and write nothing")
    yes_argument(parser)
    parser.add_argument("--past", action="store_true", help="also change what began before the present shift")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _leave_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("person", nargs="?", metavar="PERSON", help="who is away")
    parser.add_argument(
        "start", nargs="?", metavar="FROM", help="the first day, or a time such as 2026-12-21T18:00"
    )
    parser.add_argument("until", nargs="?", metavar="UNTIL", help=_UNTIL)
    parser.add_argument("--remove", action="store_true", help="take the leave that these name out again")
    _shared_arguments(parser)


def _leave(args: argparse.Namespace) -> int:
    roster = roster_of(args)
    person = _person(args.person, roster) if args.person else None
    if args.remove:
        return _remove_leave(args, roster, person)
    if person is None or args.start is None:
        return _list_leave(args, roster, person)
    if args.until is None:
        raise UsageError(f"UNTIL is missing; write the last day of the leave, included, such as {args.start}")
    start, end = _stretch(args.start, args.until, roster, ("FROM", "UNTIL"))
    covered = [
        entry
        for entry in roster.leave
        if entry.person == person and entry.start <= start and end <= entry.end
    ]
    entry = Leave(person, start, end, args.reason)
    what = change_words.away(person, day(start), day(end))
    return carry_out(args, roster, RosterChangeRequest(what, start, end, leave=() if covered else (entry,)))


def _list_leave(args: argparse.Namespace, roster: Roster, person: str | None) -> int:
    """Show present and future leave; with --past also past leave."""
    at = now(roster)
    found = [
        entry
        for entry in sorted(roster.leave, key=lambda entry: entry.start)
        if (args.past or entry.end > at) and person in (None, entry.person)
    ]
    if args.json:
        show_json(
            [
                {
                    "person": entry.person,
                    "start": entry.start.isoformat(),
                    "end": entry.end.isoformat(),
                    "reason": entry.reason,
                }
                for entry in found
            ]
        )
    elif found:
        rows: list[list[Any]] = [
            [entry.person, day(entry.start), day(entry.end), entry.reason or None] for entry in found
        ]
        show_table(rows, ("person", "from", "until", "reason"))
    else:
        tell(
            f"No leave {'is on record' if args.past else 'now or ahead'}{f' of {person}' if person else ''}."
        )
    return 0


def _remove_leave(args: argparse.Namespace, roster: Roster, person: str | None) -> int:
    if person is None:
        raise UsageError("whose leave? write --remove PERSON, or --remove PERSON FROM UNTIL")
    start = moment_of("FROM", args.start, roster) if args.start else None
    end = moment_of("UNTIL", args.until, roster, included=True) if args.until else None
    known = [entry for entry in roster.leave if entry.person == person]
    if not args.past and start is None:
        known = [entry for entry in known if entry.end > now(roster)]
    found = [entry for entry in known if start in (None, entry.start) and end in (None, entry.end)]
    if len(found) != 1:
        listed = "".join(f"\n  from {day(entry.start)} until {day(entry.end)}" for entry in known)
        wrong = (
            "has no leave" if not known else "has no such leave" if not found else "has more than one leave"
        )
        raise UsageError(f"{person} {wrong}{'; name one of:' + listed if known else ''}")
    [entry] = found
    what = change_words.not_away(person, day(entry.start), day(entry.end))
    return carry_out(args, roster, RosterChangeRequest(what, entry.start, entry.end, removed=entry))


def _swap_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("one", metavar="PERSON", help="who gives their seat away")
    parser.add_argument("other", metavar="WITH", help="who takes it, and gives theirs if they hold one")
    parser.add_argument("start", metavar="FROM", help="the first day, or a time")
    parser.add_argument("--until", help=f"{_UNTIL} (default: the end of that shift)")
    _shared_arguments(parser)


def _swap(args: argparse.Namespace) -> int:
    roster = roster_of(args)
    person, other = _person(args.one, roster), _person(args.other, roster)
    if person == other:
        raise UsageError(f"{person} cannot swap with themselves")
    start = moment_of("FROM", args.start, roster)
    until = args.until or (week_beginning(roster, start) + dt.timedelta(days=6)).isoformat()
    start, end = _stretch(args.start, until, roster, ("FROM", "--until"))
    reason = args.reason or f"swap {' and '.join(sorted((person, other)))}"
    # Asked again, a swap must not swap back: what it wrote before is left aside.
    earlier = [
        each for each in roster.overrides if each.reason == reason and start <= each.start and each.end <= end
    ]
    aside = replace(roster, overrides=tuple(each for each in roster.overrides if each not in earlier))
    found = swap(aside, person, other, start, end, reason)
    if not found:
        raise UsageError(f"neither {person} nor {other} is on call from {day(start)} until {day(end)}")
    missing = tuple(each for each in found if each not in roster.overrides)
    takers = {seat for each in found for seat in (each.primary, each.secondary) if seat}
    words = change_words.seats_swapped if len(takers) > 1 else change_words.seat_taken
    # one who holds none takes, whoever was named first
    person, other = (person, other) if person in takers else (other, person)
    what = words(person, other, day(start), day(end))
    return carry_out(args, roster, RosterChangeRequest(what, start, end, overrides=missing))


def _override_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="start", required=True, help="the first day, or a time")
    parser.add_argument("--until", required=True, help=_UNTIL)
    parser.add_argument("--primary", metavar="PERSON", help="who is primary (default: as it is)")
    parser.add_argument("--secondary", metavar="PERSON", help="who is secondary (default: as it is)")
    _shared_arguments(parser)


def _override(args: argparse.Namespace) -> int:
    roster = roster_of(args)
    primary, secondary = (_person(name, roster) if name else None for name in (args.primary, args.secondary))
    if not primary and not secondary:
        raise UsageError("name a --primary, a --secondary, or both")
    if primary == secondary:
        raise UsageError(f"{primary} cannot hold both seats")
    start, end = _stretch(args.start, args.until, roster, ("--from", "--until"))
    entry = Override(start, end, primary, secondary, args.reason)
    there = any(replace(each, reason=args.reason) == entry for each in roster.overrides)
    seats = [
        f"{person} is {seat}" for seat, person in (("primary", primary), ("secondary", secondary)) if person
    ]
    what = f"{' and '.join(seats)} from {day(start)} until {day(end)}"
    return carry_out(args, roster, RosterChangeRequest(what, start, end, overrides=() if there else (entry,)))


def _person(name: str, roster: Roster) -> str:
    if name not in roster.people:
        raise UsageError(f"{name} is unknown; write {suggestion(name, list(roster.people), 'one of')}")
    return name


def _stretch(first: str, last: str, roster: Roster, options: tuple[str, str]) -> Stretch:
    """[start, end) of two arguments: dates are on-call days, both included (rule 2)."""
    start, end = moment_of(options[0], first, roster), moment_of(options[1], last, roster, included=True)
    if end <= start:
        raise UsageError(f"{options[1]} {last} is before {options[0]} {first}")
    return start, end


ROSTER_COMMANDS = (
    Command(
        "leave",
        "Enter leave in the roster and show who covers; without days, list it.",
        _leave_arguments,
        _leave,
    ),
    Command(
        "swap", "Let two people hold each other's seats for a week or some days.", _swap_arguments, _swap
    ),
    Command(
        "override",
        "Name who holds a seat for some time, whatever the rota says.",
        _override_arguments,
        _override,
    ),
)
