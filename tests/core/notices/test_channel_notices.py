"""Notices about the on-call system itself: who hears of them, where, and that they are told apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest

from oncall.core.errors import Problem
from oncall.core.incidents.incident import Channel, Notification, Plan
from oncall.core.notices import channel_notices
from tests.core.rosters import team, turns
from tests.core.scenes import Said, a_report, a_scene, at, the_page

SINCE = at("04:10")
PROBLEM = Problem("roster.yaml", "leave[0].person", "DE-009", "one of DE-001 … DE-004")


def owed_by(made: Notification | Plan) -> Sequence[Notification]:
    return made.owed if isinstance(made, Plan) else (made,)


def said(made: Notification | Plan) -> Said:
    """The one thing that is said."""
    [owed] = owed_by(made)
    return Said.of(owed)


def key(made: Notification | Plan) -> str:
    [owed] = owed_by(made)
    return owed.key


def test_a_pager_that_cannot_be_reached_is_said_in_the_chat() -> None:
    """Since when, why, and what that means; the primary is mentioned."""
    notice = said(channel_notices.channel_down(a_scene("04:12"), "pager", SINCE, "connection refused"))
    assert notice.where == ("chat", "post")
    assert notice.title == "The pager (Opsgenie) cannot be reached since 04:10"
    assert notice.text.splitlines() == [
        "connection refused", "Until then nobody is woken: watch this channel.",
    ]  # fmt: skip
    assert (notice.to, notice.priority) == (("C",), "P2")
    assert notice.step == "down"
    refused = said(channel_notices.channel_down(a_scene("04:12"), "pager", SINCE, "too long", outage=False))
    assert refused.title == "The pager (Opsgenie) refuses a message since 04:10"


def test_a_chat_that_cannot_be_reached_is_paged() -> None:
    """P2 to the primary: pages still go out."""
    notice = said(channel_notices.channel_down(a_scene("04:12"), "chat", SINCE, "is_archived"))
    assert notice.where == ("pager", "page")
    assert notice.title == "Slack cannot be reached since 04:10"
    assert notice.text.splitlines() == ["is_archived", "Pages still go out."]
    assert (notice.to, notice.priority, bool(notice.alias)) == (("C",), "P2", True)


def test_that_the_pager_is_back_is_said_where_its_loss_was_said() -> None:
    """After how long."""
    down = channel_notices.channel_down(a_scene("04:12"), "pager", SINCE, "x")
    back = channel_notices.channel_back(a_scene("04:52"), "pager", SINCE)
    assert said(back).where == ("chat", "post")
    assert said(back).title == "The pager (Opsgenie) can be reached again after 42 min"
    assert said(back).text == "The messages that were owed are being sent."
    assert (said(back).step, said(back).priority) == ("back", "P5")
    assert key(back) == key(down)
    assert said(back).step != said(down).step
    assert isinstance(back, Plan)
    assert back.cancelled == (key(down),)


def test_an_alert_about_the_chat_is_closed_when_it_is_back() -> None:
    """Or not sent any more."""
    down = channel_notices.channel_down(a_scene("04:12"), "chat", SINCE, "x")
    back = channel_notices.channel_back(a_scene("04:52"), "chat", SINCE)
    assert isinstance(back, Plan)
    close = said(back)
    assert (close.where, close.alias) == (("pager", "close"), said(down).alias)
    assert close.step == f"close:{close.alias}"
    assert close.title == "Slack can be reached again after 42 min"
    assert back.cancelled == (key(down),)


def test_acknowledgements_that_are_not_heard_are_said_and_so_is_their_end() -> None:
    """With what to do meanwhile."""
    deaf = channel_notices.acknowledgements_unheard(a_scene("04:12"), SINCE, "the key may not read")
    assert said(deaf).title == "Acknowledgements in Opsgenie are not heard since 04:10"
    assert said(deaf).text.splitlines() == [
        "the key may not read",
        "Until this is mended acknowledge on the On-call page: only that stops the escalation.",
    ]
    heard = channel_notices.acknowledgements_heard(a_scene("04:52"), SINCE)
    assert said(heard).title == "Acknowledgements in Opsgenie are heard again"
    assert (said(deaf).where, said(heard).where) == (("chat", "post"), ("chat", "post"))
    assert key(deaf) == key(heard) == "acknowledgements:2026-11-23"
    assert said(deaf).step != said(heard).step
    other = channel_notices.acknowledgements_unheard(a_scene("04:12"), at("04:11"), "x")
    assert said(other).step != said(deaf).step


def test_a_heartbeat_that_is_refused_is_said_by_name_and_so_is_its_return() -> None:
    """It is the only watch that survives Airflow; each refusal is told apart."""
    scene = a_scene("04:12")
    refused = channel_notices.heartbeat_refused(scene, "investor-sla-watch", SINCE, "404: unknown")
    assert said(refused).title == "Opsgenie does not take the heartbeat investor-sla-watch"
    assert said(refused).text.splitlines() == [
        "404: unknown",
        "Until then nobody is paged if all of Airflow is gone.",
    ]
    back = channel_notices.heartbeat_back(scene, "investor-sla-watch", SINCE)
    assert said(back).title == "Opsgenie takes the heartbeat investor-sla-watch again"
    assert (said(refused).where, said(back).text) == (("chat", "post"), "")
    assert key(refused) == key(back) == "heartbeat:2026-11-23"
    others = {
        said(channel_notices.heartbeat_refused(scene, name, since, "x")).step
        for name, since in (("investor-sla-watch", SINCE), ("other", SINCE), ("other", at("04:11")))
    }
    assert len({*others, said(back).step}) == 4
    assert said(refused).step in others


@pytest.mark.parametrize(
    ("ahead", "words"), [(120, "2 min ahead"), (1, "1 s ahead"), (-3600, "1 h 00 min behind")]
)
def test_a_wrong_clock_is_named(ahead: int, words: str) -> None:
    """Whose, by how much and which way; and that it is right again."""
    wrong = channel_notices.clock_wrong(a_scene("04:12"), "the warehouse", ahead)
    assert said(wrong).title == f"The clock of the warehouse is {words}"
    assert said(wrong).text == (
        "The other clocks agree, and pages go by them. Set it right (NTP): logs and schedules follow it."
    )
    right = channel_notices.clock_right(a_scene("04:52"), "the warehouse")
    assert said(right).title == "The clock of the warehouse is right again"
    assert said(right).text == ""
    assert key(wrong) == key(right) == "clocks:2026-11-23"
    steps = {
        said(channel_notices.clock_wrong(a_scene(clock), name, ahead)).step
        for clock, name in (("04:12", "the warehouse"), ("04:12", "this host"), ("04:13", "this host"))
    }
    assert len({*steps, said(right).step}) == 4


def test_that_oncall_db_stays_away_is_said_with_what_to_do() -> None:
    """Once for every hour in which it went away, and that it is back."""
    away = channel_notices.store_unusable(a_scene("04:12"), at("04:07"), "oncall_db: connection refused")
    assert said(away).title == "oncall_db cannot be used since 04:07"
    assert said(away).text == (
        "oncall_db: connection refused\n"
        "Pages go out from the watcher's memory.\n"
        "Until this is mended acknowledge in Opsgenie: the On-call page hears nobody."
    )
    back = channel_notices.store_usable(a_scene("04:52"), at("04:07"))
    assert said(back).title == "oncall_db can be used again after 45 min"
    assert said(back).text == ""
    assert key(away) == key(back) == "store:2026-11-23"
    again = channel_notices.store_unusable(a_scene("05:12"), at("05:06"), "x")
    later = channel_notices.store_unusable(a_scene("04:59"), at("04:48"), "x")
    assert [said(notice).step for notice in (away, back, again, later)] == [
        "unusable:2026-11-23T04+07:00",
        "usable:2026-11-23T04+07:00",
        "unusable:2026-11-23T05+07:00",
        "unusable:2026-11-23T04+07:00",
    ]


def test_each_loss_of_a_channel_has_a_thread_of_its_own() -> None:
    """Told apart by channel and by when it began."""
    scene = a_scene("04:12")
    losses: tuple[tuple[Channel, dt.datetime], ...] = (
        ("pager", SINCE), ("chat", SINCE), ("pager", at("04:11")),
    )  # fmt: skip
    keys = {key(channel_notices.channel_down(scene, channel, since, "x")) for channel, since in losses}
    assert len(keys) == 3


def test_before_the_rota_begins_nobody_is_named() -> None:
    """The notice is written all the same."""
    early = a_scene("04:12", roster=team([turns("2026-11-30", "AB BA")]))
    assert said(channel_notices.channel_down(early, "pager", SINCE, "x")).to == ()


@pytest.mark.parametrize(
    ("count", "title", "lines"),
    [
        (1, "The on-call configuration is broken: 1 problem", 2),
        (2, "… 2 problems", 3),
        (40, "… 40 problems", 21),
    ],
)
def test_a_broken_configuration_lists_its_problems(count: int, title: str, lines: int) -> None:
    """With file, key, what was found and what to write; twenty are enough for a message."""
    notice = said(channel_notices.configuration_broken(a_scene("10:00"), [PROBLEM] * count, "d1"))
    assert notice.where == ("chat", "post")
    assert notice.title == title.replace("…", "The on-call configuration is broken:")
    text = notice.text.splitlines()
    assert len(text) == lines
    assert text[0] == (
        "Of each file that is wrong the last good version stays in force; the others count as they stand."
    )
    assert text[1] == ("• roster.yaml: leave[0].person: found DE-009; write one of DE-001 … DE-004")


def test_a_mended_configuration_is_said_where_it_was_said_to_be_broken() -> None:
    """In the thread of that day."""
    scene = a_scene("10:00")
    broken = channel_notices.configuration_broken(scene, [PROBLEM], "d1")
    mended = channel_notices.configuration_mended(scene, "d1")
    assert said(mended).title == "The on-call configuration is in order again"
    assert said(mended).text == ""
    assert key(mended) == key(broken) == "configuration:2026-11-23"
    assert said(mended).step != said(broken).step


def test_schedules_that_differ_are_listed_and_their_agreement_is_said() -> None:
    """Each difference a line, twenty at most."""
    scene = a_scene("10:00")
    one = said(channel_notices.schedules_drift(scene, ["primary: x", "secondary: y"], "d1"))
    assert one.title == "Opsgenie's schedules are not as the rota says: 2 differences"
    assert one.text.splitlines() == ["• primary: x", "• secondary: y"]
    single = said(channel_notices.schedules_drift(scene, ["primary: x"], "d1"))
    assert single.title.endswith(": 1 difference")
    many = said(channel_notices.schedules_drift(scene, [f"{n}" for n in range(40)], "d1"))
    assert (many.title.rsplit(" ", 2)[1:], len(many.text.splitlines())) == (["40", "differences"], 20)
    agree = channel_notices.schedules_agree(scene, "d1")
    assert said(agree).title == "Opsgenie's schedules are as the rota says again"
    assert key(agree) == key(channel_notices.schedules_drift(scene, ["x"], "d1")) == "schedules:2026-11-23"


@pytest.mark.parametrize(
    "make",
    [
        lambda scene, digest: channel_notices.configuration_broken(scene, [PROBLEM], digest),
        channel_notices.configuration_mended,
        lambda scene, digest: channel_notices.schedules_drift(scene, ["x"], digest),
        channel_notices.schedules_agree,
    ],
)
def test_a_notice_is_told_apart_by_what_it_is_about_and_by_its_day(make: Any) -> None:
    """The same is said once; another one, or on another day, anew. Days are the roster's."""
    morning = a_scene("00:30")  # still the 22nd in UTC
    assert said(make(morning, "d1")).step == said(make(a_scene("10:00"), "d1")).step
    assert said(make(morning, "d1")).step != said(make(morning, "d2")).step
    assert key(make(morning, "d1")).endswith(":2026-11-23")
    assert key(make(a_scene("00:30", days=1), "d1")).endswith(":2026-11-24")
    assert said(make(morning, "d1")).to == ()


