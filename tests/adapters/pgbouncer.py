"""A real PgBouncer in transaction mode before a real PostgreSQL, for tests: finds it, starts it; installs nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sandbox.stack.postgres import SandboxError, Server

START_TIMEOUT_S = 10


def find() -> str | None:
    """Its path."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def running_pgbouncer(server: Server, folder: Path, *more: str) -> Iterator[int]:
    """Its port on 127.0.0.1, as installed but for the mode; every database of the server is behind it, for anybody.

    `more`: lines of its settings. Two server connections serve everybody: whoever relies on a session is found out.
    """
    program = find()
    if program is None:
        raise SandboxError("there is no pgbouncer: apt-get install pgbouncer")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = folder / "pgbouncer.ini"
    lines = [
        "[databases]",
        f"* = host={server.socket_dir} user=postgres",
        "[pgbouncer]",
        "pool_mode = transaction",
        "auth_type = any",
        "listen_addr = 127.0.0.1",
        f"listen_port = {port}",
        "unix_socket_dir =",
        "default_pool_size = 2",
        *more,
    ]
    settings.write_text("\n".join([*lines, ""]), encoding="utf-8")
    settings.chmod(0o644)
    with open(folder / "pgbouncer.log", "ab") as log:
        # It refuses root; whoever runs the server may open its socket.
        owner = server.data_dir.stat().st_uid if os.getuid() == 0 else None
        process = subprocess.Popen([program, str(settings)], user=owner, stdout=log, stderr=log)
    try:
        _wait_until_listens(process, port, folder / "pgbouncer.log")
        yield port
    finally:
        process.kill()
        process.wait()


def _wait_until_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SandboxError(f"pgbouncer did not start: {log.read_text(encoding='utf-8').strip()}")
