"""Somebody was woken before the due instant, and has acknowledged: what they hear when it is late all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oncall.core.errors import DeliveryFailed
from oncall.core.promises.facts import Load, Task
from oncall.core.rota.roster import Override
from tests.usecases.conftest_night import DAY, Night, at

KEY = f"growth_etl:{DAY}"
ACKNOWLEDGED = ("DE-003 acknowledged it at 04:12, before it was due: nobody is paged again.", "05:12.")


@pytest.fixture
def failed(night: Night) -> Night:
    """It failed at ten past four, and whoever is on call took that two minutes later."""
    return failed_at(night, "04:10", "04:12")


def failed_at(night: Night, clock: str, acknowledged: str) -> Night:
    night.world.missing("growth_etl")
    fails(night, clock)
    night.look(clock)
    night.acknowledge(f"{KEY}:failed-1", "de-003@example.com")
    night.look(acknowledged)
    return night


def fails(night: Night, clock: str, run: str = "scheduled") -> None:
    task = Task("transform", "failed", at("03:00"), at(clock), run, "no space left")
    night.runs.of["growth_etl", DAY] = (task,)


def stands_in_transform(night: Night, since: str) -> None:
    night.runs.of["growth_etl", DAY] = (Task("transform", "running", at(since), None, "manual"),)


def looks(night: Night, *clocks: str) -> None:
    for clock in clocks:
        night.look(clock)


def rung(night: Night) -> list[tuple[str, str, str]]:
    return [(page.priority, page.step, page.recipients[0].name) for page in night.pager.paged]


FIRST = ("P2", "failed-1", "DE-003")
ALL_NIGHT = ("04:30", "04:45", "04:58", "05:00", "05:00:15", "05:11:45")


def test_who_has_a_failure_is_not_paged_again_when_it_is_late(failed: Night) -> None:
    """The thread and the alert hear of it; an hour after they took it they are asked again."""
    looks(failed, *ALL_NIGHT)
    assert rung(failed) == [FIRST]
    (late,) = [message for message, _ in failed.chat.posts if message.step == "late"]
    assert (
        late.title == "DE-003 has it: Growth ETL, 22 Nov: late since 05:00, transform failed: no space left"
    )
    assert [words in late.summary for words in ACKNOWLEDGED] == [True, True]
    assert not late.recipients
    assert ("note", f"{KEY}:failed-1") in failed.pager.told
    looks(failed, "05:12", "05:42", "06:12")
    assert [each[:2] for each in rung(failed)[1:]] == [("P1", "reminder-0-1"), ("P1", "reminder-0-2")]
    failed.world.publish("growth_etl", at("06:20"))
    looks(failed, "06:20:15")
    assert not any(alert.open for alert in failed.pager.alerts.values())


def test_who_took_a_failure_long_ago_may_be_asleep_when_it_is_late(night: Night) -> None:
    """An acknowledgement holds for an hour: at the last chance they are called again, and for what is late."""
    failed_at(night, "03:10", "03:12")
    looks(night, "03:30", "04:00", *ALL_NIGHT, "05:14:45")
    assert rung(night) == [FIRST, ("P2", "last-chance", "DE-003"), ("P1", "page-1-primary", "DE-003")]
    looks(night, "05:15")
    assert rung(night)[3:] == [("P1", "page-2-secondary", "DE-004")]


def test_who_took_it_again_at_the_last_chance_has_it(night: Night) -> None:
    failed_at(night, "03:10", "03:12")
    looks(night, "04:45")
    night.acknowledge(f"{KEY}:last-chance", "de-003@example.com")
    looks(night, "04:46", *ALL_NIGHT[2:], "05:30")
    assert rung(night) == [FIRST, ("P2", "last-chance", "DE-003")]


def test_that_it_gets_late_is_said_to_nobody_in_particular(failed: Night) -> None:
    """The last chance is told in the thread, without a name that rings."""
    looks(failed, *ALL_NIGHT[:3])
    (told,) = [message for message, _ in failed.chat.posts if message.step == "last-chance"]
    assert not told.recipients


def test_a_run_that_was_started_again_and_is_not_done_is_no_other_trouble(failed: Night) -> None:
    stands_in_transform(failed, "04:50")
    looks(failed, "04:50", "04:55", "05:00", "05:11:45")
    assert rung(failed) == [FIRST]


def test_another_failure_is_told_and_taken_anew(failed: Night) -> None:
    """Not acknowledged, it is paged for when it is late; acknowledged too, it is not."""
    fails(failed, "04:20", "manual")
    looks(failed, "04:20")
    assert rung(failed) == [FIRST, ("P2", "failed-2", "DE-003")]
    failed.acknowledge(f"{KEY}:failed-2", "de-003@example.com")
    looks(failed, "04:21", *ALL_NIGHT)
    assert len(rung(failed)) == 2


def test_what_nobody_took_since_is_paged_for(failed: Night) -> None:
    fails(failed, "04:20", "manual")
    looks(failed, "04:20", "05:00")
    assert rung(failed)[2:] == [("P1", "page-1-primary", "DE-003")]


def test_a_run_that_hangs_after_the_failure_is_another_trouble(failed: Night) -> None:
    """Whoever started it again may have gone back to bed."""
    stands_in_transform(failed, "04:13")
    looks(failed, "04:13", "04:58", "05:00")
    assert ("P1", "page-1-primary", "DE-003") in rung(failed)


def test_whoever_takes_over_the_shift_is_paged_when_it_is_late(failed: Night) -> None:
    over = (Override(at("04:30"), at("09:00"), primary="DE-001"),)
    failed.config = replace(failed.config, roster=replace(failed.config.roster, overrides=over))
    looks(failed, "04:31", "05:00")
    assert rung(failed)[-1] == ("P1", "page-1-primary", "DE-001")


@pytest.mark.parametrize("when", ["04:20", "05:10"])
def test_taken_back_it_is_paged_for(failed: Night, when: str) -> None:
    """Before it is late nobody is woken for that; then at once, and up the escalation."""
    looks(failed, *[clock for clock in ALL_NIGHT if clock < when])
    failed.pager.alerts[f"{KEY}:failed-1"] = replace(
        failed.pager.alerts[f"{KEY}:failed-1"], acknowledged=False, owner=""
    )
    began = len(rung(failed))
    looks(failed, when)
    assert len(rung(failed)) - began == (when > "05:00")
    looks(failed, *[clock for clock in ALL_NIGHT if clock > when], "05:15", "05:30")
    assert next(page[2] for page in rung(failed) if page[0] == "P1") == "DE-003"
    assert any(page[2] == "DE-004" for page in rung(failed))


def test_an_acknowledged_last_chance_is_had_too(night: Night) -> None:
    """It waits for its upstream, and whoever was woken to save it knows; of the warning before it nobody was woken."""
    night.world.missing("growth_etl", Load("master.sessions"))
    looks(night, "03:30")
    night.acknowledge(f"{KEY}:warning", "de-003@example.com")
    looks(night, "03:31", "04:45")
    assert rung(night)[1:] == [("P2", "last-chance", "DE-003")]
    night.acknowledge(f"{KEY}:last-chance", "de-003@example.com")
    looks(night, "04:50", "05:00", "05:15", "05:30")
    assert len(rung(night)) == 2


def test_what_is_acknowledged_on_the_page_counts_as_well(night: Night) -> None:
    """Also after the warning was taken already."""
    night.world.missing("growth_etl", Load("master.sessions"))
    looks(night, "03:30")
    assert night.by_hand("DE-003", at("03:31")).acknowledge(KEY).done
    looks(night, "04:45")
    assert night.by_hand("DE-003", at("04:46")).acknowledge(KEY).done
    looks(night, "04:50", "05:00", "05:15")
    assert [page[0] for page in rung(night)] == ["P3", "P2"]


def test_who_has_several_reports_has_those_that_are_left(night: Night) -> None:
    """One of two that waited for the same table comes: the other one is not told as if it were new."""
    for dag_id in ("engagement_etl", "growth_etl"):
        night.world.missing(dag_id, Load("master.sessions"))
    looks(night, "03:30", "04:45")
    (alias,) = [page.alias for page in night.pager.paged if page.step == "last-chance"]
    night.acknowledge(alias, "de-003@example.com")
    looks(night, "04:46")
    night.world.publish("engagement_etl", at("04:55"))
    looks(night, "04:55:15", "05:00", "05:00:15", "05:15")
    assert [page[0] for page in rung(night)] == ["P3", "P2"]
    assert "landed:1" in [message.step for message, _ in night.chat.posts]


def test_who_takes_the_warning_while_a_failure_is_under_way_is_woken_for_that(night: Night) -> None:
    """The pager had only the warning when they tapped: they have the failure once they take that."""
    night.world.missing("growth_etl", Load("master.sessions", None))
    night.look("03:30")
    night.world.missing("growth_etl")
    fails(night, "04:10")
    night.pager.fail = [DeliveryFailed("unreachable")]
    night.look("04:10")
    night.acknowledge(f"{KEY}:warning", "de-003@example.com")
    looks(night, "04:10:15", "04:29")
    assert rung(night) == [("P3", "warning", "DE-003"), FIRST]
    assert not night.pager.alerts[f"{KEY}:failed-1"].acknowledged
    looks(night, "05:00")
    assert rung(night)[-1] == ("P1", "page-1-primary", "DE-003")


@pytest.mark.parametrize("down", [False, True], ids=["5 s before due", "in an outage over due"])
def test_a_failure_that_is_late_in_a_moment_rings_once(night: Night, down: bool) -> None:
    """Its P2 and the P1 woke one person twice within seconds; after an outage the P2 came behind the P1, and untrue."""
    night.world.missing("growth_etl")
    fails(night, "04:58:30" if down else "04:59:55")
    night.pager.fail = [DeliveryFailed("connection refused")] * 1000 * down
    night.looks("04:58:31" if down else "04:59:56", "05:03", 2)
    night.pager.fail = []
    night.looks("05:03:10", "05:04")
    assert rung(night) == [("P1", "page-1-primary", "DE-003")]


def test_a_failure_that_waited_says_how_long_is_left_now_and_rings_once(night: Night) -> None:
    """For half an hour nothing was taken: by then it was the last chance too, for the same person."""
    night.world.missing("growth_etl")
    fails(night, "04:20:30")
    night.pager.fail = night.chat.fail = [DeliveryFailed("connection refused")] * 1000
    night.looks("04:20:31", "04:50")
    night.pager.fail = night.chat.fail = []
    night.looks("04:50:10", "04:51")
    assert [each for each in rung(night) if "cannot" not in each[1] and each[1] != "down"] == [FIRST]
    assert [m.summary for m, _ in night.chat.posts if m.step == "failed-1"] == ["10 min left until 05:00."]


def test_what_failed_anew_a_moment_before_due_is_not_in_hand(failed: Night) -> None:
    """They have acknowledged the failure of another run."""
    stands_in_transform(failed, "04:50")
    looks(failed, "04:50", "04:58", "04:59:45")
    fails(failed, "04:59:50", "manual")
    looks(failed, "04:59:55", "05:00")
    assert rung(failed) == [FIRST, ("P1", "page-1-primary", "DE-003")]
