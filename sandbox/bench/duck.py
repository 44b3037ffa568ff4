"""The pipelines' own statements in DuckDB, over a copy of the same rows: what a columnar engine needs for them.

Knows how PostgreSQL's text differs from DuckDB's, and nothing of what the statements compute.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from sqlparse.lexer import tokenize
from sqlparse.tokens import Comment

from sandbox.bench.figures import seconds
from sandbox.stack.postgres import SandboxError

SCHEMAS = ["master", "base", "investor", "experiments"]
TYPES = {
    "numeric": "decimal(38, 10)",
    "timestamp with time zone": "timestamptz",
    "ARRAY": "text[]",
    "jsonb": "text",
}
PUBLISHED = [
    "investor.daily_profit", "investor.daily_profit_by_channel", "investor.daily_engagement",
    "investor.daily_engagement_by_channel", "investor.daily_growth", "investor.daily_growth_by_channel",
    "experiments.unit_profit", "experiments.daily_growth",
]  # fmt: skip
DIFFERENCE = "struct(diff double, ci_low double, ci_high double, cs_low double, cs_high double)"
RATIOS = (
    '[{"experiment": "varchar", "variant": "varchar", "control": "varchar", "n": "bigint",'
    ' "expected_n": "decimal(38, 10)", "sample_ratio_p": "decimal(38, 10)"}]'
)
# Settings.
OWN = re.compile(r"set local|analyze")
WORDS = [
    (
        r"^select investor\.publish_draft\([^,]*, '([\w.]+)', '([\w.]+)', '[^']*',\s*('[-\d]+'::date).*",
        r"delete from \1 where report_date = \3; insert into \1 by name select * from \2 where report_date = \3",
    ),
    (r"\bselect(?=\s+from\b)", "select 1"),
    (r'\s+collate "C"', ""),  # DuckDB compares bytes anyway
    (r"\bhashtextextended\((.+?), 0\)", r"hash(\1)"),
    (r"'<\+07:00>-07:00'", "'Etc/GMT-7'"),
    (r"\boffset 0\b", ""),
    (r"\bon conflict do nothing\b", ""),
    (r"\bto_char\(([^,]+), 'YYYY-MM'\)", r"strftime(\1, '%Y-%m')"),
    (r"::jsonb\b", ""),
    (r"\bjsonb_agg\b", "json_group_array"),
    (r"\bjsonb_build_object\b", "json_object"),
    (
        r"\blateral experiments\.difference\((.*?)\)\s+as (\w+)",
        r"lateral (select unnest(difference([\1]::double[]))) as \2",
    ),
    (
        r"\bexperiments\.sample_ratios\((.*?)\)\s+as ratio\b",
        rf"(select unnest(from_json(sample_ratios(\1), '{RATIOS}'), recursive := true)) as ratio",
    ),
]
_COLUMNS = """
    select table_schema || '.' || table_name,
           array_agg(array[column_name, data_type, coalesce(numeric_precision::text || ', ' || numeric_scale, '')]
                     order by ordinal_position)
    from information_schema.columns join information_schema.tables using (table_schema, table_name)
    where table_schema = any(%s) and table_type = 'BASE TABLE' group by 1
"""

_RATIOS = "select jsonb_agg(r)::text from experiments.sample_ratios(%s::jsonb, %s::jsonb, %s) as r"
_DIFFERENCE = """
    select row_to_json(found)::text
    from (select %s::float8[] as of) as given
    cross join lateral experiments.difference(
        of[1]::numeric, of[2]::numeric, of[3]::bigint, of[4]::numeric, of[5]::numeric, of[6]::bigint, of[7]::numeric
    ) as found
