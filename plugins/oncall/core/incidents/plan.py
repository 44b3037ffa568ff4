"""What an incident needs next: from warning to page to escalation to resolution. Pure; the instant is in the scene."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

from oncall.core.incidents.acknowledgement import remind
from oncall.core.incidents.arrivals import arrived
from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.escalation import escalate, handoff, nobody_woken, standing, watched_again
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.resolve import changed, landed, moved, resolve
from oncall.core.incidents.warnings import failure, join, last_chance, mended, warn
from oncall.core.incidents.wording import Scene
from oncall.core.promises.cause import is_about_to_show

# In this order: each sees the incident as those before it left it.
RULES: tuple[Callable[[IncidentContext, Scene], Plan | None], ...] = (
    moved,
    landed,
    watched_again,
    join,
    warn,
    arrived,
    last_chance,
    failure,
    mended,
    handoff,
    nobody_woken,
    escalate,
    remind,
    changed,
    resolve,
)

# Steps that tell of a cause before the promise is broken.
EARLY = ("warning", "last-chance", "failed-")


def plan(context: IncidentContext, scene: Scene) -> Plan:
    """Everything this case needs at this instant that was not owed before."""
    decided, seen = Plan((context.incident,)), context
    if (
        not context.spoken
        and context.missing
        and all(is_about_to_show(m.facts, scene.at) for m in context.missing)
    ):
        return decided
    for rule in RULES:
        if not seen.incident.open:
            break
        step = rule(seen, scene)
        if step is not None:
            decided = Plan(
                step.incidents or decided.incidents,
                decided.owed + tuple(o for o in step.owed if context.is_news(o)),
                decided.events + step.events,
            )
            told_now = any(owed.step.startswith(EARLY) for owed in decided.owed)
            seen = replace(seen, incident=decided.incidents[0], told_now=told_now)
    return decided


def next_instant(context: IncidentContext, scene: Scene) -> dt.datetime | None:
    """When this case needs another look at the latest: its next warning, due or escalation instant."""
    incident, lead = context.incident, context.members[0]
    instants = [lead.warn, lead.due, lead.last_chance]
    if incident.paged:
        instants.append(standing(context, scene).next_at)
    return min((each for each in instants if each and each > scene.at), default=None)
