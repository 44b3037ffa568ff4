"""A far side that does not take the page of one person, and takes those of the others; and one that takes nobody's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from oncall.core.errors import DeliveryFailed, LockedOut, UnknownPerson, Unreadable
from oncall.core.message import Message
from oncall.core.rota.roster import Override
from oncall.usecases import page_requests
from oncall.usecases.channel_ports import AlertState, RequestOutcome
from tests.usecases.conftest_night import DAY, Night, at

KEY = f"growth_etl:{DAY}"
ANSWER_500 = DeliveryFailed("500", uncertain=True)
NOT_TAKEN = [ANSWER_500, LockedOut("403"), DeliveryFailed("429", retry_after=5), DeliveryFailed("no answer")]


@pytest.fixture
def night(night_in_memory: Night) -> Night:
    """Looked at every five seconds. That both stores do the same is proved in shorter nights."""
    return night_in_memory


@pytest.fixture
def broken(night: Night) -> Night:
    night.world.missing("growth_etl")
    return night


def not_taken(
    night: Night, of: Callable[[Message], bool], error: DeliveryFailed, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[dt.datetime, str]]:
    """Pages that are `of` this kind are not taken. Returns who is woken when."""
    page, woken = night.pager.page, list[tuple[dt.datetime, str]]()

    def take(message: Message) -> str:
        if of(message):
            raise error
        before = len(night.pager.paged)
        request = page(message)
        woken.extend((night.now, made.recipients[0].name) for made in night.pager.paged[before:])
        return request

    monkeypatch.setattr(night.pager, "page", take)
    return woken


def unreadable(_: str) -> None:
    raise Unreadable("500")


def said(night: Night, words: str) -> list[str]:
    return [message.title for message, _ in night.chat.posts if words in message.title]


@pytest.mark.parametrize("error", NOT_TAKEN, ids=str)
def test_who_cannot_be_paged_while_others_can_costs_less_than_a_minute(
    broken: Night, error: DeliveryFailed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is called, and the thread says why; the one after that has the wait of the roster; and the first is
    woken as soon as it works again."""
    woken = not_taken(
        broken, lambda m: m.recipients[0].name == "DE-003" and broken.now < at("05:10"), error, monkeypatch
    )
    broken.looks("05:00", "05:09:55", 5)
    [(when, name)] = woken
    assert (name, when <= at("05:01")) == ("DE-004", True)
    (thread_says,) = said(broken, "DE-003 (primary) could not be paged")
    assert str(error) in thread_says
    assert len(said(broken, "ESCALATED, DE-003 not reached")) == 1
    broken.looks("05:10", "05:16:30", 5)
    assert [name for _, name in woken] == ["DE-004", "DE-003", "DE-MANAGER"]
    assert len(said(broken, "cannot be reached since")) <= 1, (
        "one person's trouble is no outage that comes and goes"
    )
    broken.world.publish("growth_etl", at("05:17"))
    broken.looks("05:17", "05:17:30", 5)
    assert broken.store.waiting() == 0


