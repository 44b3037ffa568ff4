"""How an incident stands in its table. A column keeps the name it was made with: the version before may still run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from oncall.core.incidents.incident import Incident

_NAMED_OTHERWISE = {"escalation_round": "ladder"}
_FIELDS = tuple(field.name for field in dataclasses.fields(Incident))
_QUOTED = tuple(f'"{_NAMED_OTHERWISE.get(name, name)}"' for name in _FIELDS)

_TYPES = {
    "str": "text", "int": "int", "float": "double precision", "dt.date": "date", "dt.datetime": "timestamptz",
    "tuple[str, ...]": "text[]",
}  # fmt: skip
_NOTHING = {"str": "''", "int": "0", "tuple[str, ...]": "array[]::text[]", "dt.datetime": "now()"}


def _read(column: str, kind: str) -> str:
    """Of this type whatever somebody has made of the column (a round "0" is not the round 0), and null only where the
    type has one: one row that cannot be counted with would stop the look of all."""
    value = f"{column}::{_TYPES[kind.removesuffix(' | None')]}"
    return f"coalesce({value}, {_NOTHING[kind]})" if kind in _NOTHING else value


COLUMNS = ", ".join(map(_read, _QUOTED, (str(field.type) for field in dataclasses.fields(Incident))))
UPSERT = (
    f"insert into oncall.incidents ({', '.join(_QUOTED)}) values ({', '.join(f'%({name})s' for name in _FIELDS)})"
    f" on conflict (key) do update set {', '.join(f'{column} = excluded.{column}' for column in _QUOTED)}"
)


def incident_of(row: Sequence[Any]) -> Incident:
    """From a row of `COLUMNS`."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in zip(_FIELDS, row, strict=True)
    }
    return Incident(**values)


def parameters_of(incident: Incident) -> dict[str, Any]:
    """For `UPSERT`."""
    return {name: _plain(getattr(incident, name)) for name in _FIELDS}


def _plain(value: Any) -> Any:
    """As PostgreSQL takes it: a list."""
    return list(value) if isinstance(value, tuple) else value
