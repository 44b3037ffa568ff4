"""What the check of docker-compose.yaml is made of, without docker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from slack_sdk import WebClient

from sandbox.inbox.testing import RunningInbox
from sandbox.stack.environment import REPOSITORY
from tests.compose import compose_handbook
from tests.compose.compose_check import check
from tests.compose.compose_ground import Ground
from tests.compose.compose_project import NAME, ComposeFailed, Container, Project, turn
from tests.compose.compose_settings import listed, process_environment, variables

Docker = Callable[[str], Project]
ROW: dict[str, object] = {"ID": "0123456789ab", "Name": f"{NAME}-worker-2", "Service": "worker", "Health": ""}
ROW |= {"State": "exited", "ExitCode": 137}


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    """A project on a `docker` that does what this shell script says."""

    def with_script(script: str) -> Project:
        program = tmp_path / "docker"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return Project({"PATH": f"{tmp_path}:{os.environ['PATH']}"})

    return with_script


def test_whatever_the_compose_file_requires_is_chosen() -> None:
    """No more is asked of a user's .env than the check gives."""
    text = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required <= variables().keys()
    assert variables().keys() <= listed()


def test_secrets_are_drawn_anew_and_fit_into_an_address() -> None:
    """Two checks share none; passwords are parts of URLs."""
    first, other = variables(), variables()
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET"):
        assert first[name] != other[name]
    assert first["POSTGRES_PASSWORD"].isalnum()


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


@pytest.mark.parametrize("listing", [json.dumps([ROW]), json.dumps(ROW)], ids=["array", "object a line"])
def test_every_compose_lists_its_containers(docker: Docker, listing: str) -> None:
    """Compose 2.20 answers with one array, later ones with an object a line."""
    (container,) = docker(f"echo '{listing}'").containers()
    assert str(container) == "worker-2"
    assert container.exit_code == 137


def test_an_old_compose_is_refused(docker: Docker) -> None:
    """Before anything is built."""
    assert docker("echo v2.26.1-4").require_docker() == "2.26.1-4"
    with pytest.raises(ComposeFailed, match=r"2\.19\.3 is too old; install 2\.20"):
        docker("echo 2.19.3").require_docker()


def test_what_failed_is_told_in_its_own_words(docker: Docker) -> None:
    """Also when it took minutes, and when it never ended."""
    project = docker("echo service worker has no image >&2; exit 1")
    with pytest.raises(ComposeFailed, match="`docker up` failed:\nservice worker has no image"):
        project.compose("up")
    with pytest.raises(ComposeFailed, match="service worker has no image"):
        project.compose_meanwhile(("up", "--wait"), 10, lambda: None)
    with pytest.raises(ComposeFailed, match="`docker up` was not done after 0 s"):
        docker("exec sleep 30").compose("up", within_s=0.2)


def test_a_check_that_fails_shows_logs_and_takes_everything_away(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log of what is not well, and of nothing else; then nothing is left."""
    well = ROW | {"ID": "fedcba987654", "Name": f"{NAME}-redis-1", "State": "running", "ExitCode": 0}
    script = f"""
        case "$*" in
            *"version --short") echo 2.26.1 ;;
            *" up "*) echo dependency failed to start; exit 1 ;;
            *" ps "*) echo '{json.dumps(ROW)}'; echo '{json.dumps(well)}' ;;
            "logs "*{ROW["ID"]}) echo killed for want of memory >&2 ;;
            *" down "*) echo down >> {tmp_path}/downs ;;
        esac"""
    path = docker(script).environment["PATH"]
    monkeypatch.setenv("PATH", path)
    with pytest.raises(ComposeFailed, match="dependency failed to start"):
        check("missing", keep=False)
    said = capsys.readouterr().out
    assert "--- worker-2: the last 40 lines\nkilled for want of memory" in said
    assert "--- redis-1" not in said
    assert (tmp_path / "downs").read_text() == "down\n" * 2, "before and after"


@pytest.mark.parametrize(
    "chapter", [compose_handbook.UPGRADE, compose_handbook.BACK_UP, compose_handbook.RESTORE]
)
def test_the_operations_page_has_commands_for_whoever_runs_the_stack(chapter: str) -> None:
    """A shell can read them, and all of them are about the stack; what a chapter does not have is told."""
    script = compose_handbook.commands(chapter)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert all("docker compose" in line for line in script.splitlines())
    with pytest.raises(ComposeFailed, match="no commands under “Paint it”"):
        compose_handbook.commands("Paint it")


def test_its_commands_mean_the_project_under_check(docker: Docker, tmp_path: Path) -> None:
    """Nobody's own stack is upgraded, and what the first line failed at is told."""
    project = docker("echo $COMPOSE_PROJECT_NAME $COMPOSE_PROFILES $PWD $*; exit 3")
    with pytest.raises(ComposeFailed, match=rf"{NAME} sandbox {tmp_path} compose build$"):
        project.typed("docker compose build\ndocker compose up", tmp_path, 10)


def test_one_check_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would take each other's containers away."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with turn(), pytest.raises(ComposeFailed, match="going on already"), turn():
        pass


def test_what_was_said_twice_is_found(inbox: RunningInbox, slack: WebClient) -> None:
    """Two messages of one step, and two threads of one incident; one of each is as it should be."""
    known = {"AIRFLOW_BASE_URL": "", "AIRFLOW_ADMIN_PASSWORD": "", "INBOX_PORT": inbox.url.rpartition(":")[2]}
    ground = Ground(Project(known))

    def tell(step: str, thread_ts: str | None = None) -> str:
        payload = {"event_type": "oncall", "event_payload": {"key": "a:1", "step": step}}
        posted = slack.chat_postMessage(
            channel="#de-oncall", text=step, metadata=payload, thread_ts=thread_ts
        )
        return str(posted["ts"])

    thread = tell("page-1-primary")
    tell("resolved", thread)
    assert ground.said_twice() == []
    tell("resolved")
    assert ground.said_twice() == ["a:1:resolved in Slack", "the thread of a:1"]
