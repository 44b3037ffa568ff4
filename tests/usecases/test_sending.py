"""One sender and one store, answer by answer: what is written down of a try, when the next one is, and what is told."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.core.errors import (
    DeliveryFailed,
    Gone,
    LockedOut,
    OncallError,
    Rejected,
    UnknownPerson,
    Unreadable,
)
from oncall.core.incidents.binding import Bound, Later, Send, Withdraw
from oncall.core.incidents.incident import Channel, Notification, Plan
from oncall.core.message import Message, Recipient
from oncall.usecases import delivery_round, page_requests
from oncall.usecases.channel_ports import AlertState, Posted, RequestOutcome, RequestState
from oncall.usecases.chat_delivery import CHANNEL_ID, THREAD
from oncall.usecases.delivery_round import Sent
from oncall.usecases.outbox import Sender
from oncall.usecases.ports import EVERYTHING, FURTHER_STEPS, PRIMARIES, Lane, OutboxEntry
from tests.usecases.conftest_night import FakeChat, FakePager

START = dt.datetime(2026, 11, 22, 22, tzinfo=dt.UTC)
KEY, OURS = "growth_etl:2026-11-22", "#de-oncall"


class Pager(FakePager):
    """What becomes of each request is scripted; once the script is over it is done."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[RequestState | OncallError] = []
        self.asked: list[str] = []
        self.words = "no such user"

    def page(self, message: Message) -> str:
        self.asked.append(message.step)
        if self.fail and not isinstance(self.fail[0], DeliveryFailed):
            raise self.fail.pop(0)
        return super().page(message)

    def acknowledge(self, alias: str, note: str, user: str) -> str:
        return "request"

    def request_state(self, request_id: str) -> RequestOutcome:
        state = self.states.pop(0) if self.states else "done"
        if isinstance(state, BaseException):
            raise state
        return RequestOutcome(state, self.words if state == "failed" else "")


class Chat(FakeChat):
    """Keeps where it was asked to post and to look."""

    def __init__(self) -> None:
        super().__init__()
        self.where: list[tuple[str, str | None]] = []
        self.sought: list[tuple[str, dt.datetime, str | None]] = []
        self.seek_fails: list[OncallError] = []
        self.update_fails: list[OncallError] = []

    def post(self, message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        self.where.append((channel, thread_ts))
        return super().post(message, channel, thread_ts)

    def find(
        self, key: str, step: str, channel: str, oldest: dt.datetime, thread_ts: str | None = None
    ) -> Posted | None:
        self.sought.append((channel, oldest, thread_ts))
        if self.seek_fails:
            raise self.seek_fails.pop(0)
        return super().find(key, step, channel, oldest, thread_ts)

    def update(self, message: Message, posted: Posted) -> None:
        self.where.append((posted.channel_id, posted.ts))
        if self.update_fails:
            raise self.update_fails.pop(0)
        super().update(message, posted)


class Store(MemoryStore):
    """Goes away for what `lost` names, as often as it says."""

    def __init__(self, now: Callable[[], dt.datetime]) -> None:
        super().__init__(now=now)
        self.lost: dict[str, int] = {}

    def _may(self, what: str) -> None:
        if self.lost.get(what):
            self.lost[what] -= 1
            raise Unreadable("oncall_db: gone")

    def claim(self, channel: Channel, lane: Lane, lease: dt.timedelta) -> OutboxEntry | None:
        self._may("claim")
        return super().claim(channel, lane, lease)

    def done(self, *args: Any, **kwargs: Any) -> None:
        self._may("done")
        super().done(*args, **kwargs)

    def failed(self, *args: Any, **kwargs: Any) -> None:
        self._may("failed")
        super().failed(*args, **kwargs)

    def accepted(self, *args: Any, **kwargs: Any) -> None:
        self._may("accepted")
        super().accepted(*args, **kwargs)


@dataclass
class Box:
    """A sender with all that is around it. `now` is what every clock shows."""

    now: dt.datetime = START
    bound: dict[str, Bound | Exception] = field(default_factory=dict)  # by step
    asked_to_bind: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(now=lambda: self.now)
        self.pager, self.chat = Pager(), Chat()
        self.sender = Sender(self.bind, lambda: self.now)

    def bind(self, entry: OutboxEntry) -> Bound:
        self.asked_to_bind.append(entry.step)
        bound = self.bound.get(entry.step, Send(entry.message))
        if isinstance(bound, Exception):
            raise bound
        return bound

    def owe(self, step: str = "page-1-primary", on: Channel = "pager", op: str = "page", **more: Any) -> None:
        key = more.pop("key", KEY)
        said = {"title": "Late", "priority": "P1", "recipients": (Recipient("DE-003", "de-003@x"),), **more}
        message = Message(key, step, **said)
        owed = Notification(key, step, on, op, message, message.alias, "DE-003")  # type: ignore[arg-type]
        self.store.record(Plan(owed=(owed,)), self.now)

    def owe_post(self, step: str = "page-1-primary", op: str = "post", **more: Any) -> None:
        self.owe(step, "chat", op, **more)

    def pages(self, lane: Lane = EVERYTHING) -> Sent:
        return self.sender.pages(self.store, self.pager, lane)

    def posts(self, lane: Lane = EVERYTHING) -> Sent:
        return self.sender.posts(self.store, self.chat, OURS, lane)

    def entry(self, step: str = "page-1-primary", channel: Channel = "pager", key: str = KEY) -> OutboxEntry:
        return self.store.slots[key, step, channel].delivery

    def waits(self, step: str = "page-1-primary", channel: Channel = "pager", key: str = KEY) -> float:
        return (self.store.slots[key, step, channel].next_at - self.now).total_seconds()

    def later(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Box:
    """Nobody waits for a request: one look at it, and the round is over."""
    monkeypatch.setattr(page_requests, "CARRIED_OUT_WITHIN_S", 0.0)
    return Box()


# When the next try is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (DeliveryFailed("refused"), [2, 4, 8, 15, 15]),
        (LockedOut("403"), [2, 4, 8, 15, 15]),
        (Rejected("400"), [30, 60, 120, 300, 300]),
        (UnknownPerson("422"), [30, 60, 120, 300, 300]),
        (DeliveryFailed("lost", uncertain=True), [2, 4, 8, 15, 15]),
        (DeliveryFailed("429", retry_after=0), [2, 4, 8]),
        (DeliveryFailed("429", retry_after=7), [7, 7]),
        (DeliveryFailed("429", retry_after=44), [44]),
        (DeliveryFailed("429", retry_after=3_600), [45, 120]),
    ],
)  # fmt: skip
def test_how_long_until_a_page_is_tried_again(box: Box, error: DeliveryFailed, waits: list[float]) -> None:
    """An outage soon, a refusal after somebody could mend it, what is asked for within bounds; once after 45 s, when
    the next one is called."""
    box.owe()
    box.pager.reads = False
    box.pager.fail = [error] * len(waits)
    found = []
    for _ in waits:
        assert [entry.step for entry in box.pages().failed] == ["page-1-primary"]
        found.append(box.waits())
        box.later(found[-1])
    assert found == waits


