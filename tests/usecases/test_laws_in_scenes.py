"""The laws of paging as scenes: who is woken when, after outages, handoffs, changed rosters, lost databases."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.core.errors import DeliveryFailed, NotAllowed
from oncall.core.message import Message
from oncall.core.promises.facts import Load, Task
from oncall.core.promises.promise import Promise
from oncall.core.rota.roster import EscalationStep, Leave, Override
from oncall.core.time_format import span
from oncall.usecases import pager_delivery
from oncall.usecases.channel_ports import AlertState, RequestOutcome
from tests.usecases.conftest_night import DAY, Night, a_setup, at

KEY = f"growth_etl:{DAY}"
OUT = DeliveryFailed("connection refused")


@pytest.fixture
def broken(night: Night) -> Night:
    """Growth is missing, and nobody has looked since five."""
    night.world.missing("growth_etl")
    return night


def woken(night: Night) -> list[tuple[str, str]]:
    """(step, person) of every P1 alert, as they were taken."""
    return [(page.step, page.recipients[0].name) for page in night.pager.paged if page.priority == "P1"]


def said(night: Night, words: str) -> list[str]:
    return [message.title for message, _ in night.chat.posts if words in message.title]


# 1. Reading the far side is a courtesy.


def test_a_key_that_may_not_read_still_pages(broken: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer was lost; whether it is there cannot be asked: it is sent again under the same alias."""

    def refused(*_: object) -> AlertState:
        raise NotAllowed("403: this key may not read; write one that may")

    monkeypatch.setattr(broken.pager, "alert_state", refused)
    monkeypatch.setattr(broken.pager, "request_state", refused)
    broken.pager.fail = [DeliveryFailed("HTTP 500", uncertain=False)]
    broken.look("05:00")
    broken.look("05:00:15")
    assert woken(broken) == [("page-1-primary", "DE-003")]
    broken.look("05:00:30")
    assert len(said(broken, "Acknowledgements in Opsgenie are not heard")) == 1
    assert woken(broken) == [("page-1-primary", "DE-003")], (
        "a receipt that cannot be confirmed is one all the same"
    )


# 2. Every step is woken in time, or the next one is called at once; the order holds.


def test_after_an_outage_the_primary_is_first_and_the_others_have_their_waits(broken: Night) -> None:
    """Opsgenie takes nothing from 05:00 to 05:20."""
    broken.pager.fail = [OUT] * 1000
    broken.looks("05:00", "05:19:45")
    broken.pager.fail = []
    broken.looks("05:20", "05:34:45")
    assert woken(broken) == [("page-1-primary", "DE-003")]
    broken.looks("05:35", "05:49:45")
    assert woken(broken)[1:] == [("page-2-secondary", "DE-004")]
    assert broken.pager.paged[-1].title.startswith(f"ESCALATED, DE-003 silent {span(15 * 60)}: ")
    broken.look("05:50:15")
    assert woken(broken)[2:] == [("page-3-manager", "DE-MANAGER")]


