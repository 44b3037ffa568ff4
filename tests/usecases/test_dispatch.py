"""One round of sending, with what has to be noted of it: each channel's health, another team's refusal, the numbers."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from oncall.adapters.memory_store import MemoryStore
from oncall.core.errors import DeliveryFailed, LockedOut, NotAllowed, Rejected, Unreadable
from oncall.core.incidents.incident import Notification, Plan
from oncall.core.message import Message
from oncall.usecases.channel_ports import AlertState, Posted
from oncall.usecases.chat_delivery import CHANNEL_ID
from oncall.usecases.ports import FURTHER_STEPS, OTHERS_CHANNELS, OUR_CHANNELS, PRIMARIES, OutboxEntry
from tests.usecases.conftest_night import OURS, Night, at


@pytest.fixture
def late() -> Night:
    """05:00, in memory: a page and a post are owed, and nothing is sent yet."""
    night = Night(now=at("05:00"))
    night.store = MemoryStore(now=lambda: night.now)
    night.store.set_note("watching_since", at("01:00").isoformat())
    night.world.missing("growth_etl")
    night.only_look()
    return night


def told(night: Night) -> dict[str, float]:
    return {
        ".".join((one.name, *(value for _, value in one.tags))): one.value for one in night.metrics.readings
    }


def test_a_round_sends_its_lane_alone(late: Night) -> None:
    assert late.dispatch().pages(FURTHER_STEPS).taken == []
    assert [entry.step for entry, _ in late.dispatch().pages(PRIMARIES).taken] == ["page-1-primary"]
    assert late.dispatch().posts(OTHERS_CHANNELS).taken == []
    assert [entry.step for entry, _ in late.dispatch().posts(OUR_CHANNELS).taken] == ["page-1-primary"]


def test_the_numbers_of_a_round_are_told_of_its_channel(late: Night) -> None:
    """The first page is measured from the due instant, by the incident's own."""
    late.now = at("05:00:07")
    late.dispatch().pages()
    assert told(late)["oncall.page_delay"] == 7
    assert (told(late)["oncall.sent.pager.page"], told(late)["oncall.channel_up.pager"]) == (1, 1)
    assert "oncall.sent.chat.post" not in told(late)
    late.metrics.readings.clear()
    late.chat.fail = [DeliveryFailed("down")]
    late.dispatch().posts()
    assert (told(late)["oncall.failures.chat"], told(late)["oncall.channel_up.chat"]) == (1, 0)
    assert "oncall.page_delay" not in told(late)


def test_a_channel_that_locks_us_out_is_told_on_the_other(late: Night) -> None:
    """To whoever is on call then; it is back as soon as something is taken."""
    late.pager.fail = [LockedOut("403")]
    late.dispatch().pages()
    late.dispatch().posts()
    assert any(
        message.title.startswith("The pager (Opsgenie) cannot be reached") for message, _ in late.chat.posts
    )
    late.chat.fail = [LockedOut("invalid_auth")]
    late.store.record(Plan(owed=(a_post("x"),)), late.now)  # type: ignore[attr-defined]
    late.dispatch().posts()
    late.now = at("05:01")
    late.dispatch().pages()
    (notice,) = [
        message for message in late.pager.paged if message.title.startswith("Slack cannot be reached")
    ]
    assert notice.recipients[0].name == late.pager.paged[0].recipients[0].name


def a_post(key: str, channel: str = "") -> Notification:
    return Notification(key, "said", "chat", "post", Message(key, "said", "Orders are late", channel=channel))


def test_what_another_teams_channel_refuses_is_told_in_ours(late: Night) -> None:
    """What they were to read, and why they did not; nothing of it when they take it."""
    late.store.record(Plan(owed=(a_post("k@#swe", "#swe"),)), late.now)  # type: ignore[attr-defined]
    late.chat.elsewhere_fails = Rejected("not_in_channel")
    late.dispatch().posts(OTHERS_CHANNELS)
    late.chat.elsewhere_fails = None
    late.dispatch().posts(OUR_CHANNELS)
    (untold,) = [
        message for message, _ in late.chat.posts if message.title.startswith("#swe could not be told")
    ]
    assert "What they were to read: Orders are late\nnot_in_channel" in untold.summary
    late.now = at("05:05")
    late.dispatch().posts(OTHERS_CHANNELS)
    assert [message.title for message, _ in late.chat.elsewhere] == ["Orders are late"]


