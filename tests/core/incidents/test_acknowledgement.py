"""Who has it is said, silences every alert, and is asked again each hour; what is given back begins anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.acknowledgement import acknowledge, acknowledge_rest, remind, taken_back
from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.incident import Incident, NotificationStatus, Plan
from oncall.core.incidents.incident_words import not_taken
from tests.core.scenes import (
    ENGAGEMENT,
    KEY,
    PAGED,
    PRIMARY,
    SECONDARY,
    Said,
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

TAKEN = replace(PAGED, acknowledged_at=at("05:03"), acknowledged_by="C@example.com")


@pytest.mark.parametrize(
    ("clock", "reminders", "number"),
    [("06:02:59", 0, None), ("06:03", 0, 1), ("07:02", 1, None), ("07:03", 1, 2), ("08:10", 1, 3)],
)
def test_whoever_has_it_is_asked_again_each_hour(clock: str, reminders: int, number: int | None) -> None:
    """P1 to the same person, while the promise is broken."""
    plan = remind(a_stuck_case(clock, a_page(), incident=replace(TAKEN, reminders=reminders)), a_scene(clock))
    assert (plan is not None) is (number is not None)
    if plan:
        page = the_page(plan)
        assert (page.step, page.priority, page.to) == (f"reminder-0-{number}", "P1", ("C",))
        assert plan.incidents[0].reminders == number
        assert events(plan) == ["reminded"]


def test_a_reminder_says_who_acknowledged_when() -> None:
    """And how long ago."""
    page = the_page(remind(a_stuck_case("06:03", incident=TAKEN), a_scene("06:03")))
    assert page.title == "STILL LATE, C acknowledged 1 h 00 min ago: Growth ETL, 22 Nov is not published"
    assert page.text == ""
    nobody = the_page(
        remind(a_stuck_case("06:03", incident=replace(TAKEN, acknowledged_by="")), a_scene("06:03"))
    )
    assert nobody.title.startswith("STILL LATE, somebody acknowledged 1 h 00 min ago: ")
    assert nobody.to == ("C",)
    again = a_task("transform", "failed", "05:30", "05:40", "boom", run="again")
    stands = a_report("06:03", ENGAGEMENT, publication=published("04:00"), tasks=(again,))
    late = a_stuck_case("06:03", incident=TAKEN)
    both = the_page(remind(replace(late, members=(stands, *late.members)), a_scene("06:03")))
    assert both.title == page.title  # that one is published
    two = replace(late, members=(a_report("06:03", ENGAGEMENT), *late.members))
    assert the_page(remind(two, a_scene("06:03"))).title.endswith(": 2 reports of 22 Nov are not published")


@pytest.mark.parametrize(
    ("by", "to"), [("D@example.com", ("D",)), ("D", ("D",)), ("boss@elsewhere", ("C",)), ("", ("C",))]
)
def test_a_reminder_goes_to_whoever_acknowledged(by: str, to: tuple[str, ...]) -> None:
    """A stranger's acknowledgement asks the primary."""
    page = the_page(
        remind(a_stuck_case("06:03", incident=replace(TAKEN, acknowledged_by=by)), a_scene("06:03"))
    )
    assert page.to == to


@pytest.mark.parametrize(
    "case",
    [
        a_stuck_case("07:00", incident=PAGED),
        a_stuck_case("07:00", incident=TAKEN, publication=published("06:00")),
        a_stuck_case("07:00", incident=replace(TAKEN, acknowledged_at=at("04:30"))),  # it was the warning
    ],
    ids=["nobody has it", "it is there", "only the warning was acknowledged"],
)
def test_nobody_is_reminded_without_need(case: IncidentContext) -> None:
    """Only who has a broken promise."""
    assert remind(case, a_scene("07:00")) is None


REMINDER = "reminder-0-1"


