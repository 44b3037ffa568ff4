"""What faults are made with: backends frozen or killed, the run's own spared; a clock that is wrong and still ticks."""

from __future__ import annotations

import ast
import datetime as dt
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg2
import pytest

from sandbox.stack.postgres import Server
from tests.chaos import chaos_beside
from tests.chaos.chaos_clock import clock_ahead
from tests.chaos.chaos_ground import due_today
from tests.chaos.chaos_include import past_of_today
from tests.chaos.chaos_postgres import OURS, Harm, freeze, kill

LOOK = (
    "import time, threading; t = time.monotonic(); time.sleep(0.2); threading.Event().wait(0.2);"
    " print(time.time(), time.monotonic() - t)"
)


@pytest.fixture
def connected(postgres: Server, fresh_database: str) -> Iterator[tuple[str, Any, Any]]:
    """Where the server is, a connection of somebody and one of the chaos run's."""
    with (
        closing(psycopg2.connect(fresh_database)) as theirs,
        closing(psycopg2.connect(fresh_database, application_name=OURS)) as ours,
    ):
        yield postgres.uri(), theirs, ours


def answers(connection: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        return bool(cursor.fetchone() == (1,))


def test_a_frozen_backend_gives_no_answer_until_it_is_thawed(connected: Any) -> None:
    """The connection stands all the while, and the chaos run's own is spared."""
    uri, theirs, ours = connected
    harm = Harm(uri, theirs.info.dbname, freeze, 0.05)
    harm.start()
    time.sleep(0.5)
    got: list[bool] = []
    asking = Thread(target=lambda: got.append(answers(theirs)), daemon=True)
    asking.start()
    asking.join(0.7)
    assert asking.is_alive()
    assert answers(ours)
    harm.end()
    asking.join(10)
    assert got == [True]


def test_a_killed_connection_is_broken(connected: Any) -> None:
    """Every one that is made, until the end."""
    uri, theirs, ours = connected
    harm = Harm(uri, theirs.info.dbname, kill, 0.05)
    harm.start()
    time.sleep(0.5)
    with pytest.raises(psycopg2.OperationalError):
        answers(theirs)
    assert answers(ours)
    harm.end()


@pytest.mark.parametrize("seconds", [600, -600])
def test_a_wrong_clock_waits_as_long_as_a_right_one(tmp_path: Path, seconds: int) -> None:
    """Only the time of day is wrong, for the process and its children."""
    environment = os.environ | clock_ahead(seconds, tmp_path)
    command = [sys.executable, "-c", LOOK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    clock, waited = map(float, done.stdout.split())
    assert abs(clock - dt.datetime.now(dt.UTC).timestamp() - seconds) < 30
    assert 0.4 <= waited < 10


def test_what_other_processes_are_to_do_is_there() -> None:
    """They import in their own process, where a name that is gone would end them unseen."""
    tree = ast.parse(Path(chaos_beside.__file__).read_text(encoding="utf-8"))
    imports = [
        node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "__future__"
    ]
    assert imports
    for node in imports:
        module = importlib.import_module(str(node.module))
        for each in node.names:
            assert hasattr(module, each.name), f"{node.module} has no {each.name}"


@pytest.mark.parametrize(("at", "due"), [("23:36:00", "23:59:59"), ("22:10:05", "22:40:05")])
def test_a_promise_made_shortly_before_midnight_is_due_before_it(at: str, due: str) -> None:
    """A due time beyond midnight belongs to another report date, and a fault is about one."""
    now = dt.datetime.fromisoformat(f"2026-11-27T{at}+07:00")
    assert due_today(now, 1800) == dt.datetime.fromisoformat(f"2026-11-27T{due}+07:00")


@pytest.mark.parametrize(
    ("at", "idle"), [("00:10:00", "00:00:01"), ("01:59:00", "00:00:01"), ("10:00:05", "08:00:05")]
)
def test_what_is_promised_meanwhile_is_over_for_today(at: str, idle: str) -> None:
    """Nothing but the fault is to be told of, at any hour."""
    now = dt.datetime.fromisoformat(f"2026-11-27T{at}+07:00")
    assert past_of_today(now) == dt.time.fromisoformat(idle)
