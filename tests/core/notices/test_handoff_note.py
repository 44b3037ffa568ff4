"""The note at a handoff, and what lies ahead: inputs and words side by side."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from oncall.core.incidents.incident import Incident
from oncall.core.incidents.wording import Links, Scene
from oncall.core.message import Message
from oncall.core.notices.handoff_note import Paged, PastWeek, note, reach_page
from oncall.core.promises.attainment import Day
from oncall.core.rota.outlook import look_out
from oncall.core.rota.roster import Roster
from tests.core.rosters import PLUS_SEVEN, instant, team

BOUNDARY = instant("2026-01-05")  # week 1 (A, B) ends, week 2 (B, C) begins
FIRST = instant("2025-12-29")
NOTHING = PastWeek()


def said(
    roster: Roster, past: PastWeek = NOTHING, boundary: dt.datetime = BOUNDARY, late_min: int = 0
) -> Message:
    at = boundary + dt.timedelta(minutes=late_min)
    return note(Scene(roster, Links("http://airflow.test"), at), boundary, past)


def fact(roster: Roster, label: str, past: PastWeek = NOTHING) -> str:
    return dict(said(roster, past).facts)[label]


def test_the_note_names_both_pairs_and_mentions_the_new_one() -> None:
    """Its key is the handoff's date, so that it is said once and has a thread of its own."""
    message = said(team())
    facts = dict(message.facts)
    assert (message.key, message.step) == ("handoff:2026-01-05", "note")
    assert message.title == "Handoff: B, then C on call until Mon 12 Jan 09:00"
    assert (facts["Goes off"], facts["Comes on"]) == ("A, then B", "B, then C")
    assert [person.slack for person in message.recipients] == ["UB", "UC"]
    assert message.summary == ""


def test_people_are_called_by_their_names() -> None:
    """Whatever their ids in the roster are."""
    away = [(person, "2026-01-12", "2026-01-19") for person in "ABCD"]
    roster = team(leave=[("B", "2026-01-05", "2026-01-11"), *away])
    named = {key: replace(person, name=f"{key} Ho") for key, person in roster.people.items()}
    message = said(replace(roster, people=named))
    facts = dict(message.facts)
    assert message.title.startswith("Handoff: C Ho, then D Ho on call until ")
    assert facts["Goes off"] == "A Ho, then B Ho"
    assert facts["Comes on"] == "C Ho, then D Ho (standing in for B Ho, on leave)"
    assert any("nobody of the team is there: M Ho is primary" in fact for fact in facts.values())


def test_a_quiet_week_says_so() -> None:
    """Nothing is left out: an empty line would leave a doubt."""
    facts = dict(said(team(), PastWeek(promises={})).facts)
    assert list(facts.values())[2:] == [
        "none", "none", "none", "nothing beyond the shift", "none", "nothing unusual in the coming 8 weeks",
    ]  # fmt: skip


def test_what_was_restated_is_told_and_not_all_of_it() -> None:
    """Five days one by one; nothing at all where nothing was restated."""
    assert "Restated last week" not in dict(said(team()).facts)
    days = tuple(f"day {n}" for n in range(7))
    told = fact(team(), "Restated last week", PastWeek(restated=days))
    assert told == "day 0; day 1; day 2; day 3; day 4; and 2 more days"


def test_the_first_handoff_of_a_roster_has_nobody_going_off() -> None:
    """The rota begins there, and nothing can have been earned."""
    facts = dict(said(team(), boundary=FIRST).facts)
    assert facts["Goes off"] == "nobody: the rota begins here"
    assert facts["Earned last week"] == "nothing beyond the shift"


def test_a_note_that_comes_late_and_what_could_not_be_done_are_said() -> None:
    """Airflow may have been down at nine."""
    past = PastWeek(trouble=("The Slack user group could not be set",))
    assert said(team(), past, late_min=180).summary.splitlines() == [
        "Said late: the handoff was at 09:00.",
        "The Slack user group could not be set",
    ]
    assert said(team(), past, late_min=5).summary == "The Slack user group could not be set"


