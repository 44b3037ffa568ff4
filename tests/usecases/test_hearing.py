"""Who acknowledged is learnt from the pager, which is not to be asked without measure."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import replace
from typing import Any

import pytest

from oncall.core.errors import DeliveryFailed
from oncall.core.incidents.context import IncidentContext
from oncall.core.promises.facts import MARKED, Facts, Publication, Task
from oncall.usecases import acknowledge
from oncall.usecases.acknowledge import MAX_ALERTS_ASKED
from oncall.usecases.channel_ports import AlertState
from tests.usecases.conftest_night import DAY, Night, a_pipeline, at

MANY = 60


@pytest.fixture
def bad_night(night: Night) -> Night:
    """Sixty pipelines were ended by hand, each on its own, and somebody is paged for each."""
    pipelines = {f"p{number}": a_pipeline(f"p{number}", ()) for number in range(MANY)}
    night.config = replace(night.config, pipelines=pipelines)
    for dag_id in pipelines:
        night.world.missing(dag_id)
        error = f"{MARKED} failed by {dag_id}"
        night.runs.of[dag_id, DAY] = (Task("load", "failed", at("04:59"), at("04:59:50"), dag_id, error),)
    night.look("05:00")
    assert len(night.pager.paged) == MANY
    return night


def test_on_a_bad_night_everybody_is_heard_and_the_pager_not_asked_too_often(
    bad_night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tap at once: each round asks for a few, at every instant for others, and within two minutes all are heard."""
    asked: list[str] = []
    state = bad_night.pager.alert_state

    def counted(alias: str) -> AlertState | None:
        asked.append(alias)
        return state(alias)

    monkeypatch.setattr(bad_night.pager, "alert_state", counted)
    for alias in bad_night.pager.alerts:
        bad_night.acknowledge(alias, "de-003@example.com")
    for seconds in range(5, 120, 5):
        before = len(asked)
        now = at("05:00") + dt.timedelta(seconds=seconds)
        bad_night.now = now
        bad_night.dispatch().acknowledgements()
        assert len(asked) - before <= MAX_ALERTS_ASKED
    with bad_night.store.decision_lock() as decision:
        assert all(incident.acknowledged for incident in decision.incidents())
    bad_night.look("05:15")
    assert len(bad_night.pager.paged) == MANY, "nobody else is paged"


