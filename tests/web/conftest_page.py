"""Airflow's real auth on a real database for the page's tests: users, tokens, log-out; and the page on an example."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.web.example_page import Example, morning

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from sandbox.stack.postgres import Server
    from tests.web.per_dag import PerDag

Token = Callable[..., str]
SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


@pytest.fixture(scope="session")
def airflow_auth(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Airflow's simple auth manager with an admin and a viewer, on a database of its own."""
    folder: Path = tmp_path_factory.mktemp("airflow")
    postgres.ensure_database("airflow_auth")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AIRFLOW__CORE__AUTH_MANAGER": SIMPLE,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "anna:admin,vera:viewer",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of the tests that is long enough for the signature of a token",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.uri("airflow_auth", "psycopg2"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": postgres.uri("airflow_auth", "asyncpg"),
        }.items():
            patch.setenv(name, value)
        from airflow import settings
        from airflow.api_fastapi.app import init_auth_manager, purge_cached_app
        from airflow.models import import_all_models
        from airflow.models.base import Base

        _connect_anew()
        purge_cached_app()
        init_auth_manager()
        assert settings.engine is not None
        import_all_models()
        Base.metadata.create_all(settings.engine)
        yield
        settings.dispose_orm()
        purge_cached_app()
    _connect_anew()


def _connect_anew() -> None:
    """Airflow keeps one engine per process; another test file may have made it for another database."""
    from airflow import settings

    settings.dispose_orm()
    settings.configure_vars()
    settings.configure_orm()


@pytest.fixture
def token(airflow_auth: None) -> Token:
    """A token as logging in gives it: `token("vera", "VIEWER", seconds=…)`."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    def make(name: str = "vera", role: str = "VIEWER", seconds: int = 600) -> str:
        user = SimpleAuthManagerUser(username=name, role=role)
        return get_auth_manager().generate_jwt(user, expiration_time_in_seconds=seconds)

    return make


@pytest.fixture
def manager(airflow_auth: None, monkeypatch: pytest.MonkeyPatch) -> PerDag:
    """Growth may be read and edited, engagement read; the other three pipelines are others'."""
    from airflow.api_fastapi.app import _AuthManagerState

    from tests.web.per_dag import PerDag

    mine = PerDag({"growth_etl", "engagement_etl"}, {"growth_etl"})
    monkeypatch.setattr(_AuthManagerState, "instance", mine)
    mine.init()
    return mine


@pytest.fixture
def example() -> Example:
    return Example(morning())


@pytest.fixture(scope="session")
def mounted(airflow_auth: None) -> tuple[FastAPI, FastAPI]:
    """Airflow's app, and the page mounted in it at /oncall."""
    from fastapi import FastAPI

    from oncall.web.app import create_app

    outer, page = FastAPI(), create_app(Example(morning()))
    outer.mount("/oncall", page)
    return outer, page


@pytest.fixture
def app(mounted: tuple[FastAPI, FastAPI], example: Example) -> FastAPI:
    """The page, on this test's own example."""
    outer, page = mounted
    page.state.source = example
    return outer


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Nobody is signed in."""
    from fastapi.testclient import TestClient

    with TestClient(app, base_url="http://airflow.test") as client:
        yield client


@pytest.fixture
def viewer(client: TestClient, token: Token) -> TestClient:
    """Vera, who may look, with the cookie that the frame sends."""
    client.cookies.set("_token", token("vera", "VIEWER"))
    return client


@pytest.fixture
def admin(client: TestClient, token: Token) -> TestClient:
    """Anna, who may act."""
    client.cookies.set("_token", token("anna", "ADMIN"))
    return client
