"""What is done with something owed at the moment it is sent: whether, for whom, in which words."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.binding import SOON, Later, Send, Withdraw, bind, bind_for_others
from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.incident import Incident, NotificationStatus
from oncall.core.incidents.incident_words import not_taken
from oncall.core.incidents.wording import Scene
from oncall.core.message import Message, Recipient
from oncall.core.promises.facts import Task
from tests.core.rosters import team, turns
from tests.core.scenes import (
    DAY,
    FAILED,
    GROWTH,
    KEY,
    PROFIT,
    TRANSFORMS,
    WAITED,
    a_load,
    a_report,
    a_scene,
    an_entry,
    an_incident,
    at,
    published,
    usually,
)

PAGED = an_incident(paged_at=at("05:00"), verdict="broken")
TAKEN = replace(PAGED, acknowledged_at=at("05:03"), acknowledged_by="C@example.com")
OVER = replace(PAGED, resolved_at=at("05:10"), verdict="late")
STORED = Message(KEY, "step", "as it was owed", recipients=(Recipient("X"),))
PRIMARY, SECONDARY = "page-1-primary", "page-2-secondary"
STUCK: dict[str, Any] = {"tasks": (WAITED, TRANSFORMS)}


def owed(step: str, channel: str = "pager", person: str = "", **known: Any) -> NotificationStatus:
    """Not sent yet."""
    waiting = {"state": "owed", "done_at": None, "owed_at": at("05:00")}
    return an_entry(KEY, channel, step, person, **{**waiting, **known})


def done(step: str = PRIMARY, person: str = "C", **known: Any) -> NotificationStatus:
    return an_entry(KEY, "pager", step, person, **known)


def bound(
    entry: NotificationStatus, clock: str = "05:01", *others: NotificationStatus, incident: Incident = PAGED,
    evaluated: bool = True, scene: Scene | None = None, **facts: Any,
) -> Send | Later | Withdraw:  # fmt: skip
    case = IncidentContext(incident, (a_report(clock, **{**STUCK, **facts}),), (entry, *others), evaluated)
    return bind(entry, STORED, case, scene or a_scene(clock))


def sent(found: Any) -> Message:
    assert isinstance(found, Send), found
    return found.message


def why(found: Any) -> str:
    assert isinstance(found, Withdraw), found
    return found.why


def test_what_belongs_to_no_incident_goes_as_it_was_written() -> None:
    """A notice, a test page."""
    assert bind(owed("test-page"), STORED, None, a_scene("05:00")) == Send(STORED)


@pytest.mark.parametrize(
    "step",
    [
        "warning",
        "last-chance",
        "failed-1",
        PRIMARY,
        "reminder-0-1",
        "cause-1",
        "unreached:x",
        "handover-1",
    ],
)
def test_news_of_an_incident_that_is_over_is_history(step: str) -> None:
    """Its resolution says all that is left to say."""
    entry = owed(step, "chat")
    assert why(bound(entry, incident=OVER, publication=published("05:10"))) == "the incident is over"


@pytest.mark.parametrize("step", ["resolved", "resolved-by-hand", "landed:x", "acknowledged-0", "stale:x"])
def test_what_ends_an_incident_is_said_all_the_same(step: str) -> None:
    """As it was written."""
    assert sent(bound(owed(step, "chat"), incident=OVER, publication=published("05:10"))) == STORED
    assert sent(bound(owed("headline:resolved", "chat", op="update"), incident=OVER)) == STORED


# A page.


def test_a_page_says_what_is_true_now_to_whoever_is_on_call_now() -> None:
    """Not what it said when it was owed."""
    found = bound(owed(PRIMARY), "05:20")
    message = sent(found)
    assert [person.name for person in message.recipients] == ["C"]
    assert "in transform since 03:12" in message.title
    assert message.title.startswith("Growth ETL, 22 Nov: late since 05:00")
    assert isinstance(found, Send)
    assert found.nobody_woken
    swapped = a_scene("05:20", roster=team(overrides=[("2026-11-23 05:10", "2026-11-23 09:00", "B", None)]))
    assert [person.name for person in sent(bound(owed(PRIMARY), "05:20", scene=swapped)).recipients] == ["B"]


@pytest.mark.parametrize("channel", ["pager", "chat"])
@pytest.mark.parametrize("of", ["Run", "Run Growth ETL"])  # of one report, and of several
def test_a_page_made_from_the_incidents_row_leads_to_the_run_that_was_seen(channel: str, of: str) -> None:
    """The row knows no run; the look that owed the page did. Everything else is as it is now."""
    run, log = "http://airflow/dags/growth_etl/runs/1", "http://airflow/log/1"
    stored = replace(STORED, links=(("Runbook", "http://old"), (of, run), ("Log", log)))
    members = tuple(a_report("05:01", dag_id) for dag_id in ((GROWTH,) if of == "Run" else (GROWTH, PROFIT)))
    case = IncidentContext(PAGED, members, (owed(PRIMARY, channel),), evaluated=False)
    links = dict(sent(bind(owed(PRIMARY, channel), stored, case, a_scene("05:01"))).links)
    assert (links[of], links["Log"]) == (run, log)
    assert links[of.replace("Run", "Runbook")] != "http://old"
    seen = replace(case, members=(a_report("05:01", **STUCK),), evaluated=True)
    assert dict(sent(bind(owed(PRIMARY, channel), stored, seen, a_scene("05:01"))).links)["Run"] != run


def test_a_second_page_is_no_first_one() -> None:
    """Somebody was woken before it."""
    found = bound(owed(SECONDARY), "05:15", done())
    assert isinstance(found, Send)
    assert not found.nobody_woken
    unreached = bound(owed(SECONDARY), "05:15", done(unreached="unknown"))
    assert isinstance(unreached, Send)
    assert unreached.nobody_woken


@pytest.mark.parametrize(
    ("incident", "facts", "reason"),
    [
        (replace(PAGED, escalation_round=1), {}, "the escalation has begun anew"),
        (TAKEN, {}, "somebody has acknowledged the incident"),
        (PAGED, {"publication": published("05:00:30")}, "the promise is not broken any more"),
    ],
)
@pytest.mark.parametrize("channel", ["pager", "chat"])
def test_a_page_that_is_not_wanted_any_more_is_withdrawn(
    channel: str, incident: Incident, facts: dict[str, Any], reason: str
) -> None:
    """With the reason; the thread does not tell of it either."""
    assert why(bound(owed(PRIMARY, channel), incident=incident, **facts)) == reason


def test_a_page_of_a_later_round_belongs_to_it() -> None:
    """After a handoff."""
    anew = replace(PAGED, paged_at=at("09:00"), escalation_round=1)
    assert [p.name for p in sent(bound(owed("page-1-primary-1"), "09:00", incident=anew)).recipients] == ["D"]


def test_nobody_is_called_twice_in_one_round() -> None:
    """Whoever moved to another seat was called already."""
    swapped = a_scene("05:20", roster=team(overrides=[("2026-11-23 05:10", "2026-11-23 09:00", "B", "C")]))
    found = bound(owed(SECONDARY), "05:20", done(), scene=swapped)
    assert why(found) == "C was called already"
    assert sent(bound(owed(PRIMARY), "05:01", done("last-chance"), done("warning"))).recipients[0].name == "C"


def test_whoever_holds_two_seats_is_called_for_the_first_of_them() -> None:
    """The manager alone is left: the manager's own step waits for its turn."""
    alone = team(leave=[(person, "2026-11-16", "2026-11-30") for person in "ABCD"])
    scene = a_scene("05:20", roster=alone)
    assert isinstance(bound(owed("page-3-manager"), "05:20", scene=scene), Later)
    assert sent(bound(owed(PRIMARY), "05:20", scene=scene)).recipients[0].name == "M"


