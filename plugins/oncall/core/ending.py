"""What is said once an incident moves: another cause, a report that lands, the resolution, a stale report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace

from oncall.core.case import Case, chat, event, how_late, say
from oncall.core.incident import Entry, Incident, Owed, Plan
from oncall.core.message import Message
from oncall.core.verdict import CAUSE_WORDS, Judged
from oncall.core.wording import Scene, because, subject

SETTLES_WITHIN = dt.timedelta(minutes=1)
LATEST_CHANGES = 20  # causes that flap are said this often, then the thread stays quiet


def changed(case: Case, scene: Scene) -> Plan | None:
    """The cause is another one than was said: the thread and the alert hear of it."""
    lead, incident = case.lead, case.incident
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
    message = say(
        case, scene, step, title, [f"Before: {CAUSE_WORDS.get(incident.cause, '?')}: {incident.detail}"]
    )
    owed = [chat(message)]
    owed += [Owed(incident.key, f"{step}:{a}", "pager", "note", message, a) for a in case.aliases]
    return Plan((replace(now, changes=incident.changes + 1),), tuple(owed), event(case, scene, title))


def _settling(lead: Judged, scene: Scene) -> bool:
    """A task has just ended and the next is about to start: not a cause yet."""
    ends = [task.ended_at for task in lead.facts.tasks]
    return bool(ends) and all(ends) and scene.at - max(e for e in ends if e) < SETTLES_WITHIN


def landed(case: Case, scene: Scene) -> Plan | None:
    """One of several reports is there, others are still missing."""
    if not case.missing or not case.spoken:
        return None
    owed = []
    for member in case.members:
        step = f"landed:{member.pipeline.dag_id}"
        if member.done and ("chat", step) not in case.said:
            title = (
                f"{subject([member])}: published, {how_late(member)}; still missing: {subject(case.missing)}"
            )
            owed.append(chat(say(case, scene, step, title, [], about=(member,), section="")))
    return Plan(owed=tuple(owed)) if owed else None


def resolve(case: Case, scene: Scene) -> Plan | None:
    """Everything this incident speaks for is published: close the alerts, tell the thread how late."""
    if case.missing:
        return None
    late = max((m.late_by.total_seconds() for m in case.members if m.late_by), default=0.0)
    verdict = "late" if late else "kept"
    done = replace(case.incident, resolved_at=scene.at, verdict=verdict, late_s=late or None)
    if not case.spoken:
        return Plan((done,))
    said = "; ".join(f"{m.pipeline.title}: {how_late(m)}" for m in case.members)
    title = (
        f"Resolved: {subject(case.members)} — {how_late(case.members[0]) if len(case.members) == 1 else said}"
    )
    made = max(m.facts.publication.first_at for m in case.members if m.facts.publication)
    lines = [f"Published at {scene.clock(made)}.", said]
    message = say(case, scene, "resolved", title, lines[:1] if len(case.members) == 1 else lines, section="")
    owed = [
        chat(message),
        Owed(done.key, "headline:resolved", "chat", "update", message),
        *_closes(case, message),
    ]
    return Plan((done,), tuple(owed), event(case, scene, title))


def moved(case: Case, scene: Scene) -> Plan | None:
    """It was paged for, and the configuration has moved its due time since, or promises it no more: that is an end.

    Should it be missing at the new time, that is another incident.
    """
    lead = case.lead
    if lead is None or not case.incident.paged or any(member.verdict == "broken" for member in case.missing):
        return None
    now = f"is due at {scene.clock(lead.due)} now" if lead.due else "is not promised any more"
    title = f"Not late any more: {subject(case.missing)} {now}"
    message = say(
        case, scene, "moved", title, ["The configuration has changed; alerts are being closed."], section=""
    )
    return _ended(case, scene, message, "moved")


def removed(incident: Incident, entries: Sequence[Entry], scene: Scene) -> Plan:
    """Its pipeline is not configured any more: nobody will say that it is over, so this does."""
    case = Case(incident, (), tuple(entries))
    title = f"Not watched any more: {incident.dag_id}, report of {incident.report_date.isoformat()}"
    message = Message(
        incident.key, "removed", title, "Its pipeline was removed from the configuration; alerts are being closed.",
        links=(("On-call page", scene.links.oncall()),), channel=scene.roster.slack_channel,
    )  # fmt: skip
    return _ended(case, scene, message, "removed")


def _ended(case: Case, scene: Scene, message: Message, verdict: str) -> Plan:
    done = replace(case.incident, resolved_at=scene.at, verdict=verdict)
    owed = [
        chat(message),
        Owed(done.key, "headline:resolved", "chat", "update", message),
        *_closes(case, message),
    ]
    return Plan((done,), tuple(owed if case.spoken else ()), event(case, scene, message.title))


def _closes(case: Case, message: Message) -> Iterator[Owed]:
    for alias in case.aliases:
        yield Owed(case.incident.key, f"close:{alias}", "pager", "close", message, alias)


def stale(case: Case, scene: Scene) -> Plan:
    """Rows came upstream after the publication: one notice, with the command that runs again what is stale."""
    member = case.members[0]
    tables = ", ".join(load.table for load in member.facts.changed_since)
    title = f"Stale: {subject([member])} was published before {tables} changed"
    lines = [
        *(f"{x.table} changed at {scene.clock(x.loaded_at)}" for x in member.facts.changed_since),
        "Run it again with each later day that depends on it, oldest first (each changed number is restated):",
        "python -m oncall stale --rerun (or the DAG oncall_rerun_stale); without --rerun it lists them.",
        "This day alone: airflow dags trigger"
        f' {member.pipeline.dag_id} --conf \'{{"report_date": "{member.report_date}"}}\'',
    ]
    newest = max(load.loaded_at for load in member.facts.changed_since if load.loaded_at)
    message = say(case, scene, f"stale:{newest.isoformat()}", title, lines, section="after", about=(member,))
    return Plan((case.incident,), (chat(message),), event(case, scene, title))
