"""Rows that only together look wrong, such as those that came twice under new keys: each for itself may be true, and
only a person can tell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What a person has once said to be true is this shop's way: so many times as many are ordinary on other days.
_AS_SAID = 1.5


@dataclass(frozen=True)
class OddRows:
    """`odd` of `of_all` are as `what` says; up to `ordinary` in 100 is nothing.

    As a number it is how many in 100.
    """

    name: str
    what: str
    odd: int
    of_all: int
    where: str
    ordinary: float

    @property
    def check(self) -> str:
        return self.name

    @property
    def amount(self) -> float:
        return 100 * self.odd / self.of_all if self.of_all else 0.0

    def is_far_off(self, *, may_be_quiet: bool = False) -> bool:
        """Whether somebody should look before it is published."""
        return self.amount > self.ordinary

    def usual_words(self, day: dt.date) -> str:
        """What is ordinary, for people."""
        return f"at most {min(self.ordinary, 100.0):.3g} in 100 {self.what}"

    def found_words(self) -> str:
        """How many are so, where, and the key of one."""
        return f"{self.odd:,} of {self.of_all:,} {self.where}".rstrip()


def odd_rows_of(rows: Sequence[tuple[Any, ...]], said: Mapping[str, float]) -> list[OddRows]:
    """From rows of (name, what, odd, of all, where, ordinary). `said`: how many in 100 a person let pass lately."""
    return [
        OddRows(
            name, what, int(odd), int(of_all), where or "",
            max(float(ordinary), _AS_SAID * said.get(name, 0.0)),
        )
        for name, what, odd, of_all, where, ordinary in rows
    ]  # fmt: skip
