"""A channel that fails is said on the other, once, and when it is back."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from oncall.core.errors import DeliveryFailed, Gone, LockedOut, Rejected, UnknownPerson
from oncall.core.message import Message
from oncall.core.promises.facts import MARKED, Load, Task
from oncall.usecases.channel_ports import Posted
from oncall.usecases.evaluate import evaluate
from tests.usecases.conftest_night import DAY, OURS, Night, at


def send(night: Night, clock: str) -> None:
    """One round on each channel, as every sender does it."""
    night.send(clock)


def broken(night: Night, *errors: DeliveryFailed) -> None:
    """A promise is broken, and the next calls to the pager fail so."""
    night.world.missing("growth_etl")
    night.pager.fail += errors
    evaluate(night.config, night.world, night.runs, night.store, night.links, at("05:00"))


def notices(night: Night) -> list[str]:
    return [message.title for message, _ in night.chat.posts if message.key.startswith("channel-pager")]


def test_an_outage_is_said_once_and_its_end_too(night: Night) -> None:
    """Refused for half a minute: Slack hears of it, with why, and hears when pages go out again."""
    broken(night, *[DeliveryFailed("connection refused")] * 4)
    for clock in ("05:00", "05:00:02", "05:00:06", "05:00:14", "05:00:15"):
        send(night, clock)
    assert notices(night) == ["The pager (Opsgenie) cannot be reached since 05:00"]
    for clock in ("05:00:31", "05:00:32", "05:00:50"):
        send(night, clock)
    assert notices(night)[1:] == ["The pager (Opsgenie) can be reached again after 31 s"]
    assert night.steps == ["page-1-primary"]


def test_that_the_pager_fails_is_not_said_once_it_works_again(night: Night) -> None:
    """Slack was away too: that nobody is woken was said behind the page."""
    broken(night, *[DeliveryFailed("connection refused")] * 20)
    night.chat.fail = [DeliveryFailed("connection refused")] * 20
    night.looks("05:00", "05:01")
    night.pager.fail = night.chat.fail = []
    night.looks("05:01:15", "05:02")
    assert notices(night) == ["The pager (Opsgenie) can be reached again after 75 s"]


def test_a_reply_that_was_noted_by_a_slower_clock_begins_no_thread(night: Night) -> None:
    """Hosts differ by seconds: the chat's own clock tells what was said first."""
    night.world.missing("growth_etl")
    night.look("05:00:02")
    night.acknowledge("growth_etl:2026-11-22:page-1-primary", "de-003@example.com")
    night.look("05:00:01")
    night.world.publish("growth_etl", at("05:01"))
    night.look("05:01:15")
    assert [thread for _, thread in night.chat.posts] == [None, "1.0", "1.0"]


def test_a_blip_is_not_spoken_of(night: Night) -> None:
    """One call fails, the next one two seconds later does not."""
    broken(night, DeliveryFailed("connection refused"))
    for clock in ("05:00", "05:00:03", "05:00:20"):
        send(night, clock)
    assert notices(night) == []
    assert night.steps == ["page-1-primary"]


def test_a_refused_key_is_said_at_once(night: Night) -> None:
    """It will not heal by itself: somebody has to mend the connection, and has to know."""
    broken(night, LockedOut("403: put a valid key into the connection's password"))
    send(night, "05:00:00")
    send(night, "05:00:01")
    (notice,) = [message for message, _ in night.chat.posts if message.key.startswith("channel-pager")]
    assert "403: put a valid key" in notice.summary
    assert notice.recipients[0].name == "DE-003"


def test_what_is_wrong_with_one_person_is_no_outage(night: Night) -> None:
    """Opsgenie does not know the primary: the secondary is called at once, and the thread says why."""
    unknown = UnknownPerson("422: de-003@example.com is unknown; write another `opsgenie` in the roster")
    broken(night, unknown)
    send(night, "05:00")
    assert [(m.step, m.recipients[0].name) for m in night.pager.paged] == [("page-2-secondary", "DE-004")]
    (said,) = [message for message, _ in night.chat.posts if message.step.startswith("unreached:")]
    assert said.title.startswith("DE-003 (primary) could not be paged: 422: de-003@example.com is unknown")
    assert "has not acknowledged" not in night.pager.paged[0].summary, "nobody was asked to"
    assert "DE-003 could not be paged: 422" in night.pager.paged[0].summary
    assert notices(night) == []
    night.look("05:14:59")
    assert len(night.pager.paged) == 2, "the roster was mended: the primary is told as well"
    night.look("05:15")
    assert [m.recipients[0].name for m in night.pager.paged][2:] == ["DE-MANAGER"]


