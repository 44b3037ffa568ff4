"""What one round asks of a pager, question by question: what it is told to do, what it has, whom a page went to."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from oncall.core.errors import DeliveryFailed, NotAllowed
from oncall.core.incidents.binding import Send
from oncall.core.incidents.incident_words import (
    added_to_another,
    kept_silent,
    made_less_urgent,
    sent_to_others,
)
from oncall.core.message import Message, Recipient
from oncall.core.notices.drill_page import PAGE as TEST_PAGE
from oncall.usecases import pager_delivery
from oncall.usecases.channel_ports import AlertState, PagerCapabilities, RequestOutcome
from oncall.usecases.chat_delivery import BEFORE
from oncall.usecases.pager_delivery import NotItsTurn, PagerDelivery, SeemsTaken, about
from oncall.usecases.ports import OutboxEntry

OWED_AT = dt.datetime(2026, 11, 22, 22, tzinfo=dt.UTC)
ANN = Recipient("Ann", "ann@example.com")
MESSAGE = Message("k", "page-1-primary", "Late", "Nothing came.", priority="P1", recipients=(ANN,))
OPEN = AlertState(open=True, acknowledged=False)


def entry(op: str = "page", message: Message = MESSAGE, **more: Any) -> OutboxEntry:
    said: dict[str, Any] = {
        "key": message.key, "step": message.step, "channel": "pager", "op": op, "message": message,
        "alias": message.alias, "user": "ann@example.com", "id": 1, "state": "owed", "attempts": 1,
        "owed_at": OWED_AT, "request_id": "",
    }  # fmt: skip
    return OutboxEntry(**said | more)


@dataclass
class Pager:
    """Says what it is scripted to, and keeps what it was asked."""

    alerts: dict[str, AlertState | Exception] = field(default_factory=dict)
    requests: dict[str, RequestOutcome | Exception] = field(default_factory=dict)
    reads: bool = True
    receipt: str = "request"
    refuses: str = ""
    asked: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def capabilities(self) -> PagerCapabilities:
        return PagerCapabilities("fake", self.reads, True)

    def page(self, message: Message) -> str:
        self.asked.append(("page", message.alias))
        if self.refuses == message.alias:
            raise DeliveryFailed("refused")
        return self.receipt

    def close(self, *said: str) -> str:
        return self._told("close", *said)

    def acknowledge(self, *said: str) -> str:
        return self._told("acknowledge", *said)

    def note(self, *said: str) -> str:
        return self._told("note", *said)

    def _told(self, *said: str) -> str:
        self.asked.append(said)
        return self.receipt

    def ping(self, heartbeat: str) -> None:
        raise AssertionError(heartbeat)

    def request_state(self, request_id: str) -> RequestOutcome:
        self.asked.append(("request", request_id))
        found = self.requests[request_id]
        if isinstance(found, Exception):
            raise found
        return found

    def alert_state(self, alias: str) -> AlertState | None:
        self.asked.append(("alert", alias))
        found = self.alerts.get(alias)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def pager() -> Pager:
    return Pager()


@pytest.fixture
def calls(pager: Pager) -> PagerDelivery:
    return PagerDelivery(pager)


def test_each_log_line_names_the_delivery() -> None:
    assert about(entry("close")) == {
        "incident": "k",
        "step": "page-1-primary",
        "channel": "pager",
        "op": "close",
    }


@pytest.mark.parametrize(
    ("op", "told"),
    [
        ("close", ("close", "theirs", "Late\nNothing came.")),
        ("acknowledge", ("acknowledge", "theirs", "Late\nNothing came.", "ann@example.com")),
        ("note", ("note", "theirs", "Late\nNothing came.")),
    ],
)
def test_an_alert_is_told_by_the_alias_it_has(
    pager: Pager, calls: PagerDelivery, op: str, told: tuple[str, ...]
) -> None:
    """In the words of the message; nothing is looked for first."""
    assert calls.request(entry(op, alias="theirs"), True, Send(MESSAGE)) == "request"
    assert pager.asked == [told]


def test_words_without_a_summary_are_the_title(pager: Pager, calls: PagerDelivery) -> None:
    calls.request(entry("note", replace(MESSAGE, summary="")), False, Send(MESSAGE))
    assert pager.asked[0][2] == "Late"


def test_what_pends_is_not_asked_for_again(pager: Pager, calls: PagerDelivery) -> None:
    pending = entry(state="accepted", request_id="first")
    assert calls.request(pending, True, Send(MESSAGE, ask_first=("other",))) == "first"
    assert pager.asked == []


@pytest.mark.parametrize(("check", "there", "pages"), [(True, True, 0), (True, False, 1), (False, True, 1)])
def test_a_page_that_may_be_there_is_looked_for(
    pager: Pager, calls: PagerDelivery, check: bool, there: bool, pages: int
) -> None:
    pager.alerts = {MESSAGE.alias: OPEN} if there else {}
    request = calls.request(entry(), check, Send(MESSAGE))
    assert (request, pager.asked.count(("page", MESSAGE.alias))) == ("request" if pages else "", pages)


@pytest.mark.parametrize(
    ("there", "reads", "believed"), [(True, True, True), (False, True, False), (False, False, True)]
)
def test_a_receipt_that_names_no_request(
    pager: Pager, calls: PagerDelivery, there: bool, reads: bool, believed: bool
) -> None:
    """It is believed where the alert is shown, or nothing is; else it was perhaps taken."""
    pager.receipt, pager.reads, pager.alerts = "", reads, {MESSAGE.alias: OPEN} if there else {}
    if believed:
        assert calls.request(entry(), False, Send(MESSAGE)) == ""
        return
    with pytest.raises(
        DeliveryFailed, match=r"^the answer names no request, and the alert is not there$"
    ) as failed:
        calls.request(entry(), False, Send(MESSAGE))
    assert failed.value.uncertain


def test_the_newest_alert_is_asked_about_first(pager: Pager, calls: PagerDelivery) -> None:
    """And none after one that somebody seems to have."""
    pager.alerts = {"b": replace(OPEN, acknowledged=True)}
    with pytest.raises(SeemsTaken):
        calls.request(entry(), False, Send(MESSAGE, ask_first=("a", "b", "c")))
    assert pager.asked == [("alert", "c"), ("alert", "b")]


def test_a_far_side_that_needs_long_for_each_answer_is_not_asked_of_all(
    pager: Pager, calls: PagerDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is next has to be woken within their minute: it is asked for ten seconds."""
    clock = iter([0.0, 4.0, 8.0, 10.0, 14.0, 18.0])
    monkeypatch.setattr(pager_delivery, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    calls.request(entry(), False, Send(MESSAGE, ask_first=tuple("abcde")))
    assert pager.asked == [("alert", "e"), ("alert", "d"), ("page", MESSAGE.alias)]


@pytest.mark.parametrize(
    ("refuses", "there", "takes"), [("", False, True), ("earlier", False, False), ("earlier", True, True)]
)
def test_an_earlier_page_is_tried_once_more(
    pager: Pager, calls: PagerDelivery, refuses: str, there: bool, takes: bool
) -> None:
    """One that is taken, or was after all, has its turn."""
    before = replace(MESSAGE, step="page-0")
    pager.refuses = before.alias if refuses else ""
    pager.alerts = {before.alias: OPEN} if there else {}
    if takes:
        with pytest.raises(NotItsTurn):
            calls.request(entry(), False, Send(MESSAGE, before=(before,)))
    else:
        assert calls.request(entry(), False, Send(MESSAGE, before=(before,))) == "request"
    assert pager.asked[0] == ("page", before.alias)


@pytest.mark.parametrize(
    ("state", "there"),
    [
        (OPEN, True),
        (replace(OPEN, open=False), True),
        (replace(OPEN, open=False, created_at=OWED_AT - BEFORE), True),
        (replace(OPEN, open=False, created_at=OWED_AT - BEFORE - dt.timedelta(seconds=1)), False),
        (replace(OPEN, created_at=OWED_AT - dt.timedelta(days=1)), True),
        (None, False),
        (DeliveryFailed("500"), False),
    ],
)
def test_whether_a_page_has_been_made(
    pager: Pager, calls: PagerDelivery, state: AlertState | Exception | None, there: bool
) -> None:
    """A closed alert of long before is of an earlier life of its alias."""
    pager.alerts = {MESSAGE.alias: state} if state else {}
    assert calls.has(entry()) is there


@pytest.mark.parametrize(("error", "mute"), [(DeliveryFailed("500"), False), (NotAllowed("403"), True)])
def test_one_answer_that_fails_is_enough_to_ask_no_more(
    pager: Pager, calls: PagerDelivery, error: Exception, mute: bool
) -> None:
    """A key that may not read will never tell: then a receipt is all that can be had."""
    pager.alerts = {MESSAGE.alias: error}
    assert not calls.has(entry())
    assert not calls.has(entry())
    assert pager.asked == [("alert", MESSAGE.alias)]
    found = calls.outcome(entry(alias="theirs"), "r")
    assert found == RequestOutcome("done" if mute else "unknown", "" if mute else "500", "theirs")
    assert pager.asked == [("alert", MESSAGE.alias)]


@pytest.mark.parametrize(
    ("error", "state"), [(DeliveryFailed("500"), "unknown"), (NotAllowed("403"), "done")]
)
def test_a_request_that_cannot_be_asked_for_is_told_as_that(
    pager: Pager, calls: PagerDelivery, error: Exception, state: str
) -> None:
    pager.requests = {"r": error}
    assert calls.outcome(entry(alias="theirs"), "r") == RequestOutcome(state, "", "theirs")  # type: ignore[arg-type]
    assert (calls.unread, calls.mute) == (str(error), state == "done")


def test_the_newest_request_is_asked_for_and_those_before_it_until_one_is_done(
    pager: Pager, calls: PagerDelivery
) -> None:
    """A slow far side carries out one that was made anew long after the one before it."""
    pager.requests = {
        "3": RequestOutcome("pending"), "2": RequestOutcome("failed", "x"), "1": RequestOutcome("done", "", "theirs")
    }  # fmt: skip
    assert calls.outcome(entry("close"), "3\n2\n1") == RequestOutcome("done", "", "theirs")
    assert pager.asked == [("request", "3"), ("request", "2"), ("request", "1")]
    pager.asked.clear()
    pager.requests["3"] = RequestOutcome("done", "", "newest")
    assert calls.outcome(entry("close"), "3\n2\n1").alias == "newest"
    assert pager.asked == [("request", "3")]
    pager.requests = {"3": RequestOutcome("failed", "gone"), "2": RequestOutcome("pending")}
    assert calls.outcome(entry("close"), "3\n2") == RequestOutcome("failed", "gone", MESSAGE.alias)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (OPEN, ""),
        (replace(OPEN, responders=("ANN@example.com",), priority="P1"), ""),
        (
            replace(OPEN, responders=("ben@example.com", "team:Data")),
            sent_to_others(("ben@example.com", "team:Data")),
        ),
        (replace(OPEN, responders=()), sent_to_others(())),
        (replace(OPEN, snoozed=True), kept_silent("snoozed")),
        (replace(OPEN, open=False, closed_by="Alert Policy"), kept_silent("closed")),
        (replace(OPEN, open=False, closed_by="ann@example.com"), ""),
        (replace(OPEN, priority="P3"), made_less_urgent("P3")),
        (replace(OPEN, priority="P2"), ""),
        (DeliveryFailed("500"), ""),
    ],
)
def test_why_a_page_does_not_reach_its_person(
    pager: Pager, calls: PagerDelivery, state: AlertState | Exception | None, words: str
) -> None:
    """The pager has it, and may have sent it to others or to nobody."""
    pager.requests = {"r": RequestOutcome("done")}
    pager.alerts = {MESSAGE.alias: state} if state else {}
    assert calls.outcome(entry(), "r") == RequestOutcome("done", words, MESSAGE.alias)


