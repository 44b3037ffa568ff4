"""Published numbers that a re-publication changed, gathered by re-publication and said in words. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

BY_CHANNEL = "_by_channel"


@dataclass(frozen=True)
class Restatement:
    """One number: `report` is the published table, `key` its channel, or experiment/variant ("": the whole day).

    None for a value: there was no such row before, or is none any more. `currency`: what the row's money is in; None
    where it has none.
    """

    report: str
    report_date: dt.date
    column: str
    old: str | None
    new: str | None
    reason: str
    run_id: str
    at: dt.datetime
    key: str = ""
    currency: str | None = None


@dataclass(frozen=True)
class Republication:
    """All that one run changed of one report's day. `report` is the report, also for what changed by channel."""

    report: str
    report_date: dt.date
    at: dt.datetime
    reason: str
    run_id: str
    numbers: tuple[Restatement, ...]

    @property
    def words(self) -> str:
        """What became of the whole day's numbers, and what their money is in; how many others there are."""
        whole = [each for each in self.numbers if not each.key]
        said = [f"{each.column} {each.old or 'none'} → {each.new or 'none'}" for each in whole]
        others = len(self.numbers) - len(whole)
        if others:
            said.append(f"{others} number{'s' * (others != 1)} by channel or variant")
        currencies = sorted({each.currency for each in self.numbers if each.currency})
        return ", ".join(said) + (f", in {' and '.join(currencies)}" if currencies else "")


def republications(found: Iterable[Restatement]) -> Sequence[Republication]:
    """By report, day and run; the newest first."""

    def one(each: Restatement) -> tuple[str, dt.date, str]:
        return each.report.removesuffix(BY_CHANNEL), each.report_date, each.run_id

    made = []
    for (report, day, run_id), group in groupby(sorted(found, key=one), key=one):
        numbers = tuple(group)
        last = max(numbers, key=lambda each: each.at)
        made.append(Republication(report, day, last.at, last.reason, run_id, numbers))
    return sorted(made, key=lambda each: (each.at, each.report, each.report_date), reverse=True)
