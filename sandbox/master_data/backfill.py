"""Gives a new stack a past: old days by the models alone, the latest days by the real pipelines in Airflow.

Which report dates those are follows from the instant alone (`wanted`). The newest run is left to Airflow's own
schedule, which makes it by itself as soon as it runs; only what the schedule has left out is asked for.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import httpx
import psycopg2

from oncall.config.oncall_config import OncallConfig, load
from oncall.core.promises.promise import last_due
from sandbox.master_data.nightly import HISTORY_DAYS
from sandbox.master_data.published_history import STARTED_BY
from sandbox.stack.airflow_api import AirflowApi
from sandbox.stack.stack import Stack
from sandbox.stack.waiting import Say, wait_until

REAL_DAYS = 2
SCHEDULE_WITHIN_S = 90
RUNS_WITHIN_S = 300
FOLLOWERS_WITHIN_S = 60
STATES_OF_THE_END = ("success", "failed")
RUN_ID = "make_up__{day}"


@contextmanager
def newest(stack: Stack, say: Say) -> Iterator[None]:
    """While the body runs: the master data that is missing, then the promised reports that are due.

    With them the page can be looked at and has nothing to page for; `history` gives it the rest.
    """
    with ThreadPoolExecutor(1) as pool:
        filled = pool.submit(_newest, stack, say)
        yield
        filled.result()


def _newest(stack: Stack, say: Say) -> None:
    say(f"upstream: what is missing of the last {HISTORY_DAYS} days' master data")
    stack.run((sys.executable, "-m", "sandbox.master_data.nightly", "--once"), log="nightly", say=say)
    if not _is_filled(stack, loaded := _newest_loaded(stack)):
        first = dt.date.fromisoformat(loaded) - dt.timedelta(days=REAL_DAYS)
        say(f"history: the promised reports since {first}")
        _publish(stack, say, "--promised", "--from", str(first))


def history(stack: Stack, say: Say) -> None:
    """The reports of all days that have none. Asset by asset the scheduler would make the same days: not beside it."""
    if not _is_filled(stack, loaded := _newest_loaded(stack)):
        say(f"history: the other reports of {HISTORY_DAYS} days, as if Airflow had run every night")
        _publish(stack, say)
        (stack.run_dir / "filled").write_text(loaded, encoding="utf-8")
        say("history: there")


def _is_filled(stack: Stack, loaded: str) -> bool:
    filled = stack.run_dir / "filled"
    return filled.exists() and filled.read_text(encoding="utf-8") == loaded


def _publish(stack: Stack, say: Say, *arguments: str) -> None:
    stack.run(
        (sys.executable, "-m", "sandbox.master_data.published_history", *arguments), log="history", say=say
    )


def _newest_loaded(stack: Stack) -> str:
    with (
        closing(psycopg2.connect(stack.server().uri("warehouse"))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select max(business_day) from master.loads")
        (day,) = cursor.fetchone() or (None,)
    return str(day)


@dataclass(frozen=True, order=True)
class Wanted:
    """A run that a new stack should have made itself: pipeline and report date."""

    dag_id: str
    day: dt.date

    def __str__(self) -> str:
        return f"{self.dag_id} of {self.day}"


def wanted(config: OncallConfig, at: dt.datetime) -> tuple[list[Wanted], list[Wanted]]:
    """The runs that should be there at the instant `at`: of the promised reports, and what follows from their newest.

    A promised report is wanted for the last REAL_DAYS dates that are due: never for one that is still to come,
    though the schedule may have begun with it.
    """
    promised, newest = [], {}
    for dag_id, pipeline in config.pipelines.items():
        if pipeline.promise:
            newest[dag_id] = last_due(pipeline.promise, at, config.roster_of(dag_id).tz)
            promised += [Wanted(dag_id, newest[dag_id] - dt.timedelta(days=n)) for n in range(REAL_DAYS)]
    following = [
        Wanted(dag_id, newest[base])
        for dag_id, base in STARTED_BY.items()
        if dag_id in config.pipelines and base in newest
    ]
    return sorted(promised), sorted(following)


@dataclass(frozen=True)
class Dag:
    """What Airflow says of a DAG. `next_run`: when its schedule makes the next run; `runs`: report date → state."""

    known: bool = False
    paused: bool = False
    next_run: dt.datetime | None = None
    runs: Mapping[str, str] = field(default_factory=dict)

    def waits_for_schedule(self, at: dt.datetime) -> bool:
        """Whether the schedule is about to make a run by itself."""
        return self.known and not self.paused and self.next_run is not None and self.next_run <= at

    def state(self, run: Wanted) -> str:
        """The state of that date's newest run; "" when there is none."""
        return self.runs.get(run.day.isoformat(), "")


