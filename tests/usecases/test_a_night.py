"""The four scenes of the design, and what may go wrong in them, on both stores."""

from __future__ import annotations

import datetime as dt
import gc
from dataclasses import replace
from typing import NoReturn

import pytest

from oncall.core.errors import DeliveryFailed, Unreadable
from oncall.core.promises.facts import Dag, Facts, FailedCheck, Load, Publication, Task, TypicalDurations
from oncall.core.promises.promise import Promise
from tests.usecases.conftest_night import DAY, TZ, Night, at

ORDERS = Load("master.orders", None, None, 5000.0, at("00:55"))
SESSIONS = Load("master.sessions")


def test_late_orders_are_warned_of_once_at_the_warning_time(night: Night) -> None:
    """At 03:30 and not before, one warning names the table, the report, the upstream team and the time left."""
    night.world.missing("profit_etl", ORDERS)
    night.look("03:29:59")
    assert not night.chat.posts
    for clock in ("03:30", "03:45", "04:10"):
        night.look(clock)
    (warning,) = night.chat.threads
    assert "master.orders" in warning.title
    assert "due 05:00 in 1 h 30 min" in warning.title
    assert "usually there by 00:55" in dict(warning.facts)["Cause"]
    assert ("Upstream owner", "Software Engineer Team (#swe-master-data)") in warning.facts
    assert warning.steps == "steps for upstream_late of profit_etl"
    assert [(m.step, m.priority) for m in night.pager.paged] == [("warning", "P3")]


@pytest.mark.parametrize("first_look", ["04:59:45", "05:00", "05:10"])
def test_a_table_that_only_the_page_told_of_is_told_when_it_comes(night: Night, first_look: str) -> None:
    """Nothing was looked at before, or too late to warn: whoever was paged for the table hears of it, and once."""
    night.world.missing("profit_etl", ORDERS)
    for clock in (first_look, "05:11", "05:12"):
        night.look(clock)
    night.world.missing("profit_etl", replace(ORDERS, loaded_at=at("05:15"), rows=5000))
    for clock in ("05:16", "05:17"):
        night.look(clock)
    assert night.steps[0] == "page-1-primary"
    said = [m.title for m, _ in night.chat.posts if m.step.startswith("arrived")]
    assert len([title for title in said if title.startswith("master.orders has arrived (05:15); ")]) == 1


def test_a_broken_promise_pages_up_the_escalation_until_acknowledged(night: Night) -> None:
    """05:00 the primary, 05:15 the secondary, 05:30 the manager; the Monday 05:00 belongs to the outgoing pair."""
    night.world.missing("growth_etl")
    task = Task("transform", "running", at("03:12"), run_id="scheduled__1")
    night.runs.of["growth_etl", DAY] = (task,)
    for clock in ("05:00", "05:00:15", "05:14:59", "05:15", "05:29:59", "05:30", "06:00"):
        night.look(clock)
    assert night.steps == ["page-1-primary", "page-2-secondary", "page-3-manager"]
    assert [m.recipients[0].name for m in night.pager.paged] == ["DE-003", "DE-004", "DE-MANAGER"]
    first = night.pager.paged[0]
    assert first.priority == "P1"
    assert "stuck in transform since 03:12" in first.title
    assert first.steps == "steps for stuck of growth_etl"
    assert dict(first.links)["Run"] == "http://airflow.test/dags/growth_etl/runs/scheduled__1"
    assert len(night.chat.threads) == 1


def test_acknowledging_stops_the_escalation(night: Night) -> None:
    """Acknowledged in Opsgenie at 05:10: nobody else is woken, the thread says who has it."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.acknowledge(night.pager.paged[0].alias, "de-003@example.com")
    for clock in ("05:10", "05:15", "05:30", "05:45"):
        night.look(clock)
    assert night.steps == ["page-1-primary"]
    assert any(m.title == "Acknowledged by DE-003, 05:10" for m, _ in night.chat.posts)


def test_an_old_acknowledgement_reminds_the_same_person(night: Night) -> None:
    """An hour after the acknowledgement the promise is still broken: the same person is asked again, once an hour."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.acknowledge(night.pager.paged[0].alias, "de-003@example.com")
    night.look("05:10")
    night.look("06:09")
    assert night.steps == ["page-1-primary"]
    night.look("06:10")
    night.look("06:30")
    assert night.steps == ["page-1-primary", "reminder-0-1"]
    assert night.pager.paged[1].recipients[0].name == "DE-003"


