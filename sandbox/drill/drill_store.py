"""What the on-call system knows of one drill: reads its own store, and keeps drills one at a time."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2

from oncall.adapters.postgres.database import Connect, connect_to
from oncall.adapters.postgres.history import History
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents.incident import Incident
from oncall.core.incidents.wording import Links
from oncall.core.promises.facts import DRILL_RUNS, Task
from oncall.usecases.history import IncidentRecord
from oncall.usecases.manual_actions import ManualActions
from oncall.usecases.ports import Drill
from sandbox.stack.postgres import SandboxError

LOCK = 0xD2_111  # held by the process that plays a drill: it goes when the process does
BORROWED = "drill_day"  # the name under which the store keeps the day that a drill has borrowed
BY = "make drill"


class DrillStore:
    """`oncall_db` in the hands of a drill."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.connect: Connect = connect_to(dsn)
        self.store = OncallDb(self.connect)
        self._history = History(self.connect)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """While the body runs no other drill does. Raises SandboxError when one is going on already."""
        with closing(psycopg2.connect(self._dsn)) as conn, conn.cursor() as cursor:
            conn.autocommit = True
            cursor.execute("select pg_try_advisory_lock(%s)", (LOCK,))
            if cursor.fetchone() != (True,):
                raise SandboxError("a drill is going on already; watch it, or wait until it is over")
            yield

    def ticked_at(self) -> dt.datetime | None:
        """When the watcher looked last."""
        tick = self.store.get_note("tick")
        return dt.datetime.fromisoformat(tick) if tick else None

    def start(self, drill: Drill) -> None:
        """From now on every look judges it."""
        self._write(
            "insert into oncall.drills (name, dag_id, report_date, warn_at, due_at, started_by)"
            " values (%s, %s, %s, %s, %s, %s)",
            *dataclasses.astuple(drill),
            BY,
        )

    def record(self, key: str) -> IncidentRecord | None:
        return self._history.record(key)

    def tasks(self, run_prefix: str) -> list[Task]:
        """What the drill's runs said of their tasks, in the order they started."""
        with closing(psycopg2.connect(self._dsn)) as conn, conn, conn.cursor() as cursor:
            cursor.execute(
                "select task_id, state, started_at, ended_at, run_id, error, log_url from oncall.tasks"
                " where starts_with(run_id, %s) order by started_at",
                (run_prefix,),
            )
            return [Task(*row) for row in cursor.fetchall()]

    def tries(self, run_id: str, task_id: str) -> int:
        """Which try of the task this is."""
        with closing(psycopg2.connect(self._dsn)) as conn, conn, conn.cursor() as cursor:
            cursor.execute(
                "select max(try_number) from oncall.tasks where run_id = %s and task_id = %s",
                (run_id, task_id),
            )
            row = cursor.fetchone()
        return (row[0] or 0) if row else 0

    def borrow(self, day: dt.date) -> None:
        """Write down which day has to be given back, whatever happens to this process."""
        self.store.set_note(BORROWED, day.isoformat())

    def borrowed(self) -> dt.date | None:
        text = self.store.get_note(BORROWED)
        return dt.date.fromisoformat(text) if text else None

    def give_back(self) -> None:
        self.store.set_note(BORROWED, "")

    def still_open(self) -> list[Incident]:
        """Drills whose incident nobody closed."""
        with self.store.decision_lock() as decision:
            return [incident for incident in decision.incidents() if incident.open and incident.drill]

    def end(self, config: OncallConfig, links: Links, at: dt.datetime) -> list[Incident]:
        """Resolve what is still open and let nobody judge a drill any more; the incidents that were open."""
        broken_off = self.still_open()
        by_hand = ManualActions(config, self.store, links, BY, at)
        for incident in broken_off:
            by_hand.resolve(incident.key, "The drill was broken off.")
        self._write("delete from oncall.drills where started_by = %s", BY)
        return broken_off

    def forget_runs(self) -> None:
        """What the drills' runs said of their tasks."""
        self._write("delete from oncall.tasks where starts_with(run_id, %s)", DRILL_RUNS)

    def _write(self, statement: str, *values: object) -> None:
        with closing(psycopg2.connect(self._dsn)) as conn, conn, conn.cursor() as cursor:
            cursor.execute(statement, values)
