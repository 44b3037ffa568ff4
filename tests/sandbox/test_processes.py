"""Background processes: started once, ended with all they forked, whoever started them."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sandbox.stack.processes import Background, stop_all

FORKS = "import os, time\nif os.fork() == 0: time.sleep(60)\nprint('ready', flush=True)\ntime.sleep(60)"
DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(60)"

Make = Callable[[str], Background]


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Make]:
    """Makes a started process of a Python program that prints `ready`."""
    made: list[Background] = []

    def make(program: str) -> Background:
        name = f"p{len(made)}"
        process = Background(name, (sys.executable, "-c", program), tmp_path / f"{name}.log", tmp_path / name)
        made.append(process)
        assert process.start(os.environ, tmp_path)
        until(lambda: "ready" in process.log.read_text())
        return process

    yield make
    for process in made:
        process.kill()


def until(happened: Callable[[], bool], seconds: float = 10) -> None:
    """Return as soon as it happened; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_a_running_process_is_not_started_again(background: Make, tmp_path: Path) -> None:
    """Starting twice keeps the first one."""
    process = background(FORKS)
    pid = process.pid
    assert not process.start(os.environ, tmp_path)
    assert process.pid == pid


def test_kill_takes_the_forks_along(background: Make) -> None:
    """No worker outlives a killed scheduler."""
    process = background(FORKS)
    assert len(process.members()) == 2
    process.kill()
    assert process.members() == []
    assert process.pid is None


def test_the_forks_of_a_crashed_process_are_swept_before_it_starts_again(
    background: Make, tmp_path: Path
) -> None:
    """What a dead process left behind does not stand beside its successor."""
    process = background(FORKS)
    process.signal(signal.SIGKILL)
    until(lambda: process.running() is None)
    (orphan,) = process.members()
    assert process.start(os.environ, tmp_path)
    # Where nobody adopts orphans (a container without init), a dead one stays a zombie.
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


def test_who_does_not_listen_is_killed_after_the_timeout(background: Make) -> None:
    """Stopping ends, also for a process that ignores SIGTERM."""
    deaf, polite = background(DEAF), background(FORKS)
    assert stop_all([deaf, polite], timeout=0.5) == [deaf.name, polite.name]
    assert deaf.members() == polite.members() == []
    assert stop_all([deaf, polite]) == []


def test_a_pid_file_from_before_the_last_boot_says_nothing(background: Make) -> None:
    """After a restart of the machine the number may be anybody's, who must not be killed."""
    process = background(FORKS)
    members = process.members()
    written = process.pid_file.read_text()
    process.pid_file.write_text(json.dumps(json.loads(written) | {"boot": "an older one"}))
    assert process.members() == []
    process.pid_file.write_text(written)
    assert process.members() == members


def test_a_clock_that_is_set_changes_nothing(background: Make) -> None:
    """A laptop that wakes up in another zone of time still knows what it started."""
    process = background(FORKS)
    members = process.members()
    os.utime(process.pid_file, (0, 0))
    assert process.members() == members