def test_every_notice_has_a_link_to_the_page() -> None:
    """Where to look."""
    scene = a_scene("10:00")
    for made in (
        channel_notices.channel_down(scene, "pager", SINCE, "x"),
        channel_notices.channel_down(scene, "chat", SINCE, "x"),
        channel_notices.configuration_broken(scene, [PROBLEM], "d"),
        channel_notices.schedules_drift(scene, ["x"], "d"),
    ):
        [owed] = owed_by(made)
        assert owed.message.links == (("On-call page", "http://airflow.test/oncall/"),)


@pytest.mark.parametrize(
    ("clock", "priority", "state"),
    [
        ("05:00", "P1", "It is not known to be published."),
        ("04:00", "P3", "It is not due yet, or known to be published."),
    ],
)
def test_a_report_that_the_rules_fail_on_is_somebodys_to_look_at(
    clock: str, priority: str, state: str
) -> None:
    """P1 when it is broken; with what failed and where to look. One word for each report."""
    plan = channel_notices.undecided(a_report(clock), a_scene(clock), ValueError("boom"))
    page = the_page(plan)
    assert page.title == "Cannot tell what Growth ETL of 2026-11-22 needs: look at it yourself"
    assert page.text.splitlines() == ["The on-call system failed on it: ValueError: boom", state]
    assert (page.priority, page.to, page.step) == (priority, ("C",), "undecided")
    message = plan.owed[0].message
    assert message.key == "undecided:growth_etl:2026-11-22"
    assert message.links == (
        ("On-call page", "http://airflow.test/oncall/"),
        ("Runbook", "http://airflow.test/oncall/runbooks/growth_etl"),
    )
    assert (message.tags, message.channel) == (("oncall", "growth_etl"), "#de-oncall")
    early = a_scene(clock, roster=team([turns("2026-11-30", "AB BA")]))
    assert the_page(channel_notices.undecided(a_report(clock), early, ValueError("boom"))).to == ()