def test_a_message_that_the_chat_refuses_is_told_on_the_pager_until_it_is_taken(night: Night) -> None:
    """Nobody reads what a channel refuses: the primary hears of it, and the alert is closed once it is taken."""
    refused = Rejected("not_in_channel: invite the bot to #de-oncall")
    night.world.missing("growth_etl")
    night.chat.fail = [refused] * 3
    night.look("05:00")
    for clock in ("05:00:31", "05:00:40", "05:01:40"):
        night.look(clock)
    (alert,) = [message for message in night.pager.paged if message.key.startswith("channel-chat")]
    assert (alert.priority, "refuses a message" in alert.title) == ("P2", True)
    assert "invite the bot" in alert.summary
    for clock in ("05:05", "05:05:15"):
        night.look(clock)
    assert not night.pager.alerts[alert.alias].open
    assert night.chat.threads[0].key == "growth_etl:2026-11-22"


@pytest.mark.parametrize("refuses", [True, False], ids=["refused", "said in the channel instead"])
def test_a_thread_that_is_gone_goes_on_as_one_new_thread(
    night: Night, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    """Somebody deleted its first message: what follows begins one thread, not one each."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.chat.deleted.add("1.0")
    post = night.chat.post

    def refused(message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        if refuses and thread_ts == "1.0":
            raise Gone("thread_not_found")
        return post(message, channel, thread_ts)

    monkeypatch.setattr(night.chat, "post", refused)
    night.look("05:15")
    night.look("05:30")
    night.world.publish("growth_etl", at("05:42"))
    night.look("05:42:15")
    assert [message.step for message in night.chat.threads] == ["page-1-primary", "page-2-secondary"]
    assert {thread for _, thread in night.chat.posts[2:]} == {"2.0"}


def test_a_thread_in_an_archived_channel_goes_on_in_the_one_that_the_roster_names_now(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has ever posted in the new channel, so its id is not known."""
    night.world.missing("growth_etl")
    night.look("05:00")
    post = night.chat.post

    def archived(message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        if channel == "C1":
            raise Rejected("is_archived")
        return post(message, channel, thread_ts)

    monkeypatch.setattr(night.chat, "post", archived)
    night.config = replace(night.config, roster=replace(night.config.roster, slack_channel="#de-pages"))
    night.look("05:15")
    night.look("05:30")
    told = [(message.step, thread) for message, thread in night.chat.elsewhere]
    assert told == [("page-2-secondary", None), ("page-3-manager", "elsewhere 1")]


def test_a_resolution_and_a_stale_notice_share_the_thread_that_replaces_a_deleted_one(night: Night) -> None:
    """The thread was deleted while the incident was open; the report lands, and then upstream changes once more."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.chat.deleted.add("1.0")
    night.world.publish("growth_etl", at("05:03"))
    night.look("05:03:15")
    night.world.facts["growth_etl", DAY] = replace(
        night.world.facts["growth_etl", DAY],
        changed_since=(Load("master.sessions", loaded_at=at("05:04")),),
    )
    night.look("05:04:15")
    assert [message.step for message, thread in night.chat.posts if thread is None] == [
        "page-1-primary",
        "resolved",
    ]
    assert night.chat.posts[-1][0].step.startswith("stale:")


def test_a_failure_that_becomes_a_page_goes_on_in_the_thread_that_replaces_a_deleted_one(
    night: Night,
) -> None:
    """Deleted between the failure and the due instant: the page begins the new thread, later causes stand in it."""
    night.world.missing("growth_etl")
    night.runs.of["growth_etl", DAY] = (Task("transform", "failed", at("02:10"), at("02:20"), "scheduled"),)
    night.look("02:20:15")
    night.chat.deleted.add("1.0")
    night.look("05:00")
    night.runs.of["growth_etl", DAY] = (Task("transform", "running", at("05:01"), None, "manual"),)
    night.look("05:03")
    night.look("05:15")
    assert [message.step for message in night.chat.threads] == ["failed-1", "page-1-primary"]


def test_a_lost_answer_of_a_message_outside_its_deleted_thread_is_no_reason_for_a_third_thread(
    night: Night,
) -> None:
    """It is found where it stands, and what follows stands in its thread."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.chat.deleted.add("1.0")
    night.chat.fail = [DeliveryFailed("timed out", uncertain=True)]
    night.look("05:15")
    night.look("05:15:31")
    night.look("05:30")
    assert [message.step for message in night.chat.threads] == ["page-1-primary", "page-2-secondary"]


@pytest.mark.parametrize("asked_s", [1.0, 30.0, None], ids=str)
def test_a_chat_that_is_busy_wakes_nobody(
    night: Night, monkeypatch: pytest.MonkeyPatch, asked_s: float | None
) -> None:
    """Forty reports fail at once, and Slack takes a message a second: all are said, and it is no outage."""
    growth = night.config.pipelines["growth_etl"]
    names = [f"p{number:02}" for number in range(40)]
    night.config = replace(
        night.config, pipelines={n: replace(growth, dag_id=n, title=n, report=f"investor.{n}") for n in names}
    )
    for name in names:
        night.world.missing(name)
        error = f"{MARKED} failed by {name}"  # each has a cause of its own
        night.runs.of[name, DAY] = (Task("load", "failed", at("04:59:30"), at("04:59:50"), "run", error),)
    post, taken_at = night.chat.post, [at("04:59")]

    def busy(message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        if len([each for each in taken_at if (night.now - each).total_seconds() < 5]) >= 5:
            raise DeliveryFailed("200: ratelimited", retry_after=asked_s)
        taken_at.append(night.now)
        return post(message, channel, thread_ts)

    monkeypatch.setattr(night.chat, "post", busy)
    for second in range(0, 180, 5):
        clock = f"05:{second // 60:02}:{second % 60:02}"
        night.look(clock)
        night.send(clock)
    assert {page.priority for page in night.pager.paged} == {"P1"}
    assert len(night.chat.threads) == 40


@pytest.mark.parametrize("asked_s", [15.0, 0.0])
@pytest.mark.parametrize(("minutes", "woken"), [(1.75, ["P1"]), (2.25, ["P1", "P2"])])
def test_a_chat_that_asks_to_wait_is_told_of_when_it_goes_on(
    night: Night, monkeypatch: pytest.MonkeyPatch, minutes: float, woken: list[str], asked_s: float
) -> None:
    """It takes nothing at all meanwhile, not even the first message; nor does it always say for how long (0 s)."""
    night.world.missing("growth_etl")
    post = night.chat.post

    def busy(message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        if night.now < at("05:00") + dt.timedelta(minutes=minutes):
            raise DeliveryFailed("429: ratelimited", retry_after=asked_s)
        return post(message, channel, thread_ts)

    monkeypatch.setattr(night.chat, "post", busy)
    for quarter in range(16):
        night.look((at("05:00") + dt.timedelta(seconds=15 * quarter)).time().isoformat())
    assert [page.priority for page in night.pager.paged] == woken
    assert "page-1-primary" in [message.step for message in night.chat.threads]


def a_team(night: Night, name: str, dag_id: str) -> None:
    """This pipeline becomes that of another team, with people and a channel of its own."""
    ours, growth = night.config.roster, night.config.pipelines[dag_id]
    people = {each: replace(ours.people["DE-001"], id=each, name=each, opsgenie=f"{each}@example.com")
              for each in (f"{name}1", f"{name}2")}  # fmt: skip
    rotation = (replace(ours.rotation[0], weeks=((f"{name}1", f"{name}2"),)),)
    theirs = replace(
        ours, people=people, manager=f"{name}2", rotation=rotation, slack_channel=f"#{name}", team=name
    )
    night.config = replace(
        night.config,
        pipelines={**night.config.pipelines, dag_id: replace(growth, team=name)},
        teams={**night.config.teams, name: theirs},
    )


def test_what_a_teams_channel_refuses_is_told_to_that_team_once(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others post in theirs is no end of it; nobody of another team is woken."""
    a_team(night, "a", "profit_etl")
    a_team(night, "b", "engagement_etl")
    for dag_id in ("profit_etl", "engagement_etl", "growth_etl"):
        night.world.missing(dag_id)
    invited = {"#b", OURS}

    def post(message: Message, channel: str, thread_ts: str | None = None) -> Posted:
        if message.channel not in invited:
            raise Rejected("not_in_channel")
        night.chat.posts.append((message, thread_ts))
        return Posted(f"C{message.channel}", f"{len(night.chat.posts)}.0")

    monkeypatch.setattr(night.chat, "post", post)
    for minute in range(35):
        for second in ("00", "10", "31", "40"):
            night.look(f"05:{minute:02}:{second}")
    told = [page for page in night.pager.paged if page.priority == "P2"]
    assert [(page.title, page.recipients[0].name) for page in told] == [
        ("Slack refuses a message since 05:00", "a1")
    ]
    invited.add("#a")
    for clock in ("05:40", "05:40:15"):
        night.look(clock)
    assert not night.pager.alerts[told[0].alias].open
