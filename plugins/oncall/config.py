"""`include/` → core objects, with every problem at once. Opens the files; what they mean is told by `reading`.

load(include_dir)         the Setup, or ConfigError with every problem
check(include_dir)        every problem, in the order of the files
load_roster(include_dir)  a team's roster as long as it tells who is on call, with its problems
dump(setup), parse(text)  a Setup as text, to be kept as the last good one (rule 10)
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from oncall.core.errors import ConfigError, Problem
from oncall.core.promise import Pipeline
from oncall.core.roster import Roster
from oncall.data_contracts import check_data_contracts
from oncall.reading import roster_file
from oncall.reading.roster_file import Owners, RosterFile, file_of, read_roster
from oncall.reading.runbook_file import read_runbook

Texts = Mapping[str, str]  # a file's path below the include folder → its text


@dataclass(frozen=True)
class Setup:
    """All that `include/` says: the roster, and the pipelines by their DAG's id. `texts` is what it was read from.

    `teams`: the rosters of other teams by the names of their folders below `teams/`; their pipelines' runbooks say
    `team: <name>`.
    """

    roster: Roster
    pipelines: Mapping[str, Pipeline]
    texts: Texts = field(default_factory=dict, repr=False)
    teams: Mapping[str, Roster] = field(default_factory=dict)

    def roster_of(self, dag_id: str) -> Roster:
        """The roster that is paged for a pipeline."""
        return self.teams.get(self.pipelines[dag_id].team, self.roster)

    @property
    def channels(self) -> list[str]:
        """Every team's chat channel, each once."""
        return list(dict.fromkeys(roster.slack_channel for roster in (self.roster, *self.teams.values())))

    @property
    def heartbeats(self) -> list[str]:
        """Every team's Opsgenie heartbeat, each once."""
        rosters = (self.roster, *self.teams.values())
        return list(
            dict.fromkeys(roster.opsgenie_heartbeat for roster in rosters if roster.opsgenie_heartbeat)
        )

    def by_team(self) -> dict[str, Setup]:
        """A Setup for each roster, the one at the top ("") first: the roster and its own pipelines."""
        pipelines: dict[str, dict[str, Pipeline]] = {"": {}, **{team: {} for team in self.teams}}
        for dag_id, pipeline in self.pipelines.items():
            pipelines[pipeline.team][dag_id] = pipeline
        return {team: Setup(self.teams.get(team, self.roster), mine) for team, mine in pipelines.items()}


def include_dir() -> Path:
    """`ONCALL_INCLUDE_DIR`, or the folder `include` beside `plugins`."""
    named = os.environ.get("ONCALL_INCLUDE_DIR")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "include"


def load(folder: Path) -> Setup:
    """Read an include folder; raises ConfigError with every problem of the roster, the runbooks and the SQL."""
    texts, problems = _open(folder)
    setup, found = _read(texts, problems)
    if setup is None:
        raise ConfigError(found)
    return setup


def check(folder: Path) -> list[Problem]:
    """Every problem of an include folder; empty when all is good."""
    texts, problems = _open(folder)
    setup, found = _read(texts, problems)
    return [*found, *check_data_contracts(folder, setup.pipelines if setup else {})]


def load_roster(folder: Path, team: str = "") -> tuple[Roster, tuple[Problem, ...]]:
    """A team's roster alone, with the problems that leave no doubt who is on call.

    Raises ConfigError with every problem of the roster when one of them puts that in doubt.
    """
    texts, problems = _open(folder)
    name = file_of(team)
    problems = [problem for problem in problems if problem.file == name]
    if name not in texts and not problems:
        teams = ", ".join(_teams(texts)) or "none: there is only the roster at the top"
        problems = [Problem(name, "(file)", "no such file", f"one of the teams ({teams})")]
    if problems:
        raise ConfigError(problems)
    read = read_roster(texts[name], team)
    if read.roster is None or not read.rota_is_sure:
        raise ConfigError(read.problems)
    return read.roster, read.problems


def dump(setup: Setup) -> str:
    """The raw texts of a Setup, as JSON."""
    return json.dumps(dict(setup.texts), ensure_ascii=False, sort_keys=True)


def parse(dumped: str) -> Setup:
    """The Setup that was dumped; raises ConfigError when today's rules refuse it."""
    setup, problems = _read(json.loads(dumped), [])
    if setup is None:
        raise ConfigError(problems)
    return setup


