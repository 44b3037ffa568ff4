"""What the page shows, as data: the templates and the JSON API read the same models. Holds no rules."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from oncall.core.incidents.incident import PUBLISHED
from oncall.core.redaction import redacted

# What others said: a database, a far side, a task, a person. What looks like a secret is not shown.
Redacted = Annotated[str, AfterValidator(redacted)]


class Model(BaseModel):
    """What all models of the page are: frozen. `model_validate` makes one of whatever has the same attributes."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    @classmethod
    def of(cls, source: object, **others: Any) -> Self:
        """What `source` has under the same names; `others` are what it has not, or what is said otherwise."""
        same = {name for name in cls.model_fields if name not in others and hasattr(source, name)}
        return cls(**{name: getattr(source, name) for name in same}, **others)


class Banner(Model):
    """Something that is broken in the on-call system itself."""

    kind: Literal["configuration", "watcher", "channel", "heartbeat", "warning", "source"] = Field(
        description="Which part"
    )
    title: Redacted = Field(description="What is wrong, in one line")
    lines: tuple[Redacted, ...] = Field(default=(), description="Details, one per line")


class LinksView(Model):
    """Where to look. Paths begin at Airflow's address."""

    run: str = Field(description="The run in Airflow, or its DAG when there is no run")
    runbook: str = Field(description="The runbook, at the section of the cause")
    log: str | None = Field(
        default=None, description="The log of the task that failed, while the incident is open"
    )
    incident: str | None = Field(default=None, description="The incident, when there is one")
    alert: str | None = Field(default=None, description="The incident's newest alert, in Opsgenie's own page")
    thread: str | None = Field(default=None, description="The incident's Slack thread, once it was posted")


class Step(Model):
    """The task that a run stands at."""

    task: str = Field(description="The task's id")
    state: str = Field(description="running, success, up_for_retry, queued (cleared), failed or skipped")
    since: dt.datetime = Field(description="When it started")
    usual_seconds: float | None = Field(
        default=None, description="The median of the last 28 days, in seconds"
    )


class OfReport(Model):
    """Of which report something is told."""

    dag_id: str = Field(description="The pipeline's DAG")
    title: str = Field(description="The pipeline's title")
    report: str = Field(description="The report's table")


class PromiseView(OfReport):
    """One promise for one report date, judged now."""

    report_date: dt.date = Field(description="The business day the report is about")
    due: dt.datetime | None = Field(description="When it is due; null without a promise")
    verdict: str = Field(description="waiting, at_risk, kept, broken, late or unknown (cannot be seen)")
    headline: str = Field(description="The verdict as people say it")
    cause: str | None = Field(default=None, description="Why it is at risk, broken or failed")
    cause_words: str = Field(default="", description="The cause as people say it")
    detail: Redacted = Field(default="", description="The cause in one sentence")
    published_at: dt.datetime | None = Field(default=None, description="First complete and visible at")
    late_seconds: float | None = Field(default=None, description="How late, in seconds, when late or broken")
    last_chance: dt.datetime | None = Field(
        default=None, description="From then on the usual remaining time is not enough"
    )
    step: Step | None = Field(default=None, description="Where its run stands")
    drill: str = Field(default="", description="The drill's name when this is one")
    links: LinksView = Field(description="Where to look")


class DayView(Model):
    """How one promise was kept on one day."""

    report_date: dt.date = Field(description="The business day the report is about")
    outcome: str = Field(description="kept, late, broken, open (not due yet) or none (nothing on record)")
    words: str = Field(description="The outcome as people say it")


class Kept(Model):
    """How many of the promises that were due were kept."""

    days: int = Field(description="The length of the window, in days")
    kept: int = Field(description="Days kept")
    counted: int = Field(description="Days that count")
    percent: float | None = Field(description="Null when nothing was due")


class PromiseCard(Model):
    """One pipeline's promise: today's report, the next one, and how it was kept."""

    today: PromiseView | None = Field(description="The report due today; null when it cannot be told")
    next: PromiseView | None = Field(description="The report due after it")
    days: tuple[DayView, ...] = Field(default=(), description="The last 60 report dates, oldest first")
    attainment: tuple[Kept, ...] = Field(default=(), description="Over 30 and 90 days")


