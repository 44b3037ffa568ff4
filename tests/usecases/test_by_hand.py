"""A night with people at the page: acknowledge, resolve with a note, page the secondary now."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.history import History
from oncall.core.incidents.incident import Event
from oncall.core.promises.facts import Dag, Load, Task
from oncall.usecases.manual_actions import Outcome, note_run
from tests.usecases.conftest_night import DAY, Night, at

KEY = "growth_etl:2026-11-22"


def press(
    night: Night, what: str, clock: str, key: str = KEY, by: str = "anna", note: str = "known"
) -> Outcome:
    """Press a button of the page at this time, and send what it owes."""
    by_hand = night.by_hand(by, at(clock))
    if what == "acknowledge":
        outcome = by_hand.acknowledge(key)
    elif what == "resolve":
        outcome = by_hand.resolve(key, note)
    else:
        outcome = by_hand.page(key)
    night.send(clock)
    return outcome


@pytest.fixture
def broken(night: Night) -> Night:
    """Growth is not published at 05:00: DE-003 is paged."""
    night.world.missing("growth_etl")
    night.look("05:00")
    assert night.steps == ["page-1-primary"]
    return night


def test_acknowledging_on_the_page_stops_the_escalation_everywhere(broken: Night) -> None:
    """The pager is told with the user's name, the thread too, and nobody else is paged."""
    assert press(broken, "acknowledge", "05:03").done
    assert ("acknowledge", f"{KEY}:page-1-primary") in broken.pager.told
    assert broken.pager.alerts[f"{KEY}:page-1-primary"].owner == "anna"
    assert any("Acknowledged by anna" in m.title for m, _ in broken.chat.posts)
    broken.look("05:20")
    assert broken.steps == ["page-1-primary"]


def test_a_second_acknowledgement_says_who_was_first(broken: Night) -> None:
    """Two people press at once: one has it, the other is told who."""
    press(broken, "acknowledge", "05:03")
    again = press(broken, "acknowledge", "05:03:30", by="bert")
    assert (again.done, again.words) == (False, "anna has acknowledged it already.")


def test_paging_the_secondary_by_hand_wakes_them_at_once(broken: Night) -> None:
    """P1 to the secondary on call now, with the cause's steps; the thread says who asked."""
    assert press(broken, "page", "05:02").done
    page = broken.pager.paged[-1]
    assert (page.step, page.priority, page.recipients[0].name) == ("page-by-hand-1-secondary", "P1", "DE-004")
    assert "anna asks for you now" in page.title
    assert "steps for not_started" in page.steps
    assert any(m.step == page.step for m, _ in broken.chat.posts)


def test_a_double_press_pages_once(broken: Night) -> None:
    """A shaking finger wakes nobody; a press a minute later wakes the next one, and then nobody is left."""
    press(broken, "page", "05:02")
    assert not press(broken, "page", "05:02:20").done
    assert len(broken.pager.paged) == 2
    assert press(broken, "page", "05:03:01").done
    assert broken.steps[-1] == "page-by-hand-2-manager"
    assert "Everybody" in press(broken, "page", "05:10").words
    assert [page.recipients[0].name for page in broken.pager.paged] == ["DE-003", "DE-004", "DE-MANAGER"]


def test_whoever_was_paged_by_hand_is_not_paged_again(broken: Night) -> None:
    """The escalation goes on with who is left, as long after them as it would have been."""
    press(broken, "page", "05:02")
    for clock in ("05:15", "05:16", "05:17", "05:30", "05:40"):
        broken.look(clock)
    assert [page.recipients[0].name for page in broken.pager.paged] == ["DE-003", "DE-004", "DE-MANAGER"]


def test_the_page_wakes_whom_it_named(broken: Night) -> None:
    """Somebody else was first to press: the one who is next by now is not woken in the place of the one named."""
    press(broken, "page", "05:02")
    at_0504 = broken.by_hand("bert", at("05:04")).page(KEY, "DE-004")
    assert (at_0504.done, at_0504.words) == (
        False,
        "DE-004 is not next any more: the next one is DE-MANAGER.",
    )


def test_a_warning_that_rang_counts_as_a_page(night: Night) -> None:
    """Before due whoever the warning woke is not woken again by the button: the next one is."""
    night.world.missing("growth_etl", Load("master.sessions", None, None, 5000.0))
    night.look("03:30")
    woken = {page.recipients[0].name for page in night.pager.paged}
    press(night, "page", "04:00")
    assert night.pager.paged[-1].recipients[0].name not in woken


