"""Tables as an SQL file says that may be run again and again: it is, whenever its text is another one than last time.

So a file changes a table that is there by a statement such as `alter table … add column if not exists … default …`,
after the one that creates it. While one version replaces another both run: a new column has a default, an old one stays
for a release. The digest of the text stands in the comment of one of the tables.
"""

from __future__ import annotations

import hashlib
from typing import Any

import structlog

log = structlog.get_logger(__name__)


def bring_up(cursor: Any, table: str, sql: str) -> None:
    """Run the text in this transaction, unless it was what `table` was last made with. Two processes may do so at once.

    Where the table is there and may not be changed (somebody else owns it), it stays as it is and the log says why.
    """
    digest = f"made with {hashlib.sha256(sql.encode()).hexdigest()[:16]}"
    if _comment(cursor, table) == (True, digest):
        return
    cursor.execute("select pg_advisory_xact_lock(hashtext(%s::text))", (table,))
    there, made = _comment(cursor, table)
    if made == digest:
        return
    cursor.execute("savepoint bring_up")
    try:
        cursor.execute("set local statement_timeout = 0")  # rewriting a table may take its time
        cursor.execute(sql)
        cursor.execute(f"comment on table {table} is '{digest}'")
    except Exception as error:
        if not there:
            raise
        cursor.execute("rollback to savepoint bring_up")
        log.warning("oncall.tables_not_brought_up", table=table, reason=str(error).partition("\n")[0])


def _comment(cursor: Any, table: str) -> tuple[bool, str | None]:
    """Whether the table is there, and its comment."""
    cursor.execute(
        "select to_regclass(%(table)s::text) is not null, obj_description(to_regclass(%(table)s::text), 'pg_class')",
        {"table": table},
    )
    there, comment = cursor.fetchone()
    return bool(there), comment