@pytest.mark.parametrize(
    ("asked", "nobody_woken", "wait"),
    [(60, True, 15), (44, False, 44), (60, False, 45), (15, True, 15), (3, True, 3)],
)
def test_a_page_that_nobody_has_waits_no_longer_than_15_s(
    box: Box, asked: float, nobody_woken: bool, wait: float
) -> None:
    """Whatever the far side asks for."""
    box.owe()
    box.bound["page-1-primary"] = Send(box.entry().message, nobody_woken)
    box.pager.fail = [DeliveryFailed("429", retry_after=asked)]
    box.pages()
    assert box.waits() == wait


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (DeliveryFailed("refused"), 2),
        (DeliveryFailed("lost", uncertain=True), 30),
        (DeliveryFailed("lost", uncertain=True, retry_after=90), 90),
        (Rejected("no"), 30),
    ],
)
def test_a_post_that_may_stand_there_is_looked_for_after_30_s(
    box: Box, error: DeliveryFailed, wait: float
) -> None:
    """A slow chat shows it as late as that."""
    box.owe_post()
    box.chat.fail = [error]
    box.posts()
    assert box.waits(channel="chat") == wait
    assert box.entry(channel="chat").maybe_taken is error.uncertain


def test_a_post_that_may_stand_there_each_time_is_said_ever_more_rarely(box: Box) -> None:
    """Four times soon, for the chat may come back; then at last every five minutes."""
    box.owe_post()
    waits = [30, 30, 30, 30, 60, 120, 300, 300]
    box.chat.fail = [DeliveryFailed("internal_error", uncertain=True)] * len(waits)
    box.chat.find = lambda *_: _raise(Rejected("missing_scope"))  # type: ignore[method-assign]
    found = []
    for _ in waits:
        box.posts()
        found.append(box.waits(channel="chat"))
        box.later(found[-1])
    assert found == waits


