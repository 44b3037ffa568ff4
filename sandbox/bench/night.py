"""How long after its due instant a broken promise is paged: the watcher's page beside Airflow's own deadline.

A real stack in which only generated pipelines are promised. They wait for tables that do not arrive, and fall due one
after the other, so that each is told of by itself.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import psycopg2

from oncall.config.oncall_config import load
from sandbox.bench.figures import Figure, Sample, Section
from sandbox.inbox.testing import RunningInbox
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import SandboxError
from sandbox.stack.scratch import scratch_stack
from sandbox.stack.stack import Stack

T = TypeVar("T")

LEAD_S = 120  # a busy machine needs this long to parse the DAGs, serialise them and start the first run …
EACH_S = 5  # … and this long for each further one, so that they fall due so long after each other
WITHIN_S = 90.0
_INVOKED = re.compile(r"oncall\.deadline_missed\b.*\bat=(\S+)")
_DAGS = '''"""Pipelines that wait for tables that never come."""

from airflow.sdk import DAG

from oncall.airflow.dag_settings import terms_of, watched_dags
from oncall.airflow.dag_factory import dag_arguments
from pipelines.upstream_freshness_sensor import UpstreamFreshSensor

for dag_id in watched_dags():
    if dag_id.startswith("bench_"):
        with DAG(schedule=None, **dag_arguments(terms_of(dag_id))) as dag:
            UpstreamFreshSensor(task_id="wait_for_upstream")
        globals()[dag_id] = dag
'''


def measure(folder: Path, promises: int) -> Section:
    """Seconds from the due instant to the page at the far side, and to Airflow's call of the deadline's callback."""
    names = [f"bench_{number:02}" for number in range(promises)]
    include, dags = _include(folder / "include", names), _dags(folder / "dags")
    with scratch_stack(folder / "run", include, dags) as stack:
        paged, invoked = _Night(stack, RunningInbox(stack.inbox_url), names).measured()
    how = (
        f"{promises} promises broken {EACH_S} s after each other on real processes (PostgreSQL, one scheduler, one"
        " triggerer, the inbox). Measured to the moment the inbox is asked to create the"
        " alert; the baseline only to the moment in which Airflow invokes the callback of the same promise's native"
        " deadline, which then has all its work before it. Asked for: median below 0.5 s, p95 below 2 s."
    )
    figure = Figure(
        Sample("page asked for after due", paged, "s"), Sample("native deadline's callback", invoked, "s")
    )
    return Section("A broken promise", how, (figure,))


def _include(folder: Path, names: list[str]) -> Path:
    """A copy of include/ in which only these are promised; they were due before anybody watched: nobody is paged."""
    shutil.copytree(REPOSITORY / "include", folder)
    for runbook in (folder / "runbooks").glob("*.md"):
        text = runbook.read_text(encoding="utf-8")
        runbook.write_text(re.sub(r"^promise: .*\n", "", text, count=1, flags=re.M), encoding="utf-8")
    model = (REPOSITORY / "include/runbooks/growth_etl.md").read_text(encoding="utf-8")
    roster = folder / "roster.yaml"
    owners = "".join(f"\n  {name}: {{primary_owner: DE-001, secondary_owner: DE-002}}" for name in names)
    roster.write_text(
        re.sub(r"^pipelines:$", rf"\g<0>{owners}", roster.read_text("utf-8"), flags=re.M), "utf-8"
    )
    for name in names:
        head = {"pipeline": name, "title": name, "report": f"investor.{name}"}
        text = model
        for key, value in head.items():
            text = re.sub(rf"^{key}: .*$", f"{key}: {value}", text, count=1, flags=re.M)
        (folder / "runbooks" / f"{name}.md").write_text(text, encoding="utf-8")
    long_ago = dt.datetime.now(load(folder).roster.tz) - dt.timedelta(hours=2)
    for name in names:
        _promise(folder, name, long_ago)
    return folder


def _dags(folder: Path) -> Path:
    """The shipped DAGs and the generated ones."""
    shutil.copytree(REPOSITORY / "dags", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "bench.py").write_text(_DAGS, encoding="utf-8")
    return folder


def _promise(include: Path, name: str, due: dt.datetime) -> None:
    """Whoever reads the runbook meanwhile reads the old one or the new one."""
    path = include / "runbooks" / f"{name}.md"
    warn = max(due - dt.timedelta(hours=1), due.replace(hour=0, minute=0, second=0))
    line = f'promise: {{due: "{due:%H:%M:%S}", warn_upstream_at: "{warn:%H:%M:%S}"}}'
    text = re.sub(r"^promise: .*$", line, path.read_text(encoding="utf-8"), count=1, flags=re.M)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


@dataclass(frozen=True)
class _Night:
    stack: Stack
    far: RunningInbox
    names: list[str]

    @cached_property
    def due(self) -> dict[str, dt.datetime]:
        """When each falls due, reckoned from the first time that somebody asks."""
        first = dt.datetime.now(load(self.stack.include_dir).roster.tz).replace(microsecond=0)
        first += dt.timedelta(seconds=LEAD_S + len(self.names) * EACH_S)
        return {name: first + dt.timedelta(seconds=EACH_S * number) for number, name in enumerate(self.names)}

    def measured(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Seconds from due to the page, and to the callback, of each."""
        self._watched()
        for name in self.names:
            _promise(self.stack.include_dir, name, self.due[name])
        self._parse()
        for name in self.names:
            self._run(name)
        last = max(self.due.values())
        time.sleep(max(0.0, (last - dt.datetime.now(dt.UTC)).total_seconds()))
        paged = self._wait("the pages", self._paged)
        invoked = self._wait("the deadlines' callbacks", self._invoked)
        return paged, invoked

    def _watched(self) -> None:
        """The watcher has looked."""
        self._wait("the watcher", lambda: self._sql("oncall", "select to_regclass('oncall.memory')")[0][0])
        tick = "select 1 from oncall.memory where name = 'tick'"
        self._wait("the watcher's first look", lambda: self._sql("oncall", tick))

    def _paged(self) -> tuple[float, ...] | None:
        """None before all are."""
        calls = self.far.calls(face="opsgenie", operation="create")
        at: dict[str, float] = {}
        for call in calls:
            alias = str((call.body or {}).get("alias"))
            at[alias] = min(call.at, at.get(alias, call.at))
        aliases = {f"{name}:{_day(due)}:page-1-primary": due for name, due in self.due.items()}
        if not aliases.keys() <= at.keys():
            return None
        return tuple(at[alias] - due.timestamp() for alias, due in aliases.items())

    def _invoked(self) -> tuple[float, ...] | None:
        """From the triggerer's log, which names no DAG: the first call is the first deadline's, and so on."""
        log = self.stack.component("triggerer").log.read_text(encoding="utf-8", errors="replace")
        at = sorted(dt.datetime.fromisoformat(found.strip("'\"")) for found in _INVOKED.findall(log))
        if len(at) < len(self.due):
            return None
        return tuple((each - due).total_seconds() for each, due in zip(at, self.due.values(), strict=False))

    def _parse(self) -> None:
        """Have the DAGs parsed until Airflow has their deadlines as promised now (it serialises every 30 s at most)."""
        api = self.stack.api()
        known = "select count(*) from deadline_alert where reference::text ~ %s"
        dues = "|".join(f"{due:%H:%M:%S}" for due in self.due.values())

        def parsed() -> bool:
            api.put(f"parseDagFile/{api.get(f'dags/{self.names[0]}')['file_token']}")
            until = time.monotonic() + 5
            while time.monotonic() < until:
                if self._sql("airflow", known, dues)[0][0] >= len(self.due):
                    return True
                time.sleep(0.5)
            return False

        self._wait("the DAGs with their new due times", parsed)

    def _run(self, name: str) -> None:
        """A run for the report date whose native deadline is due then; the api-server may still hold the older DAG."""
        made = "select 1 from deadline join dag_run on dag_run.id = dagrun_id where run_id = %s and deadline_time = %s"
        due, api = self.due[name], self.stack.api()

        def started() -> bool:
            body = {"logical_date": None, "conf": {"report_date": _day(due)}}
            run_id = str(api.post(f"dags/{name}/dagRuns", body)["dag_run_id"])
            if self._sql("airflow", made, run_id, due):
                return True
            api.patch(f"dags/{name}/dagRuns/{run_id}", {"state": "failed"})
            time.sleep(3)
            return False

        self._wait("a run with this deadline", started)
        if dt.datetime.now(dt.UTC) > due - dt.timedelta(seconds=20):
            raise SandboxError(f"this machine is too busy: the run was not ready 20 s before {due:%H:%M:%S}")

    def _sql(self, database: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with (
            closing(psycopg2.connect(self.stack.server().uri(database))) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, values)
            return cursor.fetchall()

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


def _day(due: dt.datetime) -> str:
    """The report date that is due then."""
    return (due.date() - dt.timedelta(days=1)).isoformat()
