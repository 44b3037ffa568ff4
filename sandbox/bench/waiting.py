"""What sensors that wait cost one triggerer and the warehouse, how soon they are released, and the watcher's memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from typing import Any

import psycopg2

from pipelines import runner
from sandbox.bench.figures import Figure, Sample, Section
from sandbox.bench.triggerer import DAY, LATE, MANY, MEASURED_S, RELEASES
from sandbox.inbox.testing import running_inbox
from sandbox.master_data.generator import TABLES
from sandbox.master_data.loading import create_schema
from sandbox.stack.environment import REPOSITORY
from sandbox.stack.postgres import SandboxError, Server

NIGHTS = 60

_LOADED = """
    insert into master.loads (table_name, business_day, loaded_at, row_count)
    select name, %s::date - night, now(), 10000 from unnest(%s::text[]) as name, generate_series(0, %s) as night
    where name <> %s or night > 0
"""


def measure(server: Server) -> tuple[Section, ...]:
    """One sensor and a thousand in one triggerer: CPU, queries, release; and its memory, with the watcher beside."""
    uri = server.ensure_database("waiting")
    with closing(psycopg2.connect(uri)) as connection:
        create_schema(connection)
        runner.install(connection)
        with connection, connection.cursor() as cursor:
            cursor.execute(_LOADED, (DAY, list(TABLES), NIGHTS, LATE))
    server.ensure_database("waiting_oncall")
    with running_inbox() as inbox:
        far = {
            "OPSGENIE_DEFAULT": {"conn_type": "opsgenie", "host": inbox.opsgenie_host, "password": inbox.opsgenie_key},
            "SLACK_API_DEFAULT": {
                "conn_type": "slack", "password": inbox.slack_token, "extra": {"base_url": inbox.slack_base_url},
            },
        }  # fmt: skip
        near = {
            name: {
                "conn_type": "postgres",
                "host": str(server.socket_dir),
                "login": "postgres",
                "schema": database,
            }
            for name, database in (("WAREHOUSE", "waiting"), ("ONCALL_DB", "waiting_oncall"))
        }
        said = {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in (far | near).items()}
        found = _triggerer(uri, {**os.environ, **said, "ONCALL_INCLUDE_DIR": str(REPOSITORY / "include")})
    return _sections(found)


def _triggerer(uri: str, environment: dict[str, str]) -> dict[str, Any]:
    """What a process of its own finds out."""
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")])
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.bench.triggerer", uri],
        env={**environment, "PYTHONPATH": path, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SandboxError(f"the triggerer's process failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _sections(found: dict[str, Any]) -> tuple[Section, ...]:
    one, many = found["1"], found[str(MANY)]

    def beside(what: str, unit: str) -> Figure:
        measured, baseline = (Sample(f"{name} waiting", tuple(values[what]), unit)
                              for name, values in ((f"{MANY:,} sensors", many), ("1 sensor", one)))  # fmt: skip
        return Figure(measured, baseline)

    how = (
        "Sensors in one triggerer wait for a table that has not come, with the poll they have by themselves, beside"
        f" {NIGHTS} nights of loads. CPU of the process and queries, {MEASURED_S:.0f} s long; then the load row is"
        f" written, {RELEASES} times: seconds from its commit to the release of the last of them, with an upstream that"
        " notifies and, last, with one that does not. Asked for: one query per poll for all of them, below 5 % of one"
        " core, all released within 2 s."
    )
    memory = (
        "A process that has loaded Airflow's triggerer and does nothing, and the same process with the watcher, which"
        f" looks and pings, and {MANY:,} sensors that wait: memory that is its own (USS). No Airflow job runs in it."
        " Asked for: at most 80 MB more."
    )
    watching = Sample(f"with the watcher and {MANY:,} sensors", (found["watching_mb"],), "MB")
    idle = Sample("idle triggerer", (found["idle_mb"],), "MB")
    figures = (
        beside("cpu", "% of a core"),
        beside("queries", "queries per poll"),
        beside("released", "s to the last release"),
        Figure(
            Sample(f"{MANY:,} sensors that nobody notifies", tuple(found["polled"]), "s to the last release"),
            Sample("notified", tuple(many["released"]), "s to the last release"),
        ),
    )
    return (
        Section("Waiting for upstream", how, figures),
        Section("Memory of the triggerer", memory, (Figure(watching, idle),)),
    )
