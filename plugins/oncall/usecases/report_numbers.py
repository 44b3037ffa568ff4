"""What the Reports view asks of the warehouse, as Protocols and data. Reads nothing itself.

Numbers are text, as they are published: to the cent, and `NaN` where somebody published that. None is null.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from oncall.config.oncall_config import OncallConfig
from oncall.core.promises.facts import FailedCheck
from oncall.usecases.history import Published
from oncall.usecases.manual_actions import Outcome

DAYS_SHOWN = 60
MAX_ROWS = 5_000  # of one report; the newest days are kept


@dataclass(frozen=True)
class ReportRow:
    """One published row. `key` is what tells the rows of a day apart (experiment, variant); `numbers` by column.

    `currency`: what its money is in; "" where nothing says so.
    """

    report_date: dt.date
    key: tuple[str, ...]
    numbers: Mapping[str, str | None]
    currency: str = ""


@dataclass(frozen=True)
class NoteOfRelease:
    """A person said, with a note, that an unusual number of a day is true."""

    report_date: dt.date
    name: str
    amount: str
    note: str
    by: str
    at: dt.datetime


@dataclass(frozen=True)
class ReportNumbers:
    """What is published of one report within a window of days, the oldest first, and what is known of each day.

    `columns` and `key_columns` are empty when there is no such table. `published`: when each day was first complete and
    visible. `held`: what the newest run of a day failed on, unless it is published since. `restated`: how many numbers
    of a day a re-publication has changed. `cut`: older rows than these were left out.
    """

    columns: tuple[str, ...] = ()
    key_columns: tuple[str, ...] = ()
    rows: tuple[ReportRow, ...] = ()
    published: Published = field(default_factory=dict)
    held: Mapping[dt.date, Sequence[FailedCheck]] = field(default_factory=dict)
    restated: Mapping[dt.date, int] = field(default_factory=dict)
    released: tuple[NoteOfRelease, ...] = ()
    cut: bool = False


@dataclass(frozen=True)
class BrokenRule:
    """A rule of an upstream table's contract that rows of the day break, and the keys of those rows."""

    name: str
    table: str
    expected: str
    keys: tuple[str, ...]


# Why a day is stale, by report and report date.
StaleDays = Mapping[tuple[str, dt.date], str]


class ReportDesk(Protocol):
    """What the pipelines know of their reports, and the release of a held one. Raises OncallError."""

    def stale(self, config: OncallConfig) -> StaleDays:
        """Published days whose inputs have changed since."""
        ...

    def broken_rules(self, config: OncallConfig, dag_id: str, date: dt.date) -> Sequence[BrokenRule]:
        """What of the upstream rows that the day reads breaks their contracts, as those rows are now."""
        ...

    def release(self, config: OncallConfig, dag_id: str, date: dt.date, by: str, note: str) -> None:
        """Say that the unusual numbers of a held day are true: its next run publishes them."""
        ...


class Reports(Protocol):
    """What stands behind the Reports view. Raises Unreadable; what was read is shared for some seconds."""

    def numbers(self, report: str, since: dt.date, until: dt.date) -> ReportNumbers: ...

    def stale(self, config: OncallConfig) -> StaleDays: ...

    def broken_rules(self, config: OncallConfig, dag_id: str, date: dt.date) -> Sequence[BrokenRule]: ...

    def release(self, config: OncallConfig, dag_id: str, date: dt.date, by: str, note: str) -> Outcome:
        """Record the release under the user's name; what could not be done is said."""
        ...
