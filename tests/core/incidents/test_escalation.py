"""Whom a broken promise wakes, when, in which words; and what passes to the next pair at the handoff."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.escalation import escalate, handoff, nobody_woken, standing
from oncall.core.incidents.escalation_words import page_message
from oncall.core.incidents.incident import Incident, NotificationStatus
from oncall.core.incidents.incident_words import not_taken
from oncall.core.incidents.page_step import round_and_seat
from oncall.core.message import MOST_TITLE, Recipient
from oncall.core.rota.roster import EscalationStep, Roster
from oncall.core.time_format import span
from tests.core.rosters import team
from tests.core.scenes import (
    CHECK,
    ENGAGEMENT,
    FAILED,
    GROWTH,
    KEY,
    PAGED,
    PRIMARY,
    SECONDARY,
    STEPS,
    STUCK,
    WAITED,
    a_load,
    a_page,
    a_report,
    a_scene,
    a_stuck_case,
    a_task,
    an_entry,
    an_incident,
    at,
    events,
    paged,
    published,
    said_by,
    the_page,
    the_post,
)


def test_at_the_due_instant_the_primary_is_paged() -> None:
    """P1: what is late and why, the steps that fit; the thread says the same."""
    plan = escalate(a_stuck_case("05:00", incident=an_incident()), a_scene("05:00"))
    page = the_page(plan)
    assert page.title == "Growth ETL, 22 Nov: late since 05:00, stuck in transform since 03:12"
    assert page.text == ""
    assert (page.step, page.priority, page.to, page.steps) == (PRIMARY, "P1", ("C",), "steps for stuck")
    assert (
        page.runbook == "http://airflow.test/oncall/runbooks/growth_etl?section=stuck&date=2026-11-22#stuck"
    )
    assert plan is not None
    assert plan.incidents[0].paged_at == at("05:00")
    assert events(plan) == ["paged C (primary)"]


@pytest.mark.parametrize("clock", ["03:30", "04:59:59.999999"])
def test_before_due_nobody_is_paged_for_a_broken_promise(clock: str) -> None:
    """Nor for a report that is there."""
    assert escalate(a_stuck_case(clock, incident=an_incident(), tasks=(FAILED,)), a_scene(clock)) is None
    assert escalate(a_stuck_case("05:20", publication=published("05:10")), a_scene("05:20")) is None


@pytest.mark.parametrize(
    ("clock", "entries", "called"),
    [
        ("05:14:59.999999", [a_page()], []),
        ("05:15", [a_page()], [(SECONDARY, ("D",))]),
        ("05:15", [a_page(taken="05:01:00")], [(SECONDARY, ("D",))]),  # a little late moves nothing
        ("05:15", [a_page(taken="05:01:00.000001")], []),  # woken late: the next one waits as long again
        ("05:16", [a_page(taken="05:01:00.000001")], []),
        ("05:16:00.000001", [a_page(taken="05:01:00.000001")], [(SECONDARY, ("D",))]),
        ("05:29:59", [a_page(), a_page(SECONDARY, "D", "05:15")], []),
        ("05:30", [a_page(), a_page(SECONDARY, "D", "05:15")], [("page-3-manager", ("M",))]),
        ("06:30", [a_page(), a_page(SECONDARY, "D", "05:15"), a_page("page-3-manager", "M", "05:30")], []),
        ("05:20", [a_page(taken=None)], []),  # the first page is still under way
        ("05:20", [a_page(taken=None, state="accepted")], []),
        ("05:20", [], [(PRIMARY, ("C",))]),  # after an outage: in order, one after the other
    ],
)
def test_each_step_waits_from_when_the_one_before_it_woke_somebody(
    clock: str, entries: Sequence[NotificationStatus], called: list[Any]
) -> None:
    """15 minutes later the secondary, 15 minutes after that the manager."""
    assert paged(a_stuck_case(clock, *entries), clock) == called


def test_the_next_call_is_known() -> None:
    """Whoever looks sleeps until then."""
    assert standing(a_stuck_case("05:05", a_page()), a_scene("05:05")).next_at == at("05:15")
    late = standing(a_stuck_case("05:05", a_page(taken="05:04")), a_scene("05:05"))
    assert late.next_at == at("05:19")
    taken = replace(PAGED, acknowledged_at=at("05:03"), acknowledged_by="C@example.com")
    assert standing(a_stuck_case("05:05", a_page(), incident=taken), a_scene("05:05")).next_at is None
    assert [entry.person for entry in late.woken] == ["C"]
    everybody = [a_page(), a_page(SECONDARY, "D", "05:15"), a_page("page-3-manager", "M", "05:30")]
    all_called = standing(a_stuck_case("05:40", *everybody), a_scene("05:40"))
    assert all_called.next_at is None
    assert [entry.person for entry in all_called.woken] == ["C", "D", "M"]
    unreached = a_page(unreached="unknown")
    assert standing(a_stuck_case("05:40", unreached), a_scene("05:40")).woken == ()


def test_an_escalation_begins_differently_from_the_first_page() -> None:
    """At the first word: that nobody has it, who was called before, and what came of it."""
    page = the_page(escalate(a_stuck_case("05:15", a_page()), a_scene("05:15")))
    rest = "Growth ETL, 22 Nov: late since 05:00, stuck in transform since 03:12"
    assert page.title == f"ESCALATED, C silent {span(15 * 60)}: {rest}"
    assert page.text == ""
    third = a_stuck_case("05:30", a_page(), a_page(SECONDARY, "D", "05:15"))
    page = the_page(escalate(third, a_scene("05:30")))
    assert page.title.startswith(f"ESCALATED, D silent {span(15 * 60)}: Growth ETL, 22 Nov: late since 05:00")
    assert page.text == "C was paged at 05:00 and has not acknowledged."
    unreached = a_page(unreached="Opsgenie does not know C@example.com")
    said = said_by(escalate(a_stuck_case("05:01", unreached), a_scene("05:01")))
    [second] = [one for one in said if one.where == ("pager", "page")]
    assert second.title.startswith("ESCALATED, C not reached: Growth ETL, 22 Nov: late since 05:00")


def test_only_pages_of_this_round_that_were_taken_are_told() -> None:
    """Not its own, not the thread's, not those of the pair before, not what was withdrawn."""
    entries = (
        an_entry(KEY, "chat", PRIMARY, "C"),
        a_page("page-1-primary-1", "A"),
        a_page("page-9-manager", "M", state="cancelled"),
        a_page("page-8-manager", "", "05:00"),
        a_page(),
        a_page(SECONDARY, "D", "05:15"),
        a_page("page-3-manager", "M", unreached="unknown"),  # called after this one
    )
    case = a_stuck_case("05:30", *entries)
    page = page_message(case, a_scene("05:30"), SECONDARY, Recipient("D"))
    assert page.title.startswith("ESCALATED, C silent ")
    assert page.summary == ""


