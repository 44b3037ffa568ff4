"""Whatever stands in the store's notes and in what was last known, a look still pages."""

from __future__ import annotations

import datetime as dt
import socket
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.core.clocks import OWN, Agreed
from oncall.core.errors import DeliveryFailed
from oncall.core.incidents.wording import Scene
from oncall.core.message import Message
from oncall.core.promises.facts import Load, Publication, Task
from oncall.usecases.channel_health import HEARING
from oncall.usecases.notes import dumped, instant, noted, state
from oncall.usecases.ports import EvaluationInputs
from oncall.usecases.promise_statuses import PUBLISHED, Known, publications_text
from oncall.usecases.timekeeping import ODD_CLOCKS, note_clocks, noted_clocks
from oncall.usecases.watch_record import HOSTS, PROMISED, SINCE
from tests.usecases.conftest_night import DAY, Night, at

ODD = st.sampled_from(
    ["null", "[]", "{}", "7", "9999-12-31", "infinity", '{"since": 7}', '[["growth_etl"]]', "\x00", "[" * 900]
)
NAMES = (
    SINCE,
    PROMISED,
    HOSTS,
    PUBLISHED,
    HEARING,
    ODD_CLOCKS,
    "channel:pager",
    "channel:chat",
    "history_unread",
)


@given(values=st.lists(ODD | st.text(max_size=40), min_size=len(NAMES), max_size=len(NAMES)))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_odd_notes_silence_nobody(values: list[str]) -> None:
    """They are read as if nothing had been noted; the primary is paged, and a failing channel is told of."""
    night = Night()
    night.store.now = lambda: night.now  # type: ignore[attr-defined]
    for name, value in zip(NAMES, values, strict=True):
        night.store.set_note(name, value)
    night.world.missing("growth_etl")
    night.chat.fail = [DeliveryFailed("connection refused")]
    night.look("05:00")
    night.look("05:00:15")
    assert night.steps == ["page-1-primary"]


def test_watching_since_the_future_is_no_watching(night: Night) -> None:
    """A note of next year would make every promise of this year history."""
    night.store.set_note(SINCE, "2027-11-23T05:00:00+07:00")
    night.world.missing("growth_etl")
    night.look("05:00")
    assert night.steps == ["page-1-primary"]


