"""The containers' health check, on a real PostgreSQL: its own job beats and, where asked, somebody watches."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

ALIVE = Path(__file__).resolve().parents[1] / "deploy" / "alive.py"


def alive(metadata: str, oncall_db: str, *asked: str) -> str:
    """What the check says; "" when all is well."""
    environment = {
        **os.environ,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata.replace("postgresql:", "postgresql+psycopg2:"),
        "AIRFLOW_CONN_ONCALL_DB": oncall_db,
    }
    command = [sys.executable, str(ALIVE), *asked]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode == 0) is (done.stderr == "")
    return done.stderr


@pytest.fixture
def metadata(fresh_database: str) -> str:
    """A database with the one table of Airflow's that is asked, and a triggerer that beats."""
    tell(
        fresh_database,
        "create table job (job_type text, hostname text, state text, latest_heartbeat timestamptz)",
        f"insert into job values ('TriggererJob', '{socket.getfqdn()}', 'running', now() - interval '20 seconds')",
    )
    return fresh_database


def tell(dsn: str, *statements: str) -> None:
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_a_job_that_beats_is_alive(metadata: str) -> None:
    """Its own, on this host; what others do is not asked."""
    assert alive(metadata, "", "TriggererJob") == ""
    assert "no heartbeat of DagProcessorJob" in alive(metadata, "", "DagProcessorJob")
    tell(metadata, "update job set latest_heartbeat = now() - interval '61 seconds'")
    assert "no heartbeat of TriggererJob" in alive(metadata, "", "TriggererJob")


def test_a_triggerer_is_well_only_while_somebody_watches(metadata: str) -> None:
    """Never looked, looking, silent for more than a minute."""
    asked = ("TriggererJob", "watched")
    assert "no watcher has ever looked" in alive(metadata, metadata, *asked)
    tell(metadata, "create schema oncall", "create table oncall.memory (name text, value text)")
    assert "no watcher has looked" in alive(metadata, metadata, *asked)
    tell(metadata, "insert into oncall.memory values ('tick', (now() - interval '20 seconds')::text)")
    assert alive(metadata, metadata, *asked) == ""
    tell(metadata, "update oncall.memory set value = (now() - interval '61 seconds')::text")
    assert "is sla_watch unpaused?" in alive(metadata, metadata, *asked)


def test_a_watcher_that_pages_from_memory_is_not_called_dead(metadata: str) -> None:
    """While oncall_db is down nobody can say that nobody watches."""
    assert alive(metadata, "postgresql://postgres@127.0.0.1:1/oncall", "TriggererJob", "watched") == ""


def test_the_connection_may_be_json_and_is_never_repeated(metadata: str) -> None:
    """As Airflow takes it: what a health check says is kept where everybody reads it."""
    fields = psycopg2.extensions.parse_dsn(metadata)
    written = {
        "conn_type": "postgres",
        "host": fields["host"],
        "login": fields["user"],
        "schema": fields["dbname"],
    }
    asked = ("TriggererJob", "watched")
    assert "no watcher has ever looked" in alive(metadata, json.dumps(written), *asked)
    for odd in (
        '{"password": "s3cr3t"',
        "s3cr3t in no form",
        json.dumps({**written, "host": "s3cr3t@nowhere"}),
    ):
        assert "s3cr3t" not in alive(metadata, odd, *asked)