@pytest.mark.parametrize(
    ("before", "step", "person", "escalated", "text"),
    [
        (
            {}, f"{PRIMARY}:D", "D", "",
            "C was paged at 05:00 and has not acknowledged.\nD is on call now (by rotation).",
        ),
        ({"unreached": "422"}, SECONDARY, "D", "ESCALATED, C not reached: ", "C could not be paged: 422."),
        (
            {"unreached": "422", "account": "c@old.example.com"}, f"{PRIMARY}:C", "C", "",
            "C could not be paged: 422.\n"
            "The roster names another Opsgenie account of C since: this goes to that one.",
        ),
    ],
    ids=["a new primary", "after somebody who is not reached", "another account"],
)  # fmt: skip
def test_whoever_is_called_reads_why_it_is_them(
    before: dict[str, Any], step: str, person: str, escalated: str, text: str
) -> None:
    """A new primary is no further step; of whom could not be paged the reason is told."""
    case = a_stuck_case("05:05", a_page(**before))
    page = page_message(case, a_scene("05:05"), step, Recipient(person, f"{person}@example.com"))
    assert page.title.startswith(f"{escalated}Growth ETL, 22 Nov: late since 05:00")
    assert page.summary == text


def test_what_the_thread_said_was_no_page() -> None:
    """The pager still has to be told."""
    assert paged(a_stuck_case("05:01", an_entry(KEY, "chat", PRIMARY, "C")), "05:01") == [(PRIMARY, ("C",))]
    assert round_and_seat("warning") is None
    assert round_and_seat("page-2-secondary-3:B") == (3, "secondary")


def test_a_broken_report_of_which_nothing_is_known_says_so() -> None:
    """Never a guess."""
    blank = replace(a_report("05:00", **STUCK), why=None)
    page = page_message(IncidentContext(PAGED, (blank,)), a_scene("05:00"), PRIMARY, Recipient("C"))
    assert page.title == "Growth ETL, 22 Nov: late since 05:00, the cause is not known"


def test_an_acknowledgement_stops_the_escalation() -> None:
    """Only what was acknowledged since it began: whoever had the warning may be asleep again."""
    taken = replace(PAGED, acknowledged_at=at("05:03"), acknowledged_by="C@example.com")
    assert paged(a_stuck_case("05:20", a_page(), incident=taken), "05:20") == []
    at_once = replace(taken, acknowledged_at=at("05:00"))
    assert paged(a_stuck_case("05:20", a_page(), incident=at_once), "05:20") == []
    warned = an_incident(acknowledged_at=at("04:03"), acknowledged_by="C@example.com")
    assert paged(a_stuck_case("05:00", incident=warned), "05:00") == [(PRIMARY, ("C",))]


