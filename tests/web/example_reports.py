"""Example reports: 123 days of made-up shops and customers, with days that are held, late, restated and stale."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import Unreadable
from oncall.core.promises.attainment import FirstPublished
from oncall.core.promises.facts import FailedCheck
from oncall.usecases.manual_actions import Outcome
from oncall.usecases.report_numbers import BrokenRule, NoteOfRelease, ReportNumbers, ReportRow, StaleDays

DAY = dt.date(2026, 11, 22)
TZ = dt.timezone(dt.timedelta(hours=7))
PROFIT, ENGAGEMENT, GROWTH = "investor.daily_profit", "investor.daily_engagement", "investor.daily_growth"
WEEKLY, MONTHLY, COHORTS = "investor.weekly_growth", "investor.monthly_growth", "investor.signup_cohorts"
UNIT_PROFIT, EXPERIMENT_GROWTH = "experiments.unit_profit", "experiments.daily_growth"


def numbers(rows: Sequence[ReportRow], *key_columns: str, last: dt.date = DAY) -> ReportNumbers:
    """A report with these rows, each day published at 02:31."""
    columns = tuple(rows[0].numbers) if rows else ()
    published = {
        row.report_date: FirstPublished(
            dt.datetime.combine(row.report_date + dt.timedelta(days=1), dt.time(2, 31), tzinfo=TZ)
        )
        for row in rows
        if row.report_date <= last
    }
    return ReportNumbers(columns, key_columns, tuple(rows), published)


def row(date: dt.date, *key: str, **amounts: object) -> ReportRow:
    """One row; None stays None."""
    return ReportRow(date, key, {name: None if one is None else str(one) for name, one in amounts.items()})


def profit_rows(days: int = 123) -> list[ReportRow]:
    """A shop with quiet Sundays; the newest day is missing, since it is held."""
    rows = []
    for ago in range(days, 0, -1):
        date, dice = DAY - dt.timedelta(days=ago), random.Random(ago)
        orders = round(60 * (0.4 if date.isoweekday() == 7 else 1) * dice.gauss(1, 0.08))
        revenue = round(sum(dice.lognormvariate(3.3, 0.5) for _ in range(orders)), 2)
        cost, refunds = round(revenue * 0.55, 2), float(dice.choice([0, 0, 20, 45]))
        marketing = round(120 * dice.gauss(1, 0.1), 2)
        rows.append(
            row(
                date, orders=orders, revenue=f"{revenue:.2f}", cost=f"{cost:.2f}", refunds=f"{refunds:.2f}",
                marketing=f"{marketing:.2f}", profit=f"{revenue - cost - refunds - marketing:.2f}", cancelled_orders=1,
            )
        )  # fmt: skip
    return rows


def _engagement() -> ReportNumbers:
    rows = []
    for ago in range(123, -1, -1):
        dice = random.Random(ago)
        active, sessions = round(4000 * dice.gauss(1, 0.05)), round(9000 * dice.gauss(1, 0.05))
        whole = round(19000 * dice.gauss(1, 0.01))
        rows.append(
            row(
                DAY - dt.timedelta(days=ago), active_1d=active, active_7d=round(11000 * dice.gauss(1, 0.02)),
                active_28d=whole, stickiness=f"{active / whole:.10f}", sessions=sessions, seconds=sessions * 240,
                sessions_per_active=f"{sessions / active:.10f}", seconds_per_active=f"{sessions * 240 / active:.10f}",
            )
        )  # fmt: skip
    return numbers(rows)


def _growth(*keys: tuple[str, str]) -> ReportNumbers:
    rows = []
    for ago in range(123 if not keys else 40, -1, -1):
        for key in keys or [()]:
            dice = random.Random(f"{ago}{key}")
            new, back = round(300 * dice.gauss(1, 0.1)), round(700 * dice.gauss(1, 0.1))
            stay, gone = round(3000 * dice.gauss(1, 0.03)), round(1000 * dice.gauss(1, 0.1))
            rows.append(
                row(
                    DAY - dt.timedelta(days=ago), *key, active=new + back + stay, new=new, retained=stay,
                    resurrected=back, churned=gone, quick_ratio=f"{(new + back) / gone:.10f}",
                )
            )  # fmt: skip
    return numbers(rows, *(("experiment", "variant") if keys else ()))


def _unit_profit() -> ReportNumbers:
    rows = []
    for ago in range(40, -1, -1):
        date, width = DAY - dt.timedelta(days=ago), 8 / (41 - ago) ** 0.5
        rows.append(
            row(date, "red_button", "control", n=500, mean_profit="12.1", variance="30.5", diff_from_control=None,
                cs_low=None, cs_high=None, expected_n="500.0000000000", switched=0, sample_ratio_p="1.0000000000")
        )  # fmt: skip
        for variant, effect in (("red", 1.4), ("blue", -0.3)):
            found = effect + random.Random(ago).gauss(0, width / 4)
            rows.append(
                row(date, "red_button", variant, n=500, mean_profit="13.3", variance="31.5",
                    diff_from_control=f"{found:.6f}", cs_low=f"{found - width:.6f}", cs_high=f"{found + width:.6f}",
                    expected_n="500.0000000000", switched=2, sample_ratio_p="1.0000000000")
            )  # fmt: skip
    return numbers(rows, "experiment", "variant")


def _periods(ends: Sequence[dt.date]) -> ReportNumbers:
    """Growth by week or month."""
    rows = [
        row(end, active=9000 + n * 40, new=900 + n * 7, retained=7000 + n * 30, resurrected=1100 + n * 3,
            churned=1500 - n * 9, quick_ratio=f"{(2000 + n * 10) / (1500 - n * 9):.10f}")
        for n, end in enumerate(ends)
    ]  # fmt: skip
    return ReportNumbers(tuple(rows[0].numbers), (), tuple(rows), restated={ends[-1]: 2})


def _cohorts(ends: Sequence[dt.date]) -> ReportNumbers:
    rows = [
        row(end, f"{cohort:%Y-%m}", months=n - began, customers=2000 + 10 * began,
            active=round((2000 + 10 * began) * 0.9 / (n - began + 1)), retained_share=f"{0.9 / (n - began + 1):.10f}")
        for n, end in enumerate(ends)
        for began, cohort in enumerate(ends[: n + 1])
    ]  # fmt: skip
    return ReportNumbers(tuple(rows[0].numbers), ("cohort",), tuple(rows))


def month_ends(many: int) -> list[dt.date]:
    """The last days of so many months that are over, the oldest first."""
    ends = [DAY.replace(day=1) - dt.timedelta(days=1)]
    while len(ends) < many:
        ends.append(ends[-1].replace(day=1) - dt.timedelta(days=1))
    return ends[::-1]


@cache
def example_numbers() -> Mapping[str, ReportNumbers]:
    """All five reports, and what growth has by week and month: rolled once, since the dice fall the same each time."""
    profit = numbers(profit_rows())
    ago = [DAY - dt.timedelta(days=n) for n in range(60)]
    late = {ago[9]: FirstPublished(dt.datetime.combine(ago[8], dt.time(5, 42), tzinfo=TZ))}
    profit = ReportNumbers(
        profit.columns, (), tuple(one for one in profit.rows if one.report_date != ago[30]),
        {day: at for day, at in {**profit.published, **late}.items() if day != ago[30]},
        held={ago[0]: (
            FailedCheck("revenue_is_usual", "about 851 on a Sunday, give or take 86",
                        "32,603, 38.3 times the usual; if it is true: python -m oncall release R 2026-11-22"),
            FailedCheck("lines_discount_required", "discount is not null",
                        "57 in master.order_lines.discount, such as order_id=101; all of them: python -m oncall"),
        )},
        restated={ago[20]: 3, ago[21]: 1},
        released=(NoteOfRelease(ago[15], "marketing", "1450.00", "A campaign for the new shop", "anna",
                                dt.datetime.combine(ago[14], dt.time(4, 40), tzinfo=TZ)),),
    )  # fmt: skip
    keys = [("red_button", "control"), ("red_button", "red")]
    return MappingProxyType({
        PROFIT: profit, ENGAGEMENT: _engagement(), GROWTH: _growth(), UNIT_PROFIT: _unit_profit(),
        EXPERIMENT_GROWTH: _growth(*keys), COHORTS: _cohorts(month_ends(6)), MONTHLY: _periods(month_ends(9)),
        WEEKLY: _periods([DAY - dt.timedelta(days=7 * ago) for ago in range(19, -1, -1)]),
    })  # fmt: skip


@dataclass
class ExampleReports:
    """Implements `Reports`: tells what it is told to tell."""

    known: Mapping[str, ReportNumbers] = field(default_factory=example_numbers)
    is_stale: StaleDays = field(
        default_factory=lambda: {
            (PROFIT, DAY - dt.timedelta(days=5)): "master.refunds changed 2026-11-20 09:10"
        }
    )
    broken: Sequence[BrokenRule] = (
        BrokenRule(
            "lines_discount_required",
            "master.order_lines",
            "discount is not null",
            tuple(f"order_id={n}, line_no=1" for n in range(101, 158)),
        ),
    )
    down: str = ""
    unreadable: frozenset[str] = frozenset()  # tables
    down_of: frozenset[str] = frozenset({"numbers", "stale", "broken_rules"})
    refuses: str = ""
    asked: list[tuple[object, ...]] = field(default_factory=list)
    released: list[tuple[str, ...]] = field(default_factory=list)

    def numbers(self, report: str, since: dt.date, until: dt.date) -> ReportNumbers:
        self._ask("numbers", report, since, until)
        if report in self.unreadable:
            raise Unreadable("warehouse: too slow")
        return self.known.get(report, ReportNumbers())

    def stale(self, config: OncallConfig) -> StaleDays:
        self._ask("stale")
        return self.is_stale

    def broken_rules(self, config: OncallConfig, dag_id: str, date: dt.date) -> Sequence[BrokenRule]:
        self._ask("broken_rules", dag_id, date)
        return self.broken

    def release(self, config: OncallConfig, dag_id: str, date: dt.date, by: str, note: str) -> Outcome:
        self.released.append((dag_id, str(date), by, note))
        return Outcome(not self.refuses, self.refuses or "Released: the next run publishes it.")

    def _ask(self, what: str, *more: object) -> None:
        self.asked.append((what, *more))
        if self.down and what in self.down_of:
            raise Unreadable(self.down)
