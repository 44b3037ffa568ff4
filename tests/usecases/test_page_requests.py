"""Requests to the pager, answer by answer: whose turn it is, who is asked first, and what a request made anew keeps."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from oncall.core.errors import DeliveryFailed, NotAllowed, Unreadable
from oncall.core.incidents.binding import Later, Send, Withdraw
from oncall.core.message import Message, Recipient
from oncall.core.notices.drill_page import PAGE as TEST_PAGE
from oncall.usecases import delivery_round, page_requests
from oncall.usecases.channel_ports import AlertState, RequestOutcome
from oncall.usecases.ports import OutboxEntry
from tests.usecases.test_sending import KEY, START, Box

TAKEN = AlertState(open=True, acknowledged=True, owner="de-004@x")
NEXT = "page-2-secondary"
FIRST = Message(KEY, "page-1-primary", "Late", priority="P1", recipients=(Recipient("DE-003", "de-003@x"),))


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Box:
    """The second one's page is owed, and the first one's alert is asked about before it."""
    monkeypatch.setattr(page_requests, "CARRIED_OUT_WITHIN_S", 0.0)
    box = Box()
    box.owe(NEXT)
    box.pager.alerts[FIRST.alias] = TAKEN
    box.bound[NEXT] = Send(box.entry(NEXT).message, ask_first=(FIRST.alias,))
    return box


def heard(box: Box, then: Callable[[], None]) -> list[OutboxEntry]:
    """What acknowledgements are asked about; what becomes of each."""
    asked: list[OutboxEntry] = []

    def sync(entry: OutboxEntry) -> None:
        asked.append(entry)
        then()

    box.sender.sync_acknowledgements = sync
    return asked


def test_nobody_is_woken_for_what_somebody_has_just_taken(box: Box) -> None:
    """It is heard who has it, and then the page is not wanted any more."""
    asked = heard(box, lambda: box.bound.update({NEXT: Withdraw("DE-004 has it")}))
    sent = box.pages()
    assert [(entry.key, entry.step) for entry in asked] == [(KEY, NEXT)]
    assert (box.pager.asked, box.entry(NEXT).state, sent.failed) == ([], "cancelled", [])


def test_what_only_looked_as_if_somebody_had_it_goes_out(box: Box) -> None:
    """A policy had acknowledged it, not a person: in the words of now, without asking again for ever."""
    told = replace(box.entry(NEXT).message, title="Late since 05:00")
    asked = heard(box, lambda: box.bound.update({NEXT: Send(told, ask_first=(FIRST.alias,))}))
    sent = box.pages()
    assert len(asked) == 1
    assert [message.title for message in box.pager.paged] == ["Late since 05:00"]
    assert [entry.step for entry, _ in sent.taken] == [NEXT]
    assert box.entry(NEXT).message.title == "Late since 05:00"


def test_where_it_cannot_be_heard_who_has_it_the_page_goes_out(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails there; which the log tells."""
    lines: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        page_requests.log, "error", lambda event, **said: lines.append((event, said)), raising=False
    )
    heard(box, lambda: (_ for _ in ()).throw(ValueError("ours")))
    assert [entry.step for entry, _ in box.pages().taken] == [NEXT]
    ((event, said),) = lines
    assert (event, said["step"]) == ("oncall.not_heard", NEXT)
    assert said["traceback"].endswith("ValueError: ours\n")


def test_a_store_that_goes_away_as_it_is_heard_is_said(box: Box) -> None:
    """The page is still owed, and the next round sends it."""
    heard(box, lambda: (_ for _ in ()).throw(Unreadable("oncall_db: gone")))
    with pytest.raises(Unreadable, match="gone"):
        box.pages()
    assert (box.pager.asked, box.entry(NEXT).state) == ([], "owed")


