"""A small real outside: databases, the inbox and an include folder, reached through ordinary Airflow connections."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg2
import pytest

from sandbox.inbox.testing import RunningInbox, running_inbox
from sandbox.master_data.loading import Loader, create_schema
from sandbox.stack.postgres import Server

REPOSITORY = Path(__file__).resolve().parents[2]
ZONE = dt.timezone(dt.timedelta(hours=7))


@dataclass
class Site:
    """Where the parts are. `include` is a copy of the shipped folder that a test may rewrite."""

    inbox: RunningInbox
    include: Path
    warehouse: str

    def promise(self, due: dt.time, warn: dt.time) -> None:
        """Promise growth alone, at another time of day."""
        for path in (self.include / "runbooks").glob("*.md"):
            lines = path.read_text().splitlines(keepends=True)
            said = f'promise: {{due: "{due.isoformat()}", warn_upstream_at: "{warn.isoformat()}"}}\n'
            with_promise = path.stem == "growth_etl"
            kept = [said if line.startswith("promise:") and with_promise else line for line in lines]
            if due <= dt.time(2):  # a test at that hour: the shipped schedule would be too late for it
                kept = [line.replace('"0 2 * * *"', '"0 0 * * *"') for line in kept]
            path.write_text("".join(line for line in kept if with_promise or not line.startswith("promise:")))

    def query(self, sql: str) -> None:
        with psycopg2.connect(self.warehouse) as connection, connection.cursor() as cursor:
            cursor.execute(sql)


@cache
def loaded_warehouse(postgres: Server, day: dt.date) -> str:
    """The name of a database to be copied: tables and three small days, the last of them without sessions."""
    name = f"loaded_{day:%Y%m%d}"
    with closing(psycopg2.connect(postgres.ensure_database(name))) as connection:
        create_schema(connection)
        with connection.cursor() as cursor:
            cursor.execute((REPOSITORY / "include/sql/warehouse.sql").read_text())
        connection.commit()
        for back in (2, 1):
            Loader(connection, 0.01).load(day - dt.timedelta(days=back))
        Loader(connection, 0.01).load(day, ["customers", "products", "orders", "order_lines"])
    return name


@pytest.fixture
def site(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Connections by environment; the loaded warehouse until yesterday."""
    names = {name: f"{name}_{tmp_path.name}".replace("-", "_")[:60] for name in ("warehouse", "oncall")}
    yesterday = dt.datetime.now(ZONE).date() - dt.timedelta(days=1)
    warehouse = postgres.ensure_database(names["warehouse"], loaded_warehouse(postgres, yesterday))
    postgres.ensure_database(names["oncall"])
    include = tmp_path / "include"
    shutil.copytree(REPOSITORY / "include", include)
    with running_inbox() as inbox:
        connections: dict[str, dict[str, object]] = {
            "OPSGENIE_DEFAULT": {
                "conn_type": "opsgenie",
                "host": inbox.opsgenie_host,
                "password": inbox.opsgenie_key,
            },
            "SLACK_API_DEFAULT": {
                "conn_type": "slack",
                "password": inbox.slack_token,
                "extra": {"base_url": inbox.slack_base_url},
            },
        }
        for name, database in (("WAREHOUSE", "warehouse"), ("ONCALL_DB", "oncall")):
            host = str(postgres.socket_dir)
            said: dict[str, object] = {"conn_type": "postgres", "host": host, "login": "postgres"}
            connections[name] = {**said, "schema": names[database]}
        for name, value in connections.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(value))
        monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(include))
        yield Site(inbox, include, warehouse)
    for database in names.values():
        postgres.drop_database(database)