def test_landed_data_closes_the_alerts_and_says_how_late(night: Night) -> None:
    """At 05:42 every alert is closed, the thread and its headline say 42 minutes, nothing is sent afterwards."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.look("05:16")
    night.world.publish("growth_etl", at("05:42"))
    night.look("05:42:10")
    night.look("06:30")
    assert all(not state.open for state in night.pager.alerts.values())
    last, thread = night.chat.posts[-1]
    assert thread is not None
    assert "42 min late" in last.title
    first, now = night.chat.threads[0], night.chat.updates[-1]
    assert (now.step, now.title) == (first.step, first.title), "the first message keeps its words"
    assert now.summary.splitlines()[0] == last.title
    assert night.steps == ["page-1-primary", "page-2-secondary"]


def test_kept_promises_are_silent(night: Night) -> None:
    """Everything in time: nobody hears anything, whenever one looks."""
    for clock in ("01:00", "03:30", "05:00", "05:30", "09:00"):
        night.look(clock)
    assert not night.pager.paged
    assert not night.chat.posts


def test_a_promise_due_before_anybody_watched_is_not_paged_for(night: Night) -> None:
    """Deployed at noon: yesterday's missing report is history."""
    night.store.set_note("watching_since", at("12:00").isoformat())
    night.world.missing("growth_etl")
    night.look("12:00")
    assert not night.pager.paged


def test_airflow_down_over_the_due_instant_pages_when_it_is_back(night: Night) -> None:
    """Nobody looked between 04:00 and 05:40: the primary is paged at 05:40, the secondary 15 minutes later."""
    night.world.missing("growth_etl")
    night.look("04:00")
    night.look("05:40")
    night.look("05:54")
    assert night.steps == ["page-1-primary"]
    night.look("05:55")
    assert night.steps == ["page-1-primary", "page-2-secondary"]


def test_one_late_table_is_one_page_for_all_it_delays(night: Night) -> None:
    """Sessions feed engagement and growth: one thread, one alert, both named, closed when both are there."""
    night.world.missing("engagement_etl", SESSIONS)
    night.world.missing("growth_etl", SESSIONS)
    night.look("03:30")
    night.look("05:00")
    (warning,) = night.chat.threads
    assert "2 reports of 22 Nov" in warning.title
    assert warning.summary.startswith("Reports: Engagement ETL, Growth ETL.")
    assert night.steps == ["warning", "page-1-primary"]
    night.world.publish("engagement_etl", at("05:20"))
    night.look("05:14")
    assert any("still missing: Growth" in m.title for m, _ in night.chat.posts)
    assert all(state.open for state in night.pager.alerts.values())
    night.world.publish("growth_etl", at("05:30"))
    night.look("05:31")
    assert all(not state.open for state in night.pager.alerts.values())


def test_different_causes_are_different_incidents(night: Night) -> None:
    """Growth is stuck, profit has no orders: two threads, two alerts."""
    night.world.missing("profit_etl", ORDERS)
    night.world.missing("growth_etl")
    night.runs.of["growth_etl", DAY] = (Task("transform", "running", at("03:12")),)
    night.look("05:00")
    assert len(night.chat.threads) == 2
    assert {m.key for m in night.pager.paged} == {"profit_etl:2026-11-22", "growth_etl:2026-11-22"}


