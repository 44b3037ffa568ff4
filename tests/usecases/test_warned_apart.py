"""Reports that were warned of one by one, each for a cause of its own, and are late for the same one."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from oncall.core.promises.facts import Load, Task
from oncall.core.promises.promise import Promise
from tests.usecases.conftest_night import DAY, Night, at

CLOSED = "connection refused"


def warned_apart(night: Night) -> None:
    """Growth and Profit wait for tables of their own; then the warehouse closes."""
    for dag_id, table in (("growth_etl", "master.sessions"), ("profit_etl", "master.orders")):
        night.world.missing(dag_id, Load(table, None))
    night.look("03:30")
    night.world.down = CLOSED
    for clock in ("04:00", "04:01", "04:30"):
        night.look(clock)


def p1s(night: Night) -> list[str]:
    return [page.key.partition(":")[0] for page in night.pager.paged if page.priority == "P1"]


def test_one_closed_warehouse_wakes_somebody_once(night: Night) -> None:
    """The other thread says where it goes on, its alerts are closed, and both end when they are published."""
    warned_apart(night)
    night.look("05:00")
    night.look("05:00:15")
    assert len(p1s(night)) == 1
    assert "2 reports" in night.pager.paged[-1].title
    (joined,) = [message for message, _ in night.chat.posts if message.step == "joined"]
    assert joined.title == "Growth ETL, 22 Nov: told with Profit ETL, 22 Nov from here on"
    assert not any(state.open for alias, state in night.pager.alerts.items() if alias.startswith(joined.key))
    night.world.down = ""
    for dag_id in ("growth_etl", "profit_etl"):
        night.world.publish(dag_id, at("05:10"))
    night.look("05:10:15")
    night.look("05:10:30")
    assert not any(state.open for state in night.pager.alerts.values())
    assert len([message for message, _ in night.chat.posts if message.step == "resolved"]) == 1


def test_what_is_about_to_wake_somebody_for_one_cause_wakes_them_once(night: Night) -> None:
    """The last chance of both is told in one alert and one post; so is that both are late."""
    warned_apart(night)
    early = [page for page in night.pager.paged if page.priority == "P2"]
    assert ["2 reports of 22 Nov" in page.title for page in early] == [True]
    told = [message.title for message, _ in night.chat.posts if message.key == early[0].key]
    assert sum("Growth" in title and "cannot tell" in title for title in told if " too" in title) == 0
    night.look("05:00")
    assert p1s(night) == [early[0].key.partition(":")[0]]


def test_what_is_late_a_little_later_for_one_cause_wakes_nobody_again(night: Night) -> None:
    """Growth is due at five, Profit at five past, and both wait for one table."""
    pipelines = night.config.pipelines
    later = replace(pipelines["profit_etl"], promise=Promise(dt.time(5, 5), dt.time(3, 30)))
    night.config = replace(night.config, pipelines={**pipelines, "profit_etl": later})
    for dag_id in ("growth_etl", "profit_etl"):
        night.world.missing(dag_id, Load("master.sessions", None))
    for clock in ("03:30", "05:00", "05:01", "05:05", "05:05:15", "05:15", "05:30", "05:45"):
        night.look(clock)
    pages = [page for page in night.pager.paged if page.priority == "P1"]
    assert [page.recipients[0].name for page in pages] == ["DE-003", "DE-004", "DE-MANAGER"]
    assert p1s(night) == ["growth_etl"] * 3
    assert "2 reports of 22 Nov" in night.pager.paged[-1].title
    assert any(
        message.title == "Profit ETL, 22 Nov too, late since 05:05: waiting on master.sessions"
        for message, _ in night.chat.posts
    )
    for dag_id in ("growth_etl", "profit_etl"):
        night.world.publish(dag_id, at("06:00"))
    for clock in ("06:00:15", "06:00:30"):
        night.look(clock)
    assert not any(state.open for state in night.pager.alerts.values())


@pytest.mark.parametrize("acknowledged", [True, False])
def test_what_is_due_later_is_no_other_page_while_the_warehouse_is_closed(
    night: Night, acknowledged: bool
) -> None:
    """Growth is due at five, Profit at six: whoever was paged because nothing can be seen has both."""
    pipelines = night.config.pipelines
    later = replace(pipelines["profit_etl"], promise=Promise(dt.time(6), dt.time(5, 30)))
    night.config = replace(night.config, pipelines={**pipelines, "profit_etl": later})
    night.world.down = CLOSED
    for clock in ("04:30", "05:00", "05:00:15"):
        night.look(clock)
    first = night.pager.paged[-1]
    if acknowledged:
        night.acknowledge(first.alias, "de-003@example.com")
    for clock in ("05:01", "05:15", "05:30", "05:59", "06:00", "06:00:15"):
        night.look(clock)
    assert {page.key for page in night.pager.paged if page.priority == "P1"} == {first.key}
    night.world.down = ""
    for dag_id in ("engagement_etl", "growth_etl"):
        night.world.publish(dag_id, at("04:40"))
    night.world.missing("profit_etl")
    night.look("06:01")
    assert any("still missing: Profit ETL" in message.title for message, _ in night.chat.posts)
    night.world.publish("profit_etl", at("06:10"))
    for clock in ("06:10:15", "06:10:30"):
        night.look(clock)
    assert not any(state.open for state in night.pager.alerts.values())


def test_a_report_that_somebody_has_does_not_keep_the_other_from_being_told(night: Night) -> None:
    """The last chance of one was acknowledged: that one wakes nobody, and does not speak for the other."""
    for dag_id, table in (("growth_etl", "master.sessions"), ("profit_etl", "master.orders")):
        night.world.missing(dag_id, Load(table, None))
    for clock in ("03:30", "04:30"):
        night.look(clock)
    assert night.steps == ["warning", "warning", "last-chance", "last-chance"]
    night.acknowledge(night.pager.paged[-1].alias, "de-003@example.com")
    night.world.down = CLOSED
    for clock in ("04:31", "04:32", "05:00", "05:00:15"):
        night.look(clock)
    (taken,) = {page.key for page in night.pager.paged if night.pager.alerts[page.alias].acknowledged}
    (paged,) = p1s(night)
    assert not taken.startswith(paged)


def test_the_run_again_of_one_tells_nobody_anew_that_the_other_has_failed(night_in_memory: Night) -> None:
    """Both failed by one error, and nobody has acknowledged yet: the one that stands so was told a second time."""
    night, failed = night_in_memory, Task("transform", "failed", at("03:12"), at("04:10"), "first", "boom")
    for dag_id in ("engagement_etl", "growth_etl"):
        night.world.missing(dag_id)
        night.runs.of[dag_id, DAY] = (failed,)
    night.look("04:10:15")
    again = Task("transform", "running", at("04:12"), None, "again")
    night.runs.of["engagement_etl", DAY] = (again,)
    night.looks("04:12:15", "04:13")
    assert night.steps == ["failed-1"]
    night.runs.of["engagement_etl", DAY] = (
        replace(again, state="failed", ended_at=at("04:20"), error="other"),
    )
    for clock in ("04:20:15", "04:31", "05:00"):
        night.look(clock)
    assert night.steps == ["failed-1", "failed-2", "page-1-primary"]
    assert night.pager.paged[1].title == "Engagement ETL, 22 Nov: transform failed at 04:20: other"
    assert "2 reports of 22 Nov" in night.pager.paged[2].title