@pytest.mark.parametrize(
    "text", ["2026-11-23T05:00:00", "9999-12-31T00:00:00+00:00", "soon", "0001-01-01T00:00:00Z"]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    """Without a zone, or in a year that nobody means."""
    with pytest.raises(ValueError):
        instant(text)
    assert noted("tick", text, instant, None) is None


def test_what_fails_is_read_as_it_was_noted() -> None:
    """And nothing else is."""
    good = '{"since": "2026-11-23T05:00:00+07:00", "said": true, "reason": "403", "more": 1}'
    assert state(good) == {"since": "2026-11-23T05:00:00+07:00", "said": True, "reason": "403"}
    nothing: dict[str, Any] = {}
    assert noted("channel:pager", '{"said": true}', state, nothing) == {}
    warehouse = '{"warehouse": ["%s", "2026-11-22T21:00:00+00:00"]}'
    assert noted_clocks(warehouse % "-600", at("05:00")) == {"warehouse": -600}
    assert noted_clocks(warehouse % "-600", at("05:00") + dt.timedelta(days=1)) == {}, "seen an hour before"
    for odd in ("far", "--5", "9" * 5000, ""):
        assert noted_clocks(warehouse % odd, at("05:00")) == {}
    assert noted_clocks('{"warehouse": 600}', at("05:00")) == {}, "as an earlier release noted it"


def test_a_wrong_clock_is_known_until_it_is_right_or_its_host_is_gone(night: Night) -> None:
    """A pod with a wrong clock was deleted: the page told of it for ever."""

    def look(clock: dt.datetime, *unread: str, **ahead_s: int) -> list[str]:
        odd = {OWN if name == "pod" else name: dt.timedelta(seconds=s) for name, s in ahead_s.items()}
        said = len(night.chat.posts)
        scene = Scene(night.config.roster, night.links, clock)
        note_clocks(night.store, scene, Agreed(clock, odd, {OWN, "warehouse"} - {*odd, *unread}))
        night.send(clock.time().isoformat())
        return [message.title for message, _ in night.chat.posts[said:]]

    def known(clock: dt.datetime) -> dict[str, int]:
        return noted_clocks(night.store.get_note(ODD_CLOCKS), clock)

    pod, five, hour = f"host {socket.gethostname()}", at("05:00"), dt.timedelta(hours=1)
    night.store.set_note(ODD_CLOCKS, dumped({"host another": ("45", five - 23 * hour)}))
    assert len(look(five, pod=600, warehouse=-90)) == 2
    assert known(five) == {"host another": 45, pod: 600, "warehouse": -90}
    assert look(five + hour, pod=660, warehouse=-90) == []
    assert known(five + 24.5 * hour) == {pod: 600, "warehouse": -90}
    assert look(five + hour, "warehouse", pod=660) == [], "of one that cannot be read nothing is known"
    assert len(look(five + 2 * hour, warehouse=-90)) == 1
    assert known(five + 2 * hour) == {"warehouse": -90}
    assert look(five + 3 * hour, warehouse=-95) == []


def test_a_report_that_the_rules_fail_on_stops_no_other(night: Night) -> None:
    """Nobody foresaw what is wrong with profit: growth is paged as ever, and somebody is told of profit, once."""

    class Poison(str):
        def __format__(self, _: str) -> str:
            raise RuntimeError("nobody foresaw this")

        def split(self, *_: object) -> list[str]:
            raise RuntimeError("nobody foresaw this")

    profit = night.config.pipelines["profit_etl"]
    night.config.pipelines["profit_etl"] = replace(profit, report=Poison(profit.report))  # type: ignore[index]
    night.world.missing("growth_etl")
    night.world.missing("profit_etl", Load("master.orders"))
    for clock in ("05:00", "05:00:15", "05:00:30"):
        night.look(clock)
    assert sorted(night.steps) == ["page-1-primary", "undecided"]
    (told,) = [page for page in night.pager.paged if page.step == "undecided"]
    assert (told.priority, told.recipients[0].name) == ("P1", "DE-003")
    assert "RuntimeError: nobody foresaw this" in told.summary


def test_a_message_that_cannot_be_bound_or_sent_stops_no_other(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of our own in sending one: the others go out in the same round, and it is tried again."""
    page = night.pager.page
    failed: list[Any] = []

    def faulty(message: Message) -> str:
        if message.key.startswith("profit_etl") and not failed:
            failed.append(message)
            raise KeyError("a fault of our own")
        return page(message)

    monkeypatch.setattr(night.pager, "page", faulty)
    night.world.missing("growth_etl")
    night.runs.of["growth_etl", DAY] = (Task("transform", "running", at("03:12")),)
    night.world.missing("profit_etl", Load("master.orders"))
    night.look("05:00")
    assert {message.key.split(":")[0] for message in night.pager.paged} == {"growth_etl", "profit_etl"}
    night.look("05:00:31")
    assert len([m for m in night.pager.paged if m.key.startswith("profit_etl")]) == 2, (
        "the next one, then the first"
    )


def on_postgres(dsn: str) -> Night:
    night = Night()
    store = OncallDb(connect_to(dsn), now=lambda: night.now)
    store.install()
    store.set_note(SINCE, at("01:00").isoformat())
    night.store = store
    night.world.missing("growth_etl")
    return night


@pytest.mark.parametrize(
    "error",
    [
        "bad \x00 byte",
        "half a letter: \ud800",
        r"unsupported Unicode escape sequence: \u0000 cannot be converted to text",  # PostgreSQL's own words
        r"C:\\u0000",
        '{"key": "\\u0000", "other": "\x00\ud800"}',
    ],
)
def test_a_letter_that_no_database_keeps_costs_no_page(oncall_database: str, error: str) -> None:
    """Nor do its like that are plain letters; it is paged for once, and what can be kept is kept."""
    night = on_postgres(oncall_database)
    failed = Task("transform", "failed", at("02:05"), at("02:06"), "run1", error, "http://log")
    night.runs.of["growth_etl", DAY] = (failed,)
    night.look("05:00")
    assert night.steps == ["page-1-primary"]
    (kept,) = night.store.snapshot().incidents
    plain = error.replace("\x00", "").replace("\ud800", "?")
    assert kept.detail == f"task transform failed at 02:06: {plain}"


@pytest.mark.parametrize(
    "spoilt",
    ["message = 'null'", "message = '[]'", "message = '{\"recipients\": 7}'", "owed_at = 'infinity'",
     "done_at = '-infinity'", "owed_at = '0044-03-15 BC'"],
)  # fmt: skip
def test_a_spoilt_row_of_the_outbox_silences_nobody(oncall_database: str, spoilt: str) -> None:
    """What is owed is worded anew when it is sent, and the secondary is called in time."""
    night = on_postgres(oncall_database)
    night.pager.fail = [DeliveryFailed("connection refused")]
    night.look("05:00")
    with LastingConnection(connect_to(oncall_database), "oncall_db").cursor() as cursor:
        cursor.execute(f"update oncall.deliveries set {spoilt}")
    night.look("05:00:15")
    night.look("05:00:30")
    assert night.steps == ["page-1-primary"]
    assert "late since 05:00" in night.pager.paged[0].title
    with LastingConnection(connect_to(oncall_database), "oncall_db").cursor() as cursor:
        cursor.execute(f"update oncall.deliveries set {spoilt}")
    night.store.snapshot()
    night.look("05:16")
    night.look("05:30:45")
    assert "page-2-secondary" in night.steps


def test_a_publication_is_noted_with_when_it_was_due() -> None:
    """Or that it is not known: such a day is judged by what is promised now."""
    made = Publication(at("05:42"), at("05:43"), "night", 3, at("05:00"))
    for seen in (made, replace(made, due=None)):
        text = publications_text({("growth_etl", DAY): seen})
        assert dict(Known.of(EvaluationInputs({PUBLISHED: text}, (), ())).published) == {
            ("growth_etl", DAY): seen
        }
