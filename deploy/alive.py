"""A container's health check: has its job sent a heartbeat lately? Asks Airflow's database, without starting Airflow.

    python alive.py TriggererJob watched

`airflow jobs check` asks the same, but it is a whole start of Airflow: 6 s of a core, each time, in each container.
`watched`: also, has the watcher looked lately, in this triggerer or another? (A paused sla_watch has none.)
"""

import json
import os
import socket
import sys

import psycopg2
import psycopg2.errors
import psycopg2.extensions

WITHIN = (
    "60 seconds"  # twice the threshold of the health page: busy is not dead; and four looks of the watcher
)


def found(dsn: str, query: str, *values: str) -> bool:
    connection = psycopg2.connect(dsn, connect_timeout=5)
    with connection.cursor() as cursor:
        cursor.execute(f"select exists ({query})", values)
        (answer,) = cursor.fetchone() or (False,)
    return bool(answer)


def oncall_db() -> str:
    """The connection as psycopg2 takes it; Airflow takes a URI or JSON."""
    written = os.environ["AIRFLOW_CONN_ONCALL_DB"].strip()
    if not written.startswith("{"):
        return written
    fields = json.loads(written)
    names = {"host": "host", "port": "port", "login": "user", "password": "password", "schema": "dbname"}
    return psycopg2.extensions.make_dsn(**{names[key]: fields[key] for key in names if fields.get(key)})


def check(job: str, watched: bool) -> str | None:
    """What is wrong."""
    dsn = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "", 1)
    beat = (
        "select from job where job_type = %s and hostname = %s and state = 'running'"
        " and latest_heartbeat > now() - %s::interval"
    )
    if not found(dsn, beat, job, socket.getfqdn(), WITHIN):
        return f"no heartbeat of {job} on {socket.getfqdn()} within {WITHIN}"
    tick = "select from oncall.memory where name = 'tick' and value::timestamptz > now() - %s::interval"
    try:
        if watched and not found(oncall_db(), tick, WITHIN):
            return f"no watcher has looked within {WITHIN}: is sla_watch unpaused?"
    except psycopg2.errors.UndefinedTable:
        return "no watcher has ever looked: it makes the tables"
    except (psycopg2.Error, ValueError):
        pass  # the watcher pages from memory while its database is down, or is not as it should be
    return None


if __name__ == "__main__":
    sys.exit(check(sys.argv[1], "watched" in sys.argv[2:]))
