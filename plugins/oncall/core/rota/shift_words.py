"""Why a pair is on call, in words: the one description for pages, messages and the command line. Knows one shift."""

from __future__ import annotations

from oncall.core.rota.rota_week import Shift


def reason_in_words(shift: Shift) -> str:
    """A part of a sentence: "standing in for DE-001, on leave"; of a time before the rota what its reason says."""
    return {
        "rotation": "by rotation",
        "cover": f"standing in for {shift.covering_for}, on leave",
        "comp": f"{shift.covering_for} has a comp week",
        "override": "by an override",
    }.get(shift.reason, shift.reason)
