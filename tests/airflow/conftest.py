"""What every test of Airflow's side may ask for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.task_log import TaskLog
from oncall.airflow.composition import Wiring
from tests.airflow.conftest_site import site as site
from tests.web.conftest_page import airflow_auth as airflow_auth


@pytest.fixture
def heard(oncall_database: str, monkeypatch: pytest.MonkeyPatch) -> TaskLog:
    """What Airflow's listeners and callbacks have told `oncall_db` of."""
    task_log = TaskLog(connect_to(oncall_database))
    monkeypatch.setattr(Wiring, "task_log", lambda _: task_log)
    monkeypatch.setattr(Wiring, "store", lambda _: SimpleNamespace(install=lambda: None))
    return task_log