def unpageable(roster: Roster, name: str) -> Roster:
    person = replace(roster.people[name], opsgenie=None)
    return replace(roster, people={**roster.people, name: person})


def test_whoever_cannot_be_paged_costs_no_time() -> None:
    """The next one is called at once, and the thread says why; once."""
    roster = unpageable(team(), "C")
    plan = escalate(a_stuck_case("05:00", incident=an_incident()), a_scene("05:00", roster=roster))
    said = said_by(plan)
    assert [(one.step, one.to) for one in said if one.where == ("pager", "page")] == [(SECONDARY, ("D",))]
    [trouble] = [one for one in said if one.step.startswith("unreached:")]
    why = "the roster gives no Opsgenie username"
    assert trouble.title == f"C (primary) could not be paged: {why}"
    assert trouble.text == ""
    assert (trouble.where, trouble.steps) == (("chat", "post"), "")
    assert trouble.runbook == "http://airflow.test/oncall/runbooks/growth_etl?date=2026-11-22"
    assert events(plan) == [trouble.title, "paged D (secondary)"]
    told = an_entry(KEY, "chat", trouble.step, "")
    again = said_by(
        escalate(a_stuck_case("05:01", a_page(SECONDARY, "D"), told), a_scene("05:01", roster=roster))
    )
    assert [one for one in again if one.step.startswith("unreached:")] == []


def test_each_who_cannot_be_paged_is_told_of() -> None:
    """The manager is called at once."""
    roster = unpageable(unpageable(team(), "C"), "D")
    plan = escalate(a_stuck_case("05:00", incident=an_incident()), a_scene("05:00", roster=roster))
    assert [event.partition(" could")[0] for event in events(plan)] == [
        "C (primary)",
        "D (secondary)",
        "paged M (manager)",
    ]


@pytest.mark.parametrize(
    ("number", "entries", "step"),
    [
        (0, [], "page-1-primary"),
        (1, [], "page-1-primary-1"),
        (0, [a_page(f"{PRIMARY}:C", unreached="unknown")], "page-1-primary:C"),
    ],
)
def test_that_somebody_cannot_be_paged_is_told_apart_by_step_and_person(
    number: int, entries: list[NotificationStatus], step: str
) -> None:
    """Of each round once."""
    case = a_stuck_case("05:01", *entries, incident=replace(PAGED, escalation_round=number))
    said = said_by(escalate(case, a_scene("05:01", roster=unpageable(team(), "C"))))
    assert [one.step for one in said if one.step.startswith("unreached:")] == [f"unreached:{step}:C"]


def test_a_seat_that_nobody_holds_costs_no_time() -> None:
    """Everybody is away: the manager is primary, and there is nobody else."""
    alone = team(leave=[(person, "2026-11-16", "2026-11-30") for person in "ABCD"])
    assert paged(a_stuck_case("05:00", incident=an_incident()), "05:00", alone) == [(PRIMARY, ("M",))]
    assert paged(a_stuck_case("05:40", a_page(person="M")), "05:40", alone) == []
    turned = (
        EscalationStep(dt.timedelta(), "secondary"),
        EscalationStep(dt.timedelta(minutes=15), "primary"),
    )
    scene = a_scene("05:00", roster=alone)
    scene = replace(scene, roster=replace(scene.roster, escalation=turned))
    assert the_page(escalate(a_stuck_case("05:00"), scene)).to == ("M",)


def test_a_roster_without_an_escalation_wakes_nobody() -> None:
    """And nothing fails."""
    scene = a_scene("05:00")
    scene = replace(scene, roster=replace(scene.roster, escalation=()))
    assert said_by(escalate(a_stuck_case("05:00", incident=an_incident()), scene)) == []


def test_whom_the_far_side_does_not_know_is_passed_over() -> None:
    """As soon as that is known."""
    lost = a_page(unreached="Opsgenie does not know C@example.com", taken="05:00")
    assert paged(a_stuck_case("05:01", lost), "05:01") == [(SECONDARY, ("D",))]


def test_an_escalation_may_begin_later() -> None:
    """As the roster writes it: five minutes for the pipeline to come by itself."""
    steps = (EscalationStep(dt.timedelta(minutes=5), "primary"), *STEPS[1:])
    for clock, called in (("05:04:59", []), ("05:05", [(PRIMARY, ("C",))])):
        scene = a_scene(clock)
        scene = replace(scene, roster=replace(scene.roster, escalation=steps))
        said = said_by(escalate(a_stuck_case(clock), scene))
        assert [(one.step, one.to) for one in said if one.channel == "pager"] == called


