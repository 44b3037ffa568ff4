"""Stacks for tests: on free ports, in a folder of their own, gone afterwards; beside the laptop's own one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sandbox.stack.environment import REPOSITORY
from sandbox.stack.stack import AIRFLOW_COMPONENTS, Stack


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def scratch_stack(
    run_dir: Path, include_dir: Path = REPOSITORY / "include", dags_dir: Path = REPOSITORY / "dags"
) -> Iterator[Stack]:
    """A healthy stack: databases with their tables but without data, the inbox, Airflow. About 25 s on two cores.

    Nothing loads master data and nothing ran yet: who needs data loads it (`sandbox.master_data`).
    """
    stack = Stack(run_dir, include_dir, airflow_port=free_port(), inbox_port=free_port(), dags_dir=dags_dir)
    try:
        stack.remember()
        stack.prepare()
        stack.migrate()
        for name in ("inbox", *AIRFLOW_COMPONENTS):
            stack.start(name)
        stack.wait_until_healthy()
        yield stack
    finally:
        stack.stop(patience_s=1)  # nobody misses what it had in hand
