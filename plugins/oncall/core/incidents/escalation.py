"""Whom a broken promise wakes: step by step up the roster's escalation, until somebody acknowledges.

A step is known by whom it wakes, not by its number: whoever was called once in a round is not called again, and who
holds a seat is asked anew at every look. Later steps count their waits from when somebody was truly woken.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile

from oncall.core.incidents.context import (
    IncidentContext,
    closed_by_us,
    event,
    name_of,
    page_and_post,
    person_named,
    post,
    post_and_headline,
    seat_holder,
)
from oncall.core.incidents.escalation_words import page_message
from oncall.core.incidents.failures import failed_since_it_was_taken
from oncall.core.incidents.incident import Event, Incident, Notification, NotificationStatus, Plan
from oncall.core.incidents.incident_words import had_already, is_not_taken
from oncall.core.incidents.page_step import is_by_hand, round_and_seat, round_of, step_of
from oncall.core.incidents.titles import late_title, titled
from oncall.core.incidents.warnings import REMIND_AFTER, in_hand
from oncall.core.incidents.wording import Scene, first_due
from oncall.core.message import MOST_TITLE, Recipient
from oncall.core.rota.on_call import who_is_on_call
from oncall.core.rota.roster import EscalationStep
from oncall.core.rota.shift_words import named, seated

# A page that is taken later than this after its time, or than a quarter of the next wait, has delayed that step too.
ON_TIME = dt.timedelta(seconds=60)
ANEW_AFTER = dt.timedelta(minutes=10)  # what kept every page from waking anybody may be mended by then


@dataclass(frozen=True)
class Call:
    """A person to be paged now, for a step of the escalation."""

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

    @property
    def not_taken(self) -> tuple[Call, ...]:
        """Whose pages the far side does not take: it may be an outage."""
        return tuple(call for call, trouble in self.unreached if is_not_taken(trouble))


def standing(context: IncidentContext, scene: Scene) -> Standing:
    """Walk up the escalation as it stands in the roster now.

    Each step waits from when the one before it first woke somebody; a step whose person is beyond reach costs no time.
    While a page is under way the later steps wait. Once somebody has acknowledged nobody is called.
    """
    walked = _walk(context, scene)
    return replace(walked, calls=(), next_at=None) if context.incident.acknowledged else walked


def _walk(context: IncidentContext, scene: Scene) -> Standing:
    incident, steps = context.incident, scene.roster.escalation
    began = incident.paged_at or scene.at
    mine = [entry for entry in context.entries if is_of_round(entry, incident)]
    pages, by_hand = ([e for e in mine if is_by_hand(e) is hand] for hand in (False, True))
    called = [entry for entry in (*pages[::-1], *by_hand[::-1]) if entry.alive]
    closed = closed_by_us(context.entries)
    ready = began + (steps[0].after if steps else dt.timedelta())
    calls: list[Call] = []
    unreached: list[tuple[Call, str]] = []
    under_way = False
    for number, step in enumerate(steps, 1):
        person = seat_holder(scene, step.page)
        plain = step_of(number, step, incident.escalation_round)
        entry = next((each for each in called if person and is_call_of(each, person, scene)), None)
        trouble = _beyond_reach(person, entry) if person else ""
        if (entry is None or trouble) and (under_way or scene.at < ready):
            return Standing(tuple(calls), tuple(unreached), _woken(pages), ready)
        if person is None:
            continue
        if trouble:
            unreached.append((Call(step.page, person, entry.step if entry else plain), trouble))
            continue
        if entry is None:
            free = _free_step(pages, number, step, incident.escalation_round, person, closed)
            calls.append(Call(step.page, person, free))
        under_way = under_way or entry is None or entry.state != "done"
        first = _first_woken(_woken([*pages, *by_hand]), number, step.page, person)
        wait = _gap(steps, number)
        if first and first >= began and abs(first - ready) > min(ON_TIME, wait / 4):
            ready = first
        ready += wait
    return Standing(tuple(calls), tuple(unreached), _woken(pages))


def _is_theirs_alone(call: Call, context: IncidentContext) -> bool:
    """Whether it is no outage: somebody who was called after them is woken."""
    pages = [entry for entry in context.entries if round_of(entry) is not None]
    return bool(_woken([*dropwhile(lambda entry: entry.step != call.step, pages)]))


def is_of_round(entry: NotificationStatus, incident: Incident) -> bool:
    """A page of this round of the escalation; one by hand is of the round it fell into, or came before the first."""
    if not is_by_hand(entry):
        return round_of(entry) == incident.escalation_round
    began = incident.paged_at if incident.escalation_round else None
    return began is None or entry.owed_at is None or entry.owed_at >= began


def is_call_of(entry: NotificationStatus, person: Recipient, scene: Scene) -> bool:
    """Whether it calls this person. What nobody has taken yet is for whoever holds its seat by now, and so is what a
    spoilt row tells nothing of."""
    found, open_to_all = round_and_seat(entry.step), not entry.unreached or is_not_taken(entry.unreached)
    if found and (not entry.person or (not entry.alerting and open_to_all)):
        return seat_holder(scene, found[1]) == person
    return entry.calls(person)


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


def _beyond_reach(person: Recipient, entry: NotificationStatus | None) -> str:
    if entry is not None and entry.unreached and (not entry.person or entry.calls(person)):
        return entry.unreached  # what was tried for somebody else is still to be tried for them
    return "" if person.opsgenie or entry is not None else "the roster gives no Opsgenie username"


def _gap(steps: Sequence[EscalationStep], number: int) -> dt.timedelta:
    """From this step (counted from 1) to the next one."""
    return steps[number].after - steps[number - 1].after if number < len(steps) else dt.timedelta()


def _free_step(
    pages: Sequence[NotificationStatus], number: int, step: EscalationStep, this_round: int, person: Recipient,
    closed: Collection[str],
) -> str:  # fmt: skip
    """A step of one's own for whoever takes a seat after somebody else was paged for it: its alert is another one.

    So it is for the same person at another account, and where its alert was `closed`: nobody listens to that any more.
    """
    plain = step_of(number, step, this_round)
    taken = {entry.step for entry in pages if entry.alerting and entry.person and not entry.calls(person)}
    taken |= {entry.step for entry in pages if entry.alias in closed}
    steps = (plain, f"{plain}:{person.name}")
    return next((each for each in steps if each not in taken), f"{plain}:{person.opsgenie}")


def escalate(context: IncidentContext, scene: Scene) -> Plan | None:
    """Page the primary at the due instant, then up the roster's escalation until somebody acknowledges."""
    if not context.broken:
        return None
    incident, had = context.incident, _had(context, scene)
    if had is not None:
        return _late_in_hand(context, scene, had)
    if not incident.paged:
        incident = replace(incident, paged_at=scene.at)
    now = standing(replace(context, incident=incident), scene)
    owed: list[Notification] = []
    events: list[Event] = []
    if context.put_back:
        goes_on = ["Nobody has acknowledged it: the escalation goes on where it was."]
        lines = goes_on if incident.paged_at != scene.at else []  # else it begins anew, with another shift
        again = _watched_again(context.about(*context.broken), scene, lines)
        owed, events = [*again.owed], [*again.events]
    for call, trouble in now.unreached:
        step = f"unreached:{call.step}:{call.person.opsgenie or call.person.name}"
        known = not is_not_taken(trouble) or _is_theirs_alone(call, context)
        if known and ("chat", step) not in context.said:
            title = f"{seated(call.person.name, call.seat)} could not be paged: {trouble}"
            whole = [] if len(title) <= MOST_TITLE else [trouble]  # it says what to mend: that is not cut
            owed.append(post(context.notice(scene, step, title, whole)))
            events += event(context, scene, title)
    for call in now.calls:
        page, said = page_and_post(page_message(context, scene, call.step, call.person))
        if context.is_news(page):
            owed += (page, said)
            events += event(context, scene, f"paged {seated(call.person.name, call.seat)}")
    # a page that was taken only after its words had been withdrawn is told of now
    withdrawn = {entry.step for entry in context.entries if entry.channel == "chat" and not entry.alive}
    mine = (e for e in context.entries if round_of(e) == incident.escalation_round and e.step in withdrawn)
    owed += [post(context.notice(scene, e.step, "")) for e in mine if e.alerting and e.state != "owed"]
    return Plan((incident,), tuple(owed), tuple(events))


