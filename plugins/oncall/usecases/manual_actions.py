"""The use cases of a person at the On-call page: acknowledge, resolve with a note, page somebody now.

Each records what was done and what is owed for it, and leaves the sending to whoever sends. What is told together is
done together: one incident of a pipeline that this person may not change stops it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents import manual
from oncall.core.incidents.acknowledgement import acknowledge, acknowledge_rest
from oncall.core.incidents.coming_words import nobody_left
from oncall.core.incidents.context import IncidentContext, name_of, post
from oncall.core.incidents.forecast import next_to_page
from oncall.core.incidents.incident import Event, Incident, Notification, Plan
from oncall.core.incidents.incident_words import acknowledged_already, not_next, ran_again
from oncall.core.incidents.page_step import is_by_hand
from oncall.core.incidents.wording import Links, Scene
from oncall.usecases.ports import DecisionTransaction, ReportKey, Store
from oncall.usecases.recorded_context import status_from_row

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


Decide = Callable[[IncidentContext, Scene, Sequence[Incident]], Plan | Outcome]


@dataclass(frozen=True)
class ManualActions:
    """What the person `by` does at the instant `at`. Every action raises Unreadable, and then nothing was done.

    `dag_ids`: the DAGs whose incidents this person may change (None: all).
    """

    config: OncallConfig
    store: Store
    links: Links
    by: str
    at: dt.datetime
    dag_ids: Collection[str] | None = None

    def acknowledge(self, key: str) -> Outcome:
        """Acknowledge it: escalation stops, and every alert of it that rings."""

        def decide(context: IncidentContext, scene: Scene, _: Sequence[Incident]) -> Plan | Outcome:
            if not context.incident.acknowledged:
                return acknowledge(context, scene, self.by)
            rest = acknowledge_rest(context, scene, self.by)
            name = name_of(scene, context.incident.acknowledged_by)
            return rest if rest.owed else Outcome(False, acknowledged_already(name))

        return self._act(key, decide, "Acknowledged: escalation stops.")

    def resolve(self, key: str, note: str) -> Outcome:
        """Somebody says that it is over, and why."""
        if not note.strip():
            return Outcome(False, "Write in a few words why it is over: the team will read it.")
        return self._act(
            key,
            lambda context, scene, followers: manual.resolve(
                context, followers, scene, self.by, note.strip()
            ),
            "Resolved: alerts are being closed.",
        )

    def page(self, key: str, person: str = "") -> Outcome:
        """Page the next person of the escalation now, without waiting for it. Nobody is paged a second time.

        `person`: whom the button was said to page when it was pressed; somebody else is not paged in their place.
        """

        def decide(context: IncidentContext, scene: Scene, _: Sequence[Incident]) -> Plan | Outcome:
            pressed = [entry for entry in context.entries if is_by_hand(entry)]
            call = next_to_page(context, scene)
            if any(entry.owed_at and self.at - entry.owed_at < AGAIN_AFTER for entry in pressed):
                return Outcome(False, "Somebody was paged by hand a moment ago: give them a minute.")
            if call is None:
                return Outcome(False, nobody_left(context, scene))
            if person and person != call.person.name:
                return Outcome(False, not_next(person, call.person.name))
            return manual.page(context, scene, self.by, call, len(pressed) + 1)

        return self._act(key, decide, "{} is being paged.")

    def _act(self, key: str, decide: Decide, words: str) -> Outcome:
        """Record what `decide` makes of the incident, while nobody else decides.

        A {} in `words` stands for the person whom this pages.
        """
        with self.store.decision_lock() as decision:
            together = _told_together(self.config, decision, key)
            if not together:
                return Outcome(False, "This incident is not open any more.")
            if self.dag_ids is not None and not {one.dag_id for one in together}.issubset(self.dag_ids):
                return Outcome(False, NOT_ALL_YOURS)
            incident, *followers = together
            members = tuple(status_from_row(self.config, one) for one in together)
            said = decision.said([incident.key])[incident.key]
            context = IncidentContext(incident, members, tuple(entry.entry for entry in said))
            scene = Scene(self.config.roster_of(incident.dag_id), self.links, self.at)
            made = decide(context, scene, followers)
            if isinstance(made, Outcome):
                return made
            decision.record(made, self.at)
        paged = (person.name for owed in made.owed for person in owed.message.recipients)
        return Outcome(True, words.format(*paged))


def note_run(store: Store, report: ReportKey, by: str, how: str, at: dt.datetime, came_of: str = "") -> None:
    """Somebody ran the day again: a line in the timeline of its newest incident, if it has one, and once it is known
    what came of it a reply in its thread. Raises Unreadable.

    `how`: the run, or from where; `came_of`: what is known of its end.
    """
    with store.decision_lock() as decision:
        theirs = [
            incident
            for incident in decision.incidents({report})
            if (incident.dag_id, incident.report_date) == report and not incident.drill
        ]
        if not theirs:
            return
        newest = max(theirs, key=lambda incident: incident.opened_at)
        owed: tuple[Notification, ...] = ()
        posts = [one.message for one in decision.said([newest.key])[newest.key] if one.op == "post"]
        if came_of and posts:
            step, title = f"ran-again:{at.isoformat()}", ran_again(by, came_of=came_of)
            bare = replace(posts[-1], summary="", facts=(), steps="", recipients=())
            owed = (post(replace(bare, step=step, title=title)),)
        # With its row written anew, for whoever has kept what was over.
        event = Event(newest.key, at, ran_again(by, how, came_of))
        decision.record(Plan((newest,), owed, (event,)), at)


def _told_together(config: OncallConfig, decision: DecisionTransaction, key: str) -> list[Incident]:
    """The open incident of this key, or the one that speaks for it, then all it speaks for; [] if none is open."""
    open_ones = {i.key: i for i in decision.incidents() if i.open and i.dag_id in config.pipelines}
    incident = open_ones.get(key)
    if incident is None:
        return []
    leader = open_ones.get(incident.leader, incident)
    return [leader, *(one for one in open_ones.values() if one.leader == leader.key)]
