"""A change of the rota as tables for people and as JSON for programs. Compares nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from oncall.cli.command import show_table, tell
from oncall.core.rota import change_words
from oncall.core.rota.change import Altered, RotaChange
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_json import comp_week_json, credit_json, in_lieu_json, seats_json
from oncall.core.rota.rota_week import Shift
from oncall.core.rota.shift_words import reason_in_words


def show(change: RotaChange) -> None:
    """Print what moves, who is affected, and what is earned by it."""
    if change.moved:
        rows = [
            [
                *(f"{at:%Y-%m-%d %H:%M}" for at in (moved.start, moved.end)),
                moved.after.week,
                _pair(moved.before),
                _pair(moved.after),
                reason_in_words(moved.after),
            ]
            for moved in change.moved
        ]
        show_table(rows, ("from", "until", "rota week", "before", "after", "why"))
        tell(f"\nAffected: {', '.join(change.people) or 'nobody'}.")
    else:
        tell("The rota stays as it is.")
    for line in (
        *map(change_words.credit, change.credits),
        *map(change_words.comp_week, change.comp_weeks),
        *map(change_words.in_lieu, change.in_lieu),
    ):
        tell(f"- {line}")
    tell()


def as_json(change: RotaChange | None, roster: Roster) -> dict[str, Any]:
    """`{affected, rota, credits, comp_weeks, in_lieu}`; each entry of a list has `before` and `after`."""
    change = change or RotaChange((), (), (), ())
    return {
        "affected": list(change.people),
        "rota": [
            {
                "start": moved.start.isoformat(),
                "end": moved.end.isoformat(),
                "week": moved.after.week,
                "before": seats_json(moved.before),
                "after": seats_json(moved.after),
            }
            for moved in change.moved
        ],
        "credits": _both(change.credits, credit_json),
        "comp_weeks": _both(change.comp_weeks, partial(comp_week_json, roster)),
        "in_lieu": _both(change.in_lieu, in_lieu_json),
    }


def _both(entries: Iterable[Altered[Any]], as_json: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "before": as_json(entry.before) if entry.before else None,
            "after": as_json(entry.after) if entry.after else None,
        }
        for entry in entries
    ]


def _pair(shift: Shift) -> str:
    return f"{shift.primary or '–'} / {shift.secondary or '–'}"
