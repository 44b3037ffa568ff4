"""Asks a database once for the tables and grants that are needed, and says what is missing. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from oncall.adapters.postgres.column_types import types_of
from oncall.adapters.postgres.database import Connect, Cursor
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.postgres.warehouse_rows import bare, meant
from oncall.core.check_result import CheckResult
from oncall.core.errors import Unreadable

WRITES = ("select", "insert", "update", "delete")
READS = ("select",)
LOADS = "master.loads"
PUBLICATIONS = "investor.publications"
_COLUMNS_OF_LOADS = ("table_name", "business_day", "loaded_at", "row_count")
_TYPES_OF_LOADS = {"business_day": "date", "loaded_at": "timestamp with time zone"}
_NAMES = {
    LOADS: f"select distinct table_name::text from {LOADS} where business_day > current_date - 60",
    PUBLICATIONS: f"select distinct report::text from {PUBLICATIONS}"
    ' where published_at::text collate "C" > (current_date - 2)::text',
}
_ASKED = f"""
    select named.name, n.oid is not null, coalesce(has_schema_privilege(n.oid, 'usage'), false),
           coalesce(has_schema_privilege(n.oid, 'create'), false), c.oid is not null,
           array(select needed.privilege from unnest(%(privileges)s::text[]) as needed (privilege)
                 where c.oid is not null and not has_table_privilege(c.oid, needed.privilege)),
           coalesce({types_of("c.oid")}, '{{}}'),
           coalesce(row_security_active(c.oid), false) and not exists (
               select from pg_policy p, unnest(p.polroles) as meant (role)
               where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('r', '*')
                 and case when meant.role = 0 then true else pg_has_role(meant.role, 'usage') end)
    from unnest(%(names)s::text[]) as named (name)
    left join pg_namespace n on n.nspname = split_part(named.name, '.', 1)
    left join pg_class c on c.relnamespace = n.oid and c.relname = split_part(named.name, '.', 2)
    order by named.name
"""


LARGE = (
    16 * 1024 * 1024
)  # bytes from which on a table is not to be read from end to end for each row of another
# By what the runs look rows up one by one (docs/METRICS.md).
LOOKED_UP = {
    "master.customers": "customer_id", "master.order_lines": "order_id", "master.orders": "order_id",
    "master.products": "product_id", "master.refunds": "order_id", "master.sessions": "customer_id",
    "master.touches": "customer_id",
}  # fmt: skip
_UNINDEXED = """
    select looked_up.name, looked_up.key
    from unnest(%(names)s::text[], %(keys)s::text[]) as looked_up (name, key)
    join pg_class c on c.oid = to_regclass(looked_up.name)
    join pg_attribute a on a.attrelid = c.oid and a.attname = looked_up.key
    where (c.relkind = 'p' or c.relkind in ('r', 'm') and pg_relation_size(c.oid) > %(large)s)
      and not exists (select from pg_index i where i.indrelid = c.oid and i.indisvalid and i.indpred is null
                      and i.indkey[0] = a.attnum)
