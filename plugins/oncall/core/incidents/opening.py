"""Which promise has an incident: the one that is open or goes on, a new one, or none. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.escalation import standing
from oncall.core.incidents.incident import BY_CONFIGURATION, RESOLVED_BY_HAND, Incident, Said, key_of
from oncall.core.incidents.same_cause import TOLD_LATELY
from oncall.core.incidents.warnings import in_hand, wakes_early
from oncall.core.incidents.wording import Scene
from oncall.core.promises.evaluation import PromiseStatus


def needs_incident(status: PromiseStatus, watching_since: dt.datetime) -> bool:
    """Whether something of it is to be told; not of what was due before anybody watched."""
    if status.done or status.verdict == "waiting":
        return False
    if status.overdue:
        return status.due is not None and status.due >= watching_since
    return True


def incident_for(
    status: PromiseStatus,
    same: Sequence[Incident],
    said: Mapping[str, Said],
    scene: Scene,
    watching_since: dt.datetime,
) -> Incident | None:
    """The open incident of this promise, the one that goes on or a new one if it needs one, else None."""
    still_open = next((i for i in same if i.open), None)
    if still_open is not None:
        # The configuration may have moved it: of what was paged for, `moved` tells when it is not late any more.
        ends = still_open.paged and not status.overdue and not status.done
        return replace(still_open, due=still_open.due if ends else status.due, verdict=status.verdict)
    if not needs_incident(status, watching_since) or _is_over(status, same):
        return None
    if same and _is_put_back(same[-1], status, said, scene):
        return replace(same[-1], due=status.due, verdict=status.verdict, resolved_at=None)
    return new_incident(status, scene.at, len(same) + 1)


def _is_put_back(last: Incident, status: PromiseStatus, said: Mapping[str, Said], scene: Scene) -> bool:
    """Its pipeline was removed, or its due time moved, and is as it was again: whoever had it then has it still.

    Where nobody has, it goes on if that was not for long, and somebody is still to be called; not where it woke
    somebody before it is late and that alert was closed: what is said once does not ring again.
    """
    ended = last.resolved_at
    if last.verdict not in BY_CONFIGURATION or ended is None:
        return False
    late_then = status.due is not None and status.due <= ended
    if not (late_then if last.paged else status.due == last.due):
        return False
    speaker = tuple(said.get(last.leader or last.key, ()))
    context = IncidentContext(last, (status,), speaker)
    rang = {entry.alias for entry in speaker if wakes_early(entry)}
    if not last.paged and not rang.issubset(context.aliases):
        return in_hand(context, scene) is not None
    now = standing(context, scene)
    return last.acknowledged or (scene.at - ended < TOLD_LATELY and bool(now.calls or now.next_at))


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
