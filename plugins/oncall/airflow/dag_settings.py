"""A pipeline's terms, as its DAG needs them: reads two small files of `include/` and touches nothing else.

A DAG file must parse whatever a hand has written into the roster or a runbook: an import error would stop the very
reports that the pager watches. What cannot be read falls back, and the DAG's documentation tells every problem.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pendulum

from oncall.config import include_files
from oncall.config.include_files import RUNBOOKS, Unusable, runbooks, text_of
from oncall.config.oncall_config import include_dir
from oncall.config.roster_file import RosterFile, file_of, read_roster
from oncall.config.runbook_file import RunbookFile, read_runbook
from oncall.core.errors import Problem
from oncall.core.promises.promise import Promise
from oncall.core.rota.roster import Handoff

FALLBACK_SCHEDULE = "0 2 * * *"
FALLBACK_ZONE = dt.timezone(dt.timedelta(hours=7))


@dataclass(frozen=True)
class Terms:
    """What a DAG takes from its runbook and from the roster. `problems`: what could not be read; `sure`: what the tasks
    wait for, until when and in which zone is told all the same."""

    dag_id: str
    title: str
    purpose: str
    doc: str
    schedule: str
    zone: Any  # one of pendulum's: the only kind that Airflow can serialise
    report: str = ""
    upstream: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    promise: Promise | None = None
    problems: tuple[Problem, ...] = ()
    sure: bool = True


def terms_of(dag_id: str) -> Terms:
    """The terms of a pipeline, from the include folder in force; read once in a process. Never raises."""
    return _terms_of(dag_id, include_dir())


@cache
def _terms_of(dag_id: str, folder: Path) -> Terms:
    runbook, unread = _runbook(dag_id, folder)
    team = runbook.pipeline.team if runbook.pipeline else ""
    roster, roster_unread = _roster(team, folder)
    problems = (*unread, *runbook.problems, *roster_unread, *roster.problems)
    owners = (roster.owners or {}).get(dag_id)
    pipeline = runbook.pipeline
    return Terms(
        dag_id=dag_id,
        title=pipeline.title if pipeline else dag_id,
        purpose=pipeline.purpose if pipeline else "",
        doc=_doc(pipeline.runbook.body if pipeline else "", problems),
        schedule=runbook.schedule or FALLBACK_SCHEDULE,
        zone=of_pendulum(roster.tz or FALLBACK_ZONE),
        report=pipeline.report if pipeline else "",
        upstream=pipeline.upstream if pipeline else (),
        owners=tuple(filter(None, (owners.primary, owners.secondary))) if owners else (),
        promise=pipeline.promise if pipeline else None,
        problems=problems,
        sure=bool(pipeline and roster.tz and not runbook.problems_under("upstream", "promise", "team")),
    )


Unread = tuple[Problem, ...]  # what is wrong with a file as a file


def _runbook(dag_id: str, folder: Path) -> tuple[RunbookFile, Unread]:
    text, unread = _text(folder, f"{RUNBOOKS}/{dag_id}.md")
    return (RunbookFile() if unread else read_runbook(dag_id, text)), unread


@cache
def _roster(team: str, folder: Path) -> tuple[RosterFile, Unread]:
    text, unread = _text(folder, file_of(team))
    return (RosterFile() if unread else read_roster(text, team)), unread


def watched_dags() -> list[str]:
    """The DAGs that have a runbook."""
    return runbooks(include_dir())


def teams() -> list[str]:
    """The teams that have a roster: "" for the one at the top, and the folders of the others."""
    return ["", *include_files.teams(include_dir())]


def zone(team: str = "") -> Any:
    """The time zone of a team's roster, as Airflow can serialise it."""
    return of_pendulum(_roster(team, include_dir())[0].tz or FALLBACK_ZONE)


def of_pendulum(tz: dt.tzinfo) -> Any:
    """The same zone as Airflow serialises it."""
    if name := getattr(tz, "key", ""):
        return pendulum.timezone(name)
    return pendulum.FixedTimezone(int((tz.utcoffset(None) or dt.timedelta()).total_seconds()))


def handoff_cron(team: str = "") -> str:
    """A cron expression for a team's handoff, in its zone."""
    handoff = _roster(team, include_dir())[0].handoff or Handoff()
    some_monday = dt.datetime.combine(dt.date(2026, 1, 5), handoff.at)
    # a cron has no seconds
    at = some_monday + dt.timedelta(days=handoff.weekday, minutes=handoff.at.second > 0)
    return f"{at.minute} {at.hour} * * {(at.weekday() + 1) % 7}"  # cron's week begins on Sunday


UNREAD = "**The roster or this runbook cannot be read as it stands:**"


def _doc(body: str, problems: Sequence[Problem]) -> str:
    if not problems:
        return body
    found = "\n".join(f"- {problem}" for problem in problems)
    return f"{UNREAD}\n\n{found}\n\n{body}"


def _text(folder: Path, name: str) -> tuple[str, Unread]:
    try:
        return text_of(folder, name), ()
    except Unusable as error:
        return "", (Problem(name, "(file)", error.found, error.write),)
