"""What stands on an incident's page, facts → exact sentence."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.core.incidents.incident_words import (
    acknowledged_already,
    added_to_another,
    delivery_mark,
    delivery_result,
    delivery_words,
    event_sentence,
    had_already,
    is_not_taken,
    is_run_again,
    kept_silent,
    made_less_urgent,
    may_only_look,
    not_carried_out,
    not_next,
    not_taken,
    pages_now,
    ran_again,
    resolves_by_hand,
    sent_to_others,
    stranger_has_it,
    told_together,
)


def test_what_the_forms_of_an_incident_do() -> None:
    assert told_together("Growth ETL, 22 Nov") == (
        "This is told and paged together with Growth ETL, 22 Nov: act there."
    )
    assert pages_now("DE-002", "secondary") == (
        "Wakes DE-002 (secondary), the next one on the escalation, at once."
        " The escalation does not page them again."
    )
    assert pages_now("DE manager", "manager").startswith("Wakes DE manager, the next one on the escalation")
    assert resolves_by_hand(due_ahead=False, published=False).endswith("nobody is told of this report again.")
    assert resolves_by_hand(due_ahead=False, published=True).startswith(
        "It resolves by itself when a run publishes"
    )
    assert resolves_by_hand(due_ahead=True, published=False).endswith(
        "nobody is told of this report again, unless it is missing when it is due."
    )
    assert may_only_look("etl") == "You may look, not act: that needs the right to change runs of etl."
    assert may_only_look("etl", "release").startswith("You may look, not release: ")


def test_what_came_of_an_act_and_of_a_sending() -> None:
    assert acknowledged_already("DE-004") == "DE-004 has acknowledged it already."
    assert had_already("DE-003", "03:12", "06:00", early=True) == (
        "DE-003 acknowledged it at 03:12, before it was due: nobody is paged again. Asked again at 06:00."
    )
    assert had_already("DE-003", "05:03", "06:03", early=False) == (
        "DE-003 acknowledged it at 05:03: nobody is paged again. Asked again at 06:03."
    )
    assert stranger_has_it("Mai Tran") == (
        "The roster knows nobody named “Mai Tran”: the acknowledgement counts as a person's. If it is a policy's or an"
        " integration's, take it back in Opsgenie: the escalation starts again."
    )
    assert not_next("DE-001", "DE-002") == "DE-001 is not next any more: the next one is DE-002."
    assert ran_again("anna", "run x") == "anna ran the day again (run x)"
    assert ran_again("anna", came_of="4 numbers restated") == "anna ran the day again: 4 numbers restated"
    assert ran_again("anna", "run x", "held") == "anna ran the day again (run x): held"
    assert not_taken("403") == "not taken for 45 s: 403"
    assert (is_not_taken(not_taken("403")), is_not_taken("403")) == (True, False)
    assert not_carried_out(60.0) == "taken, and not carried out within 60 s"
    assert sent_to_others(["a@b", "c@d"]).startswith("the pager sends it to a@b, c@d instead; use the key")
    assert sent_to_others([]).startswith("the pager sends it to nobody instead; ")
    assert made_less_urgent("P4") == (
        "the pager has made P4 of its P1, which is to wake nobody; let its policies keep the priority"
    )
    assert kept_silent("closed") == (
        "the pager has closed its alert at once, which wakes nobody; let its policies leave it open"
    )
    assert added_to_another("airflow", ["a@b"]) == (
        "the pager has added it to its alert “airflow”, for a@b; let its integration and policies keep the alias that"
        " it is sent with"
    )


@pytest.mark.parametrize(
    ("what", "sent_to", "line"),
    [
        ("paged DE-001 (primary)", [], "Paged DE-001 (primary)"),
        ("paged DE-001 (primary)", ["DE-002"], "Paged DE-001 (primary); sent to DE-002, on call by then"),
        ("paged A", ["C", "B"], "Paged A; sent to B and C, on call by then"),
    ],
)
def test_what_happened(what: str, sent_to: list[str], line: str) -> None:
    assert event_sentence(what, sent_to) == line


@pytest.mark.parametrize(
    ("op", "channel", "people", "line"),
    [
        ("page", "pager", ["DE-003"], "Page DE-003: Late"),
        ("page", "pager", [], "Page: Late"),
        ("post", "chat", ["DE-003"], "Post: Late"),
        ("note", "pager", [], "Note on the alert: Late"),
        ("close", "pager", ["DE-003"], "Close the alert"),
        ("acknowledge", "pager", [], "Acknowledge the alert"),
        ("update", "chat", [], "Change the first message"),
    ],
)
def test_what_was_sent(op: str, channel: str, people: list[str], line: str) -> None:
    assert delivery_words(op, channel, people, "Late") == line


@pytest.mark.parametrize(
    ("state", "took_s", "attempts", "error", "told"),
    [
        ("done", 0.51, 1, "", ("✓ 0.5 s", "taken after 0.5 s")),
        ("done", 61.0, 3, "refused before", ("✓ 61.0 s", "taken after 61.0 s, at try 3")),
        ("done", -1.0, 1, "", ("✓ 0.0 s", "taken after 0.0 s")),
        ("owed", None, 0, "", ("…", "not sent yet")),
        ("owed", None, 2, "HTTP 503", ("✗", "not sent yet (tried 2 times): HTTP 503")),
        ("accepted", None, 1, "", ("…", "taken, not confirmed yet")),
        ("cancelled", None, 0, "", ("–", "not needed any more")),
    ],
)
def test_what_became_of_it(
    state: str, took_s: float | None, attempts: int, error: str, told: tuple[str, str]
) -> None:
    took = None if took_s is None else dt.timedelta(seconds=took_s)
    assert delivery_result(state, took, attempts, error) == told


def test_one_mark_stands_for_many() -> None:
    assert delivery_mark("Slack", 1, "✓ 0.2 s") == "Slack ✓ 0.2 s"
    assert delivery_mark("Opsgenie", 4, "✓ 0.9 s") == "Opsgenie 4 × ✓ 0.9 s"


STALE_DAY = "Stale: Growth ETL, 22 Nov: master.orders changed since"


@pytest.mark.parametrize(
    ("said", "again"),
    [
        ([STALE_DAY], False),
        ([STALE_DAY, ran_again("Airflow", "run stale__2026-11-23T10:00:00+07:00__ada", "3 numbers restated")], True),
        ([STALE_DAY, ran_again("Ada", "run x", "no number restated")], True),
        ([STALE_DAY, ran_again("Ada", "run x", "held: identity")], False),
        ([STALE_DAY, ran_again("Ada", "from the page: run x")], False),  # what came of it is not known
        ([STALE_DAY, ran_again("Ada", "", "3 numbers restated"), STALE_DAY], False),  # and upstream has changed again
        ([ran_again("Ada", "run x", "3 numbers restated"), STALE_DAY], False),
        ([], False),
    ],
)  # fmt: skip
def test_when_a_stale_day_is_run_again(said: list[str], again: bool) -> None:
    """By its timeline: a run of it has published since."""
    assert is_run_again(said) is again


@given(
    st.sampled_from(["owed", "accepted", "done", "cancelled"]),
    st.none() | st.timedeltas(dt.timedelta(), dt.timedelta(hours=2)),
    st.integers(0, 5),
    st.sampled_from(["", "HTTP 503"]),
)
def test_nothing_is_called_taken_that_the_far_side_has_not(
    state: str, took: dt.timedelta | None, attempts: int, error: str
) -> None:
    """A tick stands for an answer, and nothing else."""
    mark, said = delivery_result(state, took, attempts, error)
    assert mark.startswith("✓") is said.startswith("taken after") is (state == "done" and took is not None)
    assert said.startswith("not sent") is (state == "owed")
