"""What an incident needs before the promise is broken: warnings, the last chance, failures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from oncall.core.incidents.context import IncidentContext, event, on_call, page_and_post, post
from oncall.core.incidents.failures import has_failed, is_told_failure, with_failures, woke_for_failure
from oncall.core.incidents.incident import REMOVED, NotificationStatus, Plan
from oncall.core.incidents.same_cause import TOLD_LATELY, is_run_again, struck_together
from oncall.core.incidents.titles import names, reason_of, titled
from oncall.core.incidents.wording import Scene, because, first_due
from oncall.core.message import Message
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import Load
from oncall.core.promises.run_cause import open_task
from oncall.core.rota.on_call import who_is_on_call
from oncall.core.time_format import between, span

# An acknowledgement holds so long; whoever gave it on what is late by then is asked again.
REMIND_AFTER = dt.timedelta(minutes=60)
TOO_LATE = dt.timedelta(seconds=30)  # to wake somebody who is woken at the due instant anyhow


def warn(context: IncidentContext, scene: Scene) -> Plan | None:
    """Upstream is late at the warning time, no run comes, one hangs, nothing can be seen: say it early."""
    message = None if ("chat", "warning") in context.said else warning_message(context, scene)
    if message is None or context.lead is None or context.lead.why is None:
        return None
    incident = replace(context.incident, warned=_warned_of(context))
    why = context.lead.why
    told = because(why) if why.cause == "stuck" else why.detail  # which alone does not say that a task hangs
    return Plan((incident,), page_and_post(message), event(context, scene, f"warned: {told}"))


def _warned_of(context: IncidentContext) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for m in context.missing if m.why for n in m.why.names)) or ("?",)


def warning_message(context: IncidentContext, scene: Scene) -> Message | None:
    """The warning as it is true now; None when there is nothing to warn of."""
    lead = context.lead
    if lead is None or lead.verdict != "at_risk" or lead.why is None:
        return None
    if not _is_warned_of(lead, scene):
        return None
    if lead.last_chance is not None and scene.at >= lead.last_chance:
        return None  # that is said instead, and louder
    reason = reason_of(context.missing)
    if lead.why.cause == "upstream_late":
        loads = (load for member in context.missing for load in member.facts.late_loads)
        late = f"{names(_warned_of(context))} {late_or_partial(loads)}"
        title = titled(context.missing, lambda about: f"{late}: delays {about}{due_words(lead, scene)}")
    else:
        title = titled(context.missing, lambda about: f"{about}{due_words(lead, scene)}: {reason}")
    return context.alert(scene, "warning", title, [], priority="P3", to=on_call(scene, "primary"))


def late_or_partial(loads: Iterable[Load]) -> str:
    """ "late", "partial" or "late or partial", as these loads are."""
    states = {load.state for load in loads}
    return " or ".join(state for state in ("late", "partial") if state in states)


def due_words(lead: PromiseStatus, scene: Scene) -> str:
    """ ", due 05:00 in 50 min"; nothing where nothing is promised."""
    if lead.due is None:
        return ""
    left = f" in {between(scene.at, lead.due)}" if lead.due > scene.at else ""
    return f", due {scene.clock(lead.due)}{left}"


def _is_warned_of(lead: PromiseStatus, scene: Scene) -> bool:
    """What may still come by itself, from the warning time on; what will not, as soon as it is known."""
    assert lead.why is not None
    if lead.why.cause in ("upstream_late", "unknown"):
        return lead.warn is not None and scene.at >= lead.warn
    return lead.why.cause in ("not_started", "stuck") and not lead.facts.gone


def join(context: IncidentContext, scene: Scene) -> Plan | None:
    """Another report is hit by what somebody was told of before: their thread hears of it, and nobody is woken again.

    Where all of it is late by now, or about to be, a page or who has it is about to name each.
    """
    if not context.spoken or not context.joining:
        return None
    missing = [member for member in context.joining if not member.done]
    if not context.incident.paged:  # of what nobody waits for, `failure` tells
        missing = [member for member in missing if not is_run_again(member)]
    if not missing:
        return None
    incident = with_failures(context.incident, missing)
    tables = [name for m in missing if m.why and m.why.cause == "upstream_late" for name in m.why.names]
    incident = replace(incident, warned=tuple(dict.fromkeys((*incident.warned, *tables))))
    if (context.broken and not incident.paged) or last_chance(context, scene) is not None:
        return Plan((incident,))
    return _told_too(replace(context, incident=incident), scene, missing)


def _told_too(
    context: IncidentContext, scene: Scene, hit: Sequence[PromiseStatus], how: Literal["too", "again"] = "too"
) -> Plan:
    first = hit[0]
    is_late = all(member.overdue and member.verdict != "unknown" for member in hit)
    late = f", late since {scene.clock(first_due(hit))}" if is_late else ""
    title = titled(hit, lambda about: f"{about} {how}{late}: {reason_of(hit)}")
    failed = f"@{first.facts.failure.ended_at}" if first.facts.failure else ""
    which = f"{first.pipeline.dag_id}:{first.report_date}"
    put_back = sum(said.startswith(f"{REMOVED}:{which}") for _, said in context.said)
    step = f"join:{which}{failed}" + (f"#{put_back}" if put_back else "")
    message = context.about(*hit).notice(scene, step, title)
    return Plan((context.incident,), (post(message),), event(context, scene, title))


def last_chance(context: IncidentContext, scene: Scene) -> Plan | None:
    """From due minus the usual remaining time on, it will most likely be late: a human can still save it."""
    known = in_hand(context, scene) is not None
    told = ("chat" if known else "pager", "last-chance") in context.said
    message = None if told else last_chance_message(context, scene)
    at_risk = _at_their_last_chance(context, scene)
    if message is None or any(_failure_is_news(member, context, scene) for member in at_risk):
        return None
    why = at_risk[0].why
    late = why is not None and why.cause == "upstream_late"
    incident = replace(context.incident, warned=_warned_of(context)) if late else context.incident
    owed = (post(message),) if known else page_and_post(message)
    return Plan((incident,), owed, event(context, scene, f"at risk: {because(why)}"))


def _at_their_last_chance(context: IncidentContext, scene: Scene) -> list[PromiseStatus]:
    at_risk = (member for member in context.missing if member.verdict == "at_risk")
    return [member for member in at_risk if member.last_chance and scene.at >= member.last_chance]


def in_hand(context: IncidentContext, scene: Scene) -> dt.datetime | None:
    """When the person on call was woken before the due instant, where somebody has acknowledged all of it since.

    They have it then, also when it is late: for an hour, a failure until another trouble stands in its place, and each
    until another primary is on call. A warning is to wake nobody: who acknowledged that may be asleep, as may whoever
    acknowledged long ago.
    """
    incident, early = context.incident, [e for e in context.entries if wakes_early(e)]
    taken = incident.acknowledged_at
    if taken is None or incident.paged or scene.at - taken >= REMIND_AFTER:
        return None
    if who_is_on_call(scene.roster, taken).primary != scene.shift.primary:
        return None
    newest = max(early, key=lambda entry: entry.owed_at or scene.at, default=None)
    if newest is None or newest.owed_at is None or taken < newest.owed_at:
        return None
    failed = newest.step.startswith("failed-")
    known = all(m.why and m.why.cause in ("failed", "held", "running") for m in context.missing)
    return newest.owed_at if known or not failed else None


def wakes_early(entry: NotificationStatus) -> bool:
    """It is to wake somebody before the due instant."""
    return entry.op == "page" and entry.step.startswith(("last-chance", "failed-"))


def _failure_is_news(member: PromiseStatus, context: IncidentContext, scene: Scene) -> bool:
    """It failed a moment ago: that is told by itself, to the same person and as loud."""
    if not has_failed(member):
        return False
    if not is_told_failure(member, context.incident):
        return True
    pages = (e for e in context.entries if e.op == "page" and e.step.startswith("failed-"))
    told = [e.done_at or (scene.at if e.alive else e.owed_at or scene.at) for e in pages]
    return not told or scene.at - max(told) < TOLD_LATELY


def last_chance_message(context: IncidentContext, scene: Scene) -> Message | None:
    """The same as it is true now; None when it is not."""
    lead = next(iter(_at_their_last_chance(context, scene)), None)
    if lead is None or not lead.due or not lead.last_chance or not lead.why:
        return None
    paged = context.incident.paged_at
    if _is_late_in_a_moment(lead, scene) or (paged and lead.due <= paged):
        return None  # the latter by a clock that was set back
    usual, reason = span((lead.due - lead.last_chance).total_seconds()), reason_of(context.missing)
    title = titled(context.missing, lambda about: f"At risk: {about}{due_words(lead, scene)}: {reason}")
    task = open_task(lead.facts)
    line = f"From {task.task_id} on it usually takes {usual}." if task else f"A run usually takes {usual}."
    if not lead.facts.usual.remaining:
        line = f"Its usual time is not known yet: counted as {usual}."
    if len(context.missing) > 1:
        line = f"{lead.pipeline.title}: {line[0].lower()}{line[1:]}"
    to = () if in_hand(context, scene) else on_call(scene, "primary")
    return context.alert(scene, "last-chance", title, [line], priority="P2", to=to)


def _is_late_in_a_moment(member: PromiseStatus, scene: Scene) -> bool:
    """Then that is said, and wakes whoever is on call."""
    return member.facts.publication is None and member.due is not None and member.due - scene.at < TOO_LATE


def page_tells(context: IncidentContext, member: PromiseStatus, scene: Scene) -> bool:
    """Whether the page of the due instant, which is there or near, tells of its failure. None comes of what is due
    after its incident was paged for."""
    paged = context.incident.paged_at
    told = paged is None or (member.due is not None and member.due <= paged)
    return told and _is_late_in_a_moment(member, scene)


def failure(context: IncidentContext, scene: Scene) -> Plan | None:
    """A task failed for good or a check withheld the report, before the promise is broken (or without a promise).

    Days that are run again together fail together, one after the other: only the first wakes somebody, also once
    somebody has it. So do reports by one error: the thread tells of those that had a try left.
    """
    failed = [member for member in context.missing if has_failed(member)]
    new = [m for m in failed if not m.overdue and not is_told_failure(m, context.incident)]
    if all(page_tells(context, member, scene) for member in new):
        return None
    new.sort(key=lambda member: member.facts.publication is not None)
    incident = with_failures(replace(context.incident, failure=""), failed)
    told = [member for member in failed if is_told_failure(member, context.incident)]
    has_it = in_hand(context, scene) is not None
    alike = all(any(_are_days(m, t) or (not has_it and _is_alike(m, t)) for t in told) for m in new)
    if alike and any(map(woke_for_failure, context.entries)):
        again = all(member.facts.failed_before for member in new)  # it was run again since
        return _told_too(replace(context, incident=incident), scene, new, "again" if again else "too")
    count = context.incident.failures + 1
    message = _failure_message(context, scene, new, f"failed-{count}")
    incident = replace(incident, failures=count)
    known = context.woken_lately and all(m.due is None or m.facts.publication is not None for m in new)
    owed = (post(replace(message, recipients=())),) if known else page_and_post(message)
    return Plan((incident,), owed, event(context, scene, because(new[0].why)))


def _is_alike(left: PromiseStatus, right: PromiseStatus) -> bool:
    """Whether one thing lets both fail, in a short while."""
    on = [set(each.why.rests_on) for each in (left, right) if each.why]
    return bool(set.intersection(*on)) and struck_together(left, right)


def _are_days(left: PromiseStatus, right: PromiseStatus) -> bool:
    """Whether they are days of one pipeline that are run again, and fail in a short while."""
    alike = left.pipeline.dag_id == right.pipeline.dag_id and all(map(is_run_again, (left, right)))
    return alike and struck_together(left, right)


def failure_message(context: IncidentContext, scene: Scene, step: str) -> Message | None:
    """The same as it is true now; None once nothing is failed, or late without it."""
    failed = [m for m in context.missing if has_failed(m) and not page_tells(context, m, scene)]
    return _failure_message(context, scene, failed, step) if failed else None


def _failure_message(
    context: IncidentContext, scene: Scene, failed: Sequence[PromiseStatus], step: str
) -> Message:
    lead = failed[0]
    title = titled(failed, lambda about: f"{about}: {reason_of(failed)}")
    lines = []
    if lead.facts.publication and len(failed) > 1:
        lines.append("The reports that were published still stand.")
    elif lead.facts.publication:
        lines.append(f"The report published {scene.when(lead.facts.publication.at)} still stands.")
    elif lead.due:
        lines.append(f"{between(scene.at, lead.due)} left until {scene.clock(lead.due)}.")
    to = on_call(scene, "primary")
    return context.about(*failed).alert(scene, step, title, lines, priority="P2", to=to)


def mended(context: IncidentContext, scene: Scene) -> Plan | None:
    """Whom a warning was for cannot be reached, and the roster names another account or person since: that one, now."""
    primary = on_call(scene, "primary")
    refused = (e for e in context.entries if e.op == "page" and e.refused)
    messages = [early_message(context, scene, e.step) for e in refused if primary and not e.calls(primary[0])]
    owed = tuple(page_and_post(message)[0] for message in messages if message)
    return Plan(owed=owed) if owed else None


def early_message(context: IncidentContext, scene: Scene, step: str) -> Message | None:
    """What a step before the due instant says now; None for other steps, and when it is not true any more."""
    if step == "warning":
        return warning_message(context, scene)
    if step == "last-chance":
        return last_chance_message(context, scene)
    return failure_message(context, scene, step) if step == f"failed-{context.incident.failures}" else None
