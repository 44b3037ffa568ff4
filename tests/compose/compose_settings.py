"""The variables of a Compose project that is only checked: drawn secrets, free ports, the inbox as the far side."""

from __future__ import annotations

import os
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping

from sandbox.stack.environment import REPOSITORY
from sandbox.stack.scratch import free_port

PASSWORDS = (
    *("POSTGRES_PASSWORD", "AIRFLOW_DB_PASSWORD", "ONCALL_DB_PASSWORD", "WAREHOUSE_DB_PASSWORD"),
    "REDIS_PASSWORD",
)
IMAGE = "investor-pipelines:check"


def listed() -> set[str]:
    """The variables that .env.example explains: all that docker-compose.yaml asks for."""
    return set(re.findall(r"^(?:# )?([A-Z_]+)=", _example(), re.MULTILINE))


def variables() -> dict[str, str]:
    """A value for each variable without which nothing starts, and two ports that nobody listens on."""
    airflow_port, inbox_port = free_port(), free_port()
    return {
        **{name: secrets.token_hex(32) for name in PASSWORDS},
        **{name: secrets.token_hex(64) for name in ("AIRFLOW_JWT_SECRET", "AIRFLOW_API_SECRET_KEY")},
        "AIRFLOW_FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW_ADMIN_PASSWORD": secrets.token_hex(16),
        # Word for word what people are told to write: the connections to the inbox.
        **dict(re.findall(r"^# For the sandbox profile: ([A-Z_]+)='(.+)'$", _example(), re.MULTILINE)),
        "AIRFLOW_IMAGE": IMAGE,
        "AIRFLOW_PORT": f"127.0.0.1:{airflow_port}",
        "AIRFLOW_BASE_URL": f"http://127.0.0.1:{airflow_port}",
        "INBOX_PORT": str(inbox_port),
    }


def process_environment(chosen: Mapping[str, str]) -> dict[str, str]:
    """What `docker compose` runs with: this shell's environment without what would change the project, and `chosen`."""
    meant_for_others = listed()
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in meant_for_others and not name.startswith("COMPOSE_")
    }
    return inherited | dict(chosen)


def _example() -> str:
    return (REPOSITORY / ".env.example").read_text(encoding="utf-8")
