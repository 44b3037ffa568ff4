"""What tasks tell of themselves, and that telling it never fails a pipeline."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.task_log import TaskLog
from oncall.airflow import callbacks, composition
from oncall.core.promises.facts import RUN, Dag, Task
from oncall.usecases.ports import ReportKey

DAY = dt.date(2026, 11, 22)
TWO = dt.datetime(2026, 11, 22, 19, tzinfo=dt.UTC)


@pytest.fixture
def task_log(oncall_database: str) -> TaskLog:
    connect = connect_to(oncall_database)
    return TaskLog(connect)


def test_the_last_line_of_an_error_is_what_a_person_would_quote() -> None:
    """The type and the last line; Airflow's own wrappers only the line."""
    from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

    assert callbacks.last_line(ZeroDivisionError("division by zero")) == "ZeroDivisionError: division by zero"
    assert callbacks.last_line(ValueError("first\nlast\n")) == "ValueError: last"
    assert callbacks.last_line(AirflowFailException("check identity: no")) == "check identity: no"
    undefined = 'relation "master.sessions" does not exist\nLINE 1: select 1 from master.sessions\n         ^'
    assert (
        callbacks.last_line(ValueError(undefined)) == 'ValueError: relation "master.sessions" does not exist'
    )
    assert (
        callbacks.last_line(AirflowTaskTimeout("Timeout, PID: 23335"))
        == "ran longer than its execution_timeout"
    )
    assert callbacks.last_line(AirflowTaskTimeout("CRM: 30 s")) == "AirflowTaskTimeout: CRM: 30 s"
    assert callbacks.last_line(None) == ""
    assert callbacks.last_line(KeyError()) == "KeyError"


def test_of_errors_that_follow_from_each_other_the_innermost_is_told() -> None:
    """What the server said as it ended the connection, not what its end led to."""
    admin = "terminating connection due to administrator command"

    def raised(
        kind: type[Exception], words: str, within: BaseException | None, *, chained: bool = True
    ) -> Exception:
        error = kind(words)
        error.__cause__ = within if chained else None
        error.__context__ = within
        error.__suppress_context__ = not chained
        return error

    ended = psycopg2.OperationalError(f"{admin}\nSSL connection has been closed unexpectedly\n")
    lost = raised(psycopg2.InterfaceError, "the connection is lost", ended)
    wrapped = raised(RuntimeError, "cannot publish", lost)
    for error in (ended, lost, wrapped):
        assert callbacks.last_line(error) == f"OperationalError: {admin}"
    replaced = raised(RuntimeError, "cannot publish", ended, chained=False)  # `raise … from None`
    assert callbacks.last_line(replaced) == "RuntimeError: cannot publish"
    around = ValueError("a")
    around.__context__ = raised(ValueError, "b", around)  # a circle has an end
    assert callbacks.last_line(around) == "ValueError: b"