def _open(folder: Path) -> tuple[dict[str, str], list[Problem]]:
    """The texts of roster and runbooks, and what is wrong with files as files."""
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    rosters = sorted((folder / roster_file.TEAMS).glob(f"*/{roster_file.FILE}"))
    for path in (folder / roster_file.FILE, *rosters, *sorted((folder / "runbooks").glob("*.md"))):
        text = _text(folder, path, problems)
        if text is not None:
            texts[path.relative_to(folder).as_posix()] = text
    for place in sorted(path for path in (folder / "sql").glob("*") if path.is_dir()):
        files = sorted(place.rglob("*.sql"))
        if not files:
            problems.append(
                Problem(f"sql/{place.name}/", "(folder)", "no .sql file", "the pipeline's SQL, or no folder")
            )
        for path in files:
            if _text(folder, path, problems) == "":
                name = path.relative_to(folder).as_posix()
                problems.append(Problem(name, "(file)", "nothing", "a SQL statement, or no file"))
    return texts, problems


def _text(folder: Path, path: Path, problems: list[Problem]) -> str | None:
    """The text of a file ("" when it is blank); None, with a problem, when it cannot be read."""
    name = path.relative_to(folder).as_posix()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02x} at offset {error.start}, which is not UTF-8"
        problems.append(Problem(name, "(file)", found, "the file in UTF-8"))
    except OSError as error:
        problems.append(Problem(name, "(file)", error.strerror or str(error), f"the file {path}"))
    else:
        return text if text.strip() else ""
    return None


def _read(texts: Texts, problems: list[Problem]) -> tuple[Setup | None, tuple[Problem, ...]]:
    """The Setup when there is no problem at all, else None and every one of them."""
    unread = {PurePosixPath(problem.file).stem for problem in problems}
    rosters = {
        team: read_roster(texts[file_of(team)], team)
        for team in ("", *_teams(texts))
        if file_of(team) in texts
    }
    runbooks = {
        PurePosixPath(name).stem: read_runbook(PurePosixPath(name).stem, text)
        for name, text in texts.items()
        if name.startswith("runbooks/")
    }
    found = [*problems]
    found += [problem for roster in rosters.values() for problem in roster.problems]
    found += [problem for runbook in runbooks.values() for problem in runbook.problems]
    teams = {
        dag_id: runbook.pipeline.team if runbook.pipeline else "" for dag_id, runbook in runbooks.items()
    }
    found += _teamless(teams, rosters)
    for team, roster in rosters.items():
        if roster.owners is not None:
            found += _unmatched(team, roster.owners, teams, unread)
    good = {team: each.roster for team, each in rosters.items() if each.roster is not None}
    if found or "" not in good:
        return None, tuple(found)
    pipelines = {
        dag_id: replace(found_in, primary_owner=owners.primary, secondary_owner=owners.secondary)
        for roster in rosters.values()
        for dag_id, owners in (
            roster.owners or {}
        ).items()  # people see them in the order the roster names them
        if (found_in := runbooks[dag_id].pipeline)
    }
    return Setup(good.pop(""), pipelines, texts, good), ()


def _teams(texts: Texts) -> list[str]:
    """The teams that have a roster in their folder."""
    return sorted(
        PurePosixPath(name).parent.name for name in texts if name.startswith(f"{roster_file.TEAMS}/")
    )


def _teamless(teams: Mapping[str, str], rosters: Mapping[str, RosterFile]) -> Iterator[Problem]:
    """Runbooks that name a team without a roster."""
    for dag_id, team in sorted(teams.items()):
        if team and team not in rosters:
            known = ", ".join(filter(None, rosters)) or "no team yet"
            write = f"a team that has a roster ({known}), or the file {file_of(team)}"
            yield Problem(f"runbooks/{dag_id}.md", "team", repr(team), write)


def _unmatched(
    team: str, owners: Mapping[str, Owners], teams: Mapping[str, str], unread: Collection[str]
) -> Iterator[Problem]:
    """Pipelines of a team's roster without a runbook, or with another team's, and its runbooks without owners.

    `teams`: the team of each runbook; `unread`: files that are there, but cannot be read.
    """
    for dag_id in sorted(set(owners) - set(unread)):
        place, key = f"{file_of(team)}:{owners[dag_id].line}", f"pipelines.{dag_id}"
        if dag_id not in teams:
            write = f"the runbook runbooks/{dag_id}.md, or no such pipeline"
            yield Problem(place, key, "a pipeline without a runbook", write)
        elif teams[dag_id] != team:
            said = f"`team: {team}`" if team else "no `team`"
            found = (
                f"a pipeline whose runbook says {f'team: {teams[dag_id]}' if teams[dag_id] else 'no team'}"
            )
            yield Problem(
                place,
                key,
                found,
                f"{said} in runbooks/{dag_id}.md, or its owners in {file_of(teams[dag_id])}",
            )
    for dag_id in sorted(dag_id for dag_id, its in teams.items() if its == team and dag_id not in owners):
        write = f"its owners in {file_of(team)}: pipelines: {{{dag_id}: {{primary_owner: …, secondary_owner: …}}}}"
        yield Problem(
            f"runbooks/{dag_id}.md", "pipeline", "a runbook that the roster names no owners for", write
        )
