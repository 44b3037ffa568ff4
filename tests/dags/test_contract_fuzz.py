"""For every content of the include folder all DAG files parse: an import error would stop the reports themselves."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oncall.airflow import dag_settings

if TYPE_CHECKING:
    from tests.dags.conftest import Parse

ROSTER, RUNBOOK = "roster.yaml", "runbooks/profit_etl.md"
JUNK = [
    *(
        "",
        "[]",
        "{}",
        "- x",
        "&a [*a]",
        "!!python/object:os.system x",
        "9999-12-31",
        "20261130",
        "99999999999999h",
        "Asia",
    ),
    *(
        "+99:00",
        "+14:59",
        "-14:59",
        "Etc/GMT+7",
        "Pacific/Apia",
        "Factory",
        '"\\0"',
        "x" * 300,
        "é" * 40,
        "a.md",
        "{{ x }}",
    ),
    *(
        "'0 2 31 2 *'",
        "'0 0-999999999999 * * *'",
        "'R 2 * * *'",
        "'0 2 * * mon#1'",
        "'0 2 L * *'",
        "'59 23 * * 7'",
    ),
    *(
        '"23:59:59"',
        '"00:00"',
        "sunday",
        "growth",
        "base.profit",
        "shop.orders",
        "VN",
        "DE-001",
        "DE-9 9",
        "# x",
        "---",
    ),
]


def assert_parses(parse: Parse) -> None:
    """Every DAG is there, and Airflow can store it."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag_settings._terms_of.cache_clear()
    dag_settings._roster.cache_clear()
    bag = parse()
    assert bag.import_errors == {}
    assert {
        "profit_etl",
        "engagement_etl",
        "growth_etl",
        "sla_watch",
        "oncall_handoff",
        "oncall_drill",
    } <= set(bag.dags)
    for dag in bag.dags.values():
        assert DagSerialization.to_dict(dag)


def spoilt(text: str, chance: random.Random) -> str:
    """A value or two of the text replaced by junk, or a stretch of it gone."""
    for _ in range(chance.randint(1, 3)):
        marks = [n for n, sign in enumerate(text[:3_000]) if sign in " :,[{"]
        start = chance.choice(marks) + 1
        end = start + chance.choice([0, 3, 7, 12, 30, 200])
        text = f"{text[:start]}{chance.choice(['', ' '])}{chance.choice(JUNK)}{text[end:]}"
    return text


@pytest.mark.parametrize("seed", range(12))
def test_a_spoilt_roster_or_runbook_stops_no_dag(another_include: Path, parse: Parse, seed: int) -> None:
    """Mutations of the shipped files, several at a time."""
    chance = random.Random(seed)
    for name in (ROSTER, RUNBOOK, "runbooks/growth_etl.md"):
        path = another_include / name
        path.write_text(spoilt(path.read_text(), chance))
    assert_parses(parse)


ODD: list[Callable[[Path], object]] = [
    lambda path: path.write_bytes(os.urandom(2_000)),
    lambda path: path.write_text("x" * 10_000_000),
    lambda path: path.write_text("[" * 500_000),
    lambda path: path.write_bytes(b"---\na: \x00\n---\n"),
    lambda path: path.symlink_to("nowhere"),
    lambda path: path.symlink_to(path.name),
    lambda path: path.symlink_to("/dev/zero"),
    Path.mkdir,
    os.mkfifo,
]


@pytest.mark.parametrize("put", ODD, ids=range(len(ODD)))
def test_an_odd_file_stops_no_dag(another_include: Path, parse: Parse, put: Callable[[Path], object]) -> None:
    """In the place of the roster, of a runbook, of a team's roster and of a runbook that no DAG has."""
    (another_include / "teams/growth").mkdir(parents=True)
    (another_include / "teams/no team!").mkdir()
    shutil.copy(another_include / ROSTER, another_include / "teams/no team!/roster.yaml")
    for name in (ROSTER, RUNBOOK, "teams/growth/roster.yaml", "runbooks/what is this.md"):
        path = another_include / name
        path.unlink(missing_ok=True)
        put(path)
    assert_parses(parse)


@pytest.mark.parametrize("folder", ["runbooks", "teams", "sql", "roster.yaml"])
def test_a_folder_that_is_a_file_stops_no_dag(another_include: Path, parse: Parse, folder: str) -> None:
    """And one that is gone."""
    path = another_include / folder
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    assert_parses(parse)
    path.write_text("a file")
    assert_parses(parse)
