"""The words of a test page, and the report on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oncall.core.incidents.context import page_and_post, seat_holder
from oncall.core.incidents.wording import Links, Scene
from oncall.core.message import Message, Recipient
from oncall.core.notices.drill_page import TestPageTimes, drill_page, over, report
from oncall.core.promises.promise import Pipeline, Team
from oncall.core.promises.why import CAUSE_WORDS
from oncall.core.runbook import SECTIONS, Runbook
from tests.core.rosters import instant, team

SCENE = Scene(team(), Links("http://airflow.test"), instant("2025-12-30 12:00"))
PIPELINE = Pipeline(
    "growth_etl", "Growth ETL", "", "investor.daily_growth", None, (), Team("SWE", "#swe"), "Investors", "C", "D",
    None, Runbook("", {key: f"steps for {key}" for key in SECTIONS}),
)  # fmt: skip
BEA = Recipient("B", "B@example.com", "UB")


def a_page(cause: str = "stuck") -> Message:
    return drill_page(SCENE, PIPELINE, cause, "secondary", BEA, "P3")


@pytest.mark.parametrize(("seat", "person"), [("primary", "A"), ("secondary", "B"), ("manager", "M")])
def test_the_page_goes_to_whoever_holds_the_seat_now(seat: str, person: str) -> None:
    """Resolved like any page."""
    found = seat_holder(SCENE, seat)
    assert found is not None
    assert found.name == person


def test_a_seat_that_nobody_holds_has_no_holder() -> None:
    """Everybody but the manager is away."""
    alone = team(leave=[(person, "2025-12-29", "2026-01-05") for person in "ABCD"])
    assert seat_holder(replace(SCENE, roster=alone), "secondary") is None


@pytest.mark.parametrize("cause", CAUSE_WORDS)
def test_the_page_carries_the_runbooks_steps_and_the_mark(cause: str) -> None:
    """For every cause there is."""
    page = a_page(cause)
    assert page.title.startswith("[DRILL] Growth ETL: ")
    assert page.title.endswith("for B (secondary)")
    assert page.steps == f"steps for {cause}"
    assert page.tags == ("oncall", "growth_etl", cause, "DRILL")
    assert page.facts == (
        ("Report", "investor.daily_growth"),
        ("Cause", f"{CAUSE_WORDS[cause]} (as if)"),
        ("Owners to ask", "C, then D"),
        ("Waits for it", "Investors"),
    )
    assert page.links == (
        ("Runbook", SCENE.links.runbook("growth_etl", cause)),
        ("On-call page", "http://airflow.test/oncall/"),
    )
    assert (page.priority, page.recipients) == ("P3", (BEA,))
    assert (page.key, page.step) == ("drill-page:20251230T120000:growth_etl", "test-page")
    assert drill_page(SCENE, PIPELINE, cause, "secondary", BEA, "P1").priority == "P1"
    assert page.summary.startswith("This is a drill. Nothing is wrong.")


def test_it_is_owed_to_both_channels_and_closed_on_the_pager() -> None:
    """Closing names the alias that was paged; the chat hears how it went in the same thread."""
    page = a_page()
    assert [(o.channel, o.op, o.alias) for o in page_and_post(page)] == [
        ("pager", "page", page.alias),
        ("chat", "post", ""),
    ]
    assert {(o.key, o.step, o.message) for o in page_and_post(page)} == {(page.key, page.step, page)}
    end = over(page, TestPageTimes(processed=1.0), 300)
    close, said = end.owed
    assert close.message == said.message
    assert (said.step, said.message.step, close.step) == ("test-over", "test-over", f"close:{page.alias}")
    assert said.message.title == "[DRILL] Test page over: B did not acknowledge within 5 min"
    assert said.message.summary.splitlines() == [
        "pager: accepted after …, not yet, processed after 1.0 s",
        "chat: posted after …, not yet",
    ]
    assert said.message.key == page.key
    assert [(o.channel, o.op, o.alias) for o in end.owed] == [
        ("pager", "close", page.alias),
        ("chat", "post", ""),
    ]
    assert {o.key for o in end.owed} == {page.key} == set(end.cancelled)


@pytest.mark.parametrize(
    ("took", "waited", "first"),
    [
        (
            TestPageTimes(0.4, 0.9, 0.3, 42.0, "b@example.com"),
            300,
            "b@example.com acknowledged after 42 s",
        ),
        (TestPageTimes(0.4, 0.9, 0.3), 300, "B did not acknowledge within 5 min"),
        (TestPageTimes(0.4, 0.9, 0.3), 0, "the pager has it for B"),
        (TestPageTimes(posted=0.3, trouble="Opsgenie: refused"), 0, "it did NOT reach B: Opsgenie: refused"),
        (TestPageTimes(posted=0.3), 0, "it did NOT reach B: the pager has not taken it"),
    ],
)
def test_the_report_begins_with_whether_the_person_was_reached(
    took: TestPageTimes, waited: int, first: str
) -> None:
    """Then each part with its seconds."""
    assert next(report(a_page(), took, waited)) == first


def test_the_report_tells_each_part() -> None:
    """What has not happened is said so, and what a far side said against it."""
    took = TestPageTimes(0.42, None, 0.3, trouble="Slack: late")
    assert list(report(a_page(), took, 0))[1:] == [
        "pager: accepted after 0.4 s, processed after …, not yet",
        "chat: posted after 0.3 s",
    ]
    assert list(report(a_page(), TestPageTimes(0.4, 0.9, None, trouble="Slack: down"), 0))[2:] == [
        "chat: posted after …, not yet",
        "Slack: down",
    ]
