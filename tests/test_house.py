"""What the tools of `make lint` cannot see of the house. Who may import whom: pyproject.toml, import-linter."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "plugins" / "oncall"
MODULES = sorted(
    path for room in ("plugins", "sandbox", "dags", "tests") for path in (REPOSITORY / room).rglob("*.py")
)
MOST_PARAMETERS = 6
MOST_LINES = 3
FUNCTIONS = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SCOPES = (*FUNCTIONS, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
CORE = sorted((PACKAGE / "core").rglob("*.py"))
# core knows rules only: no Airflow, no files, no network, no clock.
CORE_LIBRARIES = {"oncall"}
CLOCKS = ("datetime.now(", "dt.datetime.now(", "pendulum.now(", "time.time(", "utcnow(", "date.today(")


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text())))


def imports(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_core_knows_no_library_and_no_clock(path: Path) -> None:
    """The instant is an argument, and what is outside stays outside."""
    outside = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - CORE_LIBRARIES
    assert not outside
    assert not [clock for clock in CLOCKS if clock in path.read_text()]


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("import oncall.adapters.slack.chat", "web/views/overview.py"),
        ("import oncall.airflow.composition", "web/app.py"),
        ("import oncall.usecases.outbox", "core/incidents/escalation.py"),
        ("import oncall.core.incidents.incident", "core/rota/credit_ledger.py"),
        ("import sandbox.stack", "airflow/watcher.py"),
    ],
)
def test_an_import_that_climbs_is_refused(tmp_path: Path, line: str, file: str) -> None:
    """The layers in pyproject.toml bind: one such line in a copy of the house, and the linter says no."""
    house = tmp_path / "house"
    skip = shutil.ignore_patterns("__pycache__", "static", "templates")
    for name in ("plugins", "sandbox"):
        shutil.copytree(REPOSITORY / name, house / name, ignore=skip)
    shutil.copy(REPOSITORY / "pyproject.toml", house)
    changed = house / "plugins" / "oncall" / file
    changed.write_text(f"{changed.read_text()}\n\n{line}\n")
    ran = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=house, env={"PYTHONPATH": "plugins:."}, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "0 broken" not in ran.stdout
    assert "BROKEN" in ran.stdout


@pytest.mark.parametrize("name", ["one", "each"])
def test_a_name_that_says_nothing_lives_three_lines(name: str) -> None:
    """Whatever lives longer is called by a word that can be searched for."""
    long = [
        f"{path.relative_to(REPOSITORY)}:{first}"
        for path in MODULES
        if re.search(rf"^[^\"#]*\b{name}\b", path.read_text(), re.MULTILINE)
        for scope in nodes(path)
        if isinstance(scope, SCOPES)
        for first, last in lives(scope, name)
        if last - first >= MOST_LINES
    ]
    assert not long


def lives(scope: ast.AST, name: str) -> Iterator[tuple[int, int]]:
    """For each binding of this name in the scope the lines of its first and last use, up to the next binding."""
    mentioned = mentions(scope, name)
    lines = sorted(node.lineno for node in mentioned)
    bound = sorted(node.lineno for node in mentioned if binds(node))
    if bound and not isinstance(scope, FUNCTIONS):  # a comprehension is read from its middle
        yield lines[0], lines[-1]
        return
    for first, following in pairwise([*bound, sys.maxsize]):
        yield first, max((line for line in lines if first <= line < following), default=first)


@cache
def mentions(scope: ast.AST, name: str) -> tuple[ast.Name | ast.arg, ...]:
    """Without those of an inner scope that binds the name for itself."""
    found: list[ast.Name | ast.arg] = []
    for node in ast.iter_child_nodes(scope):
        if (isinstance(node, ast.Name) and node.id == name) or (
            isinstance(node, ast.arg) and node.arg == name
        ):
            found.append(node)
        within = mentions(node, name)
        if not isinstance(node, SCOPES) or not any(map(binds, within)):
            found.extend(within)
    return tuple(found)


def binds(node: ast.Name | ast.arg) -> bool:
    return isinstance(node, ast.arg) or isinstance(node.ctx, ast.Store)


def test_no_function_has_seven_parameters() -> None:
    """What travels together is an object. The parameters of a test are what pytest gives it."""
    many = []
    for path in MODULES:
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("test_"):
                known = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                if (
                    len([argument for argument in known if argument.arg not in ("self", "cls")])
                    > MOST_PARAMETERS
                ):
                    many.append(f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}")
    assert not many


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


def test_only_texts_and_pictures_are_kept() -> None:
    """A package or an archive that a tool has left behind is noticed before it is in everybody's clone."""
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    paths = [REPOSITORY / name for name in tracked.stdout.splitlines()]
    texts = [path for path in paths if path.suffix not in {".png", ".ico"} and path.is_file()]
    assert [path.name for path in texts if b"\0" in path.read_bytes()] == []


def test_what_a_text_imports_is_there() -> None:
    """Programs inside shell scripts, YAML and strings: no tool follows a move into them."""
    roots = {"oncall": REPOSITORY / "plugins", "pipelines": REPOSITORY / "plugins", "sandbox": REPOSITORY}
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    asked = re.compile(r"from ((oncall|pipelines|sandbox)[\w.]*) import (\w+)")
    for name in tracked.stdout.splitlines():
        path = REPOSITORY / name
        if path.suffix in {".png", ".lock"} or path == Path(__file__) or not path.is_file():
            continue
        for module, root, wanted in asked.findall(path.read_text(encoding="utf-8", errors="replace")):
            found = roots[root] / module.replace(".", "/")
            known = (found.with_suffix(".py"), found / f"{wanted}.py", found / wanted)
            exported = found.is_dir() and wanted in (found / "__init__.py").read_text()
            assert exported or any(one.exists() for one in known), f"{name}: from {module} import {wanted}"
