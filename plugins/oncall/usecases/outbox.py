"""Sending what is owed, once. A delivery is done only when the far side has truly taken it.

Whether something is still wanted, whom it is for and in which words is asked at each try (`bind`), after it was
claimed. To read the far side is a courtesy: a page that may have been taken is looked for, and sent again under the
same alias when it cannot be found, or the far side cannot be asked.
"""

from __future__ import annotations

import datetime as dt
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import structlog
from structlog.contextvars import bound_contextvars

from oncall.core.errors import Gone, LockedOut, OncallError, Rejected, Unreadable
from oncall.core.incidents.binding import Bound, Later, Send, Withdraw
from oncall.core.incidents.incident import OTHERS, Channel
from oncall.usecases.chat_delivery import THREAD, ChatDelivery, HeldTooLong
from oncall.usecases.pager_delivery import Outcome, PagerDelivery, about
from oncall.usecases.ports import EVERYTHING, Chat, Lane, OutboxEntry, Pager, Posted, Snapshot, Store
from oncall.usecases.retry import is_refused, is_uncertain, wait_s

log = structlog.get_logger(__name__)
T = TypeVar("T")

WIDTH = 8  # calls to the pager side by side
# Longer than all calls of one delivery may take: to look for it, to send it, and to send it in a plainer form.
LEASE = {"pager": dt.timedelta(seconds=25), "chat": dt.timedelta(seconds=75)}
HELD_S = 45.0  # after so long a post is not begun any more: this process slept, and another one sends it
PATIENCE_S = 4.0  # how long to wait at once for the pager to carry out a request
MADE_ANEW = dt.timedelta(seconds=15)  # a request that pends for so long is made again, under the same alias
UNPROCESSED = dt.timedelta(seconds=45)  # after so long its person counts as not reached

Clock = Callable[[], dt.datetime]
Bind = Callable[[OutboxEntry], Bound]


@dataclass
class Sent:
    """How a round of sending went: what the far side has taken, and when, and each try that it did not take.

    `outage`: why it takes nothing at all ("" when it answers); `locked_out`: nor will it before somebody mends the
    connection. `refused`: why it does not take one message, while it takes others. `unreached`: somebody on the
    escalation is not reached, so the next one has to be called. `unchecked`: why the far side could not be asked
    whether it had something already. `untold`: what another team's channel refused, and why.
    """

    taken: list[tuple[OutboxEntry, dt.datetime]] = field(default_factory=list)
    failed: list[OutboxEntry] = field(default_factory=list)
    outage: str = ""
    locked_out: bool = False
    refused: str = ""
    unreached: bool = False
    unchecked: str = ""
    untold: tuple[OutboxEntry, str] | None = None
    lost: Unreadable | None = None  # the store went away within the round

    @property
    def answered(self) -> bool:
        """Whether the far side said anything but that it is out of order."""
        return bool(self.taken or self.refused) and not self.outage

    @property
    def stopped(self) -> bool:
        """Whether the channel fails, so that the rest waits."""
        return bool(self.outage or self.lost)


