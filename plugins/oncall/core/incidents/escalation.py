"""Whom a broken promise wakes: step by step up the roster's escalation, until somebody acknowledges.

A step is known by whom it wakes, not by its number: whoever was called once in a round is not called again, and who
holds a seat is asked anew at every look. Later steps count their waits from when somebody was truly woken.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from oncall.core.incidents.context import (
    IncidentContext,
    event,
    name_of,
    on_call,
    page_and_post,
    person_named,
    post,
    seat_holder,
)
from oncall.core.incidents.incident import Event, Incident, Notification, NotificationStatus, Plan
from oncall.core.incidents.incident_words import had_already
from oncall.core.incidents.titles import late_title, titled
from oncall.core.incidents.warnings import REMIND_AFTER, in_hand
from oncall.core.incidents.wording import Scene
from oncall.core.message import MOST_TITLE, Message, Recipient
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.rota.on_call import who_is_on_call
from oncall.core.rota.roster import EscalationStep
from oncall.core.rota.shift_words import named, reason_in_words, seated
from oncall.core.time_format import span

# A page that is taken later than this after its time, or than a quarter of the next wait, has delayed that step too.
ON_TIME = dt.timedelta(seconds=60)
BY_HAND = "page-by-hand"
STEP = re.compile(r"page-(?P<number>\d+)-(?P<seat>[a-z]+)(?:-(?P<round>\d+))?(?::(?P<person>.+))?")


@dataclass(frozen=True)
class Call:
    """A person to be paged now, for a step of the escalation."""

    number: int
    seat: str
    person: Recipient
    step: str


@dataclass(frozen=True)
class Standing:
    """How far a round has come: whom to call now, who of those called cannot be reached, when the next call is due."""

    calls: tuple[Call, ...] = ()
    unreached: tuple[tuple[Call, str], ...] = ()
    woken: tuple[NotificationStatus, ...] = ()
    next_at: dt.datetime | None = None


def standing(context: IncidentContext, scene: Scene) -> Standing:
    """Walk up the escalation as it stands in the roster now.

    Each step waits from when the one before it first woke somebody; a step whose person is beyond reach costs no time.
    While a page is under way the later steps wait.
    """
    incident, steps = context.incident, scene.roster.escalation
    began = incident.paged_at or scene.at
    mine = [entry for entry in context.entries if is_of_round(entry, incident)]
    pages, by_hand = ([e for e in mine if is_by_hand(e) is hand] for hand in (False, True))
    called = [entry for entry in (*pages[::-1], *by_hand[::-1]) if entry.alive]
    ready = began + (steps[0].after if steps else dt.timedelta())
    calls: list[Call] = []
    unreached: list[tuple[Call, str]] = []
    under_way = False
    for number, step in enumerate(steps, 1):
        person = seat_holder(scene, step.page)
        plain = _step(number, step, incident.escalation_round)
        entry = next((each for each in called if person and _is_call_of(each, person, plain)), None)
        trouble = _beyond_reach(person, entry)
        if trouble or person is None:
            if person is not None:
                name = entry.step if entry else plain
                unreached.append((Call(number, step.page, person, name), trouble))
            continue
        if entry is None:
            if under_way or scene.at < ready:
                return Standing(tuple(calls), tuple(unreached), _woken(pages), ready)
            calls.append(
                Call(
                    number,
                    step.page,
                    person,
                    _free_step(pages, number, step, incident.escalation_round, person),
                )
            )
        under_way = under_way or entry is None or entry.state != "done"
        first = _first_woken(_woken([*pages, *by_hand]), number, step.page, person)
        wait = _gap(steps, number)
        if first and first >= began and abs(first - ready) > min(ON_TIME, wait / 4):
            ready = first
        ready += wait
    return Standing(tuple(calls), tuple(unreached), _woken(pages))


def is_by_hand(entry: NotificationStatus) -> bool:
    """A page that a person asked for: its step begins as those of the escalation do, and whoever it woke is woken."""
    return entry.op == "page" and entry.step.startswith(f"{BY_HAND}-")


def is_of_round(entry: NotificationStatus, incident: Incident) -> bool:
    """A page of this round of the escalation; one by hand is of the round it fell into, or came before the first."""
    if not is_by_hand(entry):
        return _round_of(entry) == incident.escalation_round
    began = incident.paged_at if incident.escalation_round else None
    return began is None or entry.owed_at is None or entry.owed_at >= began


def _is_call_of(entry: NotificationStatus, person: Recipient, plain: str) -> bool:
    """Where a spoilt row does not tell whom it was for, it was for whoever its step is for now."""
    return entry.calls(person) if entry.person else entry.step == plain


def _first_woken(
    woken: Sequence[NotificationStatus], number: int, seat: str, holder: Recipient
) -> dt.datetime | None:
    """When this step first woke anybody, whoever holds its seat by now: a new holder makes nobody wait again.

    A page of its holder by hand was for this seat.
    """
    step = re.compile(rf"page-{number}-{seat}(?:-\d+)?(?::|$)")
    mine = (e for e in woken if step.match(e.step) or (is_by_hand(e) and e.calls(holder)))
    return min((e.done_at for e in mine if e.done_at), default=None)


def _woken(pages: Sequence[NotificationStatus]) -> tuple[NotificationStatus, ...]:
    return tuple(entry for entry in pages if entry.state == "done" and not entry.unreached)


def _beyond_reach(person: Recipient | None, entry: NotificationStatus | None) -> str:
    if person is None:
        return "nobody holds the seat"
    if entry is not None and entry.unreached:
        return entry.unreached
    return "" if person.opsgenie or entry is not None else "the roster gives no Opsgenie username"


def _gap(steps: Sequence[EscalationStep], number: int) -> dt.timedelta:
    """From this step (counted from 1) to the next one."""
    return steps[number].after - steps[number - 1].after if number < len(steps) else dt.timedelta()


def _step(number: int, step: EscalationStep, this_round: int) -> str:
    return f"page-{number}-{step.page}" + (f"-{this_round}" if this_round else "")


def _free_step(
    pages: Sequence[NotificationStatus], number: int, step: EscalationStep, this_round: int, person: Recipient
) -> str:
    """A step of one's own for whoever takes a seat after somebody else was paged for it: its alert is another one.

    So it is for the same person at another account.
    """
    plain = _step(number, step, this_round)
    taken = {entry.step for entry in pages if entry.alerting and entry.person and not entry.calls(person)}
    steps = (plain, f"{plain}:{person.name}", f"{plain}:{person.opsgenie}")
    return next((each for each in steps if each not in taken), steps[-1])


def _round_of(entry: NotificationStatus) -> int | None:
    """Of which round this is a page; None for what is none."""
    found = STEP.fullmatch(entry.step) if entry.channel == "pager" and entry.op == "page" else None
    return int(found["round"] or 0) if found else None


def escalate(context: IncidentContext, scene: Scene) -> Plan | None:
    """Page the primary at the due instant, then up the roster's escalation until somebody acknowledges."""
    if not broken_of(context):
        return None
    incident, had = context.incident, in_hand(context, scene)
    if had is not None:
        return _late_in_hand(context, scene, had)
    if not incident.paged:
        shift = who_is_on_call(scene.roster, scene.at)
        incident = replace(incident, paged_at=scene.at, primary=shift.primary or "")
    context = replace(context, incident=incident)
    now = standing(context, scene)
    owed: list[Notification] = []
    events: list[Event] = []
    for call, trouble in now.unreached:
        step = f"unreached:{call.step}:{call.person.opsgenie or call.person.name}"
        if ("chat", step) not in context.said:
            title = f"{seated(call.person.name, call.seat)} could not be paged: {trouble}"
            whole = [] if len(title) <= MOST_TITLE else [trouble]  # it says what to mend: that is not cut
            owed.append(post(context.notice(scene, step, title, whole)))
            events += event(context, scene, title)
    for call in now.calls if not incident.acknowledged else ():
        page, said = page_and_post(page_message(context, scene, call.step, call.person))
        if context.is_news(page):
            owed += (page, said)
            events += event(context, scene, f"paged {seated(call.person.name, call.seat)}")
    return Plan((incident,), tuple(owed), tuple(events))


