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
