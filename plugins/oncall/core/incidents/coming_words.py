"""What comes next if nobody does anything, in sentences: whom the escalation wakes when, or why nobody. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from oncall.core.incidents.acknowledgement import asked_again
from oncall.core.incidents.context import IncidentContext, name_of, seat_holder
from oncall.core.incidents.escalation import handoff, is_of_round, standing
from oncall.core.incidents.forecast import coming_pages, next_to_page
from oncall.core.incidents.warnings import REMIND_AFTER
from oncall.core.incidents.wording import Scene
from oncall.core.rota.shift_words import seated
from oncall.core.time_format import TimeFormat

NO_STEPS = (
    "Nobody is configured to be paged: the roster's escalation is empty. Write under `escalation:`"
    " [{after: 0m, page: primary}, {after: 15m, page: secondary}]."
)
NOT_LOOKING = "The watcher does not look: this may come late, or never. Do not wait for it, page by hand."


def what_comes_next(context: IncidentContext, scene: Scene) -> list[str]:
    """Whom the escalation wakes when if nothing happens."""
    incident, say = context.incident, TimeFormat(scene.at, scene.roster.tz)
    if incident.leader:
        return []
    if incident.acknowledged and incident.acknowledged_at:
        who = (
            name_of(scene, incident.acknowledged_by)
            if incident.acknowledged_by
            else "The person who acknowledged"
        )
        again = incident.acknowledged_at + REMIND_AFTER * (incident.reminders + 1)
        if not incident.paged:
            return [f"{who} has it."]
        if handed := _paged_at_handoff(context, scene, again):
            return [f"{who} has it.", handed]
        asked, when = _asked(scene, incident.acknowledged_by, who), _when(say, again)
        return [
            f"Nobody else is paged: {who} has it.",
            f"{asked} at {when}, if it is not published by then.",
        ]
    if not scene.roster.escalation:
        return [NO_STEPS]
    if incident.paged_at is None:
        first = next_to_page(IncidentContext(incident, context.members), scene)
        if incident.due is None or incident.due <= scene.at:
            return []
        due = _when(say, incident.due)
        if first is None:
            return [f"If it is not published by {due}, nobody can be paged: {nobody_left(context, scene)}"]
        return [f"If it is not published by {due}, {seated(first.person.name, first.seat)} is paged."]
    coming = [
        f"{seated(page.call.person.name, page.call.seat)} is paged "
        + (f"at {_when(say, page.at)}." if page.at > scene.at else "now.")
        for page in coming_pages(context, scene)
    ]
    return coming or _under_way(context, scene) or [nobody_left(context, scene)]


def _asked(scene: Scene, by: str, who: str) -> str:
    """The primary, where the roster has no account of theirs."""
    asked = [each.name for each in asked_again(scene, by)]
    if asked and asked != [name_of(scene, by)]:
        return f"{seated(asked[0], 'primary')} is asked"
    return f"{who} is asked again"


def _paged_at_handoff(context: IncidentContext, scene: Scene, until: dt.datetime) -> str:
    """Who is paged because the shift ends, where that comes first; "" where nobody is."""
    end = scene.shift.end
    then = replace(scene, at=end)
    taker = seat_holder(then, "primary")
    if end > until or taker is None or handoff(context, then) is None:
        return ""
    ends = f"the shift ends, at {_when(TimeFormat(scene.at, scene.roster.tz), end)}"
    return f"{seated(taker.name, 'primary')} is paged when {ends}, if it is not published by then."


def _when(say: TimeFormat, at: dt.datetime) -> str:
    return f"{say.clock(at)}, {say.away(at)}"


def _under_way(context: IncidentContext, scene: Scene) -> list[str]:
    """While the pager has a page still to take or to confirm, nobody further is called."""
    pages = (e for e in context.entries if e.op == "page" and is_of_round(e, context.incident))
    waits = [page.person for page in pages if page.state in ("owed", "accepted") and not page.unreached]
    if not waits:
        return []
    people = dict.fromkeys(filter(None, waits))
    are = "are" if len(people) > 1 else "is"
    now = f"{' and '.join(people) or 'The person on call'} {are} being paged; the pager has not confirmed it yet."
    after = next_to_page(context, scene)
    return [now, f"After that {seated(after.person.name, after.seat)} is next."] if after else [now]


def nobody_left(context: IncidentContext, scene: Scene) -> str:
    """Why the escalation pages nobody else."""
    if not scene.roster.escalation:
        return NO_STEPS
    if not any(seat_holder(scene, step.page) for step in scene.roster.escalation):
        return "Nobody holds a seat of the escalation: name somebody to be on call in roster.yaml."
    unreached = {call.person.name: trouble for call, trouble in standing(context, scene).unreached}
    if not unreached:
        until = scene.clock(scene.shift.end)
        return f"Everybody on the escalation has been paged; nobody else is before the shift ends, {until}. Call them."
    paged = any(entry.op == "page" and entry.alive and not entry.unreached for entry in context.entries)
    others = "Everybody else on the escalation has been paged. " if paged else ""
    cannot = "; ".join(f"{name} cannot be paged: {trouble}" for name, trouble in unreached.items())
    return f"{others}{cannot}. Call them."
