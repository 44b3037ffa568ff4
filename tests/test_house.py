"""The house keeps its order: imports go one way, and nothing in the repository names a place it was made in."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "plugins" / "oncall"

# What each room may import of the others. A room always sees itself, `core`, `ports` and the standard library.
MAY_IMPORT = {
    "core": set(),
    "reading": set(),
    "config": {"reading", "data_contracts"},
    "data_contracts": {"reading"},
    "ports": set(),
    "notes": set(),
    "paging": {"config", "notes"},
    "incident_file": {"config", "paging"},
    "paging_by_hand": {"config", "incident_file"},
    "acknowledgements": {"config", "incident_file"},
    "late_binding": {"acknowledgements", "config", "delivery", "incident_file", "paging"},
    "channel_health": {"delivery", "notes"},
    "measures": {"delivery", "paging"},
    "dispatch": {
        *("acknowledgements", "channel_health", "config", "delivery", "late_binding", "measures", "paging"),
    },
    "timekeeping": {"notes"},
    "delivery": {"pager_calls"},
    "pager_calls": set(),
    "tables": set(),
    "adapters": {"config", "past", "tables"},
    "contract_sql": set(),
    "contract_check": {"contract_sql"},
    "quiet_days": {"config", "data_contracts", "reading"},
    "usual_numbers": set(),
    "reports": {"config", "tables", "contract_check", "data_contracts", "quiet_days", "usual_numbers"},
    "held_reports": {"config", "reports", "usual_numbers"},
    "stale_days": {"config", "reports"},
    "heartbeat": {"ports"},
}
# core knows rules only: no Airflow, no files, no network, no clock.
CORE_LIBRARIES = {"pendulum", "oncall"}
CLOCKS = ("datetime.now(", "dt.datetime.now(", "pendulum.now(", "time.time(", "utcnow(", "date.today(")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(room: str) -> list[Path]:
    single = PACKAGE / f"{room}.py"
    return [single] if single.is_file() else sorted((PACKAGE / room).rglob("*.py"))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_go_one_way(room: str) -> None:
    """Rules know no adapters, adapters know no Airflow glue, the use case knows only ports."""
    allowed = {room, "core", "ports", *MAY_IMPORT[room]}
    assert files(room)
    for path in files(room):
        for name in imports(path):
            if name.startswith("oncall."):
                assert name.split(".")[1] in allowed, f"{path.relative_to(REPOSITORY)} imports {name}"


def test_core_knows_no_library_and_no_clock() -> None:
    """The instant is an argument, and what is outside stays outside."""
    import sys

    for path in files("core"):
        outside = (
            {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - CORE_LIBRARIES
        )
        assert not outside, f"{path.relative_to(REPOSITORY)} imports {outside}"
        text = path.read_text()
        assert not [clock for clock in CLOCKS if clock in text], path


def test_only_the_wiring_knows_both_ports_and_adapters() -> None:
    """One composition root (the store in memory is the watcher's own)."""
    for path in [*(PACKAGE / "glue").glob("*.py"), *(PACKAGE / "web").rglob("*.py")]:
        adapters = {name.split(".")[2] for name in imports(path) if name.startswith("oncall.adapters.")}
        if path.name != "wiring.py":
            assert adapters <= {
                "memory",
                "postgres",
                "warehouse",
                "history",
                "notifications",
                "opsgenie_schedules",
            }, f"{path.name} imports {adapters}"


def test_nothing_names_a_place_it_was_made_in() -> None:
    """No path of somebody's machine, no package registry's host."""
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    wrong = re.compile(
        r"/(?:work|farm)/[a-z.]|/home/(?!airflow)[a-z]+/|files\.pythonhosted|://pypi\.|registry\.npmjs"
    )
    for name in tracked.stdout.splitlines():
        path = REPOSITORY / name
        if path.suffix in {".png", ".ico"} or path == Path(__file__) or not path.is_file():
            continue
        found = wrong.search(path.read_text(encoding="utf-8", errors="replace"))
        assert found is None, f"{name}: {found.group() if found else ''}"