@pytest.mark.parametrize(("taken", "called"), [("05:00:15", []), ("05:00:14", [(SECONDARY, ("D",))])])
def test_of_a_short_wait_a_quarter_is_late_already(taken: str, called: list[Any]) -> None:
    """The secondary after a minute: a primary who was woken 15 s late has a minute all the same."""
    steps = tuple(replace(step, after=step.after / 15) for step in STEPS)
    scene = a_scene("05:01:00.5")
    scene = replace(scene, roster=replace(scene.roster, escalation=steps))
    said = said_by(escalate(a_stuck_case("05:01:00.5", a_page(taken=f"{taken}.5")), scene))
    assert [(one.step, one.to) for one in said if one.channel == "pager"] == called


def test_nobody_is_called_twice_in_one_round() -> None:
    """Not even who holds two seats of it."""
    alone = team(leave=[(person, "2026-11-16", "2026-11-30") for person in "ABD"])
    entries = [a_page()]
    assert paged(a_stuck_case("05:15", *entries), "05:15", alone) == [(SECONDARY, ("M",))]
    both = [*entries, a_page(SECONDARY, "M", "05:15")]
    assert paged(a_stuck_case("06:00", *both), "06:00", alone) == []


def test_who_changes_seats_makes_nobody_be_called_sooner() -> None:
    """Primary and secondary change places at 05:05: the manager is called as if they had not."""
    swapped = team(overrides=[("2026-11-23 05:05", "2026-11-23 09:00", "D", "C")])
    case = a_stuck_case("05:20", a_page(), a_page(f"{PRIMARY}:D", "D", "05:05"))
    assert standing(case, a_scene("05:20", roster=swapped)).next_at == at("05:30")


def test_however_often_the_seats_change_the_waits_go_on() -> None:
    """A line of overrides: each new primary is called, and the others when they would have been without it."""
    line = [(f"2026-11-23 05:{m:02}", f"2026-11-23 05:{m + 8:02}", p, s) for m, p, s in (
        (5, "D", "C"), (13, "A", None), (21, "D", "C"), (29, "B", "A"))]  # fmt: skip
    swapped = team(overrides=line)
    pages, called = [a_page()], []
    for minute in range(1, 36):
        clock = f"05:{minute:02}"
        for step, (person,) in paged(a_stuck_case(clock, *pages), clock, swapped):
            pages.append(a_page(step, person, clock, owed_at=at(clock)))
            called.append((clock, person))
    assert called == [("05:05", "D"), ("05:13", "A"), ("05:29", "B"), ("05:30", "M")]


def test_whoever_was_called_by_hand_is_not_called_again() -> None:
    """Each of them, in whatever order."""
    hand = [
        a_page(f"page-by-hand-{number}-{seat}", person, "05:02", owed_at=at("05:02"))
        for number, (seat, person) in enumerate((("secondary", "D"), ("manager", "M")), 1)
    ]
    for pages in (hand, hand[::-1]):
        assert paged(a_stuck_case("05:40", a_page(), *pages), "05:40") == []


def test_who_is_called_by_hand_again_makes_the_manager_wait_no_longer() -> None:
    """The secondary was called by hand before it was due, and is again at 05:25."""
    hand = [
        a_page(f"page-by-hand-{n}-secondary", "D", c, owed_at=at(c)) for n, c in ((1, "04:45"), (2, "05:25"))
    ]
    assert standing(a_stuck_case("05:26", a_page(), *hand), a_scene("05:26")).next_at == at("05:30")


def test_a_step_that_woke_nobody_before_its_seat_changed_has_its_whole_wait() -> None:
    """Nothing got through until somebody else held the seat."""
    swapped = team(overrides=[("2026-11-23 05:10", "2026-11-23 09:00", "B", None)])
    case = a_stuck_case("05:21", a_page(taken=None, state="cancelled"), a_page(f"{PRIMARY}:B", "B", "05:20"))
    assert standing(case, a_scene("05:21", roster=swapped)).next_at == at("05:35")


def test_who_takes_the_seat_is_paged_in_their_own_right() -> None:
    """An override at ten past five: the new primary is called, by an alert of their own."""
    swapped = team(overrides=[("2026-11-23 05:10", "2026-11-23 09:00", "B", None)])
    [(step, people)] = paged(a_stuck_case("05:11", a_page()), "05:11", swapped)
    assert people == ("B",)
    assert step == f"{PRIMARY}:B"
    nameless = a_page(person="", taken=None)  # a spoilt row: it is bound anew to whoever it is now
    assert standing(a_stuck_case("05:01", nameless), a_scene("05:01")).calls == ()


