"""Master data written by hand, a few rows at a time: `add(connection, "orders", {...}, ...)` fills what is not said."""

from __future__ import annotations

import datetime as dt
from typing import Any

ZONE = dt.timezone(dt.timedelta(hours=7))
DAY = dt.date(2026, 11, 20)
STARTS = dt.datetime(2026, 11, 20, tzinfo=ZONE)  # the first instant of DAY, 17:00Z on the 19th

USUAL: dict[str, dict[str, Any]] = {
    "customers": {"signed_up_at": STARTS, "country": "VN", "acquisition_channel": "organic"},
    "products": {"category": "toys", "unit_cost": 0},
    "orders": {"customer_id": 1, "ordered_at": STARTS, "status": "paid"},
    "order_lines": {"line_no": 1, "product_id": 1, "quantity": 1, "unit_price": 0, "discount": 0},
    "refunds": {"line_no": 1, "refunded_at": STARTS},
    "marketing_spend": {"day": DAY},
    "touches": {"customer_id": 1},
    "sessions": {"customer_id": 1, "started_at": STARTS, "duration_s": 60, "feature": "browse"},
    "experiment_assignments": {"experiment": "button", "variant": "control", "assigned_at": STARTS},
}


def at(text: str, day: dt.date = DAY) -> dt.datetime:
    """`09:30` of a day in UTC+7."""
    return dt.datetime.combine(day, dt.time.fromisoformat(text), tzinfo=ZONE)


def add(connection: Any, table: str, *rows: dict[str, Any]) -> None:
    """Insert rows into `master.<table>`; columns that a row leaves out get their usual value."""
    with connection.cursor() as cursor:
        for row in rows:
            values = {**USUAL[table], "updated_at": STARTS, **row}
            columns = ", ".join(values)
            marks = ", ".join(f"%({name})s" for name in values)
            cursor.execute(f"insert into master.{table} ({columns}) values ({marks})", values)
    connection.commit()


def rows(connection: Any, query: str, *parameters: Any) -> list[dict[str, Any]]:
    """What a query answers, as dicts."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        names = [column[0] for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    connection.rollback()
    return found


def row(connection: Any, query: str, *parameters: Any) -> dict[str, Any]:
    """The one row that a query answers."""
    (found,) = rows(connection, query, *parameters)
    return found
