"""What is said once an incident moves: another cause, a report that lands, the resolution, a stale report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace

from oncall.core.incidents.arrivals import arrivals, came_words, runs_since_then, waited_for
from oncall.core.incidents.context import IncidentContext, ends_with, event, how_late, post
from oncall.core.incidents.failures import has_failed, has_stopped, is_told_failure, with_failures
from oncall.core.incidents.incident import (
    MOVED,
    REMOVED,
    Event,
    Incident,
    Notification,
    NotificationStatus,
    Plan,
)
from oncall.core.incidents.incident_words import STALE
from oncall.core.incidents.same_cause import is_run_again
from oncall.core.incidents.titles import names, reason_of, short, titled
from oncall.core.incidents.wording import Scene, subject, titles
from oncall.core.message import Message
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.run_cause import OPEN, STARTS_WITHIN, WAIT
from oncall.core.promises.unseen import is_hiccup
from oncall.core.promises.why import Why
from oncall.core.runbook import led_by
from oncall.core.time_format import span

SETTLES_WITHIN = dt.timedelta(minutes=1)
LANDED = "landed:"  # and how many have
LATEST_CHANGES = 20  # causes that flap are said this often, then the thread stays quiet


def changed(context: IncidentContext, scene: Scene) -> Plan | None:
    """The cause is another one than was said: the thread and the alert hear of it."""
    lead, incident = context.lead, context.incident
    # An alert of this very look says it, and its sender reads it here.
    said_now = context.told_now or incident.paged_at == scene.at
    if lead is None or lead.why is None or (not said_now and _settling(context, lead, scene)):
        return None
    now = replace(incident.told(lead.why), verdict=context.members[0].verdict)
    news: list[PromiseStatus] = []
    if incident.paged:  # a page tells of late tables too, and that they have come is told in turn
        now = replace(now, warned=tuple(dict.fromkeys((*incident.warned, *_late_tables(context)))))
        news = [] if said_now else [m for m in context.broken if _is_news(m, incident, first=m is lead)]
        now = with_failures(now, context.broken)
    same = (incident.cause, incident.names) == (lead.why.cause, lead.why.names)
    same = same or incident.cause == lead.why.cause == "running"  # that it gets on is no other cause
    told = incident.paged or _warned_otherwise(incident, lead.why)
    turned = [] if same or said_now or not told else [context]
    one = len({short(member.why) for member in context.missing}) == 1  # then it is said of all
    apart = [m for m in news if not (turned and (one or m is lead))]
    alike = [[m for m in apart if short(m.why) == why] for why in dict.fromkeys(short(m.why) for m in apart)]
    turned += [context.about(*members) for members in alike]
    waited = waited_for(arrivals(context), context.missing)
    with_arrival = len(waited) == len(context.missing) and bool(runs_since_then(waited))
    owed: list[Notification] = []
    events: list[Event] = []
    for about in turned if context.spoken else ():
        if now.changes >= LATEST_CHANGES:
            break
        now = replace(now, changes=now.changes + 1)
        message = _new_cause(about, scene, f"cause-{now.changes}")
        if not with_arrival:  # the thread hears it there
            owed.append(post(message))
        owed += [
            Notification(incident.key, f"{message.step}:{a}", "pager", "note", message, a)
            for a in context.aliases
        ]
        events += event(context, scene, message.title)
    return Plan((now,), tuple(owed), tuple(events))


def _is_news(member: PromiseStatus, incident: Incident, *, first: bool) -> bool:
    """Whether a late report has failed or stopped, and nobody was told. That the `first` one, which is spoken of, has
    stopped is another cause."""
    return (has_failed(member) if first else has_stopped(member)) and not is_told_failure(member, incident)


def _new_cause(context: IncidentContext, scene: Scene, step: str) -> Message:
    reason, why = reason_of(context.missing), context.missing[0].why
    now_said = reason if why and why.cause == "failed" else f"now {reason}"  # "transform failed at 05:01: …"
    return context.notice(scene, step, titled(context.missing, lambda about: f"{about}: {now_said}"))


def _late_tables(context: IncidentContext) -> Iterator[str]:
    waiting = (member.why for member in context.missing if member.why)
    return (name for why in waiting if why.cause == "upstream_late" for name in why.names)


def _warned_otherwise(incident: Incident, why: Why) -> bool:
    """Nobody was paged yet, and the warning told of another cause: a failure has a message of its own."""
    return bool(incident.cause) and why.cause not in (incident.cause, "failed", "held", "running")


def _settling(context: IncidentContext, lead: PromiseStatus, scene: Scene) -> bool:
    """A task has just ended and the next is about to start, or what it waited for has just come, or nothing can be read
    for a moment: not a cause yet."""
    if is_hiccup(lead.why, lead.facts, scene.at):
        return context.spoken
    if not context.incident.paged:
        return False
    if lead.why and lead.why.cause == "running" and lead.why.names == (WAIT,):
        return True
    ends = [task.ended_at for task in lead.facts.tasks]
    return bool(ends) and all(ends) and scene.at - max(e for e in ends if e) < SETTLES_WITHIN


def landed(context: IncidentContext, scene: Scene) -> Plan | None:
    """Some of several reports are there, others are still missing: said once, however many came since the last look."""
    done = [member for member in context.members if member.done]
    told = (step.rpartition(":")[2] for channel, step in context.said if step.startswith(LANDED))
    if not done or not context.missing or not context.spoken or str(len(done)) in told:
        return None
    if not context.incident.paged and all(map(is_run_again, context.missing)):
        return None  # nobody waits for the days that are run again: their end tells of all
    ways = [f"{name}: published, {how_late(m)}" for name, m in zip(titles(done), done, strict=True)]
    what, lines = f"{subject(done)}: published, {how_late(done[0])}", []
    if len(done) > 1:
        what, lines = f"{len(done)} of {len(context.members)} reports published", ["; ".join(ways)]
    missing = [member for member in context.missing if member.facts.publication is None]
    still = "still missing" if missing else "run again and failed"
    title = titled(missing or context.missing, str, f"{what}; {still}: ")
    message = context.about(*done).notice(scene, f"{LANDED}{len(done)}", title, lines)
    return Plan(owed=(post(message),))


def resolve(context: IncidentContext, scene: Scene) -> Plan | None:
    """Everything this incident speaks for is published: close the alerts, tell the thread how late.

    Its own record is that of its own report, however late those were that were told with it.
    """
    if context.missing or (context.incident.failures and _is_run_again(context, scene)):
        return None
    late = max((m.late_by.total_seconds() for m in context.members if m.late_by), default=None)
    own = context.members[0]
    its_late_s = own.late_by.total_seconds() if own.late_by else None
    done = replace(context.incident, resolved_at=scene.at, verdict=own.verdict, late_s=its_late_s)
    if not context.spoken:
        return Plan((done,))
    first = [m.facts.publication.first_at for m in context.members if m.facts.publication]
    if context.incident.failures and not context.incident.paged and max(first) < context.incident.opened_at:
        return _run_again_is_over(replace(context, incident=done), scene)
    each = zip(titles(context.members), context.members, strict=True)
    said = "; ".join(f"{name}: {how_late(member)}" for name, member in each)
    how = how_late(context.members[0])
    made = max(m.facts.publication.first_at for m in context.members if m.facts.publication)
    if len(context.members) > 1:
        how = f"up to {span(late)} late" if late else "in time"
    title = titled(context.members, lambda about: f"Resolved: {about} — {how}, published {scene.when(made)}")
    alike = len({how_late(member) for member in context.members}) == 1
    came = arrivals(context)
    lines = [*([] if alike else [said]), *([came_words(came, scene)] if came else [])]
    message = context.notice(scene, "resolved", title, lines)
    return Plan((done,), ends_with(message, context.aliases), event(context, scene, title))


def _run_again_is_over(context: IncidentContext, scene: Scene) -> Plan:
    """They were published before, and it was a later run that had failed. How late they were is no news."""
    made = max(m.facts.publication.at for m in context.members if m.facts.publication)
    again = made >= context.incident.opened_at
    how = f"published again {scene.when(made)}" if again else "the failure no longer stands"
    title = titled(context.members, lambda about: f"Resolved: {about} — {how}")
    message = context.notice(scene, "resolved", title)
    return Plan((context.incident,), ends_with(message, context.aliases), event(context, scene, title))


def _is_run_again(context: IncidentContext, scene: Scene) -> bool:
    """What failed after a publication was cleared, and goes on: it is over when it publishes, told when it fails."""
    for member in context.members:
        made = member.facts.publication
        since = [task for task in member.facts.tasks if made and task.started_at > made.at]
        if any(task.state in OPEN for task in since):
            return True
        last = since[-1] if since else None
        if last and last.task_id != "publish" and last.ended_at and scene.at < last.ended_at + STARTS_WITHIN:
            return True
    return False


def moved(context: IncidentContext, scene: Scene) -> Plan | None:
    """It was paged for, and the configuration has moved its due time since, or promises it no more: that is an end.

    Should it be missing at the new time, that is another incident.
    """
    lead, incident = context.lead, context.incident
    if lead is None or not incident.paged or any(member.overdue for member in context.missing):
        return None
    if incident.due == lead.due:  # a clock is behind, or was set back: the due time is what it was
        return None
    context = replace(context, incident=replace(incident, due=lead.due))
    are = "are" if len(context.missing) > 1 else "is"
    now = f"{are} due {scene.when(lead.due)} now" if lead.due else f"{are} not promised any more"
    title = titled(context.missing, lambda about: f"Not late any more: {about} {now}")
    message = context.notice(scene, context.another(MOVED), title, ["The configuration has changed."])
    return _ended(context, scene, message, MOVED)


def removed(
    incident: Incident,
    entries: Sequence[NotificationStatus],
    scene: Scene,
    leading: Sequence[NotificationStatus] = (),
) -> Plan:
    """Its pipeline is not configured any more: nobody will say that it is over, so this does, where it was told of.

    `leading`: what was said of the incident that speaks for it.
    """
    context = IncidentContext(incident, (), tuple(entries))
    title = f"Not watched any more: {incident.dag_id}, report of {incident.report_date.isoformat()}"
    message = Message(
        incident.key, context.another(REMOVED), title, "Its pipeline was removed from the configuration.",
        links=(("On-call page", scene.links.oncall()),), channel=scene.roster.slack_channel,
    )  # fmt: skip
    ended = _ended(context, scene, message, REMOVED)
    if incident.leader and incident.paged:
        thread = IncidentContext(incident, (), tuple(leading))
        step = thread.another(f"{REMOVED}:{incident.key}")
        told = replace(message, key=incident.leader, step=step)
        ended = replace(ended, owed=(*ended.owed, post(told)))
    return ended


def _ended(context: IncidentContext, scene: Scene, message: Message, verdict: str) -> Plan:
    done = replace(context.incident, resolved_at=scene.at, verdict=verdict)
    owed = ends_with(message, context.aliases) if context.spoken else ()
    return Plan((done,), owed, event(context, scene, message.title))


RERUN_DAG = "oncall_rerun_stale"
RUN_AGAIN = (
    "run it and each later day that depends on it again, oldest first: python -m oncall stale --rerun, or trigger the"
    f" DAG {RERUN_DAG}."
)


def stale(context: IncidentContext, scene: Scene) -> Plan:
    """Rows came upstream after the publication: one notice, with the command that runs again what is stale."""
    member = context.members[0]
    tables = names([load.table for load in member.facts.changed_since])
    title = f"{STALE}{subject([member])}: {tables} changed since"
    lines = [
        *(f"{x.table} changed {scene.when(x.loaded_at)}" for x in member.facts.changed_since),
        "How many days depend on it stands under Its numbers; python -m oncall stale lists each."
        " A number that a run changes is noted as restated.",
        "This day alone: airflow dags trigger"
        f' {member.pipeline.dag_id} --conf \'{{"report_date": "{member.report_date}"}}\'',
    ]
    newest = max(load.loaded_at for load in member.facts.changed_since if load.loaded_at)
    message = context.about(member).notice(
        scene, f"stale:{newest.isoformat()}", title, lines, section="after"
    )
    links = (
        *message.links,
        ("Its numbers", scene.links.report(member.pipeline.report)),
        ("Run stale days again", scene.links.dag(RERUN_DAG)),
    )
    message = replace(message, steps=led_by(message.steps, RUN_AGAIN), links=links)
    return Plan((context.incident,), (post(message),), event(context, scene, title))
