"""One table's contract as one SQL statement for PostgreSQL, bounded to a business day; knows no connection.

The statement binds `report_date`, `day_start` and `day_end`. It answers a row for each rule that is broken: the
rule's number, how many rows break it, and the key of one of them (or, to list them, a row for each).

What it looks at of a table: the rows of the day, and of the days before it that are read with it; rows written since
whose day cannot be true (null, in the future, before the contract's minimum), because they are missing from their day;
rows that say of an impossible instant that they were written then, because nobody notices that they have changed; the
rows that the day's rows of other tables name, and those that name a row that was changed on the day, because they are
read with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from oncall.core.data.data_contract import Column, Reference, SqlRule, TableContract

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
    """A table as it stands in the warehouse: (typcategory, typname, is not null) by column, and its indexes.

    An index is the columns it is of, in order, and whether it is unique.
    """

    columns: Mapping[str, tuple[str, str, bool]]
    indexes: Sequence[tuple[tuple[str, ...], bool]] = ()

    def sees_to(self, columns: Sequence[str]) -> bool:
        """Whether the warehouse itself lets nothing come twice in these columns."""
        return any(unique and set(index) <= set(columns) for index, unique in self.indexes)

    def finds_by(self, columns: Sequence[str]) -> bool:
        """Whether a row is found by these columns without reading the table."""
        return any(set(index[: len(columns)]) == set(columns) for index, _ in self.indexes)


@dataclass(frozen=True)
class Rule:
    """One rule of the statement. `of` is the table whose rows break it, None: the statement's own."""

    name: str
    columns: tuple[str, ...]
    expected: str
    condition: str = ""  # of a row `d` of the day
    select: str = ""  # where a condition does not say it: a query of (key, value)
    of: TableContract | None = None


@dataclass(frozen=True)
class Statement:
    """A compiled contract: the rules by number, and its text for counting or listing what breaks them."""

    contract: TableContract
    rules: tuple[Rule, ...]
    day: str = field(repr=False)
    before: str = field(default="", repr=False)

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
        return (
            f"with {self.before}day as materialized (\n{self.day}\n), found (rule, example) as (\n"
            + union
            + "\n)"
        )


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
        elif (
            stands[0] not in _FAMILY[column.type] or stands[1] == "money"
        ):  # which is compared with no number
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
        *_of_when_it_was_written(contract),
        *_of_keys(contract, table),
        *(_of_reference(contract, one, day) for one in contract.references if day.looks_up(one)),
        *day.unknown(),
        *(Rule(one.name, (), f"0 {one.description}", select=_sql(contract, one)) for one in contract.rules),
        *_of_plans(contract),
    ]
    return Statement(contract, tuple(rules), day.text(), day.before())


def _of_column(contract: TableContract, column: Column, table: Existing) -> Iterator[Rule]:
    name, noun, short = column.name, contract.noun, contract.short
    _, kind, not_null = table.columns[name]
    asked = f"d.{_id(name)}"
    if column.required and not not_null:
        yield Rule(f"{short}_{name}_is_there", (name,), f"0 {noun} without {name}", f"{asked} is null")
    is_nan = f"{asked} in ('NaN', 'Infinity', '-Infinity')"
    nan = kind in _HAS_NAN and column.type in ("number", "integer")
    if nan and column.type == "integer":
        expected = f"0 {noun} whose {name} is not whole"
        yield Rule(f"{short}_{name}_is_whole", (name,), expected, f"{asked} <> trunc({asked})")
    bounds = []
    if column.minimum is not None:
        bounds.append((f"{asked} < {_literal(column.minimum)}", f"at least {column.minimum}"))
    if column.maximum is not None:
        bounds.append((f"{asked} > {_literal(column.maximum)}", f"at most {column.maximum}"))
    services = " or ".join(condition for condition, _ in bounds)
    if nan:
        # NaN is more than any number: what is within both bounds need not be asked for more.
        broken = f"({services}) and {is_nan}" if len(bounds) == 2 else is_nan
        yield Rule(f"{short}_{name}_is_a_number", (name,), f"0 {noun} whose {name} is not a number", broken)
    if bounds:
        expected = f"0 {noun} whose {name} is not {' and '.join(words for _, words in bounds)}"
        yield Rule(
            f"{short}_{name}_is_in_range",
            (name,),
            expected,
            f"({services}) and not {is_nan}" if nan else services,
        )
    if column.pattern is not None:
        expected = f"0 {noun} whose {name} is empty, or not written as {column.pattern}"
        yield Rule(
            f"{short}_{name}_is_well_written",
            (name,),
            expected,
            _one_of(column, f"!~ {_literal(column.pattern)}"),
        )
    if column.accepted:
        accepted = ", ".join(_literal(value) for value in column.accepted)
        one_of = "one of " if len(column.accepted) > 1 else ""
        expected = f"0 {noun} whose {name} is not {one_of}{', '.join(column.accepted)}"
        broken = _one_of(column, f"not in ({accepted})")
        yield Rule(f"{short}_{name}_is_accepted", (name,), expected, broken)


