"""One round of sending on one channel: what is claimed for it, and how each delivery ended, written down at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import structlog

from oncall.core.errors import DeliveryFailed, Gone, LockedOut, OncallError, Rejected, Unreadable, trace
from oncall.core.incidents.binding import Bound, Later, Send, Withdraw
from oncall.core.incidents.incident import OTHERS, Channel
from oncall.core.incidents.incident_words import not_taken
from oncall.usecases.channel_ports import Posted
from oncall.usecases.chat_delivery import THREAD
from oncall.usecases.pager_delivery import about
from oncall.usecases.ports import Lane, OutboxEntry, Snapshot, Store
from oncall.usecases.retry_and_rate_limit import wait_s

log = structlog.get_logger(__name__)

# Longer than all calls of one delivery may take: to look for it, to send it, and to send it in a plainer form.
LEASE = {"pager": dt.timedelta(seconds=25), "chat": dt.timedelta(seconds=75)}
UNPROCESSED = dt.timedelta(seconds=45)  # after so long its person counts as not reached

Clock = Callable[[], dt.datetime]
Bind = Callable[[OutboxEntry], Bound]
Find = Callable[[OutboxEntry], Posted | None]


@dataclass
class Sent:
    """How a round of sending went: what the far side has taken, and when, and each try that it did not take.

    `outage`: why it takes nothing at all ("" when it answers); `busy`: it says when it will; `locked_out`: not before
    somebody mends the connection. `refused`: why it does not take one message, while it takes others; `refused_in`: the
    same by the chat's channel. `unreached`: somebody on the escalation is not reached, so the next one is called.
    `unchecked`: why the far side could not be asked whether it had something already. `untold`: what another team's
    channel refused, and why.
    """

    taken: list[tuple[OutboxEntry, dt.datetime]] = field(default_factory=list)
    failed: list[OutboxEntry] = field(default_factory=list)
    outage: str = ""
    busy: bool = False
    locked_out: bool = False
    refused: str = ""
    refused_in: dict[str, str] = field(default_factory=dict)
    unreached: bool = False
    unchecked: str = ""
    untold: tuple[OutboxEntry, str] | None = None
    lost: Unreadable | None = None  # the store went away within the round

    @property
    def answered(self) -> bool:
        """Whether the far side said anything but that it is out of order. One that takes some of many messages, and
        then asks to wait, is busy."""
        return bool(self.taken or (self.refused and not self.outage))

    @property
    def stopped(self) -> bool:
        """Whether the channel fails, so that the rest waits."""
        return bool(self.outage or self.lost)


@dataclass
class Round:
    """One round on one store. `journal`: what the far sides took and the store could not yet be told of."""

    store: Store
    bind: Bind
    now: Clock
    journal: list[OutboxEntry]
    sent: Sent = field(default_factory=Sent)

    @contextmanager
    def begun(self) -> Iterator[Sent]:
        """Tell the store first what it missed. Raises Unreadable when it cannot be reached, or went away meanwhile."""
        if self.journal:
            self.store.merge(Snapshot(deliveries=tuple(self.journal)))
            self.journal.clear()
        yield self.sent
        if self.sent.lost is not None:
            raise self.sent.lost

    def claim(
        self, channel: Channel, lane: Lane, find: Find = lambda _: None
    ) -> tuple[OutboxEntry, Send] | None:
        """The next that is still wanted, in the words that are true now. `find`: where something stands already."""
        try:
            while delivery := self.store.claim(channel, lane, LEASE[channel]):
                send = self.wanted(delivery, find)
                if send is not None:
                    return replace(delivery, message=send.message), send
        except Unreadable as error:
            self.sent.lost = error
        return None

    def wanted(self, delivery: OutboxEntry, find: Find = lambda _: None) -> Send | None:
        """What was claimed, in the words that are true now; None where it is not wanted any more, or has to wait.

        That is written down.
        """
        bound = Send(delivery.message) if delivery.pends else self._bound(delivery)
        if isinstance(bound, Send):
            if bound.message != delivery.message:
                self.store.bound(delivery, bound.message)
            return bound
        if isinstance(bound, Withdraw):
            self._withdraw(delivery, bound.why, find)
        elif isinstance(bound, Later):
            self.later(delivery, bound.wait)
        return None

    def later(self, delivery: OutboxEntry, wait: dt.timedelta) -> None:
        """It is not its turn: what was tried before does not count against it."""
        anew = replace(delivery, pending_since=None)
        self._write(anew, lambda: self.store.failed(anew, anew.error, wait, uncertain=False))

    def _bound(self, delivery: OutboxEntry) -> Bound:
        """Bind it; where our own code fails, it goes as it was written."""
        try:
            return self.bind(delivery)
        except Unreadable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, a page must go out
            log.error("oncall.not_bound", traceback=trace(error), **about(delivery))
            return Send(delivery.message)

    def _withdraw(self, delivery: OutboxEntry, why: str, find: Find) -> None:
        """Not wanted any more. Where it was said after all, that is kept: the thread may begin with it."""
        posted = None
        if delivery.maybe_taken:
            with suppress(OncallError):
                posted = find(delivery)
        if posted is not None:
            self.done(delivery, posted)
            return
        self.store.withdraw(delivery, why)
        log.info("oncall.withdrawn", why=why, **about(delivery))

    def accepted(self, delivery: OutboxEntry, request_id: str, lease: dt.timedelta) -> None:
        """The far side has taken a request; what became of it is asked again after `lease`."""
        at = delivery.requested_at or self.now()
        self._write(delivery, lambda: self.store.accepted(delivery, request_id, at, lease))

    def done(
        self, delivery: OutboxEntry, posted: Posted | None = None, unreached: str = "",
        at: dt.datetime | None = None,
    ) -> None:  # fmt: skip
        """The far side has it, since `at`. `unreached`: why it does not reach its person all the same."""
        at = at or self.now()

        def write() -> None:
            if posted is not None and posted.unthreaded:
                self.store.set_note(f"{THREAD}:{delivery.key}", f"{posted.channel_id} {posted.ts}")
            self.store.done(delivery, at, posted, unreached)

        self._write(replace(delivery, state="done", done_at=at, posted=posted, unreached=unreached), write)
        self.sent.taken.append((delivery, at))
        self.sent.unreached |= bool(unreached)
        log.info(
            "oncall.delivered", attempts=delivery.attempts,
            after_s=round((at - delivery.owed_at).total_seconds(), 3), unreached=unreached or None,
        )  # fmt: skip

    def again(self, delivery: OutboxEntry, reason: str, unreached: str = "") -> None:
        """Make a request anew: it is wrong with this one, not with the far side."""
        self.sent.unreached |= bool(unreached)
        self._not_taken(delivery, reason, 0, uncertain=True, unreached=unreached)

    def failed(self, delivery: OutboxEntry, error: Exception, send: Send | None = None) -> None:
        """Note the failure and when to try again, and what it says of the channel."""
        error = _as_ours(error)
        if isinstance(error, Gone) and delivery.op != "page" and delivery.op != "post":
            self.done(delivery)  # there is nothing left to do it to
            return
        nobody_woken = bool(send and send.nobody_woken)
        now = self.now()
        since = delivery.pending_since or now
        delivery = replace(delivery, pending_since=since)
        unreached = _unreached(error, now - since) if delivery.op == "page" else ""
        self.sent.unreached |= bool(unreached)
        if OTHERS in delivery.key:  # nothing is wrong with a channel of our own
            self.sent.untold = (delivery, str(error)) if error.refused else self.sent.untold
        elif error.refused:
            self.sent.refused = self.sent.refused_in[delivery.message.channel] = str(error)
        elif not unreached or nobody_woken:  # else it may be this person's alone
            self.sent.outage, self.sent.locked_out = str(error), isinstance(error, LockedOut)
            self.sent.busy = error.retry_after is not None
        wait = wait_s(delivery, error, nobody_woken=nobody_woken)
        if delivery.op == "page" and delivery.message.priority == "P1" and not unreached:
            wait = min(wait, (since + UNPROCESSED - now).total_seconds())  # then the next one is called
        self._not_taken(delivery, str(error), wait, uncertain=error.uncertain, unreached=unreached)

    def _not_taken(
        self, delivery: OutboxEntry, reason: str, again_in_s: float, *, uncertain: bool, unreached: str
    ) -> None:
        self.sent.failed.append(delivery)
        log.warning(
            "oncall.delivery_failed", attempts=delivery.attempts, reason=reason, again_in_s=again_in_s
        )
        wait = dt.timedelta(seconds=again_in_s)
        self._write(delivery, lambda: self.store.failed(
            delivery, reason, wait, uncertain=uncertain, unreached=unreached
        ))  # fmt: skip

    def _write(self, delivery: OutboxEntry, write: Callable[[], None]) -> None:
        """Write down what became of it; should the store be gone, the next round writes down that it was taken."""
        try:
            write()
        except Unreadable as error:
            self.sent.lost = error
            if delivery.state == "done":
                self.journal.append(delivery)


def _unreached(error: DeliveryFailed, tried_for: dt.timedelta) -> str:
    """Why a page does not reach its person: it is refused, or not taken for too long; "" while it still may."""
    if error.refused:
        return str(error)
    return not_taken(str(error)) if tried_for >= UNPROCESSED else ""


def _as_ours(error: Exception) -> DeliveryFailed:
    """An unforeseen error, as a failure of this one message that may have happened after it was sent."""
    if isinstance(error, OncallError):
        return error if isinstance(error, DeliveryFailed) else DeliveryFailed(str(error))
    log.error("oncall.unforeseen", traceback=trace(error))
    return Rejected(f"{type(error).__name__}: {error}", uncertain=True)