@pytest.mark.parametrize(
    ("roster", "off", "on"),
    [
        (team(leave=[("B", "2026-01-05", "2026-01-12")]), "A, then B", "C, then D (standing in for B, on leave)"),
        (team(leave=[("A", "2025-12-29", "2026-01-01")]), "A, then B (earlier in the week also C)", "B, then C"),
        (
            team(overrides=[("2026-01-05", "2026-01-06", "D", None)]),
            "A, then B",
            "D, then C (by an override)",
        ),
    ],
)  # fmt: skip
def test_cover_and_overrides_count(roster: Roster, off: str, on: str) -> None:
    """Who is on call at the boundary, for whatever reason."""
    assert (fact(roster, "Goes off"), fact(roster, "Comes on")) == (off, on)


def test_open_incidents_with_their_state() -> None:
    """What the new pair takes over."""
    one = Incident("growth_etl:2026-01-04", "growth_etl", dt.date(2026, 1, 4), instant("2026-01-05 05:00"))
    taken = replace(one, dag_id="profit_etl", cause="stuck", acknowledged_at=BOUNDARY, acknowledged_by="A")
    assert fact(team(), "Open incidents", PastWeek((one, taken), titles={"growth_etl": "Growth ETL"})) == (
        "Growth ETL, 4 Jan, since 05:00, nobody has it; profit_etl, 4 Jan, since 05:00, stuck, A has it"
    )
    paged_since = replace(taken, paged_at=BOUNDARY + dt.timedelta(minutes=1))
    assert fact(team(), "Open incidents", PastWeek((paged_since,))).endswith("nobody has it")


def test_last_weeks_promises_by_report() -> None:
    """Kept, late with the worst, broken; and what cannot be read is not called kept."""
    due = BOUNDARY
    minutes = [dt.timedelta(minutes=n) for n in (7, 42)]
    growth = [
        Day(dt.date(2026, 1, n), due, outcome, due, late)  # type: ignore[arg-type]
        for n, (outcome, late) in enumerate(
            [("kept", None), ("late", minutes[0]), ("late", minutes[1]), ("broken", None)], 1
        )
    ]
    promises = {"Growth": growth, "Profit": growth[:2]}
    assert fact(team(), "Last week's promises", PastWeek(promises=promises)) == (
        "Growth: 1 kept, 2 late (by 42 min at most), 1 broken; Profit: 1 kept, 1 late (by 7 min)"
    )
    nobody = Day(dt.date(2026, 1, 1), due, "none")
    assert fact(team(), "Last week's promises", PastWeek(promises={"New": [nobody]})) == "New: none was due"
    assert fact(team(), "Last week's promises") == "cannot be read now"


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (["2026-01-01 12:00"], "1 (A 1); nights disturbed: none"),
        (["2026-01-01 21:59", "2026-01-02 07:00"], "2 (A 2); nights disturbed: none"),
        (["2026-01-01 22:00", "2026-01-02 06:59"], "2 (A 2); nights disturbed: 1 (1 Jan)"),
        (["2026-01-01 05:00", "2026-01-02 05:00"], "2 (A 2); nights disturbed: 2 (31 Dec, 1 Jan)"),
    ],
)
def test_a_night_is_from_22_to_7_on_the_rosters_clock(times: list[str], words: str) -> None:
    """A night is named by its evening."""
    pages = tuple(Paged(instant(text).astimezone(dt.UTC), ("A",)) for text in times)
    assert fact(team(), "Pages", PastWeek(pages=pages)) == words


