"""Which report date a run is for."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest

from oncall.airflow.report_date import NoReportDate, report_date, watched_date

ZONE = pendulum.FixedTimezone(7 * 3600)


def context(**run: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "partition_key": None,
        "conf": {},
        "run_after": dt.datetime(2026, 11, 22, 19, tzinfo=dt.UTC),
        "logical_date": None,
        "run_type": "manual",
    }
    return {"dag_run": SimpleNamespace(**usual | run)}


def test_the_partition_key_comes_first() -> None:
    """Scheduled runs, backfills and runs started by a base model carry it."""
    both = context(partition_key="2026-11-20", conf={"report_date": "2026-11-19"})
    assert report_date(both, ZONE) == dt.date(2026, 11, 20)


def test_conf_names_the_date_of_a_manual_run() -> None:
    """The command line cannot give a partition key."""
    assert report_date(context(conf={"report_date": "2026-11-19"}), ZONE) == dt.date(2026, 11, 19)


@pytest.mark.parametrize(
    ("run_after", "expected"),
    [("2026-11-22T16:59:59Z", dt.date(2026, 11, 21)), ("2026-11-22T17:00:00Z", dt.date(2026, 11, 22))],
)
def test_otherwise_it_is_the_business_day_before(run_after: str, expected: dt.date) -> None:
    """Before which midnight is told by the business zone, not by UTC."""
    assert report_date(context(conf=None, run_after=dt.datetime.fromisoformat(run_after)), ZONE) == expected


@pytest.mark.parametrize(
    "wrong", ["yesterday", "20/11/2026", "20261120", "2026-W47-5", "2026-02-30", " ", 0, False, 20261120]
)
def test_a_date_that_is_none_is_refused_with_the_way_to_write_it(wrong: Any) -> None:
    """Nobody wants the wrong day replaced because of a misspelt one."""
    with pytest.raises(
        NoReportDate, match="'report_date' in its conf; write a report date such as 2026-11-20"
    ):
        report_date(context(conf={"report_date": wrong}), ZONE)


@pytest.mark.parametrize("key", ["report_date", "date", "ds"])
@pytest.mark.parametrize("blank", ["", None])
def test_a_field_that_nobody_filled_in_names_no_day(key: str, blank: Any) -> None:
    """A run that was refused for it was watched as yesterday's, and paged somebody for its failure."""
    run = context(conf={key: blank}, run_after=dt.datetime.fromisoformat("2026-11-22T16:59:59Z"))
    assert report_date(run, ZONE) == watched_date(run["dag_run"], ZONE) == dt.date(2026, 11, 21)


@pytest.mark.parametrize(
    "key",
    [
        "reportDate",
        "report-date",
        "REPORT_DATE",
        "report_date ",
        "date",
        "ds",
        "business_day",
        "logical_date",
    ],
)
def test_a_day_under_another_name_is_refused(key: str) -> None:
    """Passed over, it would have yesterday replaced, and its own day not."""
    with pytest.raises(
        NoReportDate, match=f"'{key}' in its conf, which names no report date; start it with conf"
    ):
        report_date(context(conf={key: "2026-11-15"}), ZONE)
    both = context(conf={key: "2026-11-15", "report_date": "2026-11-19"})
    assert report_date(both, ZONE) == dt.date(2026, 11, 19)


def test_what_else_a_conf_says_is_its_own_affair() -> None:
    """A note, a flag: no report date."""
    said = {"note": "again", "update": True, "birthday": "2026-11-15", 7: "days"}
    assert report_date(context(conf=said), ZONE) == dt.date(2026, 11, 22)


def test_a_partition_that_is_no_date_is_refused() -> None:
    """It is said that the partition key was wrong."""
    with pytest.raises(NoReportDate, match="'2026-11-20T00:00:00' as its partition key"):
        report_date(context(partition_key="2026-11-20T00:00:00"), ZONE)


@pytest.mark.parametrize("run_type", ["manual", "operator_triggered"])
@pytest.mark.parametrize(
    "logical_date", ["2026-11-15T00:00:00Z", "2026-11-22T16:59:59Z", "2027-01-01T00:00:00Z"]
)
def test_a_logical_date_is_no_report_date(run_type: str, logical_date: str) -> None:
    """Whoever starts a run for another day by its logical date would have yesterday replaced: say how it is done."""
    run = context(logical_date=dt.datetime.fromisoformat(logical_date), run_type=run_type)
    with pytest.raises(NoReportDate, match=r'logical date 202.*start it with conf {"report_date": "202'):
        report_date(run, ZONE)


def test_a_logical_date_beside_a_report_date_does_no_harm() -> None:
    """What names the report date in its own place is believed."""
    run = context(logical_date=dt.datetime(2026, 11, 15, tzinfo=dt.UTC), conf={"report_date": "2026-11-19"})
    assert report_date(run, ZONE) == dt.date(2026, 11, 19)


@pytest.mark.parametrize(
    ("run_type", "logical_date"),
    [
        ("manual", "2026-11-22T17:00:00Z"),  # what a form fills in: just now, or today
        ("scheduled", "2026-11-21T19:00:00Z"),  # a timetable by data interval is a day behind
        ("backfill", "2026-11-21T19:00:00Z"),
    ],
)
def test_a_logical_date_of_today_or_of_a_timetable_says_nothing(run_type: str, logical_date: str) -> None:
    """Yesterday is meant."""
    run = context(logical_date=dt.datetime.fromisoformat(logical_date), run_type=run_type)
    assert report_date(run, ZONE) == dt.date(2026, 11, 22)


@pytest.mark.parametrize("absurd", ["9999-12-31", "0001-01-01", "1999-12-31", "2027-11-25", "2926-11-22"])
@pytest.mark.parametrize("place", ["partition_key", "conf"])
def test_a_day_that_no_report_can_be_about_is_refused(place: str, absurd: str) -> None:
    """The row that such a run writes would be looked at for ever. It is said between which days to choose."""
    run = {"conf": {"report_date": absurd}} if place == "conf" else {"partition_key": absurd}
    with pytest.raises(NoReportDate, match="report_date from 2000-01-01 to 2027-11-24"):
        report_date(context(**run), ZONE)


@pytest.mark.parametrize("edge", ["2000-01-01", "2027-11-24"])
def test_the_first_and_the_last_day_are_taken(edge: str) -> None:
    """366 days after the day of the run, in the business zone."""
    assert report_date(context(conf={"report_date": edge}), ZONE) == dt.date.fromisoformat(edge)


@pytest.mark.parametrize("zone", [ZONE, pendulum.timezone("America/New_York")], ids=str)
@pytest.mark.parametrize("run_type", ["manual", "operator_triggered"])
@pytest.mark.parametrize("name", ["run_after", "logical_date"])
@pytest.mark.parametrize(
    "said", ["0001-01-01T00:00", "1000-05-05T00:00", "2000-01-01T00:00", "9999-12-31T20:00"]
)
def test_a_run_of_a_year_of_which_there_is_no_report_is_refused(
    said: str, name: str, run_type: str, zone: Any
) -> None:
    """Airflow starts it: the task died of a KeyError or an OverflowError, and the day stood in `oncall.tasks`."""
    run = context(run_type=run_type, **{name: dt.datetime.fromisoformat(f"{said}+00:00")})
    for ask in (lambda: report_date(run, zone), lambda: watched_date(run["dag_run"], zone)):
        with pytest.raises(
            NoReportDate, match=f"the run is for {said[:10]}, and no report is about that day"
        ):
            ask()
