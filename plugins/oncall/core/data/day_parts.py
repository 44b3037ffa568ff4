"""What a day is made of beside the days before: a part that was always there and is missing, or is in another unit, or
one that is rare as a rule and is not today.

A total that looks ordinary may lack a whole country, an hour, or a channel; only its parts show it.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from statistics import median
from typing import Any, Literal, NamedTuple

from oncall.core.data.expectation import WEEK
from oncall.core.data.report_words import parts_found, parts_usual
from oncall.core.promises.facts import IMPROBABLE, rarity

Kind = Literal["rows", "typical", "price", "least", "money", "rare", "again"]

LEAST_DAYS = 7  # before it, of the four weeks that are asked
# Not a fifth is there of the rows that there were at the least; chance leaves so few once in a million such parts.
_MISSING = 5.0
_CHANCE = 1e-6
_LEAST_WEEKDAYS = 3  # of the four that there can be: quiet Sundays tell nothing of a Tuesday
_LEAST_ROWS = 10  # to say what one of them is, as a rule
# What a thing is as a rule (a session's seconds) is so many times out of its range; or only so many times below it
# ("least": a sale may give any discount). Of all parts together less is enough, and of a large one ("price": in a sale
# they are lower; a tax of a fifth makes all of them higher).
_TYPICAL = 4.0
_TOGETHER: Mapping[Kind, float] = {"typical": 1.3, "price": 1.15}
_LARGE, _DEARER = 30, 1.2  # rows, times
# Money spent changes as people please, but not by so many times within a day.
_MONEY = 8.0
# What is rare as a rule is now so much of all, and three times what it was at the most: cancelled orders and gifts, as
# people may decide ("rare"), or what hardly anything but a load that ran again makes many of ("again").
_NOT_RARE: Mapping[Kind, float] = {"rare": 0.15, "again": 0.05}
_TIMES_AS_MANY = 3.0
_HOURS = 24
_CLOCKS = ("orders_by_hour", "sessions_by_hour")  # not touches: a newsletter is sent when somebody sends it
_LEAST_MOVED = 5  # hours: by fewer a day is longer, or begins later
# So much likelier the hours are by another clock (e^12), and by each row.
_MOVED, _MOVED_A_ROW = 12.0, 0.2
_FEW = 20  # of fewer rows a share tells little
_MANY = 200  # of which chance takes no four fifths away
_LEAST_SHARE = 0.02  # of the money, to be missed


class Amount(NamedTuple):
    """How much of one part there was on one day."""

    amount: float
    of_all: float
    rows: int

    @property
    def share(self) -> float:
        return self.amount / self.of_all if self.of_all else float("inf")


NOTHING = Amount(0.0, 1.0, 0)


class OffPart(NamedTuple):
    """A part that is out of its range: found, and the bound that it crosses."""

    part: str
    found: float
    bound: float


@dataclass(frozen=True)
class DayParts:
    """One measure of a day, by part, and the same of the published days before, the newest first.

    `same_weekday` are those of the days before that are of its weekday.
    """

    measure: str
    kind: Kind
    today: Mapping[str, Amount]
    before: Sequence[Mapping[str, Amount]]
    same_weekday: Sequence[Mapping[str, Amount]] = ()
    may_be_nothing: bool = False  # there mostly was nothing of it on such days before

    @property
    def name(self) -> str:
        return self.measure

    @property
    def check(self) -> str:
        return f"{self.measure}_is_usual"

    @property
    def amount(self) -> float:
        return sum(abs(off.bound - off.found) for off in self.off)

    @cached_property
    def off(self) -> list[OffPart]:
        """The parts that are out of their range; none while too few days are known."""
        if len(self.before) < LEAST_DAYS or (self.may_be_nothing and not self.today):
            return []
        if self.kind == "rows":
            return self._missing() or list(self._all_in_one()) or self._missing_together() or self._moved()
        if self.kind in _NOT_RARE:
            return list(self._not_rare(_NOT_RARE[self.kind]))
        if self.kind == "money":
            return list(self._other_money())
        return list(self._other_than_typical()) or list(self._all_together()) or list(self._dearer())

    def is_far_off(self, *, may_be_quiet: bool = False) -> bool:
        """Whether somebody should look before it is published. On a holiday not every hour has an order."""
        return bool(self.off) and not (may_be_quiet and self.kind == "rows")

    def usual_words(self, day: dt.date) -> str:
        """What is usual of the parts that are not, for people."""
        return parts_usual(self.measure, [(off.part, off.bound, off.found < off.bound) for off in self.off])

    def found_words(self) -> str:
        """What was found of them."""
        return parts_found([(off.part, off.found) for off in self.off])

    def _missing(self) -> list[OffPart]:
        return [off for off in self._few if _no_chance([off])]

    def _missing_together(self) -> list[OffPart]:
        """Of which each may be missing by chance, and not all: a small shop's day that is seven hours late.

        Or, while hardly a day of its weekday is known, a quiet Sunday.
        """
        return self._few if self._knows_weekday and self._is_whole and _no_chance(self._few) else []

    @cached_property
    def _few(self) -> list[OffPart]:
        """The parts of which not a fifth is left, whether that may be chance or not."""
        of_all = max((amount.of_all for amount in self.today.values()), default=0.0)
        left = []
        for part in self._on_all_days():
            found = self.today.get(part, NOTHING).amount
            shares, amounts = ([day[part] for day in days] for days in (self.before, self._alike))
            left.append(_left_of(part, found, of_all, shares, amounts))
        return [off for off in left if off.found * _MISSING <= off.bound]

    def _moved(self) -> list[OffPart]:
        """All hours, where they are as usual by another clock: the instants of another zone, though none is empty.

        Each clock makes the day so and so likely; the other one must make it far likelier, and as likely as days are.
        """
        found = [self.today.get(str(hour), NOTHING).amount for hour in range(_HOURS)]
        rows = sum(found)
        if self.measure not in _CLOCKS or not rows:
            return []
        usual = [1 + sum(day.get(str(hour), NOTHING).amount for day in self.before) for hour in range(_HOURS)]
        likely = {
            later: sum(
                count * math.log(usual[hour - later] / sum(usual))
                for hour, count in enumerate(found)
                if count
            )
            for later in (0, *range(_LEAST_MOVED, _HOURS - _LEAST_MOVED + 1))
        }
        # A shop may have been closed for half the day: then the other hours have all there is.
        likely[0] -= rows * math.log(1 - sum(usual[hour] for hour in _longest_gap(found)) / sum(usual))
        later = max(likely, key=lambda one: likely[one])
        most = sum(count * math.log(count / rows) for count in found if count)
        explained = likely[later] - likely[0]
        left = most - likely[later] - _HOURS / 2  # which chance alone leaves of so many hours
        if explained < max(_MOVED, _MOVED_A_ROW * rows) or 3 * left > explained:
            return []
        words = f"{later} hours later" if later <= _HOURS / 2 else f"{_HOURS - later} hours earlier"
        return [OffPart(words, rows, 0.0)]

    def _all_in_one(self) -> Iterator[OffPart]:
        """A part that takes the place of all others, each of which may be too small to be missed."""
        for part in sorted(self.today) if self._is_whole else ():
            shares, amounts = ([_others(day, part) for day in days] for days in (self.before, self._alike))
            others = _others(self.today, part)
            off = _left_of(f"all but {part}", others.amount, others.of_all, shares, amounts)
            if off.found * _MISSING <= off.bound and _no_chance([off]):
                yield off

    def _not_rare(self, least: float) -> Iterator[OffPart]:
        for part, found in sorted(self.today.items()):
            days = [day[part] for day in self.before if part in day]
            # Beside few others, or none, what there is of them says nothing: guests are new customers, each of them.
            most = max((day.amount / max(day.of_all, _FEW) for day in days), default=0.0)
            most *= max(found.of_all, _FEW)
            if (
                len(days) >= LEAST_DAYS
                and found.amount >= max(least * found.of_all, _TIMES_AS_MANY * most)
                and rarity(found.amount, max(most, 1.0), 0.0) > IMPROBABLE
            ):
                yield OffPart(part, found.amount, most)

    def _other_than_typical(self) -> Iterator[OffPart]:
        for part, found in sorted(self.today.items()):
            days = [day[part] for day in self.before if part in day]
            yield from self._out_of_range(part, found, days, _TYPICAL, either=self.kind != "least")

    def _dearer(self) -> Iterator[OffPart]:
        """The large parts that are in another currency: too many customers for chance."""
        for part, found in sorted(self.today.items()) if self.kind == "price" else ():
            days = [day[part] for day in self.before if part in day]
            if min(day.rows for day in (found, *days)) >= _LARGE:
                yield from self._out_of_range(part, found, days, _DEARER, either=False)

    def _all_together(self) -> Iterator[OffPart]:
        """What no part shows by itself: everything in another unit, or counted twice."""
        if self.kind not in _TOGETHER:
            return
        # Of the parts that today has, as many as on those days: what is bought more of, or not at all, moves no price.
        weights = {
            part: sum(day[part].rows for day in self.before)
            for part in self._on_all_days()
            if 0 < self.today.get(part, NOTHING).share < math.inf
        }
        days = [_together(day, weights) for day in self.before]
        together = _together(self.today, weights)
        yield from self._out_of_range(
            "all", together, days, _TOGETHER[self.kind], either=self.kind == "typical"
        )

    def _out_of_range(
        self, part: str, found: Amount, before: Sequence[Amount], times: float, *, either: bool
    ) -> Iterator[OffPart]:
        """So many times below its range, or `either` below or above; and further out of it than the range is wide.

        What so few rows are as a rule varies more than on the days before, by the root of how many fewer they are.
        """
        days = [day for day in before if day.rows >= _LEAST_ROWS]
        shares = [day.share for day in days]
        if found.rows < _LEAST_ROWS or len(shares) < LEAST_DAYS or min(shares) <= 0:
            return
        fewer = max(1.0, median(day.rows for day in days) / found.rows)
        far = math.sqrt(fewer) * math.log(max(times, max(shares) / min(shares)))  # its power may be no float
        share = math.log(found.share) if found.share > 0 else -math.inf
        if share + far < math.log(min(shares)):
            yield OffPart(part, found.share, min(shares))
        elif either and share > far + math.log(max(shares)):
            yield OffPart(part, found.share, max(shares))

    def _other_money(self) -> Iterator[OffPart]:
        for part in self._on_all_days():
            days, found = [day[part] for day in self.before], self.today.get(part, NOTHING).amount
            low, high = min(day.amount for day in days), max(day.amount for day in days)
            if found * _MONEY < low and min(day.share for day in days) >= _LEAST_SHARE:
                yield OffPart(part, found, low)
            elif found > _MONEY * high > 0:
                yield OffPart(part, found, high)

    @property
    def _alike(self) -> Sequence[Mapping[str, Amount]]:
        """The days that say how many there are on such a day: of its weekday, once enough of them are known."""
        return self.same_weekday if self._knows_weekday else self.before

    @property
    def _knows_weekday(self) -> bool:
        return len(self.same_weekday) >= _LEAST_WEEKDAYS

    @property
    def _is_whole(self) -> bool:
        """Whether on each day the parts, and no others, make it up."""
        return all(_whole(day) is not None for day in (self.today, *self.before))

    def _on_all_days(self) -> Iterator[str]:
        return (part for part in sorted(self.before[0]) if all(part in day for day in self.before))


def _left_of(
    part: str, found: float, of_all: float, shares: Sequence[Amount], amounts: Sequence[Amount]
) -> OffPart:
    """What is there of a part, and how much would be at the least."""
    # Of a quiet day fewer are expected; beside another part that has grown, as many as ever.
    fewest = min(of_all * min(day.share for day in shares), min(day.amount for day in amounts))
    return OffPart(part, found, fewest)


def _longest_gap(hours: Sequence[float]) -> Sequence[int]:
    """The most hours in a row, midnight between them or not, in which there is nothing."""
    gaps: list[list[int]] = [[]]
    for hour in range(2 * len(hours)):
        gaps.append([] if hours[hour % len(hours)] else [*gaps[-1], hour % len(hours)])
    return max(gaps, key=len)


def _no_chance(off: Sequence[OffPart]) -> bool:
    """Whether it is no chance that so little is left of these parts together."""
    return _chance_of(sum(one.found for one in off), sum(one.bound for one in off)) < _CHANCE


def _whole(day: Mapping[str, Amount]) -> float | None:
    """How much all parts are together; None where they are not parts of one whole."""
    whole = sum(amount.amount for amount in day.values())
    return whole if all(amount.of_all == whole for amount in day.values()) else None


def _others(day: Mapping[str, Amount], part: str) -> Amount:
    """How much there is besides one part of a whole."""
    whole = _whole(day) or 0.0
    return Amount(whole - day.get(part, NOTHING).amount, whole, 0)


def _together(day: Mapping[str, Amount], weights: Mapping[str, float]) -> Amount:
    """What one of the rows of these parts is: the geometric mean, in which no part outweighs another by its size."""
    known = {part: day[part] for part in weights if part in day and 0 < day[part].share < math.inf}
    whole = sum(weights[part] for part in known)
    level = sum(math.log(amount.share) * weights[part] for part, amount in known.items()) / max(whole, 1)
    return Amount(math.exp(level), 1.0, sum(amount.rows for amount in known.values()))


def _chance_of(found: float, expected: float) -> float:
    """How likely it is that no more are found where so many are expected (Poisson's distribution)."""
    terms = accumulate(range(1, int(found) + 1), lambda term, n: term * expected / n, initial=1.0)
    return math.exp(-expected) * sum(terms) if expected < _MANY else 0.0


def day_parts_of(rows: Sequence[tuple[Any, ...]]) -> list[DayParts]:
    """From rows of (measure, part, kind, days ago, amount, of all, rows), in that order; of today there may be none."""
    found = []
    known = {int(row[3]) for row in rows} - {0}
    weekday = {ago for ago in known if ago % WEEK == 0}
    for (measure, kind), group in groupby(rows, key=lambda row: (row[0], row[2])):
        days: dict[int, dict[str, Amount]] = {}
        for _, part, _, ago, amount, of_all, count in group:
            days.setdefault(int(ago), {})[part] = Amount(float(amount), float(of_all), int(count))
        today = days.pop(0, {})
        before = sorted(days)
        same_weekday = [days[ago] for ago in before if ago % WEEK == 0]
        # One such day that a person let pass says nothing of the next one; in a young shop each day tells.
        without = known - days.keys()
        if len(weekday) >= _LEAST_WEEKDAYS:
            may_be_nothing = 2 * len(without & weekday) >= len(weekday)
        else:
            may_be_nothing = bool(without)
        found.append(
            DayParts(measure, kind, today, [days[ago] for ago in before], same_weekday, may_be_nothing)
        )
    return found
