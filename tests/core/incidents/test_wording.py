"""The words of alerts and notices: what each shows, and to whom."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from oncall.core.incidents.wording import Composer, Links, because, subject
from oncall.core.message import Message, Recipient
from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import RUN
from oncall.core.promises.promise import Team
from oncall.core.promises.why import Why
from oncall.core.time_format import TimeFormat, between, day, span
from tests.core.rosters import team
from tests.core.scenes import (
    ENGAGEMENT,
    FAILED,
    GROWTH,
    PROFIT,
    TRANSFORMS,
    TZ,
    WAITED,
    a_load,
    a_pipeline,
    a_report,
    a_scene,
    a_task,
    an_incident,
    at,
    published,
)

LINKS = Links("http://airflow.test")
LATE: dict[str, Any] = {"loads": (a_load(),)}


def a_message(*members: PromiseStatus, clock: str = "05:00", incident: Any = None, **how: Any) -> Message:
    how = {"priority": "P1", "lines": ["one", "two"], **how}
    return Composer(a_scene(clock), incident or an_incident(), members).message(
        "page-1-primary", "Title", **how
    )


def facts(*members: PromiseStatus, clock: str = "05:00") -> dict[str, str]:
    found = a_message(*members, clock=clock).facts
    assert len({label for label, _ in found}) == len(found)
    return dict(found)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"), (0, "0 s"), (0.4, "1 s"), (1.6, "1 s"), (119.9, "119 s"),
        (120, "2 min"), (179, "2 min"), (42 * 60, "42 min"), (59.9 * 60, "59 min"),
        (3600, "1 h 00 min"), (65 * 60, "1 h 05 min"), (26 * 3600, "26 h 00 min"),
    ],
)  # fmt: skip
def test_a_length_of_time_as_people_say_it(seconds: float, words: str) -> None:
    """Seconds below two minutes, minutes below an hour; cut, as clocks are."""
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("04:10:50", "05:00:00", "50 min"),  # what is due at 05:00, read at 04:10
        ("05:00:40", "05:15:10", "15 min"),
        ("05:00:00", "05:41:59", "41 min"),
        ("05:00:10", "05:01:55", "105 s"),
        ("05:00:59", "05:02:59", "2 min"),
        ("05:00:59", "06:00:00", "1 h 00 min"),
    ],
)
def test_a_length_of_time_agrees_with_the_clocks_at_its_ends(start: str, end: str, words: str) -> None:
    """As they are shown: without seconds."""
    assert between(at(start), at(end)) == words
    assert TimeFormat(at(start), TZ).away(at(end)) == f"in {words}"
    assert TimeFormat(at(end), TZ).away(at(start)) == f"{words} ago"


@pytest.mark.parametrize(
    ("clock", "days", "words"),
    [
        ("05:42", 0, "05:42"),
        ("23:59", 0, "23:59"),
        ("05:42", -1, "Sun 22 Nov 05:42"),
        ("00:00", 1, "Tue 24 Nov 00:00"),
    ],
)
def test_a_clock_tells_its_day_when_it_is_another(clock: str, days: int, words: str) -> None:
    """In the roster's zone."""
    assert a_scene("05:00").clock(at(clock, days)) == words
    assert a_scene("05:00").clock(None) == "–"


def test_a_day_is_said_without_its_year() -> None:
    """Nobody is woken for last year's."""
    assert day(at("05:00").date()) == "23 Nov"


def test_a_subject_is_one_report_or_several() -> None:
    """By title and report date."""
    growth, profit = a_report("05:00", GROWTH), a_report("05:00", PROFIT)
    assert subject([growth]) == "Growth ETL, 22 Nov"
    assert subject([growth, profit]) == "2 reports of 22 Nov (Growth ETL, Profit ETL)"
    later = replace(growth, report_date=growth.report_date + dt.timedelta(days=2))
    assert subject([later, growth]) == "2 reports of 22 Nov to 24 Nov (Growth ETL 24 Nov, Growth ETL 22 Nov)"


def test_a_cause_is_said_with_its_detail() -> None:
    """In plain words."""
    assert because(Why("upstream_late", "master.sessions has not arrived")) == (
        "waiting on upstream: master.sessions has not arrived"
    )
    assert because(Why("unknown", "x")) == "cannot tell: x"
    assert because(None) == ""