def test_several_broken_reports_are_one_page() -> None:
    """Each by name, each cause once; those that are not due yet are left out."""
    two = (a_report("05:00", GROWTH, **STUCK), a_report("05:00", ENGAGEMENT, **STUCK))
    page = the_page(escalate(IncidentContext(an_incident(), two), a_scene("05:00")))
    assert page.title == (
        "2 reports of 22 Nov (Growth ETL, Engagement ETL): late since 05:00, stuck in transform since 03:12"
    )
    assert page.about == "investor.daily_growth for 2026-11-22, investor.daily_engagement for 2026-11-22"


def test_what_is_not_due_yet_is_no_part_of_the_page() -> None:
    """It has its own due time."""
    later = replace(a_report("05:00", ENGAGEMENT, **STUCK), verdict="at_risk", due=at("06:00"))
    case = IncidentContext(an_incident(), (a_report("05:00", GROWTH, **STUCK), later))
    page_of_one = the_page(escalate(case, a_scene("05:00")))
    assert page_of_one.title.startswith("Growth ETL, 22 Nov: late since 05:00")
    assert page_of_one.about == "investor.daily_growth for 2026-11-22"
    page = page_message(IncidentContext(PAGED, (later,)), a_scene("05:00"), PRIMARY, Recipient("C"))
    assert page.title.startswith("Engagement ETL, 22 Nov: late since 06:00")


@pytest.mark.parametrize(
    ("owed_at", "called"),
    [
        ("08:59:59.999999", [("page-1-primary-1", ("D",))]),  # what came before this round is not of it
        ("09:00", []),
        ("09:05", []),
        (None, []),  # a spoilt row
    ],
)
def test_a_page_by_hand_is_of_the_round_it_fell_into(owed_at: str | None, called: list[Any]) -> None:
    """Whoever was called by hand since the handoff is not called again for the same."""
    anew = replace(PAGED, paged_at=at("09:00"), escalation_round=1)
    hand = a_page("page-by-hand-1-primary", "D", owed_at=at(owed_at) if owed_at else None)
    assert paged(a_stuck_case("09:06", a_page(), hand, incident=anew), "09:06") == called


NOT_TAKEN = not_taken("the far side answered 500")


@pytest.mark.parametrize(
    ("page", "called"),
    [
        ({}, []),  # the same page is for whoever holds the seat when it is sent
        ({"unreached": NOT_TAKEN}, []),
        ({"unreached": "Opsgenie does not know C@example.com"}, [(PRIMARY, ("B",))]),
        ({"maybe_taken": True}, [(f"{PRIMARY}:B", ("B",))]),  # C may be awake by it
        ({"state": "cancelled"}, [(PRIMARY, ("B",))]),
    ],
)
def test_a_page_that_nobody_has_taken_is_for_whoever_takes_the_seat(
    page: dict[str, Any], called: list[Any]
) -> None:
    """Only what was C's own trouble, or may have reached C, is C's."""
    swapped = team(overrides=[("2026-11-23 05:10", "2026-11-23 09:00", "B", None)])
    assert paged(a_stuck_case("05:11", a_page(taken=None, **page)), "05:11", swapped) == called


def test_the_alias_of_a_page_that_may_have_been_taken_is_used_again_for_the_same_person() -> None:
    """The far side drops a double by its alias."""
    lost = a_page(taken=None, state="cancelled", maybe_taken=True)
    assert paged(a_stuck_case("05:11", lost), "05:11") == [(PRIMARY, ("C",))]


def test_each_further_account_of_a_person_has_an_alert_of_its_own() -> None:
    """C took the seat from B, could not be reached, and the roster names another account of C."""
    entries = [a_page(person="B", account="B@example.com")]
    entries.append(
        a_page(f"{PRIMARY}:C", account="old@example.com", unreached="C is not among its responders")
    )
    assert paged(a_stuck_case("05:11", *entries), "05:11") == [(f"{PRIMARY}:C@example.com", ("C",))]


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ([], False),
        ([a_page(SECONDARY, "D", None)], False),
        ([a_page(SECONDARY, "D", "05:01", unreached="unknown")], False),
        ([a_page(SECONDARY, "D", "05:01")], True),  # it is no outage
    ],
)
@pytest.mark.parametrize("before", [[], [a_page("page-1-primary", "B", "05:00")]])
def test_in_an_outage_nobody_is_said_to_be_beyond_reach(
    before: list[NotificationStatus], after: list[NotificationStatus], told: bool
) -> None:
    """Their page is not taken: that is theirs alone once somebody who was called later is woken."""
    entries = [*before, a_page(f"{PRIMARY}:C", taken=None, unreached=NOT_TAKEN), *after]
    said = said_by(escalate(a_stuck_case("05:02", *entries), a_scene("05:02")))
    of_c = [one.title for one in said if one.title.startswith("C ")]
    assert of_c == ([f"C (primary) could not be paged: {NOT_TAKEN}"] if told else [])


