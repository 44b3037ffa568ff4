"""How thin a load may be: as the contract in force says, and less on the roster's public holidays."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from oncall.config.load_volume import volume_in

INCLUDE = Path(__file__).resolve().parents[2] / "include"
NATIONAL_DAY, ORDINARY, COMPANY_DAY = dt.date(2026, 9, 2), dt.date(2026, 9, 9), dt.date(2026, 12, 31)


@pytest.fixture
def include(tmp_path: Path) -> Path:
    shutil.copytree(INCLUDE, tmp_path / "include")
    return tmp_path / "include"


def test_a_holiday_may_be_a_fraction_as_busy(include: Path) -> None:
    """The country's holidays and the company's own; each table by its own share; others by the usual one."""
    volume = volume_in(include).share
    assert volume("master.orders", ORDINARY) == 0.75
    assert volume("master.refunds", ORDINARY) == 0.3
    assert volume("master.nobody_knows", ORDINARY) == 0.75
    assert (
        volume("master.orders", NATIONAL_DAY) == volume("master.orders", COMPANY_DAY) == pytest.approx(0.075)
    )


def test_the_holidays_before_a_day_are_known(include: Path) -> None:
    """In days before it, of the country and of the company."""
    volume = volume_in(include)
    assert set(volume.holidays_before(ORDINARY)) == {7, 8}
    assert 2 in volume.holidays_before(COMPANY_DAY + dt.timedelta(days=2))


def test_a_load_without_a_row_is_complete_where_the_contract_says_so(include: Path) -> None:
    """Of orders when there are no lines either; nobody enrolled by itself; sessions never."""
    volume = volume_in(include).share
    assert volume("master.orders", ORDINARY, {"master.orders"}) == 0.75
    assert volume("master.orders", ORDINARY, {"master.orders", "master.order_lines"}) == 0
    assert volume("master.experiment_assignments", ORDINARY, {"master.experiment_assignments"}) == 0
    assert volume("master.sessions", ORDINARY, {"master.sessions", "master.orders"}) == 0.75


def test_a_change_of_the_files_is_in_force_at_once(include: Path) -> None:
    """Without a restart; and a file that cannot be read blinds nobody."""
    path = include / "contracts" / "master.odcs.yaml"
    text = path.read_text(encoding="utf-8")
    assert volume_in(include).share("master.orders", ORDINARY) == 0.75
    path.write_text(
        text.replace("value: 75, unit: percent, element: orders", "value: 40, unit: percent, element: orders")
    )
    assert volume_in(include).share("master.orders", ORDINARY) == 0.4
    path.write_text("schema: [")
    (include / "roster.yaml").write_bytes(b"\xff\xfe")
    assert volume_in(include).share("master.orders", NATIONAL_DAY) == 0.75
