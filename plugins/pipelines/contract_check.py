"""Asks the warehouse whether a day's upstream rows keep their contracts; knows nothing of reports."""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from oncall.adapters.postgres.refusals import first_line
from oncall.core.data.data_contract import LOADS, Breach, DataContracts, TableContract
from oncall.core.promises.facts import ALL_OF_THEM
from pipelines.contract_rule import Existing, Rule
from pipelines.contract_sql import Statement, compiled, in_sight, misfits, no_such_table
from pipelines.sql_text import literal

ANSWER_WITHIN_S = 600.0
"""How long one table's contract may be asked: a rule in SQL that sleeps, or a pattern without end, would hold the run
for ever. Generous: a large day takes seconds."""

_STANDING = """
    select n.nspname || '.' || c.relname, a.attname, t.typname, a.attnotnull,
           (select string_agg(i.indisunique || ':' || (
                select string_agg(k.attname, ',' order by part.nth)
                from unnest(i.indkey) with ordinality as part (attnum, nth)
                join pg_attribute k on k.attrelid = i.indrelid and k.attnum = part.attnum), ' ')
            from pg_index i
            where i.indrelid = c.oid and i.indisvalid and i.indpred is null and i.indexprs is null),
           case when row_security_active(c.oid) then
               array(select concat('policy ', p.polname, ', ', pg_get_expr(p.polqual, p.polrelid)) from pg_policy p
                     where p.polrelid = c.oid and p.polcmd in ('r', '*') and exists (
                         select from unnest(p.polroles) as meant (role)
                         where case when meant.role = 0 then true else pg_has_role(meant.role, 'usage') end)
                     order by p.polname) end,
           case when not has_schema_privilege(n.oid, 'usage')
               then format('grant usage on schema %%I to %%I', n.nspname, current_user)
               when not has_column_privilege(c.oid, a.attnum, 'select')
               then format('grant select on %%I.%%I to %%I', n.nspname, c.relname, current_user) end
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    cross join lateral (
        -- A domain may be one of another.
        with recursive made_of (oid, typname, typbasetype) as (
            select oid, typname, typbasetype from pg_type where oid = a.atttypid
            union all
            select b.oid, b.typname, b.typbasetype from made_of join pg_type b on b.oid = made_of.typbasetype)
        select typname from made_of where typbasetype = 0) t
    where n.nspname || '.' || c.relname = any(%(tables)s) and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""


def breaches(
    cursor: Any,
    contracts: DataContracts,
    tables: Iterable[str],
    day: Mapping[str, Any],
    beside: Iterable[str] = (),
) -> list[Breach]:
    """What of the day's rows of these tables breaks their contracts, and the key of one row for each rule.

    `day` binds `report_date`, `day_start` and `day_end`. One statement a table, and one that asks how they stand.
    Nothing is told of a table that has no contract. Of the tables `beside`, no rows are asked: they only have to be
    there as their contracts say, with our right to read them. What takes longer than ANSWER_WITHIN_S is given up.
    """
    cursor.execute("select current_setting('statement_timeout')")
    ((usual,),) = cursor.fetchall()
    _answer_within(cursor, f"{ANSWER_WITHIN_S:.0f}s")
    statements, lacking, hidden = _statements(cursor, contracts, tables, beside)
    found = list(lacking)
    for statement in statements:
        _ask(cursor, statement, day)
        found += (
            _breach(statement.contract, statement.rules[number], count, example)
            for number, count, example in cursor.fetchall()
        )
    _answer_within(cursor, usual)
    return [*found, *hidden] if found else []


def _ask(cursor: Any, statement: Statement, day: Mapping[str, Any]) -> None:
    began = time.monotonic()
    try:
        cursor.execute(statement.count, day)
    except Exception as error:
        if time.monotonic() - began >= ANSWER_WITHIN_S:
            rules = [rule.name for rule in statement.contract.rules]
            own = f", of its own rules {', '.join(rules)}" if rules else ""
            error.add_note(f"(the contract of {statement.contract.table}{own})")
        raise


def _answer_within(cursor: Any, bound: str) -> None:
    cursor.execute("select set_config('statement_timeout', %s, true)", (bound,))


def unaskable(connection: Any, contracts: DataContracts, day: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(table and rule, why) of what a run could not ask, as the warehouse says; nothing is asked of any row."""
    with closing(connection.cursor()) as cursor:
        statements, lacking, _ = _statements(cursor, contracts, contracts.tables)
        yield from ((breach.table, f"not {breach.expected}") for breach in lacking)
        for statement in statements:
            if not _why_not(connection, cursor, f"explain {statement.count}", day):
                continue
            for rule in statement.rules:
                alone = replace(statement, rules=(rule,))
                if why := _why_not(connection, cursor, f"explain {alone.count}", day):
                    yield f"{statement.contract.table}: {rule.name}", why
        for contract in contracts.tables.values():
            for column in contract.columns:
                asked = f"select '' ~ {literal(column.pattern)}" if column.pattern else ""
                if asked and (why := _why_not(connection, cursor, asked, day)):
                    yield f"{contract.table}.{column.name}: pattern", why


