"""What crosses to the far sides: a message is found again by its key and step."""

from __future__ import annotations

from oncall.core.message import Message, Recipient


def test_the_alias_of_an_alert_is_its_incident_and_step() -> None:
    """Unique for both: the far side drops doubles by it."""
    assert (
        Message("growth_etl:2026-11-22", "page-1-primary", "t").alias
        == "growth_etl:2026-11-22:page-1-primary"
    )


def test_what_is_not_said_is_nothing() -> None:
    """A plain notice wakes nobody and is for the channel at the top."""
    plain = Message("k", "s", "t")
    assert (plain.summary, plain.steps, plain.facts, plain.links, plain.recipients, plain.tags) == (
        "",
        "",
        (),
        (),
        (),
        (),
    )
    assert (plain.priority, plain.channel) == ("P3", "")
    assert (Recipient("A").opsgenie, Recipient("A").slack) == (None, None)


def test_the_first_message_of_what_is_over_asks_for_nothing_any_more() -> None:
    """Its title and facts stay; neither its steps nor the time that was left do."""
    first = Message(
        "k", "s", "Growth ETL: failed", "4 min left", (("Due", "05:00"),), "- Start the day again"
    )
    over = first.ended_by(Message("k", "resolved", "Resolved: 42 min late"))
    assert (over.title, over.summary, over.steps) == ("Growth ETL: failed", "Resolved: 42 min late", "")
    assert over.facts == first.facts