def test_a_seat_that_nobody_holds_wakes_nobody() -> None:
    """Nor one whose holder cannot be paged."""
    alone = team(leave=[(person, "2026-11-16", "2026-11-30") for person in "ABCD"])
    found = bound(owed(SECONDARY), "05:20", scene=a_scene("05:20", roster=alone))
    assert why(found) == "nobody who can be paged holds the seat of the secondary"
    roster = team()
    mute = replace(roster, people={**roster.people, "C": replace(roster.people["C"], opsgenie=None)})
    found = bound(owed(PRIMARY), "05:20", scene=a_scene("05:20", roster=mute))
    assert why(found) == "nobody who can be paged holds the seat of the primary"


@pytest.mark.parametrize(
    ("person", "maybe", "withdrawn"),
    [("B", True, True), ("B", False, False), ("C", True, False), ("", True, False)],
)
def test_what_may_have_reached_another_is_not_sent_to_a_second(
    person: str, maybe: bool, withdrawn: bool
) -> None:
    """The answer was lost: whoever is on call now has a page of their own."""
    found = bound(owed(PRIMARY, person=person, maybe_taken=maybe))
    assert isinstance(found, Withdraw) is withdrawn
    if withdrawn:
        assert why(found) == "it may have reached B, and C is on call now"


