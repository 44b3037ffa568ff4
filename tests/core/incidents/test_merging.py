"""Copies of one incident that went on apart become one: nothing acknowledged or resolved is ever forgotten."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.core.incidents.incident import REMOVED, Incident
from oncall.core.incidents.merging import merged

DUE = dt.datetime(2026, 11, 22, 22, tzinfo=dt.UTC)
instants = st.integers(0, 6).map(lambda minutes: DUE + dt.timedelta(minutes=minutes))
names = st.sampled_from(["DE-001", "DE-002"])
some = st.lists(st.sampled_from(["a", "b", "c"]), unique=True).map(lambda found: tuple(sorted(found)))


@st.composite
def copies(draw: st.DrawFn) -> Incident:
    acknowledged_at = draw(st.none() | instants)
    first_cause = draw(st.sampled_from(["", "upstream_late", "failed"]))
    paged_at, resolved_at = draw(st.none() | instants), draw(st.none() | instants)
    return Incident(
        key="growth_etl:2026-11-22",
        dag_id="growth_etl",
        report_date=dt.date(2026, 11, 22),
        opened_at=draw(instants),
        verdict=draw(st.sampled_from(["broken", "late", REMOVED])),
        cause=draw(st.sampled_from(["stuck", "failed"])),
        first_cause=first_cause,
        first_detail=draw(st.sampled_from(["in transform", "boom"])) if first_cause else "",
        warned=draw(some),
        failures=draw(st.integers(0, 2)),
        changes=draw(st.integers(0, 3)),
        escalation_round=draw(st.integers(0, 2)) if paged_at else 0,
        paged_at=paged_at,
        acknowledged_at=acknowledged_at,
        acknowledged_by=draw(names) if acknowledged_at else "",
        acked=draw(some),
        reminders=draw(st.integers(0, 2)),
        resolved_at=resolved_at,
        late_s=60.0 if resolved_at else None,
        seen_at=draw(st.none() | instants),
    )


@given(copies(), copies(), copies())
def test_in_whatever_order_copies_meet_they_become_the_same(
    first: Incident, second: Incident, third: Incident
) -> None:
    """A lattice: commutative, associative, idempotent."""
    assert merged(first, second) == merged(second, first)
    assert merged(merged(first, second), third) == merged(first, merged(second, third))
    assert merged(first, first) == first
    assert merged(merged(first, second), second) == merged(first, second)


@given(copies(), copies())
def test_nothing_resolved_is_ever_open_again_and_no_page_is_unsaid(first: Incident, second: Incident) -> None:
    """What one copy knows to have happened has happened; what the configuration ended goes on when it is as it was."""
    both = merged(first, second)
    over = [copy for copy in (first, second) if not copy.open and copy.verdict != REMOVED]
    if over or (first.open and second.open):
        assert both.open == (not over)
    else:
        assert both.open in {copy.open for copy in (first, second) if copy.seen_at == both.seen_at}
    assert both.paged or not [
        1 for copy in (first, second) if copy.paged and copy.escalation_round == both.escalation_round
    ]
    assert both.escalation_round == max(first.escalation_round, second.escalation_round)


def test_an_acknowledgement_written_behind_a_watchers_back_stays() -> None:
    """The watcher looked last, from its memory; the page wrote the acknowledgement into `oncall_db` meanwhile."""
    paged = Incident("k", "growth_etl", DUE.date(), DUE, paged_at=DUE, seen_at=DUE)
    in_database = replace(paged, acknowledged_at=DUE + dt.timedelta(seconds=5), acknowledged_by="DE-001")
    in_memory = replace(paged, seen_at=DUE + dt.timedelta(seconds=15), detail="newer")
    both = merged(in_database, in_memory)
    assert (both.acknowledged, both.acknowledged_by, both.detail) == (True, "DE-001", "newer")


@pytest.mark.parametrize("counted", ["failures", "changes", "reminders"])
def test_what_was_said_before_is_counted_on(counted: str) -> None:
    """The next failure, cause or reminder is a message of its own, whichever copy looked last."""
    knows = Incident("k", "growth_etl", DUE.date(), DUE, seen_at=DUE)
    twice: dict[str, Any] = {counted: 2}
    once: dict[str, Any] = {counted: 1, "seen_at": DUE + dt.timedelta(seconds=15)}
    older, newer = replace(knows, **twice), replace(knows, **once)
    assert getattr(merged(older, newer), counted) == 2
    assert getattr(merged(replace(older, seen_at=newer.seen_at), knows), counted) == 2


def test_the_cause_that_somebody_was_paged_for_stays_with_its_own_words() -> None:
    """The copy that looked last has not heard of the page."""
    paged = Incident(
        "k", "growth_etl", DUE.date(), DUE, first_cause="failed", first_detail="boom", seen_at=DUE
    )
    looked = replace(paged, first_cause="", first_detail="", seen_at=DUE + dt.timedelta(seconds=15))
    both = merged(paged, looked)
    assert (both.first_cause, both.first_detail) == ("failed", "boom")


def test_an_acknowledged_warning_is_no_acknowledgement_of_the_page_that_follows() -> None:
    """Whoever took the warning at 04:50 may be asleep again at 05:00."""
    warned = Incident("k", "growth_etl", DUE.date(), DUE, acknowledged_at=DUE, acknowledged_by="DE-001")
    paged = replace(warned, paged_at=DUE + dt.timedelta(minutes=10), acknowledged_at=None, acknowledged_by="")
    assert warned.acknowledged
    assert not merged(warned, paged).acknowledged
