"""What follows when somebody acknowledges an incident or gives it back: what is silenced, said and asked again."""

from __future__ import annotations

import datetime as dt
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
from oncall.core.incidents.incident import Notification, NotificationStatus, Plan
from oncall.core.incidents.incident_words import is_not_taken, stranger_has_it
from oncall.core.incidents.titles import late_title, titled
from oncall.core.incidents.warnings import REMIND_AFTER, wakes_early
from oncall.core.incidents.wording import Scene, first_due
from oncall.core.message import Message, Recipient
from oncall.core.time_format import between

GIVEN_BACK = "given-back-"


def acknowledge(context: IncidentContext, scene: Scene, by: str, *, heard_of: str = "") -> Plan:
    """Somebody has it: escalation stops. `heard_of`: the alias on which the pager said so; its others are told."""
    acked = _acked(context, heard_of)
    since = _since(context, scene, heard_of)
    incident = replace(context.incident, acknowledged_at=since, acknowledged_by=by, reminders=0, acked=acked)
    is_stranger = heard_of and by and "@" not in by and not person_named(scene, by)
    doubt = [stranger_has_it(by)] if is_stranger else []
    message = _message(context, scene, by, doubt)
    taken = (*acked, *(entry.alias for entry in _to_come(context, heard_of)))
    owed = (post(message), *_acks(context, message, by, taken))
    told = ". ".join([f"acknowledged by {name_of(scene, by)}", *doubt])
    return Plan((incident,), owed, event(context, scene, told))


def acknowledge_rest(context: IncidentContext, scene: Scene, by: str, *, heard_of: str = "") -> Plan:
    """Somebody takes one more alert of an incident that is acknowledged: whatever else of it rings stops too.

    That our own acknowledgement of an alert is seen at the pager is nobody's act. Of a page the thread knows who has
    it; before that the alert may tell of something else than the one before.
    """
    incident = replace(context.incident, acked=_acked(context, heard_of))
    if heard_of in context.silenced:
        return Plan((incident,))
    to_come = (entry.alias for entry in _to_come(context, heard_of))
    taken, message = (*incident.acked, *context.silenced, *to_come), _message(context, scene, by)
    owed = tuple(_acks(context, message, by, taken))
    if not incident.paged:  # what was known then had come to nothing, or to another alert since
        since = _since(context, scene, heard_of)
        incident = replace(incident, acknowledged_at=since, acknowledged_by=by)
        owed = (post(message), *owed) if ("chat", message.step) not in context.said else owed
    said = event(context, scene, f"acknowledged by {name_of(scene, by)} too") if owed else ()
    return Plan((incident,), owed, said)


def _to_come(context: IncidentContext, heard_of: str) -> Sequence[NotificationStatus]:
    """What is to wake somebody before it is late and the pager does not have yet: nobody can have taken it there."""
    if not heard_of or context.incident.paged:
        return ()
    return [e for e in context.entries if wakes_early(e) and e.alive and not e.alerting and e.owed_at]


def _since(context: IncidentContext, scene: Scene, heard_of: str) -> dt.datetime:
    """As of when it is acknowledged: before whatever is still to come."""
    to_come = [e.owed_at for e in _to_come(context, heard_of) if e.owed_at]
    return min([scene.at, *(owed_at - dt.timedelta(microseconds=1) for owed_at in to_come)])


def _acked(context: IncidentContext, heard_of: str) -> tuple[str, ...]:
    return tuple(sorted({*context.incident.acked, *filter(None, [heard_of])}))


def _message(context: IncidentContext, scene: Scene, by: str, lines: Sequence[str] = ()) -> Message:
    # of each round once; before that of each alert that was to wake somebody, and anew once it was given back
    of = str(context.incident.escalation_round) if context.incident.paged else _told_last(context)
    title = f"Acknowledged by {name_of(scene, by)}, {scene.clock(scene.at)}"
    return context.notice(scene, f"acknowledged-{of}", title, lines)


def _told_last(context: IncidentContext) -> str:
    steps = [entry.step for entry in context.entries if wakes_early(entry) and entry.alerting]
    back = _given_back(context)
    return (steps[-1] if steps else "warning") + (f"-{back}" if back else "")


def _given_back(context: IncidentContext) -> int:
    """How often, before anybody was to be woken for good."""
    return sum(step.startswith(GIVEN_BACK) for _, step in context.said)


def _acks(
    context: IncidentContext, message: Message, by: str, taken: Collection[str]
) -> Iterator[Notification]:
    of = message.step.removeprefix("acknowledged-")
    for alias in context.aliases:
        if alias not in taken:
            yield Notification(message.key, f"ack-{of}:{alias}", "pager", "acknowledge", message, alias, by)


def taken_back(context: IncidentContext, scene: Scene, alias: str) -> Plan:
    """Whoever had it gives it back, as the alert of this alias shows: somebody has to be woken again.

    Before it is late nobody is to be woken anew: that nobody has it is said.
    """
    by = name_of(scene, context.incident.acknowledged_by)
    if context.incident.paged:
        title = f"Acknowledgement of {by} taken back: the escalation starts again"
        plan = begin_anew(context, scene, "taken-back", title)
    else:
        title = f"Acknowledgement of {by} taken back: nobody has it now"
        message = context.notice(scene, f"{GIVEN_BACK}{_given_back(context) + 1}", title)
        free = replace(context.incident, acknowledged_at=None)
        plan = Plan((free,), (post(message),), event(context, scene, title))
    (anew,) = plan.incidents
    anew = replace(anew, acknowledged_by="", acked=tuple(each for each in anew.acked if each != alias))
    return replace(plan, incidents=(anew,))


def asked_again(scene: Scene, by: str) -> tuple[Recipient, ...]:
    """Who is asked when an hour has passed: the same person, or whoever is on call where the roster has no account of
    theirs."""
    theirs = tuple(each for each in person_named(scene, by) if each.opsgenie)
    return theirs or on_call(scene, "primary")


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
    person = asked_again(scene, incident.acknowledged_by)
    are = "is" if len(context.broken) == 1 else "are"
    ago = between(incident.acknowledged_at, scene.at)
    title = titled(
        context.broken,
        lambda about: f"STILL LATE, {name} acknowledged {ago} ago: {about} {are} not published",
    )
    if context.broken[0].verdict == "unknown":
        title = late_title(
            context.broken, scene.clock(first_due(context.broken)), f"{name} acknowledged {ago} ago: "
        )
    message = context.about(*context.broken).alert(
        scene, f"reminder-{incident.escalation_round}-{number}", title, [], priority="P1", to=person
    )
    return Plan(
        (replace(incident, reminders=number),), page_and_post(message), event(context, scene, "reminded")
    )
