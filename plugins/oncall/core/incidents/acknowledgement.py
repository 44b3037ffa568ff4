"""What follows when somebody acknowledges an incident or gives it back: what is silenced, said and asked again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from oncall.core.incidents.context import (
    IncidentContext,
    event,
    name_of,
    on_call,
    page_and_post,
    person_named,
    post,
)
from oncall.core.incidents.escalation import ANEW_AFTER, begin_anew
from oncall.core.incidents.incident import Notification, Plan
from oncall.core.incidents.incident_words import is_not_taken, stranger_has_it
from oncall.core.incidents.titles import titled
from oncall.core.incidents.warnings import REMIND_AFTER
from oncall.core.incidents.wording import Scene
from oncall.core.message import Message
from oncall.core.time_format import span


def acknowledge(context: IncidentContext, scene: Scene, by: str, *, heard_of: str = "") -> Plan:
    """Somebody has it: escalation stops. `heard_of`: the alias on which the pager said so; its others are told."""
    acked = _acked(context, heard_of)
    incident = replace(
        context.incident, acknowledged_at=scene.at, acknowledged_by=by, reminders=0, acked=acked
    )
    is_stranger = heard_of and by and "@" not in by and not person_named(scene, by)
    doubt = [stranger_has_it(by)] if is_stranger else []
    message = _message(context, scene, by, doubt)
    owed = (post(message), *_acks(context, message, by, acked))
    told = ". ".join([f"acknowledged by {name_of(scene, by)}", *doubt])
    return Plan((incident,), owed, event(context, scene, told))


def acknowledge_rest(context: IncidentContext, scene: Scene, by: str, *, heard_of: str = "") -> Plan:
    """Somebody takes one more alert of an incident that is acknowledged: whatever else of it rings stops too.

    That our own acknowledgement of an alert is seen at the pager is nobody's act. The thread knows who has it.
    """
    incident = replace(context.incident, acked=_acked(context, heard_of))
    if heard_of in context.silenced:
        return Plan((incident,))
    if not incident.paged:  # what was known then had come to nothing, or to another alert since
        incident = replace(incident, acknowledged_at=scene.at, acknowledged_by=by)
    taken = (*incident.acked, *context.silenced)
    owed = tuple(_acks(context, _message(context, scene, by), by, taken))
    said = event(context, scene, f"acknowledged by {name_of(scene, by)} too") if owed else ()
    return Plan((incident,), owed, said)


def _acked(context: IncidentContext, heard_of: str) -> tuple[str, ...]:
    return tuple(sorted({*context.incident.acked, *filter(None, [heard_of])}))


def _message(context: IncidentContext, scene: Scene, by: str, lines: Sequence[str] = ()) -> Message:
    # of each round once, and of what came before it
    of = str(context.incident.escalation_round) if context.incident.paged else "warning"
    title = f"Acknowledged by {name_of(scene, by)}, {scene.clock(scene.at)}"
    return context.notice(scene, f"acknowledged-{of}", title, lines)


def _acks(
    context: IncidentContext, message: Message, by: str, taken: Collection[str]
) -> Iterator[Notification]:
    of = message.step.removeprefix("acknowledged-")
    for alias in context.aliases:
        if alias not in taken:
            yield Notification(message.key, f"ack-{of}:{alias}", "pager", "acknowledge", message, alias, by)


def taken_back(context: IncidentContext, scene: Scene, alias: str) -> Plan:
    """Whoever had it gives it back, as the alert of this alias shows: somebody has to be woken again."""
    by = name_of(scene, context.incident.acknowledged_by)
    title = f"Acknowledgement of {by} taken back: the escalation starts again"
    plan = begin_anew(context, scene, "taken-back", title)
    (anew,) = plan.incidents
    anew = replace(anew, acknowledged_by="", acked=tuple(each for each in anew.acked if each != alias))
    if not context.incident.paged:  # only warned of: nobody is to be woken yet
        anew = replace(anew, paged_at=None, escalation_round=0)
    return replace(plan, incidents=(anew,))


def remind(context: IncidentContext, scene: Scene) -> Plan | None:
    """Somebody acknowledged long ago and the promise is still broken: ask the same person again.

    Where they cannot be asked the escalation begins anew. What is only not taken yet may wait for an outage, but not
    for long.
    """
    incident = context.incident
    if not incident.acknowledged or incident.acknowledged_at is None or not context.broken:
        return None
    name = name_of(scene, incident.acknowledged_by)
    asked = (e for e in context.entries if e.step.startswith(f"reminder-{incident.escalation_round}-"))
    long = [
        e for e in asked if not is_not_taken(e.unreached) or scene.at - (e.owed_at or scene.at) >= ANEW_AFTER
    ]
    trouble = next((e.unreached for e in long if e.unreached), "")
    if trouble:
        title = f"{name} has it and cannot be asked again: the escalation starts again"
        return begin_anew(context, scene, "unreached:reminder", title, [trouble])
    number = int((scene.at - incident.acknowledged_at) / REMIND_AFTER)
    if number <= incident.reminders:
        return None
    theirs = tuple(each for each in person_named(scene, incident.acknowledged_by) if each.opsgenie)
    person = theirs or on_call(scene, "primary")
    ago = span((scene.at - incident.acknowledged_at).total_seconds())
    title = titled(
        context.missing, lambda about: f"STILL LATE, {name} acknowledged {ago} ago: {about} is not published"
    )
    message = context.alert(
        scene, f"reminder-{incident.escalation_round}-{number}", title, [], priority="P1", to=person
    )
    return Plan(
        (replace(incident, reminders=number),), page_and_post(message), event(context, scene, "reminded")
    )