def _late_in_hand(context: IncidentContext, scene: Scene, had: NotificationStatus) -> Plan:
    """Somebody was woken before it was due, and has it: that it is late now is said, and wakes nobody.

    Their page has begun this round; it goes on when they give it back, or the shift ends.
    """
    incident, broken = context.incident, broken_of(context)
    shift, name = (
        who_is_on_call(scene.roster, had.owed_at or scene.at),
        name_of(scene, incident.acknowledged_by),
    )
    title = late_title(broken, scene.clock(broken[0].due), f"{name} has it: ")
    assert incident.acknowledged_at is not None
    again = scene.clock(incident.acknowledged_at + REMIND_AFTER)
    line = had_already(name, scene.clock(incident.acknowledged_at), again)
    message = context.about(*broken).notice(scene, "late", title, [line])
    notes = [Notification(incident.key, f"late:{a}", "pager", "note", message, a) for a in context.aliases]
    begun = replace(incident, paged_at=had.owed_at, primary=shift.primary or "")
    return Plan((begun,), (post(message), *notes), event(context, scene, title))


def broken_of(context: IncidentContext) -> tuple[PromiseStatus, ...]:
    return tuple(member for member in context.missing if member.overdue)


def page_message(context: IncidentContext, scene: Scene, step: str, person: Recipient) -> Message:
    """What this person is told now. One who is called after others sees at the first word that it is an escalation."""
    broken = broken_of(context) or context.missing
    before, lead = _called_before(context, step), ""
    if before and not step.startswith("page-1-"):
        lead = _escalated(before[-1], scene)
        before = before if before[-1].unreached else before[:-1]
    title = late_title(broken, scene.clock(broken[0].due), lead)
    lines = [*(_came_of(entry, scene) for entry in before), *_why_now(context, scene, step, person)]
    return context.about(*broken).alert(scene, step, title, lines, priority="P1", to=(person,))


