"""A drill under way: what it holds, how it begins, waits and tells, and how everything is given back."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from psycopg2.extensions import connection

from oncall.config.oncall_config import OncallConfig
from oncall.core.incidents.incident import Incident, key_of
from oncall.core.incidents.wording import Links
from oncall.core.promises.facts import DRILL_RUNS
from oncall.usecases.history import IncidentRecord
from oncall.usecases.ports import Drill
from sandbox.drill.blind import BlindWatcher
from sandbox.drill.day import DAG_ID, Warehouse
from sandbox.drill.drill_store import DrillStore
from sandbox.drill.inbox import Inbox, Received
from sandbox.drill.narrator import Narrator
from sandbox.stack.postgres import SandboxError
from sandbox.stack.stack import Stack

GLANCE_S = 0.5
LOOKS_END_WITHIN_S = 3.0  # a look or a task that began before a drill was ended may still be at it


@dataclass
class DrillRun:
    """One drill on one stack. `meanwhile` is done at every glance, `good_at` is when all was well again."""

    stack: Stack
    config: OncallConfig
    warehouse: Warehouse
    drill_store: DrillStore
    inbox: Inbox
    narrator: Narrator
    day: dt.date
    name: str
    drill: Drill | None = None
    meanwhile: Callable[[], None] | None = None
    watcher: BlindWatcher | None = None
    good_at: dt.datetime | None = None
    acknowledged_at: dt.datetime | None = None
    runs: list[str] = field(default_factory=list)
    received: Received = field(default_factory=Received)
    record: IncidentRecord | None = None
    _held: connection | None = None

    @property
    def key(self) -> str:
        return key_of(DAG_ID, self.day, self.name)

    @property
    def links(self) -> Links:
        return Links(self.stack.airflow_url)

    def say(self, what: str) -> None:
        self.narrator.say("Drill", what)

    def begin(self, warn_in_s: float, due_in_s: float, *, watched_by_all: bool = True) -> Drill:
        """Promise the report of the day, due in `due_in_s` seconds. The watcher takes it up within 15 s."""
        now = dt.datetime.now(dt.UTC)
        due = now + dt.timedelta(seconds=due_in_s)
        self.drill = Drill(self.name, DAG_ID, self.day, now + dt.timedelta(seconds=warn_in_s), due)
        if watched_by_all:
            self.drill_store.start(self.drill)
        clock = due.astimezone(self.config.roster.tz)
        self.say(f"the report is promised by {clock:%H:%M:%S} today, for this drill")
        return self.drill

    def run_pipeline(self) -> None:
        """Trigger a run for the drill's report date, as a person would."""
        run_id = f"{DRILL_RUNS}{self.name}__{len(self.runs) + 1}"
        self.stack.api().run(DAG_ID, self.day, run_id)
        self.runs.append(run_id)
        self.say(f"started the run {run_id}: {self.stack.airflow_url}/dags/{DAG_ID}/runs/{run_id}")

    def block(self) -> connection:
        """Stand in the way of this report date's run until `unblock`."""
        self._held = self.warehouse.stand_in_the_way(self.day)
        return self._held

    def unblock(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def state(self, task_id: str) -> tuple[str, int]:
        """The state of a task in the newest run ("" before it starts), and how many of its tries have begun."""
        tasks = [task for task in self.drill_store.tasks(self.runs[-1]) if task.task_id == task_id]
        return (tasks[-1].state, self.drill_store.tries(self.runs[-1], task_id)) if tasks else ("", 0)

    def glance(self) -> None:
        """Tell what is new."""
        if self.meanwhile:
            self.meanwhile()
        self.record, self.received = self.drill_store.record(self.key), self.inbox.received(self.key)
        self.narrator.tell(self.record, self.drill_store.tasks(DRILL_RUNS + self.name), self.received)

    def wait_for(self, what: str, there: Callable[[], object], seconds: float) -> None:
        """Tell until `there` is true. Raises SandboxError when that takes longer than `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            self.glance()
            if there():
                return
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"the drill waited {seconds:.0f} s for {what}, in vain; the logs: {self.stack.run_dir / 'logs'}"
                )
            time.sleep(GLANCE_S)

    def pause(self, seconds: float) -> None:
        """Tell for a while."""
        over = time.monotonic() + seconds
        self.wait_for("its pause", lambda: time.monotonic() > over, seconds + 30)

    def give_back(self) -> None:
        """End the runs, close what is open, take the day away: nothing of the drill is left to be judged."""
        self.unblock()
        clean_up(self.stack, self.drill_store, self.warehouse, self.config)


def clean_up(
    stack: Stack, drill_store: DrillStore, warehouse: Warehouse, config: OncallConfig
) -> list[Incident]:
    """Give back what a drill has borrowed, also one whose process was killed; the incidents that were still open."""
    links = Links(stack.airflow_url)
    broken_off = drill_store.end(config, links, dt.datetime.now(dt.UTC))
    day = drill_store.borrowed()
    if day is not None:
        _end_runs(stack)
        time.sleep(LOOKS_END_WITHIN_S)
        broken_off += drill_store.end(config, links, dt.datetime.now(dt.UTC))
        warehouse.take_away(day)
        drill_store.forget_runs()
        drill_store.give_back()
    return broken_off


def _end_runs(stack: Stack) -> None:
    """A run that waits for ever would hold its trigger, and one that goes on would write about the day again."""
    api = stack.api()
    try:
        unfinished = api.get(f"dags/{DAG_ID}/dagRuns", state=["queued", "running"], limit=100)["dag_runs"]
        for run_id in (run["dag_run_id"] for run in unfinished):
            if run_id.startswith(DRILL_RUNS):
                api.patch(f"dags/{DAG_ID}/dagRuns/{run_id}", {"state": "failed"})
    except httpx.HTTPError:
        return  # Airflow does not answer: then nothing of it runs either
