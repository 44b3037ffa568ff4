"""One table's contract as one SQL statement for PostgreSQL, bounded to a business day; knows no connection.

The statement binds `report_date`, `day_start` and `day_end`. It answers a row for each rule that is broken: the
rule's number, how many rows break it, and the key of one of them (or, to list them, a row for each).

What it looks at of a table: the rows of the day; rows written since whose day cannot be true (null, in the future,
before the contract's minimum), because they are missing from their day; and the rows that the day's rows of other
tables name, because they are read with them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from oncall.core.data_contract import Column, Reference, SqlRule, TableContract

LISTED = 1000  # as many offending rows as are ever listed for one rule
_FAMILY = {
    "string": "SE",  # typcategory: string, enum
    "integer": "N",
    "number": "N",
    "date": "D",
    "timestamp": "D",
    "boolean": "B",
}
_HAS_NAN = ("numeric", "float4", "float8")
_AHEAD = {"date": "31 days", "timestamp": "1 day"}  # how far a day may lie ahead of when it was written


@dataclass(frozen=True)
class Existing:
    """A table as it stands in the warehouse: (typcategory, typname, is not null) by column, and its unique keys."""

    columns: Mapping[str, tuple[str, str, bool]]
    unique: Collection[frozenset[str]] = ()


@dataclass(frozen=True)
class Rule:
    """One rule of the statement. `select` answers what breaks it: (key, value) of each row."""

    name: str
    columns: tuple[str, ...]
    expected: str
    condition: str = ""  # of a row `d` of the day
    select: str = ""  # where a condition does not say it: a query of (key, value)


@dataclass(frozen=True)
class Statement:
    """A compiled contract: the rules by number, and its text for counting or listing what breaks them."""

    contract: TableContract
    rules: tuple[Rule, ...]
    day: str = field(repr=False)

    @property
    def count(self) -> str:
        """(rule, how many, the key of one)."""
        return f"{self._found()} select rule, count(*), min(example) from found group by rule order by rule"

    @property
    def list(self) -> str:
        """(rule, key) of each row that breaks a rule, LISTED of each at most."""
        return (
            f"{self._found()}, numbered as (select rule, example,"
            " row_number() over (partition by rule order by example) as nth from found)"
            f" select rule, example from numbered where nth <= {LISTED} order by rule, example"
        )

    def _found(self) -> str:
        key = _key(self.contract, "d")
        own = [(number, rule) for number, rule in enumerate(self.rules) if rule.condition]
        parts = []
        if own:
            # Read once: of a clean row each condition is asked once, and nothing else is done.
            values = ", ".join(f"({number}, ({rule.condition}), {_value(rule)})" for number, rule in own)
            broken = " or ".join(f"({rule.condition})" for _, rule in own)
            parts.append(
                f"select one.rule, concat({key}, ' (' || one.value || ')') as example from day as d"
                f" cross join lateral (values {values}) as one (rule, broken, value) where ({broken}) and one.broken"
            )
        for number, rule in enumerate(self.rules):
            if rule.select:
                parts.append(
                    f"select {number}, concat(one.key, ' (' || one.value || ')')"
                    f" from ({rule.select}) as one (key, value)"
                )
        union = " union all ".join(parts) or "select 0, '' where false"
        return f"with day as (\n{self.day}\n), found (rule, example) as (\n" + union + "\n)"


def misfits(contract: TableContract, table: Existing | None) -> list[Rule]:
    """What a table lacks of what its contract needs to be asked at all: itself, columns, types."""
    if table is None:
        return [Rule(f"{contract.short}_exist", (), f"a table {contract.table}")]
    found = []
    for column in contract.columns:
        stands = table.columns.get(column.name)
        if stands is None:
            name = f"{contract.short}_{column.name}_exists"
            found.append(Rule(name, (column.name,), f"a column {column.name}"))
        elif stands[0] not in _FAMILY[column.type]:
            expected = f"a column {column.name} of type {column.type}, not {stands[1]}"
            found.append(Rule(f"{contract.short}_{column.name}_has_its_type", (column.name,), expected))
    return found


def compiled(
    contract: TableContract, tables: Mapping[str, TableContract], existing: Mapping[str, Existing]
) -> Statement:
    """The contract's statement. `tables` are those that may be read with it, `existing` how all of them stand.

    None of them may have misfits.
    """
    table = existing[contract.table]
    day = _Day(contract, tables, existing)
    rules = [
        *(rule for column in contract.columns for rule in _of_column(contract, column, table)),
        *_of_the_day_column(contract),
        *_of_keys(contract, table),
        *(_of_reference(contract, one) for one in contract.references if one.target in tables),
        *(Rule(one.name, (), f"0 {one.description}", select=_sql(contract, one)) for one in contract.rules),
    ]
    return Statement(contract, tuple(rules), day.text())


def _of_column(contract: TableContract, column: Column, table: Existing) -> Iterator[Rule]:
    name, noun, short = column.name, contract.noun, contract.short
    _, kind, not_null = table.columns[name]
    asked = f"d.{_id(name)}"
    if column.required and not not_null:
        yield Rule(f"{short}_{name}_is_there", (name,), f"0 {noun} without {name}", f"{asked} is null")
    is_nan = f"{asked} in ('NaN', 'Infinity', '-Infinity')"
    nan = kind in _HAS_NAN and column.type in ("number", "integer")
    if nan:
        yield Rule(f"{short}_{name}_is_a_number", (name,), f"0 {noun} whose {name} is not a number", is_nan)
    bounds = []
    if column.minimum is not None:
        bounds.append((f"{asked} < {_literal(column.minimum)}", f"at least {column.minimum}"))
    if column.maximum is not None:
        bounds.append((f"{asked} > {_literal(column.maximum)}", f"at most {column.maximum}"))
    if bounds:
        outside = " or ".join(condition for condition, _ in bounds)
        expected = f"0 {noun} whose {name} is not {' and '.join(words for _, words in bounds)}"
        yield Rule(
            f"{short}_{name}_is_in_range",
            (name,),
            expected,
            f"({outside}) and not {is_nan}" if nan else outside,
        )
    if column.pattern is not None:
        expected = f"0 {noun} whose {name} is empty, or not written as {column.pattern}"
        yield Rule(
            f"{short}_{name}_is_well_written", (name,), expected, f"{asked} !~ {_literal(column.pattern)}"
        )
    if column.accepted:
        accepted = ", ".join(_literal(value) for value in column.accepted)
        expected = f"0 {noun} whose {name} is not one of {', '.join(column.accepted)}"
        yield Rule(f"{short}_{name}_is_accepted", (name,), expected, f"{asked}::text not in ({accepted})")


def _of_the_day_column(contract: TableContract) -> Iterator[Rule]:
    day = contract.by_name.get(contract.business_day or "")
    if day is not None and day.type in _AHEAD:
        name = f"{contract.short}_{day.name}_is_not_in_the_future"
        yield Rule(
            name, (day.name,), f"0 {contract.noun} that lie in the future", _in_the_future(contract, day, "d")
        )


def _of_keys(contract: TableContract, table: Existing) -> Iterator[Rule]:
    groups = [
        (f"{contract.short}_are_unique", f"{contract.noun} whose key comes twice", contract.key),
        *contract.unique,
    ]
    for name, description, columns in groups:
        if any(key <= frozenset(columns) for key in table.unique):
            continue  # the warehouse itself sees to it
        listed = _list(columns)
        select = (
            f"select {_key(contract, 't', columns)}, count(*) || ' times' from {_table(contract.table)} as t"
            f" where ({_list(columns, 't')}) in (select {listed} from day) group by {_list(columns, 't')}"
            f" having count(*) > 1"
        )
        yield Rule(name, tuple(columns), f"0 {description}", select=select)


def _of_reference(contract: TableContract, reference: Reference) -> Rule:
    target = reference.target.partition(".")[2].replace("_", " ")
    name = f"{contract.short}_have_{target.split(' ')[-1]}"
    named = " and ".join(f"d.{_id(column)} is not null" for column in reference.columns)
    matches = " and ".join(
        f"p.{_id(theirs)} = d.{_id(ours)}"
        for ours, theirs in zip(reference.columns, reference.target_columns, strict=True)
    )
    value = " || ', ' || ".join(f"d.{_id(column)}" for column in reference.columns)
    select = (
        f"select {_key(contract, 'd')}, ({value})::text from day as d where {named}"
        f" and not exists (select from {_table(reference.target)} as p where {matches})"
    )
    return Rule(name, reference.columns, f"0 {contract.noun} of unknown {target}", select=select)


def _sql(contract: TableContract, rule: SqlRule) -> str:
    condition = _escaped(rule.condition.replace("{object}", "day"))
    return f"select {_key(contract, rule.alias)}, null from day as {rule.alias} where {condition}"


@dataclass(frozen=True)
class _Day:
    """The rows of a table that a day's reports read."""

    contract: TableContract
    tables: Mapping[str, TableContract]
    existing: Mapping[str, Existing]

    def text(self) -> str:
        table = f"select t.* from {_table(self.contract.table)} as t"
        day = self.contract.by_name.get(self.contract.business_day or "")
        if day is None:
            return table
        parts = list(self._of_its_order(day) if day.type not in _AHEAD else self._dated(day))
        taken = " or ".join(f"({part})" for part in parts)
        for condition in self._named_by_others():
            parts.append(f"{condition} and not coalesce({taken}, false)")
            taken = f"{taken} or ({condition})"
        return " union all\n".join(f"{table} where {part}" for part in parts)

    def _dated(self, day: Column) -> Iterator[str]:
        """Of the day, and what was written since and belongs to no day that can be true."""
        yield _in_day(day, "t")
        asked = f"t.{_id(day.name)}"
        if not self._table.columns[day.name][2]:
            yield f"{asked} is null and {self._written_since()}"
        yield f"{_in_the_future(self.contract, day, 't')} and {self._written_since()}"
        if day.minimum is not None:
            yield f"{asked} < {_literal(day.minimum)} and {self._written_since()}"

    def _of_its_order(self, day: Column) -> Iterator[str]:
        """Of the day through the row it names (an order's lines), and what names none but stands among the day's.

        Keys that rise with time keep this to one range of the table's key; others are found by when they were written.
        """
        reference = next(one for one in self.contract.references if one.columns == (day.name,))
        parent = self.tables.get(reference.target)
        if parent is None:
            yield "false"
            return
        parent_day = parent.by_name[parent.business_day or ""]
        ours, theirs = f"t.{_id(day.name)}", f"p.{_id(reference.target_columns[0])}"
        parents = f"from {_table(parent.table)} as p where"
        in_day = _in_day(parent_day, "p")
        first, last = (f"(select {edge}({theirs}) {parents} {in_day})" for edge in ("min", "max"))
        yield f"{ours} in (select {theirs} {parents} {in_day}) and {ours} between {first} and {last}"
        if not self._table.columns[day.name][2]:
            yield f"{ours} is null and {self._written_since()}"
        before = f"(select max({theirs}) {parents} {_in_day(parent_day, 'p', -7, 0)})"
        after = (
            f"(select min({theirs}) {parents} {_in_day(parent_day, 'p', 1, 2)} having min({theirs}) > {last})"
        )
        own = f"from {_table(self.contract.table)} as o"
        low = f"coalesce(least({first}, {before}), (select min(o.{_id(day.name)}) {own}))"
        high = f"coalesce({after}, (select max(o.{_id(day.name)}) {own}))"
        yield (
            f"{ours} between {low} and {high} and {self._written_since()}"
            f" and not exists (select {parents} {theirs} = {ours})"
        )

    def _named_by_others(self) -> Iterator[str]:
        """By the day's rows of the tables that refer to this one."""
        for other in self.tables.values():
            day = other.by_name.get(other.business_day or "")
            if day is None or day.type not in _AHEAD:
                continue
            for one in other.references:
                if one.target == self.contract.table and one.columns != (other.business_day,):
                    named = f"select {_list(one.columns, 'c')} from {_table(other.table)} as c"
                    yield f"({_list(one.target_columns, 't')}) in ({named} where {_in_day(day, 'c')})"

    @property
    def _table(self) -> Existing:
        return self.existing[self.contract.table]

    def _written_since(self) -> str:
        written = "updated_at" in self.contract.by_name
        return "(t.updated_at >= %(day_start)s::timestamptz or t.updated_at is null)" if written else "true"


