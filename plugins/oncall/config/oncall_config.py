"""`include/` → core objects, with every problem at once. `roster_file` and `runbook_file` know what a file means.

load(include_dir)         the configuration, or ConfigError with every problem
check(include_dir)        every problem, in the order of the files
load_roster(include_dir)  a team's roster as long as it tells who is on call, with its problems
in_force(files, kept)     the configuration that pages, whatever is wrong with some of the files (rule 10)
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath

from oncall.config import include_files, roster_file, runbook_file
from oncall.config.data_contracts import check_data_contracts, check_sql
from oncall.config.include_files import IncludeFiles, Unusable, read_folder, text_of
from oncall.config.roster_file import Owners, RosterFile, file_of
from oncall.config.runbook_file import RunbookFile
from oncall.config.runbooks_together import contradictions
from oncall.config.yaml_fields import Source, capped
from oncall.core.errors import ConfigError, Problem
from oncall.core.promises.promise import Pipeline, Promise
from oncall.core.rota.roster import Roster

Texts = Mapping[str, str]  # a file's path below the include folder → its text

# Most files are as they were when one of them changes.
_read_roster = lru_cache(maxsize=200)(roster_file.read_roster)
_read_runbook = lru_cache(maxsize=20_000)(runbook_file.read_runbook)


@dataclass(frozen=True)
class OncallConfig:
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

    @cached_property
    def promised(self) -> Sequence[tuple[Promise, dt.tzinfo, Sequence[Pipeline]]]:
        """The pipelines with a promise, those together whose clocks are alike: promise, zone and schedule."""
        alike: defaultdict[tuple[Promise, dt.tzinfo, str | None], list[Pipeline]] = defaultdict(list)
        for pipeline in self.pipelines.values():
            if pipeline.promise:
                tz = self.roster_of(pipeline.dag_id).tz
                alike[pipeline.promise, tz, pipeline.schedule].append(pipeline)
        return [(promise, tz, some) for (promise, tz, _), some in alike.items()]

    @cached_property
    def promises_digest(self) -> str:
        """A digest that is equal for two configurations with the same pipelines and promises."""
        promised = (
            (name, pipeline.promise, str(self.roster_of(name).tz))
            for name, pipeline in self.pipelines.items()
        )
        return hashlib.sha256(repr(sorted(promised, key=lambda each: each[0])).encode()).hexdigest()[:12]

    @property
    def rosters(self) -> tuple[Roster, ...]:
        """Every team's, the one at the top first."""
        return self.roster, *self.teams.values()

    @property
    def channels(self) -> list[str]:
        """Every team's chat channel, each once."""
        return list(dict.fromkeys(roster.slack_channel for roster in self.rosters))

    @property
    def heartbeats(self) -> list[str]:
        """Every team's Opsgenie heartbeat, each once."""
        named = (roster.opsgenie_heartbeat for roster in self.rosters)
        return list(dict.fromkeys(filter(None, named)))

    def by_team(self) -> dict[str, OncallConfig]:
        """A configuration for each roster, the one at the top ("") first: the roster and its own pipelines."""
        pipelines: dict[str, dict[str, Pipeline]] = {"": {}, **{team: {} for team in self.teams}}
        for dag_id, pipeline in self.pipelines.items():
            pipelines[pipeline.team][dag_id] = pipeline
        return {
            team: OncallConfig(self.teams.get(team, self.roster), mine) for team, mine in pipelines.items()
        }


@dataclass(frozen=True)
class InForce:
    """What the files come to. `config`: None when no roster can be told, neither of now nor of before.

    `good`: the texts that nothing is said against, of now or else of before, to be kept as the last good ones.
    `until`: when the same files come to something else, because a roster begins.
    """

    config: OncallConfig | None
    problems: tuple[Problem, ...]
    good: Texts
    until: dt.datetime | None = None


def include_dir() -> Path:
    """`ONCALL_INCLUDE_DIR`, or the folder `include` beside `plugins`.

    Links stay links: where a release is put in force by turning one, it is found without a restart. Never raises: in a
    container whose user has no home `~` stays as it is, and that there is no such folder is told.
    """
    named = os.environ.get("ONCALL_INCLUDE_DIR", "").strip()
    return Path(os.path.expanduser(named)) if named else Path(__file__).absolute().parents[3] / "include"


