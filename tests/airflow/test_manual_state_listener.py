"""States that no callback tells of: set by hand, deleted, cleared, died. Airflow is asked, and listened to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.task_log import TaskLog
from oncall.airflow.composition import Wiring
from oncall.airflow.manual_state_listener import ManualStateListener, ask
from oncall.core.promises.facts import RUN, Facts, Task, TaskState

DAY = dt.date(2026, 11, 22)
TWO = dt.datetime(2026, 11, 22, 19, tzinfo=dt.UTC)
THREE = TWO + dt.timedelta(hours=1)
WHICH = ("growth_etl", DAY)
NIGHT = "scheduled__night"


class FakeTi:
    """A running task, as far as Airflow answers through it: the tasks of each run it has, and the runs' states."""

    def __init__(self, states: dict[str, dict[str, str | None]], run_state: str = "running") -> None:
        self.states, self.run_state = states, run_state

    def get_task_states(self, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str | None]]:
        assert dag_id == "growth_etl"
        return {run: states for run, states in self.states.items() if run in run_ids}

    def get_dagrun_state(self, dag_id: str, run_id: str) -> str:
        return self.run_state


@pytest.fixture
def task_log(oncall_database: str) -> TaskLog:
    return TaskLog(connect_to(oncall_database))


def a_night(task_log: TaskLog, run: str = NIGHT, at: dt.datetime = TWO, **states: TaskState) -> None:
    """The tasks of a run, a minute after each other; what is over was so in half a minute."""
    for number, (task_id, state) in enumerate(states.items()):
        began = at + dt.timedelta(minutes=number)
        task_log.write(WHICH, Task.as_of(began, task_id, "running", run))
        if state != "running":
            task_log.write(WHICH, Task.as_of(began + dt.timedelta(seconds=30), task_id, state, run))


def seen(task_log: TaskLog) -> Facts:
    ran = task_log.read({WHICH: None}, TWO)
    return Facts(
        tasks=ran.tasks.get(WHICH, ()),
        run=ran.runs.get(WHICH),
        failed_before=ran.failed_before.get(WHICH, ()),
    )


def states(task_log: TaskLog) -> dict[str, str]:
    return {task.task_id: task.state for task in seen(task_log).tasks}


@pytest.mark.parametrize(
    ("said", "airflow", "then"),
    [
        ("running", "failed", "failed"),  # set by hand, or killed with its callback
        ("running", "success", "success"),
        ("running", "skipped", "skipped"),
        ("running", "up_for_retry", "up_for_retry"),
        ("failed", "success", "success"),
        ("failed", None, "queued"),  # cleared
        ("success", "scheduled", "queued"),
        ("failed", "deferred", "running"),
        ("failed", "awaiting_input", "running"),
        ("running", "deferred", "running"),
        ("running", "queued", "running"),  # a wait that resumes
        ("up_for_retry", "scheduled", "up_for_retry"),  # its retry is about to start
        ("running", "removed", "skipped"),  # its DAG has no such task any more
        ("running", "upstream_failed", "running"),  # its upstream is the news
        ("running", "a state of a later Airflow", "running"),
    ],
)
def test_what_airflow_knows_better_is_noted(
    task_log: TaskLog, said: TaskState, airflow: str | None, then: str
) -> None:
    """Asked every five minutes, and at each due instant."""
    a_night(task_log, transform=said)
    ask(task_log, ["growth_etl"], FakeTi({NIGHT: {"transform": airflow, "check": None}}), THREE)
    assert states(task_log) == {"transform": then}


def test_a_failure_that_nobody_told_says_what_it_may_be(task_log: TaskLog) -> None:
    """Also of a task that never started; what only waits for its turn says nothing."""
    a_night(task_log, transform="success")
    ask(
        task_log,
        ["growth_etl"],
        FakeTi({NIGHT: {"transform": "success", "check": "failed", "publish": None}}),
        THREE,
    )
    check = next(task for task in seen(task_log).tasks if task.task_id == "check")
    assert (check.state, check.ended_at) == ("failed", THREE)
    assert check.error == "seen in Airflow: set by hand, or its process died"


def test_what_was_said_just_now_is_newer_than_the_answer(task_log: TaskLog) -> None:
    """Airflow was asked while the task told of its end."""
    a_night(task_log, transform="success")
    ask(task_log, ["growth_etl"], FakeTi({NIGHT: {"transform": "running"}}), TWO + dt.timedelta(seconds=80))
    assert states(task_log) == {"transform": "success"}


