"""What the escalation does next if nobody acknowledges: the reckoning that pages, asked about later instants. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

from oncall.core.incidents.context import IncidentContext, seat_holder
from oncall.core.incidents.escalation import Call, handoff, standing
from oncall.core.incidents.incident import NotificationStatus
from oncall.core.incidents.wording import Scene


@dataclass(frozen=True)
class ComingPage:
    """Whom a step will wake, and when."""

    at: dt.datetime
    call: Call


def coming_pages(context: IncidentContext, scene: Scene) -> Iterator[ComingPage]:
    """The pages still to come, in their order; none once somebody has acknowledged, or before the first one.

    Each is reckoned as if those before it were taken at their time. Who holds a seat then is asked of the roster then:
    whoever takes one in between is called at once.
    """
    incident = context.incident
    if not incident.open or incident.paged_at is None:
        return
    # Each step is waited for, then called; and a shift may end in between.
    for _ in range(4 * len(scene.roster.escalation)):
        now = standing(context, scene)
        for call in now.calls:
            yield ComingPage(scene.at, call)
            taken = NotificationStatus(
                call.step, "pager", "page",
                state="done", person=call.person.name, account=call.person.opsgenie or "",
                owed_at=scene.at, done_at=scene.at,
            )  # fmt: skip
            context = replace(context, entries=(*context.entries, taken))
        if not now.calls:
            if now.next_at is None or now.next_at <= scene.at:
                return
            scene = replace(scene, at=min(now.next_at, scene.shift.end))
            if passed := handoff(context, scene):
                context = replace(context, incident=passed.incidents[0])


def next_to_page(context: IncidentContext, scene: Scene) -> Call | None:
    """Whom the next step would wake if it were now: the first of the escalation who was not paged for this yet.

    Before the first page whoever was woken by a warning counts as paged. None: everybody was, or cannot be.
    """
    since = context.incident.paged_at
    pages = (entry for entry in context.entries if entry.op == "page" and entry.alive)
    called = [entry for entry in pages if since is None or not entry.owed_at or entry.owed_at >= since]
    for number, step in enumerate(scene.roster.escalation, 1):
        person = seat_holder(scene, step.page)
        if person and person.opsgenie and not any(entry.calls(person) for entry in called):
            return Call(step.page, person, f"page-{number}-{step.page}")
    return None
