"""What has failed or stands still, and whether somebody was told so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

from oncall.core.incidents.incident import Incident, NotificationStatus
from oncall.core.incidents.same_cause import TOLD_LATELY
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.run_cause import open_task
from oncall.core.promises.why import Why


def has_failed(member: PromiseStatus) -> bool:
    return member.why is not None and (member.why.cause in ("failed", "held") or member.facts.gone)


def has_stopped(member: PromiseStatus) -> bool:
    """Nothing of it goes on until somebody does something: it has failed, hangs, or does not start."""
    return has_failed(member) or (member.why is not None and member.why.cause in ("stuck", "not_started"))


def wakes_for_failure(entry: NotificationStatus, at: dt.datetime) -> bool:
    """It has just woken somebody because a run failed, or is about to."""
    lately = entry.owed_at is not None and at - entry.owed_at < TOLD_LATELY
    return lately and woke_for_failure(entry)


def woke_for_failure(entry: NotificationStatus) -> bool:
    """The same, however long ago."""
    return entry.op == "page" and entry.step.startswith("failed-") and entry.alive and not entry.unreached


def with_failures(incident: Incident, missing: Iterable[PromiseStatus]) -> Incident:
    """The same, of which it is known how these have failed, or stand still."""
    failed = (_which_failure(member, member.why) for member in missing if member.why and has_stopped(member))
    known = [each for each in failed if each not in incident.failure]
    return replace(incident, failure=" ".join(filter(None, [incident.failure, *dict.fromkeys(known)])))


def is_told_failure(member: PromiseStatus, incident: Incident) -> bool:
    """Whether somebody was told how it has failed, or stands still."""
    if member.why is None:
        return False
    return _is_remembered(member) or _which_failure(member, member.why) in incident.failure


def failed_since_it_was_taken(member: PromiseStatus, incident: Incident) -> bool:
    """Whether it has failed after somebody acknowledged the incident, and nobody was told."""
    taken = incident.acknowledged_at
    # A check is written down some seconds before its task has failed.
    ends = [*(task.ended_at for task in member.facts.failures), *(c.checked_at for c in member.facts.held_by)]
    is_after = taken is not None and any(end > taken for end in ends if end)
    return is_after and has_failed(member) and not is_told_failure(member, incident)


def _is_remembered(member: PromiseStatus) -> bool:
    """Its tasks cannot be read: that it has stopped is what was told of it before."""
    facts = member.facts
    return has_stopped(member) and bool(facts.unreadable) and not (facts.tasks or facts.run or facts.held_by)


def _which_failure(lead: PromiseStatus, why: Why) -> str:
    """What tells it from the one before. A check is written down some seconds before its task has failed.

    What stands still is the same trouble at the same task, whatever more is known of it by now.
    """
    if why.cause in ("stuck", "not_started") and not lead.facts.gone:
        task = open_task(lead.facts)
        return f"{lead.pipeline.dag_id}/{task.task_id if task else ''}@{lead.report_date}:{why.cause}"
    check = lead.facts.held_by[0] if why.cause == "held" and lead.facts.held_by else None
    if check is not None and check.checked_at:
        return f"{check.run_id}/{check.name}@{check.checked_at}"
    failed = lead.facts.failure
    return f"{failed.run_id}/{failed.task_id}@{failed.ended_at}" if failed else why.detail