def test_a_deleted_run_is_said_once_and_is_there_again_when_it_starts(task_log: TaskLog) -> None:
    """What it did no longer counts; Airflow may use its name again."""
    a_night(task_log, transform="failed")
    for later in (0, 5):
        ask(task_log, ["growth_etl"], FakeTi({}), THREE + dt.timedelta(minutes=later))
    facts = seen(task_log)
    assert facts.gone
    assert facts.run is not None
    assert facts.run.ended_at == THREE
    a_night(task_log, at=THREE + dt.timedelta(hours=1), transform="running")
    assert not seen(task_log).gone


def test_an_older_run_speaks_again_when_the_newest_was_deleted(task_log: TaskLog) -> None:
    """And the failure of the deleted one needs no mending."""
    a_night(task_log, run="first", transform="success", check="running")
    a_night(task_log, run="second", at=THREE, transform="failed")
    ask(task_log, ["growth_etl"], FakeTi({"first": {"check": "running"}}), THREE + dt.timedelta(hours=1))
    facts = seen(task_log)
    assert [task.run_id for task in facts.tasks] == ["first", "first"]
    assert (facts.gone, facts.failed_before) == (False, ())


@pytest.mark.parametrize(
    ("publish", "run_state", "over"),
    [
        ("skipped", "success", "success"),
        ("upstream_failed", "failed", "failed"),
        ("removed", "success", "success"),
        ("success", "success", "success"),  # an EmptyOperator, which says nothing
        ("success", "running", None),
        (None, "running", None),
    ],
)
def test_a_run_that_ends_without_publishing_is_known_to_be_over(
    task_log: TaskLog, publish: str | None, run_state: str, over: str | None
) -> None:
    """Green or not: no task of it will publish any more."""
    a_night(task_log, transform="success")
    ask(
        task_log,
        ["growth_etl"],
        FakeTi({NIGHT: {"transform": "success", "publish": publish}}, run_state),
        THREE,
    )
    ended = seen(task_log).over
    assert (ended.state if ended else None) == over


def test_a_run_that_said_that_it_published_is_not_asked_for_its_end(task_log: TaskLog) -> None:
    """Of every night that goes well."""
    a_night(task_log, transform="success", publish="success")
    ask(
        task_log,
        ["growth_etl"],
        FakeTi({NIGHT: dict.fromkeys(("transform", "publish"), "success")}, "failed"),
        THREE,
    )
    assert seen(task_log).over is None


def test_a_run_that_published_beside_a_failed_task_is_asked_for_its_end(task_log: TaskLog) -> None:
    """Its DAG may go on without that task, such as a teardown: then nobody has to do anything."""
    states = {"transform": "success", "publish": "success", "drop": "failed"}
    a_night(task_log, transform="success", publish="success", drop="failed")
    ask(task_log, ["growth_etl"], FakeTi({NIGHT: dict(states)}, "success"), THREE)
    ended = seen(task_log).over
    assert ended is not None
    assert ended.state == "success"


def test_a_run_that_a_dead_task_ended_is_one_failure(task_log: TaskLog) -> None:
    """Killed a moment ago: the end of the run was told first, and a minute later what ended it woke anew."""
    a_night(task_log, transform="running")
    for seconds in (20, 100):
        at = TWO + dt.timedelta(seconds=seconds)
        ask(
            task_log,
            ["growth_etl"],
            FakeTi({NIGHT: {"transform": "failed", "check": "upstream_failed"}}, "failed"),
            at,
        )
        failed = seen(task_log).failure
        assert failed is not None
        assert (failed.task_id, failed.ended_at) == ("transform", TWO + dt.timedelta(seconds=20))


def test_a_failure_stands_whatever_a_later_run_does(task_log: TaskLog) -> None:
    """Only a publication mends it: a later run that has come further may still be withheld."""
    a_night(task_log, run="first", transform="success", check="failed")
    a_night(task_log, run="second", at=THREE, transform="running")
    assert [task.task_id for task in seen(task_log).failed_before] == ["check"]
    a_night(task_log, run="second", at=THREE, transform="success", check="success")
    assert [task.task_id for task in seen(task_log).failed_before] == ["check"]


# What the listener hears. It writes where the connections say.


class Row(SimpleNamespace):
    """A row of Airflow's database; no session is behind it, so nobody is named."""