def test_whom_an_alert_wakes_that_is_not_shown_yet_is_not_known(pager: Pager, calls: PagerDelivery) -> None:
    """A far side may show a moment later what it has just made."""
    pager.requests = {"r": RequestOutcome("done")}
    assert calls.outcome(entry(), "r") == RequestOutcome("unseen", "", MESSAGE.alias)


def test_a_page_that_was_added_to_another_alert_says_which(pager: Pager, calls: PagerDelivery) -> None:
    """Also in other capitals it is its own."""
    there = replace(OPEN, responders=("ben@example.com",))
    for alias, words in (
        ("theirs", added_to_another("theirs", ("ben@example.com",))),
        (MESSAGE.alias.upper(), sent_to_others(("ben@example.com",))),
    ):
        pager.requests, pager.alerts = {"r": RequestOutcome("done", "", alias)}, {alias: there}
        assert calls.outcome(entry(), "r") == RequestOutcome("done", words, alias)


@pytest.mark.parametrize(
    ("op", "message", "asked"),
    [
        ("page", MESSAGE, True),
        ("page", replace(MESSAGE, priority="P2"), False),
        ("page", replace(MESSAGE, step=TEST_PAGE, priority="P3"), True),
        ("page", replace(MESSAGE, recipients=()), False),
        ("page", replace(MESSAGE, recipients=(Recipient("Ann", None),)), False),
        ("close", MESSAGE, False),
    ],
    ids=["P1", "P2", "drill", "nobody", "no account", "close"],
)
def test_whose_responders_are_read_back(
    pager: Pager, calls: PagerDelivery, op: str, message: Message, asked: bool
) -> None:
    """A person's P1, and a drill's page, which is less urgent than it by right."""
    pager.requests = {"r": RequestOutcome("done")}
    pager.alerts = {message.alias: replace(OPEN, responders=("ann@example.com",), priority="P3")}
    found = calls.outcome(entry(op, message), "r")
    assert (("alert", message.alias) in pager.asked) is asked
    assert bool(found.words) is (asked and message.priority == "P1")


@pytest.mark.parametrize(("read_back", "asked"), [(19, True), (20, False)])
def test_of_a_round_twenty_are_read_back(
    pager: Pager, calls: PagerDelivery, read_back: int, asked: bool
) -> None:
    pager.requests, calls.read_back = {"r": RequestOutcome("done")}, {str(n) for n in range(read_back)}
    assert calls.outcome(entry(), "r").words == ""
    assert (("alert", MESSAGE.alias) in pager.asked) is asked


def test_an_alert_that_is_not_shown_yet_is_one_of_the_twenty_however_often_it_is_asked_for(
    pager: Pager, calls: PagerDelivery
) -> None:
    pager.requests = {"r": RequestOutcome("done")}
    for _ in range(30):
        assert calls.outcome(entry(), "r").state == "unseen"
    pager.alerts = {MESSAGE.alias: replace(OPEN, responders=("team:data",))}
    assert calls.outcome(entry(), "r").words == sent_to_others(("team:data",))
