"""How thin a load may be: as its table's contract says, and less on a public holiday of the roster."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from pathlib import Path

import structlog

from oncall.config.data_contracts import contracts_dir, read
from oncall.config.include_files import Unusable, text_of
from oncall.config.oncall_config import include_dir
from oncall.config.roster_file import FILE, read_roster
from oncall.core.data.data_contract import DataContracts

log = structlog.get_logger(__name__)

Volume = Callable[..., float]  # of a table, a day, and the tables that were loaded without a row
HOLIDAY = 1 / 3  # of a table's share, on a public holiday


def volume_in_force() -> Volume:
    """As `volume_in` says, of the include folder in force."""
    return volume_in(include_dir())


def volume_in(folder: Path) -> Volume:
    """The share of the rows expected that a load must have, by table and day, as an include folder says now.

    It may be told which tables were loaded without a row for that day.

    A file that cannot be read makes nobody blind: then it is the usual share, or no day is a holiday.
    """
    try:
        contracts, _ = read(contracts_dir(folder))
        holidays = public_holidays(folder)
    except Exception as error:  # noqa: BLE001 - whoever asks watches over the reports: it must not stop for this
        log.warning("oncall.volumes_unreadable", reason=str(error))
        contracts, holidays = DataContracts(), {}

    def volume(table: str, day: dt.date, empty: Collection[str] = ()) -> float:
        share = contracts.volume(table, empty)
        return share * HOLIDAY if day in holidays else share

    return volume


def public_holidays(folder: Path) -> Mapping[dt.date, str]:
    """Those of the roster at the top; none when it cannot be read."""
    try:
        return _holidays(text_of(folder, FILE))
    except Unusable:
        return {}


@lru_cache(maxsize=8)
def _holidays(text: str) -> Mapping[dt.date, str]:
    roster = read_roster(text).roster
    return roster.public_holidays if roster else {}