def test_of_two_pages_to_one_person_the_newest_counts() -> None:
    """Whoever was reached at last is not beyond reach: by hand, or at an account that the roster names no more."""
    lost, reached = {"unreached": "C is not among its responders"}, {"account": "other@example.com"}
    by_hand = [a_page("page-by-hand-1-primary", **lost), a_page("page-by-hand-2-primary")]
    accounts = [a_page(account="C@example.com", **lost), a_page(f"{PRIMARY}:C", **reached)]
    for pages in (by_hand, accounts):
        now = standing(a_stuck_case("05:05", *pages), a_scene("05:05"))
        assert (now.calls, now.unreached) == ((), ())
        assert standing(a_stuck_case("05:05", *pages[::-1]), a_scene("05:05")).unreached != ()


def test_what_is_to_be_mended_is_never_cut() -> None:
    """A reason too long for the title stands below it, whole."""
    for letters, whole in ((MOST_TITLE, True), (MOST_TITLE + 1, False)):
        trouble = "x" * (letters - len("C (primary) could not be paged: "))
        said = said_by(escalate(a_stuck_case("05:01", a_page(unreached=trouble)), a_scene("05:01")))
        [told] = [one for one in said if one.step.startswith("unreached:")]
        assert told.text == ("" if whole else trouble)


@pytest.mark.parametrize(
    ("page", "post", "said_anew"),
    [
        ({}, "cancelled", True),
        ({"taken": None, "state": "accepted"}, "cancelled", True),
        ({}, "done", False),
        ({}, "owed", False),
        ({"taken": None, "maybe_taken": True}, "cancelled", False),  # it is sent again, with its words
        ({"step": "page-1-primary-1"}, "cancelled", False),  # of a round that is over
    ],
)
def test_a_page_that_is_taken_after_its_words_were_withdrawn_is_told_in_the_thread(
    page: dict[str, Any], post: str, said_anew: bool
) -> None:
    """Somebody was woken: whoever reads the thread has to know whom."""
    entry = a_page(**page)
    words = an_entry(KEY, "chat", entry.step, state=post)
    now = [a_page()] if entry.step != PRIMARY else []
    said = said_by(escalate(a_stuck_case("05:05", entry, words, *now), a_scene("05:05")))
    chat = [(one.where, one.step, one.title, one.to) for one in said if one.channel == "chat"]
    assert chat == ([(("chat", "post"), entry.step, "", ())] if said_anew else [])


# Somebody was woken before it was due, and has it.


def has_it(clock: str = "05:00", **facts: Any) -> IncidentContext:
    """A failure at ten past four, which C acknowledged two minutes later."""
    woken = an_entry(KEY, "pager", "failed-1", "C", owed_at=at("04:10"), done_at=at("04:10"))
    mine = an_incident(acknowledged_at=at("04:12"), acknowledged_by="C@example.com", failures=1)
    return IncidentContext(mine, (a_report(clock, **{"tasks": (FAILED,), **facts}),), (woken,))


def test_who_has_it_when_it_gets_late_is_not_paged() -> None:
    """The thread and the alert say that it is late, who has it and when they are asked again."""
    plan = escalate(has_it(), a_scene("05:00"))
    post, note = said_by(plan)
    title = "C has it: Growth ETL, 22 Nov: late since 05:00, transform failed: boom"
    words = "C acknowledged it at 04:12, before it was due: nobody is paged again. Asked again at 05:12."
    assert (post.step, post.where, post.title, post.text) == ("late", ("chat", "post"), title, words)
    assert (note.step, note.where) == (f"late:{KEY}:failed-1", ("pager", "note"))
    assert (note.title, note.text, note.alias) == (title, words, f"{KEY}:failed-1")
    assert post.to == note.to == ()
    assert events(plan) == [title]


@pytest.mark.parametrize(
    ("woken", "taken", "has"),
    [
        ("03:50", "04:00", False),  # an hour ago: they may be asleep again
        ("03:50", "04:00:00.000001", True),
        ("04:10", "04:10", True),
        ("04:10", "04:09:59.999999", False),  # what woke them came after it
    ],
)
def test_who_took_what_woke_them_in_the_last_hour_has_it(woken: str, taken: str, has: bool) -> None:
    """An acknowledgement holds for an hour."""
    case = has_it()
    entries = tuple(replace(entry, owed_at=at(woken)) for entry in case.entries)
    incident = replace(case.incident, acknowledged_at=at(taken))
    called = paged(replace(case, incident=incident, entries=entries), "05:00")
    assert called == ([] if has else [(PRIMARY, ("C",))])


