"""Alerts that are open at the pager and that oncall_db knows nothing of: whom they woke, and who has them, is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.core.errors import DeliveryFailed
from oncall.core.promises.facts import Load
from oncall.core.rota.roster import Override
from oncall.usecases.channel_ports import AlertState
from tests.usecases.conftest_night import DAY, Night, at

KEY = f"growth_etl:{DAY}"
PAGE = f"{KEY}:page-1-primary"


@pytest.fixture
def found(night: Night) -> Night:
    """The primary was paged at five by somebody whose memory is gone; at eight past, the next one begins to look."""
    night.world.missing("growth_etl")
    night.look("04:45")
    night.pager.alerts[PAGE] = AlertState(
        open=True, acknowledged=False, responders=("DE-003@Example.com",), created_at=at("05:00")
    )
    return night


def begin(night: Night, clock: str) -> None:
    """It asks for them before it has decided anything itself."""
    night.now = at(clock)
    seen = night.seen
    assert seen is not None
    night.seen = replace(seen, statuses=tuple(replace(one, verdict="broken") for one in seen.statuses))
    night.dispatch().lost_alerts()
    night.look(clock)


def woken(night: Night) -> list[tuple[str, str]]:
    return [(page.step, page.recipients[0].name) for page in night.pager.paged if page.priority == "P1"]


def test_whom_a_lost_page_woke_is_not_paged_again_and_the_others_in_time(found: Night) -> None:
    begin(found, "05:08")
    for clock in ("05:14:45", "05:15", "05:15:15", "05:29:45", "05:30:15"):
        found.look(clock)
    assert woken(found) == [("page-2-secondary", "DE-004"), ("page-3-manager", "DE-MANAGER")]


def test_who_holds_the_seat_by_now_is_called_besides(found: Night) -> None:
    over = (Override(at("05:05"), at("09:00"), primary="DE-001"),)
    found.config = replace(found.config, roster=replace(found.config.roster, overrides=over))
    begin(found, "05:08")
    assert woken(found) == [("page-1-primary:DE-001", "DE-001")]


def test_a_pipeline_that_was_removed_since_the_look_is_not_asked_for(found: Night) -> None:
    """What the configuration has still is."""
    found.config = replace(found.config, pipelines={"growth_etl": found.config.pipelines["growth_etl"]})
    begin(found, "05:08")
    found.looks("05:08:15", "05:16")
    assert woken(found) == [("page-2-secondary", "DE-004")]


def test_who_has_acknowledged_a_lost_page_has_the_incident(found: Night) -> None:
    found.acknowledge(PAGE, "de-003@example.com")
    begin(found, "05:20")
    for clock in ("05:20:15", "05:30", "05:45", "06:00"):
        found.look(clock)
    assert woken(found) == []
    assert len([post for post, _ in found.chat.posts if "Acknowledged by DE-003" in post.title]) == 1
    file = found.store.file(KEY)
    assert file is not None
    assert file.incident.paged_at == at("05:00")


def forget_all(night: Night) -> None:
    """`oncall_db` comes back empty, and the watcher that knew it all is gone with it."""
    night.store = MemoryStore(now=lambda: night.now)
    night.seen = None
    dispatch = night.dispatch
    night.dispatch = lambda: replace(dispatch(), check_before_send=True)  # type: ignore[method-assign]


def test_a_thread_that_no_store_knows_of_goes_on(night: Night) -> None:
    """A new watcher on an empty store looks in the channel by its name before it begins another thread."""
    night.world.missing("growth_etl")
    night.look("05:00")
    forget_all(night)
    for clock in ("05:03", "05:18", "05:18:15"):
        night.look(clock)
    night.world.publish("growth_etl", at("05:20"))
    night.look("05:20:15")
    assert len(night.chat.threads) == 1
    said = [post.step for post, _ in night.chat.posts]
    assert said == ["page-1-primary", "page-2-secondary", "resolved"]


def test_what_stands_in_a_thread_that_no_store_knows_of_is_not_said_again(night: Night) -> None:
    """It began with a warning: the channel's own history shows that alone."""
    night.world.missing("growth_etl", Load("master.sessions"))
    for clock in ("03:30", "04:45", "05:00"):
        night.look(clock)
    forget_all(night)
    for clock in ("05:03", "05:03:15"):
        night.look(clock)
    assert [post.step for post, _ in night.chat.posts] == ["warning", "last-chance", "page-1-primary"]
    assert len(night.chat.threads) == 1


def test_a_chat_that_cannot_be_read_does_not_delay_the_first_words_ever(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation that is new: nothing was said there, and that it cannot be asked is no outage."""

    def slow(*_: object) -> None:
        raise DeliveryFailed("no answer within 8 s")

    monkeypatch.setattr(night.chat, "find", slow)
    forget_all(night)
    night.store.set_note("watching_since", at("01:00").isoformat())
    night.world.missing("growth_etl")
    night.look("05:00")
    assert [post.step for post, _ in night.chat.posts] == ["page-1-primary"]
