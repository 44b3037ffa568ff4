"""What a person may do to an incident by hand, and what each channel hears of it. Pure; the instant is in the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from oncall.core.incidents.context import IncidentContext, ends_with, event, page_and_post
from oncall.core.incidents.escalation import Call
from oncall.core.incidents.incident import RESOLVED_BY_HAND, Event, Incident, Plan
from oncall.core.incidents.page_step import BY_HAND
from oncall.core.incidents.titles import short, titled
from oncall.core.incidents.wording import Scene
from oncall.core.rota.shift_words import seated


def resolve(
    context: IncidentContext, followers: Sequence[Incident], scene: Scene, by: str, note: str
) -> Plan:
    """Somebody says that it is over: alerts are closed, nobody is paged for it any more, the thread hears why.

    It stays over until the report is published; only a promise that breaks after this pages all the same.
    `followers`: the incidents that this one speaks for.
    """
    title = titled(context.members, str, f"Resolved by {by}: ")
    rest = "Nobody is paged for this any more."
    if any(one.due and one.due > scene.at for one in context.members):
        rest = "It is not due yet: should it be missing then, that pages all the same."
    # They were opened for runs after that.
    published = all(one.published for one in (context.incident, *followers))
    state = "The published report stands." if published else "It is not published."
    lines = [f"Note: {note}", f"{state} {rest}"]
    message = context.notice(scene, "resolved-by-hand", title, lines)
    done = tuple(
        replace(one, resolved_at=scene.at, verdict=RESOLVED_BY_HAND) for one in (context.incident, *followers)
    )
    said = tuple(Event(one.key, scene.at, f"resolved by {by}: {note}") for one in done)
    return Plan(done, ends_with(message, context.aliases), said)


def page(context: IncidentContext, scene: Scene, by: str, call: Call, number: int) -> Plan:
    """Somebody wants help now: page one more person, whatever the escalation says."""
    why = context.members[0].why
    reason = f", {short(why)}" if why else ""
    title = titled(context.members, lambda about: f"{by} asks for you now: {about}{reason}")
    lines = [f"{by} pages the {call.seat} by hand."]
    step = f"{BY_HAND}-{number}-{call.seat}"
    message = context.alert(scene, step, title, lines, priority="P1", to=(call.person,))
    said = event(context, scene, f"paged {seated(call.person.name, call.seat)} by hand, by {by}")
    return Plan((context.incident,), page_and_post(message), said)