# What is told of the channel -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outage", "locked_out", "refused", "unreached"),
    [
        (DeliveryFailed("down"), "down", False, "", False),
        (LockedOut("403"), "403", True, "", False),
        (Rejected("400"), "", False, "400", True),
        (UnknownPerson("422"), "", False, "422", True),
        (Gone("no such alert"), "", False, "no such alert", True),
        (Unreadable("cannot be asked"), "cannot be asked", False, "", False),
        (ValueError("ours"), "", False, "ValueError: ours", True),
    ],
)
def test_an_outage_is_not_a_refusal(
    box: Box, error: Any, outage: str, locked_out: bool, refused: str, unreached: bool
) -> None:
    """An outage stops the round; a refusal is of that one message, and calls the next person."""
    box.owe()
    box.owe("page-2-secondary")
    box.pager.fail = [error] * 2
    sent = box.pages()
    assert (sent.outage, sent.locked_out, sent.refused, sent.unreached) == (
        outage,
        locked_out,
        refused,
        unreached,
    )
    assert (sent.stopped, sent.answered) == (bool(outage), bool(refused))
    assert box.entry().unreached == refused
    assert box.entry().error == (outage or refused)
    assert box.entry().state == "owed"
    assert box.entry().maybe_taken is isinstance(error, ValueError), "ours may have come after it was sent"


def test_what_follows_an_outage_waits_and_what_follows_a_refusal_does_not(box: Box) -> None:
    for error, posted in ((DeliveryFailed("down"), []), (Rejected("no"), ["b"])):
        box.chat = Chat()
        box.chat.fail = [error]
        for step in "ab":
            box.owe_post(step, key=f"{step}:{type(error).__name__}")
        box.posts()
        assert [message.step for message, _ in box.chat.posts] == posted
        box.posts()


def test_a_refused_action_is_no_person_who_is_not_reached(box: Box) -> None:
    """Only a page wakes somebody."""
    box.owe("close:x", op="close")
    box.pager.close = _raises(Rejected("no"))  # type: ignore[method-assign]
    sent = box.pages()
    assert (sent.refused, sent.unreached, box.entry("close:x").unreached) == ("no", False, "")


@pytest.mark.parametrize(
    ("error", "told"), [(Rejected("not invited"), True), (DeliveryFailed("down"), False)]
)
def test_another_teams_channel_is_no_trouble_of_ours(box: Box, error: DeliveryFailed, told: bool) -> None:
    """Its refusal is told to us; neither is an outage of Slack."""
    key = f"{KEY}@#swe"
    box.owe_post(key=key, channel="#swe")
    box.chat.elsewhere_fails = error
    sent = box.posts()
    assert (sent.refused, sent.outage, sent.stopped) == ("", "", False)
    assert (sent.untold is not None) is told
    if sent.untold:
        assert (sent.untold[0].key, sent.untold[1]) == (key, "not invited")


# What becomes of a request -------------------------------------------------------------------------------------------


def test_a_receipt_is_no_delivery(box: Box) -> None:
    """What pends is asked for again, without another page; done is what was carried out."""
    box.owe()
    box.pager.states = ["pending"]
    sent = box.pages()
    assert (sent.taken, box.entry().state, box.entry().requested_at, box.waits()) == (
        [],
        "accepted",
        START,
        1,
    )
    box.later(5)
    sent = box.pages()
    assert [(entry.step, at) for entry, at in sent.taken] == [("page-1-primary", box.now)]
    assert (box.entry().state, box.entry().done_at) == ("done", box.now)
    assert (box.pager.asked, box.asked_to_bind) == (["page-1-primary"], ["page-1-primary"])


@pytest.mark.parametrize(
    ("op", "state"), [("page", "owed"), ("close", "done"), ("note", "done"), ("acknowledge", "done")]
)
def test_a_request_that_failed(box: Box, op: str, state: str) -> None:
    """A page is made anew at once, and then refused; to close what is closed is as good as done."""
    box.owe(op=op)
    box.pager.states = ["failed", "failed"]
    sent = box.pages()
    assert (box.entry().state, sent.refused, sent.unreached) == (state, "", False)
    if op == "page":
        assert (box.entry().error, box.waits()) == ("taken, then failed: no such user", 0)
        assert [entry.step for entry in sent.failed] == ["page-1-primary"]
        assert (box.entry().unreached, box.entry().maybe_taken) == ("", True)
        box.pager.alerts.clear()
        sent = box.pages()
        assert (sent.refused, sent.unreached, box.waits()) == ("taken, then failed: no such user", True, 60)


