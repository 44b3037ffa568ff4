"""Connections as the environment writes them, for a command line that runs without Airflow; asks Airflow else."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oncall.adapters.http.connections import look_up_in_airflow
from oncall.core.errors import Rejected


@dataclass(frozen=True)
class PlainConnection:
    """The fields of an Airflow connection that `Connected` reads."""

    host: str = ""
    port: int | None = None
    password: str = field(default="", repr=False)
    extra_dejson: Mapping[str, Any] = field(default_factory=dict, repr=False)


def look_up(conn_id: str) -> Any:
    """`AIRFLOW_CONN_<ID>` when it is JSON, else what Airflow knows. Raises Rejected when nobody knows it."""
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    written = os.environ.get(name, "").strip()
    if written.startswith("{"):
        return _read(name, written)
    try:
        return look_up_in_airflow(conn_id)
    except ModuleNotFoundError:  # no Airflow here
        raise Rejected(f'{name} is not set; write JSON: {{"host": "…", "password": "…"}}') from None


def _read(name: str, written: str) -> PlainConnection:
    try:
        fields = json.loads(written)
        extra = fields.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
    except ValueError:
        raise Rejected(f"{name} is no JSON") from None  # its text holds the key
    return PlainConnection(
        host=fields.get("host") or "",
        port=fields.get("port"),
        password=fields.get("password") or "",
        extra_dejson=extra,
    )