class TableView(Model):
    """One upstream table for the report date that is due next or was due last."""

    table: str = Field(description="Schema and table")
    business_day: dt.date = Field(description="The day loaded")
    state: str = Field(description="fresh, late or partial; 'expected' while it is not late yet")
    words: str = Field(description="The state as people say it")
    loaded_at: dt.datetime | None = Field(default=None, description="When the newest load finished")
    expected_at: dt.datetime | None = Field(default=None, description="When it usually arrives")
    rows: int | None = Field(default=None, description="Rows loaded")
    usual_rows: float | None = Field(default=None, description="The median of the last seven loads")
    needed_by: tuple[str, ...] = Field(description="Pipelines that read it")


class DeliveryView(Model):
    """One thing that a channel was to be told."""

    channel: str = Field(description="Opsgenie or Slack, with the channel where it is other people's")
    what: Redacted = Field(description="What it was to be told")
    state: str = Field(description="owed, accepted, done or cancelled")
    mark: str = Field(description="What became of it, as short as can be: ✓ 0.5 s")
    result: Redacted = Field(description="What became of it, in words")
    link: str | None = Field(default=None, description="For a page: its alert, in Opsgenie's own page")


class Mark(Model):
    """What one channel was told of an event, however many messages that were."""

    state: str = Field(description="owed, accepted, done or cancelled")
    words: str = Field(description="Opsgenie ✓ 0.5 s; of four alerts: Opsgenie 4 × ✓ 0.9 s")


class Line(Model):
    """One thing that happened in an incident, and what the channels were told of it."""

    at: dt.datetime = Field(description="When it happened")
    what: Redacted = Field(description="What happened")
    deliveries: tuple[DeliveryView, ...] = Field(default=(), description="What was sent for it")
    marks: tuple[Mark, ...] = Field(
        default=(), description="The same in short, one for each channel and outcome"
    )


class IncidentView(Model):
    """One incident with its timeline."""

    key: str = Field(description="pipeline:report date, with what makes it unique")
    dag_id: str = Field(description="The pipeline's DAG")
    title: str = Field(description="Pipeline and report date")
    report_date: dt.date = Field(description="The business day the report is about")
    opened_at: dt.datetime = Field(description="When it was first noticed")
    due: dt.datetime | None = Field(description="When the report is due")
    open: bool = Field(description="Whether somebody still has to do something")
    verdict: str = Field(description="The last verdict")
    status: str = Field(description="How it stands, as people say it")
    cause_words: str = Field(default="", description="The cause as people say it")
    detail: Redacted = Field(default="", description="The cause in one sentence")
    drill: str = Field(default="", description="The drill's name when this is one")
    leader: str = Field(default="", description="The key of the incident that speaks for this one")
    paged_at: dt.datetime | None = Field(default=None, description="When the first person was paged")
    acknowledged_at: dt.datetime | None = Field(default=None, description="When somebody took it")
    acknowledged_by: str = Field(default="", description="Who took it")
    resolved_at: dt.datetime | None = Field(default=None, description="When it ended")
    late_seconds: float | None = Field(default=None, description="How late the report was, in seconds")
    links: LinksView = Field(description="Where to look")
    timeline: tuple[Line, ...] = Field(default=(), description="What happened, oldest first")

    @property
    def published(self) -> bool:
        """The report is there; the incident is about a run after that."""
        return self.verdict in PUBLISHED


class PipelineView(Model):
    """Who owns a pipeline, what it is for, and what it promises."""

    dag_id: str = Field(description="The DAG")
    title: str = Field(description="The pipeline's title")
    purpose: str = Field(description="What it is for")
    report: str = Field(description="The report's table")
    primary_owner: str = Field(description="Ask this person first")
    secondary_owner: str = Field(description="Then this one")
    upstream: tuple[str, ...] = Field(description="What it reads")
    upstream_owner: str = Field(description="The team that loads it")
    upstream_slack: str = Field(description="Where that team is reached")
    downstream_owner: str = Field(description="Who waits for it")
    schedule: str | None = Field(
        description="Cron, in the roster's zone; null when it follows another pipeline"
    )
    promise: str | None = Field(description="When it is due every day; null without a promise")
    links: LinksView = Field(description="Where to look")