def watched_again(context: IncidentContext, scene: Scene) -> Plan | None:
    """What was only warned of, or woke somebody before it is late, was removed and is put back: its thread goes on."""
    early = context.put_back and context.spoken and not context.incident.paged and not context.broken
    return _watched_again(context, scene) if early else None


def _watched_again(context: IncidentContext, scene: Scene, lines: Sequence[str] = ()) -> Plan:
    title = titled(context.missing, lambda about: f"Watched again: {about}")
    message = context.notice(scene, context.another("put-back"), title, lines)
    return Plan(owed=post_and_headline(message), events=event(context, scene, title))


def _had(context: IncidentContext, scene: Scene) -> dt.datetime | None:
    """Since when somebody has what is late now, and nobody was told so; not where another failure came a moment ago."""
    incident, had = context.incident, in_hand(context, scene)
    if had is not None and any(failed_since_it_was_taken(member, incident) for member in context.broken):
        return None
    return had or (
        incident.paged_at if incident.acknowledged and (context.put_back or not context.spoken) else None
    )


def _late_in_hand(context: IncidentContext, scene: Scene, since: dt.datetime) -> Plan:
    """Somebody was woken before it was due, or before its pipeline was removed and put back, and has it: that it is
    late now is said, and wakes nobody.

    Their page has begun this round; it goes on when they give it back, or the shift ends.
    """
    incident, broken = context.incident, context.broken
    assert incident.acknowledged_at is not None
    name = name_of(scene, incident.acknowledged_by)
    title = late_title(broken, scene.clock(first_due(broken)), f"{name} has it: ")
    again = incident.acknowledged_at + REMIND_AFTER * (incident.reminders + 1)
    line = had_already(
        name, scene.clock(incident.acknowledged_at), scene.clock(again), early=not incident.paged
    )
    step = context.another("late") if context.put_back else "late"
    lines = [line] if again > scene.at else []  # they are asked in this very look
    message = context.about(*broken).notice(scene, step, title, lines)
    owed = post_and_headline(message) if context.put_back else (post(message),)
    notes = [Notification(incident.key, f"late:{a}", "pager", "note", message, a) for a in context.aliases]
    return Plan((replace(incident, paged_at=since),), (*owed, *notes), event(context, scene, title))


