"""Whom a broken promise wakes: the ladder of pages, its handoff, reminders, and what stops it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace

from oncall.core.case import Case, both, chat, event, on_call, person_named, say
from oncall.core.incident import Event, Owed, Plan
from oncall.core.rota import who_is_on_call
from oncall.core.verdict import CAUSE_WORDS, Judged
from oncall.core.wording import Scene, because, span, subject

# An acknowledgement older than this on a broken promise is asked again.
REMIND_AFTER = dt.timedelta(minutes=60)


def handoff(case: Case, scene: Scene) -> Plan | None:
    """An incident open across the handoff passes to the new pair: the ladder begins anew with them."""
    incident = case.incident
    if not case.missing or incident.paged_at is None:
        return None
    began, now = who_is_on_call(scene.roster, incident.paged_at), who_is_on_call(scene.roster, scene.at)
    if began.primary == now.primary or began.end > scene.at:
        return None
    count = incident.ladder + 1
    title = f"Handed over: {subject(case.missing)} passes from {began.primary} to {now.primary}"
    message = say(
        case, scene, f"handover-{count}", title, [f"Still not published; {now.primary} is on call now."]
    )
    passed = replace(incident, paged_at=scene.at, ladder=count, acknowledged_at=None, acknowledged_by="")
    return Plan((passed,), (chat(message),), event(case, scene, title))


def ladder(case: Case, scene: Scene) -> Plan | None:
    """Page the primary at the due instant, then up the roster's escalation until somebody acknowledges."""
    broken = tuple(m for m in case.missing if m.verdict == "broken")
    if not broken:
        return None
    incident = case.incident
    if not incident.paged:  # whoever acknowledged the warning may be asleep again: the promise is broken now
        incident = replace(incident, acknowledged_at=None, acknowledged_by="")
    began = incident.paged_at or scene.at
    owed: list[Owed] = []
    events: list[Event] = []
    wait = dt.timedelta()  # a step nobody can be paged for is skipped: the next one moves up to it
    for number, rung in enumerate(scene.roster.escalation, 1):
        step = (
            f"page-{number}-{rung.page}"
            if not incident.ladder
            else f"page-{number}-{rung.page}-{incident.ladder}"
        )
        if scene.at < began + rung.after - wait or (incident.acknowledged_at and number > 1):
            break
        people = tuple(person for person in on_call(scene, rung.page) if person.opsgenie)
        if not people:
            ahead = (
                scene.roster.escalation[number].after if number < len(scene.roster.escalation) else rung.after
            )
            wait += ahead - rung.after
            continue
        if ("pager", step) in case.said:
            continue
        message = say(
            case, scene, step, _broken_title(broken, scene), _broken_lines(broken, scene, rung.page, began),
            priority="P1", to=people, about=broken,
        )  # fmt: skip
        owed += both(message)
        events += event(case, scene, f"paged {', '.join(p.name for p in people)} ({rung.page})")
    shift = who_is_on_call(scene.roster, scene.at)
    paged = replace(incident, paged_at=began, primary=incident.primary or shift.primary or "")
    return Plan((paged,), tuple(owed), tuple(events))


def remind(case: Case, scene: Scene) -> Plan | None:
    """Somebody acknowledged long ago and the promise is still broken: ask the same person again."""
    incident = case.incident
    if incident.acknowledged_at is None or not any(m.verdict == "broken" for m in case.missing):
        return None
    number = int((scene.at - incident.acknowledged_at) / REMIND_AFTER)
    if number <= incident.reminders:
        return None
    person = person_named(scene, incident.acknowledged_by) or on_call(scene, "primary")
    ago = span((scene.at - incident.acknowledged_at).total_seconds())
    title = f"Still not published: {subject(case.missing)}, acknowledged {ago} ago"
    lines = [
        f"{incident.acknowledged_by or 'Somebody'} acknowledged at {scene.clock(incident.acknowledged_at)}."
    ]
    message = say(case, scene, f"reminder-{incident.ladder}-{number}", title, lines, priority="P1", to=person)
    return Plan((replace(incident, reminders=number),), both(message), event(case, scene, "reminded"))


def acknowledge(case: Case, scene: Scene, by: str, *, tell_pager: bool) -> Plan:
    """Somebody has it: escalation stops. `tell_pager`: it was said here, so the far side must hear of it."""
    incident = replace(case.incident, acknowledged_at=scene.at, acknowledged_by=by, reminders=0)
    title = f"Acknowledged by {by or 'somebody'}: {subject(case.members)}"
    message = say(case, scene, f"acknowledged-{incident.ladder}", title, ["Escalation stops here."])
    owed = [chat(message)]
    if tell_pager:
        owed += [Owed(incident.key, f"ack:{a}", "pager", "acknowledge", message, a, by) for a in case.aliases]
    return Plan((incident,), tuple(owed), event(case, scene, f"acknowledged by {by or 'somebody'}"))


def _broken_title(broken: Sequence[Judged], scene: Scene) -> str:
    why = broken[0].why
    due = f"{scene.clock(broken[0].due)}"
    return (
        f"{subject(broken)}: not published at {due} — {CAUSE_WORDS[why.cause] if why else 'cannot tell'}"
        + (f": {why.detail}" if why else "")
    )


def _broken_lines(broken: Sequence[Judged], scene: Scene, seat: str, began: dt.datetime) -> Iterator[str]:
    for member in broken:
        yield f"{member.pipeline.report} for {member.report_date} was promised by {scene.clock(member.due)}."
    shared = {because(member.why) for member in broken}
    yield from (f"Why: {words}" for words in sorted(shared))
    if broken[0].late_by and broken[0].late_by.total_seconds() >= 60:
        yield f"{span(broken[0].late_by.total_seconds())} late so far."
    if seat != "primary":
        yield f"Nobody has acknowledged since {scene.clock(began)}: this goes to the {seat}."
