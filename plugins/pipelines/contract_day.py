"""The rows of a table that a contract's statement looks at on a business day.

They are the rows of the day, and of the days before it that are read with it; rows written since whose day cannot be
true (null, in the future, before the contract's minimum), because they are missing from their day; rows that say of an
impossible instant that they were written then, because nobody notices that they have changed; the rows that the day's
rows of other tables name, and those that name a row that was changed on the day, because they are read with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oncall.core.data.data_contract import Column, Reference, TableContract
from pipelines.contract_rule import Existing, Rule
from pipelines.sql_text import any_of, escaped, key_of, literal, names_of, quoted, table_of

AHEAD = {"date": "31 days", "timestamp": "1 day"}  # how far a day may lie ahead of when it was written


@dataclass(frozen=True)
class ContractDay:
    """The rows of a table that a day's reports read."""

    contract: TableContract
    tables: Mapping[str, TableContract]
    existing: Mapping[str, Existing]

    def text(self) -> str:
        columns = names_of([column.name for column in self.contract.columns], "t")
        table = f"select {columns} from {table_of(self.contract.table)} as t"
        day = self._column
        if day is None:
            return table
        parts = list(self._of_its_order(day) if day.type not in AHEAD else self._dated(day))
        selects = [f"{table} where {part}" for part in parts]
        for part in self._besides(day):
            selects.append(f"{table} where {part} and not coalesce({any_of(parts)}, false)")
            parts.append(part)
        for nth, key in enumerate(self._naming()):
            found = f"t.{quoted(key[0])} is not null"
            selects.append(
                f"select {columns} from named_{nth} as t where {found} and not coalesce({any_of(parts)}, false)"
            )
        return " union all\n".join(selects)

    def before(self) -> str:
        """What the day is asked with: the rows that others name, with or without what they name; and for what belongs
        to a day through the row it names, which of those rows come first and last, on the day and beside it.

        (`filter` has the day's rows read by their time: without it the planner walks through all keys, from an end.)
        """
        parts = []
        columns = names_of([column.name for column in self.contract.columns], "t")
        for nth, (key, others) in enumerate(self._naming().items()):
            keys = " union all ".join(
                f"select {names_of(one.columns, 'd')} from {table_of(other.table)} as d where {part}"
                for other, one, day in others
                for part in _read_with_the_day(other, day)
            )
            names = ", ".join(f"named_{column}" for column in key)
            found = " and ".join(f"t.{quoted(column)} = k.named_{column}" for column in key)
            # One by one through an index: the table grows for ever, the day does not. `offset` keeps it so.
            one_by_one = " offset 0" if self._table.finds_by(key) else ""
            parts.append(
                f"named_{nth} as materialized (select * from (select distinct * from ({keys}) as every) as k ({names})"
                f" left join lateral (select {columns} from {table_of(self.contract.table)} as t where {found}"
                f"{one_by_one}) as t on true)"
            )
        day = self._column
        parent = self._parent(day) if day and day.type not in AHEAD else None
        if parent is not None:
            key_column, table, parent_day = parent
            parts += (
                f"{name} as materialized (select min({key_column}) filter (where true) as first,"
                f" max({key_column}) filter (where true) as last"
                f" from {table} where {in_day(parent_day, 'p', first, end)})"
                for name, first, end in (("keys_of_day", 0, 1), ("keys_before", -1, 0), ("keys_after", 1, 2))
            )
        return "".join(f"{part}, " for part in parts)

    def unknown(self) -> Iterator[Rule]:
        """That the day's rows of others name rows that there are."""
        for nth, (key, others) in enumerate(self._naming().items()):
            named = [f"named_{column}" for column in key]
            columns = ", ".join(f"c{number}" for number in range(len(key)))
            missing = f"{quoted(key[0])} is null and ({', '.join(named)}) is not null"
            for other, reference, day in others:
                value = " || ', ' || ".join(f"d.{quoted(column)}" for column in reference.columns)
                unless = f" and not coalesce({escaped(reference.unless)}, false)" if reference.unless else ""
                # Side by side: joined, the planner might look through all that is missing for each row. Where nothing
                # is missing no row is read.
                select = (
                    "select m.key, m.value from ("
                    f"select s.*, bool_or(s.missing) over (partition by {columns}) as unknown from ("
                    f"select {key_of(other, 'd')}, ({value})::text, false, {names_of(reference.columns, 'd')}"
                    f" from {table_of(other.table)} as d where ({any_of(_read_with_the_day(other, day))}){unless}"
                    f" union all select null, null, true, {', '.join(named)} from named_{nth} where {missing}"
                    f") as s (key, value, missing, {columns})"
                    f" where (select true from named_{nth} where {missing} limit 1)) as m"
                    " where m.unknown and not m.missing"
                )
                name = f"{other.short}_have_{self.contract.short}"
                expected = f"0 {other.noun} of unknown {self.contract.noun}"
                yield Rule(name, reference.columns, expected, select=select, of=other)

    def looks_up(self, reference: Reference) -> bool:
        """Whether the contract's own statement must look a reference up: no other one reads what it names."""
        target = self.tables.get(reference.target)
        return target is not None and not any(
            other is self.contract and one is reference
            for others in ContractDay(target, self.tables, self.existing)._naming().values()
            for other, one, _ in others
        )

    def own(self, alias: str) -> str:
        """Which of the rows are of the day itself."""
        day = self._column
        if day is None:
            return "true"
        if day.type in AHEAD:
            return in_day(day, alias)
        return f"{alias}.{quoted(day.name)} in ({self.parents()})"

    def parents(self) -> str:
        """The keys of the rows that make the day's rows the day's."""
        parent = self._parent(self._column) if self._column else None
        if parent is None:
            return "select null where false"
        key, table, parent_day = parent
        return f"select {key} from {table} where {in_day(parent_day, 'p')}"

    def children(self, reference: Reference) -> str:
        """The keys of the rows of this day that rows of the target name, which stand beside each other."""
        ours, theirs, day = (
            f"d.{quoted(reference.columns[0])}",
            quoted(reference.target_columns[0]),
            self._column,
        )
        assert day is not None
        first, last = (
            f"(select {edge}({ours}) filter (where {in_day(day, 'd')}) from day as d)"
            for edge in ("min", "max")
        )
        return f"select p.{theirs} from {table_of(reference.target)} as p where p.{theirs} between {first} and {last}"

    def _dated(self, day: Column) -> Iterator[str]:
        """Of the day and those read with it, and what was written since and belongs to no day that can be true."""
        asked = f"t.{quoted(day.name)}"
        nullable = not self._table.columns[day.name][1]
        yield f"{in_the_future(self.contract, day, 't')} and {self._written_since()}"
        if self.contract.read_back is None:
            yield f"{asked} < {end_of(day)}"
            if nullable:
                yield f"{asked} is null"
            return
        yield in_day(day, "t", -self.contract.read_back)
        if changed := _changed(self.contract, "t"):
            yield changed
        if nullable:
            yield f"{asked} is null and {self._written_since()}"
        if day.minimum is not None:
            yield f"{asked} < {literal(day.minimum)} and {self._written_since()}"

    def _besides(self, day: Column) -> Iterator[str]:
        """What names a row of an earlier day that was changed on this one; what cannot have been written when it says.

        Some of them are of the day. The latter are looked for only where an index finds them.
        """
        for reference in self.contract.references:
            target = self.tables.get(reference.target)
            changed = _changed(target, "d", along=True) if target else ""
            if target and changed and reference.target_columns == target.key:
                keys = (
                    f"select {names_of(target.key, 'd')} from {table_of(target.table)} as d where {changed}"
                )
                yield f"({names_of(reference.columns, 't')}) in ({keys})"
        written = self.contract.by_name.get("updated_at")
        if written and self._table.finds_by(("updated_at",)):
            wrong = [f"t.updated_at >= {latest()}"]
            if written.minimum is not None:
                wrong.append(f"t.updated_at < {literal(written.minimum)}")
            if not self._table.columns["updated_at"][1]:
                wrong.append("t.updated_at is null")
            earlier = f" and t.{quoted(day.name)} < {end_of(day)}" if day.type in AHEAD else ""
            yield f"({any_of(wrong)}){earlier}"

    def _of_its_order(self, day: Column) -> Iterator[str]:
        """Of the day through the row it names (an order's lines), and what names none but stands among the day's.

        Keys that rise with time keep this to one range of the table's key; others are found by when they were written.
        What stands behind the day's last and was written with a later day's load is of that day: its orders may still
        be on their way.
        """
        parent = self._parent(day)
        if parent is None:
            yield "false"
            return
        key, table, _ = parent
        ours = f"t.{quoted(day.name)}"
        last = "(select coalesce(o.last, b.last) from keys_of_day as o cross join keys_before as b)"
        of_a_later_day = f"coalesce({ours} > {last} and {self._written_after_its_load(day)}, false)"
        own = f"from {table_of(self.contract.table)} as o"
        low = (
            "(select least(o.first, b.last) from keys_of_day as o cross join keys_before as b"
            " where b.last is not null)",
            f"(select min(o.{quoted(day.name)}) {own})",
        )
        high = (
            "(select case when a.first > o.last then a.first end from keys_of_day as o cross join keys_after as a)",
            f"(select max(o.{quoted(day.name)}) {own})",
        )
        yield (
            f"{ours} between coalesce({', '.join(low)}) and coalesce({', '.join(high)})"
            f" and ({ours} in ({self.parents()}) or {self._written_since()} and not {of_a_later_day}"
            f" and (select true from {table} where {key} = {ours} limit 1) is null)"
        )
        if not self._table.columns[day.name][1]:
            yield f"{ours} is null and {self._written_since()}"

    def _written_after_its_load(self, day: Column) -> str:
        """Since the day was over and, unless upstream writes down when it happened in the shop, after it was loaded.

        Never, before a later day is loaded.
        """
        if "updated_at" not in self.contract.by_name:
            return "false"
        of_table = f"from master.loads where table_name in {loaded_as(self.contract)} and business_day"
        own = f"from {table_of(self.contract.table)} as o where o.{quoted(day.name)} in ({self.parents()})"
        end = "%(day_end)s::timestamptz"
        in_time = f"(select 2 * count(*) filter (where o.updated_at < {end}) > count(*) {own})"
        loaded = f"(select max(loaded_at) {of_table} = %(report_date)s::date)"
        return (
            f"exists (select {of_table} > %(report_date)s::date) and t.updated_at >= {end}"
            f" and t.updated_at > (select case when {in_time} then '-infinity' else {loaded} end)"
        )

    def _parent(self, day: Column | None) -> tuple[str, str, Column] | None:
        """(key, table, column of the day) of the row whose day is this one's, its alias being p."""
        for reference in self.contract.references:
            parent = self.tables.get(reference.target)
            if day is not None and reference.columns == (day.name,) and parent is not None:
                key = f"p.{quoted(reference.target_columns[0])}"
                return key, f"{table_of(parent.table)} as p", parent.by_name[parent.business_day or ""]
        return None

    def _naming(self) -> dict[tuple[str, ...], list[tuple[TableContract, Reference, Column]]]:
        """Which other tables name rows of this one by its key: by what, and when each of theirs is of the day."""
        naming: dict[tuple[str, ...], list[tuple[TableContract, Reference, Column]]] = {}
        if self._column is None:
            return naming  # it is read whole
        for other in self.tables.values():
            day = other.by_name.get(other.business_day or "")
            if day is None or day.type not in AHEAD:
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
    return [in_day(day, "d", -(contract.read_back or 0)), *([changed] if changed else [])]