def load(folder: Path) -> OncallConfig:
    """Read an include folder; raises ConfigError with every problem of the roster, the runbooks and the SQL."""
    found = in_force(read_folder(folder), {}, dt.datetime.now(dt.UTC))
    if found.problems or found.config is None:
        raise ConfigError(found.problems)
    return found.config


def check(folder: Path) -> list[Problem]:
    """Every problem of an include folder, of more than a hundred the first; empty when all is good."""
    return list(with_the_rest(folder, in_force(read_folder(folder), {}, dt.datetime.now(dt.UTC))).problems)


def with_the_rest(folder: Path, found: InForce) -> InForce:
    """The same with every problem of the contracts, and of what SQL and runbooks say of each other's tables.

    They stop no page, but the next run of a report: whoever watches over the folder is to know before.
    """
    pipelines = found.config.pipelines if found.config else {}
    contracts, sql = Source(f"{include_files.CONTRACTS}/"), Source(f"{include_files.SQL}/")
    told = [
        *found.problems,
        *(contracts.contain(lambda: check_data_contracts(folder, pipelines)) or ()),
        *contracts.problems,
        *(sql.contain(lambda: list(check_sql(folder, pipelines))) or ()),
        *sql.problems,
    ]
    return replace(found, problems=capped(told))


def load_roster(folder: Path, team: str = "") -> tuple[Roster, tuple[Problem, ...]]:
    """A team's roster alone, with the problems that leave no doubt who is on call.

    Raises ConfigError with every problem of the roster when one of them puts that in doubt.
    """
    name, known = file_of(team), include_files.teams(folder)
    if team and team not in known:
        there = ", ".join(known) or "none: there is only the roster at the top"
        name = include_files.shown(name)
        raise ConfigError([Problem(name, "(file)", "no such file", f"one of the teams ({there})")])
    try:
        read = _read_roster(text_of(folder, name), team)
    except Unusable as error:
        raise ConfigError([Problem(name, "(file)", error.found, error.write)]) from error
    if read.roster is None or not read.rota_is_sure:
        raise ConfigError(read.problems)
    return read.roster, read.problems


def in_force(files: IncludeFiles, kept: Texts, at: dt.datetime) -> InForce:
    """The configuration that pages at `at`, whatever is wrong with some of the files (rule 10).

    File by file: as it is when nothing puts it in doubt; else as it was `kept`; else as much of it as can be told. So
    a slip in one team's roster freezes neither a runbook nor another team.
    """
    now, before = _Folder(files.texts), _Folder(kept)
    found = [*files.problems, *_problems(now, files.problems, at)]
    blamed = {problem.file.partition(":")[0] for problem in found}
    used: dict[str, str] = {}
    for name in dict.fromkeys((*files.texts, *kept)):
        if now.is_sure(name, at) or not before.tells(name):
            used |= {name: files.texts[name]} if now.tells(name) else {}
        else:
            used[name] = kept[name]
    there = {*files.texts, *(problem.file for problem in files.problems)}
    config = _config_of(_Folder(used), before, there)
    in_use = there | set(config.texts if config else ())
    good = {name: text for name, text in kept.items() if name in in_use}
    good |= {name: text for name, text in files.texts.items() if name not in blamed}
    begins = [each.roster.starts for each in now.rosters.values() if each.roster and each.roster.starts > at]
    return InForce(config, capped(found), good, min(begins, default=None))


class _Folder:
    """Texts, read: rosters by team and runbooks by their DAGs' ids."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self.rosters: dict[str, RosterFile] = {}
        self.runbooks: dict[str, RunbookFile] = {}
        self._files: dict[str, RosterFile | RunbookFile] = {}
        for name, text in texts.items():
            path = PurePosixPath(name)
            if path.parts[0] == include_files.RUNBOOKS:
                self._files[name] = self.runbooks[path.stem] = _read_runbook(path.stem, text)
            else:
                team = path.parent.name
                self._files[name] = self.rosters[team] = _read_roster(text, team)

    @cached_property
    def contradictions(self) -> tuple[Problem, ...]:
        """What the runbooks say that cannot all be true."""
        return tuple(contradictions(one.pipeline for one in self.runbooks.values() if one.pipeline))

    @property
    def teams(self) -> dict[str, str]:
        """The team of each runbook."""
        return {dag_id: each.pipeline.team if each.pipeline else "" for dag_id, each in self.runbooks.items()}

    def is_sure(self, name: str, at: dt.datetime) -> bool:
        """Whether a file is there and leaves no doubt at `at` who is paged for what."""
        file = self._files.get(name)
        if isinstance(file, RosterFile):
            return file.roster is not None and not file.problems and file.roster.starts <= at
        contradicted = any(problem.file == name for problem in self.contradictions)
        return file is not None and file.promise_is_sure and not contradicted

    def tells(self, name: str) -> bool:
        """Whether a file is there and tells a roster or a pipeline at all."""
        each = self._files.get(name)
        return (each.roster if isinstance(each, RosterFile) else each and each.pipeline) is not None

    def owners(self, files: Collection[str]) -> dict[str, Owners]:
        """The owners of each pipeline, by its team's roster or else by another one; of the rosters in `files`."""
        found: dict[str, Owners] = {}
        for team, roster in self.rosters.items():
            if file_of(team) not in files:
                continue
            for dag_id, owners in (roster.owners or {}).items():
                if dag_id not in found or self.teams.get(dag_id) == team:
                    found[dag_id] = owners
        return found


