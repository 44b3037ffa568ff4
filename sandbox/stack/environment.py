"""The environment of every process of a stack, computed in one place: knows Airflow's settings and our connections."""

from __future__ import annotations

import json
import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.inbox.store import Keys
from sandbox.stack.postgres import Server

if TYPE_CHECKING:
    from sandbox.stack.stack import Stack

REPOSITORY = Path(__file__).resolve().parents[2]
DATABASES = ("airflow", "warehouse", "oncall")

# The laptop's logins: real authentication, with passwords that nobody has to look up. Production has its own
# auth manager (docker-compose.yaml).
LOGINS = {"admin": "admin", "viewer": "viewer"}

# Quicker than the defaults where a person waits, smaller where a laptop pays.
LAPTOP = {
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__API__WORKERS": "1",
    # After the default of 5 s a task on a busy laptop gives up.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "300",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    "NO_COLOR": "1",
}


HERE = "127.0.0.1,localhost"
# The stack speaks to this machine alone; Slack's client sends even that through a proxy that the shell names.
PROXIES = ("http_proxy", "https_proxy", "all_proxy")

REAL_CHANNELS = ("AIRFLOW_CONN_OPSGENIE_DEFAULT", "AIRFLOW_CONN_SLACK_API_DEFAULT")


def environment(stack: Stack, server: Server) -> dict[str, str]:
    """The whole environment of the stack's processes: this process's own one without its Airflow settings, plus ours.

    The secrets are drawn once per run folder and kept there, readable by their owner only. Whoever sets one of
    REAL_CHANNELS speaks to the real Opsgenie or Slack instead of the inbox.
    """
    real = {name: os.environ[name] for name in REAL_CHANNELS if os.environ.get(name)}
    mine = {
        name: value
        for name, value in os.environ.items()
        # Airflow is thousands of modules: without their bytecode every start costs seconds more.
        if not name.startswith(("AIRFLOW_", "ONCALL_")) and name != "PYTHONDONTWRITEBYTECODE"
    }
    if not real:
        mine = {name: value for name, value in mine.items() if name.lower() not in PROXIES}
    not_through_a_proxy = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    mine["NO_PROXY"] = mine["no_proxy"] = ",".join(filter(None, (not_through_a_proxy, HERE)))
    ours = LAPTOP | _airflow(stack, server) | _connections(stack, server) | _secrets(stack.run_dir)
    return mine | ours | real


def _airflow(stack: Stack, server: Server) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")]),
        "ONCALL_INCLUDE_DIR": str(stack.include_dir),
        "ONCALL_RUN_DIR": str(stack.run_dir),
        "ONCALL_AIRFLOW_PORT": str(stack.airflow_port),
        "ONCALL_INBOX_PORT": str(stack.inbox_port),
        "WAREHOUSE_DSN": server.uri("warehouse"),
        "AIRFLOW_HOME": str(stack.run_dir / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(stack.dags_dir),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{stack.airflow_url}/execution/",
        "AIRFLOW__API__BASE_URL": stack.airflow_url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.uri("airflow", "psycopg2"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": server.uri("airflow", "asyncpg"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords(stack.run_dir)),
    }


def _connections(stack: Stack, server: Server) -> dict[str, str]:
    """The connections, as JSON. Production keeps them in its secrets backend or in Airflow's database."""

    def postgres(database: str) -> dict[str, object]:
        return {
            "conn_type": "postgres",
            "host": str(server.socket_dir),
            "login": "postgres",
            "schema": database,
        }

    keys = Keys()
    connections: dict[str, dict[str, object]] = {
        "WAREHOUSE": postgres("warehouse"),
        "ONCALL_DB": postgres("oncall"),
        "OPSGENIE_DEFAULT": {
            "conn_type": "opsgenie",
            "host": f"{stack.inbox_url}/opsgenie",
            "password": keys.opsgenie,
            "extra": {"alert_url": f"{stack.inbox_url}/#{{alias}}"},
        },
        "OPSGENIE_API": {
            "conn_type": "generic",
            "host": f"{stack.inbox_url}/opsgenie",
            "password": keys.opsgenie_account,
        },
        "SLACK_API_DEFAULT": {
            "conn_type": "slack",
            "password": keys.slack,
            "extra": {
                "base_url": f"{stack.inbox_url}/api/",
                "thread_url": f"{stack.inbox_url}/#m-{{channel}}-{{ts}}",
            },
        },
    }
    return {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in connections.items()}


def _secrets(run_dir: Path) -> dict[str, str]:
    drawn = {
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(64),
        "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
    kept: dict[str, str] = json.loads(_private(run_dir / "secrets.json", json.dumps(drawn)))
    return kept


def _passwords(run_dir: Path) -> Path:
    path = run_dir / "logins.json"
    _private(path, json.dumps(LOGINS))
    return path


def _private(path: Path, text: str) -> str:
    """The text of a file that only its owner reads; written with `text` when it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    return path.read_text(encoding="utf-8")
