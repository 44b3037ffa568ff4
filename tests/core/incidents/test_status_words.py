"""How an incident stands: who was told, when, how loudly, acknowledged or not. Facts → exact sentence."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.core.incidents.incident import NotificationStatus
from oncall.core.incidents.status_words import WAS, cause_then_and_now, status, woke
from oncall.core.promises.why import Cause
from oncall.core.time_format import TimeFormat
from tests.core.scenes import KEY, TZ, an_entry, an_incident, at

SAY = TimeFormat(at("05:26"), TZ)


def told(step: str, person: str, clock: str, **known: Any) -> Any:
    return an_entry(KEY, "pager", step, person, owed_at=at(clock), done_at=at(clock), **known)


WARNED = told("warning", "C", "03:30")
CHANCE = told("last-chance", "C", "04:41")
PAGED = told("page-1-primary", "C", "05:00")
SECOND = told("page-2-secondary", "D", "05:15")
IN_CHAT = an_entry(KEY, "chat", "warning")


@pytest.mark.parametrize(
    ("known", "entries", "words"),
    [
        ({}, (), "Nobody was told yet"),
        ({}, (IN_CHAT,), "Said in Slack; nobody was paged yet"),
        ({}, (IN_CHAT, WARNED), "Warned C 03:30 (P3); nobody was paged yet"),
        ({}, (WARNED, CHANCE), "Paged C 04:41 (P2); nobody has acknowledged"),
        ({}, (told("failed-1", "D", "02:41"),), "Paged D 02:41 (P2); nobody has acknowledged"),
        ({"paged_at": at("05:00")}, (WARNED, PAGED), "Paged C 05:00 (P1); nobody has acknowledged"),
        ({"paged_at": at("05:00")}, (PAGED, SECOND), "Paged C 05:00 (P1), D 05:15 (P1); nobody has acknowledged"),
        (
            {"paged_at": at("09:00")}, (PAGED, SECOND, told("page-1-primary-1", "C", "09:00")),
            "Paged D 05:15 (P1), C 09:00 (P1); nobody has acknowledged",
        ),
        ({"paged_at": at("05:00")}, (CHANCE, PAGED), "Paged C 05:00 (P1); nobody has acknowledged"),
        (
            {"paged_at": at("05:00")}, (told("page-1-primary", "C", "05:00", state="owed"),),
            "Paging C now; not confirmed yet",
        ),
        (
            {"paged_at": at("05:00")}, (told("page-1-primary", "C", "05:00", unreached="unknown"), SECOND),
            "Paged D 05:15 (P1); nobody has acknowledged",
        ),
        ({"paged_at": at("05:00")}, (), "Paged at 05:00; nobody has acknowledged"),
        (
            {"paged_at": at("05:00"), "acknowledged_at": at("05:03"), "acknowledged_by": "D"}, (PAGED,),
            "Acknowledged by D at 05:03",
        ),
        (
            {"paged_at": at("05:00"), "acknowledged_at": at("04:50"), "acknowledged_by": "D"}, (PAGED,),
            "Paged C 05:00 (P1); D had it before, nobody has acknowledged since",
        ),
        (  # handed over
            {"paged_at": at("09:00"), "escalation_round": 1, "acknowledged_by": "D"},
            (PAGED, told("page-1-primary-1", "A", "09:00")),
            "Paged C 05:00 (P1), A 09:00 (P1); D had it before, nobody has acknowledged since",
        ),
        ({"leader": "profit_etl:2026-11-22"}, (), "Told and paged together with profit_etl:2026-11-22"),
        ({"resolved_at": at("05:20"), "late_s": 1200.0}, (PAGED,), "Resolved 05:20, 20 min late"),
        (
            {"paged_at": at("05:00"), "resolved_at": at("05:20"), "verdict": "resolved_by_hand"}, (PAGED,),
            "Resolved by hand 05:20, unpublished",
        ),
        ({"resolved_at": at("06:20"), "verdict": "resolved_by_hand"}, (CHANCE,), "Resolved by hand 06:20"),
        ({"resolved_at": at("05:20"), "verdict": "moved"}, (PAGED,), "Due at another time since 05:20"),
        ({"resolved_at": at("05:20"), "verdict": "stale"}, (), "Found stale 05:20"),
    ],
)  # fmt: skip
def test_how_an_incident_stands(known: dict[str, Any], entries: tuple[Any, ...], words: str) -> None:
    """Never "nobody was paged" of somebody whose phone has rung."""
    assert status(an_incident(**known), entries, SAY) == words


STEPS = ("warning", "last-chance", "failed-1", "page-1-primary", "page-2-secondary", "page-now-3-manager")


@st.composite
def sent(draw: st.DrawFn) -> NotificationStatus:
    channel, state = (
        draw(st.sampled_from(["pager", "chat"])),
        draw(st.sampled_from(["done", "owed", "accepted", "cancelled"])),
    )
    known = {"state": state, "unreached": draw(st.sampled_from(["", "unknown"]))}
    clock = at(draw(st.sampled_from(["04:41", "05:00", "05:15"])))
    done_at = clock if state == "done" else None
    person = draw(st.sampled_from("CD"))
    return an_entry(
        KEY, channel, draw(st.sampled_from(STEPS)), person, owed_at=clock, done_at=done_at, **known
    )


@given(
    st.lists(sent(), max_size=4),
    st.sampled_from([None, at("05:00")]), st.sampled_from([None, at("04:50"), at("05:03")]),
    st.sampled_from(["", "other"]), st.sampled_from(["", "x"]),
)  # fmt: skip
def test_no_sentence_claims_what_was_not_sent(
    entries: list[NotificationStatus], paged_at: Any, acknowledged_at: Any, leader: str, drill: str
) -> None:
    """Paged whom a page has reached, and acknowledged what was acknowledged since; of nobody the contrary."""
    known = {"paged_at": paged_at, "acknowledged_at": acknowledged_at, "leader": leader, "drill": drill}
    incident = an_incident(**known)
    words, woken = status(incident, entries, SAY), {entry.person for entry in entries if woke(entry)}
    if leader:
        assert words == f"Told and paged together with {incident.leader}"
        assert (
            status(incident, entries, SAY, "Profit ETL, 22 Nov")
            == "Told and paged together with Profit ETL, 22 Nov"
        )
        return
    assert words.startswith("Acknowledged") is incident.acknowledged
    if "nobody has acknowledged" in words:
        assert woken or paged_at
    if "nobody was paged" in words or "Nobody was told" in words:
        assert not woken
        assert paged_at is None
    if "Nobody was told" in words:
        assert not any(entry.state == "done" and not entry.unreached for entry in entries)
    if words.startswith("Paged ") and woken:
        assert all(person in words for person in woken)


@pytest.mark.parametrize(
    ("filed", "now", "words"),
    [
        ("", "stuck", "stuck"),
        ("stuck", "stuck", "stuck"),
        ("upstream_late", "running", "was waiting on upstream, now running"),
        ("unknown", "failed", "could not be seen, now failed"),
        ("held", "", ""),
    ],
)
def test_a_row_tells_for_what_it_was_paged_and_what_it_is_now(filed: str, now: str, words: str) -> None:
    """Without contradiction: what it was stands in the past."""
    assert cause_then_and_now(filed, now) == words
    assert set(WAS) == set(get_args(Cause))
