"""Two looks at one promise at one time: the one that began first may decide last, on what it read before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from oncall.core.incidents.incident import Incident
from oncall.core.promises.facts import Dag
from oncall.usecases.evaluate import evaluate, overtaken
from tests.usecases.conftest_night import DAY, FakeWorld, Night, at

KEY = f"growth_etl:{DAY}"
A_MOMENT = dt.timedelta(milliseconds=100)


class SlowWorld(FakeWorld):
    """Is read at once, and answers only after something else has happened."""

    meanwhile: Callable[[], object]

    def read(self, *asked, **more):  # type: ignore[no-untyped-def]
        facts = super().read(*asked, **more)
        self.meanwhile()
        return facts


def slow_look(night: Night, instant: dt.datetime, meanwhile: Callable[[], object]) -> None:
    """A look at this instant that something else overtakes."""
    world = SlowWorld(night.world.facts.copy())
    world.meanwhile = meanwhile
    evaluate(night.config, world, night.runs, night.store, night.links, instant)


def look_and_send(night: Night, instant: dt.datetime) -> None:
    night.now = instant
    night.only_look()
    night.dispatch().pages()
    night.dispatch().posts()


def incidents(night: Night) -> list[Incident]:
    with night.store.decision_lock() as decision:
        return [incident for incident, _ in decision.told({("growth_etl", DAY)})]


def test_a_look_from_just_before_the_due_instant_ends_no_page_of_a_look_after_it(night: Night) -> None:
    """It is not overdue yet as of its own instant: that says nothing against the page, and nobody is paged twice."""
    night.world.missing("growth_etl")
    due = at("05:00")
    slow_look(night, due - A_MOMENT, lambda: look_and_send(night, due + A_MOMENT))
    night.look("05:00:15")
    assert night.steps == ["page-1-primary"]
    assert [post.step for post, _ in night.chat.posts] == ["page-1-primary"]


@pytest.mark.parametrize("behind", ["04:59:50", "04:58"])
def test_a_clock_that_is_behind_or_set_back_ends_no_page(night: Night, behind: str) -> None:
    """Another host looks at the due instant too, and thinks that it is before it: the alert was closed as if the due
    time had moved, and the primary paged anew."""
    night.world.missing("growth_etl")
    for clock in ("04:45", "05:00", behind, "05:00:15", behind, "05:00:30"):
        night.look(clock)
    assert [page.step for page in night.pager.paged] == ["last-chance", "page-1-primary"]
    assert [incident.key for incident in incidents(night)] == [KEY]
    assert len(night.chat.threads) == 1


def test_a_look_that_read_before_the_publication_opens_nothing_after_the_resolution(night: Night) -> None:
    night.world.missing("growth_etl")
    night.look("05:00")

    def published() -> None:
        night.world.publish("growth_etl", at("05:09:59"))
        look_and_send(night, at("05:10") + A_MOMENT)

    slow_look(night, at("05:10"), published)
    night.look("05:10:15")
    assert night.steps == ["page-1-primary"]
    assert [incident.verdict for incident in incidents(night)] == ["late"]
    assert "page-1-primary" not in [post.step for post, thread in night.chat.posts[1:]]


def test_a_decision_of_a_clock_far_ahead_silences_no_other_look(night: Night) -> None:
    """What it wrote is from no moment that this look has lived through: it decides as if it were alone."""
    night.world.missing("growth_etl")
    night.look("04:59")
    (incident,) = incidents(night)
    night.store.merge(replace(night.store.snapshot(), incidents=(replace(incident, seen_at=at("09:00")),)))
    night.look("05:00")
    assert night.steps[-1] == "page-1-primary"


@pytest.mark.parametrize(
    ("later_s", "lived_s", "is_overtaken"),
    [(0, 30, False), (20, 30, True), (20, 0, False), (0.5, 0, True), (-20, 30, False), (3600, 30, False)],
)
def test_a_look_is_overtaken_by_what_was_decided_while_it_was_made(
    later_s: float, lived_s: float, is_overtaken: bool
) -> None:
    """It hung for `lived_s` seconds; somebody decided as of `later_s` seconds after its own instant."""
    looked_at = at("05:00")
    decided = Incident(KEY, "growth_etl", DAY, at("04:00"), seen_at=looked_at + dt.timedelta(seconds=later_s))
    now = looked_at + dt.timedelta(seconds=lived_s)
    assert overtaken([decided], looked_at, now) == is_overtaken


def test_who_speaks_for_others_is_not_called_late_by_a_sender_that_has_not_looked(night: Night) -> None:
    """Its own report is published: the page, written from what stands in the store, names the missing one alone."""
    dags = ("engagement_etl", "growth_etl", "profit_etl")
    for dag_id in dags:
        night.world.missing(dag_id)
        night.runs.seen[dag_id] = Dag(at("04:29"), paused=True)
    night.look("04:30")
    speaker = night.pager.paged[-1].key.partition(":")[0]
    *there, _ = sorted(dags, key=lambda dag_id: dag_id != speaker)
    for dag_id in there:
        night.world.publish(dag_id, at("04:40"))
    night.look("04:45")
    night.now = at("05:00")
    night.only_look()
    night.seen = None
    night.send("05:00")
    page = night.pager.paged[-1]
    assert (page.priority, page.key.partition(":")[0]) == ("P1", speaker)
    assert "reports" not in page.title
    assert "2 reports" not in night.chat.posts[-1][0].title
