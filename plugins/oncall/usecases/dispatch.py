"""What a loop calls: sends a lane's pages or posts, or asks who has acknowledged; notes how the channel is."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import dataclass, field

from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import NotAllowed
from oncall.core.incidents.incident import Channel, Plan
from oncall.core.incidents.wording import Links, Scene
from oncall.core.notices.channel_notices import others_untold
from oncall.usecases.acknowledge import sync_acknowledgements
from oncall.usecases.channel_health import note_health, note_hearing, note_refusals
from oncall.usecases.channel_ports import Chat, Pager
from oncall.usecases.chat_delivery import CHANNEL_ID
from oncall.usecases.delivery_round import Clock, Sent
from oncall.usecases.evaluate import Evaluation
from oncall.usecases.late_binding import Binder
from oncall.usecases.lost_alerts import find_lost_alerts
from oncall.usecases.metrics import first_page, of_sending
from oncall.usecases.outbox import Sender
from oncall.usecases.ports import EVERYTHING, Lane, Metrics, OutboxEntry, Store


@dataclass
class Dispatch:
    """Everything that one sender needs, for one thread. `seen`: this process's last look.

    `check_before_send`: a process without this store may have sent it already (a watcher that paged from memory and
    died), so the far sides are asked first. `journal`: what they took and no store could be told of yet.
    """

    config: OncallConfig
    store: Store
    pager: Pager
    chat: Chat
    links: Links
    metrics: Metrics
    now: Clock
    seen: Evaluation | None = None
    check_before_send: bool = False
    journal: list[OutboxEntry] = field(default_factory=list)

    def pages(self, lane: Lane = EVERYTHING) -> Sent:
        """Raises Unreadable when the store cannot be reached."""
        sent = self._sender().pages(self.store, self.pager, lane)
        self._noted("pager", sent)
        return sent

    def posts(self, lane: Lane = EVERYTHING) -> Sent:
        """Raises Unreadable when the store cannot be reached."""
        sent = self._sender().posts(self.store, self.chat, self.config.roster.slack_channel, lane)
        self._noted("chat", sent)
        if sent.untold is not None:
            entry, reason = sent.untold
            with self.store.decision_lock() as decision:
                at = self.now()
                decision.record(Plan(owed=(others_untold(self.scene(at), entry.message, reason),)), at)
        return sent

    def acknowledgements(self) -> None:
        """Raises Unreadable when the store cannot be reached."""
        at = self.now()
        trouble = sync_acknowledgements(self.config, self.pager, self.store, self.links, at)
        note_hearing(self.store, self.scene(at), trouble)

    def lost_alerts(self) -> None:
        """For a process that has just begun. Raises what the pager and the store raise."""
        if self.seen is not None:
            with suppress(NotAllowed):  # a key that may not read is not asked again
                find_lost_alerts(self.config, self.pager, self.store, self.seen.statuses, self.now())

    def can_check(self) -> bool:
        """Whether the channels' history can be asked: their ids are known from earlier posts."""
        return all(
            self.store.get_note(f"{CHANNEL_ID}:{channel}") is not None for channel in self.config.channels
        )

    def _sender(self) -> Sender:
        binder = Binder(self.config, self.store, self.pager, self.links, self.now, self.seen)
        return Sender(binder, self.now, binder.sync_acknowledgements, self.check_before_send, self.journal)

    def scene(self, at: dt.datetime) -> Scene:
        """What messages are made from at that instant."""
        return Scene(self.config.roster, self.links, at)

    def _noted(self, channel: Channel, sent: Sent) -> None:
        at, ours = self.now(), self.config.roster
        up = note_health(self.store, self.scene(at), channel, sent)
        for roster in self.config.rosters if channel == "chat" else ():
            names = (roster.slack_channel, "") if roster is ours else (roster.slack_channel,)
            up &= note_refusals(self.store, Scene(roster, self.links, at), sent, names)
        self.metrics.tell(of_sending(channel, sent, up, self._due(sent)))

    def _due(self, sent: Sent) -> dict[str, dt.datetime]:
        """When the promises were due whose first page has just been taken."""
        if not any(first_page(delivery) for delivery, _ in sent.taken):
            return {}
        with self.store.decision_lock() as decision:
            return {incident.key: incident.due for incident in decision.incidents() if incident.due}