@pytest.mark.parametrize(
    ("step", "owed", "trouble", "again"),
    [
        (REMINDER, "06:03:30", "Opsgenie does not know C@example.com", True),
        (REMINDER, "05:54:01", not_taken("the far side answered 500"), False),  # it may be an outage
        (REMINDER, "05:54", not_taken("the far side answered 500"), True),
        (REMINDER, "05:00", "", False),
        ("reminder-1-1", "05:00", "Opsgenie does not know C@example.com", False),  # of another round
        (PRIMARY, "05:00", "Opsgenie does not know C@example.com", False),  # they have it all the same
    ],
)
def test_who_has_it_and_cannot_be_asked_again_does_not_keep_it(
    step: str, owed: str, trouble: str, again: bool
) -> None:
    """The escalation begins anew, and the thread says why; what is only not taken yet is waited for ten minutes."""
    asked = a_page(step, taken=None, unreached=trouble, owed_at=at(owed))
    incident = replace(TAKEN, reminders=1)
    plan = remind(a_stuck_case("06:04", a_page(SECONDARY, "D"), asked, incident=incident), a_scene("06:04"))
    assert (plan is not None) is again
    if plan:
        post = the_post(plan)
        assert post.title == "C has it and cannot be asked again: the escalation starts again"
        assert (post.text, post.step) == (trouble, "unreached:reminder-1")
        [anew] = plan.incidents
        assert (anew.paged_at, anew.escalation_round, anew.acknowledged) == (at("06:04"), 1, False)
        assert events(plan) == [post.title]


def said_of(plan: Any) -> tuple[Said, list[Said]]:
    post, *acks = said_by(plan)
    assert {one.where for one in acks} <= {("pager", "acknowledge")}
    return post, acks


def test_an_acknowledgement_is_said_and_taken_over_to_every_alert() -> None:
    """In the thread, and at the pager for those alerts that do not show it yet."""
    entries = (a_page(), a_page(SECONDARY, "D", "05:15"))
    before = replace(PAGED, reminders=2)
    plan = acknowledge(a_stuck_case("05:20", *entries, incident=before), a_scene("05:20"), "anna")
    post, acks = said_of(plan)
    assert post.title == "Acknowledged by anna, 05:20"
    assert (post.text, post.step, post.where) == ("", "acknowledged-0", ("chat", "post"))
    assert [one.alias for one in acks] == [f"{KEY}:{PRIMARY}", f"{KEY}:{SECONDARY}"]
    assert {owed.user for owed in plan.owed if owed.op == "acknowledge"} == {"anna"}
    [mine] = plan.incidents
    assert (mine.acknowledged_at, mine.acknowledged_by, mine.reminders) == (at("05:20"), "anna", 0)
    assert mine.acked == ()
    assert events(plan) == ["acknowledged by anna"]


def test_an_alert_that_shows_it_already_is_not_told() -> None:
    """The others are."""
    entries = (a_page(), a_page(SECONDARY, "D", "05:15"))
    plan = acknowledge(a_stuck_case("05:20", *entries), a_scene("05:20"), "", heard_of=f"{KEY}:{PRIMARY}")
    post, acks = said_of(plan)
    assert post.title == "Acknowledged by somebody, 05:20"
    assert [one.alias for one in acks] == [f"{KEY}:{SECONDARY}"]
    assert plan.incidents[0].acked == (f"{KEY}:{PRIMARY}",)
    assert events(plan) == ["acknowledged by somebody"]


@pytest.mark.parametrize(
    ("by", "heard_of", "doubted"),
    [
        ("Mai Tran", f"{KEY}:{PRIMARY}", True),
        ("Mai Tran", "", False),  # on our own page, where they have signed in
        ("mai.tran@example.com", f"{KEY}:{PRIMARY}", False),
        ("c", f"{KEY}:{PRIMARY}", False),
        ("", f"{KEY}:{PRIMARY}", False),
    ],
)
def test_a_name_that_the_roster_does_not_know_is_said_as_such(by: str, heard_of: str, doubted: bool) -> None:
    """In the thread and on the incident's page: it stops the calls, and may be a machine's."""
    plan = acknowledge(a_stuck_case("05:20", a_page()), a_scene("05:20"), by, heard_of=heard_of)
    post, _ = said_of(plan)
    doubt = f"The roster knows nobody named “{by}”: "
    assert post.text.startswith(doubt) is doubted
    [told] = events(plan)
    assert told.startswith(f"acknowledged by {by}. {doubt}") is doubted
    assert ("The roster knows nobody" in f"{post.text}{told}") is doubted