def test_an_unreadable_warehouse_pages_once_for_all_reports(night: Night) -> None:
    """A watcher that cannot see must not stay silent, and says what it cannot read."""
    night.world.down = "warehouse: connection refused"
    night.look("05:00")
    (page,) = night.pager.paged
    assert "3 reports" in page.title
    assert page.title.startswith("Cannot see if 3 reports of 22 Nov are published (due 05:00)")
    assert "warehouse unreachable since 05:00" in page.title
    assert page.steps.startswith("steps for unknown")


def test_of_what_cannot_be_seen_nobody_is_told_that_it_is_late(night: Night) -> None:
    """Nor of a report that is due after the page, nor of whoever is asked again an hour later."""
    pipeline = night.config.pipelines["profit_etl"]
    later = replace(pipeline, promise=Promise(dt.time(5, 5), dt.time(3, 30)))
    night.config = replace(night.config, pipelines={**night.config.pipelines, "profit_etl": later})
    night.world.down = "warehouse: connection refused"
    night.look("05:00")
    night.acknowledge(night.pager.paged[0].alias, "de-003@example.com")
    for clock in ("05:01", "05:05", "05:05:30", "06:02"):
        night.look(clock)
    told = [message.title for message, _ in night.chat.posts]
    assert (
        "Profit ETL, 22 Nov too: cannot tell: warehouse unreachable since 05:00 (connection refused)" in told
    )
    assert night.pager.paged[-1].title.startswith(
        "DE-003 acknowledged 1 h 01 min ago: Cannot see 3 reports of 22 Nov"
    )
    assert not [title for title in told if "late" in title.lower() or "not published" in title]


