"""Gives a new stack a past: old days by the models alone, the latest days by the real pipelines in Airflow."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass

import httpx
import psycopg2

from oncall.config import load
from oncall.core.promise import last_due
from sandbox.airflow_api import AirflowApi
from sandbox.nightly import HISTORY_DAYS
from sandbox.stack import Stack

REAL_DAYS = 2
WITHIN_S = 300
STATES_OF_THE_END = ("success", "failed")

Say = Callable[[str], None]


@contextmanager
def past(stack: Stack, say: Say) -> Iterator[None]:
    """While the body runs: the master data that is missing, then the reports of the days that have none."""
    with ThreadPoolExecutor(1) as pool:
        filled = pool.submit(_past, stack, say)
        yield
        filled.result()


def _past(stack: Stack, say: Say) -> None:
    say(f"upstream: what is missing of the last {HISTORY_DAYS} days' master data")
    stack.run((sys.executable, "-m", "sandbox.nightly", "--once"), log="nightly")
    filled, newest = stack.run_dir / "filled", _newest_loaded(stack)
    if filled.exists() and filled.read_text(encoding="utf-8") == newest:
        return
    say("history: those days' reports, as if Airflow had run every night")
    stack.run((sys.executable, "-m", "sandbox.history"), log="history")
    filled.write_text(newest, encoding="utf-8")
    say("history: there")


def _newest_loaded(stack: Stack) -> str:
    with (
        closing(psycopg2.connect(stack.server().uri("warehouse"))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select max(business_day) from master.loads")
        (day,) = cursor.fetchone() or (None,)
    return str(day)


@dataclass(frozen=True)
class Wanted:
    """The runs that a new stack should have made itself: pipeline and report date."""

    dag_id: str
    day: dt.date

    def state(self, api: AirflowApi) -> str:
        """The state of the newest run of that date; "" when there is none."""
        try:
            runs = api.get(f"dags/{self.dag_id}/dagRuns", order_by="-run_after", limit=50)["dag_runs"]
        except httpx.HTTPError:  # not parsed yet, or the api-server is busy
            return ""
        return next((run["state"] for run in runs if run["partition_key"] == self.day.isoformat()), "")


def recent(stack: Stack, say: Say) -> None:
    """Run the real pipelines for the last due report dates, unless they ran; waits up to WITHIN_S seconds.

    The first publication, which history wrote, stays what the promise is judged by: a re-run breaks nothing.
    """
    api = stack.api()
    promised, following = _wanted(stack)
    for dag_id in sorted({run.dag_id for run in promised if not run.state(api)}):
        _backfill(api, dag_id, [run.day for run in promised if run.dag_id == dag_id])
        say(f"Airflow runs {dag_id} for the last {REAL_DAYS} report dates")
    deadline = time.monotonic() + WITHIN_S
    said = -1
    while True:
        states = [run.state(api) for run in (*promised, *following)]
        done = sum(state in STATES_OF_THE_END for state in states)
        if done != said:
            say(f"{done} of {len(states)} runs have ended")
            said = done
        if done == len(states):
            break
        if time.monotonic() > deadline:
            say("the others still run; Airflow's page shows them")
            break
        time.sleep(2)
    for run, state in zip((*promised, *following), states, strict=True):
        if state == "failed":
            say(f"{run.dag_id} of {run.day} failed: {stack.airflow_url}/dags/{run.dag_id}")


def _wanted(stack: Stack) -> tuple[list[Wanted], list[Wanted]]:
    """Runs to ask for (promised reports), and runs that follow from them by themselves (the experiments)."""
    setup = load(stack.include_dir)
    now = dt.datetime.now(dt.UTC)
    promises = [pipeline.promise for pipeline in setup.pipelines.values() if pipeline.promise]
    newest = min(last_due(promise, now, setup.roster.tz) for promise in promises)
    days = [newest - dt.timedelta(days=n) for n in reversed(range(REAL_DAYS))]
    return (
        [
            Wanted(dag_id, day)
            for dag_id, pipeline in setup.pipelines.items()
            if pipeline.promise
            for day in days
        ],
        [Wanted(dag_id, newest) for dag_id, pipeline in setup.pipelines.items() if not pipeline.promise],
    )


def _backfill(api: AirflowApi, dag_id: str, days: list[dt.date]) -> None:
    """Ask Airflow for the runs of `days` that are not there."""
    span = {"from_date": f"{min(days)}T00:00:00Z", "to_date": f"{max(days)}T00:00:00Z"}
    deadline = time.monotonic() + 90
    while True:
        try:
            api.post(
                "backfills", {"dag_id": dag_id, **span, "reprocess_behavior": "none", "max_active_runs": 4}
            )
        except httpx.HTTPStatusError as error:
            # 404: the dag-processor has not read the file yet.
            if error.response.status_code != httpx.codes.NOT_FOUND or time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return
