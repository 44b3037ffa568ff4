"""A load that is unusually small, and not so small that anything waits for it, is told in the chat once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oncall.core.errors import Unreadable
from oncall.core.promises.facts import Load
from oncall.usecases.few_rows import FEW_ROWS
from tests.usecases.conftest_night import DAY, Night, at

USUAL = Load("master.orders", at("00:50"), 100, 100.0, at("00:55"), spread=10.0)
FEW = replace(USUAL, rows=60)


def heard(night: Night) -> list[str]:
    return [message.title for message, _ in night.chat.posts if message.key.startswith("few-rows")]


def test_a_small_load_is_told_once_from_the_warning_time_on(night: Night) -> None:
    """With its counts and whom to ask; nobody is woken, and nothing waits."""
    night.world.missing("profit_etl", FEW)
    for clock in ("01:00", "03:29:59"):
        night.look(clock)
    assert heard(night) == []
    for clock in ("03:30", "03:31", "04:10"):
        night.look(clock)
    assert heard(night) == ["Unusually few rows of master.orders, 22 Nov"]
    [message] = [message for message, _ in night.chat.posts if message.key.startswith("few-rows")]
    assert message.summary.splitlines()[:2] == [
        "• master.orders: 60 rows, usually 100 (60%; such a day varies by about 10%), which may be all of them",
        "Nothing waits for the rest, if there is one. Whether there is, Software Engineer Team (#swe-master-data)"
        " can tell.",
    ]
    assert message.recipients == ()
    assert not [one for one in night.pager.paged if "Unusually" in one.title]


def test_a_report_that_has_read_it_is_told_at_once(night: Night) -> None:
    """Its number counts by now."""
    night.world.publish("profit_etl", at("02:30"))
    key = "profit_etl", DAY
    night.world.facts[key] = replace(night.world.facts[key], loads=(FEW,))
    night.look("02:31")
    assert heard(night) == ["Unusually few rows of master.orders, 22 Nov"]


def test_a_table_that_comes_later_is_told_by_itself(night: Night) -> None:
    """And two at once together; one that is whole, or may well be all there is, not at all."""
    sessions, refunds = replace(FEW, table="master.sessions"), Load(
        "master.refunds", at("00:50"), 5, 9.0, None, spread=3.0
    )  # fmt: skip
    night.world.missing("profit_etl", FEW, sessions, refunds)
    night.look("03:30")
    night.world.missing("engagement_etl", sessions, replace(FEW, table="master.customers"))
    night.look("03:31")
    assert heard(night) == [
        "Unusually few rows of 2 tables, 22 Nov",
        "Unusually few rows of master.customers, 22 Nov",
    ]


def test_it_is_told_once_although_the_store_goes_away(night: Night) -> None:
    """The note is among those that the watcher knows while the store is away."""
    night.world.missing("profit_etl", FEW)
    night.look("03:30")
    assert "few-rows" in night.store.evaluation_inputs(at("03:31"), ["few-rows"]).notes


def test_a_note_that_cannot_be_read_stops_no_page(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was decided before; only the small load is not told of."""
    night.world.missing("profit_etl", FEW)
    read = night.store.get_note

    def gone(name: str) -> str | None:
        if name == FEW_ROWS:
            raise Unreadable("oncall_db is gone")
        return read(name)

    monkeypatch.setattr(night.store, "get_note", gone)
    night.look("05:00")
    assert [message.priority for message in night.pager.paged] == ["P1"]
    assert heard(night) == []