def test_a_page_waits_for_its_turn() -> None:
    """The one before it is under way, or its time has not come: at most a minute, then it is asked again."""
    under_way = owed(PRIMARY, person="C")
    assert bound(owed(SECONDARY), "05:20", under_way) == Later(SOON)
    early = bound(owed(SECONDARY), "05:14:30", done())
    assert early == Later(dt.timedelta(seconds=30))
    assert bound(owed(SECONDARY), "05:05", done()) == Later(dt.timedelta(minutes=1))
    assert bound(owed(SECONDARY), "05:14:59", done()) == Later(SOON)


def test_a_step_that_the_roster_has_no_more_waits_for_nothing() -> None:
    """The escalation was shortened while it was owed: it is asked again until the incident is over."""
    scene = a_scene("05:20")
    short = replace(scene, roster=replace(scene.roster, escalation=scene.roster.escalation[:1]))
    assert bound(owed(SECONDARY), "05:20", done(), scene=short) == Later(SOON)


def test_a_page_of_which_the_answer_was_lost_is_sent_again() -> None:
    """The far side drops a double by its alias."""
    assert (
        sent(bound(owed(SECONDARY, person="D", maybe_taken=True), "05:05", done())).recipients[0].name == "D"
    )


NOT_TAKEN = not_taken("the far side answered 500")


def as_sent(found: Any) -> Send:
    assert isinstance(found, Send), found
    return found


@pytest.mark.parametrize(
    ("step", "clock", "acked", "asked"),
    [
        (SECONDARY, "05:15", (), (PRIMARY,)),
        (SECONDARY, "05:15", (PRIMARY,), ()),  # that it was taken is known
        (PRIMARY, "05:15", (), ()),  # nobody waits for an answer before the first page
    ],
)
def test_before_somebody_further_is_woken_the_open_alerts_are_asked(
    step: str, clock: str, acked: tuple[str, ...], asked: tuple[str, ...]
) -> None:
    """Somebody may have taken one a moment ago: those that the far side has, and no others."""
    others = [done(SECONDARY if step == PRIMARY else PRIMARY, "D" if step == PRIMARY else "C")]
    others += [done("page-3-manager", "M", state="accepted"), owed("page-1-primary", "chat")]
    incident = replace(PAGED, acked=tuple(f"{KEY}:{each}" for each in acked))
    found = as_sent(bound(owed(step), clock, *others, incident=incident))
    assert found.ask_first == tuple(f"{KEY}:{each}" for each in asked)


@pytest.mark.parametrize(
    ("trouble", "before"), [(NOT_TAKEN, PRIMARY), ("Opsgenie does not know C@example.com", None)]
)
def test_who_was_called_first_and_is_not_taken_is_tried_once_more(trouble: str, before: str | None) -> None:
    """In their own words, before the next one's page goes out: the outage may be over."""
    first = owed(PRIMARY, person="C", unreached=trouble)
    found = as_sent(bound(owed(SECONDARY), "05:01", first))
    assert [person.name for person in found.message.recipients] == ["D"]
    tried = [(page.step, person.name) for page in found.before for person in page.recipients]
    assert tried == ([(before, "C")] if before else [])


def test_what_may_have_been_taken_too_early_is_only_looked_for() -> None:
    """It is not its turn: it is not sent again before that."""
    lost = owed(SECONDARY, person="D", maybe_taken=True)
    assert as_sent(bound(lost, "05:14:59", done())).only_look
    assert not as_sent(bound(lost, "05:15", done())).only_look
    assert not as_sent(bound(owed(SECONDARY), "05:15", done())).only_look


