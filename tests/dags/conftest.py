"""The DAG files as Airflow's DAG processor reads them, with every way out of the process closed."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oncall.config.oncall_config import include_dir

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG

DAGS = Path(__file__).resolve().parents[2] / "dags"

Parse = Callable[[], "DagBag"]


def timetable_of(dag: DAG) -> Any:
    """Untyped: what the timetable of a cron has, the type of a DAG's attribute has not."""
    return dag.timetable


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Parse:
    """Parses dags/; a socket, a Variable or a connection asked for while parsing is an error of that file."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import BaseHook, Variable

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a DAG file must not ask anybody while it is parsed")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(Variable, "get", refuse)
    monkeypatch.setattr(BaseHook, "get_connection", refuse)
    return lambda: DagBag(DAGS, collect_dags=True)


@pytest.fixture
def dags(parse: Parse) -> dict[str, DAG]:
    bag = parse()
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture
def another_include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of include/ in force, to be spoilt."""
    folder = tmp_path / "include"
    shutil.copytree(include_dir(), folder)
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(folder))
    return folder