def test_a_request_that_is_not_carried_out_is_made_anew_and_then_the_next_one_is_called(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 15 s the same alias again; after 45 s the secondary, and the thread says why."""
    asked: list[Message] = []

    def page(message: Message) -> str:
        asked.append(message)
        return f"request-{message.recipients[0].name}"

    def state(request_id: str) -> RequestOutcome:
        return RequestOutcome("pending" if request_id == "request-DE-003" else "done")

    monkeypatch.setattr(broken.pager, "page", page)
    monkeypatch.setattr(broken.pager, "request_state", state)
    monkeypatch.setattr("oncall.usecases.page_requests.CARRIED_OUT_WITHIN_S", 0.0)
    broken.looks("05:00", "05:00:40", 5)
    assert {message.alias for message in asked} == {f"{KEY}:page-1-primary"}
    assert len(asked) >= 3
    broken.looks("05:01", "05:01:15")
    assert asked[-1].alias == f"{KEY}:page-2-secondary" or f"{KEY}:page-2-secondary" in {
        m.alias for m in asked
    }
    assert said(
        broken, "DE-003 (primary) could not be paged: the pager has taken the page and does not carry it out"
    )


def test_a_page_that_reaches_somebody_else_calls_the_next_one(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An integration that a team owns overwrites whom a page is for."""

    def overwritten(alias: str) -> AlertState:
        return AlertState(open=True, acknowledged=False, responders=("team:data-engineering",))

    monkeypatch.setattr(broken.pager, "alert_state", overwritten)
    broken.look("05:00")
    broken.look("05:00:15")
    assert woken(broken)[:2] == [("page-1-primary", "DE-003"), ("page-2-secondary", "DE-004")]
    (title, *_) = said(broken, "DE-003 (primary) could not be paged")
    assert "team:data-engineering" in title
    (post, *_) = [m for m, _ in broken.chat.posts if m.step.startswith("unreached:")]
    assert "no team owns" in post.summary


def test_a_far_side_that_asks_to_wait_does_not_make_a_first_page_wait(broken: Night) -> None:
    """429 with a minute: the first call is tried within 20 s, once somebody is woken the others keep the minute."""
    broken.pager.fail = [DeliveryFailed("429", retry_after=60)]
    broken.look("05:00")
    broken.look("05:00:20")
    assert woken(broken) == [("page-1-primary", "DE-003")]
    broken.pager.fail = [DeliveryFailed("429", retry_after=60)]
    broken.look("05:15")
    broken.look("05:15:30")
    assert len(woken(broken)) == 1
    broken.look("05:16")
    assert woken(broken)[1:] == [("page-2-secondary", "DE-004")]


def test_after_an_outage_of_both_the_thread_names_nobody_who_is_not_called(broken: Night) -> None:
    """It told of an escalation after 0 s, and named the secondary and the manager, whose pages had yet to wait."""
    broken.pager.fail = broken.chat.fail = [OUT] * 1000
    broken.looks("05:00", "05:03")
    broken.pager.fail = broken.chat.fail = []
    broken.looks("05:03:15", "05:18")
    assert woken(broken) == [("page-1-primary", "DE-003")]
    assert not said(broken, "ESCALATED")
    broken.looks("05:18:15", "05:19")
    assert len(said(broken, f"ESCALATED, DE-003 silent {span(15 * 60)}")) == 1


# 3. What is said is true when it is said.


def test_a_report_that_comes_during_an_outage_wakes_nobody(broken: Night) -> None:
    """Published at 05:00:30, Opsgenie is back at 05:01: no page, and nothing is left open."""
    broken.pager.fail = [OUT] * 20
    broken.looks("05:00", "05:00:30")
    broken.world.publish("growth_etl", at("05:00:30"))
    broken.look("05:00:45")
    broken.pager.fail = []
    broken.looks("05:01", "05:02")
    assert woken(broken) == []
    assert broken.store.waiting() == 0
    assert said(broken, "Resolved: Growth ETL")


def test_an_acknowledgement_on_the_page_during_an_outage_wakes_nobody_else(broken: Night) -> None:
    """The secondary's page waits for Opsgenie; somebody takes it on the On-call page: it is never sent."""
    broken.look("05:00")
    broken.pager.fail = [OUT] * 50
    broken.looks("05:15", "05:16")
    assert broken.by_hand("DE-003", at("05:16:05")).acknowledge(KEY).done
    broken.pager.fail = []
    broken.looks("05:16:15", "05:45")
    assert woken(broken) == [("page-1-primary", "DE-003")]


def test_after_a_handoff_during_an_outage_only_the_new_pair_is_woken(broken: Night) -> None:
    """Opsgenie is away from 08:59 to 09:05, and the shift ends at nine."""
    night = broken
    night.config = replace(
        night.config,
        pipelines={
            "growth_etl": replace(
                night.config.pipelines["growth_etl"], promise=Promise(dt.time(8, 59), dt.time(8))
            )
        },
    )
    night.world.missing("growth_etl")
    night.pager.fail = [OUT] * 60
    night.looks("08:59", "09:04:45")
    night.pager.fail = []
    night.looks("09:05", "09:06")
    assert woken(night) == [("page-1-primary", "DE-004")]


def test_what_waited_says_what_is_true_now(broken: Night) -> None:
    """Late since five when Opsgenie is back: the page says so."""
    broken.pager.fail = [OUT] * 2000
    broken.looks("05:00", "05:19:45")
    broken.pager.fail = []
    broken.look("05:20:15")
    assert "late since 05:00" in broken.pager.paged[0].title


# 4. Who is on call now is who is paged.


@pytest.mark.parametrize("change", ["override", "leave", "removed"])
def test_a_new_primary_is_paged_once_and_the_thread_says_why(broken: Night, change: str) -> None:
    """The roster changes at 05:05: whoever is primary now is woken, nobody twice."""
    broken.look("05:00")
    start, roster = at("05:05"), broken.config.roster
    if change == "override":
        roster = replace(roster, overrides=(Override(start, at("09:00"), primary="DE-001"),))
    elif change == "leave":
        roster = replace(roster, leave=(Leave("DE-003", at("09:00", DAY), at("09:00")),))
    else:
        weeks = tuple(("DE-001", b) if a == "DE-003" else (a, b) for a, b in roster.rotation[0].weeks)
        people = {name: person for name, person in roster.people.items() if name != "DE-003"}
        weeks = tuple((a, "DE-001" if b == "DE-003" else b) for a, b in weeks)
        roster = replace(roster, people=people, rotation=(replace(roster.rotation[0], weeks=weeks),))
    broken.config = replace(broken.config, roster=roster)
    broken.looks("05:05", "05:06")
    new = woken(broken)[1][1]
    assert new != "DE-003"
    assert len(woken(broken)) == 2
    assert f"{new} is on call now" in broken.pager.paged[-1].summary
    broken.looks("05:06:15", "05:40")
    called = [person for _, person in woken(broken)]
    assert len(called) == len(set(called)), "nobody twice"
    assert called[-1] == "DE-MANAGER"


def test_a_page_that_is_taken_just_after_the_handoff_wakes_the_new_pair_too(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bound to the old primary a second before it, taken a second after it: nobody may rely on the other one."""
    page = broken.pager.page

    def slow(message: Message) -> str:
        broken.now = at("09:00:01")
        return page(message)

    late = replace(broken.config.pipelines["growth_etl"], promise=Promise(dt.time(8, 59, 59), dt.time(8)))
    broken.config = replace(broken.config, pipelines={"growth_etl": late})
    monkeypatch.setattr(broken.pager, "page", slow)
    broken.look("08:59:59")
    broken.looks("09:00:05", "09:10")
    assert [person for _, person in woken(broken)] == ["DE-003", "DE-004"]
    assert "DE-004 is on call now" in broken.pager.paged[-1].summary


def test_a_step_put_in_between_wakes_nobody_again(broken: Night) -> None:
    """At 05:20 the roster gets a step for the manager after 5 minutes: only the manager is called."""
    broken.looks("05:00", "05:20")
    minutes = ((0, "primary"), (5, "manager"), (15, "secondary"), (30, "manager"))
    steps = tuple(EscalationStep(dt.timedelta(minutes=m), seat) for m, seat in minutes)  # type: ignore[arg-type]
    broken.config = replace(broken.config, roster=replace(broken.config.roster, escalation=steps))
    broken.looks("05:20:15", "05:50")
    assert [person for _, person in woken(broken)] == ["DE-003", "DE-004", "DE-MANAGER"]


def test_a_manager_who_is_also_secondary_is_paged_once(broken: Night) -> None:
    """One person is left: they are primary, and the manager is secondary."""
    away = tuple(Leave(name, at("09:00", DAY), at("09:00")) for name in ("DE-004", "DE-001", "DE-002"))
    broken.config = replace(broken.config, roster=replace(broken.config.roster, leave=away))
    broken.looks("05:00", "05:45", 60)
    assert [person for _, person in woken(broken)] == ["DE-003", "DE-MANAGER"]


def test_an_acknowledgement_a_second_before_a_step_stops_it(broken: Night) -> None:
    """Nobody has heard of it yet when the step fires: it is asked for right before."""
    broken.look("05:00")
    broken.now = at("05:15")
    broken.only_look()
    broken.acknowledge(f"{KEY}:page-1-primary", "de-003@example.com")
    broken.send("05:15:01")
    assert woken(broken) == [("page-1-primary", "DE-003")]
    assert said(broken, "Acknowledged by DE-003, ")


def test_a_pager_that_needs_long_to_say_who_has_it_delays_no_further_step(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest alert is asked about first; when that took too long, the next one is called without more questions."""
    broken.looks("05:00", "05:29:45")
    asked, alert_state = [], broken.pager.alert_state

    def slow(alias: str) -> AlertState | None:
        asked.append(alias.removeprefix(f"{KEY}:"))
        time.sleep(0.02)
        return alert_state(alias)

    monkeypatch.setattr(pager_delivery, "MOST_ASKED_S", 0.01)
    monkeypatch.setattr(broken.pager, "alert_state", slow)
    broken.now = at("05:30")
    broken.only_look()
    broken.send("05:30:01")
    assert woken(broken)[-1] == ("page-3-manager", "DE-MANAGER")
    assert asked[:2] == ["page-2-secondary", "page-3-manager"]  # the latter to see whom it reached


def test_an_acknowledgement_taken_back_starts_the_escalation_again(broken: Night) -> None:
    """Unacknowledged in Opsgenie at 05:10: the primary is woken again, the secondary 15 minutes after that."""
    broken.look("05:00")
    alias = f"{KEY}:page-1-primary"
    broken.acknowledge(alias, "de-003@example.com")
    broken.look("05:05")
    broken.pager.alerts[alias] = replace(broken.pager.alerts[alias], acknowledged=False, owner="")
    broken.looks("05:10", "05:24:45")
    assert woken(broken) == [("page-1-primary", "DE-003"), ("page-1-primary-1", "DE-003")]
    assert said(broken, "Acknowledgement of DE-003 taken back")
    broken.look("05:25:15")
    assert woken(broken)[2:] == [("page-2-secondary-1", "DE-004")]


@pytest.mark.parametrize("how", ["acknowledged", "closed"])
def test_what_a_policy_does_by_itself_stops_nobodys_call(broken: Night, how: str) -> None:
    """An auto-close or an integration that acknowledges is no person."""
    broken.look("05:00")
    alias = f"{KEY}:page-1-primary"
    state = broken.pager.alerts[alias]
    closed = replace(state, open=False, closed_by="System")
    broken.pager.alerts[alias] = (
        closed if how == "closed" else replace(state, acknowledged=True, owner="Alert API")
    )
    broken.looks("05:05", "05:15")
    assert woken(broken)[1:] == [("page-2-secondary", "DE-004")]
    assert not said(broken, "Acknowledged by")


def test_one_acknowledged_alert_acknowledges_the_others_of_its_incident(broken: Night) -> None:
    """The secondary takes it: the primary's alert does not go on ringing."""
    broken.looks("05:00", "05:15")
    broken.acknowledge(f"{KEY}:page-2-secondary", "de-004@example.com")
    broken.look("05:16")
    assert ("acknowledge", f"{KEY}:page-1-primary") in broken.pager.told
    assert ("acknowledge", f"{KEY}:page-2-secondary") not in broken.pager.told


def test_an_acknowledged_warning_does_not_count_for_the_page(night: Night) -> None:
    """The primary took the warning at four and may be asleep again at five; its alert still shows it."""
    from oncall.core.promises.facts import Load

    night.world.missing("growth_etl", Load("master.sessions"))
    night.look("03:30")
    night.acknowledge(f"{KEY}:warning", "de-003@example.com")
    for clock in ("04:00", "05:00", "05:10", "05:15"):
        night.look(clock)
    assert woken(night) == [("page-1-primary", "DE-003"), ("page-2-secondary", "DE-004")]


# 5. Nothing acknowledged or resolved is ever forgotten.


def test_a_database_that_comes_back_empty_hears_of_what_is_still_broken(broken: Night) -> None:
    """A new store, a new watcher: reports were published before, so what fell due in the last hours is told anew."""
    broken.look("05:00")
    empty = MemoryStore(now=lambda: broken.now)
    broken.store = empty
    broken.look("05:10")
    assert empty.incidents_by_key[KEY].open
    assert len(woken(broken)) == 1, "the alert is there already: an open alias takes no double"
    broken.world.publish("growth_etl", at("05:20"))
    broken.look("05:20:15")
    assert not broken.pager.alerts[f"{KEY}:page-1-primary"].open


@pytest.mark.parametrize("owed_before", [False, True])
def test_how_long_a_page_was_tried_from_memory_is_known_to_the_database(
    broken: Night, monkeypatch: pytest.MonkeyPatch, owed_before: bool
) -> None:
    """The pager takes none of the primary's, and the database comes back in between: the next one is called in time."""
    page = broken.pager.page

    def take(message: Message) -> str:
        if message.recipients[0].name == "DE-003":
            raise DeliveryFailed("500", uncertain=True)
        return page(message)

    monkeypatch.setattr(broken.pager, "page", take)
    if owed_before:
        broken.now = at("05:00")
        broken.only_look()
    database, memory = broken.store, MemoryStore(uncertain=True, now=lambda: broken.now)
    memory.merge(database.snapshot())
    memory.set_note("watching_since", at("01:00").isoformat())
    broken.store = memory
    broken.looks("05:00", "05:00:40", 5)
    broken.store = database
    database.merge(memory.snapshot())
    broken.looks("05:00:45", "05:01", 5)
    assert [person for _, person in woken(broken)] == ["DE-004"]


# 8. A change of configuration during an incident has an end.


def test_what_is_being_sent_from_memory_while_the_database_takes_over_is_said_once(broken: Night) -> None:
    """Both know of an acknowledgement and have not told it; memory posts it in the very moment it is handed over."""
    broken.look("05:00")
    database, memory = broken.store, MemoryStore(uncertain=True, now=lambda: broken.now)
    memory.merge(database.snapshot())
    broken.acknowledge(f"{KEY}:page-1-primary", "de-003@example.com")
    broken.now = at("05:02")
    for store in (database, memory):
        broken.store = store
        broken.dispatch().acknowledgements()
    known = memory.snapshot()
    broken.dispatch().posts()
    broken.store = database
    database.merge(known)
    broken.look("05:02:15")
    assert len(said(broken, "Acknowledged by")) == 1


def test_a_due_time_moved_later_ends_the_incident_until_then(broken: Night) -> None:
    """At 05:10 the promise moves to seven: alerts are closed, and at seven it is broken anew."""
    broken.look("05:00")
    growth = broken.config.pipelines["growth_etl"]
    moved = replace(growth, promise=Promise(dt.time(7), dt.time(3, 30)))
    broken.config = replace(broken.config, pipelines={**broken.config.pipelines, "growth_etl": moved})
    broken.looks("05:10", "05:31")
    assert [person for _, person in woken(broken)] == ["DE-003"]
    assert said(broken, "Not late any more: Growth ETL, 22 Nov is due at 07:00 now")
    assert not broken.pager.alerts[f"{KEY}:page-1-primary"].open
    broken.look("07:00")
    assert len(woken(broken)) == 2


def test_a_due_time_that_is_moved_twice_and_not_back_wakes_anew(broken: Night) -> None:
    """What they had was late then; this is due when they have nothing."""
    before = broken.config
    growth = before.pipelines["growth_etl"]

    def due(clock: dt.time) -> None:
        moved = replace(growth, promise=Promise(clock, dt.time(3, 30)))
        broken.config = replace(before, pipelines={**before.pipelines, "growth_etl": moved})

    broken.look("05:00")
    broken.acknowledge(f"{KEY}:page-1-primary", "de-003@example.com")
    broken.look("05:50")
    due(dt.time(8))
    broken.look("05:55")
    due(dt.time(6, 30))
    broken.looks("06:00", "06:30", 60)
    assert [person for _, person in woken(broken)] == ["DE-003", "DE-003"]


def test_who_was_asked_before_it_was_put_back_is_asked_an_hour_after_that(broken: Night) -> None:
    """Not at once, as if nobody had ever asked."""
    before, others = broken.config, dict(broken.config.pipelines)
    del others["growth_etl"]
    broken.look("05:00")
    broken.acknowledge(f"{KEY}:page-1-primary", "de-003@example.com")
    for clock in ("05:03", "06:03", "07:03"):
        broken.look(clock)
    asked = len(woken(broken))
    broken.config = replace(before, pipelines=others)
    broken.look("07:21")
    broken.config = before
    broken.looks("07:25", "08:02", 60)
    assert len(woken(broken)) == asked
    (said_so,) = [m.summary for m, _ in broken.chat.posts if m.title.startswith("DE-003 has it")]
    assert "Asked again at 08:03." in said_so
    broken.look("08:04")
    assert len(woken(broken)) == asked + 1


def test_who_took_a_mere_warning_has_nothing_when_its_pipeline_is_put_back(broken: Night) -> None:
    """It was to wake nobody: whoever acknowledged it may be asleep by the due time."""
    late = Load("master.sessions", expected_at=at("01:20"))
    broken.world.missing("growth_etl", late)
    broken.look("04:05")
    broken.acknowledge(f"{KEY}:warning", "de-003@example.com")
    broken.look("04:10")
    before, others = broken.config, dict(broken.config.pipelines)
    del others["growth_etl"]
    broken.config = replace(before, pipelines=others)
    broken.look("04:12")
    broken.config = before
    broken.looks("04:14", "05:00", 60)
    assert [person for _, person in woken(broken)] == ["DE-003"]


def test_whoever_had_it_is_woken_anew_at_a_due_time_that_was_moved_for_good(broken: Night) -> None:
    """It is another promise than the one that they have: only what is as it was before is still theirs."""
    broken.look("05:00")
    broken.acknowledge(f"{KEY}:page-1-primary", "de-003@example.com")
    broken.look("05:03")
    growth = broken.config.pipelines["growth_etl"]
    moved = replace(growth, promise=Promise(dt.time(5, 30), dt.time(3, 30)))
    broken.config = replace(broken.config, pipelines={**broken.config.pipelines, "growth_etl": moved})
    broken.looks("05:10", "05:30")
    assert [person for _, person in woken(broken)] == ["DE-003", "DE-003"]


def test_a_due_time_moved_to_an_instant_past_is_judged_at_the_next_look(night: Night) -> None:
    """At 04:30 the promise moves to four: it is broken."""
    night.world.missing("growth_etl")
    night.look("04:29")
    growth = night.config.pipelines["growth_etl"]
    earlier = replace(growth, promise=Promise(dt.time(4), dt.time(3)))
    night.config = replace(night.config, pipelines={**night.config.pipelines, "growth_etl": earlier})
    night.look("04:30")
    assert woken(night) == [("page-1-primary", "DE-003")]


GIVEN_AND_TAKEN = {"removed": None, "moved": Promise(dt.time(7), dt.time(3, 30))}


@pytest.mark.parametrize("change", GIVEN_AND_TAKEN)
@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_pipeline_that_is_put_back_as_it_was_is_still_theirs(
    broken: Night, change: str, acknowledged: bool
) -> None:
    """Whoever has acknowledged it has it: the thread says so, and they are asked an hour later. Else the escalation
    goes on where it was: nobody is paged twice for a step that was climbed already.
    """
    before, otherwise = broken.config, dict(broken.config.pipelines)
    growth = otherwise.pop("growth_etl")
    if promise := GIVEN_AND_TAKEN[change]:
        otherwise["growth_etl"] = replace(growth, promise=promise)
    broken.look("05:00")
    if acknowledged:
        broken.acknowledge(f"{KEY}:page-1-primary", "de-003@example.com")
    broken.look("05:03")
    broken.config = replace(before, pipelines=otherwise)
    broken.looks("05:10", "05:11")
    broken.config = before
    broken.looks("05:12", "05:50", 60)
    assert [person for _, person in woken(broken)][1:] == ([] if acknowledged else ["DE-004", "DE-MANAGER"])
    assert len(broken.chat.threads) == 1
    assert len(said(broken, "Watched again: Growth ETL, 22 Nov")) == (not acknowledged)
    assert broken.chat.updates[-1].summary.startswith("DE-003 has it" if acknowledged else "Watched again")
    if acknowledged:
        assert len(said(broken, "DE-003 has it: Growth ETL, 22 Nov: late since 05:00")) == 1
        (lines,) = [m.summary for m, _ in broken.chat.posts if m.title.startswith("DE-003 has it")]
        assert "DE-003 acknowledged it at 05:03: nobody is paged again. Asked again at 06:03." in lines
        broken.looks("06:03", "06:04")
        assert [person for _, person in woken(broken)][1:] == ["DE-003"]
    broken.world.publish("growth_etl", at("06:10"))
    broken.look("06:10")
    assert not any(alert.open for alert in broken.pager.alerts.values())
    assert broken.chat.updates[-1].summary.startswith("Resolved: Growth ETL")


def test_what_is_put_back_after_the_shift_has_ended_passes_to_the_new_pair(broken: Night) -> None:
    """The thread does not say that the escalation goes on where it was: it begins anew."""
    before, others = broken.config, dict(broken.config.pipelines)
    del others["growth_etl"]
    broken.look("05:00")
    broken.acknowledge(f"{KEY}:page-1-primary", "de-003@example.com")
    broken.look("08:30")
    broken.config = replace(before, pipelines=others)
    broken.look("08:55")
    broken.config = before
    asked = len(woken(broken))
    broken.looks("09:05", "09:06")
    assert [person for _, person in woken(broken)][asked:] == ["DE-004"]
    assert len(said(broken, "Handed over from DE-003 to DE-004")) == 1
    (again,) = [message for message, _ in broken.chat.posts if message.title.startswith("Watched again")]
    assert again.summary == ""


def test_what_was_removed_for_long_while_nobody_had_it_pages_anew(broken: Night) -> None:
    """Its alerts were closed; whoever was called then has not heard of it for half an hour."""
    before, others = broken.config, dict(broken.config.pipelines)
    del others["growth_etl"]
    broken.look("05:00")
    broken.config = replace(before, pipelines=others)
    broken.looks("05:05", "05:06")
    broken.config = before
    broken.looks("05:36", "05:37")
    assert [person for _, person in woken(broken)] == ["DE-003", "DE-003"]


def test_what_was_put_back_after_everybody_was_called_pages_anew(broken: Night) -> None:
    """There is nobody left to go on with, and no alert is open any more."""
    before, others = broken.config, dict(broken.config.pipelines)
    del others["growth_etl"]
    broken.looks("05:00", "05:31", 30)
    broken.config = replace(before, pipelines=others)
    broken.looks("05:35", "05:36")
    broken.config = before
    broken.looks("05:37", "05:38")
    assert [person for _, person in woken(broken)] == ["DE-003", "DE-004", "DE-MANAGER", "DE-003"]


def test_that_the_pager_shows_an_alert_closed_which_we_closed_is_nobodys_act(broken: Night) -> None:
    """An integration may have any name."""
    before, others = broken.config, dict(broken.config.pipelines)
    del others["growth_etl"]
    broken.look("05:00")
    broken.config = replace(before, pipelines=others)
    broken.look("05:05")
    alias = f"{KEY}:page-1-primary"
    broken.pager.alerts[alias] = replace(broken.pager.alerts[alias], closed_by="investor-on-call")
    broken.config = before
    broken.looks("05:06", "05:15")
    assert [person for _, person in woken(broken)] == ["DE-003", "DE-004"]


@pytest.mark.parametrize("acknowledged", [True, False])
@pytest.mark.parametrize("gone", ["profit_etl", "engagement_etl"])
def test_one_of_several_that_is_removed_and_put_back_is_told_with_the_others(
    night: Night, acknowledged: bool, gone: str
) -> None:
    """Also the one that spoke for them: each of the others paged alone then, and was asked for alone an hour later."""
    before, others = night.config, dict(night.config.pipelines)
    del others[gone]
    for name in others.keys() | {gone}:
        night.world.missing(name)
    night.look("05:00")
    if acknowledged:
        night.acknowledge(night.pager.paged[0].alias, "de-003@example.com")
    night.looks("05:03", "05:04")
    night.config = replace(before, pipelines=others)
    night.looks("05:05", "05:06")
    assert len(said(night, f"Not watched any more: {gone}")) == 1
    night.config = before
    night.looks("05:08", "06:04", 60)
    anew = ["DE-003"] * (gone == "profit_etl")  # the alert that named all was closed
    assert [person for _, person in woken(night)][1:] == (
        ["DE-003"] if acknowledged else [*anew, "DE-004", "DE-MANAGER"]
    )
    assert "3 reports of 22 Nov" in night.pager.paged[-1].title
    assert len(night.chat.threads) == 1 + (gone == "profit_etl")
    for name in before.pipelines:
        night.world.publish(name, at("06:10"))
    night.look("06:10")
    assert not any(alert.open for alert in night.pager.alerts.values())


@pytest.mark.parametrize("back", ["04:44", "04:56"])
@pytest.mark.parametrize("taken", [True, False])
def test_what_somebody_was_woken_for_before_it_is_late_and_is_put_back_rings_again_where_nobody_has_it(
    broken: Night, taken: bool, back: str
) -> None:
    """The last chance was called, its pipeline removed and put back: its alert was closed, and rings at nobody. Where
    they have acknowledged it, it is the same incident, in the same thread."""
    before, others = broken.config, dict(broken.config.pipelines)
    del others["growth_etl"]
    broken.looks("04:35", "04:36", 60)
    if taken:
        broken.acknowledge(f"{KEY}:last-chance", "de-003@example.com")
    broken.look("04:37")
    broken.config = replace(before, pipelines=others)
    broken.looks("04:40", "04:41")
    broken.config = before
    broken.looks(back, "04:59")
    assert broken.steps == ["last-chance"] * (1 if taken else 2)
    assert len(broken.chat.threads) == (1 if taken else 2)
    assert len(said(broken, "Watched again: Growth ETL, 22 Nov")) == taken
    broken.looks("05:00", "05:01")
    assert [person for _, person in woken(broken)] == ([] if taken else ["DE-003"])


@pytest.mark.parametrize("taken", [True, False])
def test_a_failure_that_is_never_late_rings_again_when_its_pipeline_was_away_for_a_moment(
    night: Night, taken: bool
) -> None:
    """Nothing is promised: no page of a due instant would come behind the alert that its removal closed."""
    dag_id = "unit_profit_experiments"
    before, others = night.config, dict(night.config.pipelines)
    del others[dag_id]
    night.world.missing(dag_id)
    night.runs.of[dag_id, DAY] = (Task("load", "failed", at("03:00"), at("03:01"), "r1", "boom"),)
    night.look("03:01:15")
    if taken:
        night.acknowledge(night.pager.paged[0].alias, "de-003@example.com")
    night.look("03:01:30")
    night.config = replace(before, pipelines=others)
    night.look("03:01:45")
    night.config = before
    night.looks("03:02", "03:30", 60)
    assert night.steps == ["failed-1"] * (1 if taken else 2)
    assert sum(alert.open for alert in night.pager.alerts.values()) == (not taken)


def test_what_was_merely_warned_of_and_is_put_back_is_not_warned_of_again(broken: Night) -> None:
    """Its thread goes on; at its due instant it pages as ever."""
    before, others = broken.config, dict(broken.config.pipelines)
    del others["growth_etl"]
    broken.world.missing("growth_etl", Load("master.sessions", expected_at=at("01:20")))
    broken.looks("03:30", "03:31")
    broken.config = replace(before, pipelines=others)
    broken.looks("03:35", "03:36")
    broken.config = before
    broken.looks("03:38", "03:39")
    assert broken.steps == ["warning"]
    assert [message.title for message in broken.chat.threads] == [said(broken, "delays Growth ETL")[0]]
    assert broken.chat.updates[-1].summary.startswith("Watched again")
    broken.looks("04:58", "05:00")
    assert [person for _, person in woken(broken)] == ["DE-003"]


def test_each_time_that_one_of_several_is_removed_and_put_back_is_said(night: Night) -> None:
    """In the thread of the one that speaks for them."""
    before, others = night.config, dict(night.config.pipelines)
    del others["growth_etl"]
    for name in before.pipelines:
        night.world.missing(name)
    night.look("05:00")
    night.acknowledge(night.pager.paged[0].alias, "de-003@example.com")
    night.look("05:01")
    for removed, back in (("05:05", "05:08"), ("05:10", "05:13")):
        night.config = replace(before, pipelines=others)
        night.looks(removed, removed)
        night.config = before
        night.looks(back, back)
    assert len(said(night, "Not watched any more: growth_etl")) == 2
    assert len(said(night, "Growth ETL, 22 Nov too, late since 05:00")) == 2
    assert len(night.chat.threads) == 1


def test_a_pipeline_that_is_removed_closes_its_alerts(broken: Night) -> None:
    """Nobody else would ever say that it is over."""
    broken.look("05:00")
    rest = {name: pipeline for name, pipeline in broken.config.pipelines.items() if name != "growth_etl"}
    broken.config = replace(a_setup(), pipelines=rest)
    broken.look("05:10")
    broken.look("05:30")
    assert not broken.pager.alerts[f"{KEY}:page-1-primary"].open
    assert said(broken, "Not watched any more: growth_etl")
    assert len(woken(broken)) == 1
