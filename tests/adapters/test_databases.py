"""The three roles of deploy/databases.sql, on a real server: each makes and uses its own tables and no others."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.oncall_db import OncallDb
from pipelines import runner
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import Server, tools

ROLES = ("airflow", "oncall", "warehouse")
PASSWORDS = {f"{role.upper()}_DB_PASSWORD": f"of-{role}'\"" for role in ROLES}


@pytest.fixture
def server(postgres: Server) -> Iterator[Server]:
    """After databases.sql was run, twice, by the program that runs it in Compose."""
    psql = [str(tools(postgres.data_dir) / "psql"), "--no-psqlrc", "--quiet", "--dbname", postgres.uri()]
    for _ in range(2):
        subprocess.run(
            [*psql, "--file", str(REPOSITORY / "deploy/databases.sql")],
            env=os.environ | PASSWORDS,
            check=True,
        )
    yield postgres
    for role in ROLES:
        postgres.drop_database(role)
    with closing(psycopg.connect(postgres.uri(), autocommit=True)) as admin:
        admin.execute(f"drop role {', '.join(ROLES)}")


def test_each_role_makes_what_it_needs_and_reaches_nothing_else(server: Server) -> None:
    """Airflow's role owns its database; the others make their schemas."""

    def as_role(role: str, database: str) -> str:
        return make_conninfo(server.uri(database), user=role)

    with closing(psycopg.connect(server.uri())) as admin:
        superusers = admin.execute(
            "select count(*) from pg_roles where rolname = any(%s) and rolsuper", (list(ROLES),)
        )
        assert superusers.fetchone() == (0,)
        encodings = "select distinct pg_encoding_to_char(encoding) from pg_database where datname = any(%s)"
        assert admin.execute(encodings, (list(ROLES),)).fetchall() == [("UTF8",)]
    store = OncallDb(connect_to(as_role("oncall", "oncall")))
    store.install()
    store.set_note("a", "b")
    with closing(psycopg.connect(as_role("warehouse", "warehouse"))) as connection:
        runner.install(connection)
    with closing(psycopg.connect(as_role("airflow", "airflow"), autocommit=True)) as connection:
        connection.execute("create table of_airflow (id int)")
    for role in ROLES:
        for database in set(ROLES) - {role}:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                psycopg.connect(as_role(role, database))


def test_nothing_connects_as_the_superuser() -> None:
    """Of the containers only the server's own knows that password."""
    text = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    assert text.count("${POSTGRES_PASSWORD") == 1
    for role in ROLES:
        assert f"{role}:${{{role.upper()}_DB_PASSWORD:?" in text
