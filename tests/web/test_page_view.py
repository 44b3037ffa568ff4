"""What the page says of what was seen: the answer in one line, banners, promises, tables, weeks, load, ledger."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oncall.core.errors import Problem
from oncall.core.incidents.incident import Event
from oncall.core.incidents.upstream_team import LATE
from oncall.core.incidents.wording import Links
from oncall.core.promises.attainment import FirstPublished, attainment, days
from oncall.core.promises.evaluation import evaluate_promise
from oncall.core.promises.facts import Dag, Facts, Load, Publication, Task
from oncall.core.promises.promise import Promise
from oncall.core.promises.run_cause import WAIT
from oncall.core.rota.credit_ledger import ledger
from oncall.core.rota.on_call import rota
from oncall.core.rota.roster import Leave
from oncall.core.rota.rota_json import ledger_json, shift_json
from oncall.core.time_format import TimeFormat
from oncall.usecases.history import DeliveryRecord, IncidentRecord
from oncall.web.snapshot import PageSnapshot, Trouble
from oncall.web.views.banners import banners
from oncall.web.views.incident_page import incident_page
from oncall.web.views.incidents import incidents, listed, none_open, none_past
from oncall.web.views.on_call import now, on_call
from oncall.web.views.on_call_load import ledger_view, loads
from oncall.web.views.overview import overview
from oncall.web.views.promises import cards, others, upstream
from oncall.web.views.rota_bars import calendar
from oncall.web.views.rota_models import ShiftView
from oncall.web.views.rota_weeks import weeks, weeks_running
from oncall.web.views.timeline import timeline
from tests.web.example_page import DAY, TZ, Example, at, calm, config, morning

LINKS = Links("/airflow")


def seen_at(clock: str, facts: dict[str, Facts], day: dt.date = DAY + dt.timedelta(days=1)) -> PageSnapshot:
    """The three promises of DAY judged at this time on these facts."""
    moment = at(clock, day)
    pipelines = [p for p in config().pipelines.values() if p.promise]
    statuses = [evaluate_promise(p, DAY, facts.get(p.dag_id, Facts()), moment, TZ) for p in pipelines]
    return PageSnapshot(moment, config(), statuses=tuple(statuses), tick=moment)


def test_the_first_line_says_whether_investors_have_their_data() -> None:
    """Missing reports are named and counted; a calm day is said to be one."""
    assert overview(morning(), LINKS).verdict == (
        "Investors are missing 2 of 3 reports: Engagement ETL and Growth ETL",
        "bad",
    )
    assert overview(calm(), LINKS).verdict == ("Investors have all 3 reports, in time", "ok")


def test_the_first_line_of_another_team_speaks_of_no_investors() -> None:
    """Who reads its reports, nobody told us."""

    def theirs(seen: PageSnapshot) -> PageSnapshot:
        return replace(seen, config=replace(seen.config, roster=replace(seen.config.roster, team="growth")))

    assert overview(theirs(morning()), LINKS).verdict == (
        "2 of 3 reports are missing: Engagement ETL and Growth ETL",
        "bad",
    )
    assert overview(theirs(calm()), LINKS).verdict == ("All 3 reports are there, in time", "ok")


def test_on_a_day_on_which_no_report_is_due_the_page_says_so() -> None:
    """A pipeline of working days misses nothing on a Saturday; its card shows Friday's report, due on Monday."""
    saturday = dt.date(2026, 11, 21)
    known = config().pipelines["growth_etl"]
    assert known.promise
    promise = replace(known.promise, weekdays=frozenset(range(5)))
    growth = replace(known, promise=promise, schedule="0 2 * * 1,2,3,4,5")
    moment = at("12:00", saturday)
    made = Facts(publication=Publication(at("02:30", DAY - dt.timedelta(days=2)), at("02:30"), "x", 1))
    statuses = (
        evaluate_promise(growth, dt.date(2026, 11, 19), made, moment, TZ),
        evaluate_promise(growth, dt.date(2026, 11, 20), Facts(), moment, TZ),
    )
    only = replace(config(), pipelines={"growth_etl": growth})
    page = overview(PageSnapshot(moment, only, statuses=statuses, tick=moment), LINKS)
    assert page.verdict == ("No report is due today", "none")
    assert [pipeline.promise for pipeline in page.pipelines] == ["Mon to Fri by 05:00"]
    (card,) = page.promises
    assert card.today
    assert (card.today.report_date.day, card.today.due) == (20, at("05:00"))
    assert card.today.headline == "On track"


def test_before_five_the_report_due_today_is_shown() -> None:
    """At 04:10 the promise on the card is the one due in 50 minutes, not yesterday's kept one."""
    moment = at("04:10")
    promised = [p for p in config().pipelines.values() if p.promise]
    made = Facts(publication=Publication(at("02:00", DAY), at("02:00", DAY), "x", 1))
    statuses = [evaluate_promise(p, DAY - dt.timedelta(days=1), made, moment, TZ) for p in promised]
    waits = Facts(tasks=(Task("wait_for_upstream", "running", at("04:05")),))
    statuses += [evaluate_promise(p, DAY, waits, moment, TZ) for p in promised]
    page = overview(PageSnapshot(moment, config(), statuses=tuple(statuses), tick=moment), LINKS)
    assert {card.today.report_date for card in page.promises if card.today} == {DAY}
    assert page.verdict == ("All 3 reports are on track", "none")