def test_a_page_that_was_perhaps_taken_is_looked_for_after_it_was_heard_who_has_it(box: Box) -> None:
    box.pager.fail = [DeliveryFailed("lost", uncertain=True)]
    box.pager.alerts.clear()
    box.pages()
    box.pager.alerts[FIRST.alias] = TAKEN
    heard(box, lambda: None)
    box.later(2)
    assert [entry.step for entry, _ in box.pages().taken] == [NEXT]
    assert box.pager.asked == [NEXT]


@pytest.mark.parametrize("send", [{"only_look": True}, {"before": (FIRST,)}], ids=str)
def test_it_is_not_its_turn_while_an_earlier_one_is_taken_now(box: Box, send: dict[str, Any]) -> None:
    """It waits 15 s, and what was tried before does not count: nobody is unreached, and nothing was perhaps taken."""
    del box.pager.alerts[FIRST.alias]
    box.pager.fail = [DeliveryFailed("down")]
    box.bound[NEXT] = Send(box.entry(NEXT).message)
    box.pages()
    assert box.entry(NEXT).pending_since == START
    box.later(44)
    box.bound[NEXT] = Send(box.entry(NEXT).message, **send)
    sent = box.pages()
    assert (sent.taken, sent.failed, sent.unreached) == ([], [], False)
    entry = box.entry(NEXT)
    assert (entry.state, entry.pending_since, entry.maybe_taken, entry.error) == ("owed", None, False, "down")
    assert box.waits(NEXT) == 15
    assert box.pager.asked == [NEXT, *([FIRST.step] if "before" in send else [])]


def test_an_earlier_one_that_is_still_not_taken_holds_up_nobody(box: Box) -> None:
    """Each earlier one is tried once more, under its own alias; then the next one is woken."""
    del box.pager.alerts[FIRST.alias]
    box.pager.fail = [DeliveryFailed("refused")]
    box.bound[NEXT] = Send(box.entry(NEXT).message, before=(FIRST,))
    assert [entry.step for entry, _ in box.pages().taken] == [NEXT]
    assert box.pager.asked == [FIRST.step, NEXT]
    assert [message.alias for message in box.pager.paged] == [box.entry(NEXT).alias]


def test_a_request_made_anew_keeps_the_ones_before_it_and_since_when_it_pends(box: Box) -> None:
    """The newest first: each of them may still be carried out."""
    box.pager.reads = False
    box.pager.page = lambda message: f"request at {box.now:%S}"  # type: ignore[method-assign]
    asked: list[str] = []

    def state(request_id: str) -> RequestOutcome:
        asked.append(request_id)
        return RequestOutcome("pending")

    box.pager.request_state = state  # type: ignore[method-assign]
    box.pages()
    first = box.entry(NEXT)
    assert (first.request_id, first.requested_at, first.pending_since) == ("request at 00", START, START)
    box.later(15)
    box.pages()
    box.pages()
    anew = box.entry(NEXT)
    assert anew.request_id == "request at 15\nrequest at 00"
    assert (anew.requested_at, anew.pending_since) == (START + dt.timedelta(seconds=15), START)
    asked.clear()
    box.later(1)
    box.pages()
    assert asked == ["request at 15", "request at 00"]


@pytest.mark.parametrize("requests", [5, 9])
def test_of_many_requests_the_newest_five_are_asked_for(box: Box, requests: int) -> None:
    box.pager.reads = False
    made = iter(range(99))
    box.pager.page = lambda message: f"{next(made)}"  # type: ignore[method-assign]
    box.pager.states = ["pending"] * 999
    for _ in range(requests):
        box.pages()
        box.later(15)
        box.pages()
    box.pages()
    newest = [str(requests - back) for back in range(5)]
    assert box.entry(NEXT).request_id.split("\n") == newest


