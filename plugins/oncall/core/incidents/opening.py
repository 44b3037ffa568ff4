"""Which promise has an incident: the one that is open, a new one, or none. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from oncall.core.incidents.incident import RESOLVED_BY_HAND, Incident, key_of
from oncall.core.incidents.resolve import MOVED, REMOVED
from oncall.core.promises.evaluation import PromiseStatus


def needs_incident(status: PromiseStatus, watching_since: dt.datetime) -> bool:
    if status.done or status.verdict == "waiting":
        return False
    if status.overdue:
        return status.due is not None and status.due >= watching_since
    return True


def incident_for(
    status: PromiseStatus, same: Sequence[Incident], at: dt.datetime, watching_since: dt.datetime
) -> Incident | None:
    """The open incident of this promise, a new one if it needs one, else None."""
    still_open = next((i for i in same if i.open), None)
    if still_open is not None:
        # The configuration may have moved it: of what was paged for, `moved` tells when it is not late any more.
        ends = still_open.paged and not status.overdue and not status.done
        return replace(still_open, due=still_open.due if ends else status.due, verdict=status.verdict)
    if not needs_incident(status, watching_since) or _is_over(status, same):
        return None
    return _as_it_was(new_incident(status, at, len(same) + 1), same)


def _as_it_was(incident: Incident, same: Sequence[Incident]) -> Incident:
    """Its pipeline was removed, or its due time moved, and is as it was again: who had it then has it now."""
    last = same[-1] if same else None
    if last is None or not (last.paged and last.acknowledged) or last.leader:
        return incident
    if last.verdict not in (REMOVED, MOVED) or last.resolved_at is None:
        return incident
    if incident.due is None or incident.due > last.resolved_at:
        return incident
    kept = (
        "paged_at",
        "reminders",
        "acknowledged_at",
        "acknowledged_by",
        "failure",
        "failures",
        "first_cause",
        "first_detail",
    )
    return replace(incident, **{name: getattr(last, name) for name in kept})


def new_incident(status: PromiseStatus, at: dt.datetime, again: int = 1) -> Incident:
    """Of this promise, the first or, `again`, a further one."""
    return Incident(
        key=key_of(status.pipeline.dag_id, status.report_date, status.drill, again),
        dag_id=status.pipeline.dag_id,
        report_date=status.report_date,
        opened_at=at,
        due=status.due,
        drill=status.drill,
        verdict=status.verdict,
        report=status.pipeline.report,
    )


def _is_over(status: PromiseStatus, same: Sequence[Incident]) -> bool:
    """A person ended it: nobody is told of this report again before it is published, or fails anew after that.

    Whoever ended a warning did not end the promise: broken after that, it pages.
    """
    ended = [i.resolved_at for i in same if i.verdict == RESOLVED_BY_HAND and i.resolved_at]
    if not ended:
        return False
    if status.facts.publication is not None:
        return all(task.ended_at is None or task.ended_at <= max(ended) for task in status.facts.failures)
    return not status.overdue or status.due is None or max(ended) >= status.due