@pytest.fixture
def heard(task_log: TaskLog, monkeypatch: pytest.MonkeyPatch) -> TaskLog:
    monkeypatch.setattr(Wiring, "task_log", lambda _: task_log)
    monkeypatch.setattr(Wiring, "store", lambda _: SimpleNamespace(install=lambda: None))
    return task_log


def a_run(**other: Any) -> Row:
    run = {"dag_id": "growth_etl", "run_id": NIGHT, "partition_key": DAY.isoformat(), "conf": {}}
    return Row(
        **{**run, "run_after": TWO, "start_date": TWO, "logical_date": None, "run_type": "scheduled", **other}
    )


def a_task(state: str, **other: Any) -> Row:
    task = {"dag_id": "growth_etl", "run_id": NIGHT, "task_id": "transform", "state": state}
    return Row(**{**task, "start_date": None, "try_number": 1, "dag_run": a_run(), **other})


def test_a_task_that_is_set_by_hand_is_noted_at_once(heard: TaskLog) -> None:
    """In the words of Airflow's api-server; a person did it, whoever it was."""
    by_hand = "TaskInstance's state was manually set to `failed`."
    ManualStateListener().on_task_instance_failed(None, a_task("failed"), by_hand)
    [task] = seen(heard).tasks
    assert (task.task_id, task.state, task.error, task.started_at) == (
        "transform",
        "failed",
        "marked as failed",
        TWO,
    )
    ManualStateListener().on_task_instance_success(None, a_task("success"))
    [task] = seen(heard).tasks
    assert (task.state, task.error) == ("success", "marked as success")
    ManualStateListener().on_task_instance_skipped(None, a_task("skipped"))
    assert states(heard) == {"transform": "skipped"}


def test_a_task_whose_process_died_is_noted_by_the_scheduler(heard: TaskLog) -> None:
    """In plain words, whether or not the DAG processor runs the callback."""
    died = (
        "Executor LocalExecutor(parallelism=8) reported that the task instance <TaskInstance: growth_etl.transform r"
        " [running]> finished with state failed, but the task instance's state attribute is running. Learn more: https:"
    )
    ManualStateListener().on_task_instance_failed("running", a_task("up_for_retry"), died)
    assert [(t.state, t.error) for t in seen(heard).tasks] == [
        ("up_for_retry", "its process died, or never began")
    ]


@pytest.mark.parametrize(
    ("state", "msg", "said"),
    [
        ("failed", "Dag Run's state was manually set to `failed`.", "marked as failed"),
        ("success", "Dag Run's state was manually set to `success`.", "marked as success"),
        ("failed", "timed_out", "timed out"),
        ("failed", "all_tasks_deadlocked", "all tasks deadlocked"),
        ("failed", "task_failure", None),
        ("success", "success", None),
    ],
)
def test_a_run_that_is_ended_from_outside_is_noted(
    heard: TaskLog, state: str, msg: str, said: str | None
) -> None:
    """Also before any task of it has started. One that ends as runs do needs no second word."""
    hear = (
        ManualStateListener().on_dag_run_failed
        if state == "failed"
        else ManualStateListener().on_dag_run_success
    )
    hear(a_run(), msg)
    over = seen(heard).over
    assert (over and (over.task_id, over.state, over.error)) == (said and (RUN, state, said))


def test_a_run_that_begins_is_noted_before_any_task_of_it(heard: TaskLog) -> None:
    """The scheduler says so, once it has started the run; what a task says later is the newer news."""
    ManualStateListener().on_dag_run_running(a_run(), "started")
    began = seen(heard)
    assert (began.tasks, began.over, began.run and (began.run.state, began.run.started_at)) == (
        (), None, ("running", TWO)
    )  # fmt: skip
    for other in ({"dag_id": "somebody_elses"}, {"run_type": "backfill", "run_id": "backfill__1"}):
        ManualStateListener().on_dag_run_running(a_run(**other), "started")
    assert [run.run_id for run in heard.lately(TWO)] == [NIGHT]
    a_night(heard, transform="running")
    assert states(heard) == {"transform": "running"}
    ManualStateListener().on_dag_run_failed(a_run(), "timed_out")
    assert seen(heard).over is not None


def test_that_the_run_began_keeps_no_published_report_in_sight(task_log: TaskLog) -> None:
    """Nobody tells of the end of a run that goes well: its beginning stands open for ever."""
    task_log.write(WHICH, Task.as_of(TWO, RUN, "running", NIGHT))
    assert WHICH in task_log.read({WHICH: None}, TWO).runs
    task_log.write(WHICH, Task.as_of(THREE, "publish", "success", NIGHT, began=TWO))
    assert not task_log.read({WHICH: THREE}, THREE).tasks


