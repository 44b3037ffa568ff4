"""What comes next, told before it comes: the same people at the same times as the escalation then pages."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.escalation import standing
from oncall.core.incidents.forecast import coming_pages, next_to_page
from oncall.core.incidents.incident import Incident, NotificationStatus
from oncall.core.rota.roster import EscalationStep, Seat
from tests.core.rosters import team
from tests.core.scenes import KEY, a_report, a_scene, an_entry, an_incident, at

PAGED = an_incident(paged_at=at("05:00"), verdict="broken")


def a_page(step: str, person: str, taken: str) -> NotificationStatus:
    return an_entry(KEY, "pager", step, person, state="done", owed_at=at(taken), done_at=at(taken))


def a_case(*entries: NotificationStatus, incident: Incident = PAGED) -> IncidentContext:
    return IncidentContext(incident, (a_report("05:09"),), entries)


FIRST = a_page("page-1-primary", "C", "05:00")


@pytest.mark.parametrize(
    ("entries", "coming"),
    [
        ([FIRST], [("05:15", "D"), ("05:30", "M")]),
        ([FIRST, a_page("page-by-hand-1-secondary", "D", "05:04")], [("05:19", "M")]),
        ([FIRST, a_page("page-2-secondary", "D", "05:09"), a_page("page-3-manager", "M", "05:09")], []),
    ],
)
def test_the_pages_to_come_are_told(entries: list[NotificationStatus], coming: list[tuple[str, str]]) -> None:
    """The secondary at 05:15 and the manager at 05:30; whoever a person paged by hand is not paged again."""
    found = coming_pages(a_case(*entries), a_scene("05:09"))
    assert [(page.at, page.call.person.name) for page in found] == [(at(when), who) for when, who in coming]


def test_whoever_takes_a_seat_in_between_is_told_for_that_instant() -> None:
    """By an override within the week; and at the handoff the new pair is called, one after the other."""
    roster = team(overrides=[("2026-11-23T05:10", "2026-11-23T06:00", "A", None)])
    found = coming_pages(a_case(FIRST), a_scene("05:09", roster=roster))
    assert [(page.at, page.call.person.name) for page in found] == [
        (at("05:10"), "A"), (at("05:15"), "D"), (at("05:30"), "M"),
    ]  # fmt: skip
    case = a_case(a_page("page-1-primary", "C", "08:50"), incident=replace(PAGED, paged_at=at("08:50")))
    found = coming_pages(case, a_scene("08:51"))
    assert [(page.at, page.call.seat) for page in found] == [
        (at("09:00"), "primary"), (at("09:15"), "secondary"), (at("09:30"), "manager"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "incident",
    [
        an_incident(),
        replace(PAGED, acknowledged_at=at("05:03"), acknowledged_by="C"),
        replace(PAGED, resolved_at=at("05:08")),
    ],
    ids=["only warned of", "acknowledged", "over"],
)
def test_nothing_comes_where_nobody_is_awaited(incident: Incident) -> None:
    """Before the first page, after an acknowledgement, after the end."""
    assert list(coming_pages(a_case(FIRST, incident=incident), a_scene("05:09"))) == []


@given(st.lists(st.integers(0, 60), min_size=1, max_size=3), st.integers(0, 90))
def test_what_is_foretold_is_what_then_happens(waits: list[int], minute: int) -> None:
    """At each foretold instant, and at none before it, the escalation calls that person."""
    seats: tuple[Seat, ...] = ("primary", "secondary", "manager")
    steps = [EscalationStep(dt.timedelta(minutes=m), s) for m, s in zip(sorted(waits), seats, strict=False)]
    roster = replace(team(), escalation=tuple(steps))
    now = at("05:00") + dt.timedelta(minutes=minute)
    case = a_case()
    scene = replace(a_scene("05:00"), roster=roster, at=now)
    for page in coming_pages(case, scene):
        if page.at > now:
            early = replace(scene, at=page.at - dt.timedelta(microseconds=1))
            assert standing(case, early).calls == ()
        called = standing(case, replace(scene, at=page.at)).calls
        assert [call.person for call in called] == [page.call.person]
        taken = NotificationStatus(
            page.call.step, "pager", "page", state="done", person=page.call.person.name, done_at=page.at
        )
        case = replace(case, entries=(*case.entries, taken))
    assert len(case.entries) == len(steps)


def test_the_next_to_be_paged_is_nobody_who_was() -> None:
    """By the escalation, by hand or, before it began, by a warning; at the end there is nobody."""
    scene = a_scene("05:09")
    by_hand = a_page("page-by-hand-1-secondary", "D", "05:04")
    manager = a_page("page-3-manager", "M", "05:08")
    for entries, name in (((), "C"), ((FIRST,), "D"), ((FIRST, by_hand), "M")):
        call = next_to_page(a_case(*entries), scene)
        assert call is not None
        assert call.person.name == name
    assert next_to_page(a_case(FIRST, by_hand, manager), scene) is None
    warned = a_page("warning", "C", "03:30")
    early = next_to_page(a_case(warned, incident=an_incident()), a_scene("04:10"))
    assert early is not None
    assert early.person.name == "D"
