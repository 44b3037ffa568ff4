"""A rule of a contract's statement, and a table as it stands in the warehouse beside its contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from oncall.core.data.data_contract import TableContract


@dataclass(frozen=True)
class Existing:
    """A table as it stands in the warehouse: (type, is not null) by column, and its indexes.

    An index is the columns it is of, in order, and whether it is unique. `policies`: those of row-level security for
    our role; None where it does not hold for it. Where it holds and there is none, it hides every row. `grants`: what
    our role needs for each column that it may not read.
    """

    columns: Mapping[str, tuple[str, bool]]
    indexes: Sequence[tuple[tuple[str, ...], bool]] = ()
    policies: Sequence[str] | None = None
    grants: Mapping[str, str] = field(default_factory=dict)

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
