"""What an incident needs next: from warning to page to escalation to resolution. Pure; the instant is in the scene."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

from oncall.core.before_due import arrived, failure, last_chance, warn
from oncall.core.case import Case
from oncall.core.ending import changed, landed, moved, resolve
from oncall.core.escalation import escalate, handoff, remind, standing
from oncall.core.incident import Plan
from oncall.core.wording import Scene

# In this order: each sees the incident as those before it left it.
RULES: tuple[Callable[[Case, Scene], Plan | None], ...] = (
    moved,
    landed,
    warn,
    arrived,
    last_chance,
    failure,
    handoff,
    escalate,
    remind,
    changed,
    resolve,
)


def plan(case: Case, scene: Scene) -> Plan:
    """Everything this case needs at this instant that was not owed before."""
    decided = Plan((case.incident,))
    for rule in RULES:
        if not decided.incidents[0].open:
            break
        step = rule(replace(case, incident=decided.incidents[0]), scene)
        if step is not None:
            decided = Plan(
                step.incidents or decided.incidents,
                decided.owed + tuple(o for o in step.owed if (o.channel, o.step) not in case.said),
                decided.events + step.events,
                decided.cancelled + step.cancelled,
            )
    return decided


def next_instant(case: Case, scene: Scene) -> dt.datetime | None:
    """When this case needs another look at the latest: its next warning, due or escalation instant."""
    incident, lead = case.incident, case.members[0]
    instants = [lead.warn, lead.due, lead.last_chance]
    if incident.paged and not incident.acknowledged:
        instants.append(standing(case, scene).next_at)
    return min((each for each in instants if each and each > scene.at), default=None)
