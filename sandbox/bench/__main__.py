"""Measure what the README claims and print it as Markdown: medians, extremes, and the ratio to a named baseline.

    python -m sandbox.bench                       everything, about half an hour
    python -m sandbox.bench --only page look      some parts
    python -m sandbox.bench --write               everything, and write docs/BENCHMARKS.md

Asserts nothing: a busy machine makes every time longer, and the baselines beside them with it.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from sandbox.bench import days_stored, looking, models, night, page
from sandbox.bench.figures import Section
from sandbox.stack import postgres
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import SandboxError, Server

DOCUMENT = REPOSITORY / "docs" / "BENCHMARKS.md"
ENOUGH, FEW = 20, 3  # promises to break: for the document, and to have a look
SCALES = (1.0, 10.0)
HEAD = """# Measured

What `make bench` measured last, kept by `python -m sandbox.bench --write`. Each figure stands beside a baseline of
the same run: on another machine, or a busy one, the times are others. Ratio = measured ÷ baseline.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--promises", type=int, help=f"how many to break in a night ({FEW}; {ENOUGH} to --write)"
    )
    parser.add_argument("--scales", nargs="+", type=float, default=SCALES, help="of the models' days (1 10)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="measure these alone")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.relative_to(REPOSITORY)}")
    given = parser.parse_args(arguments)
    if given.write and set(given.only) != set(PARTS):
        parser.error("--write writes the whole document: leave --only out")
    asked = Asked(given.promises or (ENOUGH if given.write else FEW), tuple(given.scales))
    # What a look logs of its invented night would alarm whoever reads it here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    said: list[str] = []
    try:
        for line in _lines(given.only, asked):
            print(line, flush=True)
            said.append(line)
    except SandboxError as error:
        sys.exit(f"\n{error}")
    if given.write:
        DOCUMENT.write_text("\n".join(said) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Asked:
    """How many promises to break in a night, and at which scales to run the models."""

    promises: int
    scales: tuple[float, ...]


def _lines(parts: Sequence[str], asked: Asked) -> Iterator[str]:
    """The document, a line as soon as it is known."""
    yield HEAD
    yield f"Machine: {os.cpu_count()} cores; load average before {_load()}."
    for part in parts:
        gc.collect()  # what the part before has left behind would be searched in the next one's time
        gc.freeze()
        for section in PARTS[part](asked):
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


def _night(asked: Asked) -> tuple[Section, ...]:
    with _folder() as folder:
        return (night.measure(folder, asked.promises),)


def _page(_: Asked) -> tuple[Section, ...]:
    with _folder() as folder:
        return page.measure(folder)


def _looking(_: Asked) -> tuple[Section, ...]:
    with _server() as server:
        return looking.measure(server)


def _models(asked: Asked) -> tuple[Section, ...]:
    with _server() as server:
        return models.measure(server, asked.scales)


def _days(_: Asked) -> tuple[Section, ...]:
    with _server() as server:
        return (days_stored.measure(server),)


PARTS: dict[str, Callable[[Asked], tuple[Section, ...]]] = {
    "night": _night,
    "look": _looking,
    "page": _page,
    "models": _models,
    "days": _days,
}

if __name__ == "__main__":
    main()
