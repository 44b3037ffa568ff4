"""Which incident speaks for which: those that share a cause are told of in one breath. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from oncall.core.incidents.failures import has_failed, is_told_failure
from oncall.core.incidents.incident import Incident, Said
from oncall.core.incidents.same_cause import TOLD_LATELY, Shared, is_run_again, shares, struck_together
from oncall.core.incidents.warnings import REMIND_AFTER, wakes_early
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.why import AIRFLOW

Live = tuple[PromiseStatus, Incident]  # a promise as this look judged it, and its open incident


def handed_on(live: Sequence[Live], put_back: Collection[str]) -> Iterator[Live]:
    """Where the one that spoke for several is not promised any more, the first that is missing speaks for the rest. Put
    back, it is told with them.
    """
    heirs = {"": "", **{incident.key: incident.key for _, incident in live}}
    for _, incident in sorted(live, key=lambda each: each[0].done):
        heirs.setdefault(incident.leader, incident.key)
    for status, incident in live:
        leader = heirs[incident.leader]
        if leader == incident.key or (not leader and incident.key in put_back):
            others = ((s, i) for s, i in live if i.key not in put_back and i.paged_at == incident.paged_at)
            theirs = (heirs[i.leader] or i.key for s, i in others if {*shares(s)} & {*shares(status)})
            leader = (
                next((key for key in theirs if key != incident.key), "") if incident.key in put_back else ""
            )
        yield status, replace(incident, leader=leader)


def group_incidents(live: Sequence[Live], said: Mapping[str, Said], at: dt.datetime) -> list[Live]:
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
