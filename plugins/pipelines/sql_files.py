"""The SQL folder: which files a pipeline executes, and in which order. Refuses to know Airflow.

A pipeline is a folder of numbered SQL files, that of its kind (`experiments`), with what all of the kind do, and
those of the upstream tables that it reads (`sessions`), with what is asked of their rows whoever reads them: 00–09
ask what is needed first, 10–18 compute the base model, the draft of the report and what the day is made of, 19 has
the planner count them, 20–29 check, 30–39 publish, 40–49 look for rows that came late for published days, 50–59 what
is compared with usual numbers, 60–69 with planned ones, 70–79 look for rows that together look wrong. Values are
bound by name, never written into the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from oncall.adapters.postgres.refusals import first_line
from oncall.config.data_contracts import tables_read
from oncall.config.include_files import Unusable, no_statement, sql_below
from oncall.config.include_files import text_of as text_of_file
from oncall.config.oncall_config import include_dir
from oncall.core.errors import OncallError

REPOSITORY_SQL = Path(__file__).resolve().parents[2] / "include" / "sql"

NEED, COMPUTE, COUNT, CHECK, PUBLISH, LATE = "0[0-9]", "1[0-8]", "19", "2[0-9]", "3[0-9]", "4[0-9]"
USUAL, RATIO, ODD = "5[0-9]", "6[0-9]", "7[0-9]"


def sql_dir() -> Path:
    """Where the SQL is: `sql/` of the include folder when it has one, otherwise of this repository's include/."""
    own = include_dir() / "sql"
    return own if own.is_dir() else REPOSITORY_SQL


class SqlFiles:
    """The SQL folder as it is now: what was read of it once is not read again."""

    def __init__(self) -> None:
        self._folder = sql_dir()
        self._texts: dict[str, str] = {}
        self._folders: dict[str, tuple[str, ...]] = {}

    def text(self, file: str) -> str:
        """The text of a file, as `check` reads it. One that an include folder of a team's own lacks, since it came with
        a later release, is the product's. Raises OncallError for one that cannot be read."""
        if file not in self._texts:
            folder = self._folder if (self._folder / file).exists() else REPOSITORY_SQL
            try:
                self._texts[file] = text_of_file(folder, file)
            except Unusable as error:
                raise OncallError(f"{folder / file}: {error.found}; write {error.write}") from None
        return self._texts[file]

    def steps(self, dag_id: str, numbers: str) -> list[str]:
        """The pipeline's files of one step, in order, relative to the folder: its own, its kind's, its tables'."""
        if dag_id not in self._folders:
            own = dag_id, dag_id.rpartition("_")[2]
            read = tables_read("\n".join(map(self.text, self._files(own, COMPUTE))))
            self._folders[dag_id] = (*own, *sorted(table.partition(".")[2] for table in read))
        found = self._files(self._folders[dag_id], numbers)
        if not found and numbers in {COMPUTE, CHECK, PUBLISH}:
            raise OncallError(f"{self._folder / dag_id} has no file {numbers}_….sql")
        return found

    def _files(self, folders: Sequence[str], numbers: str) -> list[str]:
        once = dict.fromkeys(folders)  # a DAG called user_sessions has its kind's name in common with a table
        found = [path for name in once for path in sorted((self._folder / name).glob(f"{numbers}_*.sql"))]
        return [f"{path.parent.name}/{path.name}" for path in found]

    def of_report(self, dag_id: str) -> str:
        """The SQL that computes and checks the pipeline's report."""
        return "\n".join(self.text(file) for each in (COMPUTE, CHECK) for file in self.steps(dag_id, each))

    def execute(self, cursor: Any, file: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Execute the file's statements; the rows of the last one. Raises OncallError for one that ends the run's
        transaction: half of a report would be published, and another run be at work on the day."""
        if odd := no_statement(self.text(file)):
            raise OncallError(
                f"{file} has {odd[0].strip()!r}; take it out: a run has a transaction of its own"
            )
        for statement in _statements(self.text(file)):
            try:
                cursor.execute(statement, parameters)
            except Exception as error:
                error.add_note(f"in {file}")
                raise
        return cursor.fetchall() if cursor.description else []

    def slips(self, connection: Any) -> Iterator[tuple[str, str]]:
        """(file and line, why) of each statement of the folder that PostgreSQL cannot read. None is executed."""
        if _slip(connection, "select 1"):
            return  # it has no language in which to read a statement alone
        for path in sql_below(self._folder):
            file = path.relative_to(self._folder).as_posix()
            text, begins = self.text(file), 0
            for statement in _statements(text):
                begins = text.index(statement, begins)
                if why := _slip(connection, statement):
                    line = text.count("\n", 0, begins) + 1
                    yield f"{file}:{line}", why


def _slip(connection: Any, statement: str) -> str:
    """Why PostgreSQL cannot read it, as a part of a block that has ended before."""
    bare = re.sub(r"--.*|(?s:/\*.*?\*/)", "", statement).strip()
    if not bare:
        return ""
    plain = re.sub(r"%\(\w+\)s", "null", statement).replace("%%", "%")
    ends = "" if bare.endswith(";") else ";"  # it may stand before a last comment
    try:
        connection.execute(f"do $oncall_reads$ begin return; {plain}\n{ends} end $oncall_reads$")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return first_line(error)
    finally:
        connection.rollback()
    return ""


@lru_cache(maxsize=64)
def _statements(text: str) -> tuple[str, ...]:
    """One at a time: psycopg 3 binds on the server, which takes one statement. Parsing them takes a while."""
    import sqlparse  # not with every parse of a DAG file

    return tuple(sqlparse.split(text, strip_semicolon=True))
