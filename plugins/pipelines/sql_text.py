"""Names and values as they are written into the text of a statement, whose own percent signs are doubled."""

from __future__ import annotations

from collections.abc import Sequence

from oncall.core.data.data_contract import TableContract


def key_of(contract: TableContract, alias: str, columns: Sequence[str] = ()) -> str:
    named = ", ".join(
        f"'{column} ' || coalesce({alias}.{quoted(column)}::text, 'null')"
        for column in columns or contract.key
    )
    return f"concat_ws(', ', {named})"


def names_of(columns: Sequence[str], alias: str = "") -> str:
    return ", ".join(f"{alias}.{quoted(column)}" if alias else quoted(column) for column in columns)


def table_of(name: str) -> str:
    return ".".join(quoted(part) for part in name.split("."))


def quoted(name: str) -> str:
    """An identifier; the reader lets only plain lower-case names through."""
    return f'"{name}"'


def literal(value: float | str) -> str:
    if isinstance(value, str):
        return escaped("'" + value.replace("'", "''") + "'")
    return repr(value)


def escaped(text: str) -> str:
    return text.replace("%", "%%")


def any_of(parts: Sequence[str]) -> str:
    return " or ".join(f"({part})" for part in parts)
