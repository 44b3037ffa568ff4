"""Sending what is owed, once. A delivery is done only when the far side has truly taken it.

Whether something is still wanted, whom it is for and in which words is asked at each try (`bind`), after it was
claimed. To read the far side is a courtesy: a page that may have been taken is looked for, and sent again under the
same alias when it cannot be found, or the far side cannot be asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog
from structlog.contextvars import bound_contextvars

from oncall.core.errors import Unreadable
from oncall.usecases.channel_ports import Chat, Pager
from oncall.usecases.chat_delivery import ChatDelivery, HeldTooLong
from oncall.usecases.delivery_round import Bind, Clock, Round, Sent
from oncall.usecases.page_requests import WIDTH, PageRequests
from oncall.usecases.pager_delivery import PagerDelivery, about
from oncall.usecases.ports import EVERYTHING, Lane, OutboxEntry, Store

log = structlog.get_logger(__name__)

HELD_S = 45.0  # after so long a post is not begun any more: this process slept, and another one sends it


@dataclass
class Sender:
    """One sender on one store.

    `sync_acknowledgements`: asks who has acknowledged what a delivery is about. `journal`: what the far sides took and
    the store could not yet be told of.
    """

    bind: Bind
    now: Clock
    sync_acknowledgements: Callable[[OutboxEntry], None] = lambda _: None
    check_before_send: bool = False
    journal: list[OutboxEntry] = field(default_factory=list)
    monotonic: Callable[[], float] = time.monotonic

    def pages(self, store: Store, pager: Pager, lane: Lane = EVERYTHING) -> Sent:
        """Send what this lane owes to the pager, several at a time; stops when it cannot be reached.

        Raises Unreadable when the store cannot be reached; what was sent until then is written down by the next round.
        """
        this_round = Round(store, self.bind, self.now, self.journal)
        with this_round.begun() as sent, ThreadPoolExecutor(WIDTH, "oncall-pager") as pool:
            requests = PageRequests(this_round, PagerDelivery(pager), pool, self.sync_acknowledgements)
            while True:
                while not sent.stopped and len(requests.flying) < WIDTH:
                    found = this_round.claim("pager", lane)
                    if found is None:
                        break
                    requests.begin(*found, check=found[0].maybe_taken or self.check_before_send)
                if not requests.flying:
                    break
                requests.take_answers()
            requests.settle()
        return sent

    def posts(self, store: Store, chat: Chat, channel: str, lane: Lane = EVERYTHING) -> Sent:
        """Post what this lane owes to the chat, in order; stops when it cannot be reached.

        `channel`: for what names none. Raises Unreadable when the store cannot be reached.
        """
        this_round = Round(store, self.bind, self.now, self.journal)
        chatting = ChatDelivery(store, chat, channel, self.check_before_send, self.monotonic)
        with this_round.begun() as sent:
            while not sent.stopped:
                until = self.monotonic() + HELD_S
                found = this_round.claim("chat", lane, chatting.find)
                if found is None:
                    break
                delivery, send = found
                with bound_contextvars(**about(delivery)):
                    try:
                        posted = chatting.post(delivery, send.message, until)
                    except Unreadable:
                        raise
                    except HeldTooLong:
                        log.warning("oncall.held_too_long", attempts=delivery.attempts)
                    except Exception as error:  # noqa: BLE001 - a fault with one message must not stop the others
                        this_round.failed(delivery, error, send)
                    else:
                        this_round.done(delivery, posted)
        sent.unchecked = chatting.unchecked
        return sent
