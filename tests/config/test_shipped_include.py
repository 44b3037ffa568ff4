"""The roster, runbooks and SQL that are shipped are test subjects too."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from oncall.config import oncall_config
from oncall.core.rota.on_call import rota
from oncall.core.runbook import SECTIONS

INCLUDE = Path(__file__).parents[2] / "include"


def test_the_shipped_include_folder_has_no_problem() -> None:
    """`python -m oncall check` is content."""
    assert oncall_config.check(INCLUDE) == []


def test_the_shipped_rota_is_the_teams_table() -> None:
    """Weeks 1 to 8, DE-001 / DE-002 to DE-004 / DE-001, twice."""
    roster = oncall_config.load(INCLUDE).roster
    shifts = rota(roster, roster.starts, roster.starts + dt.timedelta(weeks=8))
    team = ["DE-001", "DE-002", "DE-003", "DE-004"]
    assert [(shift.week, shift.primary, shift.secondary) for shift in shifts] == [
        (week + 1, team[week % 4], team[(week + 1) % 4]) for week in range(8)
    ]


def test_the_shipped_owners_and_promises_are_the_documents() -> None:
    """Three reports are promised by 05:00; every runbook has every section."""
    config = oncall_config.load(INCLUDE)
    owners = {name: (line.primary_owner, line.secondary_owner) for name, line in config.pipelines.items()}
    assert owners == {
        "profit_etl": ("DE-001", "DE-002"),
        "engagement_etl": ("DE-002", "DE-003"),
        "growth_etl": ("DE-003", "DE-004"),
        "unit_profit_experiments": ("DE-004", "DE-002"),
        "daily_growth_experiments": ("DE-004", "DE-003"),
    }
    promised = {name: f"{line.promise.due:%H:%M}" for name, line in config.pipelines.items() if line.promise}
    assert promised == dict.fromkeys(("profit_etl", "engagement_etl", "growth_etl"), "05:00")
    assert all(set(pipeline.runbook.sections) == set(SECTIONS) for pipeline in config.pipelines.values())