"""


def made_by(sql: str) -> list[str]:
    """The tables that an SQL file of ours makes."""
    return sorted(set(re.findall(r"^create table if not exists ([a-z_]+\.[a-z_]+)", sql, re.MULTILINE)))


@dataclass
class Database:
    """One database under check: `conn_id` is its connection, `connect` gets it (and may raise Unreadable)."""

    conn_id: str
    connect: Callable[[], Connect]
    checked: CheckResult

    @property
    def place(self) -> str:
        return f"connection {self.conn_id}"

    def ask(
        self,
        ours: Collection[str],
        upstreams: Collection[str] = (),
        optional: Mapping[str, Mapping[str, str]] | None = None,
        reports: Collection[str] = (),
    ) -> None:
        """`ours`: the tables that we make and write; `upstreams`: those that another team makes, and we read.

        `optional`: by table and column what it means that an upstream table lacks it. `reports`: those promised.
        """
        try:
            with LastingConnection(self.connect(), self.conn_id).cursor() as cursor:
                cursor.execute(
                    "select current_user, current_database(), has_database_privilege(current_database(), 'create'),"
                    " pg_is_in_recovery()"
                )
                ((role, database, may_create, standby),) = cursor.fetchall()
                self._say_reached(role, database, standby)
                made, found = _tables(cursor, ours, WRITES), _tables(cursor, upstreams, READS)
                self._say_ours(made, role, database, may_create)
                self._say_upstreams(found, role, optional or {})
                if not any(problem.file == self.place for problem in self.checked.problems):
                    self._say_unindexed({table.name for table in found}, cursor)
                    self._say_names({table.name for table in found} - {LOADS}, LOADS, "table_name", cursor)
                    if any(table.name == PUBLICATIONS and table.is_there for table in made):
                        self._say_names(reports, PUBLICATIONS, "report", cursor)
        except (Unreadable, ModuleNotFoundError) as error:
            said, _, write = str(error).rpartition("; write ")
            write = write if said else "the connection so that its server takes it, and ask again"
            self.checked.wrong(self.place, "connect", said or str(error), write)

    def _say_reached(self, role: str, database: str, standby: bool) -> None:
        if standby:
            write = "the address of the primary server"
            self.checked.wrong(self.place, "host", "a standby, to which nothing can be written", write)
        else:
            self.checked.good.append(f"{self.place}: database {database} as role {role}")

    def _say_ours(self, found: list[_Table], role: str, database: str, may_create: bool) -> None:
        for table in found:
            create = f"grant usage, create on schema {table.schema} to {role}"
            if not table.has_schema:
                if not may_create:
                    there = f"no schema {table.schema}, and {role} may make none in {database}"
                    self._missing(table.schema, there, f"create schema {table.schema} authorization {role}")
            elif not table.may_use or not (table.is_there or table.may_create):
                self._missing(table.schema, f"{role} may not use it or make tables in it", create)
            elif table.lacking:
                self._lacking(table, role)
            elif table.hides_all:
                self._hidden(table, role)
            else:
                self.checked.good.append(f"{self.place}: table {table.name}")

    def _say_upstreams(
        self, found: list[_Table], role: str, optional: Mapping[str, Mapping[str, str]]
    ) -> None:
        for table in found:
            if table.has_schema and not table.may_use:
                grant = f"grant usage on schema {table.schema} to {role}"
                self._missing(table.schema, f"{role} may not use it", grant)
            elif not table.is_there:
                write = "the table's right name in the runbook (`upstream`), or let its team make it"
                if table.name == LOADS:
                    write = "a row per finished load into it: without it no load is known to have come"
                self._missing(table.name, "no such table", write)
            elif table.lacking:
                self._lacking(table, role)
            elif table.hides_all:
                self._hidden(table, role)
            elif table.name == LOADS and (gone := sorted({*_COLUMNS_OF_LOADS} - {*table.columns})):
                self._missing(
                    table.name, f"no column {', '.join(gone)}", f"the columns {', '.join(_COLUMNS_OF_LOADS)}"
                )
            elif table.name == LOADS and (odd := {*_TYPES_OF_LOADS.items()} - {*table.columns.items()}):
                types = ", ".join(f"{name} of type {table.columns[name]}" for name, _ in sorted(odd))
                write = ", ".join(f"{name} as {kind}" for name, kind in sorted(odd))
                self._missing(table.name, types, f"{write}: the pipelines cannot compare it")
            else:
                lacking = [
                    f"no column {name}, {means}"
                    for name, means in optional.get(table.name, {}).items()
                    if name not in table.columns
                ]
                self.checked.good.append("; ".join([f"{self.place}: upstream table {table.name}", *lacking]))

    def _say_unindexed(self, names: Collection[str], cursor: Cursor) -> None:
        """Name the large tables of upstream's that a run would read from end to end for each row of a day."""
        keys = {name: key for name, key in LOOKED_UP.items() if name in names}
        asked = {"names": list(keys), "keys": list(keys.values()), "large": LARGE}
        for name, key in cursor.execute(_UNINDEXED, asked).fetchall():
            write = f"create index on {name} ({key}): without it a run takes hours"
            self._missing(name, f"no index on {key}", write)

    def _say_names(self, names: Collection[str], table: str, column: str, cursor: Cursor) -> None:
        """Name the rows that call one of these by almost its name: the watcher goes by the letter, and waits on."""
        known = [str(name) for (name,) in cursor.execute(_NAMES[table])] if names else []
        for name in sorted(names):
            alike = [called for called in known if meant(called) in (meant(name), meant(bare(name)))]
            right = {bare(name), name} if table == LOADS else {name}
            if alike and not right & {*known}:
                write = f"{' or '.join(sorted(right))}, or the name that its rows have into the runbook"
                self._missing(name, f"the {column} {alike[0]!r} in {table}, which is another one", write)

    def _lacking(self, table: _Table, role: str) -> None:
        lacking = ", ".join(table.lacking)
        self._missing(table.name, f"{role} may not {lacking}", f"grant {lacking} on {table.name} to {role}")

    def _hidden(self, table: _Table, role: str) -> None:
        found = f"row-level security shows {role} no row"
        self._missing(table.name, found, f"a policy for {role}, or alter role {role} bypassrls")

    def _missing(self, key: str, found: str, write: str) -> None:
        if not any((known.file, known.key) == (self.place, key) for known in self.checked.problems):
            self.checked.wrong(self.place, key, found, write)


@dataclass(frozen=True)
class _Table:
    name: str
    has_schema: bool
    may_use: bool
    may_create: bool
    is_there: bool
    lacking: list[str]
    columns: dict[str, str]  # with their types
    hides_all: bool

    @property
    def schema(self) -> str:
        return self.name.partition(".")[0]


def _tables(cursor: Cursor, names: Collection[str], privileges: tuple[str, ...]) -> list[_Table]:
    values: dict[str, Any] = {"names": sorted(names), "privileges": list(privileges)}
    return [_Table(*row) for row in cursor.execute(_ASKED, values).fetchall()]
