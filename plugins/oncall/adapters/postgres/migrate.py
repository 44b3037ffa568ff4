"""Applies an SQL file that may be run again and again, whenever its text is another one than the last time.

So a file changes a table that is there by a statement such as `alter table … add column if not exists … default …`,
after the one that creates it. While one version replaces another both run: a new column has a default, an old one stays
for a release. The digest of the text stands in the comment of one of the tables.

PostgreSQL asks for rights before it looks what is there: `create schema if not exists` for CREATE on the database,
`create index if not exists` for the ownership of the table. A role without them gets what somebody else has made for
it: then only what is missing is run, and what may not be run is said with the grant that is missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

from oncall.core.errors import Unreadable

log = structlog.get_logger(__name__)

REBUILD_S = 30.0  # rewriting a table may take its time
FORBIDDEN = "42501"  # PostgreSQL's code for what a role may not do

# What a statement makes, how to ask whether that is there, and the grant with which it may be made.
_CREATE_IN_SCHEMA = "grant usage, create on schema {schema} to {role}"
_OWNER = "alter table {schema}.{table} owner to {role}"
_IS_RELATION = "select to_regclass(%(schema)s || '.' || %(name)s) is not null"
_MAKES = (
    (
        r"create schema if not exists (?P<name>\w+)",
        "select to_regnamespace(%(name)s::text) is not null",
        "grant create on database {database} to {role}",
    ),
    (
        r"create (?:table if not exists|or replace view) (?P<schema>\w+)\.(?P<name>\w+)",
        _IS_RELATION,
        _CREATE_IN_SCHEMA,
    ),
    (
        r"create (?:unique )?index if not exists (?P<name>\w+) on (?P<schema>\w+)\.(?P<table>\w+)",
        _IS_RELATION,
        _OWNER,
    ),
    (
        r"alter table (?P<schema>\w+)\.(?P<table>\w+) add column if not exists (?P<name>\w+)",
        "select exists (select from pg_attribute where attrelid = to_regclass(%(schema)s || '.' || %(table)s)"
        " and attname = %(name)s)",
        _OWNER,
    ),
    (
        r"create or replace trigger (?P<name>\w+) .*? on (?P<schema>\w+)\.(?P<table>\w+)",
        "select exists (select from pg_trigger where tgrelid = to_regclass(%(schema)s || '.' || %(table)s)"
        " and tgname = %(name)s)",
        _OWNER,
    ),
    (
        r"create or replace function (?P<schema>\w+)\.(?P<name>\w+)",
        "select to_regproc(%(schema)s || '.' || %(name)s) is not null",
        _CREATE_IN_SCHEMA,
    ),
    (
        r"create extension if not exists (?P<name>\w+)",
        "select exists (select from pg_extension where extname = %(name)s)",
        "let a superuser run: create extension {name}",
    ),
)
_WORDS = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|(\$\w*\$).*?\1|.", re.DOTALL)


def bring_up(cursor: Any, table: str, sql: str) -> None:
    """Run the text in this transaction, unless it was what `table` was last made with. Two processes may do so at once.

    Where the table is there and may not be changed (somebody else owns it), it stays as it is and the log says why.
    Raises Unreadable, naming the grant, when something is missing that this role may not make.
    """
    digest = f"made with {hashlib.sha256(sql.encode()).hexdigest()[:16]}"
    if _comment(cursor, table) == (True, digest):
        return
    cursor.execute("select pg_advisory_xact_lock(hashtext(%s::text))", (table,))
    there, made = _comment(cursor, table)
    if made == digest:
        return
    if hasattr(cursor.connection, "be_patient"):
        cursor.connection.be_patient(REBUILD_S)
    cursor.execute("set local statement_timeout = 0")
    try:
        with _undone_if_wrong(cursor):
            cursor.execute(sql)
            cursor.execute(f"comment on table {table} is '{digest}'")
    except Exception as error:  # noqa: BLE001 - raised again below
        try:
            if getattr(error, "sqlstate", None) != FORBIDDEN:
                raise
            _run_what_is_missing(cursor, sql)
        except Exception as why:
            if not there:
                raise
            log.warning("oncall.tables_not_brought_up", table=table, reason=str(why).partition("\n")[0])


def _run_what_is_missing(cursor: Any, sql: str) -> None:
    for statement in _statements(sql):
        made, is_there, grant = _made_by(statement)
        try:
            with _undone_if_wrong(cursor):
                if made is not None:
                    cursor.execute(is_there, made)
                if made is None or cursor.fetchone() != (True,):
                    cursor.execute(statement)
        except Exception as error:
            if getattr(error, "sqlstate", None) != FORBIDDEN:
                raise
            raise _forbidden(cursor, f"run `{statement[:70]} …`", grant, made or {}) from error


def _made_by(statement: str) -> tuple[dict[str, str] | None, str, str]:
    """The names of what a statement makes, how to ask whether that is there, and the grant for it."""
    for pattern, is_there, grant in _MAKES:
        if found := re.match(pattern, statement):
            return found.groupdict(), is_there, grant
    return None, "", "let its owner run it"


def _forbidden(cursor: Any, action: str, grant: str, names: Mapping[str, str]) -> Unreadable:
    cursor.execute("select current_user, current_database()")
    role, database = cursor.fetchone()
    do = grant.format(**names, role=role, database=database)
    return Unreadable(f"role {role} may not {action} in database {database}: {do} (deploy/databases.sql)")


def _statements(sql: str) -> Iterator[str]:
    """Each statement without comments, in one line but for what is quoted."""
    words: list[str] = []
    for word in (match[0] for match in _WORDS.finditer(f"{sql};")):
        if word == ";":
            if statement := "".join(words).strip():
                yield statement
            words = []
        elif not (word.isspace() or word.startswith(("--", "/*"))):
            words.append(word)
        elif words and words[-1] != " ":
            words.append(" ")


@contextmanager
def _undone_if_wrong(cursor: Any) -> Iterator[None]:
    cursor.execute("savepoint bring_up")
    try:
        yield
    except Exception:
        cursor.execute("rollback to savepoint bring_up")
        raise


def _comment(cursor: Any, table: str) -> tuple[bool, str | None]:
    """Whether the table is there, and its comment."""
    schema = table.partition(".")[0]
    usable = "select coalesce(has_schema_privilege(to_regnamespace(%s::text), 'usage'), true)"
    cursor.execute(usable, (schema,))
    if cursor.fetchone() != (True,):
        raise _forbidden(cursor, f"use schema {schema}", _CREATE_IN_SCHEMA, {"schema": schema})
    cursor.execute(
        "select to_regclass(%(table)s::text) is not null, obj_description(to_regclass(%(table)s::text), 'pg_class')",
        {"table": table},
    )
    there, comment = cursor.fetchone()
    return bool(there), comment
