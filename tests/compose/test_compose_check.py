"""The whole of docker-compose.yaml, in containers (Docker with Compose 2.20, about 4 GB, about twenty minutes).

COMPOSE_CHECK_PULL=missing|always|never says whether images are pulled (never: images of the same names are here);
COMPOSE_CHECK_KEEP=1 leaves the stack standing.
"""

from __future__ import annotations

import os
import shutil

import pytest

from tests.compose.compose_check import check
from tests.compose.compose_project import turn


@pytest.mark.docker
@pytest.mark.timeout(3600)
def test_the_stack_boots_scales_survives_and_is_restored(
    request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is lost when one of each is killed, on an upgrade, and with PostgreSQL and its volume."""
    if request.config.getoption("markexpr") != "docker":
        pytest.skip("a quarter of an hour, for whoever asks: pytest -m docker")
    if shutil.which("docker") is None:
        pytest.skip("there is no docker on this machine")
    with capfd.disabled(), turn():
        check(
            os.environ.get("COMPOSE_CHECK_PULL", "missing"), keep=bool(os.environ.get("COMPOSE_CHECK_KEEP"))
        )