def test_an_older_missing_report_does_not_disappear() -> None:
    """At 00:30 of the next day the broken promise of yesterday is still on the page."""
    seen = seen_at("00:30", {}, DAY + dt.timedelta(days=2))
    newer = [
        evaluate_promise(one.pipeline, DAY + dt.timedelta(days=1), Facts(), seen.at, TZ)
        for one in seen.statuses
    ]
    seen = replace(seen, statuses=(*seen.statuses, *newer))
    assert {one.report_date for one in others(seen, LINKS)} == {DAY}
    assert all(card.today and card.today.report_date > DAY for card in cards(seen, LINKS))


def test_a_stuck_step_is_named_with_its_usual_time() -> None:
    """Where it stands, since when, how long that usually takes, and where to look."""
    growth = next(c.today for c in cards(morning(), LINKS) if c.today and c.today.dag_id == "growth_etl")
    assert growth.step is not None
    assert (growth.step.task, growth.step.usual_seconds) == ("transform", 720.0)
    assert growth.links.run == "/airflow/dags/growth_etl/runs/scheduled__3"
    assert growth.links.runbook == "/airflow/oncall/runbooks/growth_etl?section=stuck&date=2026-11-22#stuck"
    assert growth.links.incident == "/airflow/oncall/incidents/growth_etl:2026-11-22"


@pytest.mark.parametrize(
    ("age", "shown"), [(0, False), (60, False), (61, True), (3600, True)], ids=lambda value: str(value)
)
def test_a_silent_watcher_is_said_after_a_minute(age: int, shown: bool) -> None:
    """60 seconds without a look, and not one sooner."""
    seen = replace(calm(), tick=calm().at - dt.timedelta(seconds=age))
    assert [banner.kind for banner in banners(seen)] == (["watcher"] if shown else [])


@pytest.mark.parametrize(
    ("age", "looks"),
    [
        (5, ["The watcher looks, and pages as ever."]),
        (3600, ["Nor does the DAG sla_watch: meanwhile only tasks"]),
    ],
)
def test_of_two_that_do_not_look_neither_is_said_to_look(age: int, looks: list[str]) -> None:
    """Each banner said that the other one goes on."""
    away = Trouble("sla_watch", at("13:01"), "")
    seen = replace(calm(), tick=calm().at - dt.timedelta(seconds=age), warnings=(away,))
    told = [line for banner in banners(seen) for line in banner.lines]
    said = [
        line for line in told if "watcher looks" in line or "sla_watch looks" in line or "Nor does" in line
    ]
    assert [line[: len(look)] for line, look in zip(said, looks, strict=True)] == looks


def test_every_trouble_has_its_banner() -> None:
    """Watcher, channel, files, databases: each in words, with the details."""
    seen = replace(
        calm(),
        tick=None,
        channels=(Trouble("chat", at("13:40"), "timed out"),),
        heartbeats=(Trouble("investor-sla-watch", at("13:41"), "404: add it"),),
        problems=(Problem("roster.yaml:3", "manager", "DE-009", "one of the people"),),
        unreadable=("warehouse: connection refused",),
    )
    titles = [banner.title for banner in banners(seen)]
    assert titles == [
        "The watcher has never looked",
        "Slack cannot be reached since 13:40",
        "Opsgenie does not take the heartbeat investor-sla-watch since 13:41",
        "The on-call files have 1 problem; the last good ones stay in force",
        "The warehouse cannot be read",
    ]


def test_what_is_waited_for_stands_above_what_is_published() -> None:
    """An old day's run that failed came above the reports that investors miss."""
    seen = morning()
    broken, followed, over = seen.records
    published = replace(broken, incident=replace(broken.incident, key="p", dag_id="profit_etl"))
    told_with_it = replace(
        followed,
        incident=replace(followed.incident, key="f", dag_id="profit_etl", leader=broken.incident.key),
    )
    seen = replace(seen, records=(over, published, told_with_it, broken, followed))
    order = [one.key for one in listed(seen, LINKS)]
    assert order == ["f", broken.incident.key, followed.incident.key, "p", over.incident.key]


def test_without_the_store_the_watcher_is_not_blamed() -> None:
    """Its sign of life is in the database that cannot be read."""
    seen = replace(calm(), tick=None, unreadable=("oncall_db: connection refused",))
    assert [banner.kind for banner in banners(seen)] == ["source"]


