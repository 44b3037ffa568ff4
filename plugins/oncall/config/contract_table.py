"""One table of a data contract: an object of the standard in, what is asked of the table's rows out, with problems."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from open_data_contract_standard.model import (
    CustomProperty,
    DataQuality,
    Relationship,
    SchemaObject,
    SchemaProperty,
)

from oncall.config.contract_ranges import may_name_a_row, never_kept
from oncall.config.experiment_plans import read_plans
from oncall.core.data.data_contract import CURRENCY, Column, Reference, SqlRule, TableContract
from oncall.core.errors import Problem
from oncall.core.promises.facts import DEFAULT_SHARE

NAME = re.compile(r"[a-z_][a-z0-9_]*")
_TYPES = ("string", "integer", "number", "date", "timestamp", "boolean")
_OPTIONS = ("minimum", "maximum", "pattern", "timezone", "defaultTimezone", "format")
_OBJECT = re.compile(r"\$?\{(?:object|table|model)\}")
# What a rule in SQL begins with: then the rows that break it can be listed as well as counted.
_COUNTED = re.compile(
    r"\s*select\s+count\(\*\)\s+from\s+\$?\{(?:object|table|model)\}\s+(?:as\s+)?(\w+)\s+where\s", re.I
)

_QUOTED = re.compile(r"""'(?:[^']|'')*'|"[^"]*\"""")
_ENDS = re.compile(r""";|--|/\*|['"]""")


@dataclass
class ContractFile:
    """A file by its name, and what is wrong with it."""

    name: str
    problems: list[Problem] = field(default_factory=list)

    def complain(self, key: str, found: object, write: str) -> None:
        said = str(found)
        self.problems.append(Problem(self.name, key, "nothing" if said == "None" else said, write))