class Mute(Exception):
    """Somebody's error class, which fails to tell of itself."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Mute(), "Mute"),
        (ValueError("a\x00b \ud800"), "ValueError: ab ?"),
        (ValueError("\n" * 100), "ValueError"),
        (ExceptionGroup("two", [ValueError("inner")]), "ExceptionGroup: two (1 sub-exception)"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        ("only words", "only words"),
    ],
)
def test_a_failure_is_noted_whatever_its_error_is_like(
    task_log: TaskLog, monkeypatch: pytest.MonkeyPatch, error: object, said: str
) -> None:
    """A letter that no database keeps, or an error without words, once left the whole failure unsaid."""
    monkeypatch.setattr(composition.Wiring, "task_log", lambda _: task_log)
    monkeypatch.setattr(composition.Wiring, "store", lambda _: SimpleNamespace(install=lambda: None))
    run = SimpleNamespace(partition_key="2026-11-22", conf={}, run_after=TWO)
    ti = SimpleNamespace(
        dag_id="growth_etl", run_id="r", task_id="load", try_number=1, log_url="http://x/\x00"
    )
    callbacks._note({"ti": ti, "dag_run": run, "exception": error}, "failed")
    (task,) = task_log.read({("growth_etl", DAY): None}, TWO).tasks["growth_etl", DAY]
    assert (task.state, task.error, task.log_url) == ("failed", said, "http://x/")


@pytest.mark.parametrize("tells", [callbacks.will_retry, callbacks.failed])
def test_of_a_task_whose_process_is_gone_it_is_said_that_it_died(
    task_log: TaskLog, monkeypatch: pytest.MonkeyPatch, tells: Callable[[Any], None]
) -> None:
    """The DAG processor tells in its place, and knows neither an error nor the log, which may say more."""
    monkeypatch.setattr(composition.Wiring, "task_log", lambda _: task_log)
    monkeypatch.setattr(composition.Wiring, "store", lambda _: SimpleNamespace(install=lambda: None))
    monkeypatch.setattr(callbacks, "_look", lambda: None)
    run = SimpleNamespace(partition_key="2026-11-22", conf={}, run_after=TWO)
    ti = {"dag_id": "growth_etl", "run_id": "r", "task_id": "transform", "try_number": 1}
    callbacks.started({"ti": SimpleNamespace(**ti, log_url="http://x/log"), "dag_run": run})
    tells({"ti": SimpleNamespace(**ti), "dag_run": run})
    (task,) = task_log.read({("growth_etl", DAY): None}, TWO).tasks["growth_etl", DAY]
    assert (task.error, task.failure_log) == ("its process died, or never began", "http://x/log")


def test_a_trial_of_a_task_is_no_news(task_log: TaskLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """`airflow tasks test` says so in the environment, in a run of its own and in a real one."""
    monkeypatch.setattr(composition.Wiring, "task_log", lambda _: task_log)
    monkeypatch.setattr(composition.Wiring, "store", lambda _: SimpleNamespace(install=lambda: None))
    run = SimpleNamespace(partition_key="2026-11-22", conf={}, run_after=TWO)
    ti = SimpleNamespace(dag_id="growth_etl", run_id="r", task_id="transform", try_number=1, log_url="")
    for test_mode, tasks in (("True", 0), ("False", 1)):
        monkeypatch.setenv("AIRFLOW_TEST_MODE", test_mode)
        callbacks.started({"ti": ti, "dag_run": run})
        assert len(task_log.lately(TWO)) == tasks


def test_what_airflow_masks_in_the_log_is_not_written(
    task_log: TaskLog, monkeypatch: pytest.MonkeyPatch, airflow_auth: None
) -> None:
    """A secret that Airflow knows, and one that only looks like one, in an exception and in an import error."""
    from airflow.sdk.log import mask_secret

    from oncall.airflow import airflow_state

    mask_secret("correct horse battery")
    monkeypatch.setattr(composition.Wiring, "__init__", lambda self: None)
    monkeypatch.setattr(composition.Wiring, "store", lambda self: SimpleNamespace(install=lambda: None))
    monkeypatch.setattr(composition.Wiring, "task_log", lambda self: task_log)
    ti = SimpleNamespace(dag_id="growth_etl", run_id="r", task_id="transform", try_number=1, log_url="")
    run = SimpleNamespace(partition_key="2026-11-22", conf={}, run_after=TWO)
    told = "401 for correct horse battery at postgresql://etl:hunter2@db/x"
    callbacks._write({"ti": ti, "dag_run": run, "exception": ValueError(told)}, "failed")
    (task,) = task_log.read({("growth_etl", DAY): None}, TWO).tasks["growth_etl", DAY]
    assert task.error == "ValueError: 401 for *** at postgresql://etl:***@db/x"
    airflow_state.note_import_error("/dags/growth_etl.py", f"Traceback …\nValueError: {told}\n")
    noted = task_log.read({}, TWO).dags["growth_etl"].import_error
    assert noted == "ValueError: 401 for *** at postgresql://etl:***@db/x"


@pytest.mark.parametrize("late", ["running", "success", "skipped", "up_for_retry", "failed"])
@pytest.mark.parametrize("marked", ["failed", "success", "skipped"])
def test_a_killed_task_does_not_unsay_what_it_was_marked_as(
    task_log: TaskLog, marked: Any, late: Any
) -> None:
    """Its process goes on for some seconds, and may begin, end or be killed in them; only another try is news."""
    report, minute, said = ("growth_etl", DAY), dt.timedelta(minutes=1), f"marked as {marked} by B"
    task_log.write(report, Task.as_of(TWO + minute, "transform", marked, "r", error=said, began=TWO))
    task_log.write(report, Task.as_of(TWO + 2 * minute, "transform", late, "r", error="SIGTERM"))
    (task,) = task_log.read({report: None}, TWO).tasks[report]
    assert (task.state, task.ended_at, task.error) == (marked, TWO + minute, said)
    task_log.write(report, Task.as_of(TWO + 3 * minute, "transform", "running", "r"), try_number=2)
    (task,) = task_log.read({report: None}, TWO).tasks[report]
    assert (task.state, task.started_at) == ("running", TWO + 3 * minute)


def test_another_mark_and_airflow_itself_unsay_a_mark(task_log: TaskLog) -> None:
    """Marked anew by hand, or in Airflow in another state for a while: that counts."""
    report, minute = ("growth_etl", DAY), dt.timedelta(minutes=1)
    task_log.write(report, Task.as_of(TWO, "transform", "failed", "r", error="marked as failed by B"))
    task_log.write(report, Task.as_of(TWO + minute, "transform", "success", "r", error="marked as success"))
    assert [t.state for t in task_log.read({report: None}, TWO).tasks[report]] == ["success"]
    task_log.write(report, Task.as_of(TWO + 2 * minute, "transform", "queued", "r"), overrules=True)
    assert [t.state for t in task_log.read({report: None}, TWO).tasks[report]] == ["queued"]


def test_a_run_that_was_marked_and_goes_on_runs(task_log: TaskLog) -> None:
    """A run has no tries: cleared, it is the same one that runs again."""
    report, minute = ("growth_etl", DAY), dt.timedelta(minutes=1)
    task_log.write(report, Task.as_of(TWO, RUN, "failed", "r", error="marked as failed by B"))
    task_log.write(report, Task.as_of(TWO + minute, RUN, "running", "r"))
    assert task_log.read({report: None}, TWO).runs[report].state == "running"


def test_a_callback_that_cannot_write_only_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any connection the task goes on."""
    monkeypatch.delenv("AIRFLOW_CONN_ONCALL_DB", raising=False)
    run = SimpleNamespace(partition_key="2026-11-22", conf={}, run_after=TWO)
    ti = SimpleNamespace(dag_id="growth_etl", run_id="r", task_id="transform", try_number=1, log_url="")
    context: Any = {"ti": ti, "dag_run": run}
    for callback in callbacks.CALLBACKS.values():
        if callback is not callbacks.failed:
            callback(context)