def test_a_fault_of_our_own_pages_like_any_blindness(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads the tasks breaks in a way that nobody foresaw: at five somebody is woken for it."""

    def broken(*_: object) -> NoReturn:
        raise KeyError("a column that nobody expected")

    monkeypatch.setattr(night.runs, "read", broken)
    night.world.missing("growth_etl")
    night.look("05:00")
    (page,) = night.pager.paged
    assert page.key == f"growth_etl:{DAY}"
    said = f"{page.title} {page.summary} {page.facts}"
    assert "oncall_db cannot be read (KeyError: 'a column that nobody expected')" in said


def test_a_warehouse_that_goes_away_later_breaks_no_kept_promise(night: Night) -> None:
    """Kept at five; at ten the warehouse cannot be read: nobody is paged for what was there."""
    night.look("05:00")
    night.world.down = "warehouse: connection refused"
    night.look("10:00")
    assert not night.pager.paged


def test_an_alert_closed_by_hand_counts_as_acknowledged(night: Night) -> None:
    """Somebody closed it in Opsgenie: nobody else is woken for it."""
    night.world.missing("growth_etl")
    night.look("05:00")
    alias = night.pager.paged[0].alias
    night.pager.alerts[alias] = replace(night.pager.alerts[alias], open=False, closed_by="de-003@example.com")
    for clock in ("05:10", "05:15", "05:30"):
        night.look(clock)
    assert night.steps == ["page-1-primary"]


def test_what_changed_before_anybody_watched_is_history(night: Night) -> None:
    """The first look at an old warehouse does not tell of every load of the past month."""
    made = Publication(at("02:30"), at("02:30"), "scheduled", 1)
    newer = Load("master.orders", at("00:30"), 5100, 5000.0)
    night.world.facts["profit_etl", DAY] = Facts(publication=made, changed_since=(newer,))
    night.look("10:01")
    assert not night.chat.posts


def test_the_arrival_of_a_late_table_is_said(night: Night) -> None:
    """The thread hears that the table has come, once."""
    night.world.missing("profit_etl", ORDERS)
    night.look("03:30")
    night.world.missing("profit_etl", replace(ORDERS, loaded_at=at("04:20"), rows=5000))
    night.look("04:21")
    night.look("04:22")
    said = [m.title for m, _ in night.chat.posts if m.step.startswith("arrived")]
    assert len(said) == 1
    assert "master.orders has arrived" in said[0]


def test_a_partial_load_says_so(night: Night) -> None:
    """Half of the usual rows is not an arrival."""
    night.world.missing("profit_etl", replace(ORDERS, loaded_at=at("00:50"), rows=2000))
    night.look("03:30")
    (warning,) = night.chat.threads
    assert warning.title.startswith("master.orders partial: delays Profit ETL")
    assert "master.orders is partial since 00:50: 2,000 rows, usually 5,000" in dict(warning.facts)["Cause"]


def test_a_failed_task_pages_p2_at_once_and_p1_at_the_due_instant(night: Night) -> None:
    """The failure is said with its error when it happens; the broken promise is said when it breaks."""
    night.world.missing("growth_etl")
    failed = Task("transform", "failed", at("02:05"), at("02:06"), "run1", "division by zero", "http://log")
    night.runs.of["growth_etl", DAY] = (failed,)
    night.look("02:06:10")
    night.look("02:07")
    night.look("05:00")
    assert [(m.step, m.priority) for m in night.pager.paged] == [("failed-1", "P2"), ("page-1-primary", "P1")]
    assert "division by zero" in night.pager.paged[0].title
    assert dict(night.pager.paged[0].links)["Log"] == "http://log"
    assert len(night.chat.threads) == 1


def test_a_failure_without_a_promise_reaches_the_same_people(night: Night) -> None:
    """The experiments have no promise: P2 to the primary on call, closed when the report is there."""
    night.world.missing("unit_profit_experiments")
    failed = Task("publish", "failed", at("06:05"), at("06:06"), "run1", "boom")
    night.runs.of["unit_profit_experiments", DAY] = (failed,)
    night.look("06:06:10")
    (page,) = night.pager.paged
    assert (page.priority, page.recipients[0].name) == ("P2", "DE-003")
    night.world.publish("unit_profit_experiments", at("07:00"))
    night.runs.of.clear()
    night.look("07:00:10")
    assert all(not state.open for state in night.pager.alerts.values())


def test_a_failed_rerun_of_a_published_report_is_said(night: Night) -> None:
    """The report stands, but somebody wanted it anew: P2, and no broken promise."""
    night.runs.of["growth_etl", DAY] = (Task("check", "failed", at("10:00"), at("10:01"), "manual", "no"),)
    night.look("10:01")
    night.look("10:30")
    (page,) = night.pager.paged
    assert page.priority == "P2"
    assert "still stands" in page.summary


@pytest.mark.parametrize("at_once", [True, False])
def test_days_that_are_run_again_together_and_fail_wake_somebody_once(night: Night, at_once: bool) -> None:
    """They have one thread. A report that nobody can read yet wakes somebody all the same, and has its own."""
    for back in (3, 2, 1):
        failed = Task("check", "failed", at("03:00"), at(f"03:0{4 - back}"), "manual", "no")
        night.runs.of["growth_etl", DAY - dt.timedelta(back)] = (failed,)
        if not at_once:
            night.look(f"03:0{4 - back}:05")
    night.look("03:04")
    night.world.missing("growth_etl")
    night.runs.of["growth_etl", DAY] = (Task("check", "failed", at("03:03"), at("03:05"), "scheduled", "no"),)
    night.look("03:05:05")
    first = DAY - dt.timedelta(3)
    assert [page.key for page in night.pager.paged] == [f"growth_etl:{first}", f"growth_etl:{DAY}"]
    assert len(night.chat.threads) == 2
    night.look("03:25")
    again = DAY - dt.timedelta(4)
    night.runs.of["growth_etl", again] = (
        Task("check", "failed", at("03:24"), at("03:24:30"), "manual", "no"),
    )
    night.look("03:25:05")
    page = night.pager.paged[-1]
    assert (page.key, page.step) == (f"growth_etl:{first}", "failed-2")
    assert page.title == "Growth ETL, 18 Nov: check failed at 03:24: no"


def test_a_report_that_fails_again_days_later_is_said_again(night: Night) -> None:
    """An incident of long ago has the same key, and must not swallow the new one."""
    date, first, again = dt.date(2026, 9, 1), dt.date(2026, 9, 2), dt.date(2026, 9, 9)
    in_time = at("03:00", first)
    night.world.facts["growth_etl", date] = Facts(publication=Publication(in_time, in_time, "scheduled", 1))
    for day, run in ((first, "one"), (again, "two")):
        failed = Task("check", "failed", at("10:00", day), at("10:01", day), run, "no")
        night.runs.of["growth_etl", date] = (failed,)
        night.look("10:01:30", day)
        night.runs.of.clear()
        night.look("10:30", day)
    assert [page.alias for page in night.pager.paged] == [
        "growth_etl:2026-09-01:failed-1",
        "growth_etl:2026-09-01:r2:failed-1",
    ]


def test_a_held_report_says_which_check(night: Night) -> None:
    """The check, what it expected and what it found are in the title."""
    night.world.facts["growth_etl", DAY] = Facts(failed_checks=(FailedCheck("identity", "100", "98"),))
    night.look("05:00")
    assert "held: identity found 98, expected 100" in night.pager.paged[0].title


@pytest.mark.parametrize(
    ("dag", "words", "title", "first"),
    [
        (Dag(at("04:55"), paused=True), "the DAG is paused (as of 04:55)", "DAG paused", "unpause the DAG growth_etl"),
        (
            Dag(at("04:55"), import_error="SyntaxError"), "import error: SyntaxError",
            "DAG import error: SyntaxError", "mend the DAG's file",
        ),
        (
            Dag(at("04:55"), missing=True), "its file is gone",
            "no DAG growth_etl in Airflow", "bring the DAG's file back",
        ),
        (
            Dag(at("04:55"), paused=False, running=1), "a run of the DAG was open at 04:55",
            "never started: a run was open at 04:55", "look at the open runs of",
        ),
        (
            Dag(at("04:55"), paused=False, running=0), "its runbook names no schedule: what starts it?",
            "never started: no schedule: what starts it?", "look what starts",
        ),
    ],
)  # fmt: skip
def test_a_run_that_never_started_says_why(
    night: Night, dag: Dag, words: str, title: str, first: str
) -> None:
    """Paused, import error, gone, queued behind another run, without a schedule; the steps begin with what is known."""
    night.world.missing("growth_etl")
    night.runs.seen["growth_etl"] = dag
    night.look("05:00")
    assert words in dict(night.pager.paged[0].facts)["Cause"]
    assert night.pager.paged[0].title.endswith(f"late since 05:00, {title}")
    steps = night.pager.paged[0].steps
    assert steps.endswith("steps for not_started of growth_etl")
    assert steps.startswith(f"**Do:** {first}") == bool(first)


def test_last_chance_pages_p2_from_the_usual_remaining_time(night: Night) -> None:
    """Transform usually needs 40 minutes to the end: from 04:20 on it is at risk."""
    night.world.missing("growth_etl")
    night.runs.of["growth_etl", DAY] = (Task("transform", "running", at("02:05")),)
    night.runs.usually["growth_etl"] = TypicalDurations(
        {"transform": 2400.0}, {"transform": 600.0}, {"transform": 5400.0}
    )
    night.look("04:19")
    assert not night.pager.paged
    night.look("04:20")
    night.look("04:21")
    assert [(m.step, m.priority) for m in night.pager.paged] == [("last-chance", "P2")]
    assert "usually 10 min" in night.pager.paged[0].title or "usually 10 min" in night.pager.paged[0].summary


def test_an_incident_open_over_the_handoff_passes_to_the_new_pair(night: Night) -> None:
    """Monday 09:00: the new primary is paged, the thread says who hands over to whom."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.acknowledge(night.pager.paged[0].alias, "de-003@example.com")
    night.look("05:05")
    night.look("08:59:59")
    before = len(night.pager.paged)
    night.look("09:00")
    assert night.pager.paged[before].recipients[0].name == "DE-004"
    assert any("Handed over from DE-003 to DE-004: " in m.title for m, _ in night.chat.posts)
    night.look("09:01")
    assert len(night.pager.paged) == before + 1


def test_whoever_takes_it_as_their_shift_ends_has_it_no_longer(night: Night) -> None:
    """Heard at the instant of the handoff: the new primary is paged all the same."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.look("08:59:59")
    before = len(night.pager.paged)
    night.acknowledge(night.pager.paged[0].alias, "de-003@example.com")
    night.look("09:00")
    night.look("09:15")
    assert [page.recipients[0].name for page in night.pager.paged[before:]] == ["DE-004", "DE-001"]


def test_a_person_without_a_contact_falls_through_at_once(night: Night) -> None:
    """The primary cannot be paged: the secondary is, at 05:00 and not at 05:15."""
    people = dict(night.config.roster.people)
    people["DE-003"] = replace(people["DE-003"], opsgenie=None)
    night.config = replace(night.config, roster=replace(night.config.roster, people=people))
    night.world.missing("growth_etl")
    night.look("05:00")
    assert [m.recipients[0].name for m in night.pager.paged] == ["DE-004"]
    night.look("05:15")
    assert [m.recipients[0].name for m in night.pager.paged] == ["DE-004", "DE-MANAGER"]


def test_a_lost_answer_is_not_said_twice(night: Night) -> None:
    """Both far sides took it and the answer was lost: each is asked before anything is sent again."""
    night.world.missing("growth_etl")
    night.pager.fail = [DeliveryFailed("timed out", uncertain=True)]
    night.chat.fail = [DeliveryFailed("timed out", uncertain=True)]
    night.look("05:00")
    night.look("05:00:15")
    night.look("05:00:30")
    assert len(night.pager.paged) == 1
    assert len(night.chat.posts) == 1


def test_a_dead_pager_does_not_delay_the_chat_and_gets_it_later(night: Night) -> None:
    """Refused three times: Slack has the page at once, Opsgenie as soon as it takes it."""
    night.world.missing("growth_etl")
    night.pager.fail = [DeliveryFailed("refused")] * 3
    night.look("05:00")
    assert len(night.chat.threads) == 1
    assert not night.pager.paged
    for clock in ("05:00:15", "05:00:30", "05:01"):
        night.look(clock)
    assert night.steps == ["page-1-primary"]


def test_a_stale_report_is_one_notice_with_the_steps(night: Night) -> None:
    """Orders were loaded again after the publication: one notice, the command to run the day again, no page."""
    made = Publication(at("02:30"), at("02:30"), "scheduled", 1)
    newer = Load("master.orders", at("10:00"), 5100, 5000.0)
    night.world.facts["profit_etl", DAY] = Facts(publication=made, changed_since=(newer,))
    night.look("10:01")
    night.look("10:05")
    (notice,) = night.chat.threads
    assert "Stale: Profit ETL, 22 Nov: master.orders changed since" in notice.title
    assert "python -m oncall stale --rerun" in notice.steps
    assert 'airflow dags trigger profit_etl --conf \'{"report_date": "2026-11-22"}\'' in notice.summary
    assert not night.pager.paged


def test_a_withdrawn_report_opens_the_incident_again(night: Night) -> None:
    """Published at 05:10, withdrawn at 05:20: a new incident with aliases of its own."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.world.publish("growth_etl", at("05:10"))
    night.look("05:10:10")
    night.world.missing("growth_etl")
    night.look("05:20")
    assert [m.alias for m in night.pager.paged] == [
        "growth_etl:2026-11-22:page-1-primary",
        "growth_etl:2026-11-22:r2:page-1-primary",
    ]


def test_a_withdrawn_report_is_told_with_what_its_run_did(night: Night) -> None:
    """A look asks no more about the run of a report that is published: until it is published no more."""
    run = Task("publish", "success", at("02:20"), at("02:30"), "scheduled")
    night.runs.of["growth_etl", DAY] = (run,)
    night.look("05:10")
    night.world.missing("growth_etl")
    night.look("05:20")
    assert "the run finished green at 02:30" in dict(night.pager.paged[0].facts)["Cause"]


def test_a_new_cause_is_said_in_the_thread_and_on_the_alert(night: Night) -> None:
    """First never started, then it runs: the same incident, one more line."""
    night.world.missing("growth_etl")
    night.look("05:00")
    night.runs.of["growth_etl", DAY] = (Task("transform", "running", at("05:03")),)
    night.look("05:04")
    night.look("05:05")
    assert [m.title for m, _ in night.chat.posts if m.step.startswith("cause-")] == [
        "Growth ETL, 22 Nov: now running in transform since 05:03"
    ]
    assert ("note", "growth_etl:2026-11-22:page-1-primary") in night.pager.told


def test_the_next_look_is_never_later_than_the_next_instant(night: Night) -> None:
    """At 04:59:50 the next instant is 05:00:00 sharp; after the page it is the next step."""
    night.world.missing("growth_etl")
    assert night.look("04:59:50").next_at == at("05:00")
    assert night.look("05:00").next_at == at("05:15")


@pytest.mark.parametrize("collects", [True, False])
def test_a_look_leaves_pythons_garbage_collection_as_it_was(
    night: Night, monkeypatch: pytest.MonkeyPatch, collects: bool
) -> None:
    """It is off meanwhile, and back also when the look fails: a triggerer lives for months."""
    meanwhile: list[bool] = []

    def failing(*_: object) -> NoReturn:
        meanwhile.append(gc.isenabled())
        raise Unreadable("oncall_db: gone")

    monkeypatch.setattr(night.store, "evaluation_inputs", failing)
    try:
        if not collects:
            gc.disable()
        with pytest.raises(Unreadable):
            night.look("03:00")
        assert (meanwhile, gc.isenabled()) == ([False], collects)
    finally:
        gc.enable()


def test_times_are_said_in_the_rosters_zone(night: Night) -> None:
    """22:00Z on the 22nd is 05:00 on the 23rd, and the report date stays the 22nd."""
    assert at("05:00").astimezone(dt.UTC) == dt.datetime(2026, 11, 22, 22, tzinfo=dt.UTC)
    night.world.missing("growth_etl")
    night.look("05:00")
    assert dict(night.pager.paged[0].facts)["Due"].startswith("2026-11-23 05:00")
    assert TZ.utcoffset(None) == dt.timedelta(hours=7)


NEVER = FailedCheck("sessions_have_customers", "0", "3", "night", at("02:20"))
HELD = (
    Task("wait_for_upstream", "success", at("02:00"), at("02:10"), "night"),
    Task("transform", "failed", at("02:10"), at("02:20:01"), "night", "held"),
)
AGAIN = Task("wait_for_upstream", "running", at("02:40"), None, "again")


def test_a_repair_pages_nobody_with_the_old_news(night: Night) -> None:
    """A check fails, P2; the runbook's re-run starts and has not reached its check yet: the old one is history."""
    night.world.facts["growth_etl", DAY] = Facts(failed_checks=(NEVER,))
    night.runs.of["growth_etl", DAY] = HELD[:1]
    night.look("02:20:00")  # the check is written down before its task has failed
    night.runs.of["growth_etl", DAY] = HELD
    night.look("02:20:05")
    assert night.steps == ["failed-1"]
    night.runs.of["growth_etl", DAY] = (AGAIN,)
    for clock in ("02:40:05", "02:40:20", "02:41"):
        assert night.look(clock).by_promise["growth_etl", DAY, ""].verdict == "waiting"
    assert night.steps == ["failed-1"]
    failed_again = replace(NEVER, run_id="again", checked_at=at("02:45"))
    night.world.facts["growth_etl", DAY] = Facts(failed_checks=(failed_again,))
    night.runs.of["growth_etl", DAY] = (
        replace(AGAIN, state="success", ended_at=at("02:41")),
        Task("transform", "failed", at("02:41"), at("02:45:01"), "again"),
    )
    night.look("02:45:05")
    assert night.steps == ["failed-1", "failed-2"]


def test_an_incident_is_filed_under_what_somebody_was_paged_for_first(night: Night) -> None:
    """Upstream was late at five; that the run then hangs is its course, and stands in the timeline."""
    night.world.missing("growth_etl", SESSIONS)
    night.runs.of["growth_etl", DAY] = (Task("wait_for_upstream", "running", at("02:00")),)
    night.look("03:30")
    night.look("05:00")
    night.world.missing("growth_etl", replace(SESSIONS, loaded_at=at("05:10")))
    night.runs.of["growth_etl", DAY] = (Task("check", "running", at("05:11")),)
    night.look("05:50")
    night.world.publish("growth_etl", at("06:00"))
    night.look("06:00:10")
    with night.store.decision_lock() as decision:
        (incident,) = [one for one in decision.incidents([("growth_etl", DAY)]) if one.dag_id == "growth_etl"]
    assert not incident.open
    assert (incident.cause, incident.filed_as[0]) == ("stuck", "upstream_late")


def test_a_blind_watcher_says_since_when_and_never_that_it_is_not_published(night: Night) -> None:
    """It woke at 04:58 to an unreadable warehouse; at five nobody knows whether the report is there."""
    night.world.down = "warehouse: connection refused"
    night.look("04:58")
    seen = night.look("05:00").by_promise["growth_etl", DAY, ""]
    assert (seen.verdict, seen.overdue) == ("unknown", True)
    assert seen.why is not None
    assert seen.why.detail == "warehouse unreachable since 04:58 (connection refused)"
    night.world.down = ""
    night.look("05:01")
    assert night.store.get_note("blind_since") == ""


def test_a_paused_dag_is_warned_of_hours_before_it_is_due_and_paged_while_there_is_time(night: Night) -> None:
    """P3 as soon as it is known, P2 half an hour before due, P1 at due; once each."""
    night.world.missing("growth_etl")
    night.runs.seen["growth_etl"] = Dag(at("00:30"), paused=True)
    for clock in ("01:00", "01:01", "02:30", "04:29", "04:30", "04:31", "05:00"):
        night.look(clock)
    assert [(m.step, m.priority) for m in night.pager.paged] == [
        ("warning", "P3"), ("last-chance", "P2"), ("page-1-primary", "P1"),
    ]  # fmt: skip
    assert len(night.chat.threads) == 1
    assert "the DAG is paused" in f"{night.pager.paged[0].title} {night.pager.paged[0].facts}"


def test_another_cause_of_a_warning_is_said_in_its_thread(night: Night) -> None:
    """First paused; then it runs, and hangs: whoever was warned hears that it is not that any more."""
    night.world.missing("growth_etl")
    night.runs.seen["growth_etl"] = Dag(at("00:30"), paused=True)
    night.look("01:00")
    night.runs.of["growth_etl", DAY] = (Task("transform", "running", at("01:10")),)
    for clock in ("01:11", "01:45", "01:46"):
        night.look(clock)
    said = [m.title for m, _ in night.chat.posts if m.step.startswith("cause-")]
    assert said == ["Growth ETL, 22 Nov: now stuck in transform since 01:10"]


def test_what_usually_takes_how_long_is_no_condition_of_seeing_what_runs(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question for four weeks of runs is cut off: the page still tells where the run stands."""

    def cut_off(_: dt.date) -> NoReturn:
        raise Unreadable("oncall_db: canceling statement due to statement timeout")

    monkeypatch.setattr(night.runs, "usual", cut_off)
    night.world.missing("growth_etl")
    night.runs.of["growth_etl", DAY] = (Task("transform", "running", at("03:00")),)
    night.look("05:00")
    (page,) = night.pager.paged[-1:]
    assert "transform" in page.title
    assert "oncall_db" not in page.title + page.summary
