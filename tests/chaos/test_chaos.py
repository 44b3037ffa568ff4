"""Every fault, alone, on real processes: the page still comes, once, to the right person.

`make test` runs the short ones. `make chaos` (CHAOS=all) runs all and writes docs/FAULTS.md; with CHAOS=full the far
sides stay away as long as on a bad night.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import faults_by_hand
import faults_in_airflow
import faults_in_channels
import faults_in_people
import faults_in_pipelines
import pytest
from chaos_fault import FAULTS, MODE, Fault
from chaos_ground import SETTLES_S, Ground
from chaos_outcome import SLOWEST_PAGE_S, Outcome, Row, table

from sandbox.environment import REPOSITORY

PARTS = [
    part.__name__
    for part in (faults_in_pipelines, faults_by_hand, faults_in_channels, faults_in_people, faults_in_airflow)
]
# What kills Airflow comes late, what needs none of it last: to start it again costs the most.
CHOSEN = sorted(
    (each for each in FAULTS if MODE != "short" or each.short),
    key=lambda each: (not each.airflow, PARTS.index(each.act.__module__)),
)
pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def rows() -> Iterator[list[Row]]:
    """What became of each fault; the table is written when all have run."""
    rows: list[Row] = []
    yield rows
    if len(rows) == len(FAULTS):
        (REPOSITORY / "docs" / "FAULTS.md").write_text(table(rows), encoding="utf-8")


@pytest.mark.parametrize("fault", CHOSEN, ids=lambda each: each.name.replace("`", ""))
def test_the_page_still_comes_once(
    fault: Fault, ground: Ground, rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is lost, late, doubled or said to the wrong person is the fault's name in red."""
    row = one(fault, ground)
    rows.append(row)
    with capsys.disabled():
        print(f"\n{row.as_line()}", flush=True)
    assert not row.trouble, row.trouble


def one(fault: Fault, ground: Ground) -> Row:
    """Make one fault on calm ground and judge it."""
    began = time.monotonic()
    ground.calm(airflow=fault.airflow)
    outcome, trouble = Outcome(""), ""
    try:
        outcome = fault.act(ground)
    except Exception as error:  # noqa: BLE001 - the faults after it are worth seeing all the same
        trouble = f"{(str(error) or type(error).__name__).splitlines()[0]} ({_line(error)})"
    time.sleep(SETTLES_S)
    doubles = ground.far.doubles()
    if not trouble and doubles:
        trouble = f"said twice: {', '.join(doubles)}"
    if not trouble and outcome.page_s is not None and outcome.page_s > SLOWEST_PAGE_S:
        trouble = f"the page took {outcome.page_s:.0f} s"
    return Row(fault.name, outcome.seen, outcome.page_s, doubles, trouble, time.monotonic() - began)


def _line(error: BaseException) -> str:
    """Where it was asserted."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
