"""What an incident needs next: from warning to page to escalation to resolution. Pure; the instant is in the scene."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from oncall.core.incident import Channel, Event, Incident, Op, Owed, Plan
from oncall.core.message import Message, Recipient
from oncall.core.rota import who_is_on_call
from oncall.core.verdict import CAUSE_WORDS, Judged
from oncall.core.wording import Scene, because, compose, span, subject

REMIND_AFTER = dt.timedelta(
    minutes=60
)  # an acknowledgement older than this on a broken promise is asked again
SETTLES_WITHIN = dt.timedelta(minutes=1)
LATEST_CHANGES = 20  # causes that flap are said this often, then the thread stays quiet


@dataclass(frozen=True)
class Case:
    """One incident that speaks (a leader) with all the promises it speaks for, and what was owed before.

    `said` holds `(channel, step)` of everything owed so far, `aliases` the alerts that may be open on the far side.
    """

    incident: Incident
    members: tuple[Judged, ...]
    said: frozenset[tuple[str, str]] = frozenset()
    aliases: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Judged, ...]:
        return tuple(member for member in self.members if not member.done)

    @property
    def spoken(self) -> bool:
        return bool(self.said)


def plan(case: Case, scene: Scene) -> Plan:
    """Everything this case needs at this instant that was not owed before."""
    decided = Plan((case.incident,))
    for rule in (
        _landed,
        _warn,
        _arrived,
        _last_chance,
        _failure,
        _handoff,
        _ladder,
        _remind,
        _changed,
        _resolve,
    ):
        step = rule(replace(case, incident=decided.incidents[0]), scene)
        if step is not None:
            decided = Plan(
                step.incidents or decided.incidents,
                decided.owed + tuple(o for o in step.owed if (o.channel, o.step) not in case.said),
                decided.events + step.events,
                decided.cancelled + step.cancelled,
            )
    return decided


def next_instant(case: Case, scene: Scene) -> dt.datetime | None:
    """When this case needs another look at the latest: its next warning, due or escalation instant."""
    incident, lead = case.incident, case.members[0]
    instants = [lead.warn, lead.due, lead.last_chance]
    if incident.paged_at and not incident.acknowledged_at:
        instants += [incident.paged_at + step.after for step in scene.roster.escalation]
    return min((each for each in instants if each and each > scene.at), default=None)


def _warn(case: Case, scene: Scene) -> Plan | None:
    """Upstream is late at the warning time, or the warehouse cannot be read: say it early."""
    lead = _lead(case)
    if lead is None or lead.verdict != "at_risk" or case.incident.warned or lead.why is None:
        return None
    if lead.why.cause not in ("upstream_late", "unknown") or lead.warn is None or scene.at < lead.warn:
        return None
    names = tuple(dict.fromkeys(n for m in case.missing if m.why for n in m.why.names)) or ("?",)
    left = (
        f"{span((lead.due - scene.at).total_seconds())} left until {scene.clock(lead.due)}"
        if lead.due
        else ""
    )
    title = f"{subject(case.missing)}: {CAUSE_WORDS[lead.why.cause]}, {left}"
    if lead.why.cause == "upstream_late":
        title = f"Upstream late: {', '.join(names)} — delays {subject(case.missing)}; {left}"
    lines = [
        lead.why.detail,
        f"Delayed: {', '.join(m.pipeline.report for m in case.missing)}",
        f"Time left: {left}",
    ]
    message = _say(case, scene, "warning", title, lines, priority="P3", to=_on_call(scene, "primary"))
    incident = replace(case.incident, warned=names)
    return Plan((incident,), _both(message), _event(case, scene, f"warned: {lead.why.detail}"))


def _arrived(case: Case, scene: Scene) -> Plan | None:
    """A table that was warned about has come."""
    late = {load.table for member in case.missing for load in member.facts.late_loads}
    if not case.incident.warned or not case.missing or any(m.facts.blind for m in case.members):
        return None
    owed: list[Owed] = []
    events: list[Event] = []
    known = {load.table for member in case.members for load in member.facts.loads}
    for name in case.incident.warned:
        if name in known - late and ("chat", f"arrived:{name}") not in case.said:
            title = f"{name} has arrived ({scene.clock(scene.at)}); {subject(case.missing)} can go on"
            owed.append(_chat(_say(case, scene, f"arrived:{name}", title, [], section="")))
            events += _event(case, scene, f"{name} arrived")
    return Plan(owed=tuple(owed), events=tuple(events)) if owed else None


def _last_chance(case: Case, scene: Scene) -> Plan | None:
    """From due minus the usual remaining time on, it will most likely be late: a human can still save it."""
    lead = _lead(case)
    if lead is None or lead.verdict != "at_risk" or lead.last_chance is None or scene.at < lead.last_chance:
        return None
    if ("pager", "last-chance") in case.said or not lead.due or not lead.why:
        return None
    left = span((lead.due - scene.at).total_seconds())
    usual = span((lead.due - lead.last_chance).total_seconds())
    title = f"At risk: {subject(case.missing)} — {CAUSE_WORDS[lead.why.cause]}, {left} left"
    lines = [lead.why.detail, f"From here it usually takes {usual}; due at {scene.clock(lead.due)}."]
    message = _say(case, scene, "last-chance", title, lines, priority="P2", to=_on_call(scene, "primary"))
    return Plan(owed=_both(message), events=_event(case, scene, f"at risk: {because(lead.why)}"))


def _failure(case: Case, scene: Scene) -> Plan | None:
    """A task failed for good or a check withheld the report, before the promise is broken (or without a promise)."""
    lead = next((m for m in case.missing if m.why and m.why.cause in ("failed", "held")), None)
    if lead is None or lead.why is None or lead.verdict == "broken":
        return None
    failed = [task for task in lead.facts.tasks if task.state == "failed"]
    failure = f"{failed[-1].run_id}/{failed[-1].task_id}@{failed[-1].ended_at}" if failed else lead.why.detail
    if failure == case.incident.failure:
        return None
    count = case.incident.failures + 1
    title = f"{subject([lead])}: {CAUSE_WORDS[lead.why.cause]} — {lead.why.detail}"
    lines = [lead.why.detail]
    if lead.facts.publication:
        lines.append(f"The report published at {scene.clock(lead.facts.publication.at)} still stands.")
    elif lead.due:
        lines.append(f"{span((lead.due - scene.at).total_seconds())} left until {scene.clock(lead.due)}.")
    message = _say(
        case,
        scene,
        f"failed-{count}",
        title,
        lines,
        priority="P2",
        to=_on_call(scene, "primary"),
        about=(lead,),
    )
    incident = replace(case.incident, failure=failure, failures=count)
    return Plan((incident,), _both(message), _event(case, scene, because(lead.why)))


def _handoff(case: Case, scene: Scene) -> Plan | None:
    """An incident open across the handoff passes to the new pair: the ladder begins anew with them."""
    incident = case.incident
    if not case.missing or incident.paged_at is None:
        return None
    began, now = who_is_on_call(scene.roster, incident.paged_at), who_is_on_call(scene.roster, scene.at)
    if began.primary == now.primary or began.end > scene.at:
        return None
    count = incident.ladder + 1
    title = f"Handed over: {subject(case.missing)} passes from {began.primary} to {now.primary}"
    message = _say(
        case, scene, f"handover-{count}", title, [f"Still not published; {now.primary} is on call now."]
    )
    passed = replace(incident, paged_at=scene.at, ladder=count, acknowledged_at=None, acknowledged_by="")
    return Plan((passed,), (_chat(message),), _event(case, scene, title))


def _ladder(case: Case, scene: Scene) -> Plan | None:
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
        people = tuple(person for person in _on_call(scene, rung.page) if person.opsgenie)
        if not people:
            ahead = (
                scene.roster.escalation[number].after if number < len(scene.roster.escalation) else rung.after
            )
            wait += ahead - rung.after
            continue
        if ("pager", step) in case.said:
            continue
        message = _say(
            case, scene, step, _broken_title(broken, scene), _broken_lines(broken, scene, rung.page, began),
            priority="P1", to=people, about=broken,
        )  # fmt: skip
        owed += _both(message)
        events += _event(case, scene, f"paged {', '.join(p.name for p in people)} ({rung.page})")
    shift = who_is_on_call(scene.roster, scene.at)
    paged = replace(incident, paged_at=began, primary=incident.primary or shift.primary or "")
    return Plan((paged,), tuple(owed), tuple(events))


def _remind(case: Case, scene: Scene) -> Plan | None:
    """Somebody acknowledged long ago and the promise is still broken: ask the same person again."""
    incident = case.incident
    if incident.acknowledged_at is None or not any(m.verdict == "broken" for m in case.missing):
        return None
    number = int((scene.at - incident.acknowledged_at) / REMIND_AFTER)
    if number <= incident.reminders:
        return None
    person = _person(scene, incident.acknowledged_by) or _on_call(scene, "primary")
    ago = span((scene.at - incident.acknowledged_at).total_seconds())
    title = f"Still not published: {subject(case.missing)}, acknowledged {ago} ago"
    lines = [
        f"{incident.acknowledged_by or 'Somebody'} acknowledged at {scene.clock(incident.acknowledged_at)}."
    ]
    message = _say(
        case, scene, f"reminder-{incident.ladder}-{number}", title, lines, priority="P1", to=person
    )
    return Plan((replace(incident, reminders=number),), _both(message), _event(case, scene, "reminded"))


def acknowledge(case: Case, scene: Scene, by: str, *, tell_pager: bool) -> Plan:
    """Somebody has it: escalation stops. `tell_pager`: it was said here, so the far side must hear of it."""
    incident = replace(case.incident, acknowledged_at=scene.at, acknowledged_by=by, reminders=0)
    title = f"Acknowledged by {by or 'somebody'}: {subject(case.members)}"
    message = _say(case, scene, f"acknowledged-{incident.ladder}", title, ["Escalation stops here."])
    owed = [_chat(message)]
    if tell_pager:
        owed += [Owed(incident.key, f"ack:{a}", "pager", "acknowledge", message, a, by) for a in case.aliases]
    return Plan((incident,), tuple(owed), _event(case, scene, f"acknowledged by {by or 'somebody'}"))


def _changed(case: Case, scene: Scene) -> Plan | None:
    """The cause is another one than was said: the thread and the alert hear of it."""
    lead, incident = _lead(case), case.incident
    if lead is None or lead.why is None or (incident.paged and _settling(lead, scene)):
        return None
    now = replace(
        incident, verdict=lead.verdict, cause=lead.why.cause, detail=lead.why.detail, names=lead.why.names
    )
    same = (incident.cause, incident.names) == (lead.why.cause, lead.why.names)
    if same or not case.spoken or not incident.paged or incident.changes >= LATEST_CHANGES:
        return Plan((now,))
    step = f"cause-{incident.changes + 1}"
    title = f"{subject(case.missing)}: now {because(lead.why)}"
    message = _say(
        case, scene, step, title, [f"Before: {CAUSE_WORDS.get(incident.cause, '?')}: {incident.detail}"]
    )
    owed = [_chat(message)]
    owed += [Owed(incident.key, f"{step}:{a}", "pager", "note", message, a) for a in case.aliases]
    return Plan((replace(now, changes=incident.changes + 1),), tuple(owed), _event(case, scene, title))


def _settling(lead: Judged, scene: Scene) -> bool:
    """A task has just ended and the next is about to start: not a cause yet."""
    ends = [task.ended_at for task in lead.facts.tasks]
    return bool(ends) and all(ends) and scene.at - max(e for e in ends if e) < SETTLES_WITHIN


def _landed(case: Case, scene: Scene) -> Plan | None:
    """One of several reports is there, others are still missing."""
    if not case.missing or not case.spoken:
        return None
    owed = []
    for member in case.members:
        step = f"landed:{member.pipeline.dag_id}"
        if member.done and ("chat", step) not in case.said:
            title = (
                f"{subject([member])}: published, {_how_late(member)}; still missing: {subject(case.missing)}"
            )
            owed.append(_chat(_say(case, scene, step, title, [], about=(member,), section="")))
    return Plan(owed=tuple(owed)) if owed else None


def _resolve(case: Case, scene: Scene) -> Plan | None:
    """Everything this incident speaks for is published: close the alerts, tell the thread how late."""
    if case.missing:
        return None
    late = max((m.late_by.total_seconds() for m in case.members if m.late_by), default=0.0)
    verdict = "late" if late else "kept"
    done = replace(case.incident, resolved_at=scene.at, verdict=verdict, late_s=late or None)
    if not case.spoken:
        return Plan((done,))
    said = "; ".join(f"{m.pipeline.title}: {_how_late(m)}" for m in case.members)
    title = f"Resolved: {subject(case.members)} — {_how_late(case.members[0]) if len(case.members) == 1 else said}"
    made = [m.facts.publication for m in case.members if m.facts.publication]
    lines = [f"Published at {scene.clock(max(p.first_at for p in made))}." if made else "", said]
    message = _say(case, scene, "resolved", title, lines[:1] if len(case.members) == 1 else lines, section="")
    owed = [_chat(message), Owed(done.key, "headline:resolved", "chat", "update", message)]
    owed += [Owed(done.key, f"close:{alias}", "pager", "close", message, alias) for alias in case.aliases]
    return Plan((done,), tuple(owed), _event(case, scene, title), (done.key,))


def stale(case: Case, scene: Scene) -> Plan:
    """Rows came upstream after the publication: one notice, with the steps to run the day again."""
    member = case.members[0]
    tables = ", ".join(load.table for load in member.facts.changed_since)
    title = f"Stale: {subject([member])} was published before {tables} changed"
    lines = [
        *(f"{x.table} loaded again at {scene.clock(x.loaded_at)}" for x in member.facts.changed_since),
        "Run the day again (safe: it replaces that day in one transaction):",
        f'airflow dags trigger {member.pipeline.dag_id} --conf \'{{"report_date": "{member.report_date}"}}\'',
    ]
    newest = max(load.loaded_at for load in member.facts.changed_since if load.loaded_at)
    message = _say(case, scene, f"stale:{newest.isoformat()}", title, lines, section="after", about=(member,))
    return Plan((case.incident,), (_chat(message),), _event(case, scene, title))


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


def _how_late(member: Judged) -> str:
    return f"{span(member.late_by.total_seconds())} late" if member.late_by else "in time"


def _lead(case: Case) -> Judged | None:
    return case.missing[0] if case.missing else None


def _say(
    case: Case,
    scene: Scene,
    step: str,
    title: str,
    lines: Sequence[str] | Iterator[str],
    *,
    priority: str = "P3",
    to: Sequence[Recipient] = (),
    about: Sequence[Judged] = (),
    section: str | None = None,
) -> Message:
    members = tuple(about) or case.missing or case.members
    why = members[0].why
    cause = section if section is not None else (why.cause if why and to else "")
    return compose(
        scene, case.incident, step, title, members,
        priority=priority, lines=tuple(lines), recipients=to, section=cause,
    )  # fmt: skip


def _on_call(scene: Scene, seat: str) -> tuple[Recipient, ...]:
    shift = who_is_on_call(scene.roster, scene.at)
    person = {"primary": shift.primary, "secondary": shift.secondary, "manager": scene.roster.manager}[seat]
    return (scene.roster.recipient(person),) if person else ()


def _person(scene: Scene, username: str) -> tuple[Recipient, ...]:
    people = (scene.roster.recipient(each) for each in scene.roster.people)
    return tuple(each for each in people if username and username in (each.name, each.opsgenie))


def _chat(message: Message, op: Op = "post") -> Owed:
    return Owed(message.key, message.step, "chat", op, message)


def _both(message: Message) -> tuple[Owed, ...]:
    channels: tuple[tuple[Channel, Op], ...] = (("pager", "page"), ("chat", "post"))
    return tuple(
        Owed(message.key, message.step, channel, op, message, message.alias if op == "page" else "")
        for channel, op in channels
    )


def _event(case: Case, scene: Scene, what: str) -> tuple[Event, ...]:
    return (Event(case.incident.key, scene.at, what),)
