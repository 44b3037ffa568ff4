"""Facts → exact sentence, for each verdict × what is unknown; by law no sentence claims what the facts do not hold."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.core.promises.evaluation import PromiseStatus
from oncall.core.promises.facts import RUN, Facts, Publication
from oncall.core.promises.why import Why
from oncall.core.promises.words import first_line, headline, not_on_record
from oncall.core.time_format import TimeFormat
from tests.core.scenes import (
    CHECK,
    ENGAGEMENT,
    FAILED,
    GROWTH,
    PROFIT,
    TZ,
    WAITED,
    a_dag,
    a_load,
    a_report,
    a_task,
    at,
    published,
    usually,
)  # fmt: skip

BLIND: dict[str, Any] = {"unreadable": ("warehouse: gone",), "blind": True, "blind_since": at("04:58")}
DEAF = {"unreadable": ("oncall_db: gone",)}
PARTIAL = {"loads": (a_load(came="02:00", rows=100),)}
RUNS = {"tasks": (a_task("transform", "running", "04:40"),), "usual": usually({"transform": 900.0})}


def say(clock: str) -> TimeFormat:
    return TimeFormat(at(clock), TZ)


HEADLINES: list[tuple[str, dict[str, Any], str]] = [
    ("04:45", RUNS, "On track"),
    ("03:00", {}, "On track"),
    ("03:00", PARTIAL, "Not due yet; master.sessions is there in part"),
    ("03:00", {**PARTIAL, "tasks": (WAITED, a_task("transform", "running", "02:59"))}, "On track"),
    ("03:00", {"loads": (a_load(),)}, "On track"),
    ("03:00", {"promised": False}, "Not published yet"),
    ("03:00", DEAF, "Not published yet; how far it is cannot be seen"),
    ("03:00", BLIND, "Not due yet; cannot be seen since 04:58"),
    ("03:00", {**BLIND, "blind_since": None}, "Not due yet; cannot be seen"),
    ("03:00", {**BLIND, "promised": False}, "Cannot see since 04:58 whether it is published"),
    ("03:00", {"loads": (a_load(),), "run": a_task(RUN, "failed", "02:00", "02:50")}, "At risk"),
    ("04:59", BLIND, "At risk: it cannot be seen since 04:58"),
    ("04:59", DEAF, "At risk"),
    ("04:10", {"loads": (a_load(),)}, "At risk"),
    ("02:45", {"tasks": (WAITED, FAILED)}, "At risk"),
    ("02:45", {"failed_checks": (CHECK,)}, "At risk"),
    ("02:45", {"dag": a_dag(paused=True)}, "At risk"),
    ("02:45", {"dag": a_dag(), "schedule": "0 2 * * *"}, "At risk"),
    ("04:20", {"tasks": (a_task("transform", "running", "02:00"),)}, "At risk"),
    ("05:00", {}, "Not published, due now"),
    ("05:26", {}, "Not published, 26 min late"),
    ("05:26", DEAF, "Not published, 26 min late"),
    ("05:26", BLIND, "Cannot see since 04:58 whether it is published"),
    ("05:26", {**BLIND, "blind_since": None}, "Cannot see whether it is published"),
    ("05:26", {"publication": published("04:09")}, "Published in time, at 04:09"),
    ("05:26", {"publication": published("05:00")}, "Published in time, at 05:00"),
    ("05:26", {"publication": published("05:09")}, "Published 9 min late, at 05:09"),
    ("05:26", {"publication": published("04:09"), "promised": False}, "Published at 04:09"),
    (
        "05:26", {"publication": published("05:09"), **BLIND},
        "Cannot be seen now; last known: published 9 min late, at 05:09",
    ),
    (
        "05:26", {"publication": published("04:09"), **BLIND},
        "Cannot be seen now; last known: published in time, at 04:09",
    ),
    ("05:26", {"publication": published("04:09"), **DEAF}, "Published in time, at 04:09"),
]  # fmt: skip


@pytest.mark.parametrize(("clock", "facts", "words"), HEADLINES)
def test_a_cards_headline(clock: str, facts: dict[str, Any], words: str) -> None:
    """What is known, and what is not."""
    assert headline(a_report(clock, **facts), say(clock)) == words


def three(clock: str, *facts: dict[str, Any]) -> list[PromiseStatus]:
    dags = (PROFIT, ENGAGEMENT, GROWTH)
    return [a_report(clock, dag, **each) for dag, each in zip(dags, facts, strict=False)]


IN_TIME, LATE_9, LATE_17 = ({"publication": published(clock)} for clock in ("04:09", "05:09", "05:17"))
LINES: list[tuple[str, tuple[dict[str, Any], ...], str, str]] = [
    ("05:26", (IN_TIME,) * 3, "Investors have all 3 reports, in time", "ok"),
    ("05:26", (IN_TIME,), "Investors have the report, in time", "ok"),
    ("05:26", (LATE_9, LATE_17, LATE_9), "Investors have all 3 reports, all 3 late (9 to 17 min)", "warn"),
    ("05:26", (LATE_9,) * 3, "Investors have all 3 reports, all 3 late (9 min)", "warn"),
    ("05:26", (LATE_9,), "Investors have the report, 9 min late", "warn"),
    ("05:26", (IN_TIME, LATE_9, IN_TIME), "Investors have all 3 reports; Engagement ETL came 9 min late", "warn"),
    (
        "07:26", (IN_TIME, LATE_9, {"publication": published("06:30")}),
        "Investors have all 3 reports; Engagement ETL and Growth ETL came late (9 min to 1 h 30 min)", "warn",
    ),
    ("05:26", ({}, IN_TIME, LATE_9), "Investors are missing 1 of 3 reports: Profit ETL", "bad"),
    ("05:26", ({}, {}, DEAF), "Investors are missing 3 of 3 reports: Profit ETL, Engagement ETL and Growth ETL", "bad"),
    (
        "05:26", (BLIND,) * 3,
        "Cannot see whether Profit ETL, Engagement ETL and Growth ETL are published", "bad",
    ),
    (
        "05:26", ({**IN_TIME, **BLIND}, {**LATE_9, **BLIND}, {**IN_TIME, **BLIND}),
        "Cannot see whether Profit ETL, Engagement ETL and Growth ETL are published; "
        "last known: all published, the last 05:09", "warn",
    ),
    (
        "05:26", ({**LATE_9, **BLIND},),
        "Cannot see whether Profit ETL is published; last known: published 05:09", "warn",
    ),
    (
        "05:26", ({**IN_TIME, **BLIND}, BLIND),
        "Cannot see whether Profit ETL and Engagement ETL are published; last known: Profit ETL published 04:09", "bad",
    ),
    (
        "05:26", ({}, BLIND, IN_TIME),
        "Investors are missing 1 of 3 reports: Profit ETL; cannot see whether Engagement ETL is published", "bad",
    ),
    ("04:59", (BLIND,), "Cannot see whether Profit ETL is published", "warn"),
    ("03:00", (BLIND,), "Cannot see whether Profit ETL is published", "warn"),
    ("04:10", ({"loads": (a_load(),)}, RUNS | {"tasks": ()}), "Profit ETL is at risk", "warn"),
    ("03:00", (PARTIAL, {}, {}), "No report is due yet", "none"),
    ("03:00", ({}, {}, IN_TIME), "1 of 3 reports is out, the rest is on track", "none"),
    ("03:00", (DEAF, {}), "No report is due yet", "none"),
]  # fmt: skip


@pytest.mark.parametrize(("clock", "facts", "words", "level"), LINES)
def test_the_pages_first_line(clock: str, facts: tuple[dict[str, Any], ...], words: str, level: str) -> None:
    """Amber when promises were broken and mended, red while one is missing or cannot be seen."""
    assert first_line(three(clock, *facts), say(clock), investors=True) == (words, level)


def test_another_teams_reports_are_for_nobody_in_particular() -> None:
    """The same without investors."""
    assert first_line(three("05:26", {}, IN_TIME), say("05:26"), investors=False)[0] == (
        "1 of 2 reports is missing: Profit ETL"
    )
    assert first_line(three("05:26", IN_TIME, IN_TIME), say("05:26"), investors=False)[0] == (
        "All 2 reports are there, in time"
    )
    assert (
        first_line(three("05:26", IN_TIME), say("05:26"), investors=False)[0]
        == "The report is there, in time"
    )


# The law.

OLD_CHECK = replace(CHECK, run_id="night", checked_at=at("02:00"))
minutes = st.integers(-240, 120).map(lambda after: at("05:00") + dt.timedelta(minutes=after))
tasks = st.lists(
    st.builds(
        a_task,
        st.sampled_from(["wait_for_upstream", "transform", "check", "publish"]),
        st.sampled_from(["running", "success", "up_for_retry", "queued", "failed"]),
        st.sampled_from(["01:00", "02:00", "03:12", "04:40"]),
        st.sampled_from([None, "04:45", "04:50"]),
        run=st.sampled_from(["night", "again"]),
    ),
    max_size=3,
).map(tuple)


BY_HAND = "marked as failed by B"
marked = tasks.map(lambda some: (*some[:-1], *(replace(t, state="failed", error=BY_HAND) for t in some[-1:])))
ends = st.sampled_from([("failed", ""), ("failed", BY_HAND), ("success", ""), ("deleted", "")])
runs = ends.map(lambda end: replace(a_task(RUN, "success", "02:00", "04:50", end[1]), state=end[0]))  # type: ignore[arg-type]
DAGS: list[dict[str, Any]] = [{}, {"paused": True}, {"import_error": "x"}, {"missing": True}, {"running": 2}]
HISTORY = usually({"transform": 900.0, "check": 300.0}, {"transform": 600.0}, {"transform": 800.0})


@st.composite
def publications(draw: st.DrawFn, instant: dt.datetime) -> Publication | None:
    """None, of this night, published again, or due at another time as it was published."""
    made = draw(st.none() | st.sampled_from(["04:09", "05:00", "05:09"]))
    if made is None or at(made) > instant:
        return None
    again = draw(st.sampled_from([None, "06:30"]))
    due = draw(st.none() | st.sampled_from([at("04:00"), at("05:00"), at("06:00")]))
    return replace(published(made, again if again and at(again) <= instant else None), due=due)


@st.composite
def reports(draw: st.DrawFn, instant: dt.datetime, *, real: bool = False) -> PromiseStatus:
    """`real`: promised, and no drill."""

    def one_of(*values: Any) -> Any:
        return draw(st.sampled_from(values))

    made = draw(publications(instant))
    facts: dict[str, Any] = {
        "publication": made,
        "tasks": draw(tasks | marked),
        "run": draw(st.none() | runs),
        "loads": one_of((), (a_load(),), (a_load(came="02:00"),), (a_load(came="02:00", rows=100),)),
        "failed_checks": one_of((), (CHECK,), (OLD_CHECK,)),
        "failed_before": one_of((), (FAILED,)),
        "dag": one_of(None, *(a_dag(**said) for said in DAGS)),
        "usual": one_of(usually(), HISTORY),
        "changed_since": one_of((), (a_load(came="06:10"),)) if made else (),
        "blocked_by": one_of("", "pid 311 (etl)"),
        "looking_since": one_of(None, at("01:00"), instant),
        **one_of({}, BLIND, DEAF, {**BLIND, "blind_since": None}),
    }  # fmt: skip
    about: dict[str, Any] = {
        "promised": real or one_of(True, False),
        "drill": "" if real else one_of("", "x"),
    }
    dag_id, schedule = one_of(PROFIT, ENGAGEMENT, GROWTH), one_of(None, "0 2 * * *")
    return a_report(f"{instant:%H:%M}", dag_id, schedule=schedule, **about, **facts)


@given(st.data(), minutes)
def test_no_sentence_claims_what_the_facts_do_not_hold(data: st.DataObject, instant: dt.datetime) -> None:
    """Of the card, the cause and the first line."""
    some = data.draw(st.lists(reports(instant, real=True), min_size=1, max_size=3))
    when = TimeFormat(instant, TZ)
    for one in (*some, data.draw(reports(instant))):
        _holds(one, instant, headline(one, when))
    line, level = first_line(some, when, investors=True)
    blind, missing = any(one.facts.blind for one in some), any(one.verdict == "broken" for one in some)
    assert ("cannot see" in line.lower()) is blind
    assert ("missing" in line) is missing
    assert (level == "bad") is any(one.overdue for one in some)
    if level == "ok":
        assert all(one.facts.publication and one.verdict == "kept" and not one.facts.blind for one in some)
    assert "on track" not in line or all(one.verdict in ("waiting", "kept", "late") for one in some)


def _holds(status: PromiseStatus, instant: dt.datetime, words: str) -> None:
    facts = status.facts
    made = facts.publication
    if facts.blind:
        assert "cannot" in words.lower()
        assert not words.startswith(("Published", "Not published"))
    if "Not published" in words:
        assert made is None
        assert not facts.blind
    if "published in time" in words.lower() or " late, at" in words:
        assert made is not None
        assert status.due is not None
        assert (made.first_at > status.due) is ("late" in words)
    if status.due is None:
        assert not re.search("time|late|due|On track", words)
    if words == "On track":
        _is_on_track(status, instant)
    if status.why is not None:
        _is_the_cause(status.why, facts, instant)


def _is_on_track(status: PromiseStatus, instant: dt.datetime) -> None:
    facts = status.facts
    assert instant < at("05:00")
    assert facts.publication is None
    assert not facts.unreadable
    assert not any(task.state == "failed" for task in facts.tasks)
    assert not facts.over or facts.over.state == "success"
    comes = status.drill or facts.tasks or facts.run or facts.dag is None
    assert comes or not (facts.dag and (facts.dag.paused or facts.dag.import_error))


def _is_the_cause(why: Why, facts: Facts, instant: dt.datetime) -> None:
    rests_on: dict[str, object] = {
        "held": facts.held_by,
        "running": facts.tasks or facts.run,
        "stuck": facts.tasks or facts.run,
        "failed": facts.tasks or facts.failures or facts.over,
        "upstream_late": facts.late_loads,
        "not_started": facts.gone or not facts.tasks,
        "unknown": facts.unreadable,
    }
    assert rests_on[why.cause]
    if why.cause in ("running", "stuck"):
        assert not any(task.state == "failed" for task in facts.tasks)
    if why.cause == "running":
        assert f"expected {instant:%H:%M}" not in why.detail
    if "is the scheduler running?" in why.detail:
        assert facts.dag is not None
        assert not any((facts.tasks, facts.dag.paused, facts.dag.missing, facts.dag.import_error))
    if why.kind == "gave up":
        assert facts.over or any(task.state == "failed" for task in facts.tasks)


def test_the_law_notices_a_lie() -> None:
    """Were a blind report called missing, it would fail."""
    with pytest.raises(AssertionError):
        _holds(a_report("05:26", **BLIND), at("05:26"), "Not published, 26 min late")


def test_a_day_before_all_that_is_looked_at() -> None:
    assert not_on_record(dt.date(2026, 8, 31), dt.date(2026, 9, 7)) == (
        "nothing is on record of Mon 31 Aug: the reports looked at begin on Mon 7 Sep"
    )