def test_what_was_earned_in_the_ended_week_and_only_then() -> None:
    """Credit days, the comp week they claim, and leave in lieu of the week's public holidays."""
    roster = team(
        leave=[("A", "2025-12-29", "2026-01-05")],
        holidays={"2026-01-01": "New Year's Day", "2026-01-06": "Another"},
    )
    assert fact(roster, "Earned last week") == (
        "B 7 credit days for A; B a comp week from 2 Mar (rota week 10); B off on 12 Jan for New Year's Day"
    )
    named = {who: replace(person, name=f"{who}nna") for who, person in roster.people.items()}
    people = replace(roster, people=named)
    assert fact(people, "Earned last week").startswith(
        "Bnna 7 credit days for Anna; Bnna a comp week from 2 Mar"
    )
    assert fact(people, "Earned last week").endswith("; Bnna off on 12 Jan for New Year's Day")
    later = dict(said(roster, boundary=instant("2026-01-19")).facts)
    assert later["Earned last week"] == "nothing beyond the shift"


def test_leave_of_the_next_two_weeks_with_both_days_included() -> None:
    """As the roster writes it: on-call days."""
    roster = team(
        leave=[
            ("D", "2026-01-18", "2026-02-01"),
            ("C", "2026-01-01", "2026-01-08"),
            ("A", "2026-01-19", "2026-01-20"),
        ]
    )
    assert fact(roster, "Leave, next 2 weeks") == "C 1 – 7 Jan; D 18 – 31 Jan"
    named = replace(roster, people={**roster.people, "D": replace(roster.people["D"], name="Dana")})
    assert fact(named, "Leave, next 2 weeks") == "C 1 – 7 Jan; Dana 18 – 31 Jan"


def test_leave_that_is_over_before_the_handoff_hour_is_of_its_own_day() -> None:
    """It read "6 Jan to 5 Jan"."""
    roster = team(leave=[("D", "2026-01-06 02:00", "2026-01-06 08:00")])
    assert fact(roster, "Leave, next 2 weeks") == "D 6 Jan"


@pytest.mark.parametrize(
    ("roster", "words"),
    [
        (team(), []),
        (
            team(leave=[("B", "2026-01-05", "2026-01-12")]),
            ["C is primary two weeks running: Mon 5 Jan to Mon 19 Jan"],
        ),
        (
            team("AB BA", leave=[("A", "2026-01-12", "2026-01-14")]),
            ["only B is there: M is secondary from 12 Jan to 14 Jan"],
        ),
        (
            team("AB BA", leave=[(person, "2026-01-12", "2026-01-14") for person in "AB"]),
            ["nobody of the team is there: M is primary from 12 Jan to 14 Jan"],
        ),
    ],
)
def test_gaps_and_double_weeks_ahead(roster: Roster, words: list[str]) -> None:
    """Eight weeks ahead, a sentence each."""
    assert list(look_out(roster, BOUNDARY)) == words


def test_the_new_primary_is_tried_quietly() -> None:
    """P5, marked, to one person; nobody without an Opsgenie name is tried."""
    scene = Scene(team(), Links("http://airflow.test"), BOUNDARY)
    page = reach_page(scene, BOUNDARY)
    assert page is not None
    assert (page.priority, page.alias) == ("P5", "handoff:2026-01-05:test-page")
    assert [person.opsgenie for person in page.recipients] == ["B@example.com"]
    assert page.title.startswith("[DRILL] ")
    people = {name: replace(person, opsgenie=None) for name, person in scene.roster.people.items()}
    assert reach_page(replace(scene, roster=replace(scene.roster, people=people)), BOUNDARY) is None


def test_the_zone_of_the_roster_is_not_the_machines() -> None:
    """The fixture's zone is UTC+7: 22:30Z is a morning there."""
    pages = (Paged(dt.datetime(2026, 1, 1, 22, 30, tzinfo=dt.UTC), ("A",)),)
    assert PLUS_SEVEN.utcoffset(None) == dt.timedelta(hours=7)
    assert fact(team(), "Pages", PastWeek(pages=pages)).endswith("1 (1 Jan)")
