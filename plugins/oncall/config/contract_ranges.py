"""What no row could ever keep of a column's rules, and what PostgreSQL reads otherwise; knows one column at a time."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from oncall.core.data.data_contract import Column

# What Python's regular expressions have and PostgreSQL's have not, or mean otherwise by.
_NOT_IN_POSTGRESQL = re.compile(
    r"\(\?P|\(\?>|\(\?[A-Za-z-]+:|\(\?[^)]*[aLu]\)|\\[bBZ]|[*+?}]\+|\{,"
    r"|\{\d*,?(?:25[6-9]|2[6-9]\d|[3-9]\d\d|\d{4,})"
)
# Words of PostgreSQL, and `day`, as all rows of the day are called.
_RESERVED = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user day default deferrable desc distinct do else end except false fetch for foreign
    freeze from full grant group having ilike in initially inner intersect into is isnull join lateral leading left
    like limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary
    references returning right select session_user similar some symmetric system_user table tablesample then to
    trailing true union unique user using variadic verbose when where window with
"""


def may_name_a_row(alias: str) -> bool:
    """Whether a rule in SQL may call its row so."""
    return alias.lower() not in _RESERVED.split()


def never_kept(column: Column) -> Iterator[tuple[str, str, str]]:
    """(key, found, write) of what holds each row, whatever stands in it."""
    low, high = _as_value(column, column.minimum), _as_value(column, column.maximum)
    if low is not None and high is not None:
        if low > high:
            found = f"minimum {column.minimum} above maximum {column.maximum}"
            yield "logicalTypeOptions", found, "a minimum that is not above the maximum"
        elif column.type == "integer" and math.ceil(low) > math.floor(high):
            found = f"no whole number from {column.minimum} to {column.maximum}"
            yield "logicalTypeOptions", found, "bounds that have one between them"
    if column.pattern and (odd := _NOT_IN_POSTGRESQL.search(column.pattern.replace("\\\\", ""))):
        write = (
            "a regular expression of PostgreSQL (\\y for \\b, {0,255} at most, no (?P<name>…) and no (?i:…))"
        )
        yield "logicalTypeOptions.pattern", odd[0], write
    for value in column.accepted:
        said = _as_value(column, value)
        fits = said is not None and (low is None or low <= said) and (high is None or said <= high)
        if column.type != "string" and not fits:
            write = (
                "minimum and maximum" if column.type == "timestamp" else f"a {column.type} within the bounds"
            )
            yield "validValues", value, write
        elif column.pattern and not re.search(column.pattern, value):
            yield "validValues", value, f"a value that is written as {column.pattern}"


def _as_value(column: Column, written: Any) -> Any:
    """What can be compared; None for what is none of the column's type."""
    if written is None or column.type == "string":
        return None
    try:
        if column.type in ("integer", "number"):
            number = Decimal(str(written))
            return number if number.is_finite() else None
        if column.type == "boolean":
            return {"true": True, "false": False}.get(written)
        if column.type == "timestamp" and written in column.accepted:
            return None
        instant = dt.datetime.fromisoformat(str(written))
    except (ValueError, InvalidOperation):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)