@pytest.mark.parametrize("state", ["cancelled", "done"])
def test_only_what_was_or_may_be_taken_is_a_call(state: str) -> None:
    """By hand, in this round."""
    hand = done("page-by-hand-1-primary", state=state)
    found = bound(owed(PRIMARY), "05:05", hand)
    if state == "done":
        assert why(found) == "C was called already"
    else:
        assert [person.name for person in sent(found).recipients] == ["C"]
    anew = replace(PAGED, paged_at=at("05:10"), escalation_round=1)  # that was before it was given back
    again = bound(owed("page-1-primary-1"), "05:10", done("page-by-hand-1-primary"), incident=anew)
    assert [person.name for person in sent(again).recipients] == ["C"]


# The thread tells of it.


@pytest.mark.parametrize(
    ("first", "page", "silent"),
    [
        ({"unreached": NOT_TAKEN}, {"state": "owed"}, True),
        ({"unreached": NOT_TAKEN}, {"state": "accepted"}, False),  # the far side has it: no outage
        ({"unreached": NOT_TAKEN}, {"state": "done"}, False),
        ({"unreached": "Opsgenie does not know C@example.com"}, {"state": "owed"}, False),
    ],
)
def test_in_an_outage_the_thread_names_nobody_in_another_ones_place(
    first: dict[str, Any], page: dict[str, Any], silent: bool
) -> None:
    """Nor that anybody is escalated to, while no page is taken at all."""
    primary = owed(PRIMARY, person="C", **first)
    secondary = done(SECONDARY, "D", **page)
    case = IncidentContext(
        PAGED, (a_report("05:02", **STUCK),), (primary, secondary, owed(SECONDARY, "chat"))
    )
    found = bind(owed(SECONDARY, "chat"), STORED, case, a_scene("05:02"))
    assert isinstance(found, Withdraw) is silent
    if silent:
        words = "its page is not taken yet: in an outage nobody is called in another one's place"
        assert why(found) == words
    after = replace(case, entries=(secondary, owed(SECONDARY, "chat"), primary))  # it was called later
    assert isinstance(bind(owed(SECONDARY, "chat"), STORED, after, a_scene("05:02")), Send)


def test_the_thread_names_nobody_whose_turn_it_is_not() -> None:
    """In the outage they were called in another one's place; now that one's page is taken."""
    case = IncidentContext(
        PAGED,
        (a_report("05:02", **STUCK),),
        (done(), owed(SECONDARY, unreached=NOT_TAKEN), owed(SECONDARY, "chat")),
    )
    found = bind(owed(SECONDARY, "chat"), STORED, case, a_scene("05:02"))
    assert why(found) == "its page is not sent yet: an earlier one was taken meanwhile"
    assert sent(bind(owed(SECONDARY, "chat"), STORED, case, a_scene("05:15")))


def test_who_was_paged_is_named_as_the_roster_names_them_now() -> None:
    """By the account that the page went to."""
    roster = team()
    named = {**roster.people, "B": replace(roster.people["B"], name="Bea")}
    page = done(PRIMARY, "B", account="b@example.com")
    scene = a_scene("05:05", roster=replace(roster, people=named))
    assert [p.name for p in sent(bound(owed(PRIMARY, "chat"), "05:05", page, scene=scene)).recipients] == [
        "Bea"
    ]


def test_the_thread_names_whom_the_page_went_to() -> None:
    """Or goes to now."""
    post = owed(PRIMARY, "chat")
    swapped = a_scene("05:20", roster=team(overrides=[("2026-11-23 05:10", "2026-11-23 09:00", "B", None)]))
    assert [p.name for p in sent(bound(post, "05:20", done(), scene=swapped)).recipients] == ["C"]
    assert [p.name for p in sent(bound(post, "05:20", owed(PRIMARY), scene=swapped)).recipients] == ["B"]
    assert [p.name for p in sent(bound(post, "05:20", scene=swapped)).recipients] == ["B"]


