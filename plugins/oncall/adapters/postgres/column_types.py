"""SQL that reads a column of whatever type its table has given it, as a day, an instant or a text: what says none is
null and hides no row beside it. A column of the usual type is read as it is, by its index; a type that can hold none is
the server's to refuse."""

from __future__ import annotations

from collections.abc import Mapping

Types = Mapping[str, str]  # of a table's columns, by their names

_DATE, _INSTANTS = "date", ("timestamp with time zone", "timestamp without time zone")
_TEXT = "text"  # and whatever is like it
_NUMBERS = ("bigint", "integer", "smallint", "numeric", "real", "double precision")
# A day that there is, as 2026-11-22 or 20261122: a cast of any other would end the statement, with every row in it.
_DAY = (
    r"[12]\d{3}-?(?:(?:0[13578]|1[02])-?(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-?(?:0[1-9]|[12]\d|30)|02-?(?:0[1-9]|1\d|2[0-8]))"
    r"|[12]\d(?:0[48]|[2468][048]|[13579][26])-?02-?29|2000-?02-?29"
)
# As most are written: read in a seventh of the time, which of a hundred thousand rows is more than a question may take.
_USUAL_DAY = r"^[12]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])(?:\D|$)"
_CLOCK = r"(?:[ T](?:[01]\d|2[0-3])(?::[0-5]\d){1,2}(?:[.]\d+)?(?:Z|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)?)?"


def types_of(table: str) -> str:
    """SQL for the types of the columns of a table, by its oid, as a JSON object; null when there is no such table.

    By its category each kind of text is `text`, and a domain of numbers, or of another domain of them, `numeric`.
    """
    return f"""(
        select jsonb_object_agg(a.attname, case when t.typcategory = 'S' then 'text'
            when t.typcategory = 'N' and t.typtype = 'd' then 'numeric'
            else coalesce(nullif(t.typbasetype, 0), t.oid)::regtype::text end)
        from pg_attribute a join pg_type t on t.oid = a.atttypid
        where a.attrelid = {table} and a.attnum > 0 and not a.attisdropped)"""


def has_days(types: Types, name: str) -> bool:
    """Whether a row names a day whatever it holds."""
    return types.get(name, _DATE) not in (_TEXT, *_NUMBERS)


def is_number(types: Types, name: str) -> bool:
    """Whether the column holds numbers."""
    return types.get(name) in _NUMBERS


def is_instant(types: Types, name: str) -> bool:
    """Whether the column holds instants or days, as the server knows them."""
    return types.get(name) in (_DATE, *_INSTANTS)


def day(types: Types, name: str) -> str:
    """SQL for the day. Of an instant with a zone the day whose midnight, somewhere, is the nearest."""
    written = types.get(name, _DATE)
    if written in (_TEXT, *_NUMBERS):
        any_day = f"substring({name}::text from '^ *({_DAY})(?!\\d)')"
        return (
            f"(case when {name}::text ~ '{_USUAL_DAY}' then left({name}::text, 10) else {any_day} end)::date"
        )
    if written == _INSTANTS[0]:
        return f"({name} + interval '12 hours')::date"
    return name if written == _DATE else f"{name}::date"


def instant(types: Types, name: str) -> str:
    """SQL for the instant; a number is its seconds, or milliseconds, since 1970."""
    written = types.get(name, _INSTANTS[0])
    if written == _TEXT:
        return f"substring({name}::text from '^ *((?:{_DAY}){_CLOCK}) *$')::timestamptz"
    if written in _NUMBERS:
        seconds = f"({name} / case when {name} < 1e11 then 1 else 1000 end::numeric)"
        return f"case when {name} between 0 and 1e13 then to_timestamp{seconds} end"
    return f"{name}::timestamptz"


def word(types: Types, name: str) -> str:
    """SQL for a name."""
    return name if types.get(name, _TEXT) == _TEXT else f"{name}::text"


def number(types: Types, name: str) -> str:
    """SQL for a number, or what is said in its place; null without such a column."""
    if types and name not in types:
        return "null::bigint"
    return name if types.get(name, "bigint") in _NUMBERS else f"{name}::text"
