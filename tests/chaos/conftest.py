"""One stack of its own for all faults: the include and DAG folders are copies that may be broken."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.chaos_ground import Ground, ground_on


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    """A ground in a short path (PostgreSQL's socket has to fit), gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        with ground_on(folder) as ground:
            yield ground
    finally:
        shutil.rmtree(folder, ignore_errors=True)