def round_and_seat(step: str) -> tuple[int, str] | None:
    """Of a page's step: the round and the seat it is for; None for other steps."""
    found = STEP.fullmatch(step)
    return (int(found["round"] or 0), found["seat"]) if found else None


def handoff(context: IncidentContext, scene: Scene) -> Plan | None:
    """An incident open across the handoff passes to the new pair: the escalation begins anew with them.

    Where nobody was woken before it there is nothing to pass. Within a week another primary (cover, an override) is
    called in the same round, unless the one before had acknowledged.
    """
    incident = context.incident
    if not context.missing or incident.paged_at is None:
        return None
    began, now = who_is_on_call(scene.roster, incident.paged_at), who_is_on_call(scene.roster, scene.at)
    if began.primary == now.primary or began.end > scene.at:
        return None
    pages = (e for e in context.entries if _round_of(e) == incident.escalation_round and e.alerting)
    before = any(when < now.start for e in pages if (when := e.done_at or e.owed_at))
    has_it = {person.id for person in person_named(scene, incident.acknowledged_by)}
    if incident.acknowledged and has_it & {now.primary, now.secondary}:
        return None  # one of the new pair took it
    if not incident.acknowledged and (began.week == now.week or not before):
        return None
    before_them, taken = (named(scene.roster, shift.primary) for shift in (began, now))
    title = titled(context.missing, lambda about: f"Handed over from {before_them} to {taken}: {about}")
    return _begin_anew(context, scene, "handover", title)


def taken_back(context: IncidentContext, scene: Scene, alias: str) -> Plan:
    """Whoever had it gives it back, as the alert of this alias shows: somebody has to be woken again."""
    by = name_of(scene, context.incident.acknowledged_by)
    title = f"Acknowledgement of {by} taken back: the escalation starts again"
    plan = _begin_anew(context, scene, "taken-back", title)
    (anew,) = plan.incidents
    anew = replace(
        anew,
        acknowledged_at=None,
        acknowledged_by="",
        acked=tuple(each for each in anew.acked if each != alias),
    )
    if not context.incident.paged:  # only warned of: nobody is to be woken yet
        anew = replace(anew, paged_at=None, escalation_round=0)
    return replace(plan, incidents=(anew,))


def _begin_anew(context: IncidentContext, scene: Scene, step: str, title: str) -> Plan:
    count = context.incident.escalation_round + 1
    message = context.notice(scene, f"{step}-{count}", title)
    anew = replace(context.incident, paged_at=scene.at, escalation_round=count)
    return Plan((anew,), (post(message),), event(context, scene, title))


