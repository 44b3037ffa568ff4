"""One round of sending on one channel, or of asking who has acknowledged, with what has to be noted of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from oncall.acknowledgements import sync_acknowledgements
from oncall.channel_health import note_health, note_hearing
from oncall.config import Setup
from oncall.core.incident import Channel
from oncall.core.wording import Links, Scene
from oncall.delivery import CHANNEL_ID, Clock, Sender, Sent
from oncall.late_binding import Binder
from oncall.measures import first_page, of_sending
from oncall.paging import Look
from oncall.ports import EVERYTHING, Chat, Delivery, Lane, Metrics, Pager, Store


@dataclass
class Dispatch:
    """Everything that one sender needs, for one thread. `seen`: this process's last look.

    `check_first`: somebody without this store may have said it already (a watcher that paged from memory and died), so
    the far sides are asked first. `journal`: what they took and no store could be told of yet.
    """

    setup: Setup
    store: Store
    pager: Pager
    chat: Chat
    links: Links
    metrics: Metrics
    now: Clock
    seen: Look | None = None
    check_first: bool = False
    journal: list[Delivery] = field(default_factory=list)

    def pages(self, lane: Lane = EVERYTHING) -> Sent:
        """Raises Unreadable when the store cannot be reached."""
        sent = self._sender().pages(self.store, self.pager, lane)
        self._noted("pager", sent)
        return sent

    def posts(self) -> Sent:
        """Raises Unreadable when the store cannot be reached."""
        sent = self._sender().posts(self.store, self.chat, self.setup.roster.slack_channel)
        self._noted("chat", sent)
        return sent

    def acknowledgements(self) -> None:
        """Raises Unreadable when the store cannot be reached."""
        at = self.now()
        trouble = sync_acknowledgements(self.setup, self.pager, self.store, self.links, at)
        note_hearing(self.store, self.scene(at), trouble)

    def can_check(self) -> bool:
        """Whether the channels' history can be asked: their ids are known from earlier posts."""
        return all(
            self.store.recall(f"{CHANNEL_ID}:{channel}") is not None for channel in self.setup.channels
        )

    def _sender(self) -> Sender:
        binder = Binder(self.setup, self.store, self.pager, self.links, self.now, self.seen)
        return Sender(binder, self.now, self.check_first, self.journal)

    def scene(self, at: dt.datetime) -> Scene:
        return Scene(self.setup.roster, self.links, at)

    def _noted(self, channel: Channel, sent: Sent) -> None:
        up = note_health(self.store, self.scene(self.now()), channel, sent)
        self.metrics.tell(of_sending(channel, sent, up, self._due(sent)))

    def _due(self, sent: Sent) -> dict[str, dt.datetime]:
        """When the promises were due whose first page has just been taken."""
        if not any(first_page(delivery) for delivery, _ in sent.taken):
            return {}
        with self.store.deciding() as desk:
            return {incident.key: incident.due for incident in desk.incidents() if incident.due}
