"""What one round asks of the pager: to do something, whether it has something already, and what became of a request.

To read is a courtesy: one answer that fails is enough to ask no more in this round, and sending goes on without it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from structlog.contextvars import bind_contextvars

from oncall.core.errors import DeliveryFailed, NotAllowed, OncallError
from oncall.core.incidents.binding import Send
from oncall.core.incidents.incident_words import (
    added_to_another,
    kept_silent,
    made_less_urgent,
    sent_to_others,
)
from oncall.core.message import Message
from oncall.core.notices.drill_page import PAGE as TEST_PAGE
from oncall.usecases.channel_ports import AlertState, Pager, RequestOutcome
from oncall.usecases.chat_delivery import BEFORE
from oncall.usecases.ports import OutboxEntry

MOST_READ_BACK = 20  # alerts whose responders are read in one round, each as often as it takes to be shown
MOST_ASKED_S = 10.0  # how long it is asked, before a further step, who has taken an earlier alert


def about(delivery: OutboxEntry) -> dict[str, str]:
    """What every log line about a delivery names, those of the libraries too."""
    return {"incident": delivery.key, "step": delivery.step, "channel": delivery.channel, "op": delivery.op}


class SeemsTaken(Exception):
    """An alert of the incident is acknowledged or closed: was it a person's act, nobody else is to be woken."""


class NotItsTurn(Exception):
    """The page of somebody who was called earlier is taken now, or they were called in the meantime."""


@dataclass
class PagerDelivery:
    """One pager for one round; its methods may be called by several threads.

    `unread`: why it cannot be asked any more in this round ("" while it can); `mute`: this key may never ask.
    """

    pager: Pager
    unread: str = ""
    mute: bool = False
    read_back: set[str] = field(default_factory=set)

    def request(self, delivery: OutboxEntry, check: bool, send: Send) -> str:
        """Ask for one action; returns its request, "" when it turns out to be done already (`check`: look first).

        Raises SeemsTaken when one of the alerts that are asked about first is acknowledged or closed, NotItsTurn when
        somebody else is called first.
        """
        bind_contextvars(**about(delivery))
        if delivery.pends:
            return delivery.request_id
        if delivery.op == "page":
            if self._is_any_taken(send.ask_first):
                raise SeemsTaken
            if check and self.has(delivery):
                return ""
            if send.only_look or any(self._takes(delivery, each) for each in send.before):
                raise NotItsTurn
            return self._page(delivery)
        words = "\n".join(part for part in (delivery.message.title, delivery.message.summary) if part)
        if delivery.op == "close":
            return self.pager.close(delivery.alias, words)
        if delivery.op == "acknowledge":
            return self.pager.acknowledge(delivery.alias, words, delivery.user)
        return self.pager.note(delivery.alias, words)

    def _page(self, delivery: OutboxEntry) -> str:
        """A receipt that names no request is believed where the alert is shown, or nothing is."""
        request_id = self.pager.page(delivery.message)
        if not request_id and not self.has(delivery) and self._reads:
            raise DeliveryFailed("the answer names no request, and the alert is not there", uncertain=True)
        return request_id

    def _takes(self, delivery: OutboxEntry, before: Message) -> bool:
        """Whether one more try is taken of the page of somebody who was called earlier; their own row hears of it at
        its next one, also whether it reaches them."""
        earlier = replace(delivery, step=before.step, alias=before.alias, message=before)
        try:
            self._page(earlier)
        except OncallError:
            return self.has(earlier)
        return True

    @property
    def _reads(self) -> bool:
        return not self.unread and self.pager.capabilities.reads_alerts

    def outcome(self, delivery: OutboxEntry, request_id: str) -> RequestOutcome:
        """How a request stands. The words of one that is done: why its page does not reach its person ("" when it
        does)."""
        bind_contextvars(**about(delivery))
        if self.mute:
            return RequestOutcome("done", "", delivery.alias)  # its receipt is all that can be had
        if self.unread:
            return RequestOutcome("unknown", self.unread, delivery.alias)
        newest, *earlier = request_id.split("\n")
        try:
            state, words, alias = self.pager.request_state(newest)
            # A slow far side carries out the request that was made anew long after the one before it.
            for request in earlier if state != "done" else ():
                if (before := self.pager.request_state(request)).state == "done":
                    state, words, alias = before
        except OncallError as error:
            self._give_up(error)
            return RequestOutcome("done" if self.mute else "unknown", "", delivery.alias)
        known = replace(delivery, alias=alias or delivery.alias)
        if state != "done":
            return RequestOutcome(state, words, known.alias)
        misrouted = self.misrouted(known)
        return RequestOutcome("unseen" if misrouted is None else "done", misrouted or "", known.alias)

    def _alert(self, alias: str) -> AlertState | None:
        """As the pager shows it; None where there is none, or nothing can be read."""
        try:
            return self.pager.alert_state(alias) if self._reads else None
        except OncallError as error:
            self._give_up(error)
            return None

    def _is_any_taken(self, aliases: Sequence[str]) -> bool:
        """The newest first. A far side that needs long for each answer is not asked of all: whoever is next has to be
        woken within their minute."""
        until = time.monotonic() + MOST_ASKED_S
        return any(time.monotonic() < until and self._seems_taken(alias) for alias in reversed(aliases))

    def _seems_taken(self, alias: str) -> bool:
        state = self._alert(alias)
        return state is not None and (state.acknowledged or not state.open)

    def has(self, delivery: OutboxEntry) -> bool:
        """Whether this page has been made.

        A closed alert that was made long before is of an earlier life of its alias (the store was lost): it is no page.
        """
        state = self._alert(delivery.alias)
        if state is None:
            return False
        return state.open or state.created_at is None or state.created_at >= delivery.owed_at - BEFORE

    def misrouted(self, delivery: OutboxEntry, made_before: bool = False) -> str | None:
        """Why a page does not reach its person although the pager has it: the far side may send it to others. None
        while its alert is not shown. `made_before`: by an earlier try, so that its person may have snoozed it since.
        """
        message = delivery.message
        person = message.recipients[0].opsgenie if message.recipients else None
        if delivery.op != "page" or (message.priority != "P1" and delivery.step != TEST_PAGE) or not person:
            return ""
        self.read_back.add(delivery.alias)
        if not self._reads or len(self.read_back) > MOST_READ_BACK:
            return ""
        state = self._alert(delivery.alias)
        if state is None:
            return None if self._reads else ""
        by_itself = not state.open and "@" not in state.closed_by  # else a person has it
        if by_itself or (state.snoozed and not made_before):
            return kept_silent("closed" if not state.open else "snoozed")
        if message.priority == "P1" and state.priority > "P2":
            return made_less_urgent(state.priority)
        if state.responders is None:
            return ""
        if person.casefold() in (each.casefold() for each in state.responders):
            return ""
        if delivery.alias.casefold() != message.alias.casefold():
            return added_to_another(delivery.alias, state.responders)
        return sent_to_others(state.responders)

    def _give_up(self, error: OncallError) -> None:
        self.unread, self.mute = str(error), self.mute or isinstance(error, NotAllowed)