def handoff(context: IncidentContext, scene: Scene) -> Plan | None:
    """An incident open across the handoff passes to the new pair: the escalation begins anew with them.

    Where nobody was woken before it there is nothing to pass, nor where it was taken only after the new primary was
    woken as such, or by somebody who was not on call: no shift of theirs ends. Within a week another primary (cover, an
    override) is called in the same round, unless the one before had acknowledged.
    """
    incident = context.incident
    if not context.missing or incident.paged_at is None:
        return None
    began, now = who_is_on_call(scene.roster, incident.paged_at), scene.shift
    if began.primary == now.primary or began.end > scene.at:
        return None
    mine = (e for e in context.entries if e.alerting and is_of_round(e, incident))
    pages = [(e, when) for e in mine if (when := e.done_at or e.owed_at)]
    before = any(when < now.start and not is_by_hand(e) for e, when in pages)
    if incident.acknowledged and _woken_before_it_was_taken(pages, incident, scene):
        return None
    has_it = {person.id for person in person_named(scene, incident.acknowledged_by)}
    shifts = (began, who_is_on_call(scene.roster, incident.acknowledged_at or incident.paged_at))
    pairs = {person for shift in shifts for person in (shift.primary, shift.secondary)}
    if incident.acknowledged and has_it and not has_it & (pairs - {now.primary, now.secondary}):
        return None  # one of the new pair took it, or somebody who was not on call
    if not incident.acknowledged and (began.week == now.week or not before):
        return None
    before_them, taken = (named(scene.roster, shift.primary) for shift in (began, now))
    title = titled(context.missing, lambda about: f"Handed over from {before_them} to {taken}: {about}")
    return begin_anew(context, scene, "handover", title)


def _woken_before_it_was_taken(
    pages: Iterable[tuple[NotificationStatus, dt.datetime]], incident: Incident, scene: Scene
) -> bool:
    """Whether the primary was woken as such since their shift began, and somebody took it only then."""
    primary, taken = seat_holder(scene, "primary"), incident.acknowledged_at or scene.at
    for entry, when in pages:
        as_such = is_by_hand(entry) or (round_and_seat(entry.step) or (0, ""))[1] == "primary"
        if primary and as_such and entry.calls(primary) and scene.shift.start <= when <= taken:
            return True
    return False


def nobody_woken(context: IncidentContext, scene: Scene) -> Plan | None:
    """Everybody was called, and the far side let no page wake anybody: the escalation begins anew, by other alerts.

    What the far side does not take is tried again by itself.
    """
    incident = context.incident
    pages = [e for e in context.entries if e.op == "page" and e.alive and is_of_round(e, incident)]
    last = max((e.done_at for e in pages if e.done_at), default=None)
    if incident.acknowledged or not context.broken or last is None or scene.at - last < ANEW_AFTER:
        return None
    if not all(entry.unreached for entry in pages):
        return None
    return begin_anew(context, scene, "unreached:all", "Nobody could be woken: the escalation starts again")


def begin_anew(
    context: IncidentContext, scene: Scene, step: str, title: str, lines: Iterable[str] = ()
) -> Plan:
    count = context.incident.escalation_round + 1
    message = context.notice(scene, f"{step}-{count}", title, lines)
    anew = replace(context.incident, paged_at=scene.at, escalation_round=count, acknowledged_at=None)
    return Plan((anew,), (post(message),), event(context, scene, title))