def test_an_alert_that_cannot_be_read_keeps_no_other_from_being_heard(
    bad_night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The far side answers 500 to whoever asks for half of the alerts, and for no other."""
    state, odd = bad_night.pager.alert_state, set(list(bad_night.pager.alerts)[::2])

    def broken_for_some(alias: str) -> AlertState | None:
        if alias in odd:
            raise DeliveryFailed("Opsgenie: 500: this alert cannot be shown")
        return state(alias)

    monkeypatch.setattr(bad_night.pager, "alert_state", broken_for_some)
    for alias in bad_night.pager.alerts:
        bad_night.acknowledge(alias, "de-003@example.com")
    for seconds in range(5, 120, 5):
        bad_night.now = at("05:00") + dt.timedelta(seconds=seconds)
        bad_night.dispatch().acknowledgements()
    with bad_night.store.decision_lock() as decision:
        heard = {incident.key for incident in decision.incidents() if incident.acknowledged}
    assert heard == {alias.rpartition(":page")[0] for alias in bad_night.pager.alerts if alias not in odd}


# Any alert of an incident speaks for all of them.


def rings(night: Night) -> list[str]:
    """The steps whose alerts nobody has acknowledged at the far side."""
    return [
        a.rsplit(":", 1)[1]
        for a, state in night.pager.alerts.items()
        if state.open and not state.acknowledged
    ]


@pytest.fixture
def reminded(night: Night) -> Night:
    """Acknowledged at 05:03, still missing at 06:03: a second alert of the incident rings, and a third at 07:03."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.acknowledge(night.pager.paged[0].alias, "de-003@example.com")
    for clock in ("05:03", "06:03", "07:03"):
        night.look(clock)
    assert rings(night) == ["reminder-0-1", "reminder-0-2"]
    return night


def test_whichever_alert_is_acknowledged_the_others_stop_ringing(reminded: Night) -> None:
    """In Opsgenie, also while the incident counts as acknowledged; the thread is told nothing twice."""
    posts = len(reminded.chat.posts)
    reminded.acknowledge(f"growth_etl:{DAY}:reminder-0-2", "de-004@example.com")
    reminded.look("07:04")
    reminded.look("07:05")
    assert rings(reminded) == []
    assert reminded.pager.alerts[f"growth_etl:{DAY}:reminder-0-1"].owner == "de-004@example.com"
    assert len(reminded.chat.posts) == posts
    acks = [alias for op, alias in reminded.pager.told if op == "acknowledge"]
    assert acks == [f"growth_etl:{DAY}:reminder-0-1"], "once, and none that was taken already"


def test_the_page_stops_what_still_rings(reminded: Night) -> None:
    """Also of an incident that somebody has: a second press changes nothing more."""
    anna = reminded.by_hand("anna", at("07:05"))
    assert anna.acknowledge(f"growth_etl:{DAY}").done
    reminded.look("07:05:05")
    assert rings(reminded) == []
    again = anna.acknowledge(f"growth_etl:{DAY}")
    assert (again.done, again.words) == (False, "DE-003 has acknowledged it already.")


def test_our_own_acknowledgement_of_an_alert_is_nobodys_act(night: Night) -> None:
    """Whoever is paged by hand after it goes on ringing until somebody takes that page."""
    night.world.missing("growth_etl")
    night.runs.of["growth_etl", DAY] = (Task("transform", "failed", at("02:10"), at("02:40"), error="x"),)
    night.look("02:41")
    night.look("05:00")
    night.acknowledge(f"growth_etl:{DAY}:page-1-primary", "de-003@example.com")
    night.look("05:03")
    assert rings(night) == []
    night.by_hand("anna", night.now).page(f"growth_etl:{DAY}")
    night.look("05:03:05")
    night.look("05:03:10")
    assert rings(night) == ["page-by-hand-1-secondary"]


@pytest.mark.parametrize(("stale", "taken_back"), [(1, False), (2, True)])
def test_an_acknowledgement_is_taken_back_when_two_answers_say_so(
    night: Night, monkeypatch: pytest.MonkeyPatch, stale: int, taken_back: bool
) -> None:
    """One answer may be of a copy that lags behind; two begin the escalation anew."""
    night.world.missing("growth_etl")
    night.look("05:00")
    (alias,) = night.pager.alerts
    night.acknowledge(alias, "de-003@example.com")
    night.look("05:00:15")
    known = night.pager.alerts[alias]
    answers = [replace(known, acknowledged=False, owner="")] * stale
    monkeypatch.setattr(night.pager, "alert_state", lambda _: answers.pop() if answers else known)
    night.dispatch().acknowledgements()
    monkeypatch.undo()
    night.look("05:00:30")
    assert ("taken-back-1" in [message.step for message, _ in night.chat.posts]) is taken_back
    assert len(night.pager.paged) == 1


def test_what_we_acknowledged_ourselves_is_nobodys_act_after_the_handoff(night: Night) -> None:
    """The old pair had it; that their other alerts show so is heard when the new pair is on call: that one is woken."""
    night.world.missing("growth_etl")
    for clock in ("05:00", "05:15", "08:50"):
        night.look(clock)
    night.acknowledge(f"growth_etl:{DAY}:page-1-primary", "de-003@example.com")
    night.look("08:59:59")
    night.now = at("09:00")
    night.only_look()
    for clock in ("09:00:05", "09:00:15", "09:15:30"):
        night.look(clock)
    called = [page.recipients[0].name for page in night.pager.paged if page.step.endswith("-1")]
    assert called == ["DE-004", "DE-001"]


def test_whoever_acknowledges_a_second_before_a_step_leaves_the_next_one_unnamed(night: Night) -> None:
    """Neither paged nor named in the thread, however the two senders meet: the chat's was first here."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.now = at("05:15")
    night.only_look()
    night.acknowledge(f"growth_etl:{DAY}:page-1-primary", "de-003@example.com")
    night.dispatch().posts()
    night.look("05:15:05")
    assert not [post.title for post, _ in night.chat.posts if post.title.startswith("ESCALATED")]
    assert [page.step for page in night.pager.paged if page.priority == "P1"] == ["page-1-primary"]


def test_before_the_next_step_it_is_asked_side_by_side_who_has_acknowledged(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve reports are late at once. Asked one after the other, the last of 300 secondaries is woken after 88 s."""
    growth = night.config.pipelines["growth_etl"]
    names = [f"p{number:02}" for number in range(12)]
    night.config = replace(
        night.config, pipelines={n: replace(growth, dag_id=n, title=n, report=f"investor.{n}") for n in names}
    )
    for name in names:
        night.world.missing(name)
        error = f"{MARKED} failed by {name}"  # each has a cause of its own
        night.runs.of[name, DAY] = (Task("load", "failed", at("04:59:30"), at("04:59:50"), "run", error),)
    night.look("05:00")
    night.acknowledge(f"p03:{DAY}:page-1-primary", "de-003@example.com")
    night.now = at("05:15")
    night.only_look()
    four, asked, ask = threading.Barrier(4), set[str](), night.pager.alert_state

    def together(alias: str) -> AlertState | None:
        if alias.endswith("primary") and alias not in asked:
            asked.add(alias)
            four.wait(5)
        return ask(alias)

    monkeypatch.setattr(night.pager, "alert_state", together)
    night.dispatch().pages()
    woken = [page.key for page in night.pager.paged if page.step == "page-2-secondary"]
    assert sorted(woken) == [f"{name}:{DAY}" for name in names if name != "p03"]


def test_who_takes_the_failures_of_published_reports_is_heard(night: Night) -> None:
    """Two days that were run again have failed by one error: one alert, and nothing of it is missing."""
    for dag_id in ("growth_etl", "engagement_etl"):
        made = Publication(at("02:30"), at("02:30"), "scheduled", 1)
        night.world.facts[dag_id, DAY] = Facts(publication=made)
        night.runs.of[dag_id, DAY] = (
            Task("transform", "failed", at("10:00"), at("10:05"), "again", "disk full"),
        )
    night.look("10:05:10")
    [page] = night.pager.paged
    assert "2 reports of 22 Nov" in page.title
    night.acknowledge(page.alias, "de-003@example.com")
    night.look("10:06")
    assert night.chat.posts[-1][0].title == "Acknowledged by DE-003, 10:06"


def test_an_acknowledgement_that_the_rules_fail_on_keeps_no_other_from_being_heard(
    bad_night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is odd about an incident is its own trouble."""
    learnt = acknowledge._learnt

    def odd(context: IncidentContext, *others: Any) -> Any:
        if context.incident.dag_id == "p0":
            raise IndexError
        return learnt(context, *others)

    monkeypatch.setattr(acknowledge, "_learnt", odd)
    monkeypatch.setattr(acknowledge, "MAX_ALERTS_ASKED", MANY)
    for alias in bad_night.pager.alerts:
        bad_night.acknowledge(alias, "de-003@example.com")
    bad_night.dispatch().acknowledgements()
    with bad_night.store.decision_lock() as decision:
        assert [one.dag_id for one in decision.incidents() if not one.acknowledged] == ["p0"]