def test_what_is_sent_is_bound_to_what_is_true_now(late: Night) -> None:
    """By the incident as the store has it: published meanwhile, nobody is woken. Nothing of that goes wrong."""
    with capture_logs() as lines:
        late.dispatch().posts()
        (first,) = late.chat.threads
        assert any(address.startswith("http://airflow.test/") for _, address in first.links)
        late.world.publish("growth_etl", at("04:59"))
        late.now = at("05:00:05")
        late.only_look()
        assert (late.dispatch().pages().taken, late.pager.paged) == ([], [])
    assert [line for line in lines if line["log_level"] == "error"] == []


def test_what_was_taken_is_handed_on_to_the_next_sender(late: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same loop: the store was gone when it was to be written down."""
    journal: list[OutboxEntry] = []
    done = late.store.done
    monkeypatch.setattr(late.store, "done", _gone)
    with pytest.raises(Unreadable):
        replace(late.dispatch(), journal=journal).pages()
    monkeypatch.setattr(late.store, "done", done)
    assert [entry.step for entry in journal] == ["page-1-primary"]
    replace(late.dispatch(), journal=journal).pages()
    assert journal == []
    assert late.steps == ["page-1-primary"]


def _gone(*_: object, **__: object) -> None:
    raise Unreadable("oncall_db: gone")


def test_what_names_no_channel_goes_to_the_rosters(late: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    post = late.chat.post

    def asking(message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        asked.append(channel)
        return post(message, channel, thread_ts)

    monkeypatch.setattr(late.chat, "post", asking)
    late.store.record(Plan(owed=(a_post("k"),)), late.now)  # type: ignore[attr-defined]
    late.dispatch().posts()
    assert set(asked) == {OURS}


def test_whoever_acknowledges_is_heard_and_who_cannot_be_heard_is_told(late: Night) -> None:
    late.dispatch().pages()
    (alias,) = late.pager.alerts
    late.pager.alert_state = _refused  # type: ignore[method-assign]
    late.now = at("05:01")
    late.dispatch().acknowledgements()
    late.dispatch().posts()
    assert any("not heard" in message.title for message, _ in late.chat.posts)
    del late.pager.alert_state
    late.acknowledge(alias, "de-001@example.com")
    late.now = at("05:02")
    late.dispatch().acknowledgements()
    (incident,) = [one for one in late.store.snapshot().incidents if one.key.startswith("growth")]
    assert (incident.acknowledged_at, incident.acknowledged_by) == (at("05:02"), "de-001@example.com")


def _refused(alias: str) -> AlertState | None:
    raise NotAllowed("403: no right to read")


def test_it_can_be_checked_what_stands_in_channels_whose_ids_are_known(late: Night) -> None:
    """All of them: what could not be looked for might be said twice."""
    dispatch = late.dispatch()
    assert not dispatch.can_check()
    for channel in late.config.channels:
        assert not dispatch.can_check()
        late.store.set_note(f"{CHANNEL_ID}:{channel}", "C1")
    assert dispatch.can_check()


def test_who_should_have_been_told_already_is_asked_for_first(late: Night) -> None:
    """Another process may have paged from memory, and what it told the far side is in no store."""
    dispatch = replace(late.dispatch(), check_before_send=True)
    (alias,) = [one.alias for one in late.store.snapshot().deliveries if one.channel == "pager"]
    late.pager.alerts[alias] = AlertState(open=True, acknowledged=False)
    assert [entry.step for entry, _ in dispatch.pages().taken] == ["page-1-primary"]
    assert late.pager.paged == []


@pytest.mark.parametrize(("hours", "paged"), [(20, 1), (0, 0)])
def test_an_alert_of_an_earlier_life_of_its_alias_is_not_this_page(
    late: Night, monkeypatch: pytest.MonkeyPatch, hours: int, paged: int
) -> None:
    """The store was lost after that alert was closed: the primary is paged. What was closed since then is done."""
    dispatch = replace(late.dispatch(), check_before_send=True)
    (entry,) = [one for one in late.store.snapshot().deliveries if one.channel == "pager"]
    made = entry.owed_at - dt.timedelta(hours=hours)
    late.pager.alerts[entry.alias] = AlertState(open=False, acknowledged=True, created_at=made)
    asked: list[Message] = []

    def page(message: Message) -> str:
        asked.append(message)
        return "request"

    monkeypatch.setattr(late.pager, "page", page)
    dispatch.pages()
    assert len(asked) == paged