@dataclass
class TableReader:
    """Reads one schema object, complaining with its place in the file."""

    file: ContractFile
    place: str
    schema: str
    source: SchemaObject

    def read(
        self, volume: float | None, completeness: float | None, owner: str, channel: str, currency: str
    ) -> TableContract | None:
        name = self.source.physicalName or self.source.name or ""
        if not NAME.fullmatch(name):
            self._complain("name", repr(name), "the table's name, such as orders")
            return None
        properties = self.source.properties or []
        columns = tuple(
            column for at, one in enumerate(properties) if (column := self._column(at, one)) is not None
        )
        for column in columns:
            if column.name == CURRENCY and (not column.required or column.accepted != (currency,)):
                self._complain(
                    f"properties.{CURRENCY}",
                    ", ".join(column.accepted) or "any",
                    f"required: true and validValues: [{currency}], the contract's currency: two are never added",
                )
        names = [column.name for column in columns]
        for twice in {name for name in names if names.count(name) > 1}:
            self._complain("properties", f"{twice} twice", "each column once")
        key = [one for one in properties if one.primaryKey]
        if not key:
            self._complain("properties", "no primaryKey", "primaryKey: true at what identifies a row")
        return TableContract(
            table=f"{self.schema}.{name}",
            columns=columns,
            key=tuple(str(one.name) for one in sorted(key, key=lambda one: one.primaryKeyPosition or 1)),
            business_day=self._business_day(names),
            read_back=self._read_back(),
            read_when_changed=self._flag("readWhenChanged", self._property("readWhenChanged")),
            read_along=self._condition("readAlong", self._property("readAlong", "true")),
            references=tuple(self._references(names)),
            unique=tuple(self._unique(names)),
            rules=tuple(self._rules()),
            volume=DEFAULT_SHARE if volume is None else volume,
            completeness=completeness,
            empty_with=self._empty_with(),
            owner=owner,
            channel=channel,
            plans=read_plans(self.source.customProperties or [], names, self._complain),
        )

    def _complain(self, key: str, found: object, write: str) -> None:
        """`key`: within the table."""
        self.file.complain(f"{self.place}.{key}", found, write)

    def _property(self, name: str, otherwise: Any = None) -> Any:
        """The value of a property that is ours."""
        found = (one.value for one in self.source.customProperties or [] if one.property == name)
        return next(found, otherwise)

    def _flag(self, key: str, written: Any) -> bool:
        if written not in (None, True, False):
            self._complain(key, repr(written), "true or false")
        return written is True

    def _empty_with(self) -> tuple[str, ...] | None:
        names = self._property("emptyWith")
        if names is None:
            return None
        if isinstance(names, list) and all(NAME.fullmatch(str(name)) for name in names):
            return tuple(f"{self.schema}.{name}" for name in names)
        self._complain("emptyWith", names, "a list of tables, such as [orders], or []")
        return None

    def _read_back(self) -> int | None:
        days = self._property("readBack", 0)
        if days == "all":
            return None
        if isinstance(days, int) and not isinstance(days, bool) and 0 <= days <= 366:
            return days
        self._complain("readBack", days, "a number of days from 0 to 366, or all")
        return 0

    def _column(self, at: int, described: SchemaProperty) -> Column | None:
        key = f"properties[{at}]"
        name = described.physicalName or described.name or ""
        if not NAME.fullmatch(name):
            self._complain(f"{key}.name", repr(name), "the column's name, such as order_id")
            return None
        if described.logicalType not in _TYPES:
            self._complain(f"{key}.logicalType", described.logicalType, f"one of {', '.join(_TYPES)}")
            return None
        options = described.logicalTypeOptions or {}
        for option in options:
            if option not in _OPTIONS:
                self._complain(
                    f"{key}.logicalTypeOptions.{option}", "an option nobody checks", ", ".join(_OPTIONS)
                )
        pattern = options.get("pattern")
        if pattern is not None and not _compiles(pattern):
            self._complain(f"{key}.logicalTypeOptions.pattern", pattern, "a regular expression")
            pattern = None
        column = Column(
            name=name,
            type=described.logicalType,  # type: ignore[arg-type]  # checked above
            required=bool(described.required or described.primaryKey),
            minimum=self._bound(key, "minimum", described.logicalType, options),
            maximum=self._bound(key, "maximum", described.logicalType, options),
            pattern=pattern,
            accepted=self._accepted(key, described),
            optional=any(
                one.property == "optional" and self._flag(f"{key}.optional", one.value)
                for one in described.customProperties or []
            ),
        )
        for rule, found, write in never_kept(column):
            self._complain(f"{key}.{rule}", found, write)
        return column

    def _bound(self, key: str, name: str, kind: str, options: dict[str, Any]) -> float | str | None:
        value = options.get(name)
        if value is None:
            return None
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        numeric = numeric and -math.inf < value < math.inf  # nor NaN; of 400 digits, too
        if numeric if kind in ("integer", "number") else kind in ("date", "timestamp") and _is_instant(value):
            return value if numeric else str(value)
        self._complain(f"{key}.logicalTypeOptions.{name}", repr(value), f"a bound for a {kind}")
        return None

    def _accepted(self, key: str, column: SchemaProperty) -> tuple[str, ...]:
        values = [entry.value for entry in column.enum or []]
        for at, quality in enumerate(column.quality or []):
            found = (quality.arguments or {}).get("validValues")
            if (
                quality.metric == "invalidValues"
                and isinstance(found, list)
                and found
                and quality.mustBe == 0
            ):
                values += found
            else:
                write = "metric: invalidValues with arguments.validValues and mustBe: 0 (other rules: at the table)"
                self._complain(f"{key}.quality[{at}]", quality.metric or quality.type, write)
        for value in values:
            if column.logicalType == "string" and not isinstance(value, str):
                self._complain(
                    f"{key}.validValues", repr(value), "a text in quotes, as it stands in the rows"
                )
        # as PostgreSQL writes true and false
        return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in values)

    def _business_day(self, columns: Sequence[str]) -> str | None:
        for custom in self.source.customProperties or []:
            if custom.property == "businessDay":
                return self._known("customProperties", text_of(custom), columns)
        return None

    def _references(self, columns: Sequence[str]) -> Iterator[Reference]:
        for at, one in enumerate(self.source.properties or []):
            for relationship in one.relationships or []:
                yield from self._reference(f"properties[{at}]", [one.name or ""], relationship)
        for relationship in self.source.relationships or []:
            start = relationship.from_ if isinstance(relationship.from_, list) else [relationship.from_ or ""]
            sources = [_last(name) for name in start]
            if all(self._known("relationships", name, columns) for name in sources):
                yield from self._reference("relationships", sources, relationship)

    def _reference(self, key: str, columns: list[str], relationship: Relationship) -> Iterator[Reference]:
        to = relationship.to if isinstance(relationship.to, list) else [relationship.to or ""]
        parts = [target.replace("/", ".").split(".") for target in to]
        if (
            len(to) != len(columns)
            or any(len(part) < 2 for part in parts)
            or len({part[-2] for part in parts}) != 1
        ):
            self._complain(key, f"to: {to}", "to: table.column, one for each column of from")
            return
        custom = {one.property: text_of(one) for one in relationship.customProperties or []}
        target = f"{self.schema}.{parts[0][-2]}"
        unless = self._condition(f"{key}.unless", custom.get("unless", ""))
        yield Reference(tuple(columns), target, tuple(part[-1] for part in parts), unless)

    def _unique(self, columns: Sequence[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        for one in self.source.properties or []:
            name = one.name or ""
            if one.unique and not one.primaryKey and name in columns:
                yield f"{name}_comes_once", f"rows whose {name} comes twice", (name,)
        for at, quality in enumerate(self.source.quality or []):
            if quality.metric != "duplicateValues":
                continue
            group = (quality.arguments or {}).get("properties")
            if not isinstance(group, list) or quality.mustBe != 0 or not _is_named(quality):
                key = f"quality[{at}]"
                self._complain(key, group, "name, arguments: {properties: [column, …]} and mustBe: 0")
            elif all(self._known(f"quality[{at}]", name, columns) for name in group):
                yield str(quality.name), str(quality.description or quality.name), tuple(group)

    def _rules(self) -> Iterator[SqlRule]:
        for at, quality in enumerate(self.source.quality or []):
            key = f"quality[{at}]"
            if quality.metric == "duplicateValues":
                continue
            if quality.type != "sql" or quality.metric:
                self._complain(key, quality.metric or quality.type, "type: sql, or metric: duplicateValues")
            elif not _is_named(quality):
                self._complain(f"{key}.name", quality.name, "a name such as orders_have_lines")
            elif not (match := _COUNTED.match(quality.query or "")) or quality.mustBe != 0:
                write = "query: select count(*) from {object} as row where …, and mustBe: 0"
                self._complain(f"{key}.query", f"{quality.query or ''}"[:60], write)
            elif not may_name_a_row(match[1]):
                self._complain(
                    f"{key}.query", f"as {match[1]}", "a name that is no word of SQL, such as row_of_it"
                )
            else:
                description = str(quality.description or quality.name)
                condition = _OBJECT.sub("{object}", match.string[match.end() :])
                condition = self._condition(f"{key}.query", condition)
                yield SqlRule(str(quality.name), description, match[1], condition)

    def _condition(self, key: str, sql: object) -> str:
        """The same. Complains of what ends the statement that it becomes a part of: no run could ask it."""
        if not isinstance(sql, str):
            self._complain(key, sql, "one condition in SQL, as a text")
            return "true"
        code = _QUOTED.sub("", sql)
        depth = lowest = 0
        for sign in re.sub(r"[^()]", "", code):
            depth += 1 if sign == "(" else -1
            lowest = min(lowest, depth)
        if odd := _ENDS.search(code):
            found = "a quote without its end" if odd[0] in "'\"" else repr(odd[0])
            self._complain(key, found, "one condition in SQL")
        elif depth or lowest:
            self._complain(key, "brackets that do not match", "one condition in SQL")
        return sql

    def _known(self, key: str, name: str, columns: Sequence[str]) -> str | None:
        if name in columns:
            return name
        self._complain(key, name or "nothing", f"one of {', '.join(columns)}")
        return None


def _is_named(quality: DataQuality) -> bool:
    return bool(NAME.fullmatch(quality.name or ""))


def text_of(custom: CustomProperty) -> str:
    """The value of a property, as text; "" for none."""
    return str(custom.value) if custom.value is not None else ""


def _last(name: str) -> str:
    return name.replace("/", ".").split(".")[-1]


def _compiles(pattern: object) -> bool:
    try:
        re.compile(str(pattern))
    except re.error:
        return False
    return True


def _is_instant(value: object) -> bool:
    try:
        return bool(dt.datetime.fromisoformat(str(value)))
    except ValueError:
        return False