def test_a_message_carries_what_it_is_about() -> None:
    """Key and step, the words, priority, people and channel."""
    anna = Recipient("A")
    message = a_message(a_report("05:00"), recipients=[anna], section="stuck")
    assert (message.key, message.step, message.title, message.summary) == (
        "growth_etl:2026-11-22", "page-1-primary", "Title", "one\ntwo",
    )  # fmt: skip
    assert (message.priority, message.recipients, message.channel) == ("P1", (anna,), "#de-oncall")
    assert message.steps == "steps for stuck"
    assert a_message(a_report("05:00")).steps == ""
    first, second, *_ = a_message(a_report("05:00")).links
    assert first == ("Incident", "http://airflow.test/oncall/incidents/growth_etl:2026-11-22#actions")
    assert second == ("Runbook", "http://airflow.test/oncall/runbooks/growth_etl?date=2026-11-22")
    assert message.alias == "growth_etl:2026-11-22:page-1-primary"


def test_the_facts_of_one_report() -> None:
    """What, when due, why, whom to ask, who is on call, who waits."""
    assert facts(a_report("05:00", tasks=(WAITED, TRANSFORMS))) == {
        "Report": "investor.daily_growth for 2026-11-22",
        "Due": "2026-11-23 05:00 UTC+07:00",
        "Cause": "stuck: in transform since 03:12",
        "Owners to ask": "C, then D",
        "On call": "C, then D, then M",
        "Waits for it": "Investor Dashboard",
    }


def test_what_is_not_known_is_no_fact() -> None:
    """Without a promise nothing is due, without trouble there is no cause."""
    plain = facts(a_report("02:00", promised=False))
    assert "Due" not in plain
    assert "Cause" not in plain


def test_a_load_with_few_rows_that_may_be_whole_is_told() -> None:
    """Once for all the reports that read it, and without holding any."""
    few = a_load("master.refunds", "02:10", rows=5, median=9.0)
    told = facts(a_report("05:00", GROWTH, loads=(few,)), a_report("05:00", ENGAGEMENT, loads=(few,)))
    assert told["Few rows"] == "master.refunds: 5 rows, usually 9, which may be all of them"
    assert few.state == "fresh"


@pytest.mark.parametrize(("what", "named"), [(LATE, True), ({"tasks": (WAITED, FAILED)}, False), ({}, False)])
def test_the_upstream_team_is_named_when_upstream_is_late(what: dict[str, Any], named: bool) -> None:
    """With its channel."""
    found = facts(a_report("05:00", **what)).get("Upstream owner")
    assert found == ("Software Engineer Team (#swe-master-data)" if named else None)


def test_several_reports_of_one_cause_say_it_once() -> None:
    """And of several causes each with its title."""
    same = facts(a_report("05:00", GROWTH, **LATE), a_report("05:00", ENGAGEMENT, **LATE))
    assert same["Report"] == "investor.daily_growth for 2026-11-22, investor.daily_engagement for 2026-11-22"
    assert same["Cause"] == "waiting on upstream: master.sessions has not arrived, usually there by 02:00"
    assert same["Owners, Growth ETL"] == same["Owners, Engagement ETL"] == "C, then D"
    assert same["Waits for it"] == "Investor Dashboard"
    assert [label for label in same if label.startswith("Cause")] == ["Cause"]
    other = facts(a_report("05:00", GROWTH, **LATE), a_report("05:00", PROFIT, tasks=(WAITED, TRANSFORMS)))
    assert "Cause" not in other
    assert other["Cause, Growth ETL"].startswith("waiting on upstream: ")
    assert other["Cause, Profit ETL"] == "stuck: in transform since 03:12"


def test_each_waiting_reader_is_named_once() -> None:
    """Others beside them."""
    mine = a_report("05:00")
    theirs = replace(a_report("05:00", PROFIT), pipeline=a_pipeline(PROFIT, downstream_owner="Finance"))
    assert facts(mine, theirs, a_report("05:00", ENGAGEMENT))["Waits for it"] == "Investor Dashboard, Finance"


def test_the_upstream_team_is_that_of_the_first_report() -> None:
    """The one that is spoken of."""
    mine = replace(a_report("05:00", **LATE), pipeline=a_pipeline(upstream_owner=Team("Core", "#core")))
    assert facts(mine, a_report("05:00", PROFIT, **LATE))["Upstream owner"] == "Core (#core)"