def test_one_page_that_reaches_nobody_is_not_forgotten_for_one_that_does(box: Box) -> None:
    """Whichever of them ends last: the next person is called."""
    for step, responders in ((NEXT, ("team:Data",)), ("page-3-manager", ("DE-003@x",))):
        if step != NEXT:
            box.owe(step)
        box.pager.alerts[box.entry(step).alias] = AlertState(True, False, responders=responders)
    box.pager.alerts[FIRST.alias] = AlertState(True, False)
    assert box.pages().unreached
    assert box.entry(NEXT).unreached.startswith("the pager sends it to team:Data")
    assert box.entry("page-3-manager").unreached == ""


@pytest.mark.parametrize(("asks", "busy"), [(None, False), (7.0, True)])
def test_a_far_side_that_asks_to_wait_is_busy(box: Box, asks: float | None, busy: bool) -> None:
    """Of that nobody is told for two minutes; of an outage sooner."""
    box.pager.alerts.clear()
    box.pager.fail = [DeliveryFailed("no", retry_after=asks)]
    sent = box.pages()
    assert (sent.outage, sent.busy) == ("no", busy)


def test_why_a_page_was_not_taken_for_so_long_is_told(box: Box) -> None:
    box.pager.alerts.clear()
    box.pager.fail = [DeliveryFailed("connection refused")] * 2
    box.pages()
    box.later(45)
    assert box.pages().unreached
    assert "connection refused" in box.entry(NEXT).unreached


def test_what_waits_for_something_else_was_not_perhaps_taken(box: Box) -> None:
    """So it can be withdrawn; and a store that is gone as that is written down is said."""
    box.bound[NEXT] = Later(dt.timedelta(seconds=3))
    box.pages()
    assert box.entry(NEXT).maybe_taken is False
    box.later(3)
    box.store.lost["failed"] = 1
    with pytest.raises(Unreadable):
        box.pages()


def test_a_request_of_a_page_that_was_made_anew_is_refused_for_good_the_second_time(box: Box) -> None:
    """What it says is told as the reason."""
    box.pager.alerts.clear()
    box.pager.states = ["failed", "failed"]
    box.pager.words = "User is blocked"
    box.pages()
    box.pager.alerts.clear()
    sent = box.pages()
    assert sent.refused == "taken, then failed: User is blocked"
    assert box.entry(NEXT).request_id == ""


def test_a_request_that_failed_is_not_asked_for_again(box: Box) -> None:
    """Nothing more will come of it; of the one made anew alone."""
    box.pager.alerts.clear()
    box.pager.states = ["pending", "failed"]
    box.pages()
    assert box.entry(NEXT).request_id
    box.later(1)
    box.pages()
    assert box.entry(NEXT).request_id == ""


def test_a_request_is_made_anew_after_15_s_however_often_it_is_asked_for(box: Box) -> None:
    """They are counted from when it was made, and not from when it was last seen to pend."""
    box.pager.reads = False
    box.pager.states = ["pending"] * 99
    asked = []
    for _ in range(5):
        box.pages()
        asked.append(len(box.pager.asked))
        box.later(4)
    assert asked == [1, 1, 1, 1, 1]
    box.pages()
    box.pages()
    assert (len(box.pager.asked), box.entry(NEXT).requested_at) == (2, box.now)


def test_who_is_not_reached_is_not_forgotten_for_a_request_that_is_made_anew(box: Box) -> None:
    """The one has pended for 45 s, the other for 15."""
    box.pager.states = ["pending"] * 99
    box.pager.alert_state = lambda alias: None  # type: ignore[method-assign]
    box.pages()
    box.later(30)
    box.pages()
    box.owe("page-3-manager")
    box.pages()
    box.later(15)
    sent = box.pages()
    assert [entry.step for entry in sent.failed] == [NEXT, "page-3-manager"]
    assert sent.unreached


def test_an_alert_is_known_by_the_alias_that_the_pager_gave_it(box: Box) -> None:
    """It is closed by that one, in the end."""
    outcome, box.pager.alerts["theirs"] = (
        RequestOutcome("done", "", "theirs"),
        replace(TAKEN, acknowledged=False),
    )
    box.pager.request_state = lambda request_id: outcome  # type: ignore[method-assign]
    box.pages()
    assert (box.entry(NEXT).state, box.entry(NEXT).alias) == ("done", "theirs")