def _one_of(column: Column, broken: str) -> str:
    """Of a column with few different values: each is looked at once, however many rows have it."""
    name = _id(column.name)
    # `offset`: otherwise the planner looks at each row first and at what is distinct after that.
    values = f"(select distinct {name} from day offset 0) as v"
    return f"d.{name} in (select v.{name} from {values} where v.{name}::text {broken})"


def _of_the_day_column(contract: TableContract) -> Iterator[Rule]:
    day = contract.by_name.get(contract.business_day or "")
    if day is not None and day.type in _AHEAD:
        name = f"{contract.short}_{day.name}_is_not_in_the_future"
        yield Rule(
            name, (day.name,), f"0 {contract.noun} that lie in the future", _in_the_future(contract, day, "d")
        )


def _of_when_it_was_written(contract: TableContract) -> Iterator[Rule]:
    if "updated_at" in contract.by_name:
        name = f"{contract.short}_updated_at_is_not_in_the_future"
        expected = f"0 {contract.noun} that are written in the future"
        yield Rule(name, ("updated_at",), expected, f"d.updated_at >= {_limit()}")


def _of_plans(contract: TableContract) -> Iterator[Rule]:
    """Nobody is in a variant that its experiment does not plan, nor in an experiment written in another case."""
    parts = []
    for one in contract.plans.experiments if contract.plans else ():
        name = _literal(one.name)
        planned = ", ".join(map(_literal, one.shares))
        wrong = f" or d.variant not in ({planned})" if planned else ""
        parts.append(f"lower(d.experiment) = lower({name}) and (d.experiment <> {name}{wrong})")
    if parts:
        expected = f"0 {contract.noun} to a variant that the experiment's contract does not plan"
        condition = " or ".join(f"({part})" for part in parts)
        yield Rule(f"{contract.short}_variant_is_planned", ("variant",), expected, condition)


def _of_keys(contract: TableContract, table: Existing) -> Iterator[Rule]:
    groups = [
        (f"{contract.short}_are_unique", f"{contract.noun} whose key comes twice", contract.key),
        *contract.unique,
    ]
    for name, description, columns in groups:
        if table.sees_to(columns):
            continue
        listed = _list(columns)
        select = (
            f"select {_key(contract, 't', columns)}, count(*) || ' times' from {_table(contract.table)} as t"
            f" where ({_list(columns, 't')}) in (select {listed} from day) group by {_list(columns, 't')}"
            f" having count(*) > 1"
        )
        yield Rule(name, tuple(columns), f"0 {description}", select=select)