def test_whoever_has_left_the_roster_is_not_named() -> None:
    """Whoever holds the seat now is."""
    post = owed(PRIMARY, "chat")
    assert [p.name for p in sent(bound(post, "05:20", done(person="Z"))).recipients] == ["C"]


def test_the_thread_is_silent_about_a_page_that_was_not_sent() -> None:
    """Or where nobody holds the seat."""
    assert why(bound(owed(PRIMARY, "chat"), "05:01", done(state="cancelled"))) == "its page was not sent"
    alone = team(leave=[(person, "2026-11-16", "2026-11-30") for person in "ABCD"])
    found = bound(owed(SECONDARY, "chat"), "05:20", scene=a_scene("05:20", roster=alone))
    assert why(found) == "nobody holds the seat"


# What was said before due.

LATE: dict[str, Any] = {"tasks": (), "loads": (a_load(),)}
SLOW = {**STUCK, "usual": usually({"transform": 1800.0})}


@pytest.mark.parametrize(("step", "facts"), [("warning", LATE), ("last-chance", SLOW)])
def test_an_early_word_says_what_is_true_now(step: str, facts: dict[str, Any]) -> None:
    """The time left, and who is on call."""
    clock, left = ("04:20", "40 min") if step == "warning" else ("04:40", "20 min")
    message = sent(bound(owed(step), clock, incident=an_incident(), **facts))
    assert left in message.title
    assert [person.name for person in message.recipients] == ["C"]


@pytest.mark.parametrize(
    ("step", "clock", "facts", "reason"),
    [
        ("warning", "05:00", LATE, "it is not at risk any more"),  # it is broken: that is another word
        ("warning", "04:40", {"publication": published("04:39")}, "it is not at risk any more"),
        ("last-chance", "05:00", SLOW, "it is not at risk any more"),
        ("warning", "04:40", SLOW, "it is not so any more"),  # upstream has come, the run is slow
    ],
)
def test_an_early_word_that_has_passed_is_withdrawn(
    step: str, clock: str, facts: dict[str, Any], reason: str
) -> None:
    """Nobody is woken for it."""
    assert why(bound(owed(step), clock, incident=an_incident(), **facts)) == reason


def test_an_early_word_goes_as_it_was_written_while_nothing_can_be_seen() -> None:
    """But to whoever is on call now."""
    found = sent(bound(owed("warning"), "04:40", incident=an_incident(), evaluated=False, **LATE))
    assert (found.title, [person.name for person in found.recipients]) == ("as it was owed", ["C"])


# Failures and reminders.


def test_a_failure_is_told_to_whoever_is_on_call_now() -> None:
    """In the words it had, where nothing newer is known."""
    found = sent(bound(owed("failed-1"), "04:00", incident=an_incident(), evaluated=False))
    assert (found.title, [person.name for person in found.recipients]) == ("as it was owed", ["C"])


@pytest.mark.parametrize(
    ("clock", "tasks", "said"),
    [
        ("04:50", (WAITED, FAILED), "10 min left until 05:00."),
        ("05:03", (WAITED, FAILED), None),
        ("04:50", (WAITED, TRANSFORMS), None),  # another run has begun
    ],
)
def test_a_failure_that_waited_is_told_as_it_stands_now(
    clock: str, tasks: tuple[Task, ...], said: str | None
) -> None:
    """Of the reports that it named."""
    case = IncidentContext(an_incident(), (a_report(clock, tasks=tasks),), (owed("failed-1"),))
    stored = replace(STORED, facts=(("Report", f"investor.daily_growth for {DAY}"),))
    found = bind(owed("failed-1"), stored, case, a_scene(clock))
    if said:
        assert (sent(found).summary, sent(found).step) == (said, "failed-1")
        of_profit = replace(STORED, facts=(("Report", f"investor.daily_profit for {DAY}"),))
        other = bind(owed("failed-1"), of_profit, case, a_scene(clock))
        assert why(other).startswith("it does not stand any more")
        lost = replace(STORED, facts=())  # of a row that somebody spoilt
        assert sent(bind(owed("failed-1"), lost, case, a_scene(clock))).summary == said
        counted = replace(STORED, facts=(("Report", f"investor.daily_profit for {DAY} and 15 more"),))
        assert sent(bind(owed("failed-1"), counted, case, a_scene(clock))).summary == said
    else:
        assert why(found) == "it does not stand any more, or its page tells of it"
    unseen = a_report(clock, unreadable=("warehouse: connection refused",), blind=True)
    assert (
        sent(bind(owed("failed-1"), stored, replace(case, members=(unseen,)), a_scene(clock))).title
        == STORED.title
    )


