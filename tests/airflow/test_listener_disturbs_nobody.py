"""That whatever a listener hears disturbs nobody for whom Airflow's processes work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.connection import Connection
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from oncall.adapters.postgres.task_log import TaskLog
from oncall.airflow.airflow_state import ImportErrorListener
from oncall.airflow.composition import Wiring
from oncall.airflow.manual_state_listener import Deaf, ManualStateListener
from oncall.core.errors import Unreadable
from tests.airflow.test_manual_state_listener import a_run, a_task, states


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


@pytest.fixture
def airflows_session(oncall_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """The session of this thread, as the scheduler has it; `oncall_db` is a connection made in Airflow's form."""
    engine = create_engine(f"sqlite:///{tmp_path}/airflow.db")
    import_all_models()  # of some of its tables another test may have read in a part, which refers to the others
    Base.metadata.create_all(engine)
    of_a_thread = scoped_session(sessionmaker(engine))
    monkeypatch.setattr("airflow.settings.Session", of_a_thread)
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")  # as the scheduler sets it for itself
    monkeypatch.delenv("AIRFLOW_CONN_ONCALL_DB", raising=False)
    session = of_a_thread()
    session.add(Connection(conn_id="oncall_db", uri=oncall_database))
    session.commit()
    return session


@pytest.mark.parametrize(
    "tell",
    [
        lambda: ManualStateListener().on_dag_run_running(a_run(), "started"),
        lambda: ManualStateListener().on_dag_run_failed(a_run(), "timed_out"),
        lambda: ManualStateListener().on_task_instance_failed(None, a_task("failed"), "manually set"),
        lambda: ImportErrorListener().on_new_dag_import_error("/dags/growth_etl.py", "SyntaxError: x"),
    ],
    ids=["a run began", "a run is over", "a task", "an import error"],
)
def test_airflow_goes_on_with_its_rows_where_connections_are_in_its_own_database(
    airflows_session: Session, oncall_database: str, tell: Callable[[], None]
) -> None:
    """The scheduler starts several runs in one session. Our reading of a connection closed it: the scheduler died at
    the next run, and again after each restart."""
    at_work_on = airflows_session.scalars(select(Connection)).one()
    at_work_on.description = "not committed yet"
    tell()
    assert (at_work_on in airflows_session, at_work_on.description) == (True, "not committed yet")
    airflows_session.rollback()
    assert airflows_session.scalars(select(Connection)).one().description is None
    rows = "select (select count(*) from oncall.tasks) + (select count(*) from oncall.dags)"
    with closing(psycopg2.connect(oncall_database)) as connection, connection.cursor() as cursor:
        cursor.execute(rows)
        assert cursor.fetchone() == (1,)
