"""One look's decision over all promises: which incidents are open, who speaks for whom, what is owed. Pure."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from oncall.core.incidents.context import IncidentContext, ends_with, event
from oncall.core.incidents.failures import wakes_for_failure
from oncall.core.incidents.grouping import Live, group_incidents, handed_on
from oncall.core.incidents.incident import BY_CONFIGURATION, Incident, Plan, Said
from oncall.core.incidents.opening import incident_for, needs_incident, new_incident
from oncall.core.incidents.plan import plan
from oncall.core.incidents.resolve import stale
from oncall.core.incidents.same_cause import of_failure
from oncall.core.incidents.titles import titled
from oncall.core.incidents.upstream_team import tell_upstream
from oncall.core.incidents.wording import Scene, subject
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.promise import PromiseKey

BY_TASKS = ("running", "stuck", "failed", "not_started")  # causes that the tasks tell, not the warehouse
JOINED = "joined"
PAGES = ("P1", "P2")  # what wakes somebody; a warning is no page


def decide(
    statuses: Sequence[PromiseStatus],
    earlier: Mapping[PromiseKey, Sequence[Incident]],
    said: Mapping[str, Said],
    scene: Scene,
    watching_since: dt.datetime,
) -> tuple[Plan, tuple[IncidentContext, ...]]:
    """The plan of this look, and the open cases after it (to know when to look again).

    `earlier`: all incidents that ever were of these promises; `said`: by their keys. `watching_since`: promises that
    were due before anybody watched are not paged for.
    """
    concerned = [
        (status, earlier.get(status.promise_key, ()))
        for status in statuses
        if needs_incident(status, watching_since)
        or status.facts.changed_since
        or status.promise_key in earlier
    ]
    found = [(status, incident_for(status, same, said, scene, watching_since)) for status, same in concerned]
    alone = [(status, incident) for status, incident in found if incident is not None]
    over = {incident.key for same in earlier.values() for incident in same if not incident.open}
    put_back = over.intersection(incident.key for _, incident in alone)
    live = group_incidents(list(handed_on(alone, put_back)), said, scene.at)
    followers = _followers(live)
    led_before = {incident.key: incident.leader for _, incident in alone}
    woken = _woken_for_failures(live, said, scene.at)
    plans, cases = [], []
    for status, incident in live:
        if incident.leader:
            continue
        mine = followers.get(incident.key, ())
        context = IncidentContext(
            incident,
            members=(status, *(follower for follower, _ in mine)),
            entries=tuple(said.get(incident.key, ())),
            woken_lately=any(woken.get(what, incident.key) != incident.key for what in of_failure(status)),
            joining=tuple(f for f, its in mine if led_before[its.key] != incident.key or its.key in put_back),
            put_back=incident.key in put_back,
        )
        made = _filed(plan(context, scene), context)
        if any(owed.step.startswith("failed-") for owed in made.owed):
            woken = {**dict.fromkeys(of_failure(status), incident.key), **woken}
        leader = made.incidents[0]
        plans.append(made)
        plans.append(Plan(tuple(_follow(its, follower, leader) for follower, its in mine)))
        for follower, its in mine:
            thread = IncidentContext(its, (follower,), tuple(said.get(its.key, ())))
            plans.append(_joined(thread, status, scene))
        if leader.open:
            cases.append(replace(context, incident=leader))
    known = [incident for same in earlier.values() for incident in same]
    plans.append(tell_upstream(live, known, said, statuses, scene))
    for status, same in concerned:
        if status.facts.changed_since and not status.drill:
            plans.append(_stale_notice(status, same, said, scene, watching_since))
    return Plan.of(plans), tuple(cases)


def _followers(live: Sequence[Live]) -> Mapping[str, Sequence[Live]]:
    """Those that another one speaks for, by the key of that one."""
    found: defaultdict[str, list[Live]] = defaultdict(list)
    for status, incident in live:
        if incident.leader:
            found[incident.leader].append((status, incident))
    return found


def _woken_for_failures(live: Sequence[Live], said: Mapping[str, Said], at: dt.datetime) -> Mapping[str, str]:
    """For which incident somebody was woken lately, by the pipeline that failed and by its error."""
    return {
        what: incident.key
        for status, incident in live
        if any(wakes_for_failure(entry, at) for entry in said.get(incident.key, ()))
        for what in of_failure(status)
    }


def as_last_known(statuses: Sequence[PromiseStatus], incidents: Sequence[Incident]) -> list[PromiseStatus]:
    """The same; while what the tasks say cannot be read, the cause that an open incident tells stands: nothing new is
    known of it. So does a failure that came after a publication, until the report is published anew."""
    told = by_promise([incident for incident in incidents if incident.open])

    def known(status: PromiseStatus) -> PromiseStatus:
        same = told.get(status.promise_key) if status.facts.unreadable else None
        if not same:
            return status
        last, made = same[-1], status.facts.publication
        if made is not None:
            stands = status.done and bool(last.cause) and made.at < last.opened_at
        else:
            unseen = status.why is not None and status.why.cause == "unknown" and not status.facts.blind
            stands = unseen and last.cause in BY_TASKS
        if not stands:
            return status
        return replace(status, why=last.why)

    return [known(status) for status in statuses]


def by_promise(incidents: Sequence[Incident]) -> Mapping[PromiseKey, Sequence[Incident]]:
    """Incidents by what they are about, each list in the order given."""
    found: defaultdict[PromiseKey, list[Incident]] = defaultdict(list)
    for incident in incidents:
        found[incident.promise_key].append(incident)
    return found


def _filed(made: Plan, context: IncidentContext) -> Plan:
    """What somebody is paged for first is the incident's cause for good; what comes after it is its course."""
    leader, *others = made.incidents
    pages = [owed for owed in made.owed if owed.op == "page" and owed.message.priority in PAGES]
    own = next((member for member in context.members[:1] if not member.done), context.lead)
    why = own.why if own else None
    if leader.first_cause or not pages or why is None:
        return made
    return replace(made, incidents=(replace(leader, first_cause=why.cause, first_detail=why.detail), *others))