def test_a_host_whose_clock_is_behind_leaves_the_thread_its_page() -> None:
    """It was owed at an instant that is not there yet by this clock: nobody has taken an earlier one."""
    case = IncidentContext(PAGED, (a_report("05:00", **STUCK),), (owed(PRIMARY), owed(PRIMARY, "chat")))
    assert isinstance(bind(owed(PRIMARY, "chat"), STORED, case, a_scene("04:59:59")), Later)
    assert isinstance(bind(owed(PRIMARY, "chat"), STORED, case, a_scene("05:00")), Send)


def test_a_failure_that_is_late_in_a_moment_waits_for_that_page() -> None:
    """One page, not two; but the due time may be moved until then. Of what was paged for, no page is to come."""
    stored = replace(STORED, facts=(("Report", f"investor.daily_growth for {DAY}"),))

    def bound_at(clock: str, **incident: Any) -> Any:
        case = IncidentContext(
            an_incident(**incident), (a_report(clock, tasks=(WAITED, FAILED)),), (owed("failed-1"),)
        )
        return bind(owed("failed-1"), stored, case, a_scene(clock))

    assert isinstance(bound_at("04:59:31"), Later)
    assert why(bound_at("05:00")) == "it does not stand any more, or its page tells of it"
    assert sent(bound_at("04:59:31", paged_at=at("04:40"))).step == "failed-1"


@pytest.mark.parametrize(
    ("taken", "owed_at", "withdrawn"),
    [
        ("05:03", "05:03", True),
        ("05:03", "05:02", True),
        ("05:03", "05:03:00.000001", False),
        (None, "05:02", False),
    ],
)
def test_a_failure_is_not_told_to_whoever_has_the_incident(
    taken: str | None, owed_at: str, withdrawn: bool
) -> None:
    """What fails after they took it is news again."""
    incident = replace(PAGED, acknowledged_at=at(taken) if taken else None)
    found = bound(owed("failed-1", owed_at=at(owed_at)), "05:20", incident=incident, evaluated=False)
    assert isinstance(found, Withdraw) is withdrawn
    if withdrawn:
        assert why(found) == "somebody has acknowledged the incident"


def test_a_reminder_of_what_was_taken_back_is_withdrawn() -> None:
    """The escalation has begun again."""
    assert why(bound(owed("reminder-0-1"), "06:10")) == "the acknowledgement was taken back"
    assert sent(bound(owed("reminder-0-1"), "06:10", incident=TAKEN)) == STORED


def test_after_an_outage_whoever_has_it_is_asked_once() -> None:
    """What was not sent for an hour says what is not true any more."""
    asked = replace(TAKEN, reminders=2)
    assert why(bound(owed("reminder-0-1"), "07:10", incident=asked)) == "they are asked again by now"
    assert sent(bound(owed("reminder-0-2"), "07:10", incident=asked)) == STORED


def test_a_reminder_of_an_earlier_round_is_withdrawn() -> None:
    """However often they were asked then."""
    asked = replace(TAKEN, paged_at=at("05:02"), escalation_round=1, reminders=1)
    assert why(bound(owed("reminder-0-4"), "07:10", incident=asked)) == "they are asked again by now"
    assert sent(bound(owed("reminder-1-1"), "07:10", incident=asked)) == STORED


def test_what_was_for_nobody_stays_so_while_nothing_can_be_seen() -> None:
    """Somebody had it when the last chance was said: it rings at nobody."""
    quiet = replace(STORED, recipients=())
    case = IncidentContext(an_incident(), (a_report("04:40", **SLOW),), (owed("last-chance"),), False)
    assert sent(bind(owed("last-chance"), quiet, case, a_scene("04:40"))) == quiet


