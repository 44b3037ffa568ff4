"""Engagement and growth accounting, against the plain calculation and against rows written by hand."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

import pytest

from pipelines.report_run import Held
from tests.pipelines.master_by_hand import DAY, STARTS, add, row, rows
from tests.pipelines.model_runs import GENERATED_DAYS, Run
from tests.pipelines.plain_calculation import Master

TABLES = ("daily_engagement", "daily_growth")


def report(warehouse: Any, table: str, day: dt.date = DAY) -> dict[str, Any]:
    found = row(warehouse, f"select * from investor.{table} where report_date = %s", day)
    del found["report_date"]
    return found


def close_to(expected: dict[str, Any]) -> dict[str, Any]:
    return {k: pytest.approx(v, abs=1e-10) if isinstance(v, float) else v for k, v in expected.items()}


def numbers(found: dict[str, Any]) -> dict[str, Any]:
    return {k: v if v is None or isinstance(v, (int, str)) else float(v) for k, v in found.items()}


def seen(warehouse: Any, *visits: tuple[int, int]) -> None:
    """Sessions as (customer, days before DAY); customers come into being on the way."""
    for customer in sorted({customer for customer, _ in visits}):
        add(warehouse, "customers", {"customer_id": customer})
    for number, (customer, days) in enumerate(visits):
        started = STARTS + dt.timedelta(hours=12) - dt.timedelta(days=days)
        add(warehouse, "sessions", {"session_id": number, "customer_id": customer, "started_at": started})


def loaded(warehouse: Any, *days_ago: int) -> None:
    """Upstream's word that the sessions of those days are all there."""
    with warehouse.cursor() as cursor:
        for days in days_ago:
            day = DAY - dt.timedelta(days=days)
            cursor.execute(
                "insert into master.loads select 'sessions', %s, now(), count(*) from master.sessions"
                " where (started_at at time zone 'Asia/Bangkok')::date = %s",
                (day, day),
            )
    warehouse.commit()


def test_generated_engagement_equals_the_plain_calculation(generated: Any) -> None:
    """Every day and channel: counts exactly, ratios to ten decimals."""
    master = Master(generated)
    for day in GENERATED_DAYS:
        assert numbers(report(generated, "daily_engagement", day)) == close_to(master.engagement(day))
        query = "select * from investor.daily_engagement_by_channel where report_date = %s"
        for found in rows(generated, query, day):
            del found["report_date"]
            assert numbers(found) == close_to(
                {"channel": found["channel"], **master.engagement(day, found["channel"])}
            )


def test_generated_growth_equals_the_plain_calculation(generated: Any) -> None:
    """Every day and channel: counts exactly, the quick ratio to ten decimals."""
    master = Master(generated)
    for day in GENERATED_DAYS:
        assert numbers(report(generated, "daily_growth", day)) == close_to(master.growth(day))
        query = "select * from investor.daily_growth_by_channel where report_date = %s"
        for found in rows(generated, query, day):
            del found["report_date"]
            of = [c for c, channel in master.acquired.items() if channel == found["channel"]]
            assert numbers(found) == close_to({"channel": found["channel"], **master.growth(day, of)})


def test_published_growth_balances_from_day_to_day(generated: Any) -> None:
    """active(D) = active(D−1) + new + resurrected − churned, over all published days."""
    for before, day in pairwise(GENERATED_DAYS):
        found = report(generated, "daily_growth", day)
        was = report(generated, "daily_growth", before)["active"]
        assert found["active"] == was + found["new"] + found["resurrected"] - found["churned"]


def test_windows_end_with_the_report_date(warehouse: Any, run: Run) -> None:
    """6 days ago is in the 7 days, 7 is not; 27 days ago is in the 28 days, 28 is not."""
    seen(warehouse, (1, 0), (2, 6), (3, 7), (4, 27), (5, 28))
    run("engagement_etl")
    found = report(warehouse, "daily_engagement")
    assert (found["active_1d"], found["active_7d"], found["active_28d"]) == (1, 2, 4)
    assert float(found["stickiness"]) == 0.25


def test_windows_do_not_depend_on_which_days_have_run(warehouse: Any, run: Run) -> None:
    """The same day is the same whether its window was run before, in part, or never."""
    seen(warehouse, *((customer, days) for customer in range(1, 6) for days in range(0, 30, customer)))
    loaded(warehouse, *range(30))
    run("engagement_etl", "growth_etl")
    alone = [report(warehouse, table) for table in TABLES]
    for days in (3, 1, 0, 2, 0):
        run("engagement_etl", "growth_etl", day=DAY - dt.timedelta(days=days))
    assert [report(warehouse, table) for table in TABLES] == alone


def test_a_session_belongs_to_the_day_it_starts(warehouse: Any, run: Run) -> None:
    """Midnight in UTC+7 is the border, to the microsecond."""
    add(warehouse, "customers", {"customer_id": 1}, {"customer_id": 2})
    tick = dt.timedelta(microseconds=1)
    add(
        warehouse,
        "sessions",
        {"session_id": 1, "customer_id": 1, "started_at": STARTS - tick},
        {"session_id": 2, "customer_id": 2, "started_at": STARTS},
        {"session_id": 3, "customer_id": 1, "started_at": STARTS + dt.timedelta(days=1)},
    )
    run("engagement_etl", "growth_etl")
    assert report(warehouse, "daily_engagement")["active_1d"] == 1
    found = report(warehouse, "daily_growth")
    assert (found["new"], found["churned"]) == (1, 1)