def test_whoever_was_paged_by_hand_can_acknowledge(broken: Night) -> None:
    """Their acknowledgement is heard like any other."""
    press(broken, "page", "05:02")
    broken.acknowledge(f"{KEY}:page-by-hand-1-secondary", "de-004@example.com")
    broken.look("05:16")
    assert "page-2-secondary" not in broken.steps


def test_resolving_closes_every_alert_and_stays_resolved(broken: Night) -> None:
    """The note is in the thread, the alerts are closed, and the next looks wake nobody for it."""
    press(broken, "page", "05:02")
    assert press(broken, "resolve", "05:10", note="investors were told, see thread").done
    assert not any(state.open for state in broken.pager.alerts.values())
    assert any("investors were told" in m.summary for m, _ in broken.chat.posts)
    pages = len(broken.pager.paged)
    for clock in ("05:10:15", "05:16", "06:00"):
        broken.look(clock)
    assert len(broken.pager.paged) == pages


def test_resolving_a_warning_does_not_resolve_the_promise(night: Night) -> None:
    """At 04:10 somebody thinks that all is well; at 05:00 it is not, and that pages."""
    night.world.missing("growth_etl", Load("master.sessions", None, None, 5000.0))
    night.look("03:30")
    assert press(night, "resolve", "04:10", note="they promised").done
    night.look("04:11")
    night.look("04:50")
    assert night.steps == ["warning"]
    night.look("05:00")
    assert night.pager.paged[-1].step == "page-1-primary"
    assert night.pager.paged[-1].recipients[0].name == "DE-003"


def test_resolving_ends_all_that_it_speaks_for(night: Night) -> None:
    """One missing table holds back two reports and is said once; resolving it ends both."""
    missing = Load("master.sessions", None, None, 5000.0)
    for dag in ("growth_etl", "engagement_etl"):
        night.world.missing(dag, missing)
    night.look("05:00")
    (page,) = night.pager.paged
    assert press(night, "resolve", "05:05", key=page.key).done
    night.look("05:06")
    with night.store.decision_lock() as decision:
        assert [one.key for one in decision.incidents() if one.open] == []


def test_acting_on_a_follower_acts_on_the_one_that_speaks(night: Night) -> None:
    """Whichever of the two is acknowledged, the one alert is."""
    missing = Load("master.sessions", None, None, 5000.0)
    for dag in ("growth_etl", "engagement_etl"):
        night.world.missing(dag, missing)
    night.look("05:00")
    (page,) = night.pager.paged
    follower = next(key for key in (KEY, "engagement_etl:2026-11-22") if key != page.key)
    assert press(night, "acknowledge", "05:01", key=follower).done
    assert ("acknowledge", page.alias) in night.pager.told


@pytest.mark.parametrize("what", ["acknowledge", "resolve", "page"])
@pytest.mark.parametrize("key", [KEY, "nonsense", "growth_etl:1999-01-01"])
def test_what_is_not_open_cannot_be_acted_on(night: Night, what: str, key: str) -> None:
    """Resolved meanwhile, or never there: said kindly, nothing is sent."""
    outcome = press(night, what, "05:00", key=key)
    assert (outcome.done, outcome.words) == (False, "This incident is not open any more.")
    assert not night.pager.paged
    assert not night.pager.told
    assert not night.chat.posts


@pytest.mark.parametrize("key", [KEY, "engagement_etl:2026-11-22"])
def test_nothing_is_changed_of_a_pipeline_that_one_may_not_change(night: Night, key: str) -> None:
    """Whoever speaks and whoever is spoken for are changed together, so one that is another's stops it all."""
    late = Load("master.sessions", None, None, 5000.0)
    for dag_id in ("growth_etl", "engagement_etl"):
        night.world.missing(dag_id, late)
    night.look("05:00")
    before = night.store.snapshot()
    for dag_ids in ((), ("growth_etl",), ("engagement_etl",), ("profit_etl",)):
        anna = night.by_hand("anna", at("05:03"), dag_ids)
        for outcome in (anna.acknowledge(key), anna.resolve(key, "known"), anna.page(key)):
            assert not outcome.done
            assert "you may not change" in outcome.words
    assert night.store.snapshot() == before
    both = ("growth_etl", "engagement_etl")
    assert night.by_hand("anna", at("05:03"), both).acknowledge(key).done


def test_resolving_needs_a_note(broken: Night) -> None:
    """Whoever ends it says why."""
    assert not press(broken, "resolve", "05:10", note="  ").done


