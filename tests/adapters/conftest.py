"""A far side on loopback, and Airflow connections that lead to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from tests.adapters.conftest_far import far as far
from tests.adapters.scripted import KEY, FarSide, handler


@pytest.fixture
def far_side() -> Iterator[FarSide]:
    """A server on a free port of 127.0.0.1 for one test."""
    far_side = FarSide()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(far_side))
    server.daemon_threads = True
    far_side.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield far_side
    far_side.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes an Airflow connection into the environment and returns its id; calling again changes it."""

    def write(conn_id: str = "far_side", *, password: str | None = KEY, **written: Any) -> str:
        value = {"conn_type": "generic", "password": password, **written}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))
        return conn_id

    return write