def test_notices_about_channels_can_be_found_by_their_tags() -> None:
    """At the pager."""
    [owed] = owed_by(channel_notices.channel_down(a_scene("04:12"), "chat", SINCE, "x"))
    assert owed.message.tags == ("oncall", "channel")
    assert owed.alias == owed.message.alias
    assert owed.message.key == owed.key


def test_that_a_dag_of_our_own_does_not_import_is_told_with_what_it_means() -> None:
    """Which and why, from whoever looks."""
    scene = a_scene("04:52")
    broken = channel_notices.dag_files_broken(scene, SINCE, "oncall_handoff: NameError: x")
    mended = channel_notices.dag_files_mended(scene, SINCE)
    assert said(broken).title == f"A DAG of the on-call system does not import since {scene.clock(SINCE)}"
    assert said(broken).text.startswith(
        "oncall_handoff: NameError: x\nUntil it does Airflow starts no run of it."
    )
    assert said(mended).title == "The DAGs of the on-call system import again"
    assert key(broken) == key(mended) == "dag-files:2026-11-23"
    assert said(broken).step != said(mended).step


def test_that_two_files_define_one_dag_is_told_with_what_it_means() -> None:
    """Which DAG and which files, and once more at the end of it."""
    scene = a_scene("04:52")
    twice = channel_notices.dag_ids_twice(scene, SINCE, "profit_etl: old.py and profit_etl.py")
    once = channel_notices.dag_ids_once(scene, SINCE)
    assert said(twice).title == f"A DAG is defined by several files since {scene.clock(SINCE)}"
    assert said(twice).text == (
        "profit_etl: old.py and profit_etl.py\nAirflow runs whichever it has read last: a run may be of the old one."
        " Remove all but one, or name the others in .airflowignore."
    )
    assert said(once).title == "Each DAG is defined by one file again"
    assert key(twice) == key(once) == "dag-ids:2026-11-23"
    assert said(twice).step != said(once).step