"""


# What the warehouse's functions answer, as far as the models and checks ask for it.
MACROS = (
    "base.day_of(instant, zone) as (instant at time zone zone)::date",
    "base.said_to_be_empty(of_table, of_day) as (select coalesce(row_count, 0) = 0 from master.loads where table_name"
    " in (of_table, 'master.' || of_table) and business_day = of_day order by loaded_at desc limit 1)",
    "base.unknown_days(of_report, of_table, first_day, last_day) as table select day::date"
    " from generate_series(first_day::timestamp, last_day::timestamp, interval '1 day') as hole (day)"
    " where not exists (select 1 from investor.publications where report = of_report and report_date = hole.day::date)"
    " and not exists (select 1 from master.loads where table_name in (of_table, 'master.' || of_table)"
    " and business_day = hole.day::date)"
    " and exists (select 1 from investor.publications where report = of_report and report_date < hole.day::date)",
    "base.known_near(of_base, of_day) as table select report_date from investor.publications"
    " where report = of_base and report_date between of_day - 28 and of_day + 28 and exists"
    " (select 1 from investor.publications as own where own.report = of_base and own.report_date = of_day)",
)
# And what its view shows where no day is being run again.
PUBLISHED_DAYS = (
    "create view base.published_days as select report, report_date, true as as_published, false as is_held"
    " from investor.publications"
)


class Duck:
    """A DuckDB file with a copy of the warehouse's tables, without their indexes."""

    def __init__(self, connection: Any, folder: Path) -> None:
        self._db = duckdb.connect(folder / "copy.duckdb", config={"threads": os.cpu_count() or 1})
        self._db.execute("set timezone = 'UTC'")
        self._db.execute("create macro quote_literal(x) as '''' || replace(x, '''', '''''') || ''''")

        def asked(query: str) -> Callable[[list[Any]], str]:
            """What a function answers that DuckDB has not: PostgreSQL's own, of a row for each variant."""

            def ask(values: list[Any]) -> str:
                with connection.cursor() as cursor:
                    cursor.execute(query, values)
                    return str(cursor.fetchone()[0])

            return ask

        ratios, difference = asked(_RATIOS), asked(_DIFFERENCE)
        self._db.create_function(
            "sample_ratios",
            lambda planned, seen, control: ratios([planned, seen, control]),
            ["varchar"] * 3,
            "varchar",
        )
        self._db.create_function(
            "difference", lambda values: json.loads(difference([values])), ["double[]"], DIFFERENCE
        )
        for schema in SCHEMAS:
            self._db.execute(f"create schema {schema}")
        with connection, connection.cursor() as cursor:
            cursor.execute(_COLUMNS, (SCHEMAS,))
            for table, columns in cursor.fetchall():
                self._copy(cursor, table, columns, folder / "rows.csv")
        for macro in MACROS:
            self._db.execute(f"create macro {macro}")
        self._db.execute(PUBLISHED_DAYS)

    def _copy(self, cursor: Any, table: str, columns: Sequence[Sequence[str]], file: Path) -> None:
        types = ", ".join(f'"{name}" {_type(kind, digits)}' for name, kind, digits in columns)
        values = ", ".join(
            f"translate(\"{name}\"::text, '{{}}', '[]')" if kind == "ARRAY" else f'"{name}"'
            for name, kind, _ in columns
        )
        with file.open("w", encoding="utf-8") as rows:
            cursor.copy_expert(f"copy (select {values} from {table}) to stdout (format csv)", rows)
        self._db.execute(f"create table {table} ({types})")
        self._db.execute(f"copy {table} from '{file}' (header false, auto_detect false, quote '\"')")

    def seconds(self, statements: Sequence[str]) -> float:
        """How long those of the statements take that are not PostgreSQL's own, in one transaction."""
        translated = [text for statement in statements for text in translate(statement)]
        return seconds(partial(self._run, translated))

    def _run(self, statements: Sequence[str]) -> None:
        self._db.execute("begin")
        for statement in statements:
            self._db.execute(statement).fetchall()
        self._db.execute("commit")

    def compared(self, connection: Any, day: dt.date) -> int:
        """How many published numbers of the day are the same in both to the cent. Raises SandboxError for others."""
        count = 0
        for table in PUBLISHED:
            query = f"select * from {table} where report_date = '{day}'"
            with connection, connection.cursor() as cursor:
                cursor.execute(query)
                theirs = sorted(_cents(row) for row in cursor.fetchall())
            ours = sorted(_cents(row) for row in self._db.execute(query).fetchall())
            if ours != theirs:
                raise SandboxError(f"{table} of {day}: PostgreSQL has {theirs}, DuckDB {ours}")
            count += sum(isinstance(cell, float) for row in ours for cell in row)
        return count


def _cents(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(
        round(float(cell), 2) if isinstance(cell, (int, float, Decimal)) else str(cell) for cell in row
    )


def _type(kind: str, digits: str) -> str:
    return f"decimal({digits})" if kind == "numeric" and digits else TYPES.get(kind, kind)


def translate(statement: str) -> Iterator[str]:
    """The statement in DuckDB's words; nothing where it is PostgreSQL's own.

    DuckDB writes in no `with`: what a statement writes there becomes a statement of its own. All of them see the tables
    as they were before: their rows are made first, then those of the day deleted, then the new ones put in.
    """
    # sqlparse.format refuses a statement of more than 10,000 tokens.
    tokens = tokenize(statement)  # type: ignore[no-untyped-call]
    text = "".join("\n" if kind in Comment else value for kind, value in tokens).strip()
    if not text or OWN.match(text.lower()):
        return
    for pattern, replacement in WORDS:
        text = re.sub(pattern, replacement, text, flags=re.S)
    yield from _unfolded(text)


def _unfolded(text: str) -> Iterator[str]:
    parts, body = _with(text)
    if not any(re.match("insert|delete", part) for _, part in parts):
        yield text
        return
    known: list[str] = []  # of `with`, as far as it only reads
    deletes, inserts = [], []
    for name, part in [*parts, ("rows_of_all", body)]:
        before = f"with {', '.join(known)} " if known else ""
        written = re.match(r"insert into (\S+) \(([^)]*)\)(.*?)(returning.*)?$", part, re.S)
        if part.startswith("delete"):
            deletes.append(part)
        elif written:
            table, columns, query, _ = written.groups()
            yield f"create or replace temp table {name} ({columns}) as {before}{query}"
            inserts.append(f"insert into {table} ({columns}) select * from {name}")
        elif "materialized" in name:
            yield f"create or replace temp table {name.split()[0]} as {before}{part}"
        else:
            known.append(f"{name} as ({part})")
    yield from deletes
    yield from inserts


def _with(text: str) -> tuple[list[tuple[str, str]], str]:
    """The parts of a statement's `with`, each with its name, and what comes after them."""
    parts = []
    rest = text
    while head := re.match(r"(?:with|,)\s*(\w+(?: \([^)]*\))?) as (materialized )?\(", rest):
        depth, end = 1, head.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(rest[end], 0)
            end += 1
        parts.append((head[1] + (" materialized" if head[2] else ""), rest[head.end() : end - 1].strip()))
        rest = rest[end:].lstrip()
    return parts, rest
