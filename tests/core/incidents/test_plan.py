"""What one look decides of one incident, all rules together; and when it has to be looked at again."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.context import IncidentContext
from oncall.core.incidents.incident import Incident
from oncall.core.incidents.plan import next_instant, plan
from tests.core.scenes import (
    ENGAGEMENT,
    FAILED,
    KEY,
    PAGED,
    PRIMARY,
    SECONDARY,
    STUCK,
    WAITED,
    a_case,
    a_load,
    a_page,
    a_report,
    a_scene,
    a_stuck_case,
    a_task,
    an_entry,
    an_incident,
    at,
    events,
    published,
    said_by,
    usually,
)

SLOW: dict[str, Any] = {**STUCK, "usual": usually({"transform": 1800.0})}
TAKEN = replace(PAGED, acknowledged_at=at("05:03"), acknowledged_by="C@example.com")
WARNED = an_entry(KEY, "chat", "warning")


@pytest.mark.parametrize(
    ("clock", "ended", "state", "said", "pages"),
    [
        ("05:00", "04:59:55", "success", False, False),  # a copy of the warehouse shows it in a moment
        ("05:00:19.999999", "05:00", "success", False, False),
        ("05:00:20", "05:00", "success", False, True),
        ("05:00", "04:59:55", "failed", False, True),
        ("05:00", "04:59:55", "success", True, True),  # what was told of goes on
    ],
)
def test_a_report_that_is_about_to_show_opens_nothing(
    clock: str, ended: str, state: Any, said: bool, pages: bool
) -> None:
    """Its run has published it a moment ago."""
    tasks = (WAITED, a_task("publish", state, "04:59", ended))
    case = IncidentContext(an_incident(), (a_report(clock, tasks=tasks),), (WARNED,) if said else ())
    decided = plan(case, a_scene(clock))
    assert (PRIMARY in {one.step for one in said_by(decided)}) is pages
    assert decided.incidents[0].paged is pages


def test_each_rule_sees_what_the_ones_before_it_have_left() -> None:
    """Late at five: the page, and its cause beside it; at the next look nothing is said again."""
    first = plan(a_stuck_case("05:00", incident=an_incident()), a_scene("05:00"))
    assert [(one.where, one.step) for one in said_by(first)] == [
        (("pager", "page"), PRIMARY), (("chat", "post"), PRIMARY),
    ]  # fmt: skip
    [mine] = first.incidents
    assert (mine.paged_at, mine.cause, mine.verdict) == (at("05:00"), "stuck", "broken")
    entries = (a_page(), an_entry(KEY, "chat", PRIMARY))
    assert events(first) == ["paged C (primary)"]
    again = plan(a_stuck_case("05:00:15", *entries, incident=mine), a_scene("05:00:15"))
    assert (said_by(again), again.events) == ([], ())


def test_the_timeline_has_what_each_rule_says() -> None:
    """At the handoff: that it passes to the new pair, then whom it wakes."""
    passed = plan(a_stuck_case("09:00", a_page()), a_scene("09:00"))
    assert events(passed) == ["Handed over from C to D: Growth ETL, 22 Nov", "paged D (primary)"]


def test_what_is_over_is_asked_nothing_more() -> None:
    """Published at 05:10: it ends, and nobody is asked again who had it."""
    case = replace(a_stuck_case("06:03", a_page(), incident=TAKEN, publication=published("05:10")))
    steps = {one.step for one in said_by(plan(case, a_scene("06:03")))}
    assert "resolved" in steps
    assert not any(step.startswith(("page-", "reminder-", "cause-")) for step in steps)


def test_an_alert_of_this_look_says_the_cause_and_nothing_else_does() -> None:
    """It was warned of a late table and hangs at its last chance: one message, not also a new cause."""
    known = an_incident(cause="upstream_late", names=("master.sessions",), warned=("?",))
    case = IncidentContext(known, (a_report("04:40", **SLOW),), (WARNED,))
    steps = [one.step for one in said_by(plan(case, a_scene("04:40")))]
    assert steps == ["last-chance", "last-chance"]


REFUSED: dict[str, Any] = {
    "taken": None,
    "unreached": "Opsgenie does not know it",
    "account": "old@example.com",
}


@pytest.mark.parametrize(
    ("entry", "news"),
    [
        (None, True),
        (a_page(), False),
        (
            a_page(person="B"),
            False,
        ),  # it has reached somebody: who holds the seat now has a step of their own
        (a_page(**REFUSED), True),  # the roster names another account by now
        (a_page(**{**REFUSED, "account": "C@example.com"}), False),  # nothing is mended
        (a_page(state="cancelled"), True),
    ],
)
def test_a_page_is_written_down_once_or_when_it_was_refused_for_somebody_else(entry: Any, news: bool) -> None:
    """Whatever else the incident owes."""
    case = a_stuck_case("05:00", *[entry] if entry else [])
    page = next(one for one in plan(a_stuck_case("05:00"), a_scene("05:00")).owed if one.op == "page")
    assert case.is_news(page) is news


LATE: dict[str, Any] = {"loads": (a_load(),)}
UNKNOWN = {"state": "owed", "unreached": "Opsgenie does not know it", "account": "old@example.com"}
OTHER_DUE = replace(a_report("05:20"), due=at("06:00"), verdict="waiting")


@pytest.mark.parametrize(
    ("clock", "incident", "members", "entries", "step"),
    [
        ("05:20", PAGED, [OTHER_DUE], [a_page()], "moved"),
        (
            "05:20", PAGED,
            [a_report("05:20", publication=published("05:10")), a_report("05:20", ENGAGEMENT, **STUCK)],
            [a_page()], "landed:1",
        ),
        ("03:30", an_incident(), [a_report("03:30", **LATE)], [], "warning"),
        (
            "04:21", an_incident(warned=("master.sessions",)),
            [a_report("04:21", loads=(a_load(came="04:20"),))], [WARNED], "arrived:master.sessions",
        ),
        ("04:40", an_incident(), [a_report("04:40", **SLOW)], [], "last-chance"),
        ("04:00", an_incident(), [a_report("04:00", tasks=(WAITED, FAILED))], [], "failed-1"),
        (
            "04:00", an_incident(), [a_report("04:00", **LATE)],
            [WARNED, an_entry(KEY, "pager", "warning", **UNKNOWN)], "warning",
        ),
        ("09:00", PAGED, [a_report("09:00", **STUCK)], [a_page()], "handover-1"),
        ("05:00", an_incident(), [a_report("05:00", **STUCK)], [], PRIMARY),
        ("06:03", TAKEN, [a_report("06:03", **STUCK)], [a_page()], "reminder-0-1"),
        ("05:20", replace(TAKEN, cause="failed"), [a_report("05:20", **STUCK)], [a_page()], "cause-1"),
        ("05:20", PAGED, [a_report("05:20", publication=published("05:10"))], [a_page()], "resolved"),
    ],
)  # fmt: skip
def test_every_rule_is_asked(clock: str, incident: Incident, members: Any, entries: Any, step: str) -> None:
    """Each has something to say in some minute of the night."""
    case = IncidentContext(incident, tuple(members), tuple(entries))
    assert step in {one.step for one in said_by(plan(case, a_scene(clock)))}


@pytest.mark.parametrize(
    ("clock", "incident", "entries", "then"),
    [
        ("03:00", an_incident(), [], "03:30"),  # the warning time
        ("03:30", an_incident(), [], "04:30"),  # the last chance
        ("04:30", an_incident(), [], "05:00"),
        ("05:00", PAGED, [a_page()], "05:15"),
        ("05:14:59", PAGED, [a_page()], "05:15"),
        ("05:15", PAGED, [a_page(), a_page(SECONDARY, "D", "05:15")], "05:30"),
        ("05:31", PAGED, [a_page(), a_page(SECONDARY, "D", "05:15"), a_page("page-3-manager", "M", "05:30")], None),
        ("05:05", TAKEN, [a_page()], None),  # somebody has it
        ("05:05", an_incident(), [], None),
    ],
)  # fmt: skip
def test_when_it_has_to_be_looked_at_again(
    clock: str, incident: Incident, entries: list[Any], then: str | None
) -> None:
    """At the next instant at which something may be owed: to the moment."""
    facts = {"loads": (a_load(),)} if clock < "05" else STUCK
    case = replace(a_case(a_report(clock, **facts)), incident=incident, entries=tuple(entries))
    found: dt.datetime | None = next_instant(case, a_scene(clock))
    assert found == (at(then) if then else None)
