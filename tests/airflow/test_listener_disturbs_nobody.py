"""That whatever a listener hears disturbs nobody for whom Airflow's processes work."""

from __future__ import annotations

from typing import Any

import pytest

from oncall.adapters.postgres.task_log import TaskLog
from oncall.airflow.composition import Wiring
from oncall.airflow.manual_states import Deaf, ManualStateListener
from oncall.core.errors import Unreadable
from tests.airflow.test_manual_states import a_run, a_task, states


@pytest.fixture(autouse=True)
def listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deaf, "until", 0.0)


def test_an_oncall_db_that_hangs_is_waited_for_once(heard: TaskLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one of a hundred tasks that a click has marked, not by each: Airflow's API waits for the listener."""
    asked = []

    def hangs(_: Wiring) -> None:
        asked.append("once")
        raise Unreadable("oncall_db: no connection within 3 s")

    with monkeypatch.context() as frozen:
        frozen.setattr(Wiring, "store", hangs)
        for _ in range(100):
            ManualStateListener().on_task_instance_failed(None, a_task("failed"), "manually set")
    assert (asked, states(heard)) == (["once"], {})
    monkeypatch.setattr(Deaf, "until", 0.0)
    ManualStateListener().on_task_instance_failed(None, a_task("failed"), "manually set")
    assert states(heard) == {"transform": "failed"}


def test_a_listener_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """A click is answered, and the scheduler goes on, when the database cannot be reached."""
    ManualStateListener().on_dag_run_failed(object(), "timed_out")
    ManualStateListener().on_task_instance_failed(None, Detached(), "manually set")
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", '{"conn_type": "postgres", "host": "127.0.0.1", "port": 1}')
    ManualStateListener().on_task_instance_failed(None, a_task("failed"), "manually set")
    ManualStateListener().on_dag_run_failed(a_run(), "timed_out")


class Detached:
    """A row of Airflow's database whose session is closed."""

    @property
    def dag_run(self) -> Any:
        raise RuntimeError("not bound to a Session")