@pytest.mark.parametrize(
    "row",
    [
        a_task("failed", dag_id="somebody_elses"),
        a_task("running"),
        a_task("failed", dag_run=a_run(partition_key="no date", run_type="manual")),
    ],
    ids=["another team's DAG", "not over", "no report date"],
)
def test_what_is_nobodys_news_is_left_alone(heard: TaskLog, row: Any) -> None:
    """And nothing is raised."""
    ManualStateListener().on_task_instance_failed(None, row, "manually set")
    assert heard.lately(TWO) == []


class Unanswering(FakeTi):
    """An api-server that answers nothing about growth."""

    error: Exception

    def get_task_states(self, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str | None]]:
        if dag_id == "growth_etl":
            raise self.error
        return {}


def no_answer() -> Exception:
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    return AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": 500}))


@pytest.mark.parametrize(
    "error", [no_answer, lambda: ValueError("an answer of another Airflow")], ids=["no answer", "an odd one"]
)
def test_one_dag_that_cannot_be_asked_about_stops_no_other(
    task_log: TaskLog, error: Callable[[], Exception]
) -> None:
    """And silence is no deletion."""
    a_night(task_log, transform="running")
    task_log.write(("profit_etl", DAY), Task.as_of(TWO, "transform", "running", "p"))
    ti = Unanswering({})
    ti.error = error()
    ask(task_log, ["growth_etl", "profit_etl"], ti, THREE)
    assert seen(task_log).run is None
    assert task_log.read({("profit_etl", DAY): None}, TWO).runs["profit_etl", DAY].state == "deleted"


@pytest.mark.parametrize(("status", "missing"), [(404, True), (500, None), (None, None)])
def test_only_a_dag_that_airflow_does_not_know_is_missing(
    task_log: TaskLog, monkeypatch: pytest.MonkeyPatch, status: int | None, missing: bool | None
) -> None:
    """An api-server that fails, or cannot be reached, says nothing of the DAG."""
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    from oncall.airflow.airflow_state import see_dags

    class Ti(FakeTi):
        def get_dag(self, dag_id: str) -> Any:
            detail = {"status_code": status}
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))

    monkeypatch.setattr(Wiring, "task_log", lambda _: task_log)
    found = see_dags(["growth_etl"], Ti({}))
    assert (found["growth_etl"].missing if found else None) == missing


class HalfAnswering(FakeTi):
    """An api-server that knows each DAG, cannot count the runs of growth, and has a file of profit that no disk has."""

    def get_dag(self, dag_id: str) -> Any:
        file = "x" * 5000 if dag_id == "profit_etl" else "a.py"
        return SimpleNamespace(is_paused=True, relative_fileloc=file, bundle_name="b", bundle_version=None)

    def get_dr_count(self, dag_id: str, states: list[str]) -> int:
        if dag_id == "growth_etl":
            raise OSError("broken pipe")
        return 2

    bundle_instance = SimpleNamespace(name="b", version=None, path="/")


def test_one_dag_that_cannot_be_seen_stops_no_other(
    task_log: TaskLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was all or nothing: where one DAG's runs could not be counted, no page knew that another one was paused."""
    from oncall.airflow.airflow_state import see_dags

    monkeypatch.setattr(Wiring, "task_log", lambda _: task_log)
    found = see_dags(["growth_etl", "profit_etl", "engagement_etl"], HalfAnswering({}))
    assert {dag_id: (dag.paused, dag.running) for dag_id, dag in found.items()} == {
        "engagement_etl": (True, 2)
    }


def test_a_copy_of_a_mapped_task_is_asked_for_by_its_own_name(task_log: TaskLog) -> None:
    """Airflow calls it load_3, and its callbacks load[3]; a task whose name ends so by itself keeps it."""
    a_night(task_log, **dict[str, Any]({"load[0]": "running", "load[1]": "running", "step_2": "running"}))
    mapped: dict[str, str | None] = {
        "load_0": "success",
        "load_1": "failed",
        "load_2": "failed",
        "step_2": "failed",
    }
    ask(task_log, ["growth_etl"], FakeTi({NIGHT: mapped}), THREE)
    assert states(task_log) == {
        "load[0]": "success", "load[1]": "failed", "load[2]": "failed", "step_2": "failed"
    }  # fmt: skip