def read_dag(api: AirflowApi, dag_id: str) -> Dag:
    """Ask Airflow about a DAG. Raises httpx.HTTPError when it does not answer."""
    try:
        dag = api.get(f"dags/{dag_id}")
        runs = api.get(f"dags/{dag_id}/dagRuns", order_by="-run_after", limit=50)["dag_runs"]
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.NOT_FOUND:
            return Dag()  # not parsed yet, or nowhere
        raise
    next_run = dag["next_dagrun_run_after"]
    return Dag(
        True,
        dag["is_paused"],
        dt.datetime.fromisoformat(next_run) if next_run else None,
        {run["partition_key"]: run["state"] for run in reversed(runs) if run["partition_key"]},
    )


def recent(stack: Stack, say: Say) -> None:
    """Have the real pipelines run for the last due report dates, unless they ran; says what it waits for.

    The first publication, which history wrote, stays what the promise is judged by: a re-run breaks nothing. A wait
    that ends in vain is said, and is no error: the stack is up, and Airflow goes on.
    """
    promised, following = wanted(load(stack.include_dir), dt.datetime.now(dt.UTC))
    try:
        promised = _asked_for(stack.api(), promised, say)
        _seen_through(stack, promised, RUNS_WITHIN_S, say)
        _seen_through(stack, following, FOLLOWERS_WITHIN_S, say)
    except httpx.HTTPError as error:
        say(f"Airflow's API server did not answer as it should: {str(error) or type(error).__name__}")
        say(
            "on a very busy machine run `make up` again, it goes on from here; else see `make status`, `make logs`"
        )


def _asked_for(api: AirflowApi, promised: Sequence[Wanted], say: Say) -> list[Wanted]:
    """Ask for what the schedule has left out; the runs that will come."""
    dags: dict[str, Dag] = {}

    def unscheduled() -> str:
        at = dt.datetime.now(dt.UTC)
        dags.update({dag_id: read_dag(api, dag_id) for dag_id in sorted({run.dag_id for run in promised})})
        unread = sorted(dag_id for dag_id, dag in dags.items() if not dag.known)
        if unread:
            return f"the DAG processor to read {', '.join(unread)}"
        unmade = sorted(dag_id for dag_id, dag in dags.items() if dag.waits_for_schedule(at))
        return f"the scheduler to start the newest run of {', '.join(unmade)}" if unmade else ""

    if left := wait_until(unscheduled, SCHEDULE_WITHIN_S, say):
        say(f"no longer waiting for {left}")
    for dag_id, dag in sorted(dags.items()):
        if not dag.known or dag.paused:
            say(
                f"{dag_id}: {'it is paused' if dag.paused else 'Airflow has no such DAG'}; no run is asked for"
            )
    coming = [run for run in promised if dags[run.dag_id].known and not dags[run.dag_id].paused]
    for run in coming:
        if not dags[run.dag_id].state(run):
            say(f"asking Airflow for a run of {run}")
            api.run(run.dag_id, run.day, RUN_ID.format(day=run.day))
    return coming


def _seen_through(stack: Stack, runs: Sequence[Wanted], within_s: float, say: Say) -> None:
    """Wait for the end of these runs, and say how it was when it was not green."""
    api = stack.api()
    states: dict[Wanted, str] = {}

    def unfinished() -> str:
        dags = {dag_id: read_dag(api, dag_id) for dag_id in sorted({run.dag_id for run in runs})}
        states.update({run: dags[run.dag_id].state(run) for run in runs})
        left = [run for run, state in states.items() if state not in STATES_OF_THE_END]
        whose = ", ".join(sorted({run.dag_id for run in left}))
        return f"{len(left)} of {len(runs)} runs in Airflow: {whose}" if left else ""

    if left := wait_until(unfinished, within_s, say):
        say(f"no longer waiting for {left}; Airflow's page shows what becomes of them")
    for run in (run for run, state in states.items() if state == "failed"):
        say(f"{run} failed: {stack.airflow_url}/dags/{run.dag_id}")
