"""Which stack the commands mean, by the shell's variables and by what the run folder was started with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.stack.environment import REPOSITORY


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
