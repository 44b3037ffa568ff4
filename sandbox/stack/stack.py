"""Everything a laptop runs, as one thing to start and stop: knows the components, their order and their health.

Two stacks can stand beside each other: all that they own is below `run_dir`, and each has ports of its own.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psycopg2

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.oncall_db import OncallDb
from oncall.usecases.watch_record import SINCE
from pipelines import runner
from sandbox.master_data.loading import create_schema
from sandbox.stack import postgres
from sandbox.stack.airflow_api import AirflowApi
from sandbox.stack.environment import DATABASES, LOGINS, REPOSITORY, environment
from sandbox.stack.postgres import SandboxError, Server
from sandbox.stack.processes import END_WITHIN_S, Background, stop_all
from sandbox.stack.waiting import SAY_AGAIN_S, Say, wait_until

AIRFLOW = (sys.executable, "-m", "airflow")
# In the order they start. `triggerer@2` is a second triggerer: any name may be followed by @ and something.
AIRFLOW_COMPONENTS = ("scheduler", "dag-processor", "triggerer", "api-server")
COMPONENTS = ("inbox", "nightly", *AIRFLOW_COMPONENTS)
HEALTHY_WITHIN_S = 300
REMEMBERED = ("include_dir", "airflow_port", "inbox_port")
PORTS = {"airflow_port": "api-server", "inbox_port": "inbox"}


def _silently(_: str) -> None:
    """Nobody is told."""


def _tail(path: Path, lines: int, since: int = 0) -> str:
    """The last lines of a log, of what was written `since` it had so many bytes."""
    text = path.read_bytes()[since:].decode("utf-8", "replace") if path.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def _remembered(run_dir: Path) -> dict[str, str]:
    """What a run folder was started with; nothing where that was never written, or not to its end."""
    try:
        choices = json.loads((run_dir / "stack.json").read_text(encoding="utf-8"))
        return {name: str(choices[name]) for name in REMEMBERED}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _port(variable: str, written: int | str) -> int:
    if not str(written).strip().isdecimal() or not 0 < int(written) < 65536:
        raise SandboxError(f"{variable} is {written!r}, which is no port; write a number such as 8090")
    return int(written)


@dataclass(frozen=True)
class Stack:
    """Where one stack lives and which ports it has. `include_dir` holds its roster, runbooks and SQL.

    `dags_dir` is only other than the repository's for tests that break DAG files.
    """

    run_dir: Path
    include_dir: Path = REPOSITORY / "include"
    airflow_port: int = 8080
    inbox_port: int = 8025
    dags_dir: Path = REPOSITORY / "dags"

    @property
    def airflow_url(self) -> str:
        return f"http://127.0.0.1:{self.airflow_port}"

    @property
    def inbox_url(self) -> str:
        return f"http://127.0.0.1:{self.inbox_port}"

    @property
    def inbox_journal(self) -> Path:
        """What the inbox was told, one JSON object a line."""
        return self.run_dir / "inbox.jsonl"

    @classmethod
    def chosen(cls) -> Stack:
        """The stack meant by ONCALL_RUN_DIR, ONCALL_INCLUDE_DIR, ONCALL_AIRFLOW_PORT and ONCALL_INBOX_PORT.

        Raises SandboxError for a port that is none.
        What is not set is as it was when this run folder was started, and otherwise as it usually is.
        """
        run_dir = Path(os.environ.get("ONCALL_RUN_DIR", REPOSITORY / ".run")).resolve()
        asked = {
            name: os.environ[f"ONCALL_{name.upper()}"]
            for name in REMEMBERED
            if os.environ.get(f"ONCALL_{name.upper()}")
        }
        usual = cls(run_dir)
        chosen = {name: getattr(usual, name) for name in REMEMBERED} | _remembered(run_dir) | asked
        return cls(
            run_dir,
            Path(chosen["include_dir"]).resolve(),
            _port("ONCALL_AIRFLOW_PORT", chosen["airflow_port"]),
            _port("ONCALL_INBOX_PORT", chosen["inbox_port"]),
        )

    def remember(self) -> None:
        """Write the choices down for `chosen`, so that later commands need not repeat them.

        Raises SandboxError for one port twice, and for another port than that of what runs.
        """
        if self.airflow_port == self.inbox_port:
            raise SandboxError(f"port {self.airflow_port} is asked for twice; give the inbox one of its own")
        self.run_dir.mkdir(parents=True, exist_ok=True)
        choices = {name: str(getattr(self, name)) for name in REMEMBERED}
        before = _remembered(self.run_dir) or choices
        for name, component in PORTS.items():
            if choices[name] != before[name] and self.component(component).running():
                raise SandboxError(
                    f"the {component} runs with ONCALL_{name.upper()}={before[name]}; to change that, `make down` first"
                )
        (self.run_dir / "stack.json").write_text(json.dumps(choices), encoding="utf-8")

    @contextmanager
    def coming_up(self) -> Iterator[None]:
        """While one `make up` is at work; the kernel ends it with the process. Raises SandboxError for a second one."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        with open(self.run_dir / "coming_up", "a", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SandboxError(
                    f"another `make up` is at work in {self.run_dir}; wait for its end"
                ) from error
            yield

    def is_coming_up(self) -> bool:
        """Whether a `make up` is at work."""
        try:
            with self.coming_up():
                return False
        except SandboxError:
            return True

    def server(self) -> Server:
        """The stack's PostgreSQL, started unless it runs."""
        return postgres.start(self.run_dir / "postgres")

    def env(self) -> dict[str, str]:
        """The environment of its processes; starts PostgreSQL, whose socket is part of it."""
        return environment(self, self.server())

    def component(self, name: str) -> Background:
        """A component by its name, running or not."""
        return Background(
            name,
            self._command(name.partition("@")[0]),
            log=self.run_dir / "logs" / f"{name}.log",
            pid_file=self.run_dir / "pids" / name,
        )

    def components(self) -> list[Background]:
        """The usual components, and the further ones that were started by name."""
        started = {path.name for path in (self.run_dir / "pids").glob("*")}
        return [self.component(name) for name in (*COMPONENTS, *sorted(started - set(COMPONENTS)))]

    def outdated(self) -> list[str]:
        """The names of components that run and began before their code was changed last.

        DAG files and include/ are not meant: they are read anew by themselves.
        """
        files = [path for folder in ("plugins", "sandbox") for path in (REPOSITORY / folder).rglob("*")]
        # Bytecode comes and goes.
        code = [path for path in files if "__pycache__" not in path.parts and path.is_file()]
        changed_at = max(path.stat().st_mtime for path in (REPOSITORY / "requirements.lock", *code))
        began = {one: one.pid_file.stat().st_mtime for one in self.components() if one.running()}
        return [one.name for one, at in began.items() if at < changed_at]

    def prepare(self) -> Server:
        """PostgreSQL with its databases and tables, without Airflow's."""
        server = self.server()
        for name in DATABASES:
            server.ensure_database(name)
        with closing(psycopg2.connect(server.uri("warehouse"))) as connection:
            create_schema(connection)
            runner.install(connection)
        self._watched_from_now_on(server)
        return server

    def _watched_from_now_on(self, server: Server) -> None:
        """The past is made up: nobody watched it, so what fell due in it is not paged for.

        The watcher would take the reports of these days for those of a store that has lost its memory.
        """
        store = OncallDb(connect_to(server.uri("oncall")))
        store.install()
        if store.get_note(SINCE) is None:
            store.set_note(SINCE, dt.datetime.now(dt.UTC).isoformat())

    def migrate(self, say: Say = _silently) -> None:
        """Airflow's own tables, unless this version has made them already."""
        done = self.run_dir / "airflow" / "migrated"
        if done.exists() and done.read_text(encoding="utf-8") == version("apache-airflow"):
            return
        self.run((*AIRFLOW, "db", "migrate"), log="migrate", say=say)
        done.write_text(version("apache-airflow"), encoding="utf-8")

    def start(self, name: str, **environment: str) -> bool:
        """Start a component unless it runs; True when it had to be started. `environment`: of this one alone."""
        component = self.component(name)
        if component.running() is None:
            self._refuse_taken_port(name)
        return component.start(self.env() | environment, cwd=REPOSITORY)

    def kill(self, name: str) -> None:
        """SIGKILL to the component and all it forked, as if its machine had died."""
        self.component(name).kill()

    def restart(self, name: str) -> None:
        """Stop the component in its own time, start it again."""
        stop_all([self.component(name)])
        self.start(name)

    def stop(self, patience_s: float = END_WITHIN_S) -> list[str]:
        """Stop everything, PostgreSQL last, and kill what has not ended after so long; the names of what ran."""
        stopped = stop_all(list(reversed(self.components())), patience_s)
        data = self.run_dir / "postgres"
        if (data / "postmaster.pid").exists():
            Server(data, data).stop()
            stopped.append("postgres")
        return stopped

    def run(self, command: tuple[str, ...], log: str, say: Say = _silently) -> None:
        """Run a command of the stack to its end, its output in a log, of which the newest line is said now and then.

        Raises SandboxError with the log's end.
        """
        path = self.run_dir / "logs" / f"{log}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat().st_size if path.exists() else 0  # what a command before this one has said
        with (
            open(path, "ab") as file,
            subprocess.Popen(command, env=self.env(), cwd=REPOSITORY, stdout=file, stderr=file) as process,
        ):
            while True:
                try:
                    process.wait(SAY_AGAIN_S)
                    break
                except subprocess.TimeoutExpired:
                    say(f"{log} is at work: {_tail(path, 1, before) or 'nothing said yet'}")
        if process.returncode != 0:
            end = _tail(path, 15, before)
            raise SandboxError(f"`{shlex.join(command)}` failed; the end of {path}:\n{end}")

    def api(self, username: str = "admin") -> AirflowApi:
        """Airflow's API as one of the laptop's users."""
        return AirflowApi(self.airflow_url, username, LOGINS[username])

    def wait_until_healthy(self, say: Say = _silently, *, but: tuple[str, ...] = ()) -> None:
        """Return when all parts of Airflow `but` these say they are healthy. Raises SandboxError, naming the sick."""

        def unhealthy() -> str:
            health = self.api().health()
            sick = sorted(part for part, state in health.items() if state != "healthy" and part not in but)
            if sick or not health:
                self.refuse_ended(name for name in AIRFLOW_COMPONENTS if name not in but)
            if not health:
                return "the api-server to answer"
            return f"Airflow to find healthy: {', '.join(sick)}" if sick else ""

        if left := wait_until(unhealthy, HEALTHY_WITHIN_S, say, every_s=0.5):
            raise SandboxError(
                f"after {HEALTHY_WITHIN_S} s still waiting for {left}. On a very busy machine, run the same command"
                f" again: it goes on from here. The logs: {self.run_dir / 'logs'}"
            )

    def refuse_ended(self, names: Iterable[str]) -> None:
        """Raises SandboxError with the end of the log of a component that does not run."""
        for name in names:
            if (component := self.component(name)).running() is None:
                raise SandboxError(
                    f"{name} has ended; the end of {component.log}:\n{_tail(component.log, 5)}"
                )

    def _refuse_taken_port(self, name: str) -> None:
        choice = next((choice for choice, component in PORTS.items() if component == name), None)
        if choice is None:
            return
        port = getattr(self, choice)
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                why, other = "is taken by another program", port + 1
                if isinstance(error, PermissionError):
                    why, other = "is for root alone", port + 8000
                raise SandboxError(
                    f"port {port} of the {name} {why}; choose one: ONCALL_{choice.upper()}={other} make up"
                ) from error

    def _command(self, kind: str) -> tuple[str, ...]:
        here = (sys.executable, "-m")
        commands: dict[str, tuple[str, ...]] = {
            "inbox": (
                *here,
                "sandbox.inbox",
                "--port",
                str(self.inbox_port),
                "--journal",
                str(self.inbox_journal),
            ),
            "nightly": (*here, "sandbox.master_data.nightly"),
            # The logs are on this disk, where the api-server reads them: no log servers.
            "scheduler": (*AIRFLOW, "scheduler", "--skip-serve-logs"),
            "dag-processor": (*AIRFLOW, "dag-processor"),
            "triggerer": (*AIRFLOW, "triggerer", "--skip-serve-logs"),
            "api-server": (*AIRFLOW, "api-server", "--host", "127.0.0.1", "--port", str(self.airflow_port)),
        }
        if kind not in commands:
            raise SandboxError(f"there is no component {kind!r}; there are {', '.join(commands)}")
        return commands[kind]