def test_a_close_that_fails_is_sent_again_but_not_for_ever(box: Box) -> None:
    """The alert is still open, whatever hindered the pager."""
    box.owe("close:x", op="close")
    box.pager.states = ["failed"] * 9
    box.pager.words = "Internal error"
    for tries in range(1, 6):
        box.pages()
        assert box.entry("close:x").state == ("owed" if tries < 5 else "done")
        box.now += dt.timedelta(minutes=5)


@pytest.mark.parametrize(
    ("after", "asked", "unreached"), [(14.9, 1, False), (15, 2, False), (44.9, 2, False), (45, 2, True)]
)
def test_a_request_that_pends(box: Box, after: float, asked: int, unreached: bool) -> None:
    """It is made anew after 15 s; after 45 s its person counts as not reached."""
    box.owe()
    box.pager.reads = False
    box.pager.states = ["pending"] * 9
    box.pages()
    box.later(after)
    sent = box.pages()
    assert sent.unreached is unreached
    words = "the pager has taken the page and does not carry it out"
    assert box.entry().unreached == (words if unreached else "")
    assert (box.entry().state == "owed") is (asked == 2)
    if asked == 2:
        assert box.entry().error == "taken, and not carried out within 15 s"
        assert box.waits() == 0
    box.pages()
    assert len(box.pager.asked) == asked


class Killed(BaseException):
    """The process dies here."""


def test_a_receipt_is_written_down_before_anything_is_asked(box: Box) -> None:
    """Whoever comes after a process that died asks for the same request, once its lease is over."""
    box.owe()
    box.pager.states = [Killed()]  # type: ignore[list-item]
    with pytest.raises(Killed):
        box.pages()
    assert (box.entry().state, box.entry().request_id, box.waits()) == ("accepted", "request-0", 25)
    assert box.entry().requested_at == box.entry().pending_since == START


@pytest.mark.parametrize("wrong", ["page-1-primary", "page-2-secondary"])
def test_a_page_that_goes_to_others_does_not_reach_its_person(box: Box, wrong: str) -> None:
    """Whichever of a round it is; what it is sent to is told."""
    for step in ("page-1-primary", "page-2-secondary"):
        box.owe(step)
        responders = ("team:Data",) if step == wrong else ("DE-003@x",)
        box.pager.alerts[box.entry(step).alias] = AlertState(
            open=True, acknowledged=False, responders=responders
        )
    sent = box.pages()
    assert sent.unreached
    assert len(sent.taken) == 2
    assert box.entry(wrong).unreached.startswith("the pager sends it to team:Data instead")
    assert [each.delivery.unreached for each in box.store.slots.values()].count("") == 1


def test_what_was_refused_is_not_forgotten_for_what_is_taken_after_it(box: Box) -> None:
    box.owe("page-2-secondary")
    box.owe("note", op="note")
    box.pager.fail = [Rejected("400")]
    box.pager.note = _raises(Rejected("no"))  # type: ignore[method-assign]
    assert box.pages().unreached


def test_what_pends_since_when_is_not_forgotten_when_it_is_made_anew(box: Box) -> None:
    box.owe()
    box.pager.reads = False
    box.pager.states = ["pending"] * 20
    unreached = []
    for _ in range(10):
        unreached.append(box.pages().unreached)
        box.later(8)
    assert box.entry().pending_since == START
    assert unreached.index(True) * 8 >= 45
    assert not box.pager.states[15:]


@pytest.mark.parametrize(("takes", "reached"), [(14, True), (20, True), (29, True), (44, True), (61, False)])
def test_a_far_side_that_carries_each_request_out_slowly_calls_nobody_else(
    box: Box, takes: float, reached: bool
) -> None:
    """It shows no alerts: each request that may still be carried out is asked for, up to 45 s."""
    made: dict[str, dt.datetime] = {}
    sound = box.pager.page

    def page(message: Message) -> str:
        sound(message)
        made[f"request {len(made)}"] = box.now
        return f"request {len(made) - 1}"

    def state(request_id: str) -> RequestOutcome:
        return RequestOutcome(
            "done" if box.now - made[request_id] >= dt.timedelta(seconds=takes) else "pending"
        )

    box.owe()
    box.pager.reads, box.pager.page, box.pager.request_state = False, page, state  # type: ignore[method-assign]
    unreached = []
    for _ in range(20):
        unreached.append(box.pages().unreached)
        box.later(5)
    assert (box.entry().state, any(unreached)) == ("done", not reached)
    if reached:
        assert len(made) <= 1 + takes // 15