@dataclass
class Sender:
    """One sender on one store. `taken` is what the far sides took and the store could not yet be told of."""

    bind: Bind
    now: Clock
    check_before_send: bool = False
    journal: list[OutboxEntry] = field(default_factory=list)
    monotonic: Callable[[], float] = time.monotonic

    def pages(self, store: Store, pager: Pager, lane: Lane = EVERYTHING) -> Sent:
        """Send what this lane owes to the pager, several at a time; stops when it cannot be reached.

        Raises Unreadable when the store cannot be reached; what was sent until then is written down by the next round.
        """
        sent, asked = Sent(), list[tuple[OutboxEntry, str]]()
        calls = PagerDelivery(pager)
        with self._round(store, sent), ThreadPoolExecutor(WIDTH, "oncall-pager") as pool:
            flying: dict[Future[str], tuple[OutboxEntry, Send]] = {}
            while True:
                while (
                    not sent.stopped
                    and len(flying) < WIDTH
                    and (found := self._claim(store, "pager", lane, sent))
                ):
                    check = found[0].maybe_taken or self.check_before_send
                    flying[_in(pool, calls.ask, found[0], check)] = found
                if not flying:
                    break
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    delivery, send = flying.pop(future)
                    with bound_contextvars(**about(delivery)):
                        self._asked(store, delivery, send, future, sent, asked)
            self._await(store, calls, pool, asked, sent)
        return sent

    def posts(self, store: Store, chat: Chat, channel: str, lane: Lane = EVERYTHING) -> Sent:
        """Post what this lane owes to the chat, in order; stops when it cannot be reached.

        `channel`: for what names none. Raises Unreadable when the store cannot be reached.
        """
        sent, chatting = Sent(), ChatDelivery(store, chat, channel, self.check_before_send, self.monotonic)
        with self._round(store, sent):
            while not sent.stopped:
                until = self.monotonic() + HELD_S
                found = self._claim(store, "chat", lane, sent, chatting.find)
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
                        self._failed(store, delivery, _as_ours(error), sent, send)
                    else:
                        self._done(store, delivery, sent, posted)
        sent.unchecked = chatting.unchecked
        return sent

    @contextmanager
    def _round(self, store: Store, sent: Sent) -> Iterator[None]:
        if self.journal:
            store.merge(Snapshot(deliveries=tuple(self.journal)))
            self.journal.clear()
        yield
        if sent.lost is not None:
            raise sent.lost

    def _claim(
        self,
        store: Store,
        channel: Channel,
        lane: Lane,
        sent: Sent,
        found: Callable[[OutboxEntry], Posted | None] = lambda _: None,
    ) -> tuple[OutboxEntry, Send] | None:
        """The next that is still wanted, in the words that are true now. `found`: where something stands already."""
        try:
            while delivery := store.claim(channel, lane, LEASE[channel]):
                bound = Send(delivery.message) if delivery.request_id else self._bound(delivery)
                if isinstance(bound, Send):
                    if bound.message != delivery.message:
                        store.bound(delivery, bound.message)
                    return replace(delivery, message=bound.message), bound
                if isinstance(bound, Withdraw):
                    self._withdraw(store, delivery, bound.why, sent, found)
                elif isinstance(bound, Later):
                    store.failed(delivery, delivery.error, bound.wait, uncertain=False)
        except Unreadable as error:
            sent.lost = error
        return None

    def _bound(self, delivery: OutboxEntry) -> Bound:
        """A fault of our own in binding one message silences nobody: it goes as it was written."""
        try:
            return self.bind(delivery)
        except Unreadable:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, a page must go out
            log.error("oncall.not_bound", traceback=traceback.format_exc(), **about(delivery))
            return Send(delivery.message)

    def _withdraw(
        self,
        store: Store,
        delivery: OutboxEntry,
        why: str,
        sent: Sent,
        found: Callable[[OutboxEntry], Posted | None],
    ) -> None:
        """Not wanted any more. Where it was said after all, that is kept: the thread may begin with it."""
        posted = None
        if delivery.maybe_taken:
            with suppress(OncallError):
                posted = found(delivery)
        if posted is not None:
            self._done(store, delivery, sent, posted)
            return
        store.withdraw(delivery, why)
        log.info("oncall.withdrawn", why=why, **about(delivery))

    def _asked(
        self,
        store: Store,
        delivery: OutboxEntry,
        send: Send,
        future: Future[str],
        sent: Sent,
        asked: list[tuple[OutboxEntry, str]],
    ) -> None:
        try:
            request_id = future.result()
        except Exception as error:  # noqa: BLE001 - a fault with one message must not stop the others
            self._failed(store, delivery, _as_ours(error), sent, send)
            return
        if not request_id:
            self._done(store, delivery, sent)
            return
        if not delivery.request_id:
            now = self.now()
            delivery = replace(delivery, requested_at=now, pending_since=delivery.pending_since or now)
        self._tell(sent, delivery, lambda: store.accepted(
            delivery, request_id, delivery.requested_at or self.now(), LEASE["pager"]
        ))  # fmt: skip
        asked.append((delivery, request_id))

    def _await(
        self,
        store: Store,
        calls: PagerDelivery,
        pool: ThreadPoolExecutor,
        asked: list[tuple[OutboxEntry, str]],
        sent: Sent,
    ) -> None:
        """Wait a little for the requests to be carried out; what still pends is asked for again at a later round."""
        until, pause = time.monotonic() + PATIENCE_S, 0.1
        while asked:
            states = [(each, _in(pool, calls.outcome, *each)) for each in asked]
            asked = [
                each for each, future in states if not self._settled(store, each[0], future.result(), sent)
            ]
            if time.monotonic() > until:
                break
            if asked:
                time.sleep(pause)
                pause = min(pause * 1.5, 0.5)
        for delivery, request_id in asked:
            at = delivery.requested_at or self.now()
            self._tell(
                sent, delivery, partial(store.accepted, delivery, request_id, at, dt.timedelta(seconds=1))
            )

    def _settled(self, store: Store, delivery: OutboxEntry, outcome: tuple[Outcome, str], sent: Sent) -> bool:
        """Write down what became of a request; False while it pends."""
        state, words = outcome
        now = self.now()
        since, last = delivery.pending_since or now, delivery.requested_at or now
        with bound_contextvars(**about(delivery)):
            if state == "done":
                self._done(store, delivery, sent, unreached=words)
            elif state == "failed" and delivery.op != "page":
                self._done(store, delivery, sent)  # to close what is closed or gone is as good as done
            elif state == "failed" and delivery.attempts == 1:
                self._again(store, delivery, f"taken, then failed: {words}", sent)
            elif state == "failed":
                self._failed(store, delivery, Rejected(f"taken, then failed: {words}"), sent)
            elif state == "unknown" and now - since >= UNPROCESSED:
                self._done(store, delivery, sent)  # its receipt is all that can be had: reading is a courtesy
            elif now - last >= MADE_ANEW:
                self._unprocessed(store, delivery, sent)
            else:
                return False
        return True

    def _unprocessed(self, store: Store, delivery: OutboxEntry, sent: Sent) -> None:
        """It is made anew at once; when that has gone on for too long somebody else has to be called."""
        why = ""
        if delivery.op == "page" and self.now() - (delivery.pending_since or self.now()) >= UNPROCESSED:
            why = "the pager has taken the page and does not carry it out"
            sent.unreached = True
        self._again(
            store, delivery, f"taken, and not carried out within {MADE_ANEW.total_seconds():.0f} s", sent, why
        )

    def _again(
        self, store: Store, delivery: OutboxEntry, reason: str, sent: Sent, unreached: str = ""
    ) -> None:
        """Make a request again: it is wrong with this one, not with the far side."""
        sent.failed.append(delivery)
        log.warning("oncall.delivery_failed", attempts=delivery.attempts, reason=reason, again_in_s=0)
        self._tell(
            sent,
            delivery,
            lambda: store.failed(delivery, reason, dt.timedelta(), uncertain=True, unreached=unreached),
        )

    def _done(
        self,
        store: Store,
        delivery: OutboxEntry,
        sent: Sent,
        posted: Posted | None = None,
        unreached: str = "",
    ) -> None:
        at = self.now()
        done = replace(delivery, state="done", done_at=at, posted=posted, unreached=unreached)

        def write() -> None:
            if posted is not None and posted.unthreaded:
                store.set_note(f"{THREAD}:{delivery.key}", f"{posted.channel_id} {posted.ts}")
            store.done(delivery, at, posted, unreached)

        self._tell(sent, done, write)
        sent.taken.append((delivery, at))
        sent.unreached |= bool(unreached)
        log.info(
            "oncall.delivered", attempts=delivery.attempts,
            after_s=round((at - delivery.owed_at).total_seconds(), 3), unreached=unreached or None,
        )  # fmt: skip

    def _failed(
        self, store: Store, delivery: OutboxEntry, error: OncallError, sent: Sent, send: Send | None = None
    ) -> None:
        """Note the failure and when to try again, and what it says of the channel."""
        if isinstance(error, Gone) and delivery.op != "page" and delivery.op != "post":
            self._done(store, delivery, sent)  # there is nothing left to do it to
            return
        refused, uncertain = is_refused(error), is_uncertain(error)
        again_in_s = wait_s(delivery, error, nobody_woken=bool(send and send.nobody_woken))
        unreached = str(error) if refused and delivery.op == "page" else ""
        sent.failed.append(delivery)
        sent.unreached |= bool(unreached)
        if OTHERS in delivery.key:  # nothing is wrong with a channel of our own
            sent.untold = (delivery, str(error)) if refused else sent.untold
        elif refused:
            sent.refused = str(error)
        else:
            sent.outage, sent.locked_out = str(error), isinstance(error, LockedOut)
        log.warning(
            "oncall.delivery_failed", attempts=delivery.attempts, reason=str(error), again_in_s=again_in_s
        )
        wait_for = dt.timedelta(seconds=again_in_s)
        self._tell(sent, delivery, lambda: store.failed(
            delivery, str(error), wait_for, uncertain=uncertain, unreached=unreached
        ))  # fmt: skip

    def _tell(self, sent: Sent, delivery: OutboxEntry, write: Callable[[], None]) -> None:
        """Write down what became of it; should the store be gone, the next round writes down that it was taken."""
        try:
            write()
        except Unreadable as error:
            sent.lost = error
            if delivery.state == "done":
                self.journal.append(delivery)


def _as_ours(error: Exception) -> OncallError:
    """What nobody foresaw is wrong with this one message, and may have happened after it was sent."""
    if isinstance(error, OncallError):
        return error
    log.error("oncall.unforeseen", traceback="".join(traceback.format_exception(error)))
    return Rejected(f"{type(error).__name__}: {error}", uncertain=True)


def _in(pool: ThreadPoolExecutor, act: Callable[..., T], *args: object) -> Future[T]:
    """Run beside other calls; what is bound to the log here is bound there too."""
    return pool.submit(copy_context().run, act, *args)