@pytest.mark.parametrize(
    ("step", "facts", "has"),
    [
        ("failed-1", {"tasks": (FAILED,)}, True),
        ("failed-1", {"failed_checks": (CHECK,)}, True),  # withheld: somebody has to mend it too
        ("failed-1", {"tasks": (WAITED, a_task("transform", "running", "04:50"))}, True),  # run again
        ("failed-1", STUCK, False),  # another trouble has come since
        ("failed-1", {"loads": (a_load(),), "tasks": ()}, False),
        ("last-chance", STUCK, True),
        ("last-chance", {"loads": (a_load(),), "tasks": ()}, True),
        ("warning", STUCK, False),  # which is to wake nobody
    ],
)
def test_another_trouble_wakes_whoever_has_a_failure(step: str, facts: dict[str, Any], has: bool) -> None:
    """Whoever has the last chance has whatever makes it late."""
    case = has_it(**{"tasks": (), **facts})
    entries = tuple(replace(entry, step=step) for entry in case.entries)
    called = paged(replace(case, entries=entries), "05:00")
    assert called == ([] if has else [(PRIMARY, ("C",))])


def test_who_takes_the_shift_over_is_paged_for_what_another_has() -> None:
    """An override between the acknowledgement and the due instant."""
    over = team(overrides=[("2026-11-23 04:30", "2026-11-23 09:00", "B", None)])
    assert paged(has_it(), "05:00", over) == [(PRIMARY, ("B",))]
    before = team(overrides=[("2026-11-23 04:00", "2026-11-23 09:00", "C", None)])
    assert paged(has_it(), "05:00", before) == []


def test_the_page_of_who_has_it_began_the_round() -> None:
    """What follows (the handoff, taken back) is as if it had been the first page; said once."""
    plan = escalate(has_it(), a_scene("05:00"))
    assert plan is not None
    [mine] = plan.incidents
    assert (mine.paged_at, mine.acknowledged) == (at("04:10"), True)
    later = replace(has_it("05:20"), incident=mine)
    assert said_by(escalate(later, a_scene("05:20"))) == []


def test_what_is_not_due_yet_is_no_part_of_what_somebody_has() -> None:
    """It is late by itself, later."""
    case = has_it()
    later = replace(a_report("05:00", ENGAGEMENT, tasks=(FAILED,)), verdict="at_risk", due=at("06:00"))
    post, _ = said_by(escalate(replace(case, members=(*case.members, later)), a_scene("05:00")))
    assert post.title.startswith("C has it: Growth ETL, 22 Nov: late since 05:00")
    assert post.about == "investor.daily_growth for 2026-11-22"


# Handoff.


@pytest.mark.parametrize(
    ("clock", "days", "passes"), [("08:59:59.999999", 0, False), ("09:00", 0, True), ("09:00", 1, True)]
)
def test_an_open_incident_passes_to_the_new_pair(clock: str, days: int, passes: bool) -> None:
    """The thread says so, and the escalation begins anew."""
    one = replace(a_report("05:20", **STUCK))
    plan = handoff(IncidentContext(PAGED, (one,), (a_page(),)), a_scene(clock, days))
    assert (plan is not None) is passes
    if plan:
        post = the_post(plan)
        assert post.title == "Handed over from C to D: Growth ETL, 22 Nov"
        assert post.text == ""
        assert post.step == "handover-1"
        assert (plan.incidents[0].paged_at, plan.incidents[0].escalation_round) == (at(clock, days), 1)
        assert not plan.incidents[0].acknowledged
        assert events(plan) == [post.title]


@pytest.mark.parametrize(
    ("by", "handed", "words"),
    [
        ("C@example.com", True, "C acknowledged it before the shift ended: ask what is known."),
        ("", True, ""),
        ("C@example.com", False, ""),
    ],
)
def test_whoever_takes_an_incident_over_is_told_whom_to_ask(by: str, handed: bool, words: str) -> None:
    """The one who had it knows what was tried; at nine they are awake."""
    anew = replace(PAGED, paged_at=at("09:00"), escalation_round=1, acknowledged_by=by)
    entries = [a_page(), *([an_entry(KEY, "chat", "handover-1")] if handed else [])]
    page = the_page(escalate(a_stuck_case("09:00", *entries, incident=anew), a_scene("09:00")))
    assert (page.to, page.text) == (("D",), words)


