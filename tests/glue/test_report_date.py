"""Which report date a run is for."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest

from oncall.glue.report_date import NoReportDate, report_date

ZONE = pendulum.FixedTimezone(7 * 3600)


def context(**run: Any) -> dict[str, Any]:
    usual = {"partition_key": None, "conf": {}, "run_after": dt.datetime(2026, 11, 22, 19, tzinfo=dt.UTC)}
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
    "wrong", ["yesterday", "20/11/2026", "20261120", "2026-W47-5", "2026-02-30", "", None, 20261120]
)
def test_a_date_that_is_none_is_refused_with_the_way_to_write_it(wrong: Any) -> None:
    """Nobody wants the wrong day replaced because of a misspelt one."""
    with pytest.raises(
        NoReportDate, match="'report_date' in its conf; write a report date such as 2026-11-20"
    ):
        report_date(context(conf={"report_date": wrong}), ZONE)


def test_a_partition_that_is_no_date_is_refused() -> None:
    """It is said that the partition key was wrong."""
    with pytest.raises(NoReportDate, match="'2026-11-20T00:00:00' as its partition key"):
        report_date(context(partition_key="2026-11-20T00:00:00"), ZONE)