def test_who_is_on_call_is_told_as_of_now() -> None:
    """After nine it is the next pair; one person alone is followed by nobody."""
    assert facts(a_report("09:00"), clock="08:59")["On call"] == "C, then D, then M"
    assert facts(a_report("09:00"), clock="09:00")["On call"] == "D, then A, then M"
    alone = team(leave=[(person, "2026-11-16", "2026-11-30") for person in "ABCD"])
    found = (
        Composer(a_scene("05:00", roster=alone), an_incident(), [a_report("05:00")]).message("s", "t").facts
    )
    assert dict(found)["On call"] == "M, then nobody, then M"


@pytest.mark.parametrize(
    ("tasks", "run"),
    [
        ((), "http://airflow.test/dags/growth_etl"),
        ((WAITED,), "http://airflow.test/dags/growth_etl/runs/night"),
        (
            (a_task("transform", "running", run="manual__2026-11-22T19:00:00+00:00/x"),),
            "http://airflow.test/dags/growth_etl/runs/manual__2026-11-22T19%3A00%3A00%2B00%3A00%2Fx",
        ),
    ],
)
def test_links_lead_to_the_run_the_runbook_and_the_page(tasks: tuple[Any, ...], run: str) -> None:
    """The incident first, at the forms that act on it; the runbook at the section that fits."""
    found = a_message(a_report("05:00", tasks=tasks), section="not_started").links
    assert found == (
        ("Incident", "http://airflow.test/oncall/incidents/growth_etl:2026-11-22#actions"),
        (
            "Runbook",
            "http://airflow.test/oncall/runbooks/growth_etl?section=not_started&date=2026-11-22#not-started",
        ),
        ("Run", run),
    )
    assert LINKS.runbook("growth_etl") == "http://airflow.test/oncall/runbooks/growth_etl"
    began = a_report("05:00", run=a_task(RUN, "running", "02:00"))  # and no task of it has started
    assert LINKS.run(began) == "http://airflow.test/dags/growth_etl/runs/night"


def test_several_reports_have_each_their_links() -> None:
    """With their titles; the incident, where all of them are acknowledged, once and first."""
    labels = [label for label, _ in a_message(a_report("05:00"), a_report("05:00", PROFIT)).links]
    assert labels == [
        "Incident",
        "Runbook Growth ETL",
        "Run Growth ETL",
        "Runbook Profit ETL",
        "Run Profit ETL",
    ]


@pytest.mark.parametrize(
    ("state", "url", "there"),
    [
        ("failed", "http://log", True),
        ("up_for_retry", "http://log", True),
        ("running", "http://log", False),
        ("failed", "", False),
    ],
)
def test_the_log_of_a_failed_task_is_one_tap_away(state: Any, url: str, there: bool) -> None:
    """Where Airflow told its address; also while it is to be tried again."""
    task = replace(a_task("transform", state, ended="02:40"), log_url=url)
    found = dict(a_message(a_report("05:00", tasks=(task,))).links)
    assert found.get("Log") == (url if there else None)


@pytest.mark.parametrize(
    ("what", "tags"),
    [
        ({"tasks": (WAITED, TRANSFORMS)}, ("oncall", "growth_etl", "stuck")),
        ({"publication": published("04:00")}, ("oncall", "growth_etl")),
    ],
)
def test_tags_tell_pipeline_and_cause(what: dict[str, Any], tags: tuple[str, ...]) -> None:
    """For whoever filters at the pager."""
    assert a_message(a_report("05:00", **what)).tags == tags
    both = a_message(a_report("05:00", **what), a_report("05:00", PROFIT)).tags
    assert both[:3] == ("oncall", "growth_etl", "profit_etl")


def test_a_drill_says_so_first_and_last() -> None:
    """In the title and among the tags; whoever is called reads it in the first line too."""
    message = a_message(a_report("05:00", drill="x"), incident=an_incident(drill="x"))
    assert message.title == "[DRILL] Title"
    assert message.summary == "one\ntwo"
    assert a_message(
        a_report("05:00", drill="x"), incident=an_incident(drill="x"), recipients=(Recipient("DE-003"),)
    ).summary == ("This is a drill. Nothing is wrong.\none\ntwo")
    assert message.tags[-1] == "DRILL"
    assert message.key == "drill-x:growth_etl:2026-11-22"
    assert "DRILL" not in str(a_message(a_report("05:00")))