def test_a_further_step_that_is_asked_to_wait_calls_the_next_one_within_a_minute(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pager asks two minutes for the secondary's page; whether it takes it is asked once more before that."""
    busy = DeliveryFailed("429", retry_after=120)
    woken = not_taken(broken, lambda m: m.recipients[0].name == "DE-004", busy, monkeypatch)
    broken.looks("05:00", "05:01", 5)
    broken.looks("05:15", "05:16", 5)
    assert [name for _, name in woken] == ["DE-003", "DE-MANAGER"]


@pytest.mark.parametrize(
    ("until", "error"),
    [
        ("05:00:40", ANSWER_500),
        *(("05:01:03", error) for error in NOT_TAKEN),
        ("05:02:12", ANSWER_500),
        ("05:09:58", ANSWER_500),
    ],
    ids=str,
)
def test_after_an_outage_the_order_holds(
    broken: Night, error: DeliveryFailed, until: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long: nobody but the primary is woken or named in the thread, and the others have their waits."""
    woken = not_taken(broken, lambda _: broken.now < at(until), error, monkeypatch)
    broken.looks("05:00", "05:11", 5)
    [(first, name)] = woken
    assert (name, first - at(until) <= dt.timedelta(seconds=20)) == ("DE-003", True)
    assert said(broken, "ESCALATED") == said(broken, "could not be paged") == []
    broken.looks("05:11:15", "05:41:30")
    assert [name for _, name in woken] == ["DE-003", "DE-004", "DE-MANAGER"]
    waits = [(later - first).total_seconds() for later, _ in woken[1:]]
    assert waits == pytest.approx([15 * 60, 30 * 60], abs=60)
    assert len(said(broken, "ESCALATED")) == 2


def test_after_an_outage_that_goes_on_for_one_person_the_next_one_is_called_and_no_further_one(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's page was taken for three minutes; then all are but the primary's: the manager has the roster's wait."""
    down = DeliveryFailed("connection refused")
    woken = not_taken(
        broken, lambda m: broken.now < at("05:03") or m.recipients[0].name == "DE-003", down, monkeypatch
    )
    broken.looks("05:00", "05:19:30", 5)
    assert [name for _, name in woken] == ["DE-004", "DE-MANAGER"]
    assert woken[1][0] - woken[0][0] >= dt.timedelta(minutes=14)


def test_a_page_that_an_earlier_request_has_made_calls_nobody_else(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request is carried out 42 s late, and is made anew before: the alert is there, by the first one."""
    asked = dict[str, dt.datetime]()

    def take(message: Message) -> str:
        asked.setdefault(message.alias, broken.now)
        return "request"

    def shown(alias: str) -> AlertState | None:
        made = alias in asked and broken.now - asked[alias] >= dt.timedelta(seconds=42)
        return AlertState(open=True, acknowledged=False) if made else None

    monkeypatch.setattr(page_requests, "CARRIED_OUT_WITHIN_S", 0.01)
    monkeypatch.setattr(broken.pager, "page", take)
    monkeypatch.setattr(broken.pager, "request_state", lambda _: RequestOutcome("pending"))
    monkeypatch.setattr(broken.pager, "alert_state", shown)
    broken.looks("05:00", "05:02", 5)
    assert [alias.rpartition(":")[2] for alias in asked] == ["page-1-primary"]
    assert said(broken, "ESCALATED") == said(broken, "could not be paged") == []


def test_what_the_thread_says_of_the_first_page_does_not_wait_for_the_pager(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack is back before Opsgenie: it hears of the page, and of nobody who would be called after it."""
    not_taken(broken, lambda _: broken.now < at("05:10"), ANSWER_500, monkeypatch)
    broken.chat.fail = [DeliveryFailed("503")] * 20
    broken.looks("05:00", "05:09", 5)
    assert broken.chat.fail == []
    assert [m.step for m, _ in broken.chat.posts if m.key == KEY] == ["page-1-primary"]


def test_nobody_is_said_to_be_beyond_reach_whose_page_was_not_tried(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary's page is not taken; somebody else is primary by its next try."""
    down = DeliveryFailed("connection refused")
    woken = not_taken(broken, lambda m: m.recipients[0].name == "DE-003", down, monkeypatch)
    broken.looks("05:00", "05:01:55", 5)
    over = (Override(at("05:02"), at("09:00"), primary="DE-001"),)
    broken.config = replace(broken.config, roster=replace(broken.config.roster, overrides=over))
    broken.looks("05:02", "05:03", 5)
    assert [name for _, name in woken] == ["DE-004", "DE-001"]
    assert [title.split(" could")[0] for title in said(broken, "could not be paged")] == ["DE-003 (primary)"]


def test_whoever_is_paged_by_hand_in_an_outage_is_not_said_to_be_beyond_reach(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's page is taken, whatever the thread has heard of them."""
    not_taken(broken, lambda _: True, ANSWER_500, monkeypatch)
    broken.looks("05:00", "05:00:25", 5)
    assert broken.by_hand("anna", broken.now).page(KEY).done
    broken.looks("05:00:30", "05:02:30", 5)
    assert said(broken, "could not be paged") == []


def test_a_page_that_everybody_is_refused_is_tried_again_every_15_s(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the far side does not like of it, somebody has to be woken once it is mended."""
    woken = not_taken(broken, lambda _: broken.now < at("05:20"), UnknownPerson("422"), monkeypatch)
    broken.looks("05:00", "05:20:30", 5)
    assert woken[0] <= (at("05:20:15"), "DE-003")


def test_a_far_side_that_takes_all_and_makes_nothing_of_it_calls_everybody(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the page of who was called first each time: that reaches nobody."""
    tried: list[str] = []

    def take(message: Message) -> str:
        tried.append(message.recipients[0].name)
        return "request"

    monkeypatch.setattr(page_requests, "CARRIED_OUT_WITHIN_S", 0.01)
    monkeypatch.setattr(broken.pager, "page", take)
    monkeypatch.setattr(broken.pager, "request_state", lambda _: RequestOutcome("pending"))
    broken.looks("05:00", "05:02:30", 5)
    assert set(tried) == {"DE-003", "DE-004", "DE-MANAGER"}


@pytest.mark.parametrize("how", ["cannot be read", "is slow", "takes it without an answer"])
def test_whoever_is_called_first_is_left_the_time_to_answer(
    broken: Night, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their page is taken as it is tried once more: that suffices, for now, to wake nobody else."""
    not_taken(broken, lambda _: broken.now < at("05:02:10"), ANSWER_500, monkeypatch)
    broken.looks("05:00", "05:02:05", 5)
    if how == "cannot be read":
        monkeypatch.setattr(broken.pager, "alert_state", unreadable)
        monkeypatch.setattr(broken.pager, "request_state", unreadable)
    elif how == "is slow":
        monkeypatch.setattr(page_requests, "CARRIED_OUT_WITHIN_S", 0.01)
        monkeypatch.setattr(broken.pager, "request_state", lambda _: RequestOutcome("pending"))
    else:
        broken.pager.fail = [ANSWER_500]
    broken.looks("05:02:10", "05:02:20", 5)
    assert [page.recipients[0].name for page in broken.pager.paged] == ["DE-003"]


def test_who_was_to_be_called_for_another_seat_and_was_not_is_called_for_theirs(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secondary's page waits in an outage; they become primary: it is for whoever is secondary now."""
    down = DeliveryFailed("connection refused")
    woken = not_taken(broken, lambda _: at("05:15") <= broken.now < at("05:20"), down, monkeypatch)
    broken.looks("05:00", "05:16", 5)
    roster = broken.config.roster
    over = (Override(at("05:16"), at("09:00"), primary="DE-004", secondary="DE-001"),)
    broken.config = replace(broken.config, roster=replace(roster, overrides=over))
    broken.looks("05:16:05", "05:21", 5)
    assert [name for _, name in woken] == ["DE-003", "DE-004", "DE-001"]
