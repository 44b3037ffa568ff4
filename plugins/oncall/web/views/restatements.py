"""What was published and is another number now, as the page and the API show it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from pydantic import Field

from oncall.core.data.restatement import republications
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.models import Model, OfReport, Redacted


class NumberView(Model):
    """One published number that was changed."""

    table: str = Field(validation_alias="report", description="The published table")
    key: str = Field(description="Channel, or experiment/variant; empty for the whole day")
    column: str = Field(description="The column")
    old: str | None = Field(description="What it was, as published; null: there was no such row")
    new: str | None = Field(description="What it is since; null: there is no such row any more")
    currency: str | None = Field(description="What the row's money is in; null where it has none")


class RestatementView(OfReport):
    """A day that was published again with other numbers."""

    report_date: dt.date = Field(description="The business day the report is about")
    restated_at: dt.datetime = Field(description="When it was published again")
    reason: Redacted = Field(description="Why: what changed upstream, or what the person said who ran it")
    run_id: str = Field(description="The run that published it")
    words: str = Field(description="The whole day's numbers, before and after, in one line")
    numbers: tuple[NumberView, ...] = Field(description="Each number, the whole day's first")


def restatements(seen: PageSnapshot) -> Sequence[RestatementView]:
    """Those of the pipelines in sight, the newest first."""
    pipelines = {pipeline.report: pipeline for pipeline in seen.config.pipelines.values()}
    return [
        RestatementView.of(
            republication,
            dag_id=pipelines[republication.report].dag_id,
            title=pipelines[republication.report].title,
            restated_at=republication.at,
            numbers=tuple(
                NumberView.model_validate(number)
                for number in sorted(republication.numbers, key=lambda each: (each.key, each.column))
            ),
        )
        for republication in republications(seen.restated)
        if republication.report in pipelines
    ]