def test_the_newest_run_speaks_for_the_report(task_log: TaskLog) -> None:
    """A second run of the day is what counts; its tasks come in the order they started."""
    minute = dt.timedelta(minutes=1)
    task_log.write(("growth_etl", DAY), Task.as_of(TWO, "transform", "running", "one"))
    task_log.write(("growth_etl", DAY), Task.as_of(TWO + minute, "transform", "failed", "one", error="boom"))
    assert list(task_log.read({}, TWO).tasks) == [("growth_etl", DAY)]
    assert not task_log.read({}, TWO + 2 * minute).tasks
    task_log.write(("growth_etl", DAY), Task.as_of(TWO + 5 * minute, "wait_for_upstream", "running", "two"))
    task_log.write(("growth_etl", DAY), Task.as_of(TWO + 6 * minute, "wait_for_upstream", "success", "two"))
    task_log.write(("growth_etl", DAY), Task.as_of(TWO + 7 * minute, "transform", "running", "two"))
    tasks = task_log.read({("growth_etl", DAY): None}, TWO).tasks["growth_etl", DAY]
    assert [(t.task_id, t.state) for t in tasks] == [
        ("wait_for_upstream", "success"),
        ("transform", "running"),
    ]
    assert not task_log.read({}, TWO).tasks


def test_of_a_published_report_only_what_goes_on_since_is_read(task_log: TaskLog) -> None:
    """Not the run that published it; another one that began, one that failed, one that is open."""
    minute, day, tomorrow = dt.timedelta(minutes=1), DAY, DAY + dt.timedelta(days=1)
    task_log.write(("growth_etl", day), Task.as_of(TWO + minute, "publish", "success", "one", began=TWO))
    task_log.write(("profit_etl", tomorrow), Task.as_of(TWO, "notify", "running", "one"))

    def read(made: dt.datetime) -> set[ReportKey]:
        return {
            *task_log.read(
                {("growth_etl", day): made, ("profit_etl", tomorrow): made}, TWO + dt.timedelta(days=9)
            ).tasks
        }

    assert read(TWO + 2 * minute) == {("profit_etl", tomorrow)}
    task_log.write(("growth_etl", day), Task.as_of(TWO + 3 * minute, "transform", "success", "two"))
    assert ("growth_etl", day) in read(TWO + 2 * minute)
    assert ("growth_etl", day) not in read(TWO + 3 * minute)
    task_log.write(("growth_etl", day), Task.as_of(TWO + 4 * minute, "transform", "failed", "two", began=TWO))
    assert ("growth_etl", day) in read(TWO + 3 * minute)


