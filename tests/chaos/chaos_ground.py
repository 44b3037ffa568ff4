"""The ground that faults are made on: a real stack, the verbs to break it, and one `mend` that undoes them all."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg2

from oncall.adapters.postgres.oncall_db import LOCK
from oncall.core.rota.on_call import who_is_on_call
from sandbox.master_data import loading
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import SandboxError
from sandbox.stack.stack import AIRFLOW_COMPONENTS, Stack
from tests.chaos import chaos_beside
from tests.chaos.chaos_clock import clock_ahead
from tests.chaos.chaos_far_side import FIRST_PAGE, FarSide
from tests.chaos.chaos_include import Include
from tests.chaos.chaos_outcome import Outcome
from tests.chaos.chaos_postgres import OURS, Harm, freeze, kill, lock_all

T = TypeVar("T")

DAG_ID, REPORT = "growth_etl", "investor.daily_growth"
SOON_S = 17.0  # a watcher looks every 15 s, so it knows of a promise made now before this
SLOTS = 128  # Airflow's default
LONGEST_FAULT_S = 180
SETTLES_S = 2.0  # what is said a second time is said within this after the first
# In the copied growth DAG a task fails for good at once, and one open run keeps others from starting.
_GROWTH = """**(dag_arguments(terms) | {
    'max_active_runs': 1, 'default_args': {**dag_arguments(terms)['default_args'], 'retries': 0}})"""

# A promise that is due in a minute must be known to the scheduler before.
_SETTINGS = "[core]\nmin_serialized_dag_update_interval = 0\n"
# Under the lock that every look takes, so that no look sees half of it. The watcher's tick stays: a store without it is
# one that has lost something, and the watcher would give back all that was forgotten here. Somebody watches since now.
_FORGET = """
select pg_advisory_xact_lock(%s);
delete from oncall.deliveries; delete from oncall.incidents; delete from oncall.events;
delete from oncall.tasks; delete from oncall.drills; delete from oncall.memory where name <> 'tick';
insert into oncall.memory (name, value)
    values ('watching_since', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'));
update oncall.dags set paused = false, missing = false, running = 0, import_error = '';
"""


@dataclass(frozen=True)
class Promised:
    """A promise that is due in a moment."""

    dag_id: str
    report_date: dt.date
    due: dt.datetime

    @property
    def key(self) -> str:
        return f"{self.dag_id}:{self.report_date}"


def due_today(now: dt.datetime, in_s: float) -> dt.datetime:
    """So many seconds from now, but still today: a due time beyond midnight would promise another report."""
    return min(now + dt.timedelta(seconds=in_s), now.replace(hour=23, minute=59, second=59, microsecond=0))


class Ground:
    """One stack for many faults. `far`: what its far side received."""

    def __init__(self, stack: Stack, include: Include) -> None:
        self.stack, self.include = stack, include
        self.server = stack.server()
        self.far = FarSide(stack.inbox_url)
        self.locks: list[Any] = []
        self.ends: list[Callable[[], object]] = []  # what `mend` has to call
        self.others: list[subprocess.Popen[bytes]] = []
        self.today = dt.datetime.now(self.zone).date()
        self._dags = {path: path.read_text(encoding="utf-8") for path in stack.dags_dir.glob("*.py")}

    @property
    def zone(self) -> dt.tzinfo:
        return self.include.setup.roster.tz

    # What the stack's databases say.

    def sql(self, database: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """One statement in a transaction of its own."""
        with (
            closing(psycopg2.connect(self.server.uri(database), application_name=OURS)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def warehouse(self) -> closing[Any]:
        """A connection to the warehouse, closed at the end of the block."""
        return closing(psycopg2.connect(self.server.uri("warehouse")))

    def task(self, date: dt.date, dag_id: str = DAG_ID) -> tuple[str, str]:
        """The newest task that told of itself for this report, and its state."""
        rows = self.sql(
            "oncall",
            "select task_id, state from oncall.tasks where dag_id = %s and report_date = %s"
            " order by started_at desc limit 1",
            dag_id, date,
        )  # fmt: skip
        return rows[0] if rows else ("", "")

    def published(self, date: dt.date) -> bool:
        select = "select 1 from investor.publications where report = %s and report_date = %s"
        return bool(self.sql("warehouse", select, REPORT, date))

    def known_as_published(self, promised: Promised) -> bool:
        """Whether the last look saw a publication of it."""
        rows = self.sql("oncall", "select value from oncall.memory where name = 'published'")
        dag_id, date = promised.key.split(":")
        return any(report[:2] == [dag_id, date] for (value,) in rows for report in json.loads(value))

    # Waiting.

    def until(self, instant: dt.datetime, before_s: float = 0.0) -> None:
        """Sleep until some seconds before the instant."""
        left = (instant - dt.datetime.now(dt.UTC)).total_seconds() - before_s
        assert left > -10, f"the fault was made {-left:.0f} s too late: this machine is too busy"
        time.sleep(max(0.0, left))

    def wait_for(self, what: str, seen: Callable[[], T | None], within_s: float = 90.0) -> T:
        """The first true answer. Fails, naming what was waited for."""
        deadline = time.monotonic() + within_s
        while not (answer := seen()):
            assert time.monotonic() < deadline, f"{what}: not within {within_s:.0f} s"
            time.sleep(0.25)
        return answer

    # Promises and runs.

    def promise(
        self, in_s: float = SOON_S, *, warn_s: float = 0.0, dag_id: str = DAG_ID, on_the_minute: bool = False
    ) -> Promised:
        """Promise a report that is not published for a moment from now; `warn_s` seconds before it upstream is late.

        `on_the_minute`: for Airflow's own ways to notice, which know minutes only and read the promise when they
        parse the DAG files.
        """
        due = due_today(dt.datetime.now(self.zone), in_s + 1)
        if on_the_minute:
            due += dt.timedelta(minutes=1)
            due = due.replace(second=0)
        return self.promise_at(due.replace(microsecond=0), warn_s, dag_id, parse=on_the_minute)

    def promise_at(
        self, due: dt.datetime, warn_s: float = 0.0, dag_id: str = DAG_ID, *, parse: bool = False
    ) -> Promised:
        """The same for an instant in the roster's zone."""
        warn = due - dt.timedelta(seconds=warn_s)
        promised = Promised(dag_id, due.date() - dt.timedelta(days=1), due)
        self.sql(
            "warehouse",
            "delete from investor.publications where report = %s and report_date = %s",
            self.include.setup.pipelines[dag_id].report, promised.report_date,
        )  # fmt: skip
        self.include.promise(dag_id, due.time(), warn.time())
        assert self.include.setup.pipelines[dag_id].promise  # the folder can be read
        if parse:
            self.parse("sla_watch")
            self.parse(dag_id)
        return promised

    def run(self, date: dt.date, until: tuple[str, str] | None = None, dag_id: str = DAG_ID) -> str:
        """Start a run for this report date; waits until its newest task is in this state. Its id."""
        body = {"logical_date": None, "conf": {"report_date": date.isoformat()}}
        run_id = str(self.stack.api().post(f"dags/{dag_id}/dagRuns", body)["dag_run_id"])
        if until is not None:
            self.wait_for(f"{dag_id}: {' '.join(until)}", lambda: self.task(date, dag_id) == until)
        return run_id

    def last_date(self) -> dt.date:
        """The report date of a promise that is due today."""
        return dt.datetime.now(self.zone).date() - dt.timedelta(days=1)

    def hold(self, date: dt.date, report: str = REPORT) -> None:
        """Keep the report's transform of this date waiting, as another session that forgot to commit would."""
        connection = psycopg2.connect(self.server.uri("warehouse"))
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(hashtext(%s), %s - date '2000-01-01')", (report, date))
        self.locks.append(connection)

    def let_go(self) -> None:
        for connection in self.locks:
            connection.close()
        self.locks.clear()

    def load(self, date: dt.date, *tables: str, partial: float = 1.0) -> None:
        """Upstream loads these tables of the day now (none: all of them)."""
        with self.warehouse() as connection:
            now = dt.datetime.now(dt.UTC)
            loading.Loader(connection, 0.02).load(date, tables or None, loaded_at=now, partial=partial)

    def unload(self, date: dt.date, table: str) -> None:
        """Upstream has not come."""
        self.sql(
            "warehouse", "delete from master.loads where table_name = %s and business_day = %s", table, date
        )

    # Breaking.

    def shut(self, database: str) -> None:
        """Nobody can connect, and whoever was connected is not."""
        self.sql("postgres", f"alter database {database} allow_connections false")
        self.sql(
            "postgres", "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", database
        )

    def open(self, database: str) -> None:
        self.sql("postgres", f"alter database {database} allow_connections true")

    def freeze(self, database: str) -> None:
        """Whoever is connected, or connects until `thaw`, gets no answer any more; the connection stands."""
        # Who connects between two looks for backends to freeze gets no answer either.
        self.ends.append(lock_all(self.server.uri(database)).close)
        self._harm(database, freeze, 0.05)

    def cut_off(self, database: str, every_s: float) -> None:
        """Break every connection again and again, until `thaw`."""
        self._harm(database, kill, every_s)

    def _harm(self, database: str, act: Callable[[int], None], every_s: float) -> None:
        harm = Harm(self.server.uri(), database, act, every_s)
        harm.start()
        self.ends.append(harm.end)

    def thaw(self) -> None:
        """End what was begun and not yet ended."""
        while self.ends:
            self.ends.pop()()

    def wrong_clock(self, name: str, seconds: int) -> None:
        """Start a component anew with its clock so far ahead (behind when negative), and wait until it looks."""
        wrong = clock_ahead(seconds, self.stack.run_dir)
        self.stack.kill(name)
        # One whose clock is behind would believe in the dead one's heartbeat for as long.
        self.sql(
            "airflow",
            "update job set latest_heartbeat = now() - interval '1 h' where job_type = 'TriggererJob'",
        )
        self.sql("oncall", "delete from oncall.memory where name = 'tick'")
        self.stack.start(name, **wrong)
        self.ends.append(lambda: self._end_wrong_clock(name))
        tick = "select 1 from oncall.memory where name = 'tick'"
        self.wait_for(f"a look of the {name} whose clock is wrong", lambda: self.sql("oncall", tick), 120)

    def _end_wrong_clock(self, name: str) -> None:
        """Airflow believes in a heartbeat of the future, and hands over nothing that its owner had until then."""
        self.stack.kill(name)
        self.sql(
            "airflow",
            "update job set latest_heartbeat = now() - interval '1 h' where latest_heartbeat > now()",
        )

    def edit_dag(self, dag_id: str, text: str | None) -> None:
        """Another text for a DAG file; None: the file is gone. The DAG processor is told."""
        path = self.stack.dags_dir / f"{dag_id}.py"
        token = self.stack.api().get(f"dags/{dag_id}")["file_token"]
        path.unlink() if text is None else path.write_text(text, encoding="utf-8")
        self.stack.api().put(f"parseDagFile/{token}")

    def parse(self, dag_id: str) -> None:
        """Have a DAG file parsed now."""
        asked = dt.datetime.now(dt.UTC)
        token = self.stack.api().get(f"dags/{dag_id}")["file_token"]
        self.stack.api().put(f"parseDagFile/{token}")
        parsed = "select 1 from dag where dag_id = %s and last_parsed_time > %s"
        self.wait_for(f"{dag_id} parsed", lambda: self.sql("airflow", parsed, dag_id, asked), 60)

    def look_at_dags(self) -> None:
        """The look that `sla_watch` takes from a worker every five minutes: it tells what state the DAGs are in."""
        asked = dt.datetime.now(dt.UTC)
        self.stack.api().post("dags/sla_watch/dagRuns", {"logical_date": None})
        seen = "select 1 from oncall.dags where dag_id = %s and seen_at > %s"
        self.wait_for("a look at the DAGs", lambda: self.sql("oncall", seen, DAG_ID, asked))

    def beside(self, act: Callable[..., None], *arguments: str, clock_s: int = 0) -> subprocess.Popen[bytes]:
        """Another process that does this (of chaos_beside), its clock so far ahead; ended by `mend`."""
        command = [sys.executable, chaos_beside.__file__, act.__name__, *arguments]
        environment = self.stack.env() | (clock_ahead(clock_s, self.stack.run_dir) if clock_s else {})
        with open(self.stack.run_dir / "logs" / "others.log", "ab") as log:
            process = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=log, stderr=log)
        self.others.append(process)
        return process

    def slots(self, count: int) -> None:
        """How many tasks may run at once."""
        pool = {"pool": "default_pool", "slots": count}
        self.stack.api().patch("pools/default_pool?update_mask=slots", pool)

    def ticks(self) -> None:
        """Wait until the watcher has looked once more, with the outbox."""
        tick = "select 1 from oncall.memory where name = 'tick' and changed_at > %s"
        there = "select 1 where to_regclass('oncall.memory') is not null"
        self.wait_for("the outbox", lambda: self.sql("oncall", there), 180)
        now = dt.datetime.now(dt.UTC)
        self.wait_for("the watcher", lambda: self.sql("oncall", tick, now), 120)

    def triggerers(self) -> int:
        """How many triggerers Airflow counts as alive."""
        alive = (
            "select id from job where job_type = 'TriggererJob' and state = 'running'"
            " and latest_heartbeat > now() - interval '20 s'"
        )
        return len(self.sql("airflow", alive))

    # Judging.

    def on_call(self, at: dt.datetime, seat: str = "primary") -> str:
        """The e-mail address of whoever holds the seat."""
        roster = self.include.setup.roster
        person = getattr(who_is_on_call(roster, at), seat)
        return str(roster.people[person].opsgenie)

    def paged(
        self, promised: Promised, says: str = "", *, to: str = "", since: dt.datetime | None = None, key: str = "",
        within_s: float = 90.0,
    ) -> Outcome:  # fmt: skip
        """The primary was paged with these words, not before due, and a thread stands in Slack."""
        key = key or promised.key
        alert = self.wait_for(f"a page of {key}", lambda: self.far.page(key), within_s)
        call = self.far.taken(alert.alias)
        assert call is not None
        page_s = call.at - (since or promised.due).timestamp()
        assert call.at >= promised.due.timestamp(), (
            f"paged {promised.due.timestamp() - call.at:.1f} s before due"
        )
        assert alert.priority == "P1"
        assert alert.recipients == [to or self.on_call(promised.due)]
        assert says in f"{alert.message}\n{alert.description}", f"not said: {says}; but: {alert.message}"
        self.wait_for(f"a thread of {key}", lambda: self.far.said(key, FIRST_PAGE), within_s)
        return Outcome(f"P1 to {alert.recipients[0]}: {alert.message}", page_s)

    def nothing_said(self, promised: Promised) -> None:
        """Nobody has heard that this promise is broken, in the pager or in the chat (that no run has come is known)."""
        said = [message.text for message in self.far.said(promised.key, FIRST_PAGE)]
        woken = [alert.message for alert in self.far.of(promised.key, priority="P1")]
        assert not said + woken, f"said before due: {'; '.join(said + woken)}"

    def someone_paged(
        self, promised: Promised, *, since: dt.datetime | None = None, within_s: float = 90.0
    ) -> Outcome:
        """The primary was paged, or the next one in their place; which P1 the far side has really made first."""

        pages = self.wait_for(
            f"any page of {promised.key}", lambda: self.far.of(promised.key, priority="P1"), within_s
        )
        alert = pages[0]
        roster = [self.on_call(promised.due, seat) for seat in ("primary", "secondary")]
        assert alert.recipients in [[person] for person in roster], alert.recipients
        page_s = alert.created_at - (since or promised.due).timestamp()
        return Outcome(f"P1 to {alert.recipients[0]}: {alert.message}", page_s)

    def recorded(self, promised: Promised) -> None:
        """The outbox knows that both channels have taken the page."""
        page = self.far.page(promised.key)
        assert page is not None
        done = "select count(*) from oncall.deliveries where key = %s and step = %s and state = 'done'"
        asked = (page.entity, FIRST_PAGE)
        self.wait_for("the page recorded", lambda: self.sql("oncall", done, *asked) == [(2,)], 120)

    def resolved(self, promised: Promised) -> str:
        """Every alert is closed and the thread says how late; the words."""
        said = self.wait_for(f"{promised.key} resolved", lambda: self.far.said(promised.key, "resolved"), 120)
        self.wait_for(
            f"all alerts of {promised.key} closed", lambda: not self.far.of(promised.key, status="open"), 30
        )
        return said[0].text

    # Mending.

    def calm(self, *, airflow: bool = True) -> None:
        """A healthy stack that has forgotten everything, whatever was done to it; without Airflow if none is wanted."""
        self._midnight_passes()
        self.mend()
        if not self._watched():  # a watcher that starts would go on with what a fault in the past left behind
            self.sql("oncall", _FORGET, LOCK)
        self.airflow(airflow)
        if airflow:
            self._end_runs()
            self.wait_for("a watcher that has forgotten", self._forgotten, 120)
        else:
            self.sql("oncall", _FORGET, LOCK)
            time.sleep(1)  # what is on its way arrives
        self.far.clear()

    def _forgotten(self) -> bool:
        """Whether nothing came back by a look after it was forgotten.

        A watcher gives its store back what it saw there, and what it paged from memory: only a new one has forgotten.
        """
        there = "select 1 from oncall.incidents union all select 1 from oncall.tasks limit 1"
        known = bool(self.sql("oncall", there))
        if known:
            self.stack.component("triggerer").kill()
        self.sql("oncall", _FORGET, LOCK)
        if known:
            self.far.clear()  # what is open there is found again
            self.airflow(True)
        self.ticks()
        return not self.sql("oncall", there)

    def _watched(self) -> bool:
        return self.stack.component("triggerer").running() is not None

    def _midnight_passes(self) -> None:
        """A fault belongs to one report date: none begins in the last minutes of the business day."""
        now = dt.datetime.now(self.zone)
        left = (dt.datetime.combine(now + dt.timedelta(days=1), dt.time(), now.tzinfo) - now).total_seconds()
        if left < LONGEST_FAULT_S:
            time.sleep(left + 1)

    def mend(self) -> None:
        """Undo every fault but dead processes."""
        self.thaw()
        self.far.heal()
        for database in ("warehouse", "oncall"):
            self.open(database)
        self.let_go()
        for process in self.others:
            process.kill()
            process.wait()
        self.others.clear()
        self.include.restore()
        self._mend_warehouse()

    def _mend_warehouse(self) -> None:
        if self.sql("warehouse", "select to_regclass('base.growth_moved')") != [(None,)]:
            self.sql("warehouse", "drop view base.growth; alter table base.growth_moved rename to growth")
        self.sql("warehouse", "delete from master.sessions where customer_id < 0")
        self.sql("warehouse", "delete from investor.checks")
        day = self.last_date()
        fresh = "select count(*) from master.loads where business_day = %s"
        if self.sql("warehouse", fresh, day) != [(9,)]:
            self.sql("warehouse", "delete from master.loads where business_day = %s", day)
            self.load(day)

    def airflow(self, wanted: bool) -> None:
        """Bring Airflow's processes to where they are wanted."""
        kept = ("inbox", *AIRFLOW_COMPONENTS) if wanted else ("inbox",)
        for component in self.stack.components():
            if component.name not in kept:
                component.kill()
        if not wanted:
            return
        started = [name for name in AIRFLOW_COMPONENTS if self.stack.start(name)]
        if started:
            self.stack.wait_until_healthy()
        api = self.stack.api()
        for path, text in self._dags.items():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                self.parse(path.stem)
        if api.get(f"dags/{DAG_ID}")["is_paused"]:
            api.patch(f"dags/{DAG_ID}", {"is_paused": False})
        self.slots(SLOTS)

    @contextmanager
    def restart_policy(self) -> Iterator[None]:
        """Start Airflow's processes again whenever one ends, as a container's restart policy does."""
        over = threading.Event()

        def start_what_ended() -> None:
            while not over.wait(1):
                for name in AIRFLOW_COMPONENTS:
                    with suppress(SandboxError):  # its port is still taken by the one before
                        self.stack.start(name)

        thread = threading.Thread(target=start_what_ended)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _end_runs(self) -> None:
        """What still runs has no part in the next fault."""
        self.wait_for("the end of all runs", self._no_run_left, 60)

    def _no_run_left(self) -> bool:
        open_runs = "select dag_id, run_id from dag_run where state in ('running', 'queued') and dag_id <> 'sla_watch'"
        left = self.sql("airflow", open_runs)
        for dag_id, run_id in left:
            with suppress(httpx.HTTPStatusError):  # the scheduler may be at the same run
                self.stack.api().patch(f"dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})
        return not left


@contextmanager
def ground_on(folder: Path) -> Iterator[Ground]:
    """A stack with eight days of master data, on copies of include/ and dags/ below `folder`; stopped afterwards."""
    from sandbox.stack.scratch import scratch_stack

    include = Include(folder / "include")
    include.restore()
    dags = folder / "dags"
    shutil.copytree(REPOSITORY / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    growth = dags / f"{DAG_ID}.py"
    growth.write_text(
        growth.read_text(encoding="utf-8").replace("**dag_arguments(terms)", _GROWTH), encoding="utf-8"
    )
    (folder / "run" / "airflow").mkdir(parents=True)
    (folder / "run" / "airflow" / "airflow.cfg").write_text(_SETTINGS, encoding="utf-8")
    with scratch_stack(folder / "run", include.folder, dags) as stack:
        ground = Ground(stack, include)
        for day in range(-8, 1):
            ground.load(ground.today + dt.timedelta(days=day))
        ground.ticks()
        yield ground
