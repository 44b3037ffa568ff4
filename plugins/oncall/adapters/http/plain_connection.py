"""Connections as the environment writes them, for a command line that runs without Airflow; asks Airflow else."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oncall.adapters.airflow_connections import look_up_in_airflow
from oncall.core.errors import Rejected


@dataclass(frozen=True)
class PlainConnection:
    """The fields of an Airflow connection that `Connected` reads."""

    host: str = ""
    port: int | None = None
    password: str = field(default="", repr=False)
    extra_dejson: Mapping[str, Any] = field(default_factory=dict, repr=False)


def look_up(conn_id: str) -> Any:
    """What Airflow knows; where there is no Airflow, `AIRFLOW_CONN_<ID>` as JSON. Raises Rejected without one."""
    try:
        return look_up_in_airflow(conn_id)  # as the watcher does, or a check would find good what it refuses
    except ModuleNotFoundError:
        name = f"AIRFLOW_CONN_{conn_id.upper()}"
    written = os.environ.get(name, "").strip()
    if written.startswith("{"):
        return _read(name, written)
    raise Rejected(f'{name} is not set; write JSON: {{"host": "…", "password": "…"}}')


def _read(name: str, written: str) -> PlainConnection:
    try:
        fields = json.loads(written)
        extra = fields.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
    except (ValueError, RecursionError):
        raise Rejected(f"{name} is no JSON") from None  # its text holds the key
    return PlainConnection(
        host=fields.get("host") or "",
        port=fields.get("port"),
        password=fields.get("password") or "",
        extra_dejson=extra,
    )
