"""What a docstring or a comment cites in backticks is there: a name that moved takes its mentions along."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
TRACKED = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
FILES = [path for name in TRACKED.stdout.splitlines() if (path := REPOSITORY / name).is_file()]
PATHS = [path.relative_to(REPOSITORY).with_suffix("").parts for path in FILES]
MODULES = [path for path in FILES if path.suffix == ".py"]
OTHER_CODE = {".sql", ".yaml", ".yml", ".toml", ".sh", ".html", ".js", ".css", ""}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
CITED = re.compile(r"`([A-Za-z_][\w.]*?)(?:\(\))?`")
PACKAGES = ("oncall", "pipelines", "sandbox", "core", "usecases", "adapters")
# Names of others that nothing here calls.
FOREIGN = {"RuntimeTaskInstance", "get_user", "Origin", "pgserver", "os", "NaN", "def", "vacuum"}


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text())))


@cache
def docstrings(path: Path) -> tuple[str, ...]:
    documented = (node for node in nodes(path) if isinstance(node, DOCUMENTED))
    return tuple(text for node in documented if (text := ast.get_docstring(node, clean=False)))


def words_of_the_code(path: Path) -> Iterator[str]:
    """Its names, its strings, and what looks like a name within a string. No docstring, no comment."""
    values = {value for node in nodes(path) for _, value in ast.iter_fields(node) if isinstance(value, str)}
    for value in values.difference(docstrings(path)):
        yield value
        if "_" in value:
            yield from (word for word in re.findall(r"[\w.]+", value) if "_" in word)


def endings(paths: list[tuple[str, ...]]) -> set[str]:
    """Each module by every ending of its name: `oncall.core.message`, `core.message`, `message`."""
    return {".".join(parts[begin:]) for parts in paths for begin in range(len(parts))}


def test_what_a_text_cites_is_there() -> None:
    """A name in backticks stands somewhere in the code; a dotted one of ours is a module, or in one."""
    modules = endings(PATHS)
    packages = endings([parts[:length] for parts in PATHS for length in range(1, len(parts))])
    known = FOREIGN | modules | packages
    for path in MODULES:
        known.update(words_of_the_code(path))
    for path in FILES:
        if path.suffix in OTHER_CODE:
            known.update(re.findall(r"\w+", path.read_text(errors="replace")))

    def is_there(cited: str) -> bool:
        first, *rest = cited.split(".")
        if cited in known or not rest:
            return cited in known
        where = cited.rpartition(".")[0]
        return rest[-1] in known | {""} and (where in modules if first in PACKAGES else first in known)

    for path in MODULES:
        comments = re.findall(r"^[^\"'#]*#.*`.*$", path.read_text(), re.MULTILINE)
        cited = {name for text in (*docstrings(path), *comments) for name in CITED.findall(text)}
        assert not [name for name in cited if not is_there(name)], path
