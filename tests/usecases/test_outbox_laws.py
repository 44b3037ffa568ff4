"""The outbox's law: whatever crashes, each step reaches each channel once, and every step owed is sent in the end."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from oncall.adapters.memory_store import MemoryStore
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.core.errors import DeliveryFailed, Rejected
from oncall.core.incidents.binding import Send
from oncall.core.incidents.incident import Notification, Op, Plan
from oncall.core.message import Message
from oncall.usecases.channel_ports import Posted
from oncall.usecases.delivery_round import LEASE, Bind
from oncall.usecases.outbox import Sender
from oncall.usecases.ports import EVERYTHING, OutboxEntry, Store
from tests.exploring import examples
from tests.usecases.conftest_night import FakeChat, FakePager

START = dt.datetime(2026, 11, 22, 22, tzinfo=dt.UTC)
FAULTS = ("none", "crash before", "crash after", "lost answer", "refused", "rejected", "slow down")


class Killed(BaseException):
    """The process dies here: nothing behind this line is carried out."""


class MortalPager(FakePager):
    fault = "none"

    def page(self, message: Message) -> str:
        act = super().page
        return str(_through(self, lambda: act(message)))


class MortalChat(FakeChat):
    fault = "none"

    def post(self, message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        act = super().post
        posted: Posted = _through(self, lambda: act(message, channel, thread_ts))
        return posted


def _through(far_side: Any, act: Any) -> Any:
    """Carry out one call with the fault that was drawn; a fault happens once."""
    fault, far_side.fault = far_side.fault, "none"
    if fault == "crash before":
        raise Killed
    if fault == "refused":
        raise DeliveryFailed("connection refused")
    if fault == "rejected":
        raise Rejected("403")
    if fault == "slow down":
        raise DeliveryFailed("429", retry_after=30)
    answer = act()
    if fault == "crash after":
        raise Killed
    if fault == "lost answer":
        raise DeliveryFailed("timed out", uncertain=True)
    return answer


class Outbox(RuleBasedStateMachine):
    """Any number of senders; each call is one sender that lives as long as the fault lets it."""

    def new_store(self) -> Store:
        return MemoryStore(now=lambda: self.now)

    @initialize()
    def begin(self) -> None:
        self.now = START
        self.store = self.new_store()
        self.pager, self.chat = MortalPager(), MortalChat()
        self.owed: set[tuple[str, str]] = set()

    def sender(self) -> Sender:
        return Sender(lambda delivery: Send(delivery.message), lambda: self.now)

    @rule(key=st.integers(0, 2), step=st.integers(0, 4), noticed_by=st.integers(1, 3))
    def notice(self, key: int, step: int, noticed_by: int) -> None:
        """One or several ways notice the same; each writes down what it finds owed."""
        message = Message(f"growth_etl:{key}", f"page-{step}", "not published", priority="P1")
        plan = Plan(
            owed=(
                Notification(message.key, message.step, "pager", "page", message, message.alias),
                Notification(message.key, message.step, "chat", "post", message),
            )
        )
        for _ in range(noticed_by):
            with self.store.decision_lock() as decision:
                decision.record(plan, self.now)
        self.owed.add((message.key, message.step))

    @rule(fault=st.sampled_from(FAULTS))
    def send_to_pager(self, fault: str) -> None:
        self.pager.fault = fault
        self._survive(lambda: self.sender().pages(self.store, self.pager))

    @rule(fault=st.sampled_from(FAULTS))
    def send_to_chat(self, fault: str) -> None:
        self.chat.fault = fault
        self._survive(lambda: self.sender().posts(self.store, self.chat, "#de-oncall"))

    @rule(seconds=st.sampled_from([0.5, 2, 15, 46, 76, 300]))
    def pass_time(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)

    @invariant()
    def nobody_hears_anything_twice(self) -> None:
        if hasattr(self, "pager"):
            paged = Counter((m.key, m.step) for m in self.pager.paged)
            posted = Counter((m.key, m.step) for m, _ in self.chat.posts)
            assert all(count == 1 for count in (paged + Counter()).values())
            assert all(count == 1 for count in posted.values())

    @invariant()
    def one_thread_an_incident(self) -> None:
        if hasattr(self, "chat"):
            assert all(count == 1 for count in Counter(m.key for m in self.chat.threads).values())

    def teardown(self) -> None:
        """Once nothing fails any more, everything owed is sent."""
        if not hasattr(self, "pager"):
            return
        self.pager.fault = self.chat.fault = "none"
        for _ in range(12):
            self.now += max(*LEASE.values(), dt.timedelta(seconds=301))
            self.sender().pages(self.store, self.pager)
            self.sender().posts(self.store, self.chat, "#de-oncall")
        assert {(m.key, m.step) for m in self.pager.paged} == self.owed
        assert {(m.key, m.step) for m, _ in self.chat.posts} == self.owed
        self.nobody_hears_anything_twice()

    def _survive(self, act: Any) -> None:
        with suppress(Killed):
            act()


def test_the_law_holds_in_memory() -> None:
    """A hundred random nights on the store in memory."""
    run_state_machine_as_test(
        Outbox, settings=settings(max_examples=examples(100), stateful_step_count=25, deadline=None)
    )


def test_the_law_holds_in_postgresql(oncall_database: str) -> None:
    """The same law on the real outbox."""
    connect = connect_to(oncall_database)

    class InPostgres(Outbox):
        def new_store(self) -> Store:
            store = OncallDb(connect, now=lambda: self.now)
            with store._db.cursor() as cursor:
                cursor.execute("truncate oncall.deliveries, oncall.incidents, oncall.events, oncall.memory")
            return store

    run_state_machine_as_test(
        InPostgres,
        settings=settings(
            max_examples=examples(20),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.parametrize("channel", ["pager", "chat"])
def test_two_senders_at_once_claim_different_deliveries(oncall_database: str, channel: Any) -> None:
    """What one holds, the other does not get, and gets once the lease has ended."""
    now = [START]
    first, second = (OncallDb(connect_to(oncall_database), now=lambda: now[0]) for _ in range(2))
    for number in range(2):
        message = Message(f"growth_etl:{number}", "page-1", "x")
        with first.decision_lock() as decision:
            op: Op = "page" if channel == "pager" else "post"
            decision.record(
                Plan(owed=(Notification(message.key, "page-1", channel, op, message, "a"),)), START
            )
    lease = LEASE[channel]
    claimed, other = (store.claim(channel, EVERYTHING, lease) for store in (first, second))
    assert claimed is not None
    assert other is not None
    assert claimed.id != other.id
    assert second.claim(channel, EVERYTHING, lease) is None
    now[0] += lease
    again = second.claim(channel, EVERYTHING, lease)
    assert again is not None
    assert again.attempts == 2


def test_a_sender_that_slept_with_a_message_in_its_hands_leaves_it_to_the_next_one() -> None:
    """Frozen right before it posts: another one has posted when it goes on, and a second message begins no thread."""
    now, chat = [START], MortalChat()
    store = MemoryStore(now=lambda: now[0])
    message = Message("growth_etl:1", "page-1", "x")
    with store.decision_lock() as decision:
        decision.record(Plan(owed=(Notification(message.key, "page-1", "chat", "post", message),)), START)

    def sender(bind: Bind) -> Sender:
        return Sender(bind, lambda: now[0], monotonic=lambda: now[0].timestamp())

    def sleep(delivery: OutboxEntry) -> Send:
        """It holds the message until its lease has ended, and somebody else was at it."""
        now[0] += LEASE["chat"] + dt.timedelta(seconds=10)
        sender(lambda awake: Send(awake.message)).posts(store, chat, "#de-oncall")
        return Send(delivery.message)

    sender(sleep).posts(store, chat, "#de-oncall")
    assert len(chat.posts) == 1
    assert store.waiting() == 0