def test_upstream_tables_say_late_partial_and_expected() -> None:
    """Late after its usual time, expected before it, partial with both row counts."""
    found = {table.table: table for table in upstream(morning())}
    assert (found["master.sessions"].state, found["master.sessions"].words) == (
        "late",
        "Late, usually there by 01:20",
    )
    assert found["master.customers"].words == "Partial: 21,000 rows, usually 52,000"
    early = seen_at(
        "00:30", {"growth_etl": Facts(loads=(Load("master.sessions", None, None, 9.0, at("01:20")),))}
    )
    (table,) = upstream(early)
    assert (table.state, table.words, table.usual_rows) == ("expected", "Expected 01:20", 9.0)


def test_where_no_promise_reads_a_table_it_is_not_said_that_they_cannot_be_seen() -> None:
    """Only of tables that somebody waits for, and of which nothing is known."""
    seen = morning()
    blind = tuple(
        replace(one, facts=Facts(unreadable=("warehouse: refused",), blind=True)) for one in seen.statuses
    )
    assert overview(replace(seen, statuses=blind), LINKS).no_table == "They cannot be seen now."
    own = {name: replace(one, upstream=()) for name, one in seen.config.pipelines.items()}
    assert overview(replace(seen, config=replace(seen.config, pipelines=own)), LINKS).no_table == "None yet."


def test_the_week_says_why_it_is_as_it_is() -> None:
    """Who stands in for whom, what it earns and when it is repaid."""
    roster = config().roster
    cover = next(week for week in weeks(roster, at("05:12"), 0, 12) if week.marks == ("cover", "leave"))
    assert cover.why == (
        "DE-004 is on leave 23 – 29 Nov (holiday).",
        "DE-001 stands in for DE-004, on leave; DE-002 is secondary.",
        "DE-001 earns 7 credit days; rests in rota week 57 (from 25 Jan), repaid by DE-004.",
    )
    comp = next(week for week in weeks(roster, at("05:12"), 0, 12) if "comp" in week.marks)
    assert comp.why[0].startswith("DE-001 rests in the comp week earned in rota week ")
    assert comp.why[0].endswith("; DE-004 repays it and heads the order.")
    assert comp.why[1] == "DE-004 is primary in the place of DE-001, DE-002 secondary."


def test_weeks_cover_the_window_without_a_gap() -> None:
    """8 back, 12 ahead from the current one's begin; each begins where the last ended; one is now."""
    found = weeks(config().roster, at("05:12"), 8, 12)
    assert len(found) == 20
    assert all(one.end == other.start for one, other in pairwise(found))
    assert [week.current for week in found].count(True) == 1
    assert [week.past for week in found].count(True) == 8


def test_the_calendar_agrees_with_the_rota() -> None:
    """At any instant exactly the pair on call has a bar there."""
    roster, moment = config().roster, at("05:12")
    drawn = calendar(roster, moment, 8, 12)
    for hours in range(0, 20 * 7 * 24, 31):
        instant = drawn.start + dt.timedelta(hours=hours, minutes=1)
        share = 100 * (instant - drawn.start) / (drawn.end - drawn.start)
        seats = {
            bar.kind.split()[0]: row.person
            for row in drawn.rows
            for bar in row.bars
            if bar.kind.split()[0] in ("primary", "secondary") and bar.left <= share < bar.left + bar.width
        }
        answer = on_call(roster, instant)
        assert answer.primary
        assert answer.secondary
        assert seats == {"primary": answer.primary.id, "secondary": answer.secondary.id}


def test_the_load_of_all_people_is_all_the_time() -> None:
    """20 weeks of primaries and 20 of secondaries, 40 weekend days, and one night with a page each."""
    found = loads(config().roster, morning().records, at("05:12"), 8, 12)
    assert sum(one.primary_weeks for one in found) == pytest.approx(20)
    assert sum(one.secondary_weeks for one in found) == pytest.approx(20)
    assert sum(one.weekend_days for one in found) == pytest.approx(40)
    assert {one.person: one.nights_paged for one in found if one.nights_paged} == {"DE-002": 1, "DE-003": 1}


def test_the_load_is_compared_with_a_fair_share_seat_by_seat() -> None:
    """Twenty weeks among four are five each, as primary and as secondary; a drill is no night, nor is a warning."""
    found = loads(config().roster, morning().records, at("05:12"), 8, 12)
    assert {(one.fair_primary_weeks, one.fair_secondary_weeks) for one in found} == {(5.0, 5.0)}
    drills = [replace(one, incident=replace(one.incident, drill="x")) for one in morning().records]
    assert not any(one.nights_paged for one in loads(config().roster, drills, at("05:12"), 8, 12))
    milder: list[dict[str, Any]] = [{"step": "warning-1"}, {"state": "accepted"}, {"unreached": "unknown"}]
    for mild in milder:
        told = [
            replace(one, told=tuple(replace(page, **mild) for page in one.told)) for one in morning().records
        ]
        assert not any(one.nights_paged for one in loads(config().roster, told, at("05:12"), 8, 12))


