"""What a daily number is expected to be, from the days before: the weekday, the recent level, and the usual spread."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, groupby
from statistics import median

from oncall.core.promises.facts import IMPROBABLE, rarity

# Nine weeks: enough for the same weekday to be seen eight times, and for the level before it.
WINDOW_DAYS = 63
WEEK = 7
_LEAST_FOR_A_LEVEL = 4
_LEAST_FOR_A_WEEKDAY = 2
_LEAST_FOR_A_SPREAD = 7
_NORMAL = 1.4826  # times the median absolute deviation is the standard deviation of a normal distribution
_LEAST_SPREAD = 0.07  # nobody's days are more alike than this, however alike a few of them were
_UNKNOWN_SPREAD = 0.1
# Of a weekday that was never seen, or once: a quarter, and half, of what the others are may be all there is.
_OF_A_LOAD = (0.3, 0.16, 0.0)
_SALE = 1.25  # times what is usual: beside such a day an ordinary one could be taken for a thin one
_ALIKE = 1.15  # a level that is no more than so many times the one without sales is that of no sale
_LONGEST_SALE = 28  # days

Days = Sequence[tuple[int, float]]  # (days ago, how much), the newest first


@dataclass(frozen=True)
class Expectation:
    """`amount` is expected, give or take `share` of it (a standard deviation, estimated robustly).

    `weekdays`: how many of the same weekday it rests on. Of fewer than two a quiet Sunday can hardly be told from a
    thin Monday, and of none not at all: then anything from `amount` up to `most` may be expected.
    """

    amount: float
    share: float
    weekdays: int
    most: float

    @property
    def spread(self) -> float:
        return abs(self.amount) * self.share

    @property
    def spread_of_a_load(self) -> float:
        """The same for one that nobody looks at before it counts: more, while the weekday is not known."""
        return max(self.spread, abs(self.amount) * _OF_A_LOAD[min(self.weekdays, _LEAST_FOR_A_WEEKDAY)])

    @property
    def knows_weekday(self) -> bool:
        return self.weekdays >= _LEAST_FOR_A_WEEKDAY

    def nearest(self, found: float) -> Expectation:
        """Of what may be expected, what is nearest to `found`."""
        return replace(self, amount=min(max(found, self.amount), self.most))

    def unusual(self, found: float, noise: float = 0.0) -> float:
        """By how many spreads `found` is off (below: negative); `noise` is a spread that it has at least."""
        spread = max(self.spread, noise)
        return (found - self.amount) / spread if spread else 0.0


def expect(history: Days) -> Expectation | None:
    """Expect the day that the history leads to: (days ago, amount), the newest first; None: nobody can say.

    The level is the median of the last seven, so growth and decline are followed within days. A weekday is how the
    days of that name stood to the level before them, so a quiet Sunday is expected to be quiet. Medians throughout:
    one wrong day among them changes nothing. During a sale, and while the level is still that of one, the day may as
    well be one after it: anything between is expected.
    """
    if not history:
        return None
    if len(history) >= _LEAST_TO_COMPARE and not median(amount for _, amount in history):
        return _of_its_weekday_alone(history)
    closed = _closed(history)
    ordinary = _without_sales(history, closed)
    stood, usual = _by_weekday(ordinary, closed)
    level = median(amount for _, amount in history[:WEEK])
    lowest = median(amount for _, amount in ordinary[:WEEK])
    if level <= _ALIKE * lowest:
        lowest = level
    same = [earlier for ago, earlier in ordinary if ago % WEEK == 0]
    weekdays = sum(ago % WEEK == 0 for ago, _ in stood)
    if weekdays >= _LEAST_FOR_A_WEEKDAY:
        amount, most = lowest * usual[0], max(level, _before_a_lull(ordinary)) * usual[0]
    else:
        amount, most = (edge((lowest, level, *same)) for edge in (min, max))
        weekdays = min(len(same), 1)
    # Two of a name differ by the root of two spreads, whatever is usual of them.
    off = [
        abs(ratio - other) / usual[weekday] / math.sqrt(2)
        for weekday, ratios in _ratios(stood).items()
        for ratio, other in combinations(ratios, 2)
        if usual[weekday] > 0
    ]
    if len(off) < _LEAST_FOR_A_SPREAD and stood and (middle := median(ratio for _, ratio in stood)) > 0:
        off = [abs(ratio / middle - 1) for _, ratio in stood]  # whatever the weekday: it is not known yet
    share = _NORMAL * median(off) if len(off) >= _LEAST_FOR_A_SPREAD else _UNKNOWN_SPREAD
    if weekdays >= _LEAST_FOR_A_WEEKDAY:
        # What rests on few of its weekday may itself be off.
        share = max(share, _LEAST_SPREAD) * math.sqrt(1 + 1 / weekdays)
    return Expectation(amount, max(share, _LEAST_SPREAD), weekdays, most)


def _of_its_weekday_alone(history: Days) -> Expectation | None:
    """Where most days have nothing there is no level: refunds that are paid on Mondays, a shop that opens at weekends.

    None until the weekday was seen twice: nobody knows yet on which days there is something.
    """
    same, while_open = (
        [amount for ago, amount in days if ago % WEEK == 0][: _LONGEST_SALE // WEEK]
        for days in (history, _while_open(history))
    )
    if min(len(same), len(while_open)) < _LEAST_FOR_A_WEEKDAY:
        return None
    amount = median(same)
    share = _NORMAL * median(abs(earlier / amount - 1) for earlier in same) if amount else 0.0
    share = max(share, _UNKNOWN_SPREAD) * math.sqrt(1 + 1 / len(same))
    return Expectation(amount, share, len(same), max(amount, median(while_open)))


def _before_a_lull(ordinary: Days) -> float:
    """The highest level of the last four weeks that it was open: a shop that was closed opens again as it was."""
    lately = [amount for _, amount in _while_open(ordinary)[:_LONGEST_SALE]]
    weeks = range(max(len(lately) - WEEK, 0) + 1) if lately else ()
    return max((median(lately[n : n + WEEK]) for n in weeks), default=0.0)


def _while_open(history: Days) -> list[tuple[int, float]]:
    """Without the weeks of nothing at all: they tell nothing of a day on which there is something."""
    runs = [list(days) for _, days in groupby(history, key=lambda day: day[1] > 0)]
    return [day for days in runs if days[0][1] > 0 or len(days) < WEEK for day in days]


def _closed(history: Days) -> frozenset[int]:
    """The days ago of nothing at all on a weekday that mostly has something: holidays that nobody foresaw.

    They tell nothing of the weekday: three of them in a row were taken for Mondays on which a shop is always closed.
    """
    open_days = Counter(ago % WEEK for ago, amount in history if amount)
    all_days = Counter(ago % WEEK for ago, _ in history)
    return frozenset(
        ago for ago, amount in history if not amount and 2 * open_days[ago % WEEK] > all_days[ago % WEEK]
    )


def _without_sales(history: Days, closed: Collection[int] = ()) -> list[tuple[int, float]]:
    """The days that were not far above what was usual then; the newest first, as all of them.

    Far above the last four weeks too: the days after some quiet ones are no sale. What lasts longer than a sale is the
    new level.
    """
    _, usual = _by_weekday(history, closed)
    ordinary: list[tuple[int, float]] = []
    sale: list[tuple[int, float]] = []
    for ago, amount in reversed(history):
        before, weekday = [earlier for _, earlier in ordinary[-_LONGEST_SALE:]], usual.get(ago % WEEK, 1.0)
        if len(before) < WEEK or amount <= _SALE * weekday * max(median(before[-WEEK:]), median(before)):
            ordinary.append((ago, amount))
            continue
        sale.append((ago, amount))
        if len(sale) > _LONGEST_SALE:
            ordinary, sale = sorted([*ordinary, *sale], reverse=True), []
    return ordinary[::-1]


def _by_weekday(history: Days, closed: Collection[int]) -> tuple[Days, Mapping[int, float]]:
    """(days ago, how many times the level of the seven before it) of each day that has enough before it.

    And the usual one of these for each weekday (days ago, modulo a week). `closed` days only lower the level.
    """
    stood = []
    for place, (ago, amount) in enumerate(history):
        if ago in closed:
            continue
        before = [earlier for _, earlier in history[place + 1 : place + 1 + WEEK]]
        if len(before) >= _LEAST_FOR_A_LEVEL and (level := median(before)) > 0:
            stood.append((ago, amount / level))
    return stood, {weekday: _usual_ratio(ratios) for weekday, ratios in _ratios(stood).items()}


def _ratios(stood: Days) -> Mapping[int, Sequence[float]]:
    by_weekday: dict[int, list[float]] = defaultdict(list)
    for ago, ratio in stood:
        by_weekday[ago % WEEK].append(ratio)
    return by_weekday


def _usual_ratio(ratios: Sequence[float]) -> float:
    """The median; of two the one nearer to the level, since either may be of a table's first days."""
    return (
        median(ratios)
        if len(ratios) > _LEAST_FOR_A_WEEKDAY
        else min(ratios, key=lambda ratio: abs(ratio - 1))
    )


