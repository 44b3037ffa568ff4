"""The standard's own command-line tool reads our contracts too, and finds on broken rows what we find.

It has 22 packages of its own, so it is asked only when `DATACONTRACT_CLI` names it (docs/CONTRACTS.md says how to
install it): never part of `make test`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from oncall.config.data_contracts import REPOSITORY
from pipelines.runner import offending_rows
from tests.pipelines.contract_cases import SECOND_OPINION
from tests.pipelines.model_runs import REPORTS, report_run

CLI = os.environ.get("DATACONTRACT_CLI", "")
FILE = REPOSITORY / "master.odcs.yaml"

pytestmark = [
    pytest.mark.skipif(not CLI, reason="DATACONTRACT_CLI does not name the tool"),
    pytest.mark.timeout(600),
]


def tool(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CLI, *arguments], capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )


def test_the_tool_has_nothing_to_say_about_the_file() -> None:
    """It is valid against the standard."""
    linted = tool("lint", str(FILE))
    assert linted.returncode == 0, linted.stdout + linted.stderr


def its_findings(connection: Any, folder: Path) -> set[tuple[str, str]]:
    """(table, column) of each check that the tool says has failed; "" where it names no column."""
    where = connection.get_dsn_parameters()
    text = FILE.read_text(encoding="utf-8")
    server = f"host: {where['host']}, port: 5432, database: {where['dbname']}"
    copy, answer = folder / "contract.yaml", folder / "answer.json"
    copy.write_text(
        text.replace("host: warehouse, port: 5432, database: warehouse", server), encoding="utf-8"
    )
    ran = tool(
        *("test", str(copy), "--output", str(answer), "--output-format", "json"),
        DATACONTRACT_POSTGRES_USERNAME="postgres",
        DATACONTRACT_POSTGRES_PASSWORD="-",
    )
    assert answer.exists(), ran.stdout + ran.stderr
    checks = json.loads(answer.read_text())["checks"]
    assert checks
    unable = [check["name"] for check in checks if check["result"] in ("error", "unknown")]
    assert not unable, unable
    failed = [check for check in checks if check["result"] == "failed"]
    return {(check["model"], check.get("field") or "") for check in failed}


def ours(connection: Any) -> set[tuple[str, str]]:
    """The same of our own check, over all that the five pipelines read."""
    found: set[tuple[str, str]] = set()
    for dag_id in REPORTS:
        for breach in offending_rows(connection, report_run(dag_id)):
            column = breach.columns[0] if len(breach.columns) == 1 else ""
            found.add((breach.table.removeprefix("master."), column))
    return found


def test_both_find_the_same(shop: Any, tmp_path: Path) -> None:
    """On a clean day nothing, and on a broken one the same tables and columns."""
    assert its_findings(shop, tmp_path) == ours(shop) == set()
    for statement in SECOND_OPINION:
        with shop.cursor() as cursor:
            cursor.execute(statement)
        shop.commit()
    assert its_findings(shop, tmp_path) == ours(shop)
    assert len(ours(shop)) >= 15
