"""Charts as SVG: numbers by day in, shapes out. Knows geometry and no report; the stylesheet has colours and dashes.

The plot is as wide as its place: shapes stretch, strokes do not, and whatever is text stands outside. The amounts of
the scale have a drawing of their own beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT, PAD = 1000.0, 192, 9
AXIS_WIDTH = 56
MOST = 1e18  # larger amounts are told, not drawn: beside them everything else is a flat line
LEAST = 1e-9  # what is all smaller is drawn as nothing
_LINES_WANTED = 4

Amounts = Sequence[float | None]
Band = Sequence[tuple[float, float] | None]  # from where to where, of each day
Scale = Callable[[float], float]  # where an amount lies, in pixels from the top


@dataclass(frozen=True)
class Series:
    """One amount a day; None: none, or none that can be drawn."""

    name: str
    amounts: Amounts


@dataclass(frozen=True)
class Drawing:
    """A plot and the amounts beside it; false when there is nothing to draw."""

    plot: Markup
    axis: Markup

    def __bool__(self) -> bool:
        return bool(self.plot)


@dataclass(frozen=True)
class Canvas:
    """What every plot has: a place for each day and a scale that begins or ends at zero.

    `words` of each day are shown when it is pointed at; `marked` days have a strip behind them; `tall` is in pixels.
    """

    words: Sequence[str]
    marked: Sequence[bool]
    label: str
    tall: int = HEIGHT
    percent: bool = False

    def lines(self, series: Sequence[Series], band: Band = ()) -> Drawing:
        """Lines over the days, the first one over the others; a day without an amount is a gap."""
        amounts = [each for one in series for each in one.amounts]
        return self._drawn(
            [*amounts, *_edges(band)],
            lambda y: [
                self._band(band, y),
                *(self._line(one, n, y) for n, one in reversed(list(enumerate(series)))),
            ],
        )

    def stacked(self, above: Sequence[Series], below: Sequence[Series], band: Band = ()) -> Drawing:
        """Bars upwards from zero, one on top of the other, and downwards."""
        ups, downs = _stack(above, 1.0), _stack(below, -1.0)
        ends = [edge for bars in (*ups, *downs) for bar in bars if bar for edge in bar]
        bars = [(n, each) for n, each in enumerate([*ups, *downs])]
        return self._drawn(
            [*ends, *_edges(band)],
            lambda y: [self._band(band, y), *(self._bars(each, n, y) for n, each in bars)],
        )

    def interval(self, middle: Series, interval: Band) -> Drawing:
        """A line within its interval, against zero."""
        return self._drawn(
            [*middle.amounts, *_edges(interval)],
            lambda y: [self._band(interval, y, "interval"), self._line(middle, 0, y)],
        )

    def _drawn(self, amounts: Iterable[float | None], shapes: Callable[[Scale], list[Markup]]) -> Drawing:
        there = [amount for amount in amounts if amount is not None]
        if not there:
            return Drawing(Markup(), Markup())
        steps = _steps(min(0.0, *there), max(0.0, *there))
        low, high = steps[0], steps[-1]

        def y(amount: float) -> float:
            return PAD + (high - amount) / (high - low) * (self.tall - 2 * PAD)

        heights = [(step, y(step)) for step in steps]
        grid = Markup().join(
            Markup('<path class="{}" d="M0 {:.1f}H{:.0f}"/>').format(
                "zero" if not step else "grid", at, WIDTH
            )
            for step, at in heights
        )
        behind, *before = shapes(y)  # where zero is must be seen through what is usual
        body = Markup().join([self._strips(), behind, grid, *before, self._titles()])
        plot = Markup(
            '<svg class="plot" viewBox="0 0 {:.0f} {}" preserveAspectRatio="none" width="100%" height="{}"'
            ' role="img" aria-label="{}">{}</svg>'
        ).format(WIDTH, self.tall, self.tall, self.label, body)
        marks = Markup().join(
            Markup('<text x="{}" y="{:.1f}">{}</text>').format(
                AXIS_WIDTH - 6, at + 4, compact(step, percent=self.percent)
            )
            for step, at in heights
        )
        axis = Markup('<svg class="axis" width="{}" height="{}" aria-hidden="true">{}</svg>').format(
            AXIS_WIDTH, self.tall, marks
        )
        return Drawing(plot, axis)

    @property
    def _wide(self) -> float:
        return WIDTH / max(1, len(self.words))

    def _line(self, series: Series, number: int, y: Scale) -> Markup:
        path, pen_down = [], False
        for n, amount in enumerate(series.amounts):
            if amount is None:
                pen_down = False
                continue
            at = f"{(n + 0.5) * self._wide:.1f} {y(amount):.1f}"
            path.append(f"L{at}" if pen_down else f"M{at}h0")  # a day alone is a dot
            pen_down = True
        return Markup('<path class="line s{}" d="{}"/>').format(number, " ".join(path))

    def _band(self, band: Band, y: Scale, kind: str = "band") -> Markup:
        return self._boxes(kind, [(y(each[1]), y(each[0])) if each else None for each in band], 1.0)

    def _bars(self, bars: Band, number: int, y: Scale) -> Markup:
        ends = [(min(y(bar[0]), y(bar[1])), max(y(bar[0]), y(bar[1]))) if bar else None for bar in bars]
        return self._boxes(f"bar s{number}", ends, 0.6)  # what is usual is seen between them

    def _strips(self) -> Markup:
        return self._boxes("strip", [(0.0, float(self.tall)) if each else None for each in self.marked], 1.0)

    def _boxes(self, kind: str, boxes: Band, share: float) -> Markup:
        """One box a day from its top to its bottom, `share` of the day wide."""
        path = "".join(
            f"M{(n + 0.5 - share / 2) * self._wide:.1f} {box[0]:.1f}h{share * self._wide:.1f}V{box[1]:.1f}"
            f"h{-share * self._wide:.1f}z"
            for n, box in enumerate(boxes)
            if box
        )
        return Markup('<path class="{}" d="{}"/>').format(kind, path) if path else Markup()

    def _titles(self) -> Markup:
        return Markup().join(
            Markup(
                '<rect class="day" x="{:.1f}" y="0" width="{:.1f}" height="{}"><title>{}</title></rect>'
            ).format(n * self._wide, self._wide, self.tall, words)
            for n, words in enumerate(self.words)
        )


def lane(kind: str, marks: Sequence[str], label: str) -> Markup:
    """A line of marks below a plot: one a day where there are words for it, which say what they are of."""
    wide = WIDTH / max(1, len(marks))
    boxes = Markup().join(
        Markup(
            '<rect class="mark {}" x="{:.1f}" y="1" width="{:.1f}" height="10"><title>{}</title></rect>'
        ).format(kind, n * wide + 1, wide - 2, words)
        for n, words in enumerate(marks)
        if words
    )
    return Markup(
        '<svg class="lane" viewBox="0 0 {:.0f} 12" preserveAspectRatio="none" width="100%" height="12" role="img"'
        ' aria-label="{}">{}</svg>'
    ).format(WIDTH, label, boxes)


def drawable(text: str | None) -> float | None:
    """The number as an amount to draw; None for none, for NaN and infinity, and for what is larger than MOST."""
    try:
        amount = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return amount if abs(amount) <= MOST else None


def compact(amount: float, *, percent: bool = False) -> str:
    """As short as the side of a chart is narrow: 12.5k, 3M, 0.05, 40 %."""
    if percent:
        return f"{_trimmed(amount * 100)} %"
    for name, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(amount) >= size:
            return f"{amount / size:.0e}{name}" if abs(amount) >= 1e15 else f"{_trimmed(amount / size)}{name}"
    return _trimmed(amount)


def _trimmed(amount: float) -> str:
    """Four digits of an amount below a thousand, two of a small one."""
    if 0 < abs(amount) < 1e-4:
        return f"{amount:.0e}"
    return f"{amount + 0.0:.{4 if abs(amount) >= 0.1 else 2}g}".replace("-", "−")


def _edges(band: Band) -> list[float]:
    return [edge for each in band if each for edge in each]


def _stack(series: Sequence[Series], sign: float) -> list[list[tuple[float, float] | None]]:
    """From where to where each bar of each day goes; what is below nothing stands on the other side."""
    if not series:
        return []
    tops = [[0.0, 0.0] for _ in series[0].amounts]  # of a day: how far up, how far down
    stacks = []
    for mark in series:
        bars: list[tuple[float, float] | None] = []
        for n, amount in enumerate(mark.amounts):
            if not amount:
                bars.append(None)
                continue
            side = 0 if amount * sign > 0 else 1
            start = tops[n][side]
            tops[n][side] = start + amount * sign
            bars.append((start, tops[n][side]))
        stacks.append(bars)
    return stacks


def _steps(low: float, high: float) -> list[float]:
    """Round amounts from at most `low` to at least `high`, about evenly many whatever lies between."""
    if high - low < LEAST:
        high = low + 1
    rough = (high - low) / _LINES_WANTED
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * times for times in (1, 2, 2.5, 5, 10) if power * times >= rough * 0.999), power * 10)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, last + 1)]
