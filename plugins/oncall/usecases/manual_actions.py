"""The use cases of a person at the On-call page: acknowledge, resolve with a note, page somebody now.

Each records what was done and what is owed for it, and leaves the sending to whoever sends. What is told together is
done together: `dag_ids` are the DAGs whose incidents this person may change (None: all), and one other stops it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass

from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents import manual
from oncall.core.incidents.coming_words import nobody_left
from oncall.core.incidents.context import IncidentContext, name_of
from oncall.core.incidents.escalation import acknowledge, acknowledge_rest
from oncall.core.incidents.forecast import next_to_page
from oncall.core.incidents.incident import Event, Plan
from oncall.core.incidents.manual import PAGE_STEP, Hand
from oncall.core.incidents.wording import Links, Scene
from oncall.usecases.incident_context import status_from_row
from oncall.usecases.ports import DecisionTransaction, OutboxEntry, Store

AGAIN_AFTER = dt.timedelta(minutes=1)  # a second press within this time is the same press


NOT_ALL_YOURS = (
    "It is told together with an incident of a pipeline whose runs you may not change: ask who may."
)


@dataclass(frozen=True)
class Outcome:
    """Whether it was done, and why not (or what was) in one sentence. `run_id`: of the run that it has started."""

    done: bool
    words: str
    run_id: str = ""


def acknowledged_by_hand(
    config: OncallConfig,
    store: Store,
    links: Links,
    key: str,
    by: str,
    at: dt.datetime,
    *,
    dag_ids: Collection[str] | None = None,
) -> Outcome:
    """Somebody has it: escalation stops, and every alert of it that rings. Raises Unreadable."""

    def decide(hand: Hand, scene: Scene, said: list[OutboxEntry]) -> Plan | Outcome:
        context = IncidentContext(hand.incident, hand.members, tuple(one.entry for one in said))
        if not hand.incident.acknowledged:
            return acknowledge(context, scene, by)
        rest = acknowledge_rest(context, scene, by)
        name = name_of(scene, hand.incident.acknowledged_by)
        return rest if rest.owed else Outcome(False, f"{name} has acknowledged it already.")

    return _act(config, store, links, key, by, at, dag_ids, decide, "Acknowledged: escalation stops.")


def resolved_by_hand(
    config: OncallConfig,
    store: Store,
    links: Links,
    key: str,
    by: str,
    note: str,
    at: dt.datetime,
    *,
    dag_ids: Collection[str] | None = None,
) -> Outcome:
    """Somebody says that it is over, and why."""
    if not note.strip():
        return Outcome(False, "Write in a few words why it is over: the team will read it.")

    def decide(hand: Hand, scene: Scene, said: list[OutboxEntry]) -> Plan | Outcome:
        return manual.resolve(hand, scene, note.strip())

    return _act(config, store, links, key, by, at, dag_ids, decide, "Resolved: alerts are being closed.")


def page_now(
    config: OncallConfig,
    store: Store,
    links: Links,
    key: str,
    by: str,
    at: dt.datetime,
    person: str = "",
    *,
    dag_ids: Collection[str] | None = None,
) -> Outcome:
    """Page whoever is next on the escalation, without waiting for it. Nobody is paged a second time.

    `person`: whom the page was said to wake when the button was pressed; somebody else is not paged in their place.
    """

    def decide(hand: Hand, scene: Scene, said: list[OutboxEntry]) -> Plan | Outcome:
        pressed = [one for one in said if one.channel == "pager" and one.step.startswith(f"{PAGE_STEP}-")]
        entries = tuple(one.entry for one in said)
        context = IncidentContext(hand.incident, hand.members, entries)
        call = next_to_page(context, scene)
        if any(at - one.owed_at < AGAIN_AFTER for one in pressed):
            return Outcome(False, "Somebody was paged by hand a moment ago: give them a minute.")
        if call is None:
            return Outcome(False, nobody_left(context, scene))
        if person and person != call.person.name:
            return Outcome(False, f"{person} is not next any more: the next one is {call.person.name}.")
        return manual.page(hand, scene, call.person, call.seat, len(pressed) + 1)

    return _act(config, store, links, key, by, at, dag_ids, decide, "{} is being paged.")


def note_run(
    store: Store, dag_id: str, report_date: dt.date, by: str, how: str, at: dt.datetime, came_of: str = ""
) -> None:
    """A person ran the day again: a line in the timeline of its newest incident, if it has one. Raises Unreadable.

    `how`: the run, or from where; `came_of`: what is known of its end.
    """
    with store.decision_lock() as decision:
        theirs = [
            incident
            for incident in decision.incidents({(dag_id, report_date)})
            if (incident.dag_id, incident.report_date, incident.drill) == (dag_id, report_date, "")
        ]
        if theirs:
            newest = max(theirs, key=lambda incident: incident.opened_at)
            said = f"{by} ran the day again ({how}){came_of and ': '}{came_of}"
            # With its row written anew, for whoever has kept what was over.
            decision.record(Plan((newest,), events=(Event(newest.key, at, said),)), at)


Decide = Callable[[Hand, Scene, list[OutboxEntry]], Plan | Outcome]


def _act(
    config: OncallConfig,
    store: Store,
    links: Links,
    key: str,
    by: str,
    at: dt.datetime,
    dag_ids: Collection[str] | None,
    decide: Decide,
    words: str,
) -> Outcome:
    """Record what `decide` makes of the incident, while nobody else decides. Raises Unreadable.

    A {} in `words` stands for whom this pages.
    """
    with store.decision_lock() as decision:
        hand = _hand(config, decision, key, by)
        if hand is None:
            return Outcome(False, "This incident is not open any more.")
        if dag_ids is not None and any(one.dag_id not in dag_ids for one in (hand.incident, *hand.followers)):
            return Outcome(False, NOT_ALL_YOURS)
        scene = Scene(config.roster_of(hand.incident.dag_id), links, at)
        made = decide(hand, scene, list(decision.said([hand.incident.key])[hand.incident.key]))
        if isinstance(made, Outcome):
            return made
        decision.record(made, at)
    return Outcome(
        True, words.format(*(person.name for owed in made.owed for person in owed.message.recipients))
    )


def _hand(config: OncallConfig, decision: DecisionTransaction, key: str, by: str) -> Hand | None:
    """The open incident of this key, or the one that speaks for it, with all it speaks for."""
    open_ones = {i.key: i for i in decision.incidents() if i.open and i.dag_id in config.pipelines}
    incident = open_ones.get(key)
    if incident is None:
        return None
    incident = open_ones.get(incident.leader, incident)
    followers = tuple(one for one in open_ones.values() if one.leader == incident.key)
    aliases = tuple(
        one.alias
        for one in decision.said([incident.key])[incident.key]
        if (one.entry.alive and one.op == "page") or one.entry.alerting
    )
    members = tuple(status_from_row(config, one) for one in (incident, *followers))
    return Hand(by, incident, members, followers, aliases)
