"""A stack of real processes: healthy, guarded by real logins, mendable piece by piece, and gone when stopped."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import SandboxError
from sandbox.stack.scratch import free_port, scratch_stack
from sandbox.stack.stack import AIRFLOW_COMPONENTS, Stack
from sandbox.stack.waiting import wait_until
from tests.conftest import open_folder

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Stack]:
    """A stack of this module's own, with another include folder."""
    with open_folder() as folder:
        shutil.copytree(REPOSITORY / "include", folder / "include")
        with scratch_stack(folder / "run", folder / "include") as running:
            yield running


def test_every_part_says_that_it_is_healthy(elsewhere: Stack) -> None:
    """Airflow's own health page and the inbox answer over HTTP."""

    def not_healthy() -> str:
        healthy = {part for part, state in elsewhere.api().health().items() if state == "healthy"}
        return ", ".join({"metadatabase", "scheduler", "triggerer", "dag_processor"} - healthy)

    assert not wait_until(not_healthy, 60, print)
    assert httpx.get(elsewhere.inbox_url, timeout=10).status_code == 200


def test_a_login_is_asked_for(elsewhere: Stack) -> None:
    """Nobody reads without a login, and the viewer changes nothing."""
    dags = f"{elsewhere.airflow_url}/api/v2/dags"
    assert httpx.get(dags, timeout=30).status_code == 401
    assert elsewhere.api("viewer").get("dags")["total_entries"] >= 0
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        elsewhere.api("viewer").post("pools", {"name": "p", "slots": 1})


def test_the_processes_see_this_stacks_include_folder(elsewhere: Stack) -> None:
    """Two stacks can have two rosters."""
    process = elsewhere.component("triggerer").running()
    assert process is not None
    environment = process.environ()
    assert environment["ONCALL_INCLUDE_DIR"] == str(elsewhere.include_dir) != str(REPOSITORY / "include")
    assert str(elsewhere.run_dir) in environment["AIRFLOW_CONN_ONCALL_DB"]


def test_a_shell_gets_all_that_the_runbooks_commands_need(elsewhere: Stack) -> None:
    """As `make status` says it, in a shell that knows nothing: psql, airflow and oncall, on this stack."""
    script = """
        eval "$(make -s env)"
        psql "$WAREHOUSE_DSN" -Atc "select 'publications: ' || count(*) from investor.publications"
        airflow config get-value api base_url
        python -m oncall who
    """
    known = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(elsewhere.run_dir),
        "ONCALL_RUN_DIR": str(elsewhere.run_dir),
    }
    ran = subprocess.run(["bash", "-euc", script], cwd=REPOSITORY, env=known, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "publications: 0" in ran.stdout
    assert elsewhere.airflow_url in ran.stdout
    assert "is on call until" in ran.stdout


def test_secrets_are_readable_by_their_owner_only(elsewhere: Stack) -> None:
    """Keys and passwords are drawn once and kept closed."""
    for name in ("secrets.json", "logins.json"):
        assert (elsewhere.run_dir / name).stat().st_mode & 0o077 == 0
    assert elsewhere.env() == elsewhere.env()


def test_a_killed_component_is_gone_with_its_forks_and_comes_back(elsewhere: Stack) -> None:
    """The other parts go on meanwhile."""
    before = elsewhere.component("triggerer").members()
    elsewhere.kill("triggerer")
    assert not [process for process in before if process.is_running() and process.status() != "zombie"]
    assert elsewhere.component("scheduler").running() is not None
    assert elsewhere.start("triggerer")
    assert not elsewhere.start("triggerer"), "it runs already"
    elsewhere.restart("dag-processor")
    elsewhere.wait_until_healthy()


def test_a_second_triggerer_can_stand_beside_the_first(elsewhere: Stack) -> None:
    """A name followed by @ and something is one more of its kind, and is stopped with the rest."""
    elsewhere.start("triggerer@2")
    assert elsewhere.component("triggerer@2").running() is not None
    assert "triggerer@2" in {component.name for component in elsewhere.components()}


def test_a_port_of_somebody_else_is_refused_by_name(elsewhere: Stack, tmp_path: Path) -> None:
    """The error says which variable chooses another port."""
    clash = Stack(tmp_path, airflow_port=free_port(), inbox_port=elsewhere.inbox_port)
    with pytest.raises(SandboxError, match=f"port {elsewhere.inbox_port}.*ONCALL_INBOX_PORT"):
        clash.start("inbox")


def test_stopping_leaves_no_process_and_may_be_repeated(elsewhere: Stack) -> None:
    """Last in this module: after it the stack is down."""
    stopped = elsewhere.stop()
    assert {*AIRFLOW_COMPONENTS, "triggerer@2", "inbox", "postgres"} == set(stopped)
    left = [
        process.cmdline()
        for process in psutil.process_iter()
        if process.status() != psutil.STATUS_ZOMBIE and str(elsewhere.run_dir) in " ".join(process.cmdline())
    ]
    assert left == []
    assert elsewhere.stop() == []
