"""Which numbers of a report are drawn together, and what each is made of. Of an unknown report: each alone.

What a number is made of says how far it varies of itself, as `50_usual.sql` of its pipeline tells the check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["lines", "stacked", "interval"]
Unit = tuple[str, str] | None  # the columns to divide; None: one by one


@dataclass(frozen=True)
class Figure:
    """One chart. `below`: columns that are drawn downwards; `banded`: the column whose usual range is drawn behind."""

    title: str
    columns: tuple[str, ...]
    kind: Kind = "lines"
    below: tuple[str, ...] = ()
    banded: str = ""
    percent: bool = False
    small: bool = False

    @property
    def needs(self) -> frozenset[str]:
        return frozenset((*self.columns, *self.below))


@dataclass(frozen=True)
class Layout:
    """How a report is drawn. `headline`: the number by which it is known. `units`: of the numbers made of something."""

    headline: str
    figures: tuple[Figure, ...]
    units: Mapping[str, Unit] = field(default_factory=dict)


WEEKLY, MONTHLY, COHORTS = "investor.weekly_growth", "investor.monthly_growth", "investor.signup_cohorts"
# What a report's pipeline publishes beside it, on some days only.
BESIDE: Mapping[str, tuple[str, ...]] = {"investor.daily_growth": (WEEKLY, MONTHLY, COHORTS)}

_GROWTH = Figure(
    "Growth accounting", ("retained", "resurrected", "new"), "stacked", below=("churned",), banded="active"
)
_EACH = ("new", "retained", "resurrected", "churned")
LAYOUTS = {
    "investor.daily_profit": Layout(
        "profit",
        (
            Figure(
                "Profit with what it is made of",
                ("profit", "revenue", "cost", "refunds", "marketing"),
                banded="profit",
            ),
        ),
        {
            "orders": None,
            "revenue": ("revenue", "orders"),
            "cost": ("cost", "orders"),
            "refunds": ("revenue", "orders"),
        },
    ),
    "investor.daily_engagement": Layout(
        "active_1d",
        (
            Figure("Active customers", ("active_1d", "active_7d", "active_28d"), banded="active_1d"),
            Figure("Stickiness", ("stickiness",), banded="stickiness", percent=True, small=True),
        ),
        {
            "active_1d": None,
            "active_7d": None,
            "active_28d": None,
            "sessions": None,
            "seconds": ("seconds", "sessions"),
        },
    ),
    "investor.daily_growth": Layout("active", (_GROWTH,), {"active": None, **dict.fromkeys(_EACH)}),
    # Whoever looks every day is shown the interval that holds for that.
    "experiments.unit_profit": Layout(
        "diff_from_control",
        (Figure("Difference from control", ("diff_from_control", "cs_low", "cs_high"), "interval"),),
    ),
    "experiments.daily_growth": Layout("active", (_GROWTH,)),
}


def layout_of(report: str, columns: Sequence[str], *, keyed: bool) -> Layout:
    """The figures of a report: those that are known for it, then each other number by itself."""
    known = LAYOUTS.get(report)
    if known is None or not all(figure.needs <= set(columns) for figure in known.figures):
        known = Layout(columns[0] if columns else "", ())
    if keyed and known.figures:
        return known  # each of its experiments and variants has these
    alone = {figure.columns[0] for figure in known.figures if len(figure.columns) == 1}
    rest = tuple(
        Figure(name.replace("_", " ").capitalize(), (name,), banded=name, small=True)
        for name in columns
        if name not in alone and (name != known.headline or not known.figures or known.figures[0] is _GROWTH)
    )
    return Layout(known.headline, (*known.figures, *rest), known.units)
