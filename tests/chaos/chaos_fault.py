"""What a fault is: a name, what is done, and what must be seen; the list fills as the modules beside it are read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from chaos_ground import Ground
from chaos_outcome import Outcome

Act = Callable[[Ground], Outcome]

# short: some faults, brief outages; all: every fault; full: every fault, and outages as long as on a bad night.
MODE = os.environ.get("CHAOS", "short")


@dataclass(frozen=True)
class Fault:
    """`act` makes the fault on calm ground and asserts what the far side received. `short`: part of `make test`.

    `airflow`: whether Airflow's processes have to run at its beginning.
    """

    name: str
    act: Act
    short: bool
    airflow: bool


FAULTS: list[Fault] = []


def fault(name: str, *, short: bool = False, airflow: bool = True) -> Callable[[Act], Act]:
    """Enter a function in the list of faults, in the order in which they stand."""

    def enter(act: Act) -> Act:
        FAULTS.append(Fault(name, act, short, airflow))
        return act

    return enter
