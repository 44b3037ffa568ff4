"""Shifts and the ledger as JSON: the keys that the command line, the API and Home share. Knows one shape of each."""

from __future__ import annotations

from typing import Any

from oncall.core.rota.credit_ledger import CreditDays, InLieu, Ledger
from oncall.core.rota.roster import Roster
from oncall.core.rota.rota_week import CompWeek, Shift


def shift_json(shift: Shift) -> dict[str, Any]:
    """Who holds the seats from `start` until `end` (ISO 8601, in the roster's zone; the end is not included)."""
    times = {"start": shift.start.isoformat(), "end": shift.end.isoformat(), "week": shift.week}
    return {**times, **seats_json(shift)}


def seats_json(shift: Shift) -> dict[str, Any]:
    """The same without its times and week."""
    return {
        "primary": shift.primary,
        "secondary": shift.secondary,
        "reason": shift.reason,
        "covering_for": shift.covering_for,
    }


def ledger_json(roster: Roster, book: Ledger) -> dict[str, list[dict[str, Any]]]:
    """`credits`, `comp_weeks` and `in_lieu`, each in the order of earning."""
    return {
        "credits": [credit_json(entry) for entry in book.credits],
        "comp_weeks": [comp_week_json(roster, entry) for entry in book.comp_weeks],
        "in_lieu": [in_lieu_json(entry) for entry in book.in_lieu],
    }


def credit_json(entry: CreditDays) -> dict[str, Any]:
    """Credit days of one person in one week."""
    return {
        "person": entry.person,
        "week": entry.week,
        "days": entry.days,
        "covering_for": entry.covering_for,
    }


def comp_week_json(roster: Roster, entry: CompWeek) -> dict[str, Any]:
    """A week of rest; `start` is the handoff that begins it."""
    return {
        "person": entry.person,
        "week": entry.week,
        "start": roster.day_starts(entry.begins).isoformat(),
        "repaid_by": entry.repaid_by,
        "earned_week": entry.earned_week,
    }


def in_lieu_json(entry: InLieu) -> dict[str, Any]:
    """A day off `for` a public holiday; `date` is null as long as people have to agree on it."""
    return {
        "person": entry.person,
        "date": entry.date.isoformat() if entry.date else None,
        "for": entry.holiday.isoformat(),
    }
