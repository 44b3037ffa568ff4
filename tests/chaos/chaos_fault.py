"""What a fault is, and the list of all faults, in groups; it fills as the modules beside it are read.

To add one, write a function in the `faults_…` module that fits (a new module is named in `test_chaos.py`):

    @fault(
        "warehouse frozen at due",                      # what is broken
        group="databases",                              # a key of GROUPS; each group takes about ten minutes
        heard="P1 to the primary: cannot tell",         # what must be heard, and by whom
        within_s=60,                                    # from due, or from the far side's return, to the page
        doubles=False,                                  # whether something may be said twice
    )
    def warehouse_frozen(ground: Ground) -> Outcome:    # how it is broken, and the proof that it was heard
        promised = ground.promise()                     # due in 17 s, known to the watcher before
        ground.until(promised.due, before_s=3)
        ground.freeze("warehouse")                      # Ground has the verbs; `mend` undoes them all
        return ground.paged(promised, "cannot tell")    # asserts priority, person, words, "not before due"

An assertion that fails is the fault's verdict in docs/FAULTS.md. What is left broken is mended before the next fault.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.chaos.chaos_ground import Ground
from tests.chaos.chaos_outcome import Outcome

Act = Callable[[Ground], Outcome]

# A group's name; all: every fault; full: every fault, and outages as long as on a bad night; short: one of each kind.
CHOICE = os.environ.get("CHAOS") or "short"

GROUPS = {
    "pipelines": "a pipeline or what is upstream of it",
    "people": "who is away, who takes over when, what hands do in Airflow and to the roster",
    "opsgenie": "the pager, alone or with the chat",
    "slack": "the chat",
    "clocks": "instants at an edge, and clocks that are wrong",
    "databases": "the warehouse and oncall_db",
    "airflow": "Airflow's own processes",
}
ON_CALL = "P1 to the person on call"
AT_ONCE_S = 60.0


@dataclass(frozen=True)
class Fault:
    """`act` makes the fault on calm ground and asserts what the far side received. `short`: part of `make test-stack`.

    `airflow`: whether Airflow's processes have to run at its beginning. The other fields: see above.
    """

    name: str
    group: str
    act: Act
    heard: str = ON_CALL
    within_s: float = AT_ONCE_S
    doubles: bool = False
    short: bool = False
    airflow: bool = True


FAULTS: list[Fault] = []


def fault(name: str, *, group: str, **more: Any) -> Callable[[Act], Act]:
    """Enter a function in the list of faults, in the order in which they stand. `more`: other fields of `Fault`."""

    def enter(act: Act) -> Act:
        FAULTS.append(Fault(name, group, act, **more))
        return act

    return enter


def chosen(choice: str) -> list[Fault]:
    """The faults of a choice, group by group; what needs none of Airflow comes last of its group.

    Raises ValueError, naming what may be chosen.
    """
    if choice not in (*GROUPS, "all", "full", "short"):
        raise ValueError(f"CHAOS={choice}: write one of {', '.join(GROUPS)}, all, full, short")
    picked = [
        each for each in FAULTS if choice in (each.group, "all", "full") or (choice == "short" and each.short)
    ]
    names = list(GROUPS)
    return sorted(picked, key=lambda each: (names.index(each.group), not each.airflow))
