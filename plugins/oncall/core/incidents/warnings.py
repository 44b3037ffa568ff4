"""What an incident needs before the promise is broken: warnings, arrivals, the last chance, failures."""

from __future__ import annotations

from dataclasses import replace

from oncall.core.incidents.context import IncidentContext, event, message_for, on_call, page_and_post, post
from oncall.core.incidents.incident import Event, Notification, Plan
from oncall.core.incidents.wording import Scene, because, subject
from oncall.core.message import Message
from oncall.core.promises.evaluation import CAUSE_WORDS
from oncall.core.time_format import span


def warn(context: IncidentContext, scene: Scene) -> Plan | None:
    """Upstream is late at the warning time, or the warehouse cannot be read: say it early."""
    message = None if ("chat", "warning") in context.said else warning_message(context, scene)
    if message is None or context.lead is None or context.lead.why is None:
        return None
    incident = replace(context.incident, warned=_warned_of(context))
    return Plan(
        (incident,), page_and_post(message), event(context, scene, f"warned: {context.lead.why.detail}")
    )


def _warned_of(context: IncidentContext) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for m in context.missing if m.why for n in m.why.names)) or ("?",)


def warning_message(context: IncidentContext, scene: Scene) -> Message | None:
    """The warning as it is true now; None when there is nothing to warn of."""
    lead = context.lead
    if lead is None or lead.verdict != "at_risk" or lead.why is None:
        return None
    if lead.why.cause not in ("upstream_late", "unknown") or lead.warn is None or scene.at < lead.warn:
        return None
    names = _warned_of(context)
    left = (
        f"{span((lead.due - scene.at).total_seconds())} left until {scene.clock(lead.due)}"
        if lead.due
        else ""
    )
    title = f"{subject(context.missing)}: {CAUSE_WORDS[lead.why.cause]}, {left}"
    if lead.why.cause == "upstream_late":
        title = f"Upstream late: {', '.join(names)} — delays {subject(context.missing)}; {left}"
    lines = [
        lead.why.detail,
        f"Delayed: {', '.join(m.pipeline.report for m in context.missing)}",
        f"Time left: {left}",
    ]
    return message_for(context, scene, "warning", title, lines, priority="P3", to=on_call(scene, "primary"))


def arrived(context: IncidentContext, scene: Scene) -> Plan | None:
    """A table that was warned about has come (the report may be there too by now: it is said all the same)."""
    if not context.incident.warned or any(member.facts.blind for member in context.members):
        return None
    owed: list[Notification] = []
    events: list[Event] = []
    loads = {load.table: load for member in context.members for load in member.facts.loads}
    for name in context.incident.warned:
        load = loads.get(name)
        if load and load.state == "fresh" and ("chat", f"arrived:{name}") not in context.said:
            goes_on = f"; {subject(context.missing)} can go on" if context.missing else ""
            title = f"{name} has arrived ({scene.clock(load.loaded_at)}){goes_on}"
            owed.append(post(message_for(context, scene, f"arrived:{name}", title, [], section="")))
            events += event(context, scene, f"{name} arrived")
    return Plan(owed=tuple(owed), events=tuple(events)) if owed else None


def last_chance(context: IncidentContext, scene: Scene) -> Plan | None:
    """From due minus the usual remaining time on, it will most likely be late: a human can still save it."""
    message = None if ("pager", "last-chance") in context.said else last_chance_message(context, scene)
    if message is None or context.lead is None:
        return None
    return Plan(
        owed=page_and_post(message), events=event(context, scene, f"at risk: {because(context.lead.why)}")
    )


def last_chance_message(context: IncidentContext, scene: Scene) -> Message | None:
    """The same as it is true now; None when it is not."""
    lead = context.lead
    if lead is None or lead.verdict != "at_risk" or lead.last_chance is None or scene.at < lead.last_chance:
        return None
    if not lead.due or not lead.why:
        return None
    left = span((lead.due - scene.at).total_seconds())
    usual = span((lead.due - lead.last_chance).total_seconds())
    title = f"At risk: {subject(context.missing)} — {CAUSE_WORDS[lead.why.cause]}, {left} left"
    lines = [lead.why.detail, f"From here it usually takes {usual}; due at {scene.clock(lead.due)}."]
    return message_for(
        context, scene, "last-chance", title, lines, priority="P2", to=on_call(scene, "primary")
    )


def failure(context: IncidentContext, scene: Scene) -> Plan | None:
    """A task failed for good or a check withheld the report, before the promise is broken (or without a promise)."""
    lead = next(
        (m for m in context.missing if m.why and (m.why.cause in ("failed", "held") or m.facts.gone)), None
    )
    if lead is None or lead.why is None or lead.verdict == "broken":
        return None
    failed = lead.facts.failures
    failure = f"{failed[-1].run_id}/{failed[-1].task_id}@{failed[-1].ended_at}" if failed else lead.why.detail
    if failure == context.incident.failure:
        return None
    count = context.incident.failures + 1
    title = f"{subject([lead])}: {CAUSE_WORDS[lead.why.cause]} — {lead.why.detail}"
    lines = [lead.why.detail]
    if lead.facts.publication:
        lines.append(f"The report published at {scene.clock(lead.facts.publication.at)} still stands.")
    elif lead.due:
        lines.append(f"{span((lead.due - scene.at).total_seconds())} left until {scene.clock(lead.due)}.")
    message = message_for(
        context,
        scene,
        f"failed-{count}",
        title,
        lines,
        priority="P2",
        to=on_call(scene, "primary"),
        about=(lead,),
    )
    incident = replace(context.incident, failure=failure, failures=count)
    return Plan((incident,), page_and_post(message), event(context, scene, because(lead.why)))
