"""Measure what the README claims and print it as Markdown: medians, extremes, and the ratio to a named baseline.

    python -m sandbox.bench                       everything, about ten minutes
    python -m sandbox.bench --only rota look      some parts
    python -m sandbox.bench --write               everything, and write docs/BENCHMARKS.md

Asserts nothing: a busy machine makes every time longer, and the baselines beside them with it.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from sandbox import postgres
from sandbox.bench import looking, models, night, page, parsing, rota, waiting
from sandbox.bench.figures import Section
from sandbox.environment import REPOSITORY
from sandbox.postgres import SandboxError, Server

DOCUMENT = REPOSITORY / "docs" / "BENCHMARKS.md"
ROUNDS = 3
HEAD = """# Measured

What `make bench` measured last, kept by `python -m sandbox.bench --write`. Each figure stands beside a baseline of
the same run: on another machine, or a busy one, the times are others. Ratio = measured ÷ baseline.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="nights to break the promise in")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="measure these alone")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.relative_to(REPOSITORY)}")
    asked = parser.parse_args(arguments)
    if asked.write and set(asked.only) != set(PARTS):
        parser.error("--write writes the whole document: leave --only out")
    # What a look logs of its invented night would alarm whoever reads it here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    said: list[str] = []
    try:
        for line in _lines(asked.only, asked.rounds):
            print(line, flush=True)
            said.append(line)
    except SandboxError as error:
        sys.exit(f"\n{error}")
    if asked.write:
        DOCUMENT.write_text("\n".join(said) + "\n", encoding="utf-8")


def _lines(parts: Sequence[str], rounds: int) -> Iterator[str]:
    """The document, a line as soon as it is known."""
    yield HEAD
    yield f"Machine: {os.cpu_count()} cores; load average before {_load()}."
    for part in parts:
        for section in PARTS[part](rounds):
            yield ""
            yield from section.lines()
    yield ""
    yield f"Load average after: {_load()}."


def _load() -> str:
    """Of the last 1, 5 and 15 minutes."""
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder in a short path (PostgreSQL's socket has to fit), gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    os.environ["AIRFLOW_HOME"] = str(folder / "airflow")  # whatever imports Airflow here writes there
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server() -> Iterator[Server]:
    """A PostgreSQL alone."""
    with _folder() as folder:
        server = postgres.start(folder / "data")
        try:
            yield server
        finally:
            server.stop()


def _night(rounds: int) -> tuple[Section, ...]:
    with _folder() as folder:
        return (night.measure(folder, rounds),)


def _page(_: int) -> tuple[Section, ...]:
    with _folder() as folder:
        return page.measure(folder)


def _looking(_: int) -> tuple[Section, ...]:
    with _server() as server:
        return looking.measure(server)


def _rota(_: int) -> tuple[Section, ...]:
    return (rota.measure(),)


def _parsing(_: int) -> tuple[Section, ...]:
    with _folder() as folder:
        return (parsing.measure(folder),)


def _waiting(_: int) -> tuple[Section, ...]:
    with _server() as server:
        return waiting.measure(server)


def _models(_: int) -> tuple[Section, ...]:
    with _server() as server:
        return models.measure(server)


# Each is given the number of rounds.
PARTS: dict[str, Callable[[int], tuple[Section, ...]]] = {
    "night": _night,
    "look": _looking,
    "page": _page,
    "rota": _rota,
    "parse": _parsing,
    "models": _models,
    "sensors": _waiting,
}

if __name__ == "__main__":
    main()
