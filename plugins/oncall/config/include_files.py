"""The files of an include folder: which there are and what they hold. Knows files; refuses to know what they mean.

Whatever lies in the folder, nothing here raises anything but `Unusable`, waits for nobody (a pipe, a device) and reads
at most a megabyte of a file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from oncall.config.roster_file import DAG_ID, FILE, TEAM, TEAMS
from oncall.config.yaml_fields import Source
from oncall.core.errors import Problem
from oncall.core.plain_text import shortened

MOST_BYTES = 1_000_000
# Each is searched for secrets at each parse of a DAG file, a second for so many.
MOST_BYTES_OF_A_RUNBOOK = 100_000
RUNBOOKS, SQL, CONTRACTS = "runbooks", "sql", "contracts"
_STAMPED = attrgetter("st_dev", "st_ino", "st_mtime_ns", "st_ctime_ns", "st_size", "st_mode")
_PERCENT = re.compile(r"%(?!\(\w+\)[sbt])")  # in SQL that is given parameters
# What a run binds (pipelines/report_run.py and whoever executes a step).
PARAMETERS = (
    *("report", "report_date", "day_before_start", "day_start", "day_end", "zone", "run_id", "at", "reason"),
    *("currency", "control", "planned", "upstream", "since"),
)
_UNBOUND = re.compile(rf"%\((?!(?:{'|'.join(PARAMETERS)})\))\w+\)")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_NO_STATEMENT = re.compile(  # within a run's transaction; a command of psql's
    r"^(?:\\\w+|[ \t]*(?:begin|start\s+transaction|commit|rollback|abort)(?:\s+(?:work|transaction))?\s*(?:;|\Z))",
    re.IGNORECASE | re.MULTILINE,
)
_STEP = r"[0-7][0-9]_\w+\.sql"
_STEPS = {"1", "2", "3"}  # without one of these a run fails
_STEP_WORDS = (
    "two digits up to 79, _ and letters, such as 10_base.sql, or take it away: it may run beside another"
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Unusable(Exception):
    """A file that cannot be read as a text: what was found, and what to write instead."""

    def __init__(self, found: str, write: str) -> None:
        super().__init__(found)
        self.found, self.write = found, write


@dataclass(frozen=True)
class IncludeFiles:
    """The texts of rosters and runbooks by their paths below the folder, and what is wrong with files as files."""

    texts: dict[str, str]
    problems: tuple[Problem, ...] = ()


def read_folder(folder: Path) -> IncludeFiles:
    """Everything of the folder, with every problem of a file as a file; those of SQL too.

    Of one release alone, also when a link is turned to the next one meanwhile.
    """
    folder = _resolved(folder)
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    problems += _closed_folders(folder)
    for name in (FILE, *_teams(folder, problems), *_runbooks(folder, problems)):
        try:
            most = MOST_BYTES_OF_A_RUNBOOK if name.startswith(RUNBOOKS) else MOST_BYTES
            texts[name] = text_of(folder, name, most)
        except Unusable as error:
            problems.append(Problem(name, "(file)", error.found, error.write))
    problems += _problems_of_sql(folder)
    return IncludeFiles(texts, tuple(problems))


def text_of(folder: Path, name: str, most: int = MOST_BYTES) -> str:
    """The text of a file ("" when it is blank), its line ends as one. Raises Unusable, also above `most` bytes."""
    path = folder / name
    try:
        if not path.resolve().is_relative_to(_resolved(folder)):
            raise Unusable("a link that leads out of the include folder", "the file itself")
        content = _content(path, most)
    except (OSError, ValueError, RuntimeError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        # before Python 3.13, and since
        if isinstance(error, RuntimeError) or getattr(error, "errno", 0) == errno.ELOOP:
            said = "a link that leads in a circle"
        raise Unusable(said, f"the file {path}") from error
    if len(content) > most:
        raise Unusable(f"more than {most // 1000} kB", f"a file of at most {most // 1000} kB")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unusable("UTF-16, which is not UTF-8", "the file in UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{content[error.start]:02x} in line {line}, which is not UTF-8"
        raise Unusable(found, "the file in UTF-8") from error
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        raise Unusable(f"the control character U+{ord(control[0]):04X} in line {line}", "plain text")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.strip() else ""


def _closed_folders(folder: Path) -> Iterator[Problem]:
    """Folders that are there and cannot be looked into: what is in them is not gone."""
    for name in (TEAMS, RUNBOOKS, SQL, CONTRACTS):
        if said := closed(folder / name):
            yield Problem(f"{name}/", "(folder)", said, f"a folder that can be read: {folder / name}")


def closed(folder: Path) -> str:
    """Why a folder that is there cannot be looked into; "" when it can, or is not there."""
    try:
        os.listdir(folder)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def _resolved(folder: Path) -> Path:
    try:
        return folder.resolve()
    except (OSError, RuntimeError):  # links in a circle: there is nothing to read, which is told file by file
        return folder


def _content(path: Path, most: int) -> bytes:
    """The beginning of a file, a byte longer than it may be. Raises OSError, ValueError, Unusable."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe is not waited for
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Unusable("something that is no file", f"the file {path}")
        with open(handle, "rb", closefd=False) as file:
            return file.read(most + 1)
    finally:
        os.close(handle)


