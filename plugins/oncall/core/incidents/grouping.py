"""One look's decision over all promises: which incidents are open, who speaks for whom, what is owed. Pure."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from oncall.core.incidents.context import IncidentContext, ends_with, event
from oncall.core.incidents.failures import has_failed, is_told_failure, wakes_for_failure
from oncall.core.incidents.incident import RESOLVED_BY_HAND, Incident, NotificationStatus, Plan, key_of
from oncall.core.incidents.plan import plan
from oncall.core.incidents.resolve import MOVED, REMOVED, stale
from oncall.core.incidents.same_cause import (
    TOLD_LATELY,
    Shared,
    is_run_again,
    of_failure,
    shares,
    struck_together,
)
from oncall.core.incidents.titles import titled
from oncall.core.incidents.upstream_team import tell_upstream
from oncall.core.incidents.warnings import REMIND_AFTER, wakes_early
from oncall.core.incidents.wording import Scene, subject
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.promise import PromiseKey
from oncall.core.promises.why import AIRFLOW

BY_TASKS = ("running", "stuck", "failed", "not_started")  # causes that the tasks tell, not the warehouse
JOINED = "joined"
PAGES = ("P1", "P2")  # what wakes somebody; a warning is no page
Said = Sequence[NotificationStatus]  # what became of all that an incident ever owed
Live = tuple[PromiseStatus, Incident]  # a promise as this look judged it, and its open incident


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
        if _needs_incident(status, watching_since)
        or status.facts.changed_since
        or status.promise_key in earlier
    ]
    found = [(status, _incident_for(status, same, scene.at, watching_since)) for status, same in concerned]
    alone = [(status, incident) for status, incident in found if incident is not None]
    live = _group(alone, said, scene.at)
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
            joining=tuple(follower for follower, its in mine if led_before[its.key] != incident.key),
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


def _incident_for(
    status: PromiseStatus, same: Sequence[Incident], at: dt.datetime, watching_since: dt.datetime
) -> Incident | None:
    """The open incident of this promise, a new one if it needs one, else None."""
    still_open = next((i for i in same if i.open), None)
    if still_open is not None:
        # The configuration may have moved it: of what was paged for, `moved` tells when it is not late any more.
        ends = still_open.paged and not status.overdue and not status.done
        return replace(still_open, due=still_open.due if ends else status.due, verdict=status.verdict)
    if not _needs_incident(status, watching_since) or _is_over(status, same):
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


def _needs_incident(status: PromiseStatus, watching_since: dt.datetime) -> bool:
    if status.done or status.verdict == "waiting":
        return False
    if status.overdue:
        return status.due is not None and status.due >= watching_since
    return True


def _group(live: Sequence[Live], said: Mapping[str, Said], at: dt.datetime) -> list[Live]:
    """Let one incident speak for all that share its cause, and set free those that no longer do.

    Only before anybody was paged, or has acknowledged what woke them: who has three reports has them until the end. One
    that was warned of by itself joins the others when it is late, or is about to wake somebody; and a day that is run
    again joins its pipeline's.
    Nor are those set free that go on side by side, or whose first is published: what they shared has ended; nor what
    has failed with the others, and stands so, while they are run again: it would be told anew.
    """
    # Who speaks for what may be shared.
    speaking = _in_mind(live, at)
    grouped: dict[str, Live] = {}
    by_key = {incident.key: (status, incident) for status, incident in live}
    has_spoken = {i.key: any(entry.alive for entry in said.get(i.key, ())) for _, i in live}
    has_woken = {i.key: any(map(wakes_early, said.get(i.key, ()))) for _, i in live}

    def turn(each: Live) -> tuple[bool, bool, bool]:
        """Whoever has spoken of it speaks on: a thread is there. What is missing goes before what still stands."""
        status, incident = each
        spoken, woken = has_spoken[incident.key], has_woken[incident.key]
        return not spoken, not woken, status.facts.publication is not None

    def joins(status: PromiseStatus, of: PromiseStatus, incident: Incident) -> bool:
        again = is_run_again(status) and is_run_again(of)
        if again and status.pipeline.dag_id == of.pipeline.dag_id:
            return True
        return (again or struck_together(status, of)) and (incident.paged or not _is_had(incident, said))

    for status, incident in sorted(live, key=turn):
        led, leader = by_key.get(incident.leader, (None, None))
        goes_on = status.done or (led is not None and _goes_on(led) and (led.done or _goes_on(status)))
        if (
            leader is not None
            and (goes_on or _is_told(status, leader) or _is_had(leader, said))
            and leader.open
        ):
            free, speaker = incident, leader
        else:
            free, spoken, speaker = replace(incident, leader=""), has_spoken[incident.key], None
            wakes = status.overdue or (_is_last_chance(status, at) and not has_woken[incident.key])
            if not incident.paged and (not spoken or (wakes and not _is_had(incident, said))):
                known = (speaking[shared] for shared in shares(status) if shared in speaking)
                speaker = next((i for s, i in known if joins(status, s, i)), None)
                free = replace(free, leader=speaker.key if speaker else "")
        if is_run_again(status) or not (free.leader or free.paged):
            for shared in shares(status):
                speaking.setdefault(shared, (status, speaker or free))
        grouped[incident.key] = status, free
    return [grouped[incident.key] for _, incident in live]


def _is_told(status: PromiseStatus, leader: Incident) -> bool:
    """Whether somebody was told with the leader how it has failed, as it has still: that is no news of its own."""
    return has_failed(status) and is_told_failure(status, leader)


def _goes_on(status: PromiseStatus) -> bool:
    return status.why is None or status.why.cause == "running"


def _in_mind(live: Sequence[Live], at: dt.datetime) -> dict[Shared, Live]:
    """What is still missing of that for which somebody was paged a moment ago: they have what is due later too."""
    leaders = {incident.key: incident for _, incident in live}
    led = [(status, leaders.get(incident.leader, incident)) for status, incident in reversed(live)]
    return {shared: (s, i) for s, i in led if _is_in_mind(s, i, at) for shared in shares(s)}


def _is_in_mind(status: PromiseStatus, incident: Incident, at: dt.datetime) -> bool:
    """Whether somebody was paged for it who has its cause in mind: for a short while, for the hour of their
    acknowledgement, or as long as nothing can be seen.

    Whoever has taken one that merely stands still has no other in hand: each may do so for a reason of its own.
    """
    if incident.paged_at is None or status.why is None:
        return False
    taken = incident.acknowledged_at if incident.acknowledged else None
    if taken is not None and status.why.rests_on == (AIRFLOW,):
        return False
    lately = at - incident.paged_at < TOLD_LATELY or (taken is not None and at - taken < REMIND_AFTER)
    return lately or status.why.cause == "unknown"


def _is_last_chance(status: PromiseStatus, at: dt.datetime) -> bool:
    return status.verdict == "at_risk" and status.last_chance is not None and at >= status.last_chance


def _is_had(leader: Incident, said: Mapping[str, Said]) -> bool:
    """Whether somebody was paged for it, or has acknowledged all that woke them before."""
    woke = [entry.owed_at for entry in said.get(leader.key, ()) if wakes_early(entry) and entry.owed_at]
    taken = leader.acknowledged_at
    return leader.paged or (taken is not None and bool(woke) and max(woke) <= taken)


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
