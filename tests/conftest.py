"""What the tests of every folder share: one real PostgreSQL for the session, and a new database for a test."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.postgres import Server, start


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running PostgreSQL; each xdist worker starts its own (about a second)."""
    # Not pytest's own temporary folder: its path grows too long for a socket, and it is closed to others, while
    # as root the server runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="oncall-pg-"))
    server = start(folder / "data")
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh_database(postgres: Server) -> Iterator[str]:
    """The DSN of a new, empty database, dropped after the test: `postgresql://postgres@/name?host=/dir`."""
    name = f"test_{uuid.uuid4().hex}"
    try:
        yield postgres.ensure_database(name)
    finally:
        postgres.drop_database(name)
