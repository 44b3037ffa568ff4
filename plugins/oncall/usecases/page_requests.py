"""The requests that one round has open at the pager: it takes a request at once, and carries it out when it can."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog
from structlog.contextvars import bound_contextvars

from oncall.core.errors import Rejected, Unreadable, trace
from oncall.core.incidents.binding import Send
from oncall.core.incidents.incident_words import not_carried_out
from oncall.usecases.channel_ports import RequestOutcome
from oncall.usecases.delivery_round import LEASE, UNPROCESSED, Round
from oncall.usecases.pager_delivery import NotItsTurn, PagerDelivery, SeemsTaken, about
from oncall.usecases.ports import OutboxEntry

log = structlog.get_logger(__name__)
T = TypeVar("T")

WIDTH = 8  # calls to the pager side by side
CARRIED_OUT_WITHIN_S = 4.0  # how long to wait at once for the pager to carry out a request
MADE_ANEW = dt.timedelta(seconds=15)  # a request that pends for so long is made again, under the same alias
MOST_REQUESTS = 5  # of one delivery that are asked for: a far side that needs longer has none
GONE = re.compile("not exist|not found|no such", re.IGNORECASE)  # what was to be closed, in the pager's words
TRIES = 5  # to close, acknowledge or annotate what the pager takes and does not carry out


@dataclass
class PageRequests:
    """`flying`: what is being asked for; `pending`: what the pager has taken and not carried out, with its request.

    `sync_acknowledgements`: asks who has acknowledged what a delivery is about.
    """

    round: Round
    calls: PagerDelivery
    pool: ThreadPoolExecutor
    sync_acknowledgements: Callable[[OutboxEntry], None]
    flying: dict[Future[tuple[str, str]], tuple[OutboxEntry, Send]] = field(default_factory=dict)
    pending: list[tuple[OutboxEntry, str]] = field(default_factory=list)

    def begin(self, delivery: OutboxEntry, send: Send, *, check: bool) -> None:
        """Begin one. `check`: look first whether the pager has it already."""
        self.flying[self._run(self._request, delivery, check, send)] = (delivery, send)

    def _request(self, delivery: OutboxEntry, check: bool, send: Send) -> tuple[str, str]:
        """The request, and of a page that needs none any more why it does not reach its person."""
        request_id = self.calls.request(delivery, check, send)
        return request_id, "" if request_id else self.calls.misrouted(delivery, delivery.maybe_taken) or ""

    def take_answers(self) -> None:
        """Wait for the next answers and note them."""
        for future in wait(self.flying, return_when=FIRST_COMPLETED).done:
            delivery, send = self.flying.pop(future)
            with bound_contextvars(**about(delivery)):
                self._answered(delivery, send, future)

    def _answered(self, delivery: OutboxEntry, send: Send, future: Future[tuple[str, str]]) -> None:
        try:
            request_id, misrouted = future.result()
        except SeemsTaken:
            self._bind_again(delivery)
            return
        except NotItsTurn:
            self.round.later(delivery, MADE_ANEW)
            return
        except Exception as error:  # noqa: BLE001 - a fault with one message must not stop the others
            self.round.failed(delivery, error, send)
            return
        if not request_id:
            self.round.done(delivery, unreached=misrouted)
            return
        if not delivery.pends:
            now = self.round.now()
            request_id = "\n".join(
                [request_id, *filter(None, delivery.request_id.split("\n"))][:MOST_REQUESTS]
            )
            delivery = replace(delivery, requested_at=now, pending_since=delivery.pending_since or now)
        self.round.accepted(delivery, request_id, LEASE["pager"])
        self.pending.append((delivery, request_id))

    def _bind_again(self, delivery: OutboxEntry) -> None:
        """Hear who has the incident; where no person has, it goes out."""
        try:
            self.sync_acknowledgements(delivery)
            send = self.round.wanted(delivery)
        except Unreadable as error:
            self.round.sent.lost = error
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, a page must go out
            log.error("oncall.not_heard", traceback=trace(error), **about(delivery))
            send = Send(delivery.message)
        if send is not None:
            again = replace(delivery, message=send.message)
            self.begin(again, replace(send, ask_first=()), check=delivery.maybe_taken)

    def settle(self) -> None:
        """Wait a little for what pends; what still does is asked for again at a later round."""
        until, pause = time.monotonic() + CARRIED_OUT_WITHIN_S, 0.1
        while self.pending:
            states = [(request, self._run(self.calls.outcome, *request)) for request in self.pending]
            self.pending = [
                request for request, future in states if not self._settled(request[0], future.result())
            ]
            if time.monotonic() > until:
                break
            if self.pending:
                time.sleep(pause)
                pause = min(pause * 1.5, 0.5)
        for delivery, request_id in self.pending:
            with bound_contextvars(**about(delivery)):
                if not delivery.unreached and (why := self._not_made(delivery)):
                    self._make_anew(delivery, why)
                else:
                    self.round.accepted(delivery, request_id, dt.timedelta(seconds=1))

    def _settled(self, delivery: OutboxEntry, outcome: RequestOutcome) -> bool:
        """Write down what became of a request; False while it pends."""
        state, words, alias = outcome
        now = self.round.now()
        since, last = delivery.pending_since or now, delivery.requested_at or now
        over = GONE.search(words) or delivery.attempts >= TRIES
        if state == "failed":
            delivery = replace(delivery, request_id="")  # nothing more will come of it
        with bound_contextvars(**about(delivery)):
            seen_late = now - last >= MADE_ANEW or now - since >= UNPROCESSED
            if state == "done" or (state == "unseen" and seen_late):
                self.round.done(replace(delivery, alias=alias), unreached=words)
            elif state == "failed" and delivery.op != "page" and over:
                self.round.done(delivery)  # to close what is closed or gone is as good as done
            elif state == "failed" and delivery.attempts == 1:
                self.round.again(delivery, f"taken, then failed: {words}")
            elif state == "failed":
                self.round.failed(delivery, Rejected(f"taken, then failed: {words}"))
            elif state == "unknown" and now - since >= UNPROCESSED:
                # its receipt is all that can be had: reading is a courtesy, and the next step waits no longer for it
                self.round.done(delivery, at=last)
            elif now - last >= MADE_ANEW:  # what is unseen by then is done
                self._make_anew(delivery, self._not_made(delivery))
            else:
                return False
        return True

    def _not_made(self, delivery: OutboxEntry) -> str:
        """Why somebody else has to be called: it pends for too long, and there is no alert. "" otherwise."""
        since = delivery.pending_since
        pends_long = since is not None and self.round.now() - since >= UNPROCESSED
        if delivery.op != "page" or not pends_long or self.calls.has(delivery):
            return ""
        return "the pager has taken the page and does not carry it out"

    def _make_anew(self, delivery: OutboxEntry, unreached: str) -> None:
        self.round.again(delivery, not_carried_out(MADE_ANEW.total_seconds()), unreached)

    def _run(self, act: Callable[..., T], *args: object) -> Future[T]:
        """Call it in the pool; what is bound to the log here is bound there too."""
        return self.pool.submit(copy_context().run, act, *args)
