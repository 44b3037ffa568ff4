"""Binds a delivery at the moment it is sent: to the newest facts of its incident and the roster in force."""

from __future__ import annotations

from dataclasses import dataclass

from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents.binding import Bound, Send, bind, bind_for_others
from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.incident import OTHERS, incident_of
from oncall.core.incidents.page_step import round_and_seat
from oncall.core.incidents.wording import Links, Scene
from oncall.usecases.acknowledge import sync_acknowledgements
from oncall.usecases.channel_ports import Pager
from oncall.usecases.delivery_round import Clock
from oncall.usecases.evaluate import Evaluation
from oncall.usecases.ports import OutboxEntry, Store
from oncall.usecases.recorded_context import context_of


@dataclass
class Binder:
    """Binds what one sender has claimed. `seen`: the last look of this process, if it looks."""

    config: OncallConfig
    store: Store
    pager: Pager
    links: Links
    now: Clock
    seen: Evaluation | None = None

    def __call__(self, delivery: OutboxEntry) -> Bound:
        file = self.store.file(incident_of(delivery.key))
        if file is None:
            return Send(delivery.message)
        at = self.now()
        is_further = not delivery.step.startswith("page-1-") and round_and_seat(delivery.step) is not None
        if delivery.channel == "chat" and is_further:
            # Somebody may have acknowledged a second ago: then nobody else is named.
            self.sync_acknowledgements(delivery)
            file = self.store.file(delivery.key) or file
        incident = file.incident
        if incident.dag_id not in self.config.pipelines:
            context = IncidentContext(incident, (), file.entries)
            return bind(delivery.entry, delivery.message, context, Scene(self.config.roster, self.links, at))
        scene = Scene(self.config.roster_of(incident.dag_id), self.links, at)
        context = context_of(self.config, file, self.seen)
        if OTHERS in delivery.key:
            told, seen = self.store.thread(delivery.key) is not None, self.seen.statuses if self.seen else ()
            mine = [one for one in seen if one.pipeline.team == scene.roster.team]
            return bind_for_others(
                delivery.entry, delivery.message, incident.report_date, mine, scene, told=told
            )
        return bind(delivery.entry, delivery.message, context, scene)

    def sync_acknowledgements(self, delivery: OutboxEntry) -> None:
        """Ask who has acknowledged its incident. Raises Unreadable when the store cannot be reached."""
        sync_acknowledgements(
            self.config, self.pager, self.store, self.links, self.now(), {incident_of(delivery.key)}
        )