def test_a_failure_after_the_publication_is_told_again(broken: Night) -> None:
    """Resolved by hand, published at 06:00, a rerun fails at 07:00: that is news."""
    press(broken, "resolve", "05:10")
    broken.world.publish("growth_etl", at("06:00"))
    broken.look("06:00:10")
    broken.runs.of["growth_etl", DAY] = (Task("check", "failed", at("07:00"), at("07:01"), "manual", "no"),)
    broken.look("07:01")
    assert broken.pager.paged[-1].step == "failed-1"


def test_a_failure_after_the_publication_that_somebody_ended_is_not_told_again(night: Night) -> None:
    """The report stands, its rerun failed, a person knows; another failure is news."""
    night.world.publish("growth_etl", at("04:30"))
    night.runs.of["growth_etl", DAY] = (Task("check", "failed", at("06:00"), at("06:10"), "manual", "no"),)
    night.look("06:10:15")
    assert press(night, "resolve", "06:12").done
    for clock in ("06:12:15", "06:30"):
        night.look(clock)
    assert night.steps == ["failed-1"]
    night.runs.of["growth_etl", DAY] = (Task("check", "failed", at("07:00"), at("07:01"), "again", "no"),)
    night.look("07:01")
    assert [page.alias for page in night.pager.paged][1:] == [f"{KEY}:r2:failed-1"]


def test_what_came_of_a_run_is_a_reply(broken: Night) -> None:
    """In the thread that asked for it, calling nobody; that a run was started is none."""
    before = len(broken.chat.posts)
    note_run(broken.store, ("growth_etl", DAY), "anna", "run manual__1", at("05:10"))
    note_run(broken.store, ("growth_etl", DAY), "bert", "run stale__2", at("05:11"), "4 numbers restated")
    broken.look("05:11:15")
    [(reply, thread)] = broken.chat.posts[before:]
    assert (reply.title, reply.recipients, thread) == (
        "bert ran the day again: 4 numbers restated",
        (),
        "1.0",
    )


def test_a_day_run_again_is_a_line_of_its_newest_incident(
    broken: Night, request: pytest.FixtureRequest
) -> None:
    """Who, which run, what came of it; a day without an incident, and a drill of that day, have no such line."""
    note_run(broken.store, ("growth_etl", DAY), "anna", "run manual__1", at("05:10"))
    note_run(broken.store, ("growth_etl", DAY), "bert", "run stale__2", at("05:20"), "4 numbers restated")
    note_run(broken.store, ("profit_etl", DAY), "anna", "run manual__3", at("05:30"))
    if isinstance(broken.store, MemoryStore):
        events: Sequence[Event] = broken.store.events
    else:
        record = History(connect_to(request.getfixturevalue("oncall_database"))).record(KEY)
        events = record.events if record else ()
    assert [(event.key, event.what) for event in events if " ran the day " in event.what] == [
        (KEY, "anna ran the day again (run manual__1)"),
        (KEY, "bert ran the day again (run stale__2): 4 numbers restated"),
    ]


def test_whoever_is_paged_later_reads_first_what_the_first_one_read(night: Night) -> None:
    """What is known to come first is told from the incident as it was written down, too."""
    night.world.missing("growth_etl")
    night.runs.seen["growth_etl"] = Dag(at("04:55"), paused=True)
    night.look("05:00")
    assert press(night, "page", "05:02").done
    first, second = (message.steps for message in night.pager.paged)
    assert first == second
    assert first.startswith("**Do:** unpause the DAG growth_etl.")


def test_who_was_paged_by_hand_before_it_was_due_holds_nobody_up(night: Night) -> None:
    """They are not paged again, and the manager is when the roster says so."""
    night.world.missing("growth_etl", Load("master.sessions"))
    night.look("03:30")
    assert night.by_hand("DE-001", at("04:00")).page(KEY).done
    for clock in ("04:00", "05:00", "05:15", "05:15:15", "05:30", "05:30:15"):
        night.look(clock)
    woken = [page.recipients[0].name for page in night.pager.paged if page.priority == "P1"]
    assert woken == ["DE-004", "DE-003", "DE-MANAGER"]


def test_a_page_by_hand_of_the_night_does_not_keep_the_new_pair_from_being_paged(night: Night) -> None:
    """The new primary was called by hand before the handoff, in another round of the escalation."""
    night.world.missing("growth_etl")
    night.look("05:00")
    assert night.by_hand("DE-001", at("05:01")).page(KEY).done
    for clock in ("05:01", "05:15", "05:30", "09:00", "09:00:15"):
        night.look(clock)
    assert [page.recipients[0].name for page in night.pager.paged][-1] == "DE-004"
