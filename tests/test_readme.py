"""The README tells the truth: its commands exist, its files are there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.S)
COMMANDS = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]


def test_every_make_command_it_names_is_listed_by_make_help() -> None:
    """Also those in running text."""
    listed = subprocess.run(
        ["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    known = set(re.findall(r"^\s*make ([a-z-]+)", listed, re.M))
    named = set(
        re.findall(r"`?make ([a-z-]+)", "\n".join([*COMMANDS, *re.findall(r"`(make [^`]+)`", README)]))
    )
    assert named
    assert named <= known


@pytest.mark.parametrize("command", [c for c in COMMANDS if "-m oncall" in c])
def test_every_oncall_command_it_names_runs(command: str) -> None:
    """Word for word, from the repository, with this Python."""
    words = shlex.split(command.split("python -m oncall", 1)[1])
    ran = subprocess.run(
        [sys.executable, "-m", "oncall", *words],
        cwd=REPOSITORY,
        env={"PYTHONPATH": "plugins", "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


def test_every_file_it_links_to_is_there() -> None:
    """No dead link, no missing picture."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (REPOSITORY / target).exists(), target
