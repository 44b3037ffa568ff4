"""Which stack the commands mean, by the shell's variables and by what the run folder was started with."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import SandboxError
from sandbox.stack.processes import Background
from sandbox.stack.stack import PORTS, Stack


def sandbox(command: str, run_dir: Path, **variables: str) -> tuple[int, str]:
    """The exit code, and the last line that was said."""
    env = {
        **os.environ,
        "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'plugins'}",
        "ONCALL_RUN_DIR": str(run_dir),
    }
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", command],
        env=env | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, (done.stdout + done.stderr).strip().rpartition("\n")[2]


@pytest.mark.parametrize("port", ["eighty", "80.5", "0", "99999", "-1"])
def test_a_port_that_is_none_is_named(tmp_path: Path, port: str) -> None:
    """As somebody's shell has it."""
    said = f"ONCALL_INBOX_PORT is '{port}', which is no port; write a number such as 8090"
    assert sandbox("down", tmp_path, ONCALL_INBOX_PORT=port) == (1, said)


@pytest.mark.parametrize("written", ['{"include_dir": "/x', "[]", '{"airflow_port": null}', ""])
def test_choices_that_were_never_written_to_their_end_are_none(tmp_path: Path, written: str) -> None:
    """A full disk, a power cut. An empty variable is none either."""
    (tmp_path / "stack.json").write_text(written)
    assert sandbox("down", tmp_path, ONCALL_AIRFLOW_PORT="") == (0, "nothing was running")


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    """Somebody else's, or none at all."""
    (tmp_path / "file").touch()
    code, said = sandbox("env", tmp_path / "file")
    assert (code, str(tmp_path / "file") in said) == (1, True)


@pytest.mark.parametrize(("port", "component"), PORTS.items())
def test_another_port_than_that_of_what_runs_is_refused(tmp_path: Path, port: str, component: str) -> None:
    """It was waited for at the new one for five minutes, and every later command asked there."""
    stack = Stack(tmp_path)
    stack.remember()
    first, second = (replace(stack, **{port: number}) for number in (9090, 9091))  # type: ignore[arg-type]
    first.remember()  # nothing runs
    process = Background(component, ("sleep", "60"), tmp_path / "log", tmp_path / "pids" / component)
    process.start(os.environ, tmp_path)
    try:
        with pytest.raises(
            SandboxError, match=rf"runs with ONCALL_{port.upper()}=9090; .* `make down` first"
        ):
            second.remember()
        first.remember()
    finally:
        process.kill()


def test_what_runs_with_older_code_is_named(tmp_path: Path) -> None:
    """After an update `make up` said that all is well, and no DAG could be imported: their plugin was the old one."""
    stack = Stack(tmp_path)
    processes = [stack.component(name) for name in ("triggerer", "scheduler", "nightly")]
    try:
        for process in processes[:2]:
            replace(process, command=("sleep", "60")).start(os.environ, tmp_path)
        assert stack.outdated() == []
        os.utime(processes[0].pid_file, (0, 0))
        assert stack.outdated() == ["triggerer"]
    finally:
        for process in processes:
            process.kill()
    processes[2].pid_file.touch()
    assert stack.outdated() == []  # what does not run


def test_one_port_for_two_is_refused(tmp_path: Path) -> None:
    """Each would be found taken by the other."""
    with pytest.raises(SandboxError, match="port 9090 is asked for twice"):
        Stack(tmp_path, airflow_port=9090, inbox_port=9090).remember()


@pytest.mark.parametrize(
    ("error", "why", "other"),
    [
        (PermissionError(13, "Permission denied"), "is for root alone", 8080),
        (OSError(98, "Address already in use"), "is taken by another program", 81),
    ],
)
def test_a_port_that_cannot_be_had_is_named_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, why: str, other: int
) -> None:
    """The api-server would end without an answer, and be waited for."""

    class Refusing(socket.socket):
        def bind(self, _: object) -> None:
            raise error

    monkeypatch.setattr(socket, "socket", Refusing)
    with pytest.raises(SandboxError, match=rf"port 80 of the api-server {why}; .*PORT={other} make up"):
        Stack(tmp_path, airflow_port=80)._refuse_taken_port("api-server")


def test_only_one_make_up_is_at_work_and_status_knows_it(tmp_path: Path) -> None:
    """A second one would fill the same days beside the first; one that ended in any way is not in the way."""
    stack = Stack(tmp_path / "run")
    assert not stack.is_coming_up()
    with stack.coming_up():
        assert stack.is_coming_up()
        code, said = sandbox("up", stack.run_dir)
    assert (code, said) == (1, f"another `make up` is at work in {stack.run_dir}; wait for its end")
    assert not stack.is_coming_up()