def test_whoever_takes_no_turns_has_no_share_to_fall_short_of(viewer: TestClient, example: Example) -> None:
    """The manager was paged in a night: that is counted, and is not five weeks too few."""
    example.seen = seen = morning()
    paged = [
        replace(one, told=tuple(replace(page, people=("DE manager",)) for page in one.told))
        for one in seen.records
    ]
    found = {one.person: one for one in loads(config().roster, paged, at("05:12"), 8, 12)}
    assert found["DE-MANAGER"].nights_paged == 2
    assert (found["DE-MANAGER"].fair_primary_weeks, found["DE-MANAGER"].fair_secondary_weeks) == (0, 0)
    assert found["DE-001"].fair_primary_weeks == 5
    example.seen = replace(seen, records=tuple(paged))
    text = viewer.get("/oncall/rota").text
    assert "DE manager" in text
    assert "−5" not in text


def test_three_primary_weeks_running_are_one_warning() -> None:
    """DE-001 is away for a week of October: DE-002 rests in the week after that of DE-001, who repays it."""
    roster = config().roster
    starts = roster.day_starts
    away = Leave("DE-001", starts(dt.date(2026, 10, 5)), starts(dt.date(2026, 10, 12)), "holiday")
    roster = replace(roster, leave=(away, *roster.leave))
    assert weeks_running(roster, weeks(roster, at("05:12"), 8, 8)) == (
        "DE-001 is primary three weeks running: Mon 23 Nov to Mon 14 Dec",
    )


def test_what_is_at_risk_the_evening_before_is_in_the_first_line() -> None:
    """Of three reports that are there, the next one of growth cannot come."""
    calm_day = calm()
    risky = [
        replace(one, verdict="at_risk") if one.pipeline.dag_id == "growth_etl" and not one.done else one
        for one in calm_day.statuses
    ]
    page = overview(replace(calm_day, statuses=tuple(risky)), LINKS)
    assert page.verdict == ("Growth ETL is at risk", "warn")


def test_two_primary_weeks_running_are_said_before_they_come() -> None:
    """DE-001 stands in and is then primary; what is over is not spoken of."""
    roster = config().roster
    assert weeks_running(roster, weeks(roster, at("05:12"), 8, 12)) == (
        "DE-001 is primary two weeks running: Mon 23 Nov to Mon 7 Dec",
        "DE-004 is primary two weeks running: Mon 18 Jan to Mon 1 Feb",
    )
    later = roster.day_starts(dt.date(2026, 12, 8))
    assert len(weeks_running(roster, weeks(roster, later, 8, 8))) == 1


def test_people_are_called_by_their_names() -> None:
    """In the sentences of a week and on the calendar; ids are the roster's own."""
    people = {name: replace(one, name=f"Ms {name[-1]}") for name, one in config().roster.people.items()}
    roster = replace(config().roster, people=people)
    said = [line for week in weeks(roster, at("05:12"), 2, 12) for line in week.why]
    said += [bar.words for row in calendar(roster, at("05:12"), 2, 12).rows for bar in row.bars]
    said += [row.name for row in calendar(roster, at("05:12"), 2, 12).rows]
    said += [on_call(roster, at("09:00") + dt.timedelta(days=day)).why for day in range(70)]
    assert not [line for line in said if "DE-00" in line]
    assert any("Ms 1 stands in for Ms 4" in line for line in said)


def test_the_ledger_says_what_is_owed_and_taken() -> None:
    """Before the comp week it is owed, in it now, after it taken."""
    roster = config().roster
    states = [
        ledger_view(roster, roster.day_starts(day)).comp_weeks[0].state
        for day in (dt.date(2026, 12, 1), dt.date(2027, 1, 26), dt.date(2027, 2, 2))
    ]
    assert states == ["owed", "now", "taken"]


def test_the_api_tells_shifts_and_the_ledger_with_the_keys_of_the_command_line() -> None:
    """And the same values; it may tell more of each."""
    roster, until = config().roster, at("05:12") + dt.timedelta(weeks=8)
    shown = ledger_view(roster, until).model_dump(mode="json", by_alias=True)
    told = ledger_json(roster, ledger(roster, until))
    assert told.keys() == shown.keys()
    for name, entries in told.items():
        assert entries
        assert [{**view, **entry} for view, entry in zip(shown[name], entries, strict=True)] == shown[name]
    for shift in rota(roster, at("05:12"), until):
        assert ShiftView.model_validate(shift).model_dump(mode="json") == shift_json(shift)


def test_the_next_pair_is_the_one_after_the_handoff() -> None:
    """On Monday at 05:12 the outgoing pair is still on call; at nine the next one is."""
    answer = now(config().roster, at("05:12"))
    assert answer.current.primary
    assert answer.next.primary
    assert (answer.current.primary.id, answer.next.primary.id) == ("DE-003", "DE-001")
    assert answer.next_handoff == at("09:00") == answer.current.until


def test_before_the_rota_begins_nobody_is_on_call() -> None:
    """And the page says so instead of failing."""
    answer = on_call(config().roster, dt.datetime(2024, 1, 1, tzinfo=TZ))
    assert answer.primary is None
    assert answer.why.startswith("There is no rota before 2025-12-29")


