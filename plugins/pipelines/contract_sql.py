"""One table's contract as one SQL statement for PostgreSQL, bounded to a business day; knows no connection.

The statement binds `report_date`, `day_start` and `day_end`. It answers a row for each rule that is broken: the
rule's number, how many rows break it, and the key of one of them (or, to list them, a row for each).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from oncall.core.data.data_contract import LOADS, Column, Reference, SqlRule, TableContract
from pipelines.contract_day import AHEAD, ContractDay, in_day, in_the_future, latest, loaded_as
from pipelines.contract_rule import Existing, Rule
from pipelines.sql_text import escaped, key_of, literal, names_of, quoted, table_of

LISTED = 1000  # as many offending rows as are ever listed for one rule
_EXACT = ("int2", "int4", "int8", "numeric")  # a fraction of two is not: cents would not add up
_FIT = {
    "string": ("text", "varchar", "bpchar", "citext", "name"),
    "integer": (*_EXACT, "float4", "float8"),
    "number": _EXACT,
    "date": ("date",),
    "timestamp": ("timestamptz",),  # without a zone nobody knows to which day it belongs
    "boolean": ("bool",),
}
# Where PostgreSQL calls it otherwise than the standard.
_WORDS = {"string": "text", "number": "numeric", "timestamp": "timestamp with time zone"}
_HAS_NAN = ("numeric", "float4", "float8")
_MOST_WHOLE = 2**63 - 1  # keys are kept as bigint


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
        key = key_of(self.contract, "d")
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


def in_sight(contract: TableContract) -> Rule:
    """The rule that row-level security hides no row of the table from our role."""
    expected = "no row that row-level security hides from our role: a policy that shows it all, or bypassrls"
    return Rule(f"{contract.short}_are_in_sight", (), expected)


def no_such_table(table: str) -> str:
    """What is expected of a table that is not there."""
    return f"a table {table}"


def misfits(contract: TableContract, table: Existing | None) -> list[Rule]:
    """What a table lacks of what its contract needs to be asked at all: itself, columns, types, our right."""
    if table is None:
        return [Rule(f"{contract.short}_exist", (), no_such_table(contract.table))]
    found = [] if table.policies is None or table.policies else [in_sight(contract)]
    for column in contract.columns:
        stands = table.columns.get(column.name)
        if stands is None:
            name = f"{contract.short}_{column.name}_exists"
            found.append(Rule(name, (column.name,), f"a column {column.name}"))
        elif stands[0] not in _FIT[column.type]:
            kind = _WORDS.get(column.type, column.type)
            expected = f"a column {column.name} of type {kind}, not {stands[0]}"
            found.append(Rule(f"{contract.short}_{column.name}_has_its_type", (column.name,), expected))
    if unread := [column.name for column in contract.columns if column.name in table.grants]:
        expected = f"the right to read {', '.join(unread)}: {table.grants[unread[0]]}"
        found.append(Rule(f"{contract.short}_may_be_read", tuple(unread), expected))
    return found


def compiled(
    contract: TableContract, tables: Mapping[str, TableContract], existing: Mapping[str, Existing]
) -> Statement:
    """The contract's statement. `tables` are those that may be read with it, `existing` how all of them stand.

    None of them may have misfits.
    """
    table = existing[contract.table]
    day = ContractDay(contract, tables, existing)
    rules = [
        *(rule for column in contract.columns for rule in _of_column(contract, column, table)),
        *_of_the_day_column(contract),
        *_of_when_it_was_written(contract),
        *_of_keys(contract, table),
        *(_of_reference(contract, one, day) for one in contract.references if day.looks_up(one)),
        *day.unknown(),
        *(Rule(one.name, (), f"0 {one.description}", select=_sql(contract, one)) for one in contract.rules),
        *_of_plans(contract),
        *_of_its_load(contract, day),
        *_of_when_it_was_loaded(contract),
    ]
    return Statement(contract, tuple(rules), day.text(), day.before())


def _of_column(contract: TableContract, column: Column, table: Existing) -> Iterator[Rule]:
    name, noun, short = column.name, contract.noun, contract.short
    kind, not_null = table.columns[name]
    asked = f"d.{quoted(name)}"
    if column.required and not not_null:
        yield Rule(f"{short}_{name}_is_there", (name,), f"0 {noun} without {name}", f"{asked} is null")
    is_nan = f"{asked} in ('NaN', 'Infinity', '-Infinity')"
    nan = kind in _HAS_NAN and column.type in ("number", "integer")
    if nan and column.type == "integer":
        expected = f"0 {noun} whose {name} is not whole"
        yield Rule(f"{short}_{name}_is_whole", (name,), expected, f"{asked} <> trunc({asked})")
    bounds = []
    minimum, maximum = column.minimum, column.maximum
    if nan and column.type == "integer":
        minimum = -_MOST_WHOLE if minimum is None else minimum
        maximum = _MOST_WHOLE if maximum is None else maximum
    under, over = ("before", "after") if column.type in AHEAD else ("below", "above")
    if minimum is not None:
        bounds.append((f"{asked} < {literal(minimum)}", f"{under} {minimum}"))
    if maximum is not None:
        bounds.append((f"{asked} > {literal(maximum)}", f"{over} {maximum}"))
    services = " or ".join(condition for condition, _ in bounds)
    if nan:
        # NaN is more than any number: what is within both bounds need not be asked for more.
        broken = f"({services}) and {is_nan}" if len(bounds) == 2 else is_nan
        yield Rule(f"{short}_{name}_is_a_number", (name,), f"0 {noun} whose {name} is not a number", broken)
    if bounds:
        expected = f"0 {noun} whose {name} is {' or '.join(words for _, words in bounds)}"
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
            _one_of(column, f"!~ {literal(column.pattern)}"),
        )
    if column.accepted:
        number = "::numeric" if column.type in ("integer", "number") else ""  # 1.5 is 1.50 as well
        accepted = ", ".join(literal(value) + number for value in column.accepted)
        one_of = "one of " if len(column.accepted) > 1 else ""
        expected = f"0 {noun} whose {name} is not {one_of}{', '.join(column.accepted)}"
        broken = _one_of(column, f"not in ({accepted})", "" if number else "::text")
        yield Rule(f"{short}_{name}_is_accepted", (name,), expected, broken)


def _one_of(column: Column, broken: str, kind: str = "::text") -> str:
    """Of a column with few different values: each is looked at once, however many rows have it."""
    name = quoted(column.name)
    # `offset`: otherwise the planner looks at each row first and at what is distinct after that.
    values = f"(select distinct {name} from day offset 0) as v"
    return f"d.{name} in (select v.{name} from {values} where v.{name}{kind} {broken})"


def _of_the_day_column(contract: TableContract) -> Iterator[Rule]:
    day = contract.by_name.get(contract.business_day or "")
    if day is not None and day.type in AHEAD:
        name = f"{contract.short}_{day.name}_is_not_in_the_future"
        yield Rule(
            name, (day.name,), f"0 {contract.noun} that lie in the future", in_the_future(contract, day, "d")
        )


def _of_when_it_was_written(contract: TableContract) -> Iterator[Rule]:
    if "updated_at" in contract.by_name:
        name = f"{contract.short}_updated_at_is_not_in_the_future"
        expected = f"0 {contract.noun} that are written in the future"
        yield Rule(name, ("updated_at",), expected, f"d.updated_at >= {latest()}")


def _of_plans(contract: TableContract) -> Iterator[Rule]:
    """Nobody is in a variant that its experiment does not plan, nor in an experiment written in another case."""
    parts = []
    for one in contract.plans.experiments if contract.plans else ():
        name = literal(one.name)
        planned = ", ".join(map(literal, one.shares))
        wrong = f" or d.variant not in ({planned})" if planned else ""
        parts.append(f"lower(d.experiment) = lower({name}) and (d.experiment <> {name}{wrong})")
    if parts:
        expected = f"0 {contract.noun} to a variant that the experiment's contract does not plan"
        condition = " or ".join(f"({part})" for part in parts)
        yield Rule(f"{contract.short}_variant_is_planned", ("variant",), expected, condition)


def _of_its_load(contract: TableContract, day: ContractDay) -> Iterator[Rule]:
    """As many rows of the day as its latest load says there are.

    What came after the load is no part of it; and what has gone since a report was published with it was there then. A
    day of which nothing is left is being loaded again, unless older days are gone too: what is put away goes with them.
    """
    if contract.completeness is None:
        return
    later = "d.updated_at > load.loaded_at" if "updated_at" in contract.by_name else "false"
    emptied, dated = "false", contract.by_name.get(contract.business_day or "")
    if dated is not None and dated.type in AHEAD and contract.read_back is not None:
        week_before = in_day(dated, "t", -7, 0)
        emptied = (
            f"found.there = 0 and exists (select from {table_of(contract.table)} as t where {week_before})"
        )
    bare = contract.table.partition(".")[2]
    select = f"""
        select concat('table_name {bare}, business_day ', %(report_date)s::date),
            concat(load.row_count, ' rows, but ', found.there, ' of that day in {contract.table}')
        from (
            select row_count::numeric as row_count, loaded_at from master.loads
            where table_name in {loaded_as(contract)} and business_day = %(report_date)s::date
            order by loaded_at desc nulls last, row_count desc nulls last limit 1
        ) as load
        cross join lateral (
            select count(*) as there, count(*) filter (where {later}) as later from day as d where {day.own("d")}
        ) as found
        where (
            found.there < load.row_count * {contract.completeness}
            or (found.there - found.later) * {contract.completeness} > load.row_count
        ) and ({emptied} or not exists (
            select from investor.publications as made
            cross join lateral jsonb_to_record(made.upstream -> '{contract.table}')
                as read (loaded_at timestamptz, row_count numeric)
            where made.report_date = %(report_date)s::date
                and read.loaded_at = load.loaded_at and read.row_count = load.row_count
        ))"""
    off = round(100 * (1 - contract.completeness), 2)
    expected = f"as many {contract.noun} as the day's load says, give or take {off:g} %"
    name = f"{contract.short}_are_as_many_as_loaded"
    yield Rule(name, ("row_count",), expected, select=select, of=LOADS)


def _of_when_it_was_loaded(contract: TableContract) -> Iterator[Rule]:
    """A load that was finished before its day was over cannot have all of it.

    Unless upstream's clock is another one: then the load of the day before was early too.
    """
    if contract.completeness is None or contract.business_day is None:
        return
    bare = contract.table.partition(".")[2]
    of_table = f"from master.loads where table_name in {loaded_as(contract)} and business_day ="
    select = f"""
        select concat('table_name {bare}, business_day ', %(report_date)s::date), load.loaded_at::text
        from (select max(loaded_at) as loaded_at {of_table} %(report_date)s::date) as load
        where load.loaded_at < %(day_end)s::timestamptz - interval '5 minutes'
            and (select max(loaded_at) {of_table} %(report_date)s::date - 1) >= %(day_start)s::timestamptz"""
    expected = f"a load of {contract.noun} that was finished when the day was over, as on the day before"
    yield Rule(
        f"{contract.short}_are_loaded_after_their_day", ("loaded_at",), expected, select=select, of=LOADS
    )


def _of_keys(contract: TableContract, table: Existing) -> Iterator[Rule]:
    groups = [
        (f"{contract.short}_are_unique", f"{contract.noun} whose key comes twice", contract.key),
        *contract.unique,
    ]
    for name, description, columns in groups:
        if table.sees_to(columns):
            continue
        listed = names_of(columns)
        select = (
            f"select {key_of(contract, 't', columns)}, count(*) || ' times' from {table_of(contract.table)} as t"
            f" where ({names_of(columns, 't')}) in (select {listed} from day) group by {names_of(columns, 't')}"
            f" having count(*) > 1"
        )
        yield Rule(name, tuple(columns), f"0 {description}", select=select)


def _of_reference(contract: TableContract, reference: Reference, day: ContractDay) -> Rule:
    target, stands = day.tables[reference.target], day.existing[reference.target]
    named = " and ".join(f"d.{quoted(column)} is not null" for column in reference.columns)
    if reference.unless:
        named += f" and not coalesce({escaped(reference.unless)}, false)"
    if reference.columns == (contract.business_day,):
        # Most name a row of the day: only the others are looked up.
        named += f" and not coalesce(d.{quoted(reference.columns[0])} in ({day.parents()}), false)"
    elif reference.target_columns == (target.business_day,):
        # Most are named by rows that stand beside each other: only the others are looked up.
        named += f" and not coalesce(d.{quoted(reference.columns[0])} in ({day.children(reference)}), false)"
    listed = names_of(reference.columns, "d")
    matches = " and ".join(
        f"p.{quoted(theirs)} = k.{quoted(ours)}"
        for ours, theirs in zip(reference.columns, reference.target_columns, strict=True)
    )
    looked_up = f"from {table_of(reference.target)} as p where {matches}"
    # One by one through an index: the table grows for ever, the day does not. `limit` keeps it so.
    missing = (
        f"(select true {looked_up} limit 1) is null"
        if stands.finds_by(reference.target_columns)
        else f"not exists (select {looked_up})"
    )
    value = " || ', ' || ".join(f"d.{quoted(column)}" for column in reference.columns)
    select = (
        f"select {key_of(contract, 'd')}, ({value})::text from day as d where {named} and ({listed}) in"
        f" (select {names_of(reference.columns, 'k')} from (select distinct {listed} from day as d where {named}) as k"
        f" where {missing})"
    )
    one_of_many = set(reference.target_columns) != set(target.key)
    expected = f"0 {contract.noun} {'without' if one_of_many else 'of unknown'} {target.noun}"
    return Rule(f"{contract.short}_have_{target.short}", reference.columns, expected, select=select)


def _sql(contract: TableContract, rule: SqlRule) -> str:
    condition = escaped(rule.condition.replace("{object}", "day"))
    return f"select {key_of(contract, rule.alias)}, null from day as {rule.alias} where {condition}"


def _value(rule: Rule) -> str:
    return f"coalesce(quote_literal(d.{quoted(rule.columns[0])}::text), 'null')" if rule.columns else "null"
