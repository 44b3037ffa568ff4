"""Mutation testing of the rules: each module with the tests that are its own. `make mutants [OF=<module>]`.

mutmut wants the package below `src`, so each module is tried in a copy of the project below `.run/mutants`. Which
modules and which tests stands in pyproject.toml, `[tool.oncall.mutants]`; the scores go into docs/MUTATION.md, and
what each mutant that survived has changed is printed: a row for a test to come, or code that nobody needs.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sandbox.stack.environment import REPOSITORY

FOLDER = REPOSITORY / ".run" / "mutants"
PAGE = REPOSITORY / "docs" / "MUTATION.md"
COPIED = ("tests", "sandbox", "include")
TOOL = ("mutmut==3.8.1", "coverage==7.17.5", "textual==8.2.8", "mdit-py-plugins==0.7.0")
ROW = re.compile(r"^\| `(?P<module>[^`]+)` \|.*$", re.MULTILINE)
# What mutmut calls the exit codes of pytest, in the words of the table.
OUTCOMES = {0: "survived", 1: "killed", 3: "killed", 33: "no test", 24: "killed", 36: "killed", -24: "killed"}


def stage(module: str, tests: Sequence[str], pyproject: str) -> Path:
    """A copy of the project in which only this module is mutated, and only these tests are run."""
    work = FOLDER / module.removesuffix(".py").replace("/", "-")
    shutil.rmtree(work, ignore_errors=True)  # what an earlier run found is not what these tests find
    keep = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "plugins" / "oncall", work / "src" / "oncall", ignore=keep)
    for name in COPIED:
        shutil.copytree(REPOSITORY / name, work / name, ignore=keep)
    chosen = (
        f'only_mutate = ["src/oncall/{module}"]\npytest_add_cli_args_test_selection = {json.dumps(tests)}'
    )
    settings = pyproject.replace("[tool.mutmut]\n", f"[tool.mutmut]\n{chosen}\n")
    (work / "pyproject.toml").write_text(settings, encoding="utf-8")
    return work


def install() -> Path:
    """The tool, in a folder of its own: nothing of it enters the project's environment."""
    tool = FOLDER / "tool"
    if not (tool / "mutmut").is_dir():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run(
            [uv, "--system-certs", "pip", "install", "-q", "--no-deps", "--target", tool, *TOOL], check=True
        )
    return tool


def outcomes(work: Path) -> dict[str, str]:
    """By mutant: whether it was killed, survived, had no test, or was not tried."""
    found: dict[str, str] = {}
    for meta in (work / "mutants").rglob("*.py.meta"):
        codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
        found |= {
            key: OUTCOMES.get(code, "killed") if code is not None else "not tried"
            for key, code in codes.items()
        }
    return found


def changed_lines(work: Path, env: dict[str, str], mutant: str) -> str:
    """What the mutant changes: the lines as they are and as they were tried."""
    command = [sys.executable, "-m", "mutmut", "show", mutant]
    shown = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False).stdout
    return "\n".join(re.findall(r"^(?:-(?!--)|\+(?!\+\+)).*$", shown, re.MULTILINE))


def row(module: str, tests: Sequence[str], found: Counter[str]) -> str:
    tried = found["killed"] + found["survived"] + found["no test"]
    score = f"{100 * found['killed'] / tried:.1f} %" if tried else "–"
    if found["not tried"]:  # it was broken off
        score += f" ({found['not tried']} not tried)"
    names = ", ".join(f"`{Path(test).name}`" for test in tests)
    day = dt.datetime.now(dt.UTC).date()
    counts = f"{tried} | {found['killed']} | {found['survived'] + found['no test']}"
    return f"| `{module}` | {names} | {counts} | {score} | {day} |"


def write(lines: dict[str, str]) -> None:
    """Put these rows into the table, each in the place of its older one or at the end."""
    text = PAGE.read_text(encoding="utf-8")
    for module, line in lines.items():
        old = next((found for found in ROW.finditer(text) if found["module"] == module), None)
        last = [*re.finditer(r"^\|.*$", text, re.MULTILINE)][-1]
        text = (
            text[: old.start()] + line + text[old.end() :]
            if old
            else text[: last.end()] + "\n" + line + text[last.end() :]
        )
    PAGE.write_text(text, encoding="utf-8")


def main(only: Sequence[str]) -> int:
    """Try the modules named, or all; 1 when a mutant survived."""
    pyproject = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    modules: dict[str, list[str]] = tomllib.loads(pyproject)["tool"]["oncall"]["mutants"]
    tool, survived = install(), 0
    for module in only or modules:
        work = stage(module, modules[module], pyproject)
        env = {**os.environ, "PYTHONPATH": str(tool)}
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(os.cpu_count() or 2)]
        with open(work / "mutmut.log", "wb") as log:
            subprocess.run(command, cwd=work, env=env, stdout=log, stderr=log, check=False)
        came_of = outcomes(work)
        found = Counter(came_of.values())
        if found["not tried"] == found.total():
            print(f"{module}: nothing was tried, see {work / 'mutmut.log'}", flush=True)
            survived += 1
            continue
        survived += found["survived"] + found["no test"]
        write({module: row(module, modules[module], found)})
        print(row(module, modules[module], found), flush=True)
        for mutant in (key for key, outcome in came_of.items() if outcome in ("survived", "no test")):
            print(changed_lines(work, env, mutant), end="\n\n", flush=True)
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
