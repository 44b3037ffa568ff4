"""A warehouse that is read from a copy shows a publication some seconds later, or now and then not."""

from __future__ import annotations

from oncall.core.promises.facts import Task, TypicalDurations
from tests.usecases.conftest_night import DAY, Night, at


def test_a_publication_that_the_next_copy_does_not_show_yet_is_not_missed(night: Night) -> None:
    """Seen ten seconds before it is due; the copy that is asked at the due instant lags behind."""
    night.world.publish("growth_etl", at("04:59:50"))
    night.look("04:59:55")
    night.world.missing("growth_etl")
    night.look("05:00")
    night.world.publish("growth_etl", at("04:59:50"))
    night.look("05:00:15")
    assert (night.pager.paged, night.chat.posts) == ([], [])


def test_a_publication_that_is_lost_is_paged_for_within_a_minute(night: Night) -> None:
    """A failover has lost the last seconds."""
    night.world.publish("growth_etl", at("04:59:50"))
    night.look("04:59:55")
    night.world.missing("growth_etl")
    for clock in ("05:00", "05:00:15"):
        night.look(clock)
    assert night.steps == ["page-1-primary"]


def test_a_run_that_has_just_published_is_waited_for(night: Night) -> None:
    """For some seconds, also where it is late and nobody was told of it yet; then it is a run without a publication."""
    published = Task("publish", "success", at("04:59:30"), at("04:59:50"), "scheduled")
    night.runs.of["growth_etl", DAY] = (published,)
    night.world.missing("growth_etl")
    for clock in ("04:59:55", "05:00"):
        night.look(clock)
    assert (night.pager.paged, night.chat.posts) == ([], [])
    night.look("05:00:15")
    assert night.steps == ["page-1-primary"]
    assert "the run finished green at 04:59" in dict(night.pager.paged[0].facts)["Cause"]


def test_a_run_that_begins_seconds_before_it_is_due_rings_once(night: Night) -> None:
    """Not as a last chance, and a moment later as late."""
    night.runs.usually["growth_etl"] = TypicalDurations({"transform": 2400.0}, {"transform": 600.0})
    night.world.publish("growth_etl", at("04:30"))
    night.look("04:31")
    night.world.facts.clear()
    night.world.missing("growth_etl")
    night.runs.of["growth_etl", DAY] = (Task("transform", "running", at("04:59:40")),)
    for clock in ("04:59:45", "05:00", "05:00:15"):
        night.look(clock)
    assert night.steps == ["page-1-primary"]