def test_that_one_of_the_two_does_not_look_is_told_with_what_it_means() -> None:
    """A thread a day; each time it begins and ends is told."""
    scene, later = a_scene("04:52"), SINCE + dt.timedelta(seconds=1)
    missed = channel_notices.sla_watch_missed(scene, SINCE)
    assert said(missed).title == f"The DAG sla_watch has not looked since {scene.clock(SINCE)}"
    assert "no scheduler, executor or free slot" in said(missed).text
    assert "Or its run cannot reach oncall_db.\nThe watcher looks, and pages as ever." in said(missed).text
    runs = channel_notices.sla_watch_runs(scene, SINCE)
    assert said(runs).title == "The DAG sla_watch looks again"
    assert key(missed) == key(runs) == "sla_watch:2026-11-23"
    gone, looks = channel_notices.watcher_missed(scene, SINCE), channel_notices.watcher_looks(scene, SINCE)
    assert said(gone).title == f"The watcher has not looked since {scene.clock(SINCE)}"
    assert "First: is sla_watch unpaused" in said(gone).text
    assert said(channel_notices.watcher_missed(scene, None)).title == "The watcher has never looked"
    assert said(looks).title == "The watcher looks again"
    assert key(gone) == key(looks) == "watcher:2026-11-23"
    for first, end, begin in (
        (missed, runs, channel_notices.sla_watch_missed), (gone, looks, channel_notices.watcher_missed),
    ):  # fmt: skip
        assert len({said(first).step, said(end).step, said(begin(scene, later)).step}) == 3