def _of_reference(contract: TableContract, reference: Reference, day: _Day) -> Rule:
    target, stands = day.tables[reference.target], day.existing[reference.target]
    named = " and ".join(f"d.{_id(column)} is not null" for column in reference.columns)
    if reference.unless:
        named += f" and not coalesce({_escaped(reference.unless)}, false)"
    if reference.columns == (contract.business_day,):
        # Most name a row of the day: only the others are looked up.
        named += f" and not coalesce(d.{_id(reference.columns[0])} in ({day.parents()}), false)"
    elif reference.target_columns == (target.business_day,):
        # Most are named by rows that stand beside each other: only the others are looked up.
        named += f" and not coalesce(d.{_id(reference.columns[0])} in ({day.children(reference)}), false)"
    listed = _list(reference.columns, "d")
    matches = " and ".join(
        f"p.{_id(theirs)} = k.{_id(ours)}"
        for ours, theirs in zip(reference.columns, reference.target_columns, strict=True)
    )
    looked_up = f"from {_table(reference.target)} as p where {matches}"
    # One by one through an index: the table grows for ever, the day does not. `limit` keeps it so.
    missing = (
        f"(select true {looked_up} limit 1) is null"
        if stands.finds_by(reference.target_columns)
        else f"not exists (select {looked_up})"
    )
    value = " || ', ' || ".join(f"d.{_id(column)}" for column in reference.columns)
    select = (
        f"select {_key(contract, 'd')}, ({value})::text from day as d where {named} and ({listed}) in"
        f" (select {_list(reference.columns, 'k')} from (select distinct {listed} from day as d where {named}) as k"
        f" where {missing})"
    )
    one_of_many = set(reference.target_columns) != set(target.key)
    expected = f"0 {contract.noun} {'without' if one_of_many else 'of unknown'} {target.noun}"
    return Rule(f"{contract.short}_have_{target.short}", reference.columns, expected, select=select)


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
        columns = ", ".join(f"t.{_id(column.name)}" for column in self.contract.columns)
        table = f"select {columns} from {_table(self.contract.table)} as t"
        day = self._column
        if day is None:
            return table
        parts = list(self._of_its_order(day) if day.type not in _AHEAD else self._dated(day))
        selects = [f"{table} where {part}" for part in parts]
        for part in self._besides(day):
            selects.append(f"{table} where {part} and not coalesce({_any(parts)}, false)")
            parts.append(part)
        for nth, key in enumerate(self._naming()):
            found = f"t.{_id(key[0])} is not null"
            selects.append(
                f"select {columns} from named_{nth} as t where {found} and not coalesce({_any(parts)}, false)"
            )
        return " union all\n".join(selects)

    def before(self) -> str:
        """What the day is asked with: the rows that others name, with or without what they name; and for what belongs
        to a day through the row it names, which of those rows come first and last, on the day and beside it.

        (`filter` has the day's rows read by their time: without it the planner walks through all keys, from an end.)
        """
        parts = []
        for nth, (key, others) in enumerate(self._naming().items()):
            keys = " union all ".join(
                f"select {_list(one.columns, 'd')} from {_table(other.table)} as d where {part}"
                for other, one, day in others
                for part in _read_with_the_day(other, day)
            )
            names = ", ".join(f"named_{column}" for column in key)
            found = " and ".join(f"t.{_id(column)} = k.named_{column}" for column in key)
            # One by one through an index: the table grows for ever, the day does not. `offset` keeps it so.
            one_by_one = " offset 0" if self._table.finds_by(key) else ""
            parts.append(
                f"named_{nth} as materialized (select * from (select distinct * from ({keys}) as every) as k ({names})"
                f" left join lateral (select t.* from {_table(self.contract.table)} as t where {found}{one_by_one})"
                " as t on true)"
            )
        day = self._column
        parent = self._parent(day) if day and day.type not in _AHEAD else None
        if parent is not None:
            key_column, table, parent_day = parent
            parts += (
                f"{name} as materialized (select min({key_column}) filter (where true) as first,"
                f" max({key_column}) filter (where true) as last"
                f" from {table} where {_in_day(parent_day, 'p', first, end)})"
                for name, first, end in (("keys_of_day", 0, 1), ("keys_before", -1, 0), ("keys_after", 1, 2))
            )
        return "".join(f"{part}, " for part in parts)

    def unknown(self) -> Iterator[Rule]:
        """That the day's rows of others name rows that there are."""
        for nth, (key, others) in enumerate(self._naming().items()):
            missing = f"select {', '.join(f'named_{column}' for column in key)} from named_{nth}"
            for other, reference, day in others:
                value = " || ', ' || ".join(f"d.{_id(column)}" for column in reference.columns)
                unless = f" and not coalesce({_escaped(reference.unless)}, false)" if reference.unless else ""
                select = (
                    f"select {_key(other, 'd')}, ({value})::text from {_table(other.table)} as d"
                    f" where ({_any(_read_with_the_day(other, day))}){unless} and ({_list(reference.columns, 'd')}) in"
                    f" ({missing} where {_id(key[0])} is null)"
                )
                name = f"{other.short}_have_{self.contract.short}"
                expected = f"0 {other.noun} of unknown {self.contract.noun}"
                yield Rule(name, reference.columns, expected, select=select, of=other)

    def looks_up(self, reference: Reference) -> bool:
        """Whether the contract's own statement must look a reference up: no other one reads what it names."""
        target = self.tables.get(reference.target)
        return target is not None and not any(
            other is self.contract and one is reference
            for others in _Day(target, self.tables, self.existing)._naming().values()
            for other, one, _ in others
        )

    def parents(self) -> str:
        """The keys of the rows that make the day's rows the day's."""
        parent = self._parent(self._column) if self._column else None
        if parent is None:
            return "select null where false"
        key, table, parent_day = parent
        return f"select {key} from {table} where {_in_day(parent_day, 'p')}"

    def children(self, reference: Reference) -> str:
        """The keys of the rows of this day that rows of the target name, which stand beside each other."""
        ours, theirs, day = f"d.{_id(reference.columns[0])}", _id(reference.target_columns[0]), self._column
        assert day is not None
        first, last = (
            f"(select {edge}({ours}) filter (where {_in_day(day, 'd')}) from day as d)"
            for edge in ("min", "max")
        )
        return f"select p.{theirs} from {_table(reference.target)} as p where p.{theirs} between {first} and {last}"

    def _dated(self, day: Column) -> Iterator[str]:
        """Of the day and those read with it, and what was written since and belongs to no day that can be true."""
        asked = f"t.{_id(day.name)}"
        nullable = not self._table.columns[day.name][2]
        yield f"{_in_the_future(self.contract, day, 't')} and {self._written_since()}"
        if self.contract.read_back is None:
            yield f"{asked} < {_end(day)}"
            if nullable:
                yield f"{asked} is null"
            return
        yield _in_day(day, "t", -self.contract.read_back)
        if changed := _changed(self.contract, "t"):
            yield changed
        if nullable:
            yield f"{asked} is null and {self._written_since()}"
        if day.minimum is not None:
            yield f"{asked} < {_literal(day.minimum)} and {self._written_since()}"

    def _besides(self, day: Column) -> Iterator[str]:
        """What names a row of an earlier day that was changed on this one; what cannot have been written when it says.

        Some of them are of the day. The latter are looked for only where an index finds them.
        """
        for reference in self.contract.references:
            target = self.tables.get(reference.target)
            changed = _changed(target, "d", along=True) if target else ""
            if target and changed and reference.target_columns == target.key:
                keys = f"select {_list(target.key, 'd')} from {_table(target.table)} as d where {changed}"
                yield f"({_list(reference.columns, 't')}) in ({keys})"
        written = self.contract.by_name.get("updated_at")
        if written and self._table.finds_by(("updated_at",)):
            wrong = [f"t.updated_at >= {_limit()}"]
            if written.minimum is not None:
                wrong.append(f"t.updated_at < {_literal(written.minimum)}")
            if not self._table.columns["updated_at"][2]:
                wrong.append("t.updated_at is null")
            earlier = f" and t.{_id(day.name)} < {_end(day)}" if day.type in _AHEAD else ""
            yield f"({_any(wrong)}){earlier}"

    def _of_its_order(self, day: Column) -> Iterator[str]:
        """Of the day through the row it names (an order's lines), and what names none but stands among the day's.

        Keys that rise with time keep this to one range of the table's key; others are found by when they were written.
        """
        parent = self._parent(day)
        if parent is None:
            yield "false"
            return
        key, table, _ = parent
        ours = f"t.{_id(day.name)}"
        own = f"from {_table(self.contract.table)} as o"
        low = (
            "(select least(o.first, b.last) from keys_of_day as o cross join keys_before as b"
            " where b.last is not null)",
            f"(select min(o.{_id(day.name)}) {own})",
        )
        high = (
            "(select case when a.first > o.last then a.first end from keys_of_day as o cross join keys_after as a)",
            f"(select max(o.{_id(day.name)}) {own})",
        )
        yield (
            f"{ours} between coalesce({', '.join(low)}) and coalesce({', '.join(high)})"
            f" and ({ours} in ({self.parents()}) or {self._written_since()}"
            f" and (select true from {table} where {key} = {ours} limit 1) is null)"
        )
        if not self._table.columns[day.name][2]:
            yield f"{ours} is null and {self._written_since()}"

    def _parent(self, day: Column | None) -> tuple[str, str, Column] | None:
        """(key, table, column of the day) of the row whose day is this one's, its alias being p."""
        for reference in self.contract.references:
            parent = self.tables.get(reference.target)
            if day is not None and reference.columns == (day.name,) and parent is not None:
                key = f"p.{_id(reference.target_columns[0])}"
                return key, f"{_table(parent.table)} as p", parent.by_name[parent.business_day or ""]
        return None

    def _naming(self) -> dict[tuple[str, ...], list[tuple[TableContract, Reference, Column]]]:
        """Which other tables name rows of this one by its key: by what, and when each of theirs is of the day."""
        naming: dict[tuple[str, ...], list[tuple[TableContract, Reference, Column]]] = {}
        if self._column is None:
            return naming  # it is read whole
        for other in self.tables.values():
            day = other.by_name.get(other.business_day or "")
            if day is None or day.type not in _AHEAD:
                continue
            for reference in other.references:
                # What names one of many only wants some row there; what names a row by its key is read with it.
                if reference.target == self.contract.table and set(reference.target_columns) == set(
                    self.contract.key
                ):
                    naming.setdefault(reference.target_columns, []).append((other, reference, day))
        return naming

    @property
    def _column(self) -> Column | None:
        return self.contract.by_name.get(self.contract.business_day or "")

    @property
    def _table(self) -> Existing:
        return self.existing[self.contract.table]

    def _written_since(self) -> str:
        written = "updated_at" in self.contract.by_name
        return "(t.updated_at >= %(day_start)s::timestamptz or t.updated_at is null)" if written else "true"


