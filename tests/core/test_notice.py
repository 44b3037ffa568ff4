"""Notices about the on-call system itself: who hears of them, where, and that they are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from rosters import team, turns
from scenes import Said, a_scene, at

from oncall.core import notice
from oncall.core.errors import Problem
from oncall.core.incident import Owed, Plan

SINCE = at("04:10")
PROBLEM = Problem("roster.yaml", "leave[0].person", "DE-009", "one of DE-001 … DE-004")


def owed_by(made: Owed | Plan) -> Sequence[Owed]:
    return made.owed if isinstance(made, Plan) else (made,)


def said(made: Owed | Plan) -> Said:
    """The one thing that is said."""
    [owed] = owed_by(made)
    return Said.of(owed)


def key(made: Owed | Plan) -> str:
    [owed] = owed_by(made)
    return owed.key


def test_a_pager_that_cannot_be_reached_is_said_in_the_chat() -> None:
    """Since when, why, and what that means; the primary is mentioned."""
    one = said(notice.channel_down(a_scene("04:12"), "pager", SINCE, "connection refused"))
    assert one.where == ("chat", "post")
    assert one.title == "The pager (Opsgenie) cannot be reached since 04:10"
    assert one.text.splitlines() == [
        "connection refused", "Until then nobody is woken: watch this channel.",
    ]  # fmt: skip
    assert (one.to, one.priority) == (("C",), "P2")


def test_a_chat_that_cannot_be_reached_is_paged() -> None:
    """P2 to the primary: pages still go out."""
    one = said(notice.channel_down(a_scene("04:12"), "chat", SINCE, "is_archived"))
    assert one.where == ("pager", "page")
    assert one.title == "Slack cannot be reached since 04:10"
    assert one.text.splitlines() == ["is_archived", "Pages still go out."]
    assert (one.to, one.priority, bool(one.alias)) == (("C",), "P2", True)


def test_that_the_pager_is_back_is_said_where_its_loss_was_said() -> None:
    """After how long."""
    down = notice.channel_down(a_scene("04:12"), "pager", SINCE, "x")
    back = notice.channel_back(a_scene("04:52"), "pager", SINCE)
    assert said(back).where == ("chat", "post")
    assert said(back).title == "The pager (Opsgenie) can be reached again after 42 minutes"
    assert said(back).text == "What was owed is being sent."
    assert key(back) == key(down)
    assert said(back).step != said(down).step


def test_each_loss_of_a_channel_has_a_thread_of_its_own() -> None:
    """Told apart by channel and by when it began."""
    scene = a_scene("04:12")
    keys = {
        key(notice.channel_down(scene, channel, since, "x"))
        for channel, since in (("pager", SINCE), ("chat", SINCE), ("pager", at("04:11")))  # type: ignore[arg-type]
    }
    assert len(keys) == 3


def test_before_the_rota_begins_nobody_is_named() -> None:
    """The notice is written all the same."""
    early = a_scene("04:12", roster=team([turns("2026-11-30", "AB BA")]))
    assert said(notice.channel_down(early, "pager", SINCE, "x")).to == ()


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
    one = said(notice.configuration_broken(a_scene("10:00"), [PROBLEM] * count, "d1"))
    assert one.where == ("chat", "post")
    assert one.title == title.replace("…", "The on-call configuration is broken:")
    text = one.text.splitlines()
    assert len(text) == lines
    assert text[0] == "The last good one stays in force."
    assert text[1] == ("• roster.yaml: leave[0].person: found DE-009; write one of DE-001 … DE-004")


def test_a_mended_configuration_is_said_where_it_was_said_to_be_broken() -> None:
    """In the thread of that day."""
    scene = a_scene("10:00")
    broken = notice.configuration_broken(scene, [PROBLEM], "d1")
    mended = notice.configuration_mended(scene, "d1")
    assert said(mended).title == "The on-call configuration is in order again"
    assert said(mended).text == ""
    assert key(mended) == key(broken) == "configuration:2026-11-23"
    assert said(mended).step != said(broken).step


def test_schedules_that_differ_are_listed_and_their_agreement_is_said() -> None:
    """Each difference a line, twenty at most."""
    scene = a_scene("10:00")
    one = said(notice.schedules_drift(scene, ["primary: x", "secondary: y"], "d1"))
    assert one.title == "Opsgenie's schedules are not as the rota says: 2 differences"
    assert one.text.splitlines() == ["• primary: x", "• secondary: y"]
    single = said(notice.schedules_drift(scene, ["primary: x"], "d1"))
    assert single.title.endswith(": 1 difference")
    many = said(notice.schedules_drift(scene, [f"{n}" for n in range(40)], "d1"))
    assert (many.title.rsplit(" ", 2)[1:], len(many.text.splitlines())) == (["40", "differences"], 20)
    agree = notice.schedules_agree(scene, "d1")
    assert said(agree).title == "Opsgenie's schedules are as the rota says again"
    assert key(agree) == key(notice.schedules_drift(scene, ["x"], "d1")) == "schedules:2026-11-23"


@pytest.mark.parametrize(
    "make",
    [
        lambda scene, digest: notice.configuration_broken(scene, [PROBLEM], digest),
        notice.configuration_mended,
        lambda scene, digest: notice.schedules_drift(scene, ["x"], digest),
        notice.schedules_agree,
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
        notice.channel_down(scene, "pager", SINCE, "x"),
        notice.channel_down(scene, "chat", SINCE, "x"),
        notice.configuration_broken(scene, [PROBLEM], "d"),
        notice.schedules_drift(scene, ["x"], "d"),
    ):
        [owed] = owed_by(made)
        assert owed.message.links == (("On-call page", "http://airflow.test/oncall/"),)


def test_notices_about_channels_can_be_found_by_their_tags() -> None:
    """At the pager."""
    [owed] = owed_by(notice.channel_down(a_scene("04:12"), "chat", SINCE, "x"))
    assert owed.message.tags == ("oncall", "channel")
    assert owed.alias == owed.message.alias
    assert owed.message.key == owed.key