def remind(context: IncidentContext, scene: Scene) -> Plan | None:
    """Somebody acknowledged long ago and the promise is still broken: ask the same person again."""
    incident = context.incident
    if not incident.acknowledged or incident.acknowledged_at is None or not broken_of(context):
        return None
    number = int((scene.at - incident.acknowledged_at) / REMIND_AFTER)
    if number <= incident.reminders:
        return None
    person = person_named(scene, incident.acknowledged_by) or on_call(scene, "primary")
    ago = span((scene.at - incident.acknowledged_at).total_seconds())
    name = name_of(scene, incident.acknowledged_by)
    title = titled(
        context.missing, lambda about: f"STILL LATE, {name} acknowledged {ago} ago: {about} is not published"
    )
    message = context.alert(
        scene, f"reminder-{incident.escalation_round}-{number}", title, [], priority="P1", to=person
    )
    return Plan(
        (replace(incident, reminders=number),), page_and_post(message), event(context, scene, "reminded")
    )


def acknowledge(context: IncidentContext, scene: Scene, by: str, *, heard_of: str = "") -> Plan:
    """Somebody has it: escalation stops. `heard_of`: the alias on which the pager said so; its others are told."""
    acked = tuple(sorted({*context.incident.acked, *filter(None, [heard_of])}))
    incident = replace(
        context.incident, acknowledged_at=scene.at, acknowledged_by=by, reminders=0, acked=acked
    )
    title = f"Acknowledged by {name_of(scene, by)}, {scene.clock(scene.at)}"
    # of each round once, and of what came before it
    of = str(incident.escalation_round) if incident.paged else "warning"
    message = context.notice(scene, f"acknowledged-{of}", title)
    owed = (post(message), *_acks(context, message, of, by, acked))
    return Plan((incident,), owed, event(context, scene, f"acknowledged by {name_of(scene, by)}"))


def acknowledge_rest(context: IncidentContext, scene: Scene, by: str, *, heard_of: str = "") -> Plan:
    """Somebody takes one more alert of an incident that is acknowledged: whatever else of it rings stops too.

    That our own acknowledgement of an alert is seen at the pager is nobody's act. The thread knows who has it.
    """
    incident = replace(
        context.incident, acked=tuple(sorted({*context.incident.acked, *filter(None, [heard_of])}))
    )
    if heard_of in context.silenced:
        return Plan((incident,))
    if not incident.paged:  # what was known then had come to nothing, or to another alert since
        incident = replace(incident, acknowledged_at=scene.at, acknowledged_by=by)
    of = str(incident.escalation_round) if incident.paged else "warning"
    title = f"Acknowledged by {name_of(scene, by)}, {scene.clock(scene.at)}"
    message = context.notice(scene, f"acknowledged-{of}", title)
    owed = tuple(_acks(context, message, of, by, (*incident.acked, *context.silenced)))
    return Plan(
        (incident,), owed, event(context, scene, f"acknowledged by {name_of(scene, by)} too") if owed else ()
    )


def _acks(
    context: IncidentContext, message: Message, of: str, by: str, taken: Collection[str]
) -> Iterator[Notification]:
    for alias in context.aliases:
        if alias not in taken:
            yield Notification(message.key, f"ack-{of}:{alias}", "pager", "acknowledge", message, alias, by)


def _called_before(context: IncidentContext, step: str) -> list[NotificationStatus]:
    """Whose pages of this round, owed before this one, have come to nothing: only what is known."""
    of_round = round_and_seat(step)
    pages = [entry for entry in context.entries if of_round and _round_of(entry) == of_round[0]]
    return [
        entry
        for entry in takewhile(lambda entry: entry.step != step, pages)
        if entry.person and (entry.unreached or (entry.state == "done" and entry.done_at))
    ]


def _escalated(entry: NotificationStatus, scene: Scene) -> str:
    if entry.unreached or entry.done_at is None:
        return f"ESCALATED, {entry.person} not reached: "
    return f"ESCALATED, {entry.person} silent {span((scene.at - entry.done_at).total_seconds())}: "


def _came_of(entry: NotificationStatus, scene: Scene) -> str:
    if entry.unreached:
        return f"{entry.person} could not be paged: {entry.unreached}."
    return f"{entry.person} was paged at {scene.clock(entry.done_at)} and has not acknowledged."


def _why_now(context: IncidentContext, scene: Scene, step: str, person: Recipient) -> Iterator[str]:
    if any(entry.was_for(person) and not entry.calls(person) for entry in _called_before(context, step)):
        yield f"The roster names another Opsgenie account of {person.name} since: this goes to that one."
    elif ":" in step:
        shift = who_is_on_call(scene.roster, scene.at)
        yield f"{person.name} is on call now ({reason_in_words(shift)})."