def test_whether_a_request_pends_too_long_is_asked_when_its_45_s_are_over(box: Box) -> None:
    """Also where it was made anew a moment before."""
    box.owe()
    box.pager.states = ["pending"] * 20
    box.pager.alert_state = lambda _: None  # type: ignore[method-assign, assignment]
    unreached = []
    for _ in range(9):
        unreached.append(box.pages().unreached)
        box.later(8)
    assert unreached.index(True) * 8 == 48


class Wall:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.naps: list[float] = []

    def monotonic(self) -> float:
        return sum(self.naps)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)


def test_a_round_waits_4_s_for_what_pends(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking soon, and then less and less often."""
    wall = Wall()
    monkeypatch.setattr(page_requests, "CARRIED_OUT_WITHIN_S", 4.0)
    monkeypatch.setattr(page_requests, "time", wall)
    box.owe()
    box.pager.states = ["pending"] * 99
    box.pages()
    assert [round(nap, 4) for nap in wall.naps] == [0.1, 0.15, 0.225, 0.3375, *[0.5] * 7]
    assert len(box.pager.states) == 99 - 1 - len(wall.naps)


def test_one_slow_answer_holds_up_no_other_page(box: Box) -> None:
    """More pages than lines: the next one goes as soon as any line is free."""
    others = threading.Event()

    def page(message: Message) -> str:
        if message.step == "page-1-0":
            assert others.wait(5)
        elif message.step == "page-1-9":
            others.set()
        return "request"

    box.pager.page = page  # type: ignore[method-assign]
    box.pager.reads = False
    for number in range(10):
        box.owe(f"page-1-{number}")
    assert len(box.pages().taken) == 10


def test_a_close_that_pends_reaches_nobody_anyway(box: Box) -> None:
    box.owe("close:x", op="close")
    box.pager.states = ["pending"] * 5
    box.pages()
    box.later(60)
    assert not box.pages().unreached


@pytest.mark.parametrize(("after", "state"), [(14, "accepted"), (15, "owed"), (44.9, "owed"), (45, "done")])
def test_a_request_that_cannot_be_asked_for(box: Box, after: float, state: str) -> None:
    """Its receipt is all that can be had, in the end: reading is a courtesy."""
    box.owe()
    box.pager.reads = False
    box.pager.states = [DeliveryFailed("down")] * 9
    sent_at = box.now
    box.pages()
    box.later(after)
    box.pages()
    assert box.entry().state == state
    # the next step's wait counts from when it was sent, not from when it was given up to ask
    assert box.entry().done_at == (sent_at if state == "done" else None)


def test_a_page_that_was_not_taken_for_long_wakes_nobody_before_it_was(box: Box) -> None:
    """The far side takes it after ten minutes of refusals, and cannot be asked: the next step waits from then on."""
    box.owe()
    sent_at, box.pager.fail = box.now, [DeliveryFailed("500")]
    box.pages()
    box.later(600)
    box.pager.reads, box.pager.states = False, [DeliveryFailed("down")] * 9
    taken_at = box.now
    for _ in range(5):
        box.pages()
        box.later(14)
    assert box.entry().state == "done"
    assert (box.entry().done_at or sent_at) >= taken_at


# What is said, and where ---------------------------------------------------------------------------------------------


def test_it_goes_in_the_words_that_are_true_now(box: Box) -> None:
    """And so it is kept."""
    box.owe()
    box.owe_post()
    now = replace(box.entry().message, title="Late since 05:00")
    box.bound["page-1-primary"] = Send(now)
    box.pages(), box.posts()
    assert [message.title for message in (*box.pager.paged, *(post for post, _ in box.chat.posts))] == [
        now.title
    ] * 2
    assert box.entry().message == box.entry(channel="chat").message == now


def test_what_is_not_wanted_any_more_is_not_sent(box: Box) -> None:
    """With why; what was said after all is kept, where it can be found."""
    for step in ("said", "unsaid", "unknown"):
        box.owe_post(step, key=step)
    box.chat.fail = [
        DeliveryFailed("lost", uncertain=True),
        DeliveryFailed("lost"),
        DeliveryFailed("lost", uncertain=True),
    ]
    for _ in range(3):
        box.posts()
    box.later(60)
    box.bound = dict.fromkeys(("said", "unsaid", "unknown"), Withdraw("published"))
    real = box.chat.find
    box.chat.find = lambda key, *rest: _raise(DeliveryFailed("x")) if key == "unknown" else real(key, *rest)  # type: ignore[method-assign]
    sent = box.posts()
    found = [(step, box.entry(step, "chat", step).state) for step in ("said", "unsaid", "unknown")]
    assert found == [("said", "done"), ("unsaid", "cancelled"), ("unknown", "cancelled")]
    assert box.entry("unsaid", "chat", "unsaid").error == "published"
    assert box.entry("said", "chat", "said").posted == Posted("C1", "1.0")
    assert [entry.step for entry, _ in sent.taken] == ["said"]
    assert [message.step for message, _ in box.chat.posts] == ["said", "unknown"]
    assert {channel for channel, *_ in box.chat.sought} == {OURS}


def test_a_page_that_is_not_wanted_is_not_looked_for(box: Box) -> None:
    box.owe()
    box.bound["page-1-primary"] = Withdraw("published")
    assert box.pages().taken == []
    assert (box.entry().state, box.entry().error) == ("cancelled", "published")


def test_what_has_to_wait_for_something_else_waits_and_stops_nothing(box: Box) -> None:
    box.owe()
    box.owe("page-2-secondary")
    box.bound["page-1-primary"] = Later(dt.timedelta(seconds=3))
    sent = box.pages()
    assert (box.waits(), box.entry().state, box.entry().error, sent.failed) == (3, "owed", "", [])
    assert [entry.step for entry, _ in sent.taken] == ["page-2-secondary"]


def test_a_fault_in_binding_silences_nobody(box: Box) -> None:
    """It goes as it was written; a store that is gone is not such a fault."""
    box.owe()
    box.bound["page-1-primary"] = ValueError("ours")
    assert [entry.step for entry, _ in box.pages().taken] == ["page-1-primary"]
    box.owe("page-2-secondary")
    box.bound["page-2-secondary"] = Unreadable("gone")
    with pytest.raises(Unreadable, match="gone"):
        box.pages()
    assert box.pager.asked == ["page-1-primary"]


def test_each_lane_sends_its_own(box: Box) -> None:
    box.owe()
    box.owe("page-2-secondary")
    assert [entry.step for entry, _ in box.pages(FURTHER_STEPS).taken] == ["page-2-secondary"]
    assert [entry.step for entry, _ in box.pages(PRIMARIES).taken] == ["page-1-primary"]


def test_a_page_that_may_have_been_taken_is_looked_for(box: Box) -> None:
    """Also when another process may have sent it: then nothing is said twice."""
    box.owe()
    box.pager.fail = [DeliveryFailed("lost", uncertain=True)]
    box.pages()
    box.later(2)
    assert [entry.step for entry, _ in box.pages().taken] == ["page-1-primary"]
    assert len(box.pager.asked) == 1
    box.owe("page-2-secondary")
    box.pager.alerts[box.entry("page-2-secondary").alias] = box.pager.alerts[box.entry().alias]
    box.sender.check_before_send = True
    box.pages()
    assert (len(box.pager.asked), box.entry("page-2-secondary").state) == (1, "done")


@pytest.mark.parametrize(
    ("check", "noted", "thread", "sought"),
    [
        (False, True, True, False),
        (True, False, False, True),
        (True, True, False, True),
        (True, False, True, True),
    ],
)
def test_a_post_is_looked_for_first_where_another_may_have_said_it(
    box: Box, check: bool, noted: bool, thread: bool, sought: bool
) -> None:
    """By the channel's id, or by its name where no store knows its id any more."""
    if thread:
        box.owe_post("first")
        box.posts()
        box.store.notes.clear()
    if noted:
        box.store.set_note(f"{CHANNEL_ID}:{OURS}", "C1")
    box.sender.check_before_send = check
    box.owe_post("second")
    box.posts()
    assert bool(box.chat.sought) is sought
    if sought:
        first, *begun = box.chat.sought
        where = "C1" if noted or thread else OURS
        assert first == (where, START - dt.timedelta(minutes=15), "1.0" if thread else None)
        assert len(begun) == (not thread)  # where no thread is known it is looked for too


def test_a_thread_goes_on_where_it_began(box: Box) -> None:
    """And the channel's id is kept."""
    for step in ("first", "second"):
        box.owe_post(step)
    box.owe_post("elsewhere", key="other", channel="#swe")
    box.posts()
    assert box.chat.where == [(OURS, None), ("C1", "1.0"), ("#swe", None)]
    assert box.store.get_note(f"{CHANNEL_ID}:{OURS}") == "C1"
    assert box.store.get_note(f"{CHANNEL_ID}:#swe") == "C2"


@pytest.mark.parametrize(
    ("error", "note", "posts"),
    [
        (Gone("thread_not_found"), "C1", 3),
        (Rejected("not_in_channel"), "C9", 3),
        (Rejected("not_in_channel"), "C1", 2),
        (LockedOut("invalid_auth"), "C9", 2),
        (LockedOut("invalid_auth"), "C1", 2),
    ],
)
def test_a_thread_that_is_gone_begins_anew(box: Box, error: DeliveryFailed, note: str, posts: int) -> None:
    """Or is in a channel of old; what is refused for another reason is refused."""
    box.owe_post("first")
    box.posts()
    box.store.set_note(f"{CHANNEL_ID}:{OURS}", note)
    box.owe_post("second")
    box.chat.fail = [error]
    box.posts()
    assert len(box.chat.where) == posts
    if posts == 3:
        assert box.chat.where[1:] == [("C1", "1.0"), (OURS, None)]
        assert box.store.get_note(f"{THREAD}:{KEY}") == "C1 2.0"
        box.owe_post("third")
        box.posts()
        assert box.chat.where[3] == ("C1", "2.0")
    else:
        assert box.entry("second", "chat").state == "owed"


def test_a_first_message_that_is_refused_as_gone_is_refused(box: Box) -> None:
    box.owe_post()
    box.chat.fail = [Gone("message_not_found")]
    assert box.posts().refused == "message_not_found"
    assert box.entry(channel="chat").state == "owed"


def test_an_update_is_of_the_first_message_with_how_it_ended(box: Box) -> None:
    """Without one there is nothing to do; one that is gone is done."""
    box.owe_post("update-nothing", op="update")
    box.posts()
    assert (box.entry("update-nothing", "chat").state, box.chat.updates) == ("done", [])
    box.owe_post("first", key="k", summary="why")
    box.owe_post("resolved", key="k", op="update", title="Published 12 minutes late")
    box.posts()
    assert [(said.title, said.summary) for said in box.chat.updates] == [
        ("Late", "Published 12 minutes late")
    ]
    assert box.chat.where == [(OURS, None), ("C1", "1.0")]
    box.owe_post("again", key="k", op="update")
    box.chat.update_fails = [Gone("message_not_found")]
    sent = box.posts()
    assert (box.entry("again", "chat", "k").state, sent.refused) == ("done", "")


def test_an_update_of_a_thread_whose_first_words_are_lost_has_its_own(box: Box) -> None:
    box.store.set_note(f"{THREAD}:{KEY}", "C1 7.0")
    box.owe_post("resolved", op="update", title="Published 12 minutes late")
    box.posts()
    assert [said.summary for said in box.chat.updates] == [""]
    assert box.chat.where == [("C1", "7.0")]


@pytest.mark.parametrize(
    ("error", "tries"), [(DeliveryFailed("down"), 4), (Rejected("no"), 2), (Unreadable("no"), 2)]
)
def test_a_history_that_cannot_be_read_is_said_rather_twice_than_never(
    box: Box, error: OncallError, tries: int
) -> None:
    """After three tries of an outage, at once when it may not be read; that it was not checked is told."""
    box.owe_post()
    box.chat.fail = [DeliveryFailed("lost", uncertain=True)]
    box.chat.seek_fails = [error] * 9
    unchecked = []
    for _ in range(tries):
        unchecked.append(box.posts().unchecked)
        box.later(60)
    assert (box.entry(channel="chat").state, len(box.chat.posts)) == ("done", 2)
    assert unchecked == [""] * (tries - 1) + [str(error)]


def test_a_reply_that_became_no_reply_begins_a_thread(box: Box) -> None:
    box.owe_post("first")
    box.posts()
    box.chat.deleted = {"1.0"}
    box.owe_post("second")
    box.posts()
    assert box.store.get_note(f"{THREAD}:{KEY}") == "C1 2.0"


# A store that goes away ----------------------------------------------------------------------------------------------


def test_what_was_taken_while_the_store_was_gone_is_written_down_by_the_next_round(box: Box) -> None:
    """Nothing more is sent in that round, and nothing twice."""
    box.pager.reads = False
    box.owe()
    box.owe_post("a", key="a")
    box.owe_post("b", key="b")
    box.store.lost = {"done": 2}
    chats = Sender(box.bind, lambda: box.now)  # each loop has its own
    with pytest.raises(Unreadable, match="gone"):
        box.pages()
    with pytest.raises(Unreadable, match="gone"):
        chats.posts(box.store, box.chat, OURS)
    assert [entry.step for entry in (*box.sender.journal, *chats.journal)] == ["page-1-primary", "a"]
    assert len(box.chat.posts) == 1
    assert [entry.done_at for entry in (*box.sender.journal, *chats.journal)] == [START, START]
    box.later(3)
    box.pages(), chats.posts(box.store, box.chat, OURS)
    assert box.sender.journal == chats.journal == []
    assert [box.entry().state, box.entry("a", "chat", "a").state] == ["done", "done"]
    assert box.entry("a", "chat", "a").posted == Posted("C1", "1.0")
    assert (len(box.pager.asked), [message.step for message, _ in box.chat.posts]) == (1, ["a", "b"])


def test_that_a_page_reached_nobody_is_not_forgotten_while_the_store_is_gone(box: Box) -> None:
    box.owe()
    astray = AlertState(open=True, acknowledged=False, responders=("team:Data",))
    box.pager.alerts[box.entry().alias] = astray
    box.store.lost = {"done": 1}
    with pytest.raises(Unreadable):
        box.pages()
    box.pages()
    assert box.entry().unreached.startswith("the pager sends it to team:Data")


@pytest.mark.parametrize("what", ["claim", "failed", "accepted"])
def test_a_store_that_is_gone_is_said_and_nothing_is_noted_as_taken(box: Box, what: str) -> None:
    box.owe()
    box.pager.fail = [DeliveryFailed("down")] if what == "failed" else []
    box.pager.states = ["pending"] * 9
    box.store.lost = {what: 9}
    with pytest.raises(Unreadable, match="gone"):
        box.pages()
    assert box.sender.journal == []
    assert len(box.pager.asked) == (what != "claim")


@pytest.mark.parametrize("states", [["pending"], ["failed"]])
def test_a_store_that_is_gone_when_a_request_is_made_anew_is_said(
    box: Box, states: list[RequestState]
) -> None:
    box.owe()
    box.pager.states = list(states)
    if states == ["pending"]:
        box.pages()
        box.later(20)
        box.pager.states = ["pending"]
    box.store.lost = {"failed": 1}
    with pytest.raises(Unreadable, match="gone"):
        box.pages()


# What stands in the log ----------------------------------------------------------------------------------------------


def test_each_try_leaves_a_line(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how often, why, after how long, and when again."""
    lines: list[tuple[str, dict[str, Any]]] = []
    for level in ("info", "warning", "error"):
        monkeypatch.setattr(
            delivery_round.log, level, lambda event, **said: lines.append((event, said)), raising=False
        )
    box.owe()
    box.pager.fail = [DeliveryFailed("down"), ValueError("ours")]  # type: ignore[list-item]
    box.pager.reads = False
    box.pages()
    box.later(2.0005)
    box.pages()
    box.later(60)
    box.pager.states = ["failed"]
    box.pages()
    box.owe("page-2-secondary")
    box.pager.states = ["failed", "done"]
    box.pages()
    box.bound["page-3-manager"] = Withdraw("published")
    box.owe("page-3-manager")
    box.pages()
    events = " ".join(event.removeprefix("oncall.") for event, _ in lines)
    assert events == "delivery_failed unforeseen" + " delivery_failed" * 3 + " withdrawn delivered"
    down, unforeseen, ours, refused, anew, withdrawn, delivered = (said for _, said in lines)
    assert down == {"attempts": 1, "reason": "down", "again_in_s": 2}
    assert unforeseen["traceback"].startswith("Traceback (most recent call last):\n  File")
    assert unforeseen["traceback"].endswith("ValueError: ours\n")
    assert ours == {"attempts": 2, "reason": "ValueError: ours", "again_in_s": 60}
    assert refused == {"attempts": 3, "reason": "taken, then failed: no such user", "again_in_s": 120}
    assert anew == {"attempts": 1, "reason": "taken, then failed: no such user", "again_in_s": 0}
    assert delivered == {"attempts": 2, "after_s": 0.0, "unreached": None}
    assert withdrawn["why"] == "published"
    assert (withdrawn["incident"], withdrawn["step"], withdrawn["op"]) == (KEY, "page-3-manager", "page")


def test_many_pages_go_side_by_side_and_all_are_told(box: Box) -> None:
    """More than there are lines to the pager; one that fails in our own code stops no other."""
    for number in range(20):
        box.owe(f"page-1-{number}")
    box.pager.fail = [ValueError("ours")]  # type: ignore[list-item]
    sent = box.pages()
    assert (len(sent.taken), len(sent.failed), sent.refused) == (19, 1, "ValueError: ours")


def _raise(error: Exception) -> Any:
    raise error


def _raises(error: Exception) -> Callable[..., Any]:
    return lambda *_: _raise(error)
