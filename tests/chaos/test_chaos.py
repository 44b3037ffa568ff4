"""Every fault, alone, on real processes: the page still comes, once, to the right person.

`make test-stack` runs the short ones. `make chaos` (CHAOS=all) runs all, `make chaos CHAOS=databases` a group in about
ten minutes; whatever group ran to its end is written anew in docs/FAULTS.md. With CHAOS=full the far sides stay away
as long as on a bad night. How to add a fault: chaos_fault.py.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from sandbox.stack.environment import REPOSITORY
from tests.chaos import (
    faults_by_hand,  # noqa: F401 - reading them enters their faults
    faults_in_airflow,  # noqa: F401
    faults_in_channels,  # noqa: F401
    faults_in_clocks,  # noqa: F401
    faults_in_databases,  # noqa: F401
    faults_in_people,  # noqa: F401
    faults_in_pipelines,  # noqa: F401
)
from tests.chaos.chaos_fault import CHOICE, FAULTS, GROUPS, Fault, chosen
from tests.chaos.chaos_ground import SETTLES_S, Ground
from tests.chaos.chaos_outcome import Outcome, Row, document

try:
    CHOSEN = chosen(CHOICE)
except ValueError as error:
    pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
PAGE = REPOSITORY / "docs" / "FAULTS.md"
pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def rows() -> Iterator[list[Row]]:
    """What became of each fault; a group is written down when all of it has run."""
    rows: list[Row] = []
    yield rows
    ran, all_of = Counter(row.group for row in rows), Counter(each.group for each in FAULTS)
    whole = [row for row in rows if ran[row.group] == all_of[row.group]]
    if whole:
        PAGE.write_text(document(PAGE.read_text(encoding="utf-8"), whole, GROUPS), encoding="utf-8")


@pytest.mark.parametrize("fault", CHOSEN, ids=lambda each: each.name.replace("`", ""))
def test_the_page_still_comes_once(
    fault: Fault, ground: Ground, rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is lost, late, doubled or said to the wrong person is the fault's name in red."""
    row = one(fault, ground)
    rows.append(row)
    with capsys.disabled():
        print(f"\n{row.as_line()}", flush=True)
    assert not row.trouble, f"{row.trouble}\n{ground.far.transcript()}"


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
    if not trouble and doubles and not fault.doubles:
        trouble = f"said twice: {', '.join(doubles)}"
    if not trouble and outcome.page_s is not None and outcome.page_s > fault.within_s:
        trouble = f"the page took {outcome.page_s:.0f} s, not {fault.within_s:.0f} s"
    took_s = time.monotonic() - began
    return Row(fault.name, fault.group, fault.heard, outcome.seen, outcome.page_s, doubles, trouble, took_s)


def _line(error: BaseException) -> str:
    """Where it was asserted."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
