"""What a measurement is and how it is told: medians, extremes, ratios. Knows nothing of what was measured."""

from __future__ import annotations

import math
import statistics
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

WIDTH = 118
TAIL = 20  # of fewer values a p95 would be their greatest


@dataclass(frozen=True)
class Sample:
    """The values of one thing that was measured, at least one, all in `unit`."""

    name: str
    values: tuple[float, ...]
    unit: str

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def told(self) -> str:
        """`12.3 ms (11 to 15)`, of twenty or more with their p95; a single value stands alone."""
        median = f"{number(self.median)} {self.unit}"
        if len(self.values) == 1:
            return median
        p95 = f", p95 {number(self.p95)}" if len(self.values) >= TAIL else ""
        return f"{median} ({number(min(self.values))} to {number(max(self.values))}{p95})"

    @property
    def p95(self) -> float:
        """The smallest value that 95 % of them do not exceed."""
        return sorted(self.values)[math.ceil(0.95 * len(self.values)) - 1]


@dataclass(frozen=True)
class Figure:
    """A sample beside its baseline, which was measured in the same run and in the same unit."""

    measured: Sample
    baseline: Sample

    @property
    def ratio(self) -> float:
        """The medians, measured ÷ baseline; infinite beside a baseline of nothing."""
        return self.measured.median / self.baseline.median if self.baseline.median else float("inf")


@dataclass(frozen=True)
class Section:
    """What was measured together. `how` says so in words."""

    title: str
    how: str
    figures: tuple[Figure, ...]

    def lines(self) -> Iterator[str]:
        """The section as Markdown."""
        yield from (f"## {self.title}", "", *textwrap.wrap(self.how, WIDTH), "")
        yield "| Measured | median (min to max) | Baseline | median (min to max) | Ratio |"
        yield "| --- | --- | --- | --- | --- |"
        for figure in self.figures:
            measured, baseline = figure.measured, figure.baseline
            ratio = number(figure.ratio)
            yield f"| {measured.name} | {measured.told} | {baseline.name} | {baseline.told} | {ratio} |"


def number(value: float) -> str:
    """Three digits that count; whole numbers from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def timed(
    name: str, act: Callable[[], object], times: int, clock: Callable[[], float] = time.perf_counter
) -> Sample:
    """How long `act` takes in ms, each of so many times, after one that does not count."""
    act()
    return Sample(name, tuple(seconds(act, clock) * 1000 for _ in range(times)), "ms")


def seconds(act: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long `act` takes once."""
    began = clock()
    act()
    return clock() - began
