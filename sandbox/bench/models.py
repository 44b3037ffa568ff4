"""How long a pipeline takes for one report date, beside the same SQL through psql, and beside DuckDB."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2

from oncall.config.oncall_config import OncallConfig, load
from pipelines import publication, runner
from pipelines.report_run import ReportRun
from pipelines.sql_files import sql_dir
from sandbox.bench.duck import Duck
from sandbox.bench.figures import Figure, Sample, Section, seconds
from sandbox.master_data.generator import TABLES
from sandbox.master_data.loading import Loader, create_schema
from sandbox.master_data.published_history import LINES
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import Server, tools

DAY = dt.date(2026, 11, 22)
EARLIER = 2  # days that are loaded and published before DAY
TIMES = 5
OFTEN, SHORT_S = 4, 1.0  # what takes less than a second is measured so much oftener: its times differ more
BIG = 100  # from this scale on once is enough, with one day before
MAKES_ROOM = "delete from base.day_parts"  # in reading.sql, for what the files count anew
DAG_IDS = [dag_id for line in LINES for dag_id in line]


def measure(server: Server, scales: Sequence[float]) -> tuple[Section, ...]:
    """A section for each scale."""
    return tuple(_at(server, scale) for scale in scales)


def _at(server: Server, scale: float) -> Section:
    config, name = load(REPOSITORY / "include"), f"models_{scale:g}".replace(".", "_")
    times, earlier = (1, 1) if scale >= BIG else (TIMES, EARLIER)
    with closing(psycopg2.connect(server.ensure_database(name))) as connection:
        arrived = _load(connection, config, scale, earlier)
        recorded = {dag_id: _recorded(connection, config, dag_id) for dag_id in DAG_IDS}
        psql = Psql(server, name)
        figures = _beside(connection, config, psql, recorded, times)
        with tempfile.TemporaryDirectory() as folder:
            duck = Duck(connection, Path(folder))
            figures += _beside_duck(psql, duck, recorded, times)
            same = duck.compared(connection, DAY)
    server.drop_database(name)
    read = max(each.fetched for each in recorded.values())
    often = f"{times} times, {times * OFTEN} what takes less than a second" if times > 1 else "once"
    how = (
        f"Transform, check and publish of one report date without Airflow ({often}), and by turns the very same"
        f" statements with the same values through psql (its start is not counted); {arrived:,} upstream rows that"
        f" day, days before it: {earlier}. At most {read} rows of a run are read into Python: what the checks found"
        " and what was published. Asked for: at most 1.15 times as long as through psql, and nothing read into Python."
        " Then what the pipeline's own files say (models, draft, checks, publication; not the contracts) in PostgreSQL"
        f" and in DuckDB, over a copy of the same rows; {same} published numbers came out the same to the cent. Asked"
        " for: at most 4 times as long as in DuckDB."
    )
    return Section(f"The models at {scale:g} x", how, figures)


def _load(connection: Any, config: OncallConfig, scale: float, earlier: int) -> int:
    """The master data of DAY and of so many days before it, which are published too; the upstream rows of DAY."""
    create_schema(connection)
    runner.install(connection)
    for back in range(earlier, 0, -1):
        day = DAY - dt.timedelta(days=back)
        Loader(connection, scale).load(day)
        analyze(connection)
        for dag_id in DAG_IDS:
            run(connection, config, dag_id, day)
    loads = Loader(connection, scale).load(DAY)
    analyze(connection)
    return sum(each.row_count for each in loads)


def _beside(
    connection: Any, config: OncallConfig, psql: Psql, recorded: Mapping[str, Recording], times: int
) -> tuple[Figure, ...]:
    """Each pipeline and what was recorded of it, by turns: now the one goes first, now the other."""
    ours: dict[str, list[float]] = {dag_id: [] for dag_id in DAG_IDS}
    plain: dict[str, list[float]] = {dag_id: [] for dag_id in DAG_IDS}
    for number in range(times * OFTEN):
        for dag_id in DAG_IDS:
            if number >= times and (times == 1 or min(ours[dag_id]) > SHORT_S):
                continue
            alone = partial(seconds, partial(run, connection, config, dag_id, DAY))
            turns = [(ours, alone), (plain, partial(psql.seconds, recorded[dag_id].statements))]
            for took, measured in turns if number % 2 else reversed(turns):
                took[dag_id].append(measured())
    return tuple(
        Figure(Sample(dag_id, tuple(ours[dag_id]), "s"), Sample("through psql", tuple(plain[dag_id]), "s"))
        for dag_id in DAG_IDS
    )


def _beside_duck(psql: Psql, duck: Duck, recorded: Mapping[str, Recording], times: int) -> tuple[Figure, ...]:
    """Each pipeline's own SQL in both, by turns."""
    ours: dict[str, list[float]] = {dag_id: [] for dag_id in DAG_IDS}
    theirs: dict[str, list[float]] = {dag_id: [] for dag_id in DAG_IDS}
    for _ in range(times):
        for dag_id in DAG_IDS:
            ours[dag_id].append(psql.seconds(["begin", *recorded[dag_id].own, "commit"]))
            theirs[dag_id].append(duck.seconds(recorded[dag_id].own))
    return tuple(
        Figure(
            Sample(f"{dag_id}, its SQL", tuple(ours[dag_id]), "s"),
            Sample("DuckDB", tuple(theirs[dag_id]), "s"),
        )
        for dag_id in DAG_IDS
    )