def test_features_used_are_kept_once_each(warehouse: Any, run: Run) -> None:
    """The base model has a customer-day's sessions, seconds and distinct features."""
    add(warehouse, "customers", {"customer_id": 1})
    features = ("search", "browse", "search")
    for number, feature in enumerate(features):
        add(warehouse, "sessions", {"session_id": number, "duration_s": 10, "feature": feature})
    run("engagement_etl")
    found = row(warehouse, "select sessions, seconds, features from base.engagement")
    assert found == {"sessions": 3, "seconds": 30, "features": ["browse", "search"]}


def test_growth_tells_new_retained_resurrected_and_churned_apart(warehouse: Any, run: Run) -> None:
    """One customer of each kind; a ratio without churn is null."""
    seen(warehouse, (1, 0), (2, 0), (2, 1), (3, 0), (3, 2), (4, 1), (5, 9))
    run("growth_etl")
    found = report(warehouse, "daily_growth")
    assert found == {"active": 3, "new": 1, "retained": 1, "resurrected": 1, "churned": 1, "quick_ratio": 2}
    run("growth_etl", day=DAY - dt.timedelta(days=9))
    assert report(warehouse, "daily_growth", DAY - dt.timedelta(days=9))["quick_ratio"] is None


def test_churn_to_nobody_is_held_and_not_an_error(warehouse: Any, run: Run) -> None:
    """A day without one session divides by nothing, and is not published."""
    seen(warehouse, (1, 1))
    with pytest.raises(Held, match="not_empty: expected at least 1 session; found 0"):
        run("engagement_etl")
    with pytest.raises(Held, match="not_empty"):
        run("growth_etl")
    found = row(warehouse, "select active, churned, quick_ratio from base.daily_growth_draft")
    assert found == {"active": 0, "churned": 1, "quick_ratio": 0}


def test_growth_is_held_when_the_day_before_has_changed_since_it_was_published(
    warehouse: Any, run: Run
) -> None:
    """Investors see two days that add up: a late session of yesterday asks for yesterday to be run again first."""
    yesterday = DAY - dt.timedelta(days=1)
    seen(warehouse, (1, 0), (1, 1), (2, 1))
    run("growth_etl", day=yesterday)
    add(warehouse, "customers", {"customer_id": 3})
    add(
        warehouse,
        "sessions",
        {"session_id": 99, "customer_id": 3, "started_at": STARTS - dt.timedelta(hours=1)},
    )
    with pytest.raises(Held, match=f"sessions of {yesterday} have changed, run that day again first"):
        run("growth_etl")
    run("growth_etl", day=yesterday)
    run("growth_etl")
    assert report(warehouse, "daily_growth")["churned"] == 2


@pytest.mark.parametrize(
    ("dag_id", "missing", "check"),
    [
        ("growth_etl", 1, "day_before_is_complete: expected the day before published, or loaded"),
        ("engagement_etl", 1, "window_is_complete"),
        (
            "engagement_etl",
            27,
            "window_is_complete: expected each of the 27 days before published, or loaded",
        ),
    ],
)
def test_what_a_day_depends_on_must_be_there(
    warehouse: Any, run: Run, dag_id: str, missing: int, check: str
) -> None:
    """A day before it that upstream never said is complete: its customers would be new again, or not active."""
    seen(warehouse, (1, 0), (1, 1), (1, 28))
    loaded(warehouse, *({*range(1, 28)} - {missing}))
    run(dag_id, day=DAY - dt.timedelta(days=28))
    hole = DAY - dt.timedelta(days=missing)
    with pytest.raises(Held, match=f"{check}.*; found no sessions were loaded for {hole}"):
        run(dag_id)
    loaded(warehouse, missing)
    run(dag_id)


def test_growth_is_right_although_the_day_before_is_held(warehouse: Any, run: Run) -> None:
    """Loaded, and not published: its sessions are asked themselves."""
    seen(warehouse, (1, 0), (1, 1), (2, 1), (3, 0), (3, 3))
    loaded(warehouse, 1)
    run("growth_etl", day=DAY - dt.timedelta(days=3))
    run("growth_etl")
    found = report(warehouse, "daily_growth")
    assert found == {"active": 2, "new": 0, "retained": 1, "resurrected": 1, "churned": 1, "quick_ratio": 1}


def test_unknown_customers_of_an_earlier_day_are_no_active_ones(warehouse: Any, run: Run) -> None:
    """A day of the window that was held for them is asked itself, and holds the day that counts it."""
    seen(warehouse, (1, 0))
    add(
        warehouse,
        "sessions",
        {"session_id": 9, "customer_id": 404, "started_at": STARTS - dt.timedelta(days=9)},
    )
    found = "1 in master.sessions.customer_id, such as customer_id 404"
    with pytest.raises(Held, match=f"sessions_have_customers: expected 0 .*; found {found}"):
        run("engagement_etl")


@pytest.mark.parametrize("dag_id", ["engagement_etl", "growth_etl"])
def test_sessions_of_unknown_customers_are_held(warehouse: Any, run: Run, dag_id: str) -> None:
    """Customers that upstream has not loaded: their channel would be made up."""
    add(warehouse, "sessions", {"session_id": 1, "customer_id": 404})
    with pytest.raises(Held, match=r"sessions_have_customers: expected 0 .*; found 1"):
        run(dag_id)
