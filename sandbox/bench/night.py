"""How long after its due instant a broken promise is paged: the watcher's page beside Airflow's own deadline.

A real stack, of whose pipelines only Growth ETL is promised. Each round promises it anew, due in a moment; a real run
waits for a table that does not arrive, so that both ways of noticing have all they need.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg2

from oncall.config import load
from sandbox.bench.figures import Figure, Sample, Section
from sandbox.environment import REPOSITORY
from sandbox.inbox.testing import RunningInbox
from sandbox.loading import load_day
from sandbox.postgres import SandboxError
from sandbox.scratch import scratch_stack
from sandbox.stack import Stack

T = TypeVar("T")

DAG_ID = "growth_etl"
LEAD_S = 100  # a busy machine needs this long to parse the DAG, serialise it and start a run
WITHIN_S = 60.0
SCALE = 0.02
_INVOKED = re.compile(r"oncall\.deadline_missed\b.*\bat=(\S+)")


def measure(folder: Path, rounds: int) -> Section:
    """Seconds from the due instant to the page at the far side, and to Airflow's call of the deadline's callback."""
    include = _promised_alone(folder / "include")
    with scratch_stack(folder / "run", include) as stack:
        night = _Night(stack, RunningInbox(stack.inbox_url))
        night.prepare()
        took = [night.round() for _ in range(rounds)]
    paged, invoked = (tuple(values) for values in zip(*took, strict=True))
    how = (
        f"A promise broken {rounds} times on real processes (PostgreSQL, one scheduler, one triggerer, the inbox)."
        " Measured to the moment the inbox is asked to create the alert; the baseline only to the moment in which"
        " Airflow invokes the callback of the same promise's native deadline, which then has all its work before it."
    )
    figure = Figure(
        Sample("page asked for after due", paged, "s"), Sample("native deadline's callback", invoked, "s")
    )
    return Section("A broken promise", how, (figure,))


def _promised_alone(include: Path) -> Path:
    """A copy of include/ in which only DAG_ID is promised."""
    shutil.copytree(REPOSITORY / "include", include)
    for runbook in (include / "runbooks").glob("*.md"):
        if runbook.stem != DAG_ID:
            text = runbook.read_text(encoding="utf-8")
            runbook.write_text(re.sub(r"^promise: .*\n", "", text, count=1, flags=re.M), encoding="utf-8")
    _promise_long_ago(include)
    return include


def _promise_long_ago(include: Path) -> None:
    """Due before anybody watched: nobody is paged."""
    _promise(include, dt.datetime.now(load(include).roster.tz) - dt.timedelta(hours=2))


def _promise(include: Path, due: dt.datetime) -> None:
    """Whoever reads the runbook meanwhile reads the old one or the new one."""
    path = include / "runbooks" / f"{DAG_ID}.md"
    warn = due - dt.timedelta(hours=1)
    line = f'promise: {{due: "{due:%H:%M:%S}", warn_upstream_at: "{warn:%H:%M:%S}"}}'
    text = re.sub(r"^promise: .*$", line, path.read_text(encoding="utf-8"), count=1, flags=re.M)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


@dataclass(frozen=True)
class _Night:
    stack: Stack
    far: RunningInbox

    def prepare(self) -> None:
        """Upstream delivers customers and no sessions, and the watcher watches."""
        today = dt.datetime.now(load(self.stack.include_dir).roster.tz).date()
        with closing(psycopg2.connect(self.stack.server().uri("warehouse"))) as connection:
            load_day(connection, today - dt.timedelta(days=1), ["customers"], scale=SCALE)
        self._wait("the watcher", lambda: self._sql("oncall", "select to_regclass('oncall.memory')")[0][0])
        tick = "select 1 from oncall.memory where name = 'tick'"
        self._wait("the watcher's first look", lambda: self._sql("oncall", tick))

    def round(self) -> tuple[float, float]:
        """Seconds from due to the page, and to the callback."""
        zone = load(self.stack.include_dir).roster.tz
        due = (dt.datetime.now(zone) + dt.timedelta(seconds=LEAD_S)).replace(microsecond=0)
        day = due.date() - dt.timedelta(days=1)
        _promise(self.stack.include_dir, due)
        self._parse(due)
        run_id = self._run(day, due)
        time.sleep(max(0.0, (due - dt.datetime.now(dt.UTC)).total_seconds()))
        alias = f"{DAG_ID}:{day}:page-1-primary"
        paged = self._wait("the page", lambda: self._asked_for(alias))
        invoked = self._wait("the deadline's callback", lambda: self._invoked(due))
        self._forget(run_id)
        return paged - due.timestamp(), invoked - due.timestamp()

    def _asked_for(self, alias: str) -> float | None:
        calls = self.far.calls(face="opsgenie", operation="create")
        at = [call.at for call in calls if (call.body or {}).get("alias") == alias]
        return min(at, default=None)

    def _invoked(self, due: dt.datetime) -> float | None:
        """From the triggerer's log: earlier rounds were earlier than `due`."""
        log = self.stack.component("triggerer").log.read_text(encoding="utf-8", errors="replace")
        at = [dt.datetime.fromisoformat(found.strip("'\"")) for found in _INVOKED.findall(log)]
        return min((each.timestamp() for each in at if each >= due), default=None)

    def _parse(self, due: dt.datetime) -> None:
        """Have the DAG parsed until Airflow has its deadline as promised now (it serialises every 30 s at most)."""
        api = self.stack.api()
        known = (
            "select 1 from deadline_alert join serialized_dag on serialized_dag.id = serialized_dag_id"
            f" where dag_id = %s and reference::text like '%%{due:%H:%M:%S}%%'"
        )

        def parsed() -> bool:
            api.put(f"parseDagFile/{api.get(f'dags/{DAG_ID}')['file_token']}")
            until = time.monotonic() + 5
            while time.monotonic() < until:
                if self._sql("airflow", known, DAG_ID):
                    return True
                time.sleep(0.5)
            return False

        self._wait("the DAG with its new due time", parsed)

    def _run(self, day: dt.date, due: dt.datetime) -> str:
        """A run for the report date whose native deadline is `due`; the api-server may still hold the older DAG."""
        made = "select 1 from deadline join dag_run on dag_run.id = dagrun_id where run_id = %s and deadline_time = %s"

        def started() -> str | None:
            body = {"logical_date": None, "partition_key": day.isoformat()}
            run_id = str(self.stack.api().post(f"dags/{DAG_ID}/dagRuns", body)["dag_run_id"])
            if self._sql("airflow", made, run_id, due):
                return run_id
            self._end(run_id)
            time.sleep(3)
            return None

        run_id = self._wait("a run with this deadline", started)
        if dt.datetime.now(dt.UTC) > due - dt.timedelta(seconds=20):
            raise SandboxError(f"this machine is too busy: the run was not ready 20 s before {due:%H:%M:%S}")
        return run_id

    def _end(self, run_id: str) -> None:
        self.stack.api().patch(f"dags/{DAG_ID}/dagRuns/{run_id}", {"state": "failed"})

    def _forget(self, run_id: str) -> None:
        """The next round is the first night again, whoever was still looking at this one."""
        self._end(run_id)
        _promise_long_ago(self.stack.include_dir)
        seen = "select 1 from oncall.memory where name = 'tick' and value::timestamptz > %s"
        while True:
            for table in ("deliveries", "incidents", "events", "tasks", "memory"):
                self._sql("oncall", f"delete from oncall.{table}")
            now = dt.datetime.now(dt.UTC)
            self._wait("the watcher's next look", partial(self._sql, "oncall", seen, now))
            if not self._sql("oncall", "select 1 from oncall.incidents"):
                break
        self.far.clear()

    def _sql(self, database: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with (
            closing(psycopg2.connect(self.stack.server().uri(database))) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def _wait(self, what: str, seen: Callable[[], T | None], within_s: float = WITHIN_S) -> T:
        """The first true answer. Raises SandboxError, naming what was waited for."""
        until = time.monotonic() + within_s
        while not (answer := seen()):
            if time.monotonic() > until:
                raise SandboxError(
                    f"{what}: not within {within_s:.0f} s; the logs: {self.stack.run_dir / 'logs'}"
                )
            time.sleep(0.25)
        return answer