@pytest.mark.parametrize("step", ["warning", "failed-1"])
def test_where_nobody_is_on_call_an_early_word_goes_to_whom_it_was_for(step: str) -> None:
    """Before the rota begins."""
    scene = a_scene("04:40", roster=team([turns("2027-01-04", "AB BA")]))
    case = IncidentContext(an_incident(), (a_report("04:40", **LATE),), (owed(step),), False)
    assert [person.name for person in sent(bind(owed(step), STORED, case, scene)).recipients] == ["X"]


# What another team hears.

ROOM = "#swe-master-data"
THEIRS = replace(STORED, channel=ROOM)


def for_others(
    step: str = f"upstream-late:{ROOM}:master.sessions",
    clock: str = "04:20",
    *,
    told: bool = True,
    **facts: Any,
) -> Send | Later | Withdraw:
    member = a_report(clock, **(facts or LATE))
    return bind_for_others(owed(step, "chat"), THEIRS, DAY, [member], a_scene(clock), told=told)


def test_the_team_that_loads_the_tables_hears_what_is_true_now() -> None:
    """In the words of this minute, of the tables that it is about; as it was owed while nothing is known."""
    assert sent(for_others()).title.endswith("holds back Growth ETL, 22 Nov, due 05:00 in 40 min")
    step = f"upstream-late:{ROOM}:master.sessions"
    assert sent(for_others()).step == step
    assert sent(bind_for_others(owed(step, "chat"), THEIRS, DAY, [], a_scene("04:20"), told=True)) == THEIRS
    assert why(for_others(tasks=(WAITED, TRANSFORMS))) == "it is not late any more"
    assert why(for_others(f"upstream-late:{ROOM}:master.orders")) == "it is not late any more"


def test_another_teams_channel_is_told_by_its_own_team_alone() -> None:
    """The words of one team are never sent into the channel of another."""
    assert why(for_others("upstream-late:#other-team:master.sessions")) == "it is not late any more"


def test_that_a_table_came_is_told_to_whoever_was_told_that_it_was_late() -> None:
    """Also once the incident is over."""
    step = f"upstream-arrived:{ROOM}:master.sessions"
    assert sent(for_others(step)) == THEIRS
    assert why(for_others(step, told=False)) == "they were not told that it was late"


# About an alert.


@pytest.mark.parametrize("op", ["close", "acknowledge", "note"])
@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ({"state": "done"}, Send(STORED)),
        ({"state": "owed"}, Later()),
        ({"state": "accepted"}, Later()),
        ({"state": "cancelled", "maybe_taken": True}, Send(STORED)),
        ({"state": "cancelled"}, Withdraw("its alert was never sent")),
        (None, Send(STORED)),  # of before this outbox
    ],
)
def test_an_alert_has_to_be_there_first(op: str, page: dict[str, Any] | None, expected: Any) -> None:
    """Before it is closed, acknowledged or annotated."""
    entry = owed(f"{op}:x", op=op, alias=f"{KEY}:{PRIMARY}")
    others = (done(**page),) if page else ()
    incident = OVER if op == "close" else PAGED
    assert bound(entry, "05:20", *others, incident=incident) == expected
    other_alert = done(SECONDARY, "D", state="owed")
    assert bound(entry, "05:20", *others, other_alert, incident=incident) == expected


def test_what_goes_on_is_not_closed() -> None:
    """Its pipeline was put back before its alert could be closed; one that is told with another keeps no alert."""
    close = owed("close:x", op="close", alias=f"{KEY}:{PRIMARY}")
    assert why(bound(close, "05:20", done())) == "the incident goes on"
    assert (
        sent(bound(close, "05:20", done(), incident=replace(PAGED, leader="profit_etl:2026-11-22"))) == STORED
    )


def test_an_alert_of_an_incident_that_is_over_is_closed_but_not_annotated() -> None:
    """A note would only reopen the matter."""
    entry = owed("cause-1:x", op="note", alias=f"{KEY}:{PRIMARY}")
    assert why(bound(entry, "05:20", done(), incident=OVER)) == "the incident is over"
    close = owed("close:x", op="close", alias=f"{KEY}:{PRIMARY}")
    assert sent(bound(close, "05:20", done(), incident=OVER)) == STORED
