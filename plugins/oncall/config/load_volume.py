"""How thin a load may be: as its table's contract says, and less on a public holiday of the roster."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import structlog

from oncall.config.data_contracts import contracts_dir, read
from oncall.config.include_files import Unusable, text_of
from oncall.config.oncall_config import include_dir
from oncall.config.roster_file import FILE, read_roster
from oncall.core.data.data_contract import DataContracts
from oncall.core.data.expectation import WINDOW_DAYS

log = structlog.get_logger(__name__)

HOLIDAY = 0.1  # of a table's share, on a public holiday


@dataclass(frozen=True)
class Volume:
    """How many rows a load must have, by contracts and by a roster's text."""

    contracts: DataContracts = field(default_factory=DataContracts)
    roster: str = ""

    def share(self, table: str, day: dt.date, empty: Collection[str] = ()) -> float:
        """The part of the rows expected; `empty`: which tables were loaded without a row for that day."""
        share = self.contracts.volume(table, empty)
        return share * HOLIDAY if day in _holidays(self.roster) else share

    def holidays_before(self, day: dt.date) -> frozenset[int]:
        """How many days before it there were public holidays: no load is compared with theirs."""
        return _holidays_before(self.roster, day)


def volume_in_force() -> Volume:
    """`volume_in` of the include folder in force."""
    return volume_in(include_dir())


def volume_in(folder: Path) -> Volume:
    """How many rows a load must have, by table and day, as an include folder says now.

    A file that cannot be read makes nobody blind: then it is the usual share, or no day is a holiday.
    """
    try:
        contracts, _ = read(contracts_dir(folder))
        roster = _roster_text(folder)
        _holidays(roster)
    except Exception as error:  # noqa: BLE001 - whoever asks watches over the reports: it must not stop for this
        log.warning("oncall.volumes_unreadable", reason=str(error))
        return Volume()
    return Volume(contracts, roster)


def public_holidays(folder: Path) -> Mapping[dt.date, str]:
    """Those of the roster at the top; none when it cannot be read."""
    return _holidays(_roster_text(folder))


def _roster_text(folder: Path) -> str:
    try:
        return text_of(folder, FILE)
    except Unusable:
        return ""


@lru_cache(maxsize=8)
def _holidays(text: str) -> Mapping[dt.date, str]:
    roster = read_roster(text).roster
    return roster.public_holidays if roster else {}


@lru_cache(maxsize=4096)  # every look asks again
def _holidays_before(text: str, day: dt.date) -> frozenset[int]:
    holidays = _holidays(text)
    return frozenset(ago for ago in range(1, WINDOW_DAYS + 1) if day - dt.timedelta(days=ago) in holidays)
