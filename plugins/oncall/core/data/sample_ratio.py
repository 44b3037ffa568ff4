"""Whether as many customers are in each variant of an experiment as were planned; the p is reckoned elsewhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

# Of a hundred experiments with the planned shares at most one is held, on all their days together: p is valid however
# often one looks. (A chi-square test at 0.001 every day holds two of a hundred within a year.)
LEAST_P = 0.01


@dataclass(frozen=True)
class SampleRatio:
    """An experiment's customers: (variant, how many, how many expected), and the p of it.

    As a number it is how many are in a wrong variant.
    """

    experiment: str
    variants: tuple[tuple[str, int, float], ...]
    p: float

    @property
    def name(self) -> str:
        return f"sample_ratio_of_{self.experiment}"

    @property
    def check(self) -> str:
        return f"{self.name}_is_usual"

    @property
    def amount(self) -> float:
        return sum(abs(n - expected) for _, n, expected in self.variants) / 2

    def is_far_off(self, *, may_be_quiet: bool = False) -> bool:
        """Whether chance does not make it of the planned shares."""
        return self.p < LEAST_P

    def usual_words(self, day: dt.date) -> str:
        """What was planned, for people."""
        planned = ", ".join(f"{variant} {expected:,.1f}" for variant, _, expected in self.variants)
        return f"{planned}, as planned, give or take what chance makes (p of {LEAST_P} or more)"

    def found_words(self) -> str:
        """How many customers are in each variant, and p."""
        found = ", ".join(f"{variant} {n:,}" for variant, n, _ in self.variants)
        return f"{found}: p {f'{self.p:.2g}' if self.p >= 1e-9 else 'below 0.000000001'}"


def sample_ratios_of(rows: Sequence[tuple[Any, ...]]) -> list[SampleRatio]:
    """From rows of (experiment, variant, n, expected, p), those of an experiment beside each other."""
    found = []
    for experiment, group in groupby(rows, key=lambda row: str(row[0])):
        told = list(group)
        variants = tuple((str(variant), int(n), float(expected)) for _, variant, n, expected, _ in told)
        found.append(SampleRatio(experiment, variants, min(float(row[4]) for row in told)))
    return found