def _read_with_the_day(contract: TableContract, day: Column) -> list[str]:
    """Of which rows `d` a day's reports read what they name: those of the day and so many before it; those changed."""
    changed = _changed(contract, "d", along=True)
    return [_in_day(day, "d", -(contract.read_back or 0)), *([changed] if changed else [])]


def _changed(contract: TableContract, alias: str, *, along: bool = False) -> str:
    """Rows of earlier days that were written again on the day; nothing where they count on their own day only.

    `along`: of `d` only those with which others are read.
    """
    day = contract.by_name.get(contract.business_day or "")
    if day is None or not contract.read_when_changed:
        return ""
    asked, written = f"{alias}.{_id(day.name)}", f"{alias}.updated_at"
    return (
        f"{asked} < %(day_start)s::timestamptz and {asked} >= {_literal(day.minimum or '-infinity')}"
        f" and {written} >= %(day_start)s::timestamptz"
        f" and {written} < %(day_end)s::timestamptz + interval '1 day'"
        # What its own day's load brings, until noon or so of the next day, was checked on its own day.
        f" and {written} >= {asked} + interval '36 hours'"
        + (f" and ({_escaped(contract.read_along)})" if along else "")
    )


def _in_day(day: Column, alias: str, first: int = 0, end: int = 1) -> str:
    """The days from `first` to `end` (excluded), counted from the report date."""
    column = f"{alias}.{_id(day.name)}"
    if day.type == "date":
        return f"{column} >= %(report_date)s::date + {first} and {column} < %(report_date)s::date + {end}"
    start, stop = (f"%(day_start)s::timestamptz + interval '{days * 24} hours'" for days in (first, end))
    if first == 0:
        start = "%(day_start)s::timestamptz"
    return f"{column} >= {start} and {column} < {_end(day) if end == 1 else stop}"


def _end(day: Column) -> str:
    """The first instant, or the first day, after the report date."""
    return "%(report_date)s::date + 1" if day.type == "date" else "%(day_end)s::timestamptz"


def _limit() -> str:
    """What is written later than this was not: clocks are not off by a day."""
    return "greatest(now(), %(day_end)s::timestamptz) + interval '1 day'"


def _any(parts: Sequence[str]) -> str:
    return " or ".join(f"({part})" for part in parts)


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
    named = ", ".join(
        f"'{column} ' || coalesce({alias}.{_id(column)}::text, 'null')" for column in columns or contract.key
    )
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
