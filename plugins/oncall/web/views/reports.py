"""Published reports as the Reports view, the API and CSV show them: numbers, what is usual, what is known of each day.

Pure: what was read in, models out.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property

from oncall.core.data import report_words
from oncall.core.data.usual_range import UsualRange, usual_ranges
from oncall.core.promises.attainment import Day, days
from oncall.core.promises.facts import ALL_OF_THEM, IF_TRUE, FailedCheck, Load
from oncall.core.promises.promise import Pipeline, business_day, weekdays_of
from oncall.core.time_format import TimeFormat
from oncall.usecases.report_numbers import DAYS_SHOWN, ReportNumbers, ReportRow
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.charts import compact, drawable
from oncall.web.views.report_layouts import Layout, layout_of
from oncall.web.views.report_models import (
    CheckView,
    ReleaseView,
    ReportDayView,
    ReportListed,
    ReportRowView,
    ReportView,
    UsualView,
)


@dataclass(frozen=True)
class ReportRead:
    """All that was read for one report. `stale`: why, by report date; `unread`: what could not be read, and why.

    `readable`: the numbers could. `holidays`: days that say nothing of what is usual after them. `stale_days`: of all
    reports, what is stale itself and what depends on it.
    """

    pipeline: Pipeline
    numbers: ReportNumbers
    until: dt.date
    stale: Mapping[dt.date, str]
    unread: tuple[str, ...] = ()
    readable: bool = True
    holidays: Collection[dt.date] = ()
    stale_days: int = 0

    @cached_property
    def dates(self) -> tuple[dt.date, ...]:
        return tuple(self.until - dt.timedelta(days=ago) for ago in range(DAYS_SHOWN - 1, -1, -1))

    @cached_property
    def layout(self) -> Layout:
        columns, keyed = self.numbers.columns, bool(self.numbers.key_columns)
        return layout_of(self.pipeline.report, columns, keyed=keyed)

    @cached_property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """What tells rows of a day apart; one empty key for a report with a row a day."""
        return tuple(sorted({row.key for row in self.numbers.rows if row.report_date >= self.dates[0]}))

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, ...], Mapping[dt.date, ReportRow]]:
        found: dict[tuple[str, ...], dict[dt.date, ReportRow]] = {}
        for row in self.numbers.rows:
            found.setdefault(row.key, {})[row.report_date] = row
        return found

    @property
    def currencies(self) -> str:
        """What the money of the days shown is in; "" where nothing says so."""
        found = {row.currency for row in self.numbers.rows if row.report_date >= self.dates[0]}
        return " and ".join(sorted(found - {""}))

    @property
    def is_cut(self) -> bool:
        """Whether rows of the days shown were left out; rows of earlier days are not shown anyway."""
        return self.numbers.cut and self.numbers.rows[0].report_date >= self.dates[0]

    def rows(self, key: tuple[str, ...]) -> Mapping[dt.date, ReportRow]:
        return self._by_key.get(key, {})

    def amounts(self, key: tuple[str, ...], column: str) -> Mapping[dt.date, float]:
        """What can be reckoned with of a column, by day, those before the first day shown too."""
        found = ((date, drawable(row.numbers.get(column))) for date, row in self.rows(key).items())
        return {date: amount for date, amount in found if amount is not None}

    @cached_property
    def usual(self) -> Callable[[tuple[str, ...], str], Sequence[UsualRange | None]]:
        """What is usual for a number, by key and column, on each day shown."""
        return cache(self._usual_of)

    def _usual_of(self, key: tuple[str, ...], column: str) -> Sequence[UsualRange | None]:
        amounts = self.amounts(key, column)
        if not amounts:
            return [None] * len(self.dates)
        ordinary = {date: amount for date, amount in amounts.items() if date not in self.holidays}
        return usual_ranges(self.dates, ordinary, self._units(key, column))

    def _units(self, key: tuple[str, ...], column: str) -> Mapping[dt.date, float] | None:
        if column not in self.layout.units:
            return None
        parts = self.layout.units[column]
        if parts is None:
            return dict.fromkeys(self.amounts(key, column), 1.0)
        above, below = (self.amounts(key, name) for name in parts)
        return {date: above[date] / below[date] for date in above.keys() & below.keys() if below[date]}


def last_day(seen: PageSnapshot, pipeline: Pipeline) -> dt.date:
    """The newest report date that can be there: yesterday, where the pipeline's team is."""
    tz = seen.config.roster_of(pipeline.dag_id).tz
    return business_day(seen.at, tz) - dt.timedelta(days=1)


def listed(pipelines: Sequence[Pipeline]) -> list[ReportListed]:
    return [
        ReportListed.of(pipeline, promise=f"{pipeline.promise.due:%H:%M}" if pipeline.promise else None)
        for pipeline in pipelines
    ]


def report_view(seen: PageSnapshot, read: ReportRead) -> ReportView:
    """The report for programs; the page draws the same."""
    shown = [row for row in read.numbers.rows if row.report_date >= read.dates[0]]
    return ReportView.of(
        read.pipeline,
        since=read.dates[0],
        until=read.until,
        columns=read.numbers.columns,
        days=report_days(seen, read),
        rows=_rows(read.numbers, shown),
        cut=read.is_cut,
        unread=read.unread,
    )


def period_view(pipeline: Pipeline, table: str, numbers: ReportNumbers, until: dt.date) -> ReportView:
    """What is published by week or month beside a report, for programs."""
    return ReportView.of(
        pipeline,
        report=table,
        since=numbers.rows[0].report_date if numbers.rows else until,
        until=until,
        columns=numbers.columns,
        days=(),
        rows=_rows(numbers, numbers.rows),
        cut=numbers.cut,
    )