def _changed(contract: TableContract, alias: str, *, along: bool = False) -> str:
    """Rows of earlier days that were written again on the day; nothing where they count on their own day only.

    `along`: of `d` only those with which others are read.
    """
    day = contract.by_name.get(contract.business_day or "")
    if day is None or not contract.read_when_changed:
        return ""
    asked, written = f"{alias}.{quoted(day.name)}", f"{alias}.updated_at"
    return (
        f"{asked} < %(day_start)s::timestamptz and {asked} >= {literal(day.minimum or '-infinity')}"
        f" and {written} >= %(day_start)s::timestamptz"
        f" and {written} < %(day_end)s::timestamptz + interval '1 day'"
        # What its own day's load brings, until noon or so of the next day, was checked on its own day.
        f" and {written} >= {sane(asked)} + interval '36 hours'"
        + (f" and ({escaped(contract.read_along)})" if along else "")
    )


def in_day(day: Column, alias: str, first: int = 0, end: int = 1) -> str:
    """The days from `first` to `end` (excluded), counted from the report date."""
    column = f"{alias}.{quoted(day.name)}"
    if day.type == "date":
        return f"{column} >= %(report_date)s::date + {first} and {column} < %(report_date)s::date + {end}"
    start, stop = (f"%(day_start)s::timestamptz + interval '{days * 24} hours'" for days in (first, end))
    if first == 0:
        start = "%(day_start)s::timestamptz"
    return f"{column} >= {start} and {column} < {end_of(day) if end == 1 else stop}"


def end_of(day: Column) -> str:
    """The first instant, or the first day, after the report date."""
    return "%(report_date)s::date + 1" if day.type == "date" else "%(day_end)s::timestamptz"


def loaded_as(contract: TableContract) -> str:
    """The names under which loads of the table are written down."""
    return f"({literal(contract.table)}, {literal(contract.table.partition('.')[2])})"


def sane(instant: str) -> str:
    """An instant to which something can be added: there are some after which there is none."""
    return f"least({instant}, '9999-01-01')"


def latest() -> str:
    """What is written later than this was not: clocks are not off by a day."""
    return "greatest(now(), %(day_end)s::timestamptz) + interval '1 day'"


def in_the_future(contract: TableContract, day: Column, alias: str) -> str:
    """Later than now and, as far as is known, later than it was written."""
    column, ahead = f"{alias}.{quoted(day.name)}", AHEAD[day.type]
    limit = f"greatest(now(), %(day_end)s::timestamptz) + interval '{ahead}'"
    if day.type == "date":
        limit = f"({limit})::date"
    future = f"{column} >= {limit}"
    if "updated_at" in contract.by_name:
        future += f" and ({column} > {sane(alias + '.updated_at')} + interval '{ahead}' or {alias}.updated_at is null)"
    return future
