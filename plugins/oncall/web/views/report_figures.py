"""The charts of one report, each with the table behind it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from markupsafe import Markup

from oncall.core.data.report_words import chart_label
from oncall.core.data.usual_range import UsualRange
from oncall.core.time_format import TimeFormat, day, weekday
from oncall.web.views.charts import HEIGHT, Canvas, Drawing, Series, drawable, lane
from oncall.web.views.report_layouts import Figure
from oncall.web.views.report_models import ReportDayView
from oncall.web.views.reports import ReportRead, amount_words, marks, usual_words

SMALL = 96  # pixels
MOST_FIGURES = 24
KINDS = ("held", "missing", "late", "stale", "restated", "released")
_TICKS = 6  # of 60 days


@dataclass(frozen=True)
class DayRow:
    """One day in the table behind a chart. `marks`: what is to be known of it."""

    date: str
    cells: tuple[str, ...]
    usual: str
    marks: str


@dataclass(frozen=True)
class FigureView:
    """One chart. `legend`: the name and the class of each line or bar; `odd`: numbers that cannot be drawn.

    `per`: what each of its numbers is of.
    """

    title: str
    id: str
    drawing: Drawing
    legend: tuple[tuple[str, str], ...]
    lanes: tuple[tuple[str, Markup], ...]
    ticks: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[DayRow, ...]
    banded: str
    small: bool
    newest: str
    odd: int
    per: str = "Day"


def figures(
    say: TimeFormat, read: ReportRead, days: Sequence[ReportDayView]
) -> tuple[tuple[FigureView, ...], bool]:
    """The charts of the report, MOST_FIGURES at most; whether there are more."""
    made = tuple(islice(_figures(say, read, days), MOST_FIGURES + 1))
    return made[:MOST_FIGURES], len(made) > MOST_FIGURES


def sparkline(say: TimeFormat, read: ReportRead, days: Sequence[ReportDayView]) -> FigureView | None:
    """The number by which the report is known, small; None where it has one for each variant, or none."""
    column = read.layout.headline
    if read.numbers.key_columns or not column:
        return None
    figure = Figure(column.replace("_", " ").capitalize(), (column,), banded=column, small=True)
    return _figure(say, read, days, figure, (), 0)


def _figures(say: TimeFormat, read: ReportRead, days: Sequence[ReportDayView]) -> Iterator[FigureView]:
    number = 0
    for key in read.keys or ((),):
        for figure in read.layout.figures:
            if figure.kind == "interval" and not read.amounts(key, figure.columns[0]):
                continue  # control has no difference from itself
            yield _figure(say, read, days, figure, key, number)
            number += 1


def _figure(
    say: TimeFormat,
    read: ReportRead,
    days: Sequence[ReportDayView],
    figure: Figure,
    key: tuple[str, ...],
    number: int,
) -> FigureView:
    rows, columns = read.rows(key), (*figure.columns, *figure.below)
    texts = {
        name: [rows[date].numbers.get(name) if date in rows else None for date in read.dates]
        for name in columns
    }
    amounts = {name: [drawable(text) for text in texts[name]] for name in columns}
    usual = read.usual(key, figure.banded) if figure.banded in read.numbers.columns else [None] * len(days)
    said = [marks(say, one) for one in days]
    cells = [tuple(amount_words(texts[name][n]) for name in columns) for n in range(len(days))]
    spoken = [
        _words(one, columns, cells[n], usual[n], said[n].values(), figure) for n, one in enumerate(days)
    ]
    title = " · ".join([*key, figure.title]) if key else figure.title
    canvas = Canvas(
        spoken,
        [bool(words) for words in said],
        chart_label(title, day(read.dates[0]), day(read.dates[-1])),
        SMALL if figure.small else HEIGHT,
        figure.percent,
    )
    there = [one for one in range(len(days)) if any(amounts[name][one] is not None for name in columns)]
    return FigureView(
        title=title,
        id=f"figure-{number}",
        drawing=_drawing(canvas, figure, amounts, usual),
        legend=_legend(figure),
        lanes=()
        if figure.small
        else tuple(
            (kind, lane(kind, [f"{weekday(one.report_date)}: {words[kind]}" if kind in words else ""
                               for one, words in zip(days, said, strict=True)], f"{title}: days {kind}"))
            for kind in KINDS
            if any(kind in words for words in said)
        ),
        ticks=tuple(day(date) for date in read.dates[:: len(read.dates) // _TICKS]),
        columns=columns,
        rows=tuple(
            DayRow(
                weekday(day.report_date),
                cells[n],
                usual_words(usual[n], percent=figure.percent) if usual[n] else "",
                "; ".join(said[n].values()),
            )
            for n, day in reversed(list(enumerate(days)))
        ),
        banded=figure.banded if any(usual) else "",
        small=figure.small,
        newest=f"{weekday(days[there[-1]].report_date)}: {cells[there[-1]][0]}" if there else "",
        odd=sum(texts[name][n] is not None and amounts[name][n] is None for name in columns for n in range(len(days))),
    )  # fmt: skip


def _drawing(
    canvas: Canvas, figure: Figure, amounts: dict[str, list[float | None]], usual: Sequence[UsualRange | None]
) -> Drawing:
    series = [Series(name, amounts[name]) for name in figure.columns]
    band = [(there.low, there.high) if there else None for there in usual]
    if figure.kind == "stacked":
        return canvas.stacked(series, [Series(name, amounts[name]) for name in figure.below], band)
    if figure.kind == "interval":
        middle, low, high = series
        ends = [
            (one, other) if one is not None and other is not None else None
            for one, other in zip(low.amounts, high.amounts, strict=True)
        ]
        return canvas.interval(middle, ends)
    return canvas.lines(series, band)


def _legend(figure: Figure) -> tuple[tuple[str, str], ...]:
    kind = "bar" if figure.kind == "stacked" else "line"
    names = figure.columns[:1] if figure.kind == "interval" else (*figure.columns, *figure.below)
    found = [(name.replace("_", " "), f"{kind} s{n}") for n, name in enumerate(names)]
    if figure.kind == "interval":
        found.append(("95 % interval, on all days at once", "interval"))
    return tuple(found) if len(found) > 1 else ()


def _words(
    row: ReportDayView,
    columns: Sequence[str],
    cells: Sequence[str],
    usual: UsualRange | None,
    said: Iterable[str],
    figure: Figure,
) -> str:
    """What is shown of a day when it is pointed at."""
    numbers = [f"{name.replace('_', ' ')} {cell}" for name, cell in zip(columns, cells, strict=True)]
    range_ = (
        [f"{figure.banded.replace('_', ' ')} {usual_words(usual, percent=figure.percent)}"] if usual else []
    )
    return "\n".join([weekday(row.report_date), *numbers, *range_, *said])