def _rows(numbers: ReportNumbers, shown: Sequence[ReportRow]) -> tuple[ReportRowView, ...]:
    return tuple(
        ReportRowView(
            report_date=row.report_date,
            key=dict(zip(numbers.key_columns, row.key, strict=True)),
            numbers=dict(row.numbers),
            currency=row.currency or None,
        )
        for row in shown
    )


def report_days(seen: PageSnapshot, read: ReportRead) -> tuple[ReportDayView, ...]:
    numbers, outcomes = read.numbers, _outcomes(seen, read)
    unkeyed = numbers.columns if numbers.rows and not numbers.key_columns else ()
    usual = {column: read.usual((), column) for column in unkeyed}
    return tuple(
        ReportDayView(
            report_date=date,
            published_at=made.at if (made := numbers.published.get(date)) else None,
            late_seconds=kept.late_by.total_seconds() if kept and kept.late_by else None,
            missing=kept.outcome == "broken" if kept else _is_left_out(read, date),
            held=tuple(map(_check, numbers.held.get(date, ()))),
            restated=numbers.restated.get(date, 0),
            stale=read.stale.get(date, ""),
            released=tuple(
                ReleaseView.of(one, number=one.name) for one in numbers.released if one.report_date == date
            ),
            usual={
                column: UsualView.model_validate(there)
                for column, ranges in usual.items()
                if (there := ranges[n])
            },
        )
        for n, date in enumerate(read.dates)
        for kept in (outcomes.get(date),)
    )


def _is_left_out(read: ReportRead, date: dt.date) -> bool:
    """Whether a report without a promise should have been published, by its schedule, and was not."""
    published, pipeline = read.numbers.published, read.pipeline
    if (
        pipeline.promise is not None
        or date in published
        or date.weekday() not in weekdays_of(pipeline.schedule)
    ):
        return False
    return min(published, default=read.until) <= date < read.until


def _check(check: FailedCheck) -> CheckView:
    number = check.name.removesuffix("_is_usual") if IF_TRUE in check.found else ""
    found = check.found.partition(IF_TRUE)[0].partition(ALL_OF_THEM)[0]  # a button and a line below say both
    return CheckView.of(check, found=found, number=number)


def thin_loads(seen: PageSnapshot, pipeline: Pipeline) -> Mapping[dt.date, Sequence[Load]]:
    """The partial loads that each day of the report waits for."""
    found = {}
    for status in seen.statuses_of.get(pipeline.dag_id, ()):
        thin = [load for load in status.facts.loads if load.state == "partial"]
        if thin and not status.drill and status.facts.publication is None:
            found[status.report_date] = thin
    return found


def marks(say: TimeFormat, day: ReportDayView) -> dict[str, str]:
    """What is to be known of a day, in words, by kind; nothing of an ordinary one."""
    found: dict[str, str] = {}
    if day.held:
        found["held"] = report_words.held_by([check.name for check in day.held])
    elif day.missing:
        found["missing"] = "not published"
    if day.late_seconds:
        found["late"] = report_words.published_late(day.late_seconds)
    if day.restated:
        found["restated"] = report_words.restated(day.restated)
    if day.stale:
        found["stale"] = report_words.stale(day.stale)
    if day.released:
        one = day.released[0]
        found["released"] = report_words.released(one.number, one.by, one.note)
    return found


def as_csv(view: ReportView) -> str:
    """The rows as published, with a column for each key and number, for a spreadsheet."""
    keys = list(dict.fromkeys(name for row in view.rows for name in row.key))
    text = io.StringIO()
    writer = csv.writer(text)
    money = ["currency"] if any(row.currency for row in view.rows) else []
    writer.writerow(["report_date", *keys, *view.columns, *money])
    for row in view.rows:
        cells: list[str | None] = [_harmless(row.key.get(name, "")) for name in keys]
        cells += [row.numbers.get(name) for name in view.columns]
        writer.writerow([row.report_date, *cells, *([_harmless(row.currency or "")] if money else [])])
    return text.getvalue()


def amount_words(text: str | None) -> str:
    """A number as people read it: thousands apart, cents as published, of longer fractions four decimals."""
    if text is None:
        return "–"
    whole, _, decimals = text.partition(".")
    if not whole.lstrip("-").isdigit() or not (decimals or "0").isdigit():
        return text  # NaN, infinity, powers of ten
    amount = Decimal(text)
    if len(decimals) <= 2:
        return f"{amount:,}"
    rounded = f"{amount:,.4f}".rstrip("0").removesuffix(".")
    return "0" if rounded == "-0" else rounded


def usual_words(there: UsualView | UsualRange | None, *, percent: bool = False) -> str:
    """The range of an ordinary day, in words."""
    if there is None:
        return "nothing yet to compare with"
    return f"usually {compact(there.low, percent=percent)} to {compact(there.high, percent=percent)}"


def _outcomes(seen: PageSnapshot, read: ReportRead) -> Mapping[dt.date, Day]:
    """How the promise was kept; nothing of a report that is not promised, or cannot be read."""
    if read.pipeline.promise is None or not read.readable:
        return {}
    tz = seen.config.roster_of(read.pipeline.dag_id).tz
    kept = days(read.pipeline.promise, read.numbers.published, read.until, len(read.dates), seen.at, tz)
    return {day.report_date: day for day in kept}


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