# What a report's number must be to be held: this many spreads off, and this many times less or more than expected. A
# Black Friday makes four times as much of an ordinary day.
FAR_SPREADS = 5.0
FAR_TIMES_LESS = 3.0
FAR_TIMES = 5.0  # more; and less, too, while the weekday is not known
_LARGER = 4.0  # a sum of orders, of which some are much larger, varies as one of so many times fewer
_FEW = 10  # of fewer it is chance that a weekday was quieter than the others: as much as on these is expected too
_LEAST_TO_COMPARE = 7  # earlier days: in its first week nobody can say what is usual


@dataclass(frozen=True)
class Number:
    """One number of a report for one day beside the days before it, as `expect` takes them.

    `unit` is the size of one of what it is made of (an order), by which it varies of itself; None: nothing countable.
    """

    name: str
    amount: float
    history: tuple[tuple[int, float], ...]
    unit: float | None = None

    @property
    def check(self) -> str:
        return f"{self.name}_is_usual"

    @cached_property
    def expected(self) -> Expectation | None:
        expected = expect(self.history) if len(self.history) >= _LEAST_TO_COMPARE else None
        if expected and self.unit and expected.amount < _FEW * self.unit:
            level = median(amount for _, amount in self.history[:WEEK])
            expected = replace(expected, most=max(expected.most, level))
        return expected.nearest(self.amount) if expected else None

    @property
    def noise(self) -> float:
        """What chance alone makes of a count, or of a sum of units of which some are much larger than others."""
        expected = self.expected
        if not self.unit or expected is None:
            return 0.0
        larger = 1.0 if self.unit == 1 else _LARGER
        return math.sqrt(larger * max(expected.amount, self.unit) * self.unit)

    def is_far_off(self, *, may_be_quiet: bool = False) -> bool:
        """Whether somebody should look before it is published. `may_be_quiet`: little is ordinary, as on a holiday."""
        expected = self.expected
        if expected is None:
            return False
        spreads = expected.unusual(self.amount, self.noise)
        less = FAR_TIMES_LESS if expected.knows_weekday else FAR_TIMES
        if self.amount >= expected.amount / less:
            return spreads > FAR_SPREADS and self.amount > expected.amount * FAR_TIMES
        # Nothing is no five spreads off where these are a quarter: but of a hundred orders none is no chance either.
        return not may_be_quiet and (spreads < -FAR_SPREADS or self._rarity > IMPROBABLE)

    @property
    def _rarity(self) -> float:
        """How improbable it is that there is no more, as of a load; 0 where nothing is counted."""
        expected = self.expected
        if not self.unit or expected is None:
            return 0.0
        amount, usual, spread = (
            each / self.unit for each in (self.amount, expected.amount, expected.spread_of_a_load)
        )
        return rarity(amount, usual, spread, 1.0 if self.unit == 1 else _LARGER)

    def usual_words(self, day: dt.date) -> str:
        """What is usual on such a day, for people."""
        expected = self.expected
        if expected is None:
            return "nothing yet to compare with"
        spread = max(expected.spread, self.noise)
        weekday = f" on a {day:%A}" if expected.knows_weekday else ""
        return f"about {amount_words(expected.amount)}{weekday}, give or take {amount_words(spread)}"

    def found_words(self) -> str:
        """The number itself, and how many times the usual one it is."""
        expected = self.expected
        if expected is None or expected.amount <= 0:
            return amount_words(self.amount)
        times = self.amount / expected.amount
        return f"{amount_words(self.amount)}, {times:.1f} times the usual"


def amount_words(value: float) -> str:
    """A number for people: without decimals where it is large or has none."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:,.2f}"
