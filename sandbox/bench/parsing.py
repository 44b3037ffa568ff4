"""How long a process takes to parse each DAG file, beside an empty one, and to import the rules of the rota."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandbox.bench.figures import Figure, Sample, Section
from sandbox.stack.environment import REPOSITORY

TIMES = 5
EMPTY = """from airflow.sdk import DAG

with DAG("empty"):
    pass
"""
CORE = sorted((REPOSITORY / "plugins" / "oncall" / "core").glob("*.py"))
IMPORT_CORE = "\n".join(f"import oncall.core.{path.stem}" for path in CORE if path.stem != "__init__")
# The CPU time of the file alone: starting Python is no part of it.
RUN = """
import runpy, sys, time
began = time.process_time()
runpy.run_path(sys.argv[1])
print(time.process_time() - began)
"""


def measure(folder: Path) -> Section:
    """Every file in a process of its own, all in turn, so that a busy moment meets each alike."""
    empty, core, pendulum = (folder / name for name in ("empty.py", "core.py", "pendulum_alone.py"))
    empty.write_text(EMPTY, encoding="utf-8")
    core.write_text(IMPORT_CORE, encoding="utf-8")
    pendulum.write_text("import pendulum", encoding="utf-8")
    files = sorted((REPOSITORY / "dags").glob("*.py"))
    took: dict[Path, list[float]] = {path: [] for path in (empty, core, pendulum, *files)}
    for path in took:
        _parse(path, folder)  # the first time writes bytecode
    for _ in range(TIMES):
        for path, values in took.items():
            values.append(_parse(path, folder))
    nothing = _sample("an empty DAG file", took[empty])
    figures = [Figure(_sample(f"dags/{path.name}", took[path]), nothing) for path in files]
    rules = _sample("import of all of oncall.core", took[core])
    how = (
        f"{TIMES} times in a fresh process each, CPU time, without the start of Python. The empty DAG file imports"
        " `airflow.sdk` and makes a DAG without tasks. `oncall.core` are the rules, which need pendulum and no Airflow."
    )
    return Section("Parsing", how, (*figures, Figure(rules, _sample("import pendulum", took[pendulum]))))


def _sample(name: str, values: list[float]) -> Sample:
    return Sample(name, tuple(values), "ms")


def _parse(path: Path, folder: Path) -> float:
    """In ms."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "plugins"),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path)], env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1]) * 1000
