"""The night, for every test of this folder."""

from collections.abc import Iterator

import pytest
from structlog.contextvars import clear_contextvars

from tests.usecases.conftest_night import night as night
from tests.usecases.conftest_night import night_in_memory as night_in_memory


@pytest.fixture(autouse=True)
def nothing_bound_to_the_log() -> Iterator[None]:
    """What a sender binds in a thread of its own a test binds in its only one: the next test would read it."""
    yield
    clear_contextvars()
