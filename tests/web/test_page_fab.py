"""FAB, the auth manager of docker-compose.yaml: what each of its roles, and roles per DAG, see and do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.stack.postgres import Server

REPOSITORY = Path(__file__).resolve().parents[2]
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
ALL = [
    "daily_growth_experiments",
    "engagement_etl",
    "growth_etl",
    "profit_etl",
    "unit_profit_experiments",
]


@pytest.fixture(scope="module")
def answers(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each user was answered by the page behind the real FAB."""
    postgres.ensure_database("fab")
    home = tmp_path_factory.mktemp("airflow-fab")
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__AUTH_MANAGER": FAB,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of the tests that is long enough for the signature of a token",
        "AIRFLOW__API__SECRET_KEY": "another secret of the tests",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.uri("fab", "psycopg2"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": postgres.uri("fab", "asyncpg"),
        "PYTHONPATH": f"{REPOSITORY / 'plugins'}:{REPOSITORY}",
    }
    ran = subprocess.run(
        [sys.executable, "-m", "tests.web.fab_page"],
        env=environment, capture_output=True, text=True, timeout=380, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


pytestmark = pytest.mark.timeout(400)  # FAB alone takes 20 s on two idle cores


def seen(answer: dict[str, Any]) -> tuple[Any, ...]:
    return answer["page"], answer["static"], answer["pipelines"]


@pytest.mark.parametrize("role", ["viewer", "user", "op", "admin"])
def test_fabs_own_roles_open_the_page(answers: dict[str, Any], role: str) -> None:
    """Viewer and User too, which may read DAGs and not plugins."""
    assert seen(answers[role]) == (200, 200, ALL)
    assert answers[role]["names_profit"]


def test_who_may_change_runs_acts(answers: dict[str, Any]) -> None:
    """User, Op and Admin on every pipeline, Viewer on none."""
    for role, (act, link) in {
        "viewer": (403, 403),
        "user": (303, 200),
        "op": (303, 200),
        "admin": (303, 200),
    }.items():
        assert set(answers[role]["act"].values()) == {act}
        assert answers[role]["link"] == link


def test_a_role_of_one_dag_sees_and_does_what_is_of_that_dag(answers: dict[str, Any]) -> None:
    """`can read on DAG:growth_etl` opens the page and shows growth alone; editing it lets act on growth alone."""
    for role in ("growth_reader", "growth_editor"):
        assert seen(answers[role]) == (200, 200, ["growth_etl"])
        assert not answers[role]["names_profit"]
        assert answers[role]["link"] == 404
    assert answers["growth_reader"]["act"] == {"growth_etl:2026-11-22": 403, "engagement_etl:2026-11-22": 404}
    assert answers["growth_editor"]["act"] == {"growth_etl:2026-11-22": 303, "engagement_etl:2026-11-22": 404}


def test_who_may_read_no_dag_is_refused(answers: dict[str, Any]) -> None:
    """Signed in is not enough; whoever reads another team's DAG sees who is on call, and none of our pipelines."""
    assert (answers["nobody"]["page"], answers["nobody"]["static"]) == (403, 403)
    assert seen(answers["stranger"]) == (200, 200, [])
