"""axe-core for the accessibility tests: from npm, once per checkout, nothing kept in git; says why there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.stack.environment import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page

VERSION = "4.14.1"
FOLDER = REPOSITORY / ".run/npm"
WITHIN_S = 90
GRAVE = ("serious", "critical")


def axe_script() -> str:
    """The text of axe-core: the file that ONCALL_AXE names, or npm's. Raises LookupError, saying what is missing."""
    if named := os.environ.get("ONCALL_AXE"):
        return Path(named).read_text(encoding="utf-8")
    package = FOLDER / VERSION
    script = package / "node_modules/axe-core/axe.min.js"
    if not script.exists():
        _install(package)
    return script.read_text(encoding="utf-8")


def _install(package: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise LookupError("there is no npm here, and ONCALL_AXE does not name an axe.min.js")
    package.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--prefix", str(package), "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        subprocess.run(
            [*command, f"axe-core@{VERSION}"], check=True, capture_output=True, text=True, timeout=WITHIN_S
        )
    except subprocess.TimeoutExpired:
        raise LookupError(f"npm did not bring axe-core within {WITHIN_S} s") from None
    except subprocess.CalledProcessError as error:
        raise LookupError(f"npm did not bring axe-core: {error.stderr.strip()[-300:]}") from None


def grave_findings(where: Page | Frame, script: str, inside: str = "html") -> list[Any]:
    """What axe-core calls serious or critical within the selector: (rule, [the first three elements])."""
    where.evaluate(script)
    found = where.evaluate("inside => axe.run(inside)", inside)["violations"]
    return [
        (one["id"], [f"{node['html'][:200]}: {node['failureSummary']}" for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in GRAVE
    ]
