"""The names of the steps of an escalation, as they stand in each alias: `page-<number>-<seat>[-<round>][:<person>]`."""

from __future__ import annotations

import re

from oncall.core.incidents.incident import NotificationStatus
from oncall.core.rota.roster import EscalationStep

BY_HAND = "page-by-hand"
STEP = re.compile(r"page-(?P<number>\d+)-(?P<seat>[a-z]+)(?:-(?P<round>\d+))?(?::(?P<person>.+))?")


def step_of(number: int, step: EscalationStep, this_round: int) -> str:
    return f"page-{number}-{step.page}" + (f"-{this_round}" if this_round else "")


def round_of(entry: NotificationStatus) -> int | None:
    """Of which round this is a page; None for what is none."""
    found = round_and_seat(entry.step) if entry.op == "page" else None
    return found[0] if found else None


def round_and_seat(step: str) -> tuple[int, str] | None:
    """Of a page's step: the round and the seat it is for; None for other steps."""
    found = STEP.fullmatch(step)
    return (int(found["round"] or 0), found["seat"]) if found else None


def is_by_hand(entry: NotificationStatus) -> bool:
    """A page that a person asked for: its step begins as those of the escalation do, and whoever it woke is woken."""
    return entry.op == "page" and entry.step.startswith(f"{BY_HAND}-")
