"""What the Reports view and its API tell, as data: a report, its days and its rows. Holds no rules."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from oncall.web.views.models import Model, OfReport, Redacted


class UsualView(Model):
    """What is usual for one number on such a weekday, from the days before it."""

    expected: float = Field(description="What the days before make expected")
    low: float = Field(description="An ordinary day is not below this")
    high: float = Field(description="Nor above this")


class CheckView(Model):
    """A check that holds a day."""

    name: str = Field(description="The check")
    expected: Redacted = Field(description="What it expects")
    found: Redacted = Field(description="What it found; of rows, the key of one")
    number: str = Field(default="", description="The unusual number; empty for another check")


class ReleaseView(Model):
    """A person's word that an unusual number is true."""

    number: str = Field(description="The number")
    amount: str = Field(description="What it was")
    note: Redacted = Field(description="Why it is true")
    by: str = Field(description="Who said so")
    at: dt.datetime = Field(description="When")


class ReportDayView(Model):
    """One report date, whether or not it is published."""

    report_date: dt.date = Field(description="The business day the report is about")
    published_at: dt.datetime | None = Field(description="First complete and visible at; null: not published")
    late_seconds: float | None = Field(default=None, description="How late, in seconds, when it was late")
    missing: bool = Field(default=False, description="It is not published, though it should be")
    held: tuple[CheckView, ...] = Field(default=(), description="The checks that hold it")
    restated: int = Field(default=0, description="How many numbers a re-publication has changed")
    stale: Redacted = Field(
        default="", description="Why its inputs are other ones by now; empty: they are not"
    )
    released: tuple[ReleaseView, ...] = Field(
        default=(), description="Unusual numbers that a person released"
    )
    usual: dict[str, UsualView] = Field(
        default_factory=dict, description="Of a report with a row a day: what is usual, by column"
    )


class ReportRowView(Model):
    """One published row; the numbers are text, as they are published."""

    report_date: dt.date = Field(description="The business day the report is about")
    key: dict[str, str] = Field(description="Experiment and variant, where the report has a row for each")
    numbers: dict[str, str | None] = Field(description="Each number by its column; null where there is none")
    currency: str | None = Field(default=None, description="What its money is in; null where nothing says so")


class ReportView(OfReport):
    """One report: its last 60 days."""

    since: dt.date = Field(description="The first report date shown")
    until: dt.date = Field(description="The last one: yesterday")
    columns: tuple[str, ...] = Field(description="The numbers, in the order of the table")
    days: tuple[ReportDayView, ...] = Field(description="Each report date, the oldest first")
    rows: tuple[ReportRowView, ...] = Field(description="What is published, the oldest first")
    cut: bool = Field(
        default=False, description="There are more rows than are shown: the oldest are left out"
    )
    unread: tuple[Redacted, ...] = Field(default=(), description="What could not be read, and why")


class ReportListed(OfReport):
    """A report that there is."""

    promise: str | None = Field(description="When it is due every day; null without a promise")