def run(connection: Any, config: OncallConfig, dag_id: str, day: dt.date) -> None:
    """What the three tasks of a pipeline's run do."""
    pipeline = config.pipelines[dag_id]
    run = ReportRun(dag_id, pipeline.report, day, config.roster.tz, "bench", pipeline.upstream)
    runner.transform(connection, run)
    runner.check(connection, run)
    publication.publish(connection, run)


def analyze(connection: Any) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(f"analyze {', '.join(f'master.{table}' for table in TABLES)}")


def _recorded(connection: Any, config: OncallConfig, dag_id: str) -> Recording:
    recording = Recording(connection, dag_id)
    run(recording, config, dag_id, DAY)
    return recording


class Recording:
    """A connection that keeps the text of all that is executed on it, and counts the rows that are read from it.

    `own`: of the statements those of the pipeline's own files, with the settings they run under.
    """

    def __init__(self, connection: Any, dag_id: str) -> None:
        self._connection = connection
        self.files = "\n".join(
            file.read_text(encoding="utf-8") for file in sorted((sql_dir() / dag_id).glob("*.sql"))
        )
        self.statements = ["begin"]
        self.own: list[str] = []
        self.fetched = 0

    def cursor(self) -> _RecordingCursor:
        return _RecordingCursor(self, self._connection.cursor())

    def commit(self) -> None:
        self._connection.commit()
        self.statements += ["commit", "begin"]

    def rollback(self) -> None:
        self._connection.rollback()


class _RecordingCursor:
    def __init__(self, recording: Recording, cursor: Any) -> None:
        self._recording, self._cursor = recording, cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, statement: str, values: Any = None) -> None:
        text = self._cursor.mogrify(statement, values).decode()
        self._recording.statements.append(text)
        if statement in self._recording.files or statement.startswith("set local") or MAKES_ROOM in statement:
            self._recording.own.append(text)
        self._cursor.execute(statement, values)

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        self._recording.fetched += len(rows)
        return rows


class Psql:
    """The command line client, on one database; where it prints to is nowhere."""

    def __init__(self, server: Server, database: str) -> None:
        self._command = [
            str(tools(server.data_dir) / "psql"),
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
        ]
        self._command += [f"--output={os.devnull}", f"--dbname={server.uri(database)}", "--file=-"]
        self._start_s = min(self._run("") for _ in range(5))

    def seconds(self, statements: Sequence[str]) -> float:
        """How long they take, without the start of psql."""
        return self._run(";\n".join(statements) + ";\n") - self._start_s

    def _run(self, text: str) -> float:
        return seconds(partial(subprocess.run, self._command, input=text, text=True, check=True))
