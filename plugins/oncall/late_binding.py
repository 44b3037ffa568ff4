"""What an incident is about at the moment something is sent for it, from the newest facts and the roster in force."""

from __future__ import annotations

from dataclasses import dataclass

from oncall.acknowledgements import sync_acknowledgements
from oncall.config import Setup
from oncall.core.binding import Bound, Send, bind
from oncall.core.case import Case
from oncall.core.escalation import ladder_and_seat
from oncall.core.wording import Links, Scene
from oncall.delivery import Clock
from oncall.incident_file import case_of
from oncall.paging import Look
from oncall.ports import Delivery, Pager, Store


@dataclass
class Binder:
    """Binds what one sender has claimed. `seen`: the last look of this process, if it looks."""

    setup: Setup
    store: Store
    pager: Pager
    links: Links
    now: Clock
    seen: Look | None = None

    def __call__(self, delivery: Delivery) -> Bound:
        file = self.store.file(delivery.key)
        if file is None:
            return Send(delivery.message)
        at = self.now()
        if self._is_further_step(delivery):
            # Somebody may have acknowledged a second ago: then nobody else is woken.
            sync_acknowledgements(self.setup, self.pager, self.store, self.links, at, {delivery.key})
            file = self.store.file(delivery.key) or file
        incident = file.incident
        if incident.dag_id not in self.setup.pipelines:
            case = Case(incident, (), file.entries)
            return bind(delivery.entry, delivery.message, case, Scene(self.setup.roster, self.links, at))
        scene = Scene(self.setup.roster_of(incident.dag_id), self.links, at)
        return bind(delivery.entry, delivery.message, case_of(self.setup, file, self.seen), scene)

    @staticmethod
    def _is_further_step(delivery: Delivery) -> bool:
        return (
            delivery.channel == "pager"
            and not delivery.step.startswith("page-1-")
            and ladder_and_seat(delivery.step) is not None
        )