def _follow(incident: Incident, status: PromiseStatus, leader: Incident) -> Incident:
    """A follower lives its leader's life, but is resolved when its own report is published."""
    late = status.late_by.total_seconds() if status.done and status.late_by else None
    why = status.why
    ended = leader.verdict in BY_CONFIGURATION and not leader.open
    filed = (incident.first_cause, incident.first_detail)
    if leader.first_cause and not incident.first_cause and why:
        filed = (why.cause, why.detail)
    return replace(
        incident.told(why),
        first_cause=filed[0],
        first_detail=filed[1],
        warned=tuple(name for name in leader.warned if why and name in why.names),
        paged_at=leader.paged_at,
        escalation_round=leader.escalation_round,
        acknowledged_at=leader.acknowledged_at,
        acknowledged_by=leader.acknowledged_by,
        resolved_at=leader.resolved_at,
        verdict=leader.verdict if ended else incident.verdict,
        late_s=late,
    )


def _joined(context: IncidentContext, speaker: PromiseStatus, scene: Scene) -> Plan:
    """It was warned of by itself, and another one speaks for it now: its alerts are closed, and its thread says so."""
    if not context.spoken or ("chat", JOINED) in context.said:
        return Plan()
    title = titled(context.members, lambda about: f"{about}: told with {subject([speaker])} from here on")
    message = context.notice(scene, JOINED, title)
    return Plan(owed=ends_with(message, context.aliases), events=event(context, scene, title))


def _stale_notice(
    status: PromiseStatus,
    same: Sequence[Incident],
    said: Mapping[str, Said],
    scene: Scene,
    watching_since: dt.datetime,
) -> Plan:
    """One notice for each time upstream changed after a publication, in the incident's thread where there is one.

    What changed before anybody watched is history: the first look at an old warehouse must not tell all of it.
    """
    newer = [
        load for load in status.facts.changed_since if load.loaded_at and load.loaded_at >= watching_since
    ]
    if status.facts.publication is None or not newer:
        return Plan()
    over = replace(new_incident(status, scene.at), verdict="stale", resolved_at=scene.at)
    incident = same[-1] if same else over
    context = IncidentContext(incident, (status,), tuple(said.get(incident.key, ())))
    made = stale(context, scene)
    fresh = tuple(o for o in made.owed if (o.channel, o.step) not in context.said)
    return Plan(() if same else made.incidents, fresh, made.events) if fresh else Plan()
