"""What the check does in the warehouse of the stack: finds its days, and gets in the way of its runs."""

from __future__ import annotations

import datetime as dt

from tests.compose.compose_ground import Ground

REPORTS = {
    "profit_etl": "investor.daily_profit",
    "engagement_etl": "investor.daily_engagement",
    "growth_etl": "investor.daily_growth",
}
IN_THE_WAY = "compose-check"


def newest_day(ground: Ground) -> dt.date:
    """The newest business day of which upstream has delivered every table."""
    rows = ground.project.sql(
        "warehouse",
        "select max(business_day) from (select business_day from master.loads group by 1 having count(*) ="
        " (select count(distinct table_name) from master.loads)) complete",
    )
    return dt.date.fromisoformat(rows[0][0])


def published_by(ground: Ground, report: str, day: dt.date) -> str:
    """The run that published the report last; "" when none of Airflow has (made-up history has no runs)."""
    rows = ground.project.sql(
        "warehouse",
        f"select run_id from investor.publications where report = '{report}' and report_date = '{day}'"
        " and not starts_with(run_id, 'history__')",
    )
    return rows[0][0] if rows else ""


def unpublish(ground: Ground, day: dt.date) -> None:
    """As if the night of this day had never been."""
    reports = ", ".join(f"'{report}'" for report in REPORTS.values())
    ground.project.sql(
        "warehouse",
        f"delete from investor.publications where report_date = '{day}' and report in ({reports})",
    )


def stand_in_the_way(ground: Ground, report: str, day: dt.date) -> None:
    """Take the lock of another run of this report date until `step_aside`: transform hangs."""
    ground.project.sql_meanwhile(
        "warehouse",
        f"set application_name = '{IN_THE_WAY}';"
        f" select pg_advisory_lock(hashtext('{report}'), date '{day}' - date '2000-01-01'); select pg_sleep(1800)",
    )
    held = (
        "select 1 from pg_stat_activity join pg_locks using (pid)"
        f" where application_name = '{IN_THE_WAY}' and locktype = 'advisory' and granted"
    )
    ground.wait_for(
        "something to stand in the way of transform", lambda: ground.project.sql("warehouse", held), 60
    )


def step_aside(ground: Ground) -> None:
    ground.project.sql(
        "warehouse",
        f"select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{IN_THE_WAY}'",
    )


def hold_back(ground: Ground, table: str, day: dt.date, *, give_back: bool = False) -> None:
    """As if upstream had not delivered this table yet."""
    hidden = f"{table} (held back)"
    old, new = (hidden, table) if give_back else (table, hidden)
    ground.project.sql(
        "warehouse",
        f"update master.loads set table_name = '{new}' where table_name = '{old}' and business_day = '{day}'",
    )
