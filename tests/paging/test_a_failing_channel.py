"""A channel that fails is said on the other, once, and when it is back."""

from __future__ import annotations

from conftest_night import Night, at

from oncall.core.errors import DeliveryFailed, LockedOut, Rejected
from oncall.core.wording import Scene
from oncall.delivery import note_health, send_pages, send_posts
from oncall.paging import look


def send(night: Night, clock: str) -> None:
    """One round on each channel, as every sender does it."""
    now = at(clock)
    scene = Scene(night.setup.roster, night.links, now)
    note_health(night.store, scene, "pager", send_pages(night.store, night.pager, lambda: now))
    posted = send_posts(night.store, night.chat, night.setup.roster.slack_channel, lambda: now)
    note_health(night.store, scene, "chat", posted)


def broken(night: Night, *errors: DeliveryFailed) -> None:
    """A promise is broken, and the next calls to the pager fail so."""
    night.world.missing("growth_etl")
    night.pager.fail += errors
    look(night.setup, night.world, night.runs, night.store, night.links, at("05:00"))


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
    assert notices(night)[1:] == ["The pager (Opsgenie) can be reached again after 31 seconds"]
    assert night.steps == ["page-1-primary"]


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


def test_one_refused_message_is_no_outage(night: Night) -> None:
    """Opsgenie takes others and not this one: the channel works."""
    broken(night, Rejected("422: this user is unknown"))
    for clock in ("05:00", "05:00:01", "05:00:31"):
        send(night, clock)
    assert notices(night) == []
    assert night.steps == ["page-1-primary"]


def test_one_refused_for_good_does_not_come_and_go_with_the_others(night: Night) -> None:
    """Others are taken meanwhile: it is said once, and its end once all was taken."""
    unknown = Rejected("422: this user is unknown")
    broken(night, unknown)
    send(night, "05:00")
    night.world.missing("profit_etl")
    look(night.setup, night.world, night.runs, night.store, night.links, at("05:00:10"))
    send(night, "05:00:10")  # taken at once, while the other waits for its next try
    assert night.steps == ["page-1-primary"]
    for clock in ("05:00:30", "05:01:00", "05:01:30"):
        night.pager.fail += [unknown]
        send(night, clock)
    assert notices(night) == ["The pager (Opsgenie) cannot be reached since 05:00"]
    send(night, "05:02:00")
    send(night, "05:02:15")
    assert notices(night)[1:] == ["The pager (Opsgenie) can be reached again after 2 minutes"]