def test_the_timeline_is_one_story() -> None:
    """A row for each thing that happened, with what each channel made of it; details are kept."""
    (broken, *_) = incidents(morning(), LINKS)
    warned, paged = broken.timeline
    assert (warned.what, warned.deliveries) == ("Warned: in transform since 03:12", ())
    assert paged.what == "Paged DE-003 (primary)"
    assert [(sent.channel, sent.mark) for sent in paged.deliveries] == [
        ("Opsgenie", "✓ 1.0 s"),
        ("Slack", "✗"),
    ]
    assert paged.deliveries[0].result == "taken after 1.0 s"
    assert paged.deliveries[1].result.startswith("not sent yet (tried 3 times): slack_api_default")


def test_whoever_took_the_warning_alone_is_not_said_to_have_the_page() -> None:
    """What was acknowledged before somebody was paged takes nothing off the person who is paged."""
    seen = morning()
    (broken, *rest) = seen.records
    earlier = broken.incident.opened_at
    warned = replace(broken.incident, acknowledged_at=earlier, acknowledged_by="DE-001", paged_at=seen.at)
    (view, *_) = incidents(replace(seen, records=(replace(broken, incident=warned), *rest)), LINKS)
    assert (view.acknowledged_at, view.acknowledged_by) == (None, "")


def test_a_runbook_opens_at_what_was_asked_or_at_the_live_cause(viewer: TestClient, example: Example) -> None:
    """The section stands in the address, so it survives a sign-in; one that there is not leads to the live cause."""
    for query, section in (
        ("", "stuck"), ("?section=upstream_late", "upstream-late"), ("?section=not-started", "not-started"),
        ("?section=nonsense", "stuck"), ("?section=%22%3E%3Cb%3E", "stuck"),
    ):  # fmt: skip
        text = viewer.get(f"/oncall/runbooks/growth_etl{query}").text
        found = text.partition(' data-section="')[2].partition('"')[0]
        assert found == section
        assert (f'href="#{section}">To the steps' in text) == bool(section)
    assert "data-section" not in viewer.get("/oncall/runbooks/profit_etl").text
    viewer.cookies.clear()
    refused = viewer.get("/oncall/runbooks/growth_etl?section=stuck", headers={"accept": "text/html"})
    assert "next=%2Foncall%2Frunbooks%2Fgrowth_etl%3Fsection%3Dstuck" in refused.text


def test_of_several_days_a_runbook_is_about_the_one_of_its_link(viewer: TestClient, example: Example) -> None:
    """Its cause is where it opens, and its date is in the queries; a date that is none leads to the newest look."""
    pipeline = config().pipelines["growth_etl"]
    older = evaluate_promise(pipeline, DAY - dt.timedelta(days=1), Facts(), at("05:12"), TZ)
    example.seen = replace(example.seen, statuses=(*example.seen.statuses, older))
    page = "/oncall/runbooks/growth_etl"
    text = viewer.get(f"{page}?date=2026-11-21").text
    assert "are about the report of Sat 21 Nov" in text
    assert 'data-section="never-started"' in text or 'data-section="not-started"' in text
    assert "date '2026-11-21'" in text.replace("&#x27;", "'").replace("&#39;", "'")
    for asked in ("?date=2026-11-22", "", "?date=yesterday", "?date=0001-01-01"):
        assert "are about the report of Sun 22 Nov" in viewer.get(page + asked).text
        assert 'data-section="stuck"' in viewer.get(page + asked).text


def test_a_runbook_says_first_what_its_alert_says_first(viewer: TestClient, example: Example) -> None:
    """In the section of the cause alone: of another cause, or of another day, it stands as it is written."""
    pipeline = config().pipelines["growth_etl"]
    paused = Facts(dag=Dag(at("05:10"), paused=True))
    status = evaluate_promise(pipeline, DAY, paused, at("05:12"), TZ)
    others = tuple(one for one in example.seen.statuses if one.pipeline.dag_id != "growth_etl")
    example.seen = replace(example.seen, statuses=(status, *others))
    page = "/oncall/runbooks/growth_etl"
    first, written = "unpause the DAG growth_etl.", "look for an import error, a paused DAG"
    for asked in ("", "?section=not_started&date=2026-11-22"):
        text = viewer.get(page + asked).text
        assert first in text
        assert written not in text
        assert text.count("<strong>Do:</strong>") == viewer.get(f"{page}?section=stuck").text.count(
            "<strong>Do:</strong>"
        )
    for asked in ("?section=stuck", "?section=not_started&date=2026-11-20"):
        text = viewer.get(page + asked).text
        assert first not in text
        assert written in text


def test_of_an_incident_that_is_over_the_cause_is_told_as_past(viewer: TestClient) -> None:
    """Whoever reads it in the morning is not told that something is late."""
    page = viewer.get("/oncall/incidents/profit_etl:2026-11-16").text
    assert "Then: failed: task transform failed at 02:12: division by zero" in page
    assert "Failed: task" not in page


