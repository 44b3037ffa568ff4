"""Why a pair is on call, in words: the one description for pages, messages and the command line. Knows one shift."""

from __future__ import annotations

from oncall.core.rota.rota_week import Shift


def reason_in_words(shift: Shift, covering_for: str = "") -> str:
    """A part of a sentence: "standing in for DE-001, on leave"; of a time before the rota what its reason says.

    `covering_for`: the name to show of whom the pair stands in for ("": the id).
    """
    away = covering_for or shift.covering_for
    return {
        "rotation": "by rotation",
        "cover": f"standing in for {away}, on leave",
        "comp": f"{away} has a comp week",
        "override": "by an override",
    }.get(shift.reason, shift.reason)
