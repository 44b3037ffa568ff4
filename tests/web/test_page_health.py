"""The one route that is open: it tells whether anybody watches, nothing of anybody, and costs next to nothing."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import oncall
from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.history import History
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.core.errors import Unreadable
from oncall.core.incidents.incident import Notification, Plan
from oncall.core.message import Message
from oncall.usecases.history import SystemHealth
from sandbox.stack.postgres import Server
from tests.web.example_page import INCLUDE, Example, config


def ago(seconds: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("beat", "status", "watcher"),
    [
        (lambda: SystemHealth(ago(5), True), 200, "healthy"),
        (lambda: SystemHealth(ago(75), True), 503, "stale"),
        (lambda: SystemHealth(), 503, "never"),
        (lambda: Unreadable("oncall_db: connection refused by db.internal"), 503, "unknown"),
    ],
)
def test_the_status_says_whether_anybody_watches(
    client: TestClient,
    example: Example,
    beat: Callable[[], SystemHealth | Unreadable],
    status: int,
    watcher: str,
) -> None:
    """Without signing in: 200 only while the watcher looks; 503 when it is stale, never was, or nobody can tell."""
    example.beat = beat()
    answer = client.get("/oncall/health")
    assert (answer.status_code, answer.json()["watcher"]) == (status, watcher)
    assert answer.headers["cache-control"] == "no-store"


def test_it_tells_nothing_of_anybody(client: TestClient, example: Example) -> None:
    """Numbers and words of a short list: no person, pipeline, host, reason or time of day, whatever is asked."""
    example.beat = SystemHealth(ago(7), False, 3, ago(30))
    answer = client.get("/oncall/health?at=2026-12-24&verbose=1", headers={"accept": "text/html"})
    assert answer.json() == {
        "watcher": "healthy",
        "seconds_since_tick": 7,
        "roster": "invalid",
        "outbox": {"owed": 3, "oldest_seconds": 30},
        "version": oncall.__version__,
    }
    names = [*config().roster.people, *config().pipelines, config().roster.slack_channel]
    assert not [name for name in names if name in answer.text]
    example.beat = Unreadable("oncall_db: connection to db.internal as oncall refused")
    assert "db.internal" not in client.get("/oncall/health").text
    assert example.reads == 0, "the page's own reading is dear"


def test_it_can_only_be_read(client: TestClient) -> None:
    """No other method is open."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert client.request(method, "/oncall/health").status_code == 405


def test_the_pulse_is_read_in_one_query(fresh_database: str) -> None:
    """The tick, the files and what is owed, as the watcher and the senders leave them."""
    connect = connect_to(fresh_database)
    store, past = OncallDb(connect), History(connect)
    with pytest.raises(Unreadable, match="oncall_db"):
        past.system_health()
    store.install()
    assert past.system_health() == SystemHealth()
    owed_at = ago(40)
    with store.decision_lock() as decision:
        message = Message("growth_etl:2026-11-22", "page-1-primary", "late")
        decision.record(
            Plan(owed=(Notification(message.key, message.step, "pager", "page", message),)), owed_at
        )
    store.set_note("tick", owed_at.isoformat())
    assert past.system_health() == SystemHealth(owed_at, True, 1, owed_at)
    store.set_note("configuration_broken", "0a1b2c")
    assert past.system_health().files_valid is False


@pytest.fixture
def oncall_db(postgres: Server, oncall_database: str, monkeypatch: pytest.MonkeyPatch) -> OncallDb:
    """A database of its own as Airflow's connection; the other three lead nowhere."""
    name = oncall_database.partition("?")[0].rpartition("/")[2]
    said = {"conn_type": "postgres", "host": str(postgres.socket_dir), "login": "postgres", "schema": name}
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", json.dumps(said))
    store = OncallDb(connect_to(oncall_database))
    store.set_note("tick", ago(5).isoformat())
    return store


def test_pollers_share_one_query(oncall_db: OncallDb) -> None:
    """However many ask within two seconds; then it is asked again."""
    from oncall.airflow.health import SharedHealth

    clock = [0.0]
    shared = SharedHealth(lambda: clock[0])
    first = shared.read()
    oncall_db.set_note("tick", ago(1).isoformat())
    with ThreadPoolExecutor(8) as pool:
        assert all(system_health is first for system_health in pool.map(lambda _: shared.read(), range(200)))
    clock[0] += 2.5
    assert shared.read() != first


def test_files_that_broke_since_the_watcher_looked_are_not_valid(
    oncall_db: OncallDb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The watcher's note may be old: what is asked reads the files too, however they are broken."""
    from oncall.airflow.health import SharedHealth

    clock = [0.0]
    shared = SharedHealth(lambda: clock[0])
    shutil.copytree(INCLUDE, tmp_path / "include")
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(tmp_path / "include"))
    assert shared.read().files_valid
    for spoilt in (b"timezone: Asia", b"\xff", b"[" * 100_000):
        clock[0] += 2.5
        (tmp_path / "include/roster.yaml").write_bytes(spoilt)
        assert shared.read().files_valid is False
    clock[0] += 2.5
    shutil.copy(INCLUDE / "roster.yaml", tmp_path / "include/roster.yaml")
    assert shared.read().files_valid
    clock[0] += 2.5
    oncall_db.set_note("configuration_broken", "a digest")
    assert shared.read().files_valid is False


def test_nobody_waits_in_line_for_a_database_that_hangs(oncall_db: OncallDb) -> None:
    """One request waits for the answer; the others are told at once what was last known."""
    from oncall.airflow.health import SharedHealth

    clock = [0.0]
    shared = SharedHealth(lambda: clock[0])
    first = shared.read()
    clock[0] += 2.5
    with oncall_db.decision_lock() as decision:
        decision._cursor.execute("lock table oncall.memory in access exclusive mode")
        waiting = threading.Thread(target=shared.read)
        waiting.start()
        while not shared._asking.locked():
            time.sleep(0.01)
        began = time.monotonic()
        assert all(shared.read() is first for _ in range(50))
        assert time.monotonic() - began < 2
    waiting.join()


def test_a_database_that_is_down_is_not_asked_at_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refusal costs up to three seconds: for five it is repeated from memory."""
    from oncall.airflow.health import SharedHealth

    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", "postgresql://postgres@127.0.0.1:1/nowhere")
    clock = [0.0]
    shared = SharedHealth(lambda: clock[0])
    for _ in range(3):
        with pytest.raises(Unreadable):
            shared.read()
    assert shared._until == pytest.approx(5.0)