def test_a_warning_and_each_round_are_acknowledged_each_by_itself() -> None:
    """Their words stand apart in the thread."""
    steps = [
        said_of(acknowledge(a_stuck_case("05:20", a_page(), incident=incident), a_scene("05:20"), "anna"))[
            0
        ].step
        for incident in (an_incident(), PAGED, replace(PAGED, escalation_round=1))
    ]
    assert steps == ["acknowledged-warning", "acknowledged-0", "acknowledged-1"]


THIRD = "page-3-manager"
RING = [a_page(), a_page(SECONDARY, "D", "05:15"), a_page(THIRD, "M", "05:30")]


def takes_too(*entries: NotificationStatus, incident: Incident, step: str = SECONDARY) -> Plan:
    """C has it, and D takes this alert as well."""
    case = a_stuck_case("05:40", *entries, incident=replace(incident, acked=(f"{KEY}:{PRIMARY}",)))
    return acknowledge_rest(case, a_scene("05:40"), "D@example.com", heard_of=f"{KEY}:{step}")


def test_who_takes_another_alert_stops_whatever_else_rings() -> None:
    """The thread knows who has it: it stays with the first."""
    plan = takes_too(*RING, incident=TAKEN)
    [ack] = said_by(plan)
    assert (ack.where, ack.alias, ack.step) == (
        ("pager", "acknowledge"), f"{KEY}:{THIRD}", f"ack-0:{KEY}:{THIRD}",
    )  # fmt: skip
    assert {owed.user for owed in plan.owed} == {"D@example.com"}
    [mine] = plan.incidents
    assert (mine.acknowledged_by, mine.acknowledged_at) == ("C@example.com", at("05:03"))
    assert mine.acked == (f"{KEY}:{PRIMARY}", f"{KEY}:{SECONDARY}")
    assert events(plan) == ["acknowledged by D too"]


def test_where_nothing_else_rings_nothing_is_said() -> None:
    """What we silenced already is not silenced again."""
    assert said_by(takes_too(*RING[:2], incident=TAKEN)) == []
    assert events(takes_too(*RING[:2], incident=TAKEN)) == []
    ours = an_entry(KEY, "pager", "ack-0:x", op="acknowledge", alias=f"{KEY}:{THIRD}")
    assert said_by(takes_too(*RING, ours, incident=TAKEN)) == []


def test_our_own_acknowledgement_at_the_pager_is_nobodys_act() -> None:
    """Also before the promise is broken: it is known, and that is all."""
    ours = an_entry(KEY, "pager", "ack-0:x", op="acknowledge", alias=f"{KEY}:{SECONDARY}")
    warned = an_incident(acknowledged_at=at("04:03"), acknowledged_by="C@example.com")
    for incident in (TAKEN, warned):
        plan = takes_too(*RING, ours, incident=incident)
        assert (said_by(plan), events(plan)) == ([], [])
        [mine] = plan.incidents
        assert mine.acknowledged_by == "C@example.com"
        assert mine.acked == (f"{KEY}:{PRIMARY}", f"{KEY}:{SECONDARY}")


def test_before_it_is_broken_who_takes_the_newest_alert_has_it() -> None:
    """What was known when the warning was taken had come to another alert since."""
    warned = an_incident(acknowledged_at=at("04:03"), acknowledged_by="C@example.com")
    plan = takes_too(a_page("warning"), a_page("last-chance"), incident=warned, step="last-chance")
    [mine] = plan.incidents
    assert (mine.acknowledged_by, mine.acknowledged_at) == ("D@example.com", at("05:40"))
    assert [one.step for one in said_by(plan)] == [
        "acknowledged-last-chance", f"ack-last-chance:{KEY}:warning",
    ]  # fmt: skip


