"""What stands beside a daily report: growth by week and by month, the cohorts of sign-up, an experiment's sample ratio.

Pure: what was read in, charts and tables out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from oncall.core.data.report_words import chart_label, restated
from oncall.core.data.sample_ratio import LEAST_P
from oncall.core.time_format import day, days
from oncall.usecases.report_numbers import ReportNumbers, ReportRow
from oncall.web.views.charts import Canvas, Series, drawable
from oncall.web.views.report_figures import DayRow, FigureView
from oncall.web.views.report_layouts import COHORTS, MONTHLY, WEEKLY
from oncall.web.views.reports import amount_words

WEEKS, MONTHS, COHORTS_SHOWN = 24, 12, 12
LOOK_BACK_DAYS = 7 * WEEKS + 31 * MONTHS  # what is read of the tables: no period that is shown began before
ABOVE, BELOW, BESIDE = ("retained", "resurrected", "new"), ("churned",), ("active", "quick_ratio")
_SHADES = 4


@dataclass(frozen=True)
class Cell:
    """The share of a cohort that was active in a month. `shade`: how dark, from 0 to 4."""

    words: str = ""
    shade: int = 0


@dataclass(frozen=True)
class Cohort:
    """Who signed up in a month, and which part of them was active in it and in the months after it."""

    name: str
    customers: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class VariantRatio:
    """How many customers are in a variant, and how many were planned. `switched`: those of it who count nowhere."""

    name: str
    n: str
    expected: str
    switched: str


@dataclass(frozen=True)
class ExperimentRatio:
    """The sample ratio of an experiment on its newest published day."""

    experiment: str
    report_date: dt.date
    p: str
    is_as_planned: bool
    variants: tuple[VariantRatio, ...]


def period_figures(read: Mapping[str, ReportNumbers], until: dt.date) -> tuple[FigureView, ...]:
    """Growth accounting by week and by month, of those that are over; nothing of a table that is not there."""
    periods = (
        (WEEKLY, "Growth by week", "Week", list(_weeks(until))),
        (MONTHLY, "Growth by month", "Month", list(_months(until))),
    )
    return tuple(
        _figure(title, unit, read[table], spans)
        for table, title, unit, spans in periods
        if table in read and {*ABOVE, *BELOW} <= set(read[table].columns)
    )


def cohorts(read: Mapping[str, ReportNumbers]) -> tuple[Cohort, ...]:
    """The newest cohorts, the oldest of them first."""
    numbers = read.get(COHORTS, ReportNumbers())
    if numbers.key_columns != ("cohort",) or "months" not in numbers.columns:
        return ()
    by_cohort: dict[str, dict[int, ReportRow]] = {}
    for row in numbers.rows:
        months = drawable(row.numbers.get("months"))
        if months is not None and 0 <= months < MONTHS:
            by_cohort.setdefault(row.key[0], {})[int(months)] = row
    wide = 1 + max((month for rows in by_cohort.values() for month in rows), default=0)
    return tuple(
        Cohort(
            name,
            amount_words(list(rows.values())[-1].numbers.get("customers")),
            tuple(_cell(rows.get(month)) for month in range(wide)),
        )
        for name, rows in sorted(by_cohort.items())[-COHORTS_SHOWN:]
    )


def sample_ratios(numbers: ReportNumbers) -> tuple[ExperimentRatio, ...]:
    """The sample ratio of each experiment on its newest published day; nothing where the report has none."""
    if numbers.key_columns != ("experiment", "variant") or "sample_ratio_p" not in numbers.columns:
        return ()
    rows = sorted(numbers.rows, key=lambda row: row.key)
    return tuple(
        _ratio(experiment, list(group)) for experiment, group in groupby(rows, key=lambda row: row.key[0])
    )


def _ratio(experiment: str, rows: Sequence[ReportRow]) -> ExperimentRatio:
    newest = max(row.report_date for row in rows)
    found = [row for row in rows if row.report_date == newest]
    p = next((row.numbers["sample_ratio_p"] for row in found if row.numbers.get("sample_ratio_p")), None)
    amount = drawable(p)
    return ExperimentRatio(
        experiment,
        newest,
        "–" if amount is None else f"{amount:.2g}",
        amount is None or amount >= LEAST_P,
        tuple(
            VariantRatio(
                row.key[1], *(_whole(row.numbers.get(name)) for name in ("n", "expected_n", "switched"))
            )
            for row in found
        ),
    )


def _whole(text: str | None) -> str:
    """A number of customers; of planned ones a tenth as well."""
    amount = drawable(text)
    return amount_words(text if amount is None else f"{amount:.1f}".removesuffix(".0"))


def _cell(row: ReportRow | None) -> Cell:
    share = drawable(row.numbers.get("retained_share")) if row else None
    if share is None:
        return Cell(amount_words(row.numbers.get("retained_share")) if row else "")
    return Cell(f"{share * 100:.1f} %", min(_SHADES, max(0, round(share * _SHADES + 0.3))))


def _weeks(until: dt.date) -> Iterator[tuple[dt.date, dt.date]]:
    last = until - dt.timedelta(days=until.isoweekday() % 7)
    for ago in range(WEEKS - 1, -1, -1):
        sunday = last - dt.timedelta(days=7 * ago)
        yield sunday - dt.timedelta(days=6), sunday


def _months(until: dt.date) -> Iterator[tuple[dt.date, dt.date]]:
    """Those that are over, the oldest first."""
    found = []
    end = until if (until + dt.timedelta(days=1)).day == 1 else until.replace(day=1) - dt.timedelta(days=1)
    for _ in range(MONTHS):
        found.append((end.replace(day=1), end))
        end = end.replace(day=1) - dt.timedelta(days=1)
    return reversed(found)


def _figure(
    title: str, unit: str, numbers: ReportNumbers, spans: Sequence[tuple[dt.date, dt.date]]
) -> FigureView:
    rows = {row.report_date: row for row in numbers.rows}
    columns = [name for name in (*ABOVE, *BELOW, *BESIDE) if name in numbers.columns]
    names = [f"{first:%b %Y}" if unit == "Month" else f"{days(first, last)}" for first, last in spans]
    changed = [numbers.restated.get(last, 0) for _, last in spans]
    texts = {
        name: [rows[last].numbers.get(name) if last in rows else None for _, last in spans]
        for name in columns
    }
    drawn = {name: [drawable(text) for text in texts[name]] for name in (*ABOVE, *BELOW)}
    cells = [tuple(amount_words(texts[name][n]) for name in columns) for n in range(len(spans))]
    marks = [restated(count) if count else "" for count in changed]
    said = [
        [f"{name.replace('_', ' ')} {cell}" for name, cell in zip(columns, row, strict=True)] for row in cells
    ]
    spoken = ["\n".join([name, *words]) for name, words in zip(names, said, strict=True)]
    label = chart_label(title, names[0], names[-1])
    canvas = Canvas(spoken, [bool(mark) for mark in marks], label)
    return FigureView(
        title=title,
        id=f"figure-{unit.lower()}",
        drawing=canvas.stacked(
            [Series(name, drawn[name]) for name in ABOVE], [Series(name, drawn[name]) for name in BELOW]
        ),
        legend=tuple((name, f"bar s{n}") for n, name in enumerate((*ABOVE, *BELOW))),
        lanes=(),
        ticks=tuple(
            f"{first:%b}" if unit == "Month" else day(first) for first, _ in spans[:: max(1, len(spans) // 6)]
        ),
        columns=tuple(columns),
        rows=tuple(DayRow(names[n], cells[n], "", marks[n]) for n in reversed(range(len(spans)))),
        banded="",
        small=False,
        newest="",
        odd=sum(texts[name][n] is not None and drawn[name][n] is None for name in drawn for n in range(len(spans))),
        per=unit,
    )  # fmt: skip