def _why_not(connection: Any, cursor: Any, statement: str, day: Mapping[str, Any]) -> str:
    try:
        cursor.execute(statement, day)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return first_line(error)
    finally:
        connection.rollback()
    return ""


def offenders(
    cursor: Any, contracts: DataContracts, tables: Iterable[str], day: Mapping[str, Any]
) -> dict[Breach, list[str]]:
    """The same with the keys of the rows that break each rule, LISTED of each at most."""
    statements, lacking, hidden = _statements(cursor, contracts, tables)
    found: dict[Breach, list[str]] = {one: [] for one in lacking}
    for statement in statements:
        cursor.execute(statement.list, day)
        keys: dict[int, list[str]] = defaultdict(list)
        for number, example in cursor.fetchall():
            keys[number].append(example)
        for number, listed in keys.items():
            breach = _breach(statement.contract, statement.rules[number], len(listed), listed[0])
            found[breach] = listed
    return found | hidden if found else {}


def _statements(
    cursor: Any, contracts: DataContracts, tables: Iterable[str], beside: Iterable[str] = ()
) -> tuple[list[Statement], list[Breach], dict[Breach, list[str]]]:
    """What to ask, what the tables lack to be asked (then there is no statement), and policies that may hide rows."""
    asked = set(tables)
    there = {
        table: contracts.tables[table] for table in sorted({*asked, *beside}) if table in contracts.tables
    }
    existing = _existing(cursor, [*there, LOADS.table])
    for table in there.keys() & existing.keys():
        there[table] = there[table].of_a_table_with(existing[table].columns)
    lacking = [
        _breach(contract, rule, 0, "")
        for table, contract in (*there.items(), (LOADS.table, LOADS))
        for rule in misfits(contract, existing.get(table))
    ]
    of_rows = {table: contract for table, contract in there.items() if table in asked}
    statements = [] if lacking else [compiled(contract, of_rows, existing) for contract in of_rows.values()]
    hidden = {
        _breach(contract, in_sight(contract), len(policies), policies[0]): policies
        for table, contract in there.items()
        if table in existing and (policies := list(existing[table].policies or ()))
    }
    return statements, lacking, hidden


def _existing(cursor: Any, tables: list[str]) -> dict[str, Existing]:
    cursor.execute(_STANDING, {"tables": tables})
    columns: dict[str, dict[str, tuple[str, bool]]] = defaultdict(dict)
    indexes: dict[str, list[tuple[tuple[str, ...], bool]]] = {}
    policies: dict[str, list[str] | None] = {}
    grants: dict[str, dict[str, str]] = defaultdict(dict)
    for table, column, kind, not_null, listed, policies[table], grant in cursor.fetchall():
        columns[table][column] = (str(kind), bool(not_null))
        if grant:
            grants[table][column] = grant
        parts = (one.split(":") for one in (listed or "").split())
        indexes[table] = [(tuple(names.split(",")), unique == "true") for unique, names in parts]
    return {
        table: Existing(found, indexes[table], policies[table], grants[table])
        for table, found in columns.items()
    }


def _breach(contract: TableContract, rule: Rule, count: int, example: str) -> Breach:
    table = (rule.of or contract).table
    return Breach(rule.name, table, rule.columns, rule.expected, count, example)


def found_words(breach: Breach, day: dt.date) -> str:
    """What was found: how many, in which table and column, the key of one, and how to list them all."""
    place = breach.table + "".join(f".{column}" for column in breach.columns[:1])
    if len(breach.columns) > 1:
        place = f"{breach.table} ({', '.join(breach.columns)})"
    if not breach.count:
        is_there = breach.expected != no_such_table(breach.table)
        return f"none in {breach.table}" if is_there else f"no table {breach.table}"
    listed = f"python -m oncall breaches {day} --check {breach.name}"
    others = f"{ALL_OF_THEM}{listed}" if breach.count > 1 else ""
    return f"{breach.count} in {place}, such as {breach.example}{others}"