def test_a_fault_in_binding_is_logged_with_where_it_was(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        delivery_round.log, "error", lambda event, **said: lines.append((event, said)), raising=False
    )
    box.bound[NEXT] = ValueError("ours")
    box.pages()
    ((event, said),) = lines
    assert (event, said["incident"], said["step"]) == ("oncall.not_bound", KEY, NEXT)
    assert said["traceback"].endswith("ValueError: ours\n")


def test_an_earlier_page_whose_answer_was_lost_is_looked_for_by_its_own_alias(box: Box) -> None:
    """It is there after all: it is that person's turn, and nobody else is woken."""
    del box.pager.alerts[FIRST.alias]
    box.pager.fail = [DeliveryFailed("lost", uncertain=True)]
    box.bound[NEXT] = Send(box.entry(NEXT).message, before=(FIRST,))
    box.pages()
    assert [message.alias for message in box.pager.paged] == [FIRST.alias]
    assert (box.entry(NEXT).state, box.waits(NEXT)) == ("owed", 15)


@pytest.mark.parametrize(
    ("state", "seems_taken"),
    [
        (AlertState(open=True, acknowledged=False), False),
        (AlertState(open=True, acknowledged=True), True),
        (AlertState(open=False, acknowledged=False), True),
        (None, False),
    ],
    ids=["open", "acknowledged", "closed", "none"],
)
def test_what_looks_as_if_somebody_had_it(box: Box, state: AlertState | None, seems_taken: bool) -> None:
    """Only then it is heard who: an alert that is open holds up nobody."""
    asked = heard(box, lambda: None)
    box.pager.alerts.clear()
    if state:
        box.pager.alerts[FIRST.alias] = state
    assert [entry.step for entry, _ in box.pages().taken] == [NEXT]
    assert bool(asked) is seems_taken


@pytest.mark.parametrize(
    ("step", "priority", "said"),
    [(NEXT, "P1", True), ("failed-growth", "P2", False), ("warn", "P3", False), (TEST_PAGE, "P3", True)],
)
def test_whose_page_is_asked_for_where_it_went(box: Box, step: str, priority: str, said: bool) -> None:
    """A person's P1, and a drill's page: of what is not late yet nobody is called in their place."""
    box.owe(step, key="growth_etl:other", priority=priority)
    alias = box.entry(step, key="growth_etl:other").alias
    box.pager.alerts[alias] = AlertState(True, False, responders=("team:Data",))
    box.pages()
    assert bool(box.entry(step, key="growth_etl:other").unreached) is said


def test_a_page_whose_answer_was_lost_is_asked_too_where_it_went(box: Box) -> None:
    """To a team, as with the team's key: its own person was taken for woken, and the next one called minutes later."""
    box.bound[NEXT] = Send(box.entry(NEXT).message)
    box.pager.fail = [DeliveryFailed("lost", uncertain=True)]
    box.pages()
    box.pager.alerts[box.entry(NEXT).alias] = AlertState(True, False, responders=("team:Data",))
    box.later(2)
    assert box.pages().unreached
    entry = box.entry(NEXT)
    assert (entry.state, box.pager.asked) == ("done", [NEXT])
    assert "team:Data" in entry.unreached