def test_a_new_try_starts_its_own_clock(task_log: TaskLog) -> None:
    """ "Stuck since" means since this try began, and a resumed wait keeps its first beginning."""
    minute = dt.timedelta(minutes=1)
    task_log.write(("growth_etl", DAY), Task.as_of(TWO, "transform", "running", "one"))
    task_log.write(("growth_etl", DAY), Task.as_of(TWO + minute, "transform", "running", "one"))
    (task,) = task_log.read({("growth_etl", DAY): None}, TWO).tasks["growth_etl", DAY]
    assert task.started_at == TWO
    task_log.write(
        ("growth_etl", DAY), Task.as_of(TWO + 2 * minute, "transform", "up_for_retry", "one", error="x")
    )
    task_log.write(
        ("growth_etl", DAY), Task.as_of(TWO + 3 * minute, "transform", "running", "one"), try_number=2
    )
    (task,) = task_log.read({("growth_etl", DAY): None}, TWO).tasks["growth_etl", DAY]
    assert (task.started_at, task.ended_at, task.error) == (TWO + 3 * minute, None, "")


def test_nothing_is_usual_before_seven_days(task_log: TaskLog, oncall_database: str) -> None:
    """Six nights say nothing; the seventh gives p90 to the end and the median of the task. Asked anew: it is kept."""
    for number in range(7):
        assert TaskLog(connect_to(oncall_database)).usual(DAY) == {}
        day, start = DAY + dt.timedelta(days=number), TWO + dt.timedelta(days=number)
        for task_id, begin, end in (("transform", 0, 600), ("check", 600, 660), ("publish", 660, 720)):
            for state, second in (("running", begin), ("success", end)):
                at = start + dt.timedelta(seconds=second)
                task_log.write(("growth_etl", day), Task.as_of(at, task_id, state, f"run{number}"))  # type: ignore[arg-type]
    usual = task_log.usual(DAY)["growth_etl"]
    assert usual.duration["transform"] == 600
    assert usual.remaining["transform"] == 720


def test_an_import_error_is_forgotten_once_nobody_tells_of_it(task_log: TaskLog) -> None:
    """The DAG processor repeats it at every parse; ten minutes of silence mean that it is mended."""
    now = dt.datetime.now(dt.UTC)
    task_log.see_dag("growth_etl", Dag(now, paused=False, running=0))
    task_log.note_import_error("growth_etl", "SyntaxError: invalid syntax", now)
    assert task_log.read({}, now).dags["growth_etl"].import_error == "SyntaxError: invalid syntax"
    task_log.note_import_error("growth_etl", "SyntaxError: invalid syntax", now - dt.timedelta(minutes=11))
    assert task_log.read({}, now).dags["growth_etl"].import_error == ""