def test_a_runbook_and_an_incidents_steps_ask_about_the_report(viewer: TestClient, example: Example) -> None:
    """Not about yesterday, which of Friday's report on Monday is Sunday; where nothing is wrong as it is written."""
    day = f"{DAY}"
    broken = viewer.get("/oncall/runbooks/growth_etl").text
    assert "about the report of Sun 22 Nov: where a step says" in broken
    assert "current_date - 1" not in broken
    assert f"date &#x27;{day}&#x27;" in broken or f"date '{day}'" in broken
    well = viewer.get("/oncall/runbooks/profit_etl").text
    assert "current_date - 1" in well
    assert "about the report of" not in well


def test_two_pages_of_one_instant_stand_with_whom_they_were_for() -> None:
    """After an outage two people may be called at once."""
    pages = [("page-2-secondary", "DE-004"), ("page-3-manager", "DE-MANAGER")]
    record = IncidentRecord(
        morning().records[0].incident,
        tuple(Event("k", at("05:30"), f"paged {who} ({step[7:]})") for step, who in pages),
        tuple(
            DeliveryRecord("pager", step, "page", "Growth", (who,), "done", 1, at("05:30"), at("05:30:01"))
            for step, who in reversed(pages)
        ),
    )
    lines = timeline(morning(), record)
    assert [(line.what, [sent.what for sent in line.deliveries]) for line in lines] == [
        ("Paged DE-004 (secondary)", ["Page DE-004: Growth"]),
        ("Paged DE-MANAGER (manager)", ["Page DE-MANAGER: Growth"]),
    ]


def test_whoever_was_paged_in_anothers_place_is_named() -> None:
    """A page goes to whoever is on call when it is sent, which may be later than when it was owed."""
    pages = [("page-1-primary", "DE-001", "DE-001"), ("page-2-secondary", "DE-003", "DE-004")]
    record = IncidentRecord(
        morning().records[0].incident,
        tuple(Event("k", at("08:59"), f"paged {meant} ({step[7:]})") for step, meant, _ in pages),
        tuple(
            DeliveryRecord(
                "pager", step, "page", "Growth", (sent_to,), "done", 1, at("08:59"), at("09:00:01")
            )
            for step, _, sent_to in reversed(pages)
        ),
    )
    assert [line.what for line in timeline(morning(), record)] == [
        "Paged DE-001 (primary)",
        "Paged DE-003 (secondary); sent to DE-004, on call by then",
    ]


def test_what_only_keeps_the_far_side_up_to_date_is_no_row() -> None:
    """A changed headline soon after an event belongs to it; a message of no event has a row with both its channels."""
    record = IncidentRecord(
        morning().records[0].incident,
        (Event("k", at("05:00"), "paged DE-003 (primary)"),),
        (
            DeliveryRecord(
                "chat", "headline:x", "update", "Growth", (), "done", 1, at("05:00:15"), at("05:00:16")
            ),
            DeliveryRecord("chat", "reminder-0-1", "post", "Still not published", (), "owed", 0, at("06:00")),
            DeliveryRecord(
                "pager", "reminder-0-1", "page", "Still not published", ("DE-003",), "owed", 0, at("06:00")
            ),
            # Said while oncall_db was away, which knows no event of it: the note on the alert is of the same row.
            DeliveryRecord(
                "chat", "cause-1", "post", "Now stuck", (), "done", 1, at("07:00"), at("07:00:01")
            ),
            DeliveryRecord(
                "pager", "cause-1:k", "note", "Now stuck", (), "done", 1, at("07:00"), at("07:00:01")
            ),
        ),
    )
    lines = timeline(morning(), record)
    assert [(line.what, [sent.channel for sent in line.deliveries]) for line in lines] == [
        ("Paged DE-003 (primary)", ["Slack"]),
        ("Still not published", ["Opsgenie", "Slack"]),
        ("Now stuck", ["Opsgenie", "Slack"]),
    ]


def test_what_another_teams_channel_was_told_stands_with_its_event() -> None:
    """Marked with the channel, so that it is not taken for the incident's own thread."""
    record = IncidentRecord(
        morning().records[0].incident,
        (Event("k", at("03:30"), "warned: master.orders has not arrived"),),
        (DeliveryRecord("chat", "warned", "post", "At risk", (), "done", 1, at("03:30"), at("03:30:01")),),
        others=(
            DeliveryRecord(
                "chat", "upstream-late", "post", "master.orders late", (), "owed", 2, at("03:30"),
                error="not_in_channel", room="#swe",
            ),
            DeliveryRecord(
                "chat", "upstream-arrived:master.orders", "post", "master.orders has arrived (04:10)", (), "done",
                1, at("04:11"), at("04:11:01"), room="#swe",
            ),
        ),
    )  # fmt: skip
    assert [
        (line.what, [(sent.channel, sent.mark) for sent in line.deliveries])
        for line in timeline(morning(), record)
    ] == [
        ("Warned: master.orders has not arrived", [("Slack", "✓ 1.0 s"), ("Slack #swe", "✗")]),
        ("master.orders has arrived (04:10)", [("Slack #swe", "✓ 1.0 s")]),
    ]