def test_where_pages_of_lost_answers_went_is_asked_side_by_side(box: Box) -> None:
    """A far side that answers slowly holds the others up no longer than one of them."""
    box.owe("page-1-primary", key="growth_etl:other")
    owed = [box.entry(NEXT), box.entry("page-1-primary", key="growth_etl:other")]
    box.bound[NEXT] = Send(box.entry(NEXT).message)
    box.pager.fail = [DeliveryFailed("lost", uncertain=True)] * 2
    box.pages()
    for entry in owed:
        box.pager.alerts[entry.alias] = AlertState(True, False)
    read, both, state = Counter[str](), Barrier(2, timeout=10), box.pager.alert_state

    def slow(alias: str) -> AlertState | None:
        read[alias] += 1
        if read[alias] == 2:  # once it is known that the page is there
            both.wait()
        return state(alias)

    box.pager.alert_state = slow  # type: ignore[method-assign]
    box.later(30)
    box.pages()
    assert not both.broken
    assert [box.entry(entry.step, key=entry.key).state for entry in owed] == ["done", "done"]


@pytest.mark.parametrize(
    ("shown", "calls_the_next"),
    [
        (AlertState(True, False, snoozed=True), False),  # by its person, by then
        (AlertState(False, False, closed_by="de-004@example.com"), False),
        (AlertState(False, False, closed_by="a policy"), True),
        (AlertState(True, False, priority="P4"), True),
    ],
)
def test_what_its_person_has_done_with_it_while_its_answer_was_lost_calls_nobody_else(
    box: Box, shown: AlertState, calls_the_next: bool
) -> None:
    """What a policy has done does."""
    box.bound[NEXT] = Send(box.entry(NEXT).message)
    box.pager.fail = [DeliveryFailed("lost", uncertain=True)]
    box.pages()
    box.pager.alerts[box.entry(NEXT).alias] = shown
    box.later(30)
    box.pages()
    entry = box.entry(NEXT)
    assert (entry.state, bool(entry.unreached)) == ("done", calls_the_next)


def test_a_key_that_may_not_read_is_not_used_to_read_again(box: Box) -> None:
    """What was taken is believed at once, the others of the round too; one that fails once is merely not known."""
    for error, state in ((NotAllowed("403"), "done"), (DeliveryFailed("500"), "accepted")):
        box = Box()
        for step in (NEXT, "page-3-manager"):
            box.owe(step)
        box.pager.states = [error]
        box.pager.alert_state = lambda alias: None  # type: ignore[method-assign]
        box.pages()
        assert [box.entry(step).state for step in (NEXT, "page-3-manager")] == [state, state]
        assert not box.pager.states


@pytest.mark.parametrize(("shown_after_s", "unreached"), [(6, "team:data"), (30, "")])
def test_whom_a_page_wakes_is_asked_until_its_alert_is_shown(
    box: Box, shown_after_s: int, unreached: str
) -> None:
    """The next one was called only minutes later, because the alert was read in the moment in which it was made. What
    is not shown after 15 s counts as woken, and is made no second time."""
    box.bound[NEXT] = Send(box.entry(NEXT).message)
    theirs = AlertState(open=True, acknowledged=False, responders=("team:data",))
    box.pager.alert_state = lambda alias: theirs if box.now >= shown else None  # type: ignore[method-assign]
    shown = START + dt.timedelta(seconds=shown_after_s)
    box.pages()
    assert box.entry(NEXT).state == "accepted"
    for _ in range(4):
        box.later(5)
        box.pages()
    assert (box.entry(NEXT).state, box.pager.asked) == ("done", [NEXT])
    assert unreached in box.entry(NEXT).unreached
    assert bool(box.entry(NEXT).unreached) is bool(unreached)


def test_a_page_taken_after_an_outage_is_not_one_that_is_not_carried_out(box: Box) -> None:
    """Its alert is only not shown yet: nobody else is called for that, and it is made no second time."""
    box.bound[NEXT] = Send(box.entry(NEXT).message)
    box.pager.fail = [DeliveryFailed("503")]
    box.pager.alert_state = lambda alias: None  # type: ignore[method-assign]
    for seconds in (40, 6, 0):
        box.pages()
        box.later(seconds)
    entry = box.entry(NEXT)
    assert (entry.state, entry.unreached, box.pager.asked) == ("done", "", [NEXT, NEXT])