def test_the_new_round_has_pages_of_its_own() -> None:
    """Whoever was secondary before is primary now, and is called as such."""
    anew = replace(PAGED, paged_at=at("09:00"), escalation_round=1)
    entries = [a_page(), a_page(SECONDARY, "D", "05:15")]
    assert paged(a_stuck_case("09:00", *entries, incident=anew), "09:00") == [("page-1-primary-1", ("D",))]


@pytest.mark.parametrize(
    ("incident", "entries", "facts"),
    [
        (an_incident(), [a_page()], {}),  # nobody was paged
        (PAGED, [], {}),  # nobody of the old pair was woken
        (PAGED, [a_page(taken=None)], {}),
        (PAGED, [a_page()], {"publication": published("05:30")}),
        (replace(PAGED, paged_at=at("09:01")), [a_page()], {}),  # it began with the new pair
    ],
)
def test_when_there_is_nothing_to_hand_over(
    incident: Incident, entries: list[NotificationStatus], facts: Any
) -> None:
    """Whoever is on call is called all the same."""
    assert (
        handoff(IncidentContext(incident, (a_report("09:30", **facts),), tuple(entries)), a_scene("09:30"))
        is None
    )


def test_whoever_stays_on_hands_nothing_over() -> None:
    """C takes Monday too."""
    stays = team(overrides=[("2026-11-23 09:00", "2026-11-24 09:00", "C", None)])
    case = IncidentContext(PAGED, (a_report("09:00", **STUCK),), (a_page(),))
    assert handoff(case, a_scene("09:30", roster=stays)) is None


def test_what_the_old_pair_had_acknowledged_is_handed_over_too() -> None:
    """Also where no page of this round is on record."""
    taken = replace(PAGED, acknowledged_at=at("05:03"), acknowledged_by="C@example.com")
    assert handoff(IncidentContext(taken, (a_report("09:00", **STUCK),), ()), a_scene("09:00")) is not None


@pytest.mark.parametrize(
    ("taken", "passes"),
    [
        ({"taken": "08:59:59.999999"}, True),
        ({"taken": "09:00"}, False),  # whoever was woken by it is of the new pair
        ({"taken": None, "state": "accepted"}, True),  # the far side has it: by when it was owed
        ({"taken": None, "state": "accepted", "owed_at": at("09:00")}, False),
    ],
)
def test_what_woke_nobody_before_the_handoff_is_not_handed_over(taken: dict[str, Any], passes: bool) -> None:
    """A page on the stroke of nine is the new shift's."""
    case = IncidentContext(PAGED, (a_report("09:01", **STUCK),), (a_page(**taken),))
    assert (handoff(case, a_scene("09:01")) is not None) is passes


# Nobody was woken.

LOWERED = "the pager has made P4 of its P1"
ALL_LOWERED = (
    a_page(unreached=LOWERED),
    a_page(SECONDARY, "D", "05:00:15", unreached=LOWERED),
    a_page("page-3-manager", "M", "05:00:30", unreached=LOWERED),
)


def test_when_no_page_has_woken_anybody_all_are_called_again() -> None:
    """Ten minutes after the last one; the thread says so, and what is mended by then wakes the primary."""
    case = a_stuck_case("05:10:30", *ALL_LOWERED)
    assert nobody_woken(case, a_scene("05:10:29")) is None
    plan = nobody_woken(case, a_scene("05:10:30"))
    assert plan is not None
    assert the_post(plan).title == "Nobody could be woken: the escalation starts again"
    again = replace(case, incident=plan.incidents[0])
    assert paged(again, "05:10:30") == [("page-1-primary-1", ("C",))]


@pytest.mark.parametrize(
    ("entries", "known", "facts"),
    [
        ([*ALL_LOWERED[:2], a_page("page-3-manager", "M")], {}, {}),  # the manager is awake
        ([*ALL_LOWERED, a_page("page-by-hand-1", "A")], {}, {}),
        ([*ALL_LOWERED[:2], a_page("page-3-manager", "M", None)], {}, {}),  # on its way
        ([a_page(taken=None, unreached="422")], {}, {}),  # tried again by itself
        ([a_page(taken=None, unreached=not_taken("500"))], {}, {}),
        (ALL_LOWERED, {"acknowledged_at": at("05:05"), "acknowledged_by": "C@example.com"}, {}),
        (ALL_LOWERED, {}, {"publication": published("05:30")}),
        ([], {}, {}),
    ],
)
def test_nobody_is_called_again_while_somebody_is_woken_or_may_be(
    entries: Sequence[NotificationStatus], known: dict[str, Any], facts: dict[str, Any]
) -> None:
    """Nor when it is over, or somebody has it."""
    case = a_stuck_case("06:00", *entries, incident=replace(PAGED, **known), **facts)
    assert nobody_woken(case, a_scene("06:00")) is None