def test_what_is_told_with_another_incident_stands_below_it() -> None:
    """However many others are open."""
    growth, engagement, over = morning().records
    led = replace(engagement, incident=replace(engagement.incident, leader=growth.incident.key))
    profit = replace(engagement, incident=replace(engagement.incident, key="profit_etl:2026-11-22"))
    seen = replace(morning(), records=(growth, profit, led, over))
    said = [one.key for one in incidents(seen, LINKS)]
    assert said == [each.incident.key for each in (growth, led, profit, over)]


def test_an_event_has_one_mark_for_each_channel_and_outcome() -> None:
    """A note to four alerts is one mark, with their number and the slowest; what failed stands apart."""
    (growth, *_) = morning().records

    def note(number: int, **known: Any) -> DeliveryRecord:
        state = {"state": "done", "attempts": 1, "done_at": at(f"05:00:0{number}"), **known}
        return DeliveryRecord(
            "pager", f"cause-1:{number}", "note", "now running", (), owed_at=at("05:00"), **state
        )

    notes = (note(1), note(3), note(2), note(4, state="owed", done_at=None, error="HTTP 503"))
    line = timeline(morning(), replace(growth, told=(*notes, *growth.told)))[-1]
    assert [(mark.state, mark.words) for mark in line.marks] == [
        ("done", "Opsgenie 4 × ✓ 3.0 s"),
        ("owed", "Opsgenie ✗"),
        ("owed", "Slack ✗"),
    ]
    assert len(line.deliveries) == 6


def test_a_run_is_a_run() -> None:
    """Of an incident and of a published report; where none is known, the DAG's runs."""
    found = {one.key: one.links.run for one in incidents(morning(), LINKS)}
    assert found == {
        "growth_etl:2026-11-22": "/airflow/dags/growth_etl/runs/scheduled__3",
        "engagement_etl:2026-11-22": "/airflow/dags/engagement_etl/runs/scheduled__2",
        "profit_etl:2026-11-16": "/airflow/dags/profit_etl/runs",
    }
    profit = next(c.today for c in cards(morning(), LINKS) if c.today and c.today.dag_id == "profit_etl")
    assert profit.links.run == "/airflow/dags/profit_etl/runs/scheduled__1"


def test_the_log_of_a_failure_is_one_tap_away() -> None:
    """Beside the run, as in the alert; of a task that is still at work there is nothing to read yet."""
    failed = Task(
        "transform", "failed", at("03:00"), at("03:12"), run_id="scheduled__3", log_url="/airflow/log"
    )
    for task, log in ((failed, "/airflow/log"), (replace(failed, state="running"), None)):
        seen = seen_at("05:12", {"growth_etl": Facts(tasks=(task,))})
        [growth, *_] = incidents(replace(seen, records=morning().records[:1]), LINKS)
        assert growth.links.log == log


def test_what_comes_next_is_told() -> None:
    """Whom the escalation wakes when; who has it; that nobody is left."""
    growth, taken, *_ = morning().records
    seen = morning()
    assert incident_page(seen, growth, LINKS).coming == (
        "DE-004 (secondary) is paged at 05:15, in 3 min.",
        "DE manager is paged at 05:30, in 18 min.",
    )
    assert incident_page(seen, taken, LINKS).coming == (
        "Nobody else is paged: DE-003 has it.",
        "DE-003 is asked again at 06:04, in 52 min, if it is not published by then.",
    )
    gone = replace(seen, tick=at("05:03"))
    assert incident_page(gone, growth, LINKS).coming == (
        "The watcher does not look: this may come late, or never. Do not wait for it, page by hand.",
        *incident_page(seen, growth, LINKS).coming,
    )
    assert incident_page(gone, taken, LINKS).coming == incident_page(seen, taken, LINKS).coming
    pages = tuple(
        replace(growth.told[0], step=step, people=(who,), owed_at=at("05:00"))
        for step, who in (("page-2-secondary", "DE-004"), ("page-3-manager", "DE manager"))
    )
    over = incident_page(seen, replace(growth, told=(growth.told[0], *pages)), LINKS)
    assert over.next is None
    assert over.coming == (
        "Everybody on the escalation has been paged; nobody else is before the shift ends, 09:00. Call them.",
    )
    assert incident_page(gone, replace(growth, told=(growth.told[0], *pages)), LINKS).coming == over.coming
    warned = replace(growth, incident=replace(growth.incident, paged_at=None, verdict="at_risk"), told=())
    early = incident_page(replace(seen, at=at("04:10")), warned, LINKS)
    assert early.coming == ("If it is not published by 05:00, in 50 min, DE-003 (primary) is paged.",)


