"""One Compose project with a name of its own: starts, scales, kills and asks its containers. Knows no promise."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.stack.environment import REPOSITORY

NAME = "investor-pipelines-check"
OLDEST = (2, 20)
ASK_S, DOWN_S = 60, 180


class ComposeFailed(Exception):
    """Docker or one of the containers did not do what was asked; the message is for whoever runs the check."""


@dataclass(frozen=True)
class Container:
    """A container as Compose lists it. `health` is "" where there is no health check."""

    id: str
    name: str
    service: str
    state: str
    health: str
    exit_code: int

    @property
    def done(self) -> bool:
        """It ran once, to a good end."""
        return self.state == "exited" and self.exit_code == 0

    @property
    def well(self) -> bool:
        """Running and not known to be ill, or done."""
        return self.done or (self.state == "running" and self.health in ("", "healthy"))

    def is_host(self, hostname: str) -> bool:
        """Whether Airflow calls this container so."""
        return bool(hostname) and self.id.startswith(hostname.partition(".")[0])

    def __str__(self) -> str:
        return self.name.removeprefix(f"{NAME}-")


@contextmanager
def turn() -> Iterator[None]:
    """While the body runs no other check does: they would take each other's containers away. Raises ComposeFailed."""
    with open(Path(tempfile.gettempdir(), f"{NAME}.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ComposeFailed("a check is going on already on this machine") from None
        yield


@dataclass(frozen=True)
class Project:
    """docker-compose.yaml with the sandbox profile and these variables; no .env file is read."""

    environment: Mapping[str, str]

    @property
    def command(self) -> tuple[str, ...]:
        return (
            *("docker", "compose", "--project-name", NAME, "--env-file", os.devnull),
            *("--file", str(REPOSITORY / "docker-compose.yaml"), "--profile", "sandbox"),
        )

    def compose(self, *arguments: str, within_s: float = ASK_S) -> str:
        """Run `docker compose …` to its end; what it printed. Raises ComposeFailed."""
        return self._run((*self.command, *arguments), within_s)

    def compose_meanwhile(
        self, arguments: Sequence[str], within_s: float, glance: Callable[[], None]
    ) -> None:
        """The same for what takes minutes: `glance` is called every 2 s while it runs."""
        process = subprocess.Popen(
            (*self.command, *arguments), env=dict(self.environment), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            for _ in range(int(within_s / 2)):
                try:
                    said, _ = process.communicate(timeout=2)
                    break
                except subprocess.TimeoutExpired:
                    glance()
            else:
                raise ComposeFailed(f"`docker compose {arguments[0]}` was not done after {within_s:.0f} s")
        finally:
            process.kill()
        if process.returncode != 0:
            raise ComposeFailed(f"`docker compose {' '.join(arguments)}` failed:\n{_tail(said, 30)}")

    def typed(self, commands: str, folder: Path, within_s: float) -> None:
        """Run what a person types in `folder`, `docker compose` meaning this project; the first that fails ends it."""
        meant = {
            "COMPOSE_PROJECT_NAME": NAME,
            "COMPOSE_FILE": str(REPOSITORY / "docker-compose.yaml"),
            "COMPOSE_PROFILES": "sandbox",
            "COMPOSE_ENV_FILES": os.devnull,
        }
        here = replace(self, environment={**self.environment, **meant})
        here._run(("bash", "-euo", "pipefail", "-c", commands), within_s, folder)

    def remove_volume(self, name: str) -> None:
        self._run(("docker", "volume", "rm", f"{NAME}_{name}"), ASK_S)

    def require_docker(self) -> str:
        """Which Compose it is. Raises ComposeFailed when it is too old or nobody answers."""
        version = self._run(("docker", "compose", "version", "--short"), ASK_S).strip().removeprefix("v")
        numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2])
        if numbers < OLDEST:
            raise ComposeFailed(f"Docker Compose {version} is too old; install 2.20 or newer")
        self._run(("docker", "info"), ASK_S)
        return version

    def containers(self, service: str = "") -> list[Container]:
        """All of them, or a service's, also those that have ended."""
        said = self.compose("ps", "--all", "--format", "json", *([service] if service else []))
        # An array until Compose 2.20, then an object a line.
        rows = json.loads(said) if said.startswith("[") else [json.loads(line) for line in said.splitlines()]
        return [
            Container(
                row["ID"], row["Name"], row["Service"], row["State"], row["Health"], int(row["ExitCode"])
            )
            for row in rows
        ]

    def running(self, service: str) -> list[Container]:
        return [container for container in self.containers(service) if container.state == "running"]

    def kill(self, containers: Sequence[Container]) -> None:
        """SIGKILL to all at once, as if their machines had died; Docker does not start them again."""
        self._run(("docker", "kill", *(container.id for container in containers)), ASK_S)

    def execute(self, container: Container, script: str) -> str:
        """Run a shell script in a container; what it printed."""
        return self._run(("docker", "exec", container.id, "sh", "-c", script), ASK_S)

    def sql(self, database: str, statement: str) -> list[list[str]]:
        """The rows of the statement's answer, as text."""
        said = self.compose(*self._psql(database, statement))
        return [line.split("\t") for line in said.splitlines()]

    def sql_meanwhile(self, database: str, statement: str) -> None:
        """Start a statement that takes long, and do not wait for it."""
        exec_, *rest = self._psql(database, statement)
        self.compose(exec_, "--detach", *rest)

    def logs(self, container: Container, lines: int) -> str:
        """The end of what it logged, and of what its health check said."""
        said = self._run(("docker", "logs", "--tail", str(lines), container.id), ASK_S)
        health = "{{with .State.Health}}{{range .Log}}{{.ExitCode}} {{.Output}}{{end}}{{end}}"
        checked = self._run(("docker", "inspect", "--format", health, container.id), ASK_S)
        return f"{_tail(said, lines)}\nits health check: {_tail(checked, 3) or '-'}"

    def down(self) -> None:
        """Stop and remove containers, volumes and network; nothing being there is fine."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", within_s=DOWN_S)

    def _psql(self, database: str, statement: str) -> tuple[str, ...]:
        options = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=\t")
        return (
            *("exec", "--no-TTY", "postgres", "psql", "--username=postgres", f"--dbname={database}"),
            *(*options, "--set=ON_ERROR_STOP=1", f"--command={statement}"),
        )

    def _run(self, command: Sequence[str], within_s: float, folder: Path | None = None) -> str:
        shown = " ".join((command[0], *(word for word in command[1:] if word not in self.command)))
        try:
            done = subprocess.run(
                command, cwd=folder, env=dict(self.environment), stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=within_s, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise ComposeFailed(
                "there is no `docker` on this machine; install Docker with Compose 2.20 or newer"
            ) from None
        except subprocess.TimeoutExpired:
            raise ComposeFailed(f"`{shown}` was not done after {within_s:.0f} s") from None
        if done.returncode != 0:
            raise ComposeFailed(f"`{shown}` failed:\n{_tail(done.stderr or done.stdout, 30)}")
        # `docker logs` writes what the container wrote to either.
        return done.stdout + (done.stderr if command[:2] == ("docker", "logs") else "")


def _tail(text: str, lines: int) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
