"""The subcommand sync: Opsgenie's schedules are made as the rota says. Airflow is asked only for the connection."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from oncall.cli.command import (
    Command,
    confirm,
    now,
    roster_of,
    show_json,
    show_table,
    tell,
    warn,
    yes_argument,
)
from oncall.core.rota.opsgenie_schedules import WEEKS, Changes, ScheduleOverride
from oncall.core.rota.roster import Roster
from oncall.core.wall_time import in_zone
from oncall.usecases.sync_schedules import drift, plan, sync


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    parser.add_argument(
        "--weeks",
        type=_weeks,
        default=WEEKS,
        help="how many weeks after the present one (default: %(default)s)",
    )
    yes_argument(parser)


def _weeks(text: str) -> int:
    weeks = int(text)
    if not 0 <= weeks <= 52:
        raise argparse.ArgumentTypeError("write 0 to 52")
    return weeks


def _sync(args: argparse.Namespace) -> int:
    # Only here: the other commands need neither HTTP nor connections.
    from oncall.adapters.opsgenie.schedules import OpsgenieSchedules

    roster = roster_of(args)
    at = now(roster)
    schedules = OpsgenieSchedules.from_connection()
    if not args.dry_run:
        confirm(args, "Change Opsgenie's schedules (--dry-run shows how)?", "nothing is changed")
    done = (plan if args.dry_run else sync)(roster, schedules, at, args.weeks)
    differs = () if args.dry_run else drift(roster, schedules, at, args.weeks)
    _answer(args, roster, done, differs)
    return 1 if differs else 0


def _answer(
    args: argparse.Namespace, roster: Roster, done: Sequence[Changes], differs: Sequence[str]
) -> None:
    if args.json:
        show_json(
            {
                "dry_run": args.dry_run,
                "schedules": [_as_json(roster, each) for each in done],
                "drift": list(differs),
            }
        )
        return
    for changes in done:
        tell(f"{changes.schedule}: {_summary(changes, args.dry_run)}")
        if changes.put:
            rows = [list(_override_json(roster, override).values()) for override in changes.put]
            show_table(rows, ("alias", "from", "until", "user"))
        for alias in changes.delete:
            tell(f"{alias}  (deleted)")
    for line in differs:
        warn(line)


def _summary(changes: Changes, dry_run: bool) -> str:
    if not changes:
        return "as the rota says"
    would = "would be " if dry_run else ""
    parts = [f"{would}created"] if changes.create else []
    parts += [f"{len(changes.put)} overrides {would}written"] if changes.put else []
    parts += [f"{len(changes.delete)} {would}deleted"] if changes.delete else []
    return ", ".join(parts)


def _as_json(roster: Roster, changes: Changes) -> dict[str, Any]:
    return {
        "schedule": changes.schedule,
        "create": changes.create,
        "put": [_override_json(roster, override) for override in changes.put],
        "delete": list(changes.delete),
    }


def _override_json(roster: Roster, override: ScheduleOverride) -> dict[str, str]:
    start, end = (in_zone(at, roster.tz).isoformat() for at in (override.start, override.end))
    return {"alias": override.alias, "start": start, "end": end, "user": override.username}


SYNC_COMMAND = Command("sync", "Make Opsgenie's schedules as the rota says.", _arguments, _sync)
