"""The check of docker-compose.yaml: its settings here, the whole of it where there is docker (`pytest -m docker`)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from sandbox.compose.project import Container
from sandbox.compose.settings import listed, process_environment, variables
from sandbox.environment import REPOSITORY


def test_whatever_the_compose_file_requires_is_chosen() -> None:
    """No more is asked of a user's .env than the check gives."""
    text = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required <= variables().keys()
    assert variables().keys() <= listed()


def test_secrets_are_drawn_anew_and_fit_into_an_address() -> None:
    """Two checks share none; passwords are parts of URLs."""
    one, other = variables(), variables()
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET"):
        assert one[name] != other[name]
    assert one["POSTGRES_PASSWORD"].isalnum()


def test_nobody_real_is_paged(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this shell has set for a real installation does not reach the check."""
    monkeypatch.setenv("OPSGENIE_CONNECTION", "the real one")
    monkeypatch.setenv("AIRFLOW_CONN_OPSGENIE_API", "the real one")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "the real one")
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker:2375")
    environment = process_environment(variables())
    assert "the real one" not in environment.values()
    assert environment["DOCKER_HOST"] == "tcp://docker:2375"
    for name in ("OPSGENIE_CONNECTION", "SLACK_CONNECTION"):
        assert "inbox:8025" in json.dumps(json.loads(environment[name]))


@pytest.mark.parametrize(
    ("state", "health", "exit_code", "well"),
    [
        ("running", "healthy", 0, True),
        ("running", "", 0, True),
        ("running", "starting", 0, False),
        ("running", "unhealthy", 0, False),
        ("exited", "", 0, True),
        ("exited", "", 137, False),
        ("restarting", "", 1, False),
    ],
)
def test_a_container_is_well_when_it_runs_or_is_done(
    state: str, health: str, exit_code: int, well: bool
) -> None:
    """What starts is not well yet, what was killed is not well any more."""
    assert Container("0123456789abcdef", "a", "a", state, health, exit_code).well is well


def test_a_container_is_known_by_its_host_name() -> None:
    """Airflow writes down the container's short id, or its name with a domain."""
    container = Container("0123456789abcdef", "a", "a", "running", "", 0)
    assert container.is_host("0123456789ab")
    assert container.is_host("0123456789ab.network")
    assert not container.is_host("fedcba987654")
    assert not container.is_host("")


@pytest.mark.docker
@pytest.mark.timeout(3600)
def test_the_stack_boots_scales_and_survives(
    request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    """`make compose-check`, with COMPOSE_CHECK_PULL as it is set."""
    if request.config.getoption("markexpr") != "docker":
        pytest.skip("a quarter of an hour, for whoever asks: pytest -m docker")
    if shutil.which("docker") is None:
        pytest.skip("there is no docker on this machine")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "plugins")}
    with capfd.disabled():
        done = subprocess.run([sys.executable, "-m", "sandbox.compose"], cwd=REPOSITORY, env=environment)
    assert done.returncode == 0
