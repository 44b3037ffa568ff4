"""One look's decision over all promises: which incidents are open, who speaks for whom, what is owed. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from oncall.core.case import Case
from oncall.core.ending import stale
from oncall.core.incident import RESOLVED_BY_HAND, Incident, Plan, key_of
from oncall.core.plan import plan
from oncall.core.verdict import Judged
from oncall.core.wording import Scene

# What was said of an incident: (channel, step) → alias ("" for what is no alert).
Said = Mapping[tuple[str, str], str]
SaidOf = Callable[[Sequence[str]], Mapping[str, Said]]
REOPEN_WITHIN = dt.timedelta(days=1)


def decide(
    judged: Sequence[Judged],
    incidents: Sequence[Incident],
    said_of: SaidOf,
    scene: Scene,
    watching_since: dt.datetime,
) -> tuple[Plan, tuple[Case, ...]]:
    """The plan of this look, and the open cases after it (to know when to look again).

    `watching_since`: promises that were due before anybody watched are not paged for.
    """
    paired = [(one, _incident_for(one, incidents, scene.at, watching_since)) for one in judged]
    live = [(one, incident) for one, incident in paired if incident is not None]
    said = said_of(list(dict.fromkeys(incident.key for _, incident in live)))
    live = _group(live, said)
    leaders = [(one, incident) for one, incident in live if not incident.leader]
    decided = Plan()
    cases = []
    for one, incident in leaders:
        followers = [(j, i) for j, i in live if i.leader == incident.key]
        members = (one, *(j for j, _ in followers))
        case = _case(incident, members, said[incident.key])
        made = plan(case, scene) if incident.open else Plan((incident,))
        leader = made.incidents[0]
        decided = decided + made + Plan(tuple(_follow(i, j, leader, scene.at) for j, i in followers))
        if leader.open:
            cases.append(replace(case, incident=leader))
    return decided + _stale_notices(judged, incidents, said_of, scene, watching_since), tuple(cases)


def _incident_for(
    one: Judged, incidents: Sequence[Incident], at: dt.datetime, watching_since: dt.datetime
) -> Incident | None:
    """The open incident of this promise, a new one if it needs one, else None."""
    same = [
        i
        for i in incidents
        if (i.dag_id, i.report_date, i.drill) == (one.pipeline.dag_id, one.report_date, one.drill)
    ]
    still_open = next((i for i in same if i.open), None)
    if still_open is not None:
        return still_open
    if not _needs_incident(one, watching_since) or _is_over(one, same):
        return None
    return Incident(
        key=key_of(one.pipeline.dag_id, one.report_date, one.drill, len(same) + 1),
        dag_id=one.pipeline.dag_id,
        report_date=one.report_date,
        opened_at=at,
        due=one.due,
        drill=one.drill,
    )


def _is_over(one: Judged, same: Sequence[Incident]) -> bool:
    """A person ended it: nobody is told of this report again before it is published.

    Whoever ended a warning did not end the promise: broken after that, it pages.
    """
    ended = [i.resolved_at for i in same if i.verdict == RESOLVED_BY_HAND and i.resolved_at]
    if not ended or one.facts.publication is not None:
        return False
    return one.verdict != "broken" or one.due is None or max(ended) >= one.due


def _needs_incident(one: Judged, watching_since: dt.datetime) -> bool:
    if one.done or one.verdict == "waiting":
        return False
    if one.verdict == "broken":
        return one.due is not None and one.due >= watching_since
    return True


def _group(
    live: Sequence[tuple[Judged, Incident]], said: Mapping[str, Said]
) -> list[tuple[Judged, Incident]]:
    """Let one incident speak for all that share its cause, and set free those that no longer do.

    Only before anybody was paged: who was paged for three reports is told of all three until the end.
    """
    speaking: list[tuple[Judged, Incident]] = []
    result = []
    by_key = {incident.key: incident for _, incident in live}
    for one, incident in live:
        leader = by_key.get(incident.leader) if incident.leader else None
        if leader is not None and (leader.paged or one.done) and leader.open:
            result.append((one, incident))
            continue
        free = replace(incident, leader="")
        if not incident.paged and not said.get(incident.key):
            shared = next((i for j, i in speaking if _share(one, j) and not i.paged), None)
            if shared is not None:
                free = replace(free, leader=shared.key)
        if not free.leader:
            speaking.append((one, free))
        result.append((one, free))
    return result


def _share(one: Judged, other: Judged) -> bool:
    if one.why is None or other.why is None or one.why.cause != other.why.cause:
        return False
    if (one.report_date, one.drill, one.due) != (other.report_date, other.drill, other.due):
        return False
    return one.why.cause == "unknown" or (
        one.why.cause in ("upstream_late", "not_started") and bool(set(one.why.names) & set(other.why.names))
    )


def _case(incident: Incident, members: tuple[Judged, ...], said: Said) -> Case:
    aliases = tuple(alias for (channel, step), alias in said.items() if alias and _is_page(channel, step))
    return Case(incident, members, frozenset(said), aliases)


def _is_page(channel: str, step: str) -> bool:
    return channel == "pager" and not step.startswith(("close:", "ack:", "cause-"))


def _follow(incident: Incident, one: Judged, leader: Incident, at: dt.datetime) -> Incident:
    """A follower lives its leader's life, but is resolved when its own report is published."""
    late = one.late_by.total_seconds() if one.done and one.late_by else None
    why = one.why
    return replace(
        incident,
        verdict=one.verdict,
        cause=why.cause if why else incident.cause,
        detail=why.detail if why else incident.detail,
        names=why.names if why else incident.names,
        warned=tuple(name for name in leader.warned if why and name in why.names),
        paged_at=leader.paged_at,
        primary=leader.primary,
        acknowledged_at=leader.acknowledged_at,
        acknowledged_by=leader.acknowledged_by,
        resolved_at=leader.resolved_at,
        late_s=late,
    )


def _stale_notices(
    judged: Sequence[Judged],
    incidents: Sequence[Incident],
    said_of: SaidOf,
    scene: Scene,
    watching_since: dt.datetime,
) -> Plan:
    """One notice for each time upstream changed after a publication, in the incident's thread where there is one.

    What changed before anybody watched is history: the first look at an old warehouse must not tell all of it.
    """
    notices = Plan()
    for one in judged:
        newer = [
            load for load in one.facts.changed_since if load.loaded_at and load.loaded_at >= watching_since
        ]
        if one.facts.publication is None or not newer or one.drill:
            continue
        same = [i for i in incidents if (i.dag_id, i.report_date) == (one.pipeline.dag_id, one.report_date)]
        incident = (
            same[-1]
            if same
            else Incident(
                key=key_of(one.pipeline.dag_id, one.report_date),
                dag_id=one.pipeline.dag_id,
                report_date=one.report_date,
                opened_at=scene.at,
                due=one.due,
                verdict="stale",
                resolved_at=scene.at,
            )
        )
        said = said_of([incident.key])[incident.key]
        made = stale(Case(incident, (one,), frozenset(said)), scene)
        fresh = tuple(o for o in made.owed if (o.channel, o.step) not in said)
        if fresh:
            notices = notices + Plan(() if same else made.incidents, fresh, made.events)
    return notices
