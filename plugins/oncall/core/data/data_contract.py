"""What an upstream table must look like before it is used, as frozen objects; knows no file format and no SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from oncall.core.promises.facts import DEFAULT_SHARE

CURRENCY = "currency"  # how the column is called that says what money a row is in
DEFAULT_CURRENCY = "USD"
DEFAULT_CONTROL = "control"

ColumnType = Literal["string", "integer", "number", "date", "timestamp", "boolean"]


@dataclass(frozen=True)
class Column:
    """One column: `required` means not null; bounds are inclusive, and as text they are dates or instants.

    `optional`: the table need not have it.
    """

    name: str
    type: ColumnType
    required: bool = False
    minimum: float | str | None = None
    maximum: float | str | None = None
    pattern: str | None = None
    accepted: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Reference:
    """What stands in `columns` must stand in `target_columns` of `target`.

    Not where one of the columns is null, nor where the SQL condition `unless` is true of the row.
    """

    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    unless: str = ""


@dataclass(frozen=True)
class SqlRule:
    """A rule in SQL. What breaks it, the `description`, are the rows `alias` for which `condition` is true.

    `{object}` in the condition stands for the rows of the day.
    """

    name: str
    description: str
    alias: str
    condition: str


@dataclass(frozen=True)
class Experiment:
    """What is planned of an experiment: the variant that the others are compared with, and how many are in each.

    `shares` are parts of their sum, by variant; empty: as many in each variant that there is.
    """

    name: str
    control: str
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ExperimentPlans:
    """The experiments that a contract knows; of any other `control` is the control and the shares are equal."""

    control: str
    experiments: tuple[Experiment, ...] = ()


@dataclass(frozen=True)
class TableContract:
    """The contract of one table. `key` identifies a row; `unique` are further groups of columns that come once.

    `business_day`: the column that says to which day a row belongs, None where every row counts on every day.
    `read_back`: how many days before it are read with a day, None: all of them.
    `read_when_changed`: a row of an earlier day counts on the day on which it is written again (a cancellation).
    `read_along`: the condition on such a row, `d`, for which the rows that name it, and those it names, count with it.
    `volume`: the share of the rows expected below which a load counts as partial.
    `completeness`: the share of the rows that a load says it has which must be there; as much may be more than it says
    (None: nobody asks).
    `empty_with`: a load without a row is complete when those of these tables have none either; None: never.
    `plans`: the experiments whose assignments its rows are (`experiment`, `variant`).
    """

    table: str  # with its schema
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    business_day: str | None = None
    read_back: int | None = 0
    read_when_changed: bool = False
    read_along: str = "true"
    references: tuple[Reference, ...] = ()
    unique: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # (name, description, columns)
    rules: tuple[SqlRule, ...] = ()
    volume: float = DEFAULT_SHARE
    completeness: float | None = None
    empty_with: tuple[str, ...] | None = None
    owner: str = ""
    channel: str = ""
    plans: ExperimentPlans | None = None

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        return {column.name: column for column in self.columns}

    def of_a_table_with(self, columns: Collection[str]) -> TableContract:
        """The contract of a table that has these columns: without the optional ones that it lacks."""
        kept = tuple(column for column in self.columns if not column.optional or column.name in columns)
        return replace(self, columns=kept)

    @property
    def noun(self) -> str:
        """How messages call its rows: `order lines`."""
        return self.table.partition(".")[2].replace("_", " ")

    @property
    def short(self) -> str:
        """How check names call it: `lines`."""
        return self.noun.split(" ")[-1]


LOADS = TableContract(
    "master.loads",
    (
        Column("table_name", "string"),
        Column("business_day", "date"),
        Column("loaded_at", "timestamp"),
        Column("row_count", "integer"),
    ),
    key=("table_name", "business_day"),
)
"""What says that a table has come: it must stand so. What its rows say is judged beside the tables themselves."""


@dataclass(frozen=True)
class DataContracts:
    """The contracts of all upstream tables, by table; `currency`: the one that all their money is in."""

    tables: Mapping[str, TableContract] = field(default_factory=dict)
    currency: str = DEFAULT_CURRENCY

    @property
    def plans(self) -> ExperimentPlans:
        """What is planned of experiments; nothing, and the control `control`, where no contract says it."""
        found = (contract.plans for contract in self.tables.values() if contract.plans)
        return next(found, ExperimentPlans(DEFAULT_CONTROL))

    def volume(self, table: str, empty: Collection[str] = ()) -> float:
        """The share of the rows expected that a load of the table must have; `empty`: what was loaded without a row."""
        contract = self.tables.get(table)
        if contract is None:
            return DEFAULT_SHARE
        may_be_empty = contract.empty_with is not None and {table, *contract.empty_with} <= set(empty)
        return 0.0 if may_be_empty else contract.volume

    def comes_in_groups(self, table: str) -> bool:
        """Whether its rows are of a day through what they belong to, as an order's lines: some at once."""
        contract = self.tables.get(table)
        day = contract.by_name.get(contract.business_day or "") if contract else None
        return day is not None and day.type not in ("date", "timestamp")


@dataclass(frozen=True)
class Breach:
    """What of a table's day breaks one rule: how many rows, and the key of one of them."""

    name: str
    table: str
    columns: tuple[str, ...]
    expected: str
    count: int
    example: str