def _in_day(day: Column, alias: str, first: int = 0, end: int = 1) -> str:
    """The days from `first` to `end` (excluded), counted from the report date."""
    column = f"{alias}.{_id(day.name)}"
    if day.type == "date":
        return f"{column} >= %(report_date)s::date + {first} and {column} < %(report_date)s::date + {end}"
    start, stop = (f"%(day_start)s::timestamptz + interval '{days * 24} hours'" for days in (first, end))
    if (first, end) == (0, 1):
        start, stop = "%(day_start)s::timestamptz", "%(day_end)s::timestamptz"
    return f"{column} >= {start} and {column} < {stop}"


def _in_the_future(contract: TableContract, day: Column, alias: str) -> str:
    """Later than now and, as far as is known, later than it was written."""
    column, ahead = f"{alias}.{_id(day.name)}", _AHEAD[day.type]
    limit = f"greatest(now(), %(day_end)s::timestamptz) + interval '{ahead}'"
    if day.type == "date":
        limit = f"({limit})::date"
    future = f"{column} >= {limit}"
    if "updated_at" in contract.by_name:
        future += f" and ({column} > {alias}.updated_at + interval '{ahead}' or {alias}.updated_at is null)"
    return future


def _key(contract: TableContract, alias: str, columns: Sequence[str] = ()) -> str:
    named = ", ".join(f"'{column} ' || {alias}.{_id(column)}" for column in columns or contract.key)
    return f"concat_ws(', ', {named})"


def _value(rule: Rule) -> str:
    return f"coalesce(quote_literal(d.{_id(rule.columns[0])}::text), 'null')" if rule.columns else "null"


def _list(columns: Sequence[str], alias: str = "") -> str:
    return ", ".join(f"{alias}.{_id(column)}" if alias else _id(column) for column in columns)


def _table(name: str) -> str:
    return ".".join(_id(part) for part in name.split("."))


def _id(name: str) -> str:
    """An identifier; the reader lets only plain lower-case names through."""
    return f'"{name}"'


def _literal(value: float | str) -> str:
    if isinstance(value, str):
        return _escaped("'" + value.replace("'", "''") + "'")
    return repr(value)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
