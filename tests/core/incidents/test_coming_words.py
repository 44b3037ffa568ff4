"""What is said of the pages to come: whom they wake and when, or why nobody is woken. Facts → exact sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.core.incidents.coming_words import NO_STEPS, nobody_left, what_comes_next
from oncall.core.incidents.context import IncidentContext
from tests.core.scenes import KEY, a_report, a_scene, an_entry, an_incident, at

PAGED = an_incident(paged_at=at("05:00"), verdict="broken", due=at("05:00"))
WARNED = an_incident(due=at("05:00"))
DIGITS = {"C": "page-1-primary", "D": "page-2-secondary", "M": "page-3-manager"}


ALL_PAGED = (
    "Everybody on the escalation has been paged; nobody else is before the shift ends, 09:00. Call them."
)


def paged(*people: str, **known: Any) -> tuple[Any, ...]:
    return tuple(
        an_entry(
            KEY,
            "pager",
            DIGITS[name],
            name,
            **{"state": "done", "owed_at": at("05:00"), "done_at": at("05:00")} | known,
        )
        for name in people
    )


@pytest.mark.parametrize(
    ("incident", "entries", "clock", "lines"),
    [
        (PAGED, paged("C", "D", "M"), "05:31", [ALL_PAGED]),
        (PAGED, paged("C"), "05:09",
         ["D (secondary) is paged at 05:15, in 6 min.", "M (manager) is paged at 05:30, in 21 min."]),
        (PAGED, paged("C", state="owed", done_at=None), "05:01",
         ["C is being paged; the pager has not confirmed it yet.", "After that D (secondary) is next."]),
        (PAGED, (*paged("C", "D"), *paged("M", state="accepted", done_at=None)), "05:31",
         ["M is being paged; the pager has not confirmed it yet."]),
        (WARNED, (), "04:30", ["If it is not published by 05:00, in 30 min, C (primary) is paged."]),
        (replace(PAGED, leader="other"), (), "05:09", []),
        (replace(PAGED, acknowledged_at=at("05:03"), acknowledged_by="Zoe, who has left"), paged("C"), "05:09",
         ["Nobody else is paged: Zoe, who has left has it.",
          "C (primary) is asked at 06:03, in 54 min, if it is not published by then."]),
        (replace(PAGED, acknowledged_at=at("05:03"), acknowledged_by="C", reminders=2), paged("C"), "07:09",
         ["Nobody else is paged: C has it.", "C is asked again at 08:03, in 54 min, if it is not published by then."]),
        (replace(PAGED, acknowledged_at=at("05:03")), paged("C"), "05:09",
         ["Nobody else is paged: The person who acknowledged has it.",
          "C (primary) is asked at 06:03, in 54 min, if it is not published by then."]),
        # Before the first page: at the due instant it is on its way, without one nobody knows of a time.
        (WARNED, (), "05:00", []),
        (replace(WARNED, due=None), (), "04:30", []),
        (WARNED, paged("C", owed_at=at("04:00"), done_at=at("04:00")), "04:30",
         ["If it is not published by 05:00, in 30 min, C (primary) is paged."]),
        (PAGED, paged("C"), "05:15",
         ["D (secondary) is paged now.", "M (manager) is paged at 05:30, in 15 min."]),
        # Several at once; whose page is bound to nobody yet; what is only told counts not.
        (PAGED, (*paged("C"), *paged("D", "M", state="accepted", done_at=None)), "05:31",
         ["D and M are being paged; the pager has not confirmed it yet."]),
        (PAGED, (*paged("C", "D"), replace(*paged("M", state="owed", done_at=None), person="")), "05:31",
         ["The person on call is being paged; the pager has not confirmed it yet.", "After that M (manager) is next."]),
        (PAGED, (*paged("C", "D", "M"), an_entry(KEY, "chat", "page-3-manager", "M", state="owed")), "05:31",
         [ALL_PAGED]),
    ],
)  # fmt: skip
def test_what_comes_next(incident: Any, entries: Any, clock: str, lines: list[str]) -> None:
    """Each step with whom and when; nothing where somebody has it or another incident speaks."""
    assert what_comes_next(IncidentContext(incident, (a_report(clock),), entries), a_scene(clock)) == lines


@given(st.lists(st.sampled_from(["done", "owed", "accepted"]), max_size=3), st.integers(0, 59))
def test_nobody_is_called_paged_whose_page_the_pager_has_not_taken(states: list[str], minute: int) -> None:
    """Whatever the pager has taken of the escalation so far: everybody was paged when everybody was."""
    entries = [
        entry
        for name, state in zip("CDM", states, strict=False)
        for entry in paged(name, state=state, done_at=at("05:00") if state == "done" else None)
    ]
    clock = f"05:{minute:02}"
    said = what_comes_next(IncidentContext(PAGED, (a_report(clock),), tuple(entries)), a_scene(clock))
    assert (said == [ALL_PAGED]) is (states == ["done"] * 3)
    assert said


@pytest.mark.parametrize("incident", [PAGED, WARNED])
def test_an_empty_escalation_has_paged_nobody(incident: Any) -> None:
    """Said as it is, with what to write."""
    scene = a_scene("04:30")
    scene = replace(scene, roster=replace(scene.roster, escalation=()))
    context = IncidentContext(incident, (a_report("04:30"),))
    assert what_comes_next(context, scene) == [NO_STEPS]
    assert "{after: 0m, page: primary}" in nobody_left(context, scene)


def test_who_cannot_be_paged_was_not_paged() -> None:
    """The roster gives no Opsgenie username, or Opsgenie knows none of it: that is why nobody comes."""
    scene = a_scene("05:31")
    people = {name: replace(person, opsgenie=None) for name, person in scene.roster.people.items()}
    unreachable = replace(scene, roster=replace(scene.roster, people=people))
    told = "; ".join(f"{name} cannot be paged: the roster gives no Opsgenie username" for name in "CDM")
    told += ". Call them."
    assert what_comes_next(IncidentContext(PAGED, (a_report("05:31"),)), unreachable) == [told]
    early = IncidentContext(WARNED, (a_report("04:30"),))
    at_half = replace(unreachable, at=at("04:30"))
    assert what_comes_next(early, at_half) == [
        f"If it is not published by 05:00, in 30 min, nobody can be paged: {told}"
    ]
    unknown = paged("M", unreached="Opsgenie does not know m@example.com")
    assert what_comes_next(
        IncidentContext(PAGED, (a_report("05:31"),), (*paged("C", "D"), *unknown)), scene
    ) == [
        "Everybody else on the escalation has been paged. M cannot be paged: Opsgenie does not know m@example.com."
        " Call them."
    ]


def test_an_earlier_warning_was_no_page_of_the_escalation() -> None:
    """Only somebody of the escalation whose page was taken was "paged"; a page that is closed is none."""
    scene = a_scene("05:31")
    people = {name: replace(person, opsgenie=None) for name, person in scene.roster.people.items()}
    unreachable = replace(scene, roster=replace(scene.roster, people=people))
    alone = "; ".join(f"{name} cannot be paged: the roster gives no Opsgenie username" for name in "CDM")
    told = (
        an_entry(KEY, "chat", "page-1-primary", "C"),
        *paged("D", unreached="Opsgenie does not know d@example.com"),
        replace(*paged("M"), state="cancelled"),
    )
    for entry in told:
        context = IncidentContext(PAGED, (a_report("05:31"),), (entry,))
        assert not nobody_left(context, unreachable).startswith("Everybody else"), entry
    assert (
        nobody_left(IncidentContext(PAGED, (a_report("05:31"),), told[:1]), unreachable)
        == f"{alone}. Call them."
    )


def test_a_seat_that_nobody_holds_is_to_be_filled() -> None:
    """Before the first rota nobody but the manager has one: said as such, with where to write it."""
    scene = a_scene("04:30", days=-400)
    pair = replace(scene, roster=replace(scene.roster, escalation=scene.roster.escalation[:2]))
    said = nobody_left(IncidentContext(WARNED, (a_report("04:30"),)), pair)
    assert said == "Nobody holds a seat of the escalation: name somebody to be on call in roster.yaml."


@pytest.mark.parametrize(
    ("by", "lines"),
    [
        (
            "C",
            [
                "C has it.",
                "D (primary) is paged when the shift ends, at 09:00, in 20 min, if it is not published by then.",
            ],
        ),
        (
            "D",
            [
                "Nobody else is paged: D has it.",
                "D is asked again at 09:35, in 55 min, if it is not published by then.",
            ],
        ),
    ],
)
def test_a_handoff_pages_sooner_than_whoever_has_it_is_asked_again(by: str, lines: list[str]) -> None:
    """The new primary, unless one of the new pair has it: then that one is asked."""
    taken = replace(PAGED, acknowledged_at=at("08:35"), acknowledged_by=by)
    context = IncidentContext(taken, (a_report("08:40"),), paged("C"))
    assert what_comes_next(context, a_scene("08:40")) == lines
