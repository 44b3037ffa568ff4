"""Carries out a wish for the roster: shows what it does to the rota, then writes it unless something speaks against it.

Nothing is written in a dry run, when the roster would be wrong, or when it is so already.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from oncall.cli.command import UsageError, confirmed, is_at_terminal, now, show_json, tell, warn, years_later
from oncall.cli.roster_edit import read_text, replace_text, with_entries, without_leave
from oncall.cli.rota_change_words import as_json, show
from oncall.config import roster_file
from oncall.config.roster_file import read_roster
from oncall.core.errors import Problem
from oncall.core.rota.change import RotaChange, compare, worries
from oncall.core.rota.change_words import already_so
from oncall.core.rota.roster import Leave, Override, Roster
from oncall.core.rota.rotation import week_beginning

YEARS_AHEAD = 20  # farther off, what it changes in the ledger takes minutes to work out
_BY_HAND = "the roster is written in a way that this command cannot edit; edit it by hand"


@dataclass(frozen=True)
class RosterChangeRequest:
    """The entries that somebody wants in the roster (or out of it), all within [start, end), and what they mean."""

    what: str
    start: dt.datetime
    end: dt.datetime
    leave: tuple[Leave, ...] = ()
    overrides: tuple[Override, ...] = ()
    removed: Leave | None = None


def carry_out(args: argparse.Namespace, roster: Roster, wish: RosterChangeRequest) -> int:
    """Show what the wish does, and write it unless something speaks against it; at a terminal, ask first."""
    if not wish.leave and not wish.overrides and not wish.removed:
        _answer(args, roster, wish, None, (), "already")
        return 0
    _refuse_the_past(args, roster, wish)
    if wish.end > years_later(now(roster), YEARS_AHEAD):
        raise UsageError(
            f"that ends more than {YEARS_AHEAD} years ahead, on {day(wish.end)}; an end sooner than that"
        )
    path = args.include / roster_file.file_of(args.team)
    before = read_text(path)
    after = with_entries(before, roster, wish.leave, wish.overrides)
    if wish.removed:
        after = without_leave(before, roster.leave.index(wish.removed))
    changed = _read_again(before, after, roster, wish)
    change = compare(roster, changed, wish.start, wish.end)
    asks = worries(change, changed, wish.leave)
    if not args.json:
        _show(wish, change, asks)
    written = not args.dry_run and _agreed(args, path, asks)
    if written:
        try:
            replace_text(path, before, after)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error}") from error
    _answer(args, roster, wish, change, asks, "written" if written else "not written")
    if not written and not args.dry_run:
        raise UsageError("nothing is written; add --yes when that is meant")
    return 0


def _agreed(args: argparse.Namespace, path: Path, asks: Sequence[str]) -> bool:
    """Whether to write, as `confirmed` says; away from a terminal a worry needs --yes."""
    at_terminal = not args.json and is_at_terminal()
    if asks and not at_terminal:
        return bool(args.yes)
    return confirmed(args, f"Write this to {path}?")


def _refuse_the_past(args: argparse.Namespace, roster: Roster, wish: RosterChangeRequest) -> None:
    shift = roster.day_starts(week_beginning(roster, now(roster)))
    if wish.start < shift and not args.past:
        raise UsageError(
            f"that begins before the present shift ({day(shift)}), and the past stays as it was; "
            "add --past to correct what the roster says of it"
        )


def _read_again(before: str, after: str, roster: Roster, wish: RosterChangeRequest) -> Roster:
    """The roster of the new text, when it is the old one with just the wish in it. Raises UsageError."""
    old, new = (read_roster(text.removeprefix("\ufeff"), roster.team) for text in (before, after))
    known = {(problem.key, problem.found) for problem in old.problems}
    if new.roster is None:
        raise UsageError(_BY_HAND)
    found = [problem for problem in new.problems if (problem.key, problem.found) not in known]
    if found:
        raise UsageError("the roster would be wrong:\n" + "\n".join(map(_said, found)))
    leave = tuple(entry for entry in roster.leave if entry is not wish.removed)
    expected = replace(roster, leave=(*leave, *wish.leave), overrides=(*roster.overrides, *wish.overrides))
    if new.roster != expected:
        raise UsageError(_BY_HAND)
    return expected


def _said(problem: Problem) -> str:
    return f"  {problem.key}: {problem.found}; write {problem.write}"


def _answer(
    args: argparse.Namespace,
    roster: Roster,
    wish: RosterChangeRequest,
    change: RotaChange | None,
    asks: Sequence[str],
    outcome: str,
) -> None:
    if args.json:
        show_json({"change": wish.what, "outcome": outcome, "asks": list(asks), **as_json(change, roster)})
    elif outcome == "already":
        tell(already_so(wish.what))
    elif outcome == "written":
        tell(f"Written to {args.include / roster_file.file_of(args.team)}.")
    elif args.dry_run:
        tell("Nothing is written: a dry run.")


def _show(wish: RosterChangeRequest, change: RotaChange, asks: Sequence[str]) -> None:
    tell(f"{wish.what}.\n")
    show(change)
    for ask in asks:
        warn(f"Please confirm: {ask}.")


def day(at: dt.datetime) -> str:
    """An instant as a person says it: Mon 2026-12-21 09:00."""
    return f"{at:%a %Y-%m-%d %H:%M}"
