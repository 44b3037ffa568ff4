"""A small, good include folder to break: one pipeline, three people."""

from __future__ import annotations

from pathlib import Path

from oncall.core.runbook import SECTIONS

ROSTER = """\
timezone: "+07:00"
handoff: {day: monday, at: "09:00"}
manager: BOSS
people:
  ANN: {name: Ann, opsgenie: ann@example.com, slack: U0ANN, specialties: [profit]}
  BEN: {name: Ben, opsgenie: ben@example.com, slack: U0BEN}
  BOSS: {name: The Boss, opsgenie: boss@example.com, slack: U0BOSS}
rotation:
  - starts: 2025-12-29
    weeks: [[ANN, BEN], [BEN, ANN]]
leave:
  - {person: ANN, from: 2026-01-12, until: 2026-01-18, reason: holiday}
overrides:
  - {from: "2026-02-02 09:00", until: "2026-02-04 09:00", primary: BOSS, reason: swap}
public_holidays: {country: VN, extra: [{date: 2026-12-31, name: Company day}]}
escalation:
  - {after: 0m, page: primary}
  - {after: 15m, page: secondary}
  - {after: 1h30m, page: manager}
slack: {channel: "#alerts", usergroup: S0GROUP}
opsgenie: {team: data, heartbeat: beat}
pipelines:
  sales_etl: {primary_owner: ANN, secondary_owner: BEN}
"""

HEAD = """\
pipeline: sales_etl
title: Sales ETL
purpose: Sales by day
report: investor.daily_sales
upstream_owner: {team: Software Engineer Team, slack: "#swe"}
downstream_owner: Investor Dashboard
schedule: "0 2 * * *"
promise: {due: "05:00", warn_upstream_at: "03:30:30"}
upstream: [master.orders, base.profit]
"""

BODY = "\n".join(f"## {heading}\n\n1. Do what {heading} says.\n" for heading in SECTIONS.values())
RUNBOOK = f"---\n{HEAD}---\n\n# Sales ETL\n\n{BODY}"


def write_include(folder: Path, roster: str = ROSTER, runbook: str | None = RUNBOOK) -> Path:
    """Write the folder's files; returns the folder."""
    (folder / "runbooks").mkdir(parents=True)
    (folder / "sql" / "sales_etl").mkdir(parents=True)
    (folder / "roster.yaml").write_text(roster)
    (folder / "sql" / "sales_etl" / "publish.sql").write_text("select 1")
    if runbook is not None:
        (folder / "runbooks" / "sales_etl.md").write_text(runbook)
    return folder