def _config_of(used: _Folder, before: _Folder, there: Collection[str]) -> OncallConfig | None:
    """What the texts in use come to. Nobody misses what was removed from the folder and from the roster.

    A pipeline that the roster has forgotten keeps its owners of `before`; who has none asks the manager.
    """
    rosters = {team: each.roster for team, each in used.rosters.items() if each.roster is not None}
    if "" not in rosters:
        return None
    owners, once = used.owners(there), before.owners(before.texts)
    named = [dag_id for dag_id in owners if dag_id in used.runbooks]
    forgotten = [d for d in used.runbooks if d not in owners and f"{include_files.RUNBOOKS}/{d}.md" in there]
    pipelines = {}
    for dag_id in (*named, *forgotten):  # people see them in the order the roster names them
        pipeline = used.runbooks[dag_id].pipeline
        assert pipeline is not None
        team = pipeline.team if pipeline.team in rosters else ""
        manager = rosters[team].manager
        known = owners.get(dag_id) or once.get(dag_id) or Owners(manager, manager, 0)
        pipelines[dag_id] = replace(
            pipeline, team=team, primary_owner=known.primary, secondary_owner=known.secondary
        )
    at_work = {pipeline.team for pipeline in pipelines.values()}
    teams = {team: roster for team, roster in rosters.items() if team in at_work or file_of(team) in there}
    files = {file_of(team) for team in teams} | {
        f"{include_files.RUNBOOKS}/{dag_id}.md" for dag_id in pipelines
    }
    texts = {name: text for name, text in used.texts.items() if name in files}
    return OncallConfig(teams.pop("", rosters[""]), pipelines, texts, teams)


def _problems(now: _Folder, unread: Sequence[Problem], at: dt.datetime) -> Iterator[Problem]:
    """What is wrong with each file and with what they say of each other, but for what cannot be read at all."""
    files: list[RosterFile | RunbookFile] = [*now.rosters.values(), *now.runbooks.values()]
    for each in files:
        yield from each.problems
    for team, roster in now.rosters.items():
        if roster.roster is not None and roster.roster.starts > at:
            found = f"{roster.roster.starts.date()} as the first day of all"
            yield Problem(
                file_of(team), "rotation", found, "an entry that has begun: until then nobody is on call"
            )
    yield from now.contradictions
    yield from _teamless(now.teams, now.rosters)
    names = {PurePosixPath(problem.file).stem for problem in unread}
    if include_files.RUNBOOKS in names:  # of none can it be told whether it is there
        return
    for team, roster in now.rosters.items():
        if roster.owners is not None:
            yield from _unmatched(team, roster.owners, now.teams, names)


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
        elif (its := teams[dag_id]) != team:
            said = f"`team: {team}`" if team else "no `team`"
            found = f"a pipeline whose runbook says {f'team: {its}' if its else 'no team'}"
            write = f"{said} in runbooks/{dag_id}.md, or its owners in {file_of(its)}"
            yield Problem(place, key, found, write)
    for dag_id in sorted(dag_id for dag_id, its in teams.items() if its == team and dag_id not in owners):
        write = f"its owners in {file_of(team)}: pipelines: {{{dag_id}: {{primary_owner: …, secondary_owner: …}}}}"
        yield Problem(
            f"runbooks/{dag_id}.md", "pipeline", "a runbook that the roster names no owners for", write
        )
