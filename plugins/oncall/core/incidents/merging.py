"""Merges two copies of one incident that went on without each other. Pure; the same in any order.

What a person or the far side did only grows: an acknowledgement, a resolution, a page is never unsaid by a copy that
has not heard of it. What a look saw is taken from the copy that looked last, and what the configuration did: it may be
as it was again.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import fields, replace
from typing import Any

from oncall.core.incidents.incident import BY_CONFIGURATION, Incident
from oncall.core.promises.why import Why

LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)
# What a look saw, and that the configuration had ended it then.
LOOKED = (
    "leader",
    *(each.name for each in fields(Why)),
    "due",
    "failure",
    "verdict",
    "resolved_at",
    "late_s",
)


def merged(left: Incident, right: Incident) -> Incident:
    """Both copies as one: commutative, associative, and one merged with itself is itself."""
    copies = (left, right)
    newest = max(copies, key=_version)
    latest_round = max(left.escalation_round, right.escalation_round)
    latest = [each for each in copies if each.escalation_round == latest_round]
    firsts = [(each.first_cause, each.first_detail) for each in copies if each.first_cause]
    first = min(firsts, default=("", ""))
    acknowledged = max(copies, key=lambda each: (each.acknowledged_at or LONG_AGO, each.acknowledged_by))
    both = replace(
        newest,
        opened_at=min(left.opened_at, right.opened_at),
        first_cause=first[0],
        first_detail=first[1],
        warned=tuple(sorted({*left.warned, *right.warned})),
        failures=max(left.failures, right.failures),
        changes=max(left.changes, right.changes),
        reminders=max(left.reminders, right.reminders),
        escalation_round=latest_round,
        paged_at=min((each.paged_at for each in latest if each.paged_at), default=None),
        acknowledged_at=acknowledged.acknowledged_at,
        acknowledged_by=acknowledged.acknowledged_by,
        acked=tuple(sorted({alias for each in latest for alias in each.acked})),
    )
    over = [each for each in copies if each.resolved_at is not None and each.verdict not in BY_CONFIGURATION]
    if not over:
        return both
    end = min(over, key=lambda each: (each.resolved_at, each.verdict, each.late_s or 0.0))
    return replace(both, resolved_at=end.resolved_at, verdict=end.verdict, late_s=end.late_s)


def _version(incident: Incident) -> tuple[Any, ...]:
    """Orders copies by the look that described them last; of two at one instant always in the same way."""
    return incident.seen_at or LONG_AGO, repr([getattr(incident, name) for name in LOOKED])
