"""SQL for many values in one parameter, and for days and instants that are within reason."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

# Open incidents, and days that failed, the newest: a look of ten thousand takes longer than a transaction may idle.
MOST_DAYS = 3_000
SANE_DAY = "report_date between '2000-01-01' and '2200-01-01'"  # one that somebody can mean


def columns(**values: Iterable[object]) -> str:
    """JSON for `rows_of`: each element of an array costs psycopg a microsecond, and a look has tens of thousands."""
    return _written(tuple(values), tuple(map(tuple, values.values())))


@lru_cache(maxsize=16)  # every look asks for the same
def _written(names: tuple[str, ...], values: tuple[tuple[object, ...], ...]) -> str:
    return json.dumps(dict(zip(names, values, strict=True)), default=str)


def rows_of(parameter: str, *names: str) -> str:
    """What to select from, to have the `columns` bound to the parameter as rows of text."""
    columns = (f"jsonb_array_elements_text(%({parameter})s::jsonb -> '{name}')" for name in names)
    return f"rows from ({', '.join(columns)}) as one ({', '.join(names)})"


def sane(instant: str, day: str) -> str:
    """SQL for the instant; where nobody can mean it (infinity, the year 5000) the midnight at which the day begins."""
    within = f"{instant} between '2000-01-01' and '2200-01-01'"
    return f"case when {within} then {instant} else {day}::timestamp at time zone 'UTC' end"