def test_a_page_that_the_pager_does_not_have_yet_is_not_taken_with_a_warning() -> None:
    """It failed while the warning was tapped: they are told of that, and have it when they take that one."""
    owed = a_page("failed-1", "", None, owed_at=at("04:10"))
    before = an_incident(acknowledged_at=at("03:31"), acknowledged_by="C@example.com")
    for incident, takes in ((an_incident(), acknowledge), (before, acknowledge_rest)):
        case = a_stuck_case("04:10", a_page("warning"), owed, incident=incident)
        plan = takes(case, a_scene("04:11"), "C@example.com", heard_of=f"{KEY}:warning")
        [mine] = plan.incidents
        assert mine.acknowledged_at is not None
        assert mine.acknowledged_at < at("04:10")
        assert not [owed for owed in plan.owed if owed.op == "acknowledge"]
        [by_hand] = takes(case, a_scene("04:11"), "C").incidents  # our page tells of it
        assert by_hand.acknowledged_at == at("04:11")
    sent = a_stuck_case("04:10", a_page("warning"), a_page("failed-1"))
    [mine] = acknowledge(sent, a_scene("04:11"), "C@example.com", heard_of=f"{KEY}:warning").incidents
    assert mine.acknowledged_at == at("04:11")


def test_the_thread_hears_who_has_each_alert_before_it_is_late() -> None:
    """Once each, and anew when it was given back: whoever reads of a failure has to see that somebody has it."""
    warned = an_incident(acknowledged_at=at("04:03"), acknowledged_by="C@example.com")
    said = an_entry(KEY, "chat", "acknowledged-warning")
    known = an_entry(KEY, "chat", "acknowledged-failed-1")
    back = an_entry(KEY, "chat", "given-back-1")
    for entries, step in (
        ((a_page("warning"), said, a_page("failed-1")), "acknowledged-failed-1"),
        ((a_page("warning"), said, a_page("failed-1"), known), None),
        ((a_page("warning"), said, a_page("failed-1"), known, back), "acknowledged-failed-1-1"),
    ):
        case = a_stuck_case("04:20", *entries, incident=warned)
        plan = acknowledge_rest(case, a_scene("04:20"), "D@example.com", heard_of=f"{KEY}:failed-1")
        posts = [one for one in said_by(plan) if one.channel == "chat"]
        assert [(one.step, one.title) for one in posts] == (
            [(step, "Acknowledged by D, 04:20")] if step else []
        )


def test_what_is_taken_back_starts_the_escalation_again() -> None:
    """Somebody has to be woken again, and is told why."""
    taken = replace(TAKEN, acked=(f"{KEY}:{PRIMARY}", "other"))
    plan = taken_back(a_stuck_case("05:20", a_page(), incident=taken), a_scene("05:20"), f"{KEY}:{PRIMARY}")
    post = the_post(plan)
    assert post.title == "Acknowledgement of C taken back: the escalation starts again"
    assert (post.text, post.step) == ("", "taken-back-1")
    [anew] = plan.incidents
    assert (anew.acknowledged_at, anew.acknowledged_by, anew.acked) == (None, "", ("other",))
    assert (anew.paged_at, anew.escalation_round) == (at("05:20"), 1)
    assert paged(a_stuck_case("05:20", a_page(), incident=anew), "05:20") == [("page-1-primary-1", ("C",))]
    nameless = taken_back(
        a_stuck_case("05:20", incident=replace(TAKEN, acknowledged_by="")), a_scene("05:20"), "x"
    )
    assert the_post(nameless).title.startswith("Acknowledgement of somebody taken back: ")


def test_a_warning_that_is_taken_back_wakes_nobody() -> None:
    """It was only a warning: no escalation starts. Each time it is given back that is said."""
    warned = an_incident(acknowledged_at=at("04:03"), acknowledged_by="C@example.com", acked=("x", "y"))
    plan = taken_back(a_stuck_case("04:20", incident=warned), a_scene("04:20"), "x")
    post = the_post(plan)
    assert (post.step, post.title) == ("given-back-1", "Acknowledgement of C taken back: nobody has it now")
    assert events(plan) == [post.title]
    [anew] = plan.incidents
    assert (anew.paged_at, anew.escalation_round, anew.acknowledged_at) == (None, 0, None)
    assert (anew.acknowledged_by, anew.acked) == ("", ("y",))
    again = a_stuck_case("04:25", an_entry(KEY, "chat", "given-back-1"), incident=warned)
    assert the_post(taken_back(again, a_scene("04:25"), "x")).step == "given-back-2"