def test_whom_to_ask_stands_on_the_incident() -> None:
    """Owners and upstream, with what opens Slack where the roster knows it; who was on call then; the steps."""
    page = incident_page(morning(), morning().records[0], LINKS)
    assert [(who.role, who.name, who.slack) for who in page.ask] == [
        ("Owner", "DE-003", "https://slack.com/app_redirect?channel=U0DE003"),
        ("Second owner", "DE-004", "https://slack.com/app_redirect?channel=U0DE004"),
        ("Upstream", "Software Engineer Team", None),
    ]
    assert page.then.primary
    assert page.then.primary.id == "DE-003"
    assert (page.section, "<ol>" in page.steps) == ("Stuck", True)
    assert page.run_again
    assert page.run_again.lines[1:] == ("A run of this day is still at work: end it first, or wait for it.",)


def test_the_steps_begin_with_what_is_known_to_come_first() -> None:
    """As in the alert: of a paused DAG it is to unpause it, not to look for what may be wrong."""
    seen = seen_at("05:12", {"growth_etl": Facts(dag=Dag(at("05:10"), paused=True))})
    broken = morning().records[0]
    record = replace(broken, incident=replace(broken.incident, cause="not_started"))
    page = incident_page(replace(seen, records=(record,)), record, LINKS)
    assert "unpause the DAG growth_etl" in page.steps
    assert "in this order" not in page.steps
    assert "More than 15 open runs" in page.steps


def test_nobody_is_asked_to_tell_a_team_that_was_told_by_itself() -> None:
    """When and where it was told; while that is not known, where to look."""
    waits = Task(WAIT, "running", at("02:00"), run_id="scheduled__1")
    late = Facts(tasks=(waits,), loads=(Load("master.sessions", expected_at=at("01:20")),))
    seen, broken = seen_at("05:12", {"growth_etl": late}), morning().records[0]
    told = DeliveryRecord(
        "chat", LATE, "post", "late", (), "done", 1, at("03:30"), at("03:30"), room="#swe-master-data"
    )
    asked = replace(broken, others=(told,))
    for record, first in ((asked, "was told at 03:30 in #swe-master-data"), (broken, "is told there which")):
        page = incident_page(replace(seen, records=(record,)), record, LINKS)
        assert (page.section, first in page.steps) == ("Upstream late", True)


def test_the_channel_of_the_upstream_team_is_a_link_once_slack_has_told_its_id() -> None:
    """A roster knows it by its name; a post that Slack has taken there, for whichever incident, by its id."""
    seen, record = morning(), morning().records[0]
    told = DeliveryRecord(
        "chat",
        LATE,
        "post",
        "late",
        (),
        "done",
        1,
        at("03:30"),
        room="#swe-master-data",
        channel_id="C0SWEMD77",
    )
    elsewhere = replace(told, room="#de-oncall", channel_id="C0ONCALL1")
    for told_there, address in (
        ((), None),
        ((elsewhere, told), "https://slack.com/app_redirect?channel=C0SWEMD77"),
    ):
        records = (record, replace(seen.records[1], others=told_there))
        page = incident_page(replace(seen, records=records), record, LINKS)
        upstream = page.ask[-1]
        assert (upstream.role, upstream.reach, upstream.slack) == ("Upstream", "#swe-master-data", address)


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        (TZ, "Airflow shows UTC: 05:00 here is 22:00 there, the day before"),
        (dt.timezone(dt.timedelta(hours=-9, minutes=-30)), "Airflow shows UTC: 12:30 here is 22:00 there"),
        (dt.UTC, ""),
    ],
)
def test_what_airflow_calls_a_time_is_told(zone: dt.tzinfo, words: str) -> None:
    """Its pages and logs speak UTC; whoever lives there is told nothing."""
    assert TimeFormat(at("05:12"), zone).in_airflow(at("05:00")) == words


def test_attainment_counts_what_was_due() -> None:
    """Kept, late, missing, not due yet, and before the first publication ever."""
    promise = Promise(dt.time(5), dt.time(3, 30))

    def made(ago: int, clock: str) -> tuple[dt.date, FirstPublished]:
        day = DAY - dt.timedelta(days=ago)
        return day, FirstPublished(at(clock, day + dt.timedelta(days=1)))

    published = dict([made(4, "02:00"), made(3, "05:00"), made(2, "05:00:01")])
    strip = days(promise, published, DAY, 7, at("04:00"), TZ)
    assert [day.outcome for day in strip] == ["none", "none", "kept", "kept", "late", "broken", "open"]
    found = attainment(strip)
    assert (found.kept, found.counted, found.percent) == (2, 4, 50.0)
    assert attainment(()).percent is None


NOT_READ = ("Open incidents cannot be read now.", "Earlier incidents cannot be read now.")


@pytest.mark.parametrize(
    ("unreadable", "words"),
    [
        ((), ("No open incidents.", "None.")),
        (("warehouse: refused",), ("No open incidents.", "None.")),
        (("oncall_db: refused",), NOT_READ),
        (("connection 'oncall_db' is not defined: add it",), NOT_READ),
    ],
)
def test_what_cannot_be_read_is_not_said_to_be_none(
    unreadable: tuple[str, ...], words: tuple[str, str]
) -> None:
    seen = replace(morning(), records=(), unreadable=unreadable)
    assert (none_open(seen), none_past(seen)) == words
