"""A wrong wall clock for one process of the stack: compiles `clock_ahead.c`; knows nothing of the stack."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("clock_ahead.c")


def clock_ahead(seconds: int, folder: Path) -> dict[str, str]:
    """The environment in which a process's clock is that far ahead (behind when negative); built in `folder`.

    Skips the fault where there is no C compiler or no Linux.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("a wrong clock needs a C compiler: apt-get install gcc libc6-dev")
    library = folder / "clock_ahead.so"
    if not library.exists():
        built = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
        done = subprocess.run(built, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"the wrong clock cannot be built here: {done.stderr.strip()[:200]}")
    return {"LD_PRELOAD": str(library), "CLOCK_AHEAD_S": str(seconds)}
