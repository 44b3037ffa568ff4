"""`include/` → core objects, with every problem at once. Opens the files; what they mean is told by `reading`.

load(include_dir)         the Setup, or ConfigError with every problem
check(include_dir)        every problem, in the order of the files
load_roster(include_dir)  the roster as long as it tells who is on call, with its problems
dump(setup), parse(text)  a Setup as text, to be kept as the last good one (rule 10)
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from oncall.core.errors import ConfigError, Problem
from oncall.core.promise import Pipeline
from oncall.core.roster import Roster
from oncall.reading import roster_file
from oncall.reading.roster_file import Owners, RosterFile, read_roster
from oncall.reading.runbook_file import read_runbook

Texts = Mapping[str, str]  # a file's path below the include folder → its text


@dataclass(frozen=True)
class Setup:
    """All that `include/` says: the roster, and the pipelines by their DAG's id. `texts` is what it was read from."""

    roster: Roster
    pipelines: Mapping[str, Pipeline]
    texts: Texts = field(default_factory=dict, repr=False)


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
    return list(_read(texts, problems)[1])


def load_roster(folder: Path) -> tuple[Roster, tuple[Problem, ...]]:
    """The roster alone, with the problems that leave no doubt who is on call.

    Raises ConfigError with every problem of the roster when one of them puts that in doubt.
    """
    texts, problems = _open(folder)
    problems = [problem for problem in problems if problem.file == roster_file.FILE]
    if problems:
        raise ConfigError(problems)
    read = read_roster(texts[roster_file.FILE])
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
    for path in (folder / roster_file.FILE, *sorted((folder / "runbooks").glob("*.md"))):
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
    unread = {problem.file for problem in problems}
    known = roster_file.FILE in texts
    roster = read_roster(texts[roster_file.FILE]) if known else RosterFile(None, None, ())
    runbooks = {
        PurePosixPath(name).stem: read_runbook(PurePosixPath(name).stem, text)
        for name, text in texts.items()
        if name != roster_file.FILE
    }
    found = [*problems, *roster.problems]
    found += [problem for runbook in runbooks.values() for problem in runbook.problems]
    if roster.owners is not None:
        named = set(runbooks) | {PurePosixPath(name).stem for name in unread}
        found += _unmatched(roster.owners, set(runbooks), named)
    if found or roster.roster is None or roster.owners is None:
        return None, tuple(found)
    pipelines = {
        dag_id: replace(found_in, primary_owner=owners.primary, secondary_owner=owners.secondary)
        for dag_id, owners in roster.owners.items()  # people see them in the order the roster names them
        if (found_in := runbooks[dag_id].pipeline)
    }
    return Setup(roster.roster, pipelines, texts), ()


def _unmatched(owners: Mapping[str, Owners], runbooks: set[str], present: set[str]) -> Iterator[Problem]:
    """Pipelines without a runbook, and runbooks without owners. `present` counts files that cannot be read too."""
    for dag_id in sorted(set(owners) - present):
        place = f"{roster_file.FILE}:{owners[dag_id].line}"
        write = f"the runbook runbooks/{dag_id}.md, or no such pipeline"
        yield Problem(place, f"pipelines.{dag_id}", "a pipeline without a runbook", write)
    for dag_id in sorted(runbooks - set(owners)):
        write = f"its owners in {roster_file.FILE}: pipelines: {{{dag_id}: {{primary_owner: …, secondary_owner: …}}}}"
        yield Problem(
            f"runbooks/{dag_id}.md", "pipeline", "a runbook that the roster names no owners for", write
        )