def stamp(folder: Path) -> str:
    """Changes whenever a file does, also when one of the same size and age takes its place."""
    digest = hashlib.sha256()
    for path in _those_that_count(folder):
        try:
            said: object = _STAMPED(path.stat())
        except OSError as error:
            said = error.errno
        except ValueError:
            said = "no name"
        digest.update(f"{path} {said}\n".encode(errors="backslashreplace"))
    return digest.hexdigest()


def _those_that_count(folder: Path) -> Iterator[Path]:
    yield folder / FILE
    yield from (place / FILE for place in inside(folder / TEAMS))
    yield from inside(folder / RUNBOOKS)
    yield from inside(folder / CONTRACTS)
    for place in inside(folder / SQL):
        yield place
        yield from sorted(_all(place))


def teams(folder: Path) -> list[str]:
    """The teams that have a roster in their folder."""
    return [name.split("/")[1] for name in _teams(folder, [])]


def runbooks(folder: Path) -> list[str]:
    """The DAGs that have a runbook."""
    return [name.removeprefix(f"{RUNBOOKS}/").removesuffix(".md") for name in _runbooks(folder, [])]


def _teams(folder: Path, problems: list[Problem]) -> Iterator[str]:
    for path in inside(folder / TEAMS):
        if not os.path.lexists(path / FILE):
            continue
        if re.fullmatch(TEAM, path.name):
            yield f"{TEAMS}/{path.name}/{FILE}"
        else:
            name, write = shown(f"{TEAMS}/{path.name}/"), "a name of letters, digits, dashes and underscores"
            problems.append(Problem(name, "(folder)", "a name that no team can have", write))


def _runbooks(folder: Path, problems: list[Problem]) -> Iterator[str]:
    for path in inside(folder / RUNBOOKS):
        if path.suffix != ".md" or path.name.startswith("."):  # of an editor
            continue
        if re.fullmatch(DAG_ID, path.stem):
            yield f"{RUNBOOKS}/{path.name}"
        else:
            write = "the id of a DAG, and .md; it is watched by an id of at most 150 letters a to z, digits and _ . -"
            problems.append(
                Problem(shown(f"{RUNBOOKS}/{path.name}"), "(file)", "a name that is no id of a DAG", write)
            )


def _problems_of_sql(folder: Path) -> Iterator[Problem]:
    for place in inside(folder / SQL):
        if not place.is_dir():
            continue
        files = sql_below(place)
        if not files:
            name = shown(f"{SQL}/{place.name}/")
            yield Problem(name, "(folder)", "no .sql file", "the pipeline's SQL, or no folder")
        kind = folder / SQL / place.name.rpartition("_")[2]
        steps = _STEPS & {path.name[0] for path in (*inside(place), *inside(kind))}
        if (folder / RUNBOOKS / f"{place.name}.md").exists() and 0 < len(steps) < len(_STEPS):
            gone = min(_STEPS - steps)
            name, write = (
                shown(f"{SQL}/{place.name}/"),
                "10_ to 18_ that compute, 20_ that check and 30_ that publish",
            )
            yield Problem(name, "(folder)", f"no step {gone}0_….sql", write)
        for path in files:
            name = path.relative_to(folder).as_posix()
            try:
                text, source = text_of(folder, name), Source(shown(name))
                if path.name[0].isdigit() and not re.fullmatch(_STEP, path.name):
                    source.complain("(file)", "a name that is no step's", _STEP_WORDS)
                if not text:
                    source.complain("(file)", "nothing", "a SQL statement, or no file")
                source.complain_of_conflict(text)
                for begins, found, write in _slips_of_sql(text, is_step=path.name[0].isdigit()):
                    source.complain("(file)", found, write, text.count("\n", 0, begins))
                yield from source.problems
            except Unusable as error:
                yield Problem(shown(name), "(file)", error.found, error.write)


def _slips_of_sql(text: str, *, is_step: bool) -> Iterator[tuple[int, str, str]]:
    """Where something stands that no run can bind or execute, what it is, and what to write instead."""
    bound = text.replace("%%", "  ")
    if odd := _PERCENT.search(bound):
        yield odd.start(), "a single %", "%% for a percent sign, or a parameter such as %(report_date)s"
    if is_step and (odd := _UNBOUND.search(bound)):
        yield odd.start(), f"the parameter {odd[0]}, which no run binds", f"one of {', '.join(PARAMETERS)}"
    if is_step and (odd := no_statement(text)):
        yield (
            odd.start(),
            repr(odd[0].strip()),
            "none: a run has its own transaction, and knows no command of psql's",
        )


def no_statement(text: str) -> re.Match[str] | None:
    """The first line of SQL that would begin or end a transaction, or that psql alone understands."""
    return _NO_STATEMENT.search(_COMMENT.sub(lambda said: re.sub("[^\n]", " ", said[0]), text))


def sql_below(folder: Path) -> list[Path]:
    """The SQL files of a folder, in order; what an editor keeps beside them (`.#10_base.sql`) is none."""
    return [p for p in sorted(_all(folder)) if p.suffix.lower() == ".sql" and not p.name.startswith(".")]


def inside(folder: Path) -> list[Path]:
    """The entries of a folder; none where it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _all(folder: Path) -> Iterator[Path]:
    """Everything below a folder except folders; links to folders are not followed."""
    for place, _, names in os.walk(folder):
        yield from (Path(place) / name for name in names)


def shown(name: str) -> str:
    """A file's name as any terminal and database takes it."""
    return shortened(name if name.isprintable() else ascii(name)[1:-1])
