"""Background processes that outlive the command that started them: knows pid files and signals, not what they run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

END_WITHIN_S = 20.0  # what is asked to end may take so long


@dataclass(frozen=True)
class Background:
    """One named process in a session of its own, with a log and a pid file.

    It and everything it forks die together: whoever kills a scheduler wants its executor's workers gone too.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    pid_file: Path

    def start(self, env: Mapping[str, str], cwd: Path) -> bool:
        """Start it unless it runs; True when it had to be started. What a dead one left behind is killed first."""
        if self.running() is not None:
            return False
        self.kill()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                self.command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid_file.write_text(json.dumps({"pid": process.pid, "boot": _this_boot()}), encoding="utf-8")
        return True

    def running(self) -> psutil.Process | None:
        """The process itself, or None when it is gone (its forks may still be there: `members`)."""
        for process in self.members():
            if process.pid == self.pid:
                return process
        return None

    @property
    def pid(self) -> int | None:
        """The number it was started with since the last boot, running or not; an older one may be anybody's now."""
        with suppress(OSError, ValueError, KeyError):
            started = json.loads(self.pid_file.read_text(encoding="utf-8"))
            return int(started["pid"]) if started.get("boot", _this_boot()) == _this_boot() else None
        return None

    def members(self) -> list[psutil.Process]:
        """Every live process of its session, and the forks that left the session."""
        pid = self.pid
        if pid is None:
            return []
        found = [process for process in psutil.process_iter() if _session(process) == pid]
        for process in tuple(found):
            with suppress(psutil.Error):
                found += [child for child in process.children(recursive=True) if child not in found]
        return [process for process in found if _alive(process)]

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Signal the process alone; it tells its forks itself."""
        if (process := self.running()) is not None:
            with suppress(psutil.Error):
                process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to all of it, as if its machine had died; forgets the pid file."""
        members = self.members()
        for process in members:
            with suppress(psutil.Error):
                process.kill()
        _reap(members, timeout=10)
        self.pid_file.unlink(missing_ok=True)


def stop_all(processes: Sequence[Background], timeout: float = END_WITHIN_S) -> list[str]:
    """SIGTERM to each, then SIGKILL to what is left after `timeout` seconds; the names that ran."""
    running = [process for process in processes if process.members()]
    members = [member for process in running for member in process.members()]
    for process in running:
        process.signal()
    _reap(members, timeout)
    for process in processes:
        process.kill()
    return [process.name for process in running]


def _this_boot() -> str:
    """What names the present boot, whatever the clock says."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return str(round(psutil.boot_time()))


def _reap(members: Sequence[psutil.Process], timeout: float) -> None:
    # Zombies count as gone: when this very process started them, only waiting removes them.
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and any(_alive(member) for member in members):
        time.sleep(0.05)


def _alive(process: psutil.Process) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None
