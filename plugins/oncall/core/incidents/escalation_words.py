"""What a page of the escalation says: what is late, who was called before, and why it is you."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from oncall.core.incidents.context import IncidentContext, name_of
from oncall.core.incidents.incident import NotificationStatus
from oncall.core.incidents.page_step import round_and_seat, round_of
from oncall.core.incidents.titles import late_title
from oncall.core.incidents.wording import Scene, first_due
from oncall.core.message import Message, Recipient
from oncall.core.rota.shift_words import reason_in_words
from oncall.core.time_format import between


def page_message(context: IncidentContext, scene: Scene, step: str, person: Recipient) -> Message:
    """What this person is told now. One who is called after others sees at the first word that it is an escalation."""
    broken = context.broken or context.missing
    before, lead = _called_before(context, step), ""
    if before and not step.startswith("page-1-"):
        lead = _escalated(before[-1], scene)
        before = before if before[-1].unreached else before[:-1]
    title = late_title(broken, scene.clock(first_due(broken)), lead)
    lines = [*(_came_of(entry, scene) for entry in before), *_why_now(context, scene, step, person)]
    return context.about(*broken).alert(scene, step, title, lines, priority="P1", to=(person,))


def _is_handed_over(context: IncidentContext, step: str) -> bool:
    """Whether it is the first call of a round that began because the shift ended."""
    found = round_and_seat(step)
    return (
        found is not None and step.startswith("page-1-") and ("chat", f"handover-{found[0]}") in context.said
    )


def _called_before(context: IncidentContext, step: str) -> list[NotificationStatus]:
    """Whose pages of this round, owed before this one, have come to nothing: only what is known."""
    of_round = round_and_seat(step)
    pages = [entry for entry in context.entries if of_round and round_of(entry) == of_round[0]]
    return [
        entry
        for entry in takewhile(lambda entry: entry.step != step, pages)
        if entry.person and (entry.unreached or (entry.state == "done" and entry.done_at))
    ]


def _escalated(entry: NotificationStatus, scene: Scene) -> str:
    if entry.unreached or entry.done_at is None:
        return f"ESCALATED, {entry.person} not reached: "
    return f"ESCALATED, {entry.person} silent {between(entry.done_at, scene.at)}: "


def _came_of(entry: NotificationStatus, scene: Scene) -> str:
    if entry.unreached:
        return f"{entry.person} could not be paged: {entry.unreached}."
    return f"{entry.person} was paged {scene.when(entry.done_at)} and has not acknowledged."


def _why_now(context: IncidentContext, scene: Scene, step: str, person: Recipient) -> Iterator[str]:
    if any(entry.was_for(person) and not entry.calls(person) for entry in _called_before(context, step)):
        yield f"The roster names another Opsgenie account of {person.name} since: this goes to that one."
    elif _is_handed_over(context, step) and context.incident.acknowledged_by:
        name = name_of(scene, context.incident.acknowledged_by)
        yield f"{name} acknowledged it before the shift ended: ask what is known."
    elif ":" in step:
        yield f"{person.name} is on call now ({reason_in_words(scene.shift)})."
