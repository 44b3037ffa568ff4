"""The promises as the page shows them. Pure: judged promises and publications in, models out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from oncall.core.incidents.wording import Links
from oncall.core.promises.attainment import Day, attainment, days
from oncall.core.promises.evaluation import PromiseStatus, current_task
from oncall.core.promises.promise import Pipeline
from oncall.core.promises.why import CAUSE_WORDS
from oncall.core.promises.words import day_words, headline, table_words
from oncall.web import external_links
from oncall.web.snapshot import PageSnapshot
from oncall.web.views.models import DayView, Kept, LinksView, PromiseCard, PromiseView, Step, TableView

STRIP_DAYS = 60
WINDOWS = (30, 90)


def cards(seen: PageSnapshot, addresses: Links) -> tuple[PromiseCard, ...]:
    """One card for each pipeline with a promise, in the roster's order."""
    promised = [pipeline for pipeline in seen.config.pipelines.values() if pipeline.promise]
    return tuple(_card(seen, pipeline, addresses) for pipeline in promised)


def due_next(seen: PageSnapshot, addresses: Links) -> Iterator[tuple[PromiseView, PromiseView | None]]:
    """For each promise the report due today, where it is known, and the next one."""
    for pipeline in seen.config.pipelines.values():
        if pipeline.promise and (two := _two(seen, pipeline)):
            today, *after = (promise(seen, one, addresses) for one in two)
            yield today, after[0] if after else None


def due_today(seen: PageSnapshot) -> Iterator[PromiseStatus]:
    """For each promise the report due today, where it is known; once that is there, or where none is due today, the
    next report if it is at risk already."""
    today = seen.at.astimezone(seen.config.roster.tz).date()
    for pipeline in seen.config.pipelines.values():
        two = _two(seen, pipeline) if pipeline.promise else []
        told = [one for one in two if _due_day(seen, one) <= today or one.verdict == "at_risk"]
        yield from [one for one in told if not one.done][:1] or told[:1]


def others(seen: PageSnapshot, addresses: Links) -> tuple[PromiseView, ...]:
    """What else needs a look: older reports that are missing, failed runs, drills."""
    shown = {id(one) for pipeline in seen.config.pipelines.values() for one in _two(seen, pipeline)}
    rest = [one for one in seen.statuses if id(one) not in shown]
    return tuple(promise(seen, one, addresses) for one in rest if one.drill or not one.done)


def promise(seen: PageSnapshot, status: PromiseStatus, addresses: Links) -> PromiseView:
    say = seen.say
    task, made = current_task(status.facts), status.facts.publication
    return PromiseView.of(
        status,
        dag_id=status.pipeline.dag_id,
        title=status.pipeline.title,
        report=status.pipeline.report,
        headline=headline(status, say),
        cause=status.why.cause if status.why else None,
        cause_words=CAUSE_WORDS[status.why.cause] if status.why else "",
        detail=status.why.detail if status.why else "",
        published_at=made.first_at if made else None,
        late_seconds=status.late_by.total_seconds() if status.late_by else None,
        step=Step.of(task, task=task.task_id, usual_seconds=status.facts.usual.duration.get(task.task_id))
        if task
        else None,
        links=_links(seen, status, addresses),
    )


def upstream(seen: PageSnapshot) -> tuple[TableView, ...]:
    """Every upstream table for the newest report date that somebody waits for."""
    newest: dict[str, tuple[PromiseStatus, list[str]]] = {}
    for status in seen.statuses:
        if status.drill or status.facts.blind or status.due is None or not _is_current(seen, status):
            continue
        for load in status.facts.loads:
            newest.setdefault(load.table, (status, []))[1].append(status.pipeline.title)
    return tuple(_table(seen, table, one, titles) for table, (one, titles) in sorted(newest.items()))


def _table(seen: PageSnapshot, table: str, status: PromiseStatus, titles: Sequence[str]) -> TableView:
    say = seen.say
    load = next(load for load in status.facts.loads if load.table == table)
    state = load.state
    shown: str = state
    if state == "late" and seen.at < (load.expected_at or status.warn or status.due or seen.at):
        shown = "expected"
    return TableView.of(
        load,
        business_day=status.report_date,
        state=shown,
        words=table_words(load, shown, say),
        usual_rows=load.median,
        needed_by=tuple(dict.fromkeys(titles)),
    )


def _is_current(seen: PageSnapshot, status: PromiseStatus) -> bool:
    """Of the reports judged, the one due today (or next, once today's is there)."""
    two = _two(seen, status.pipeline)
    today, after = two[:1], two[1:]
    focus = after if today and today[0].done and after else today
    return status in focus


def _card(seen: PageSnapshot, pipeline: Pipeline, addresses: Links) -> PromiseCard:
    say = seen.say
    two = [promise(seen, one, addresses) for one in _two(seen, pipeline)]
    made = seen.published.get(pipeline.report)
    if made is None or pipeline.promise is None:
        strip: tuple[Day, ...] = ()
    else:
        last = two[0].report_date if two else max(made, default=seen.at.date())
        strip = days(pipeline.promise, made, last, max(WINDOWS), seen.at, seen.config.roster.tz)
    return PromiseCard(
        today=two[0] if two else None,
        next=two[1] if len(two) > 1 else None,
        days=tuple(DayView.of(day, words=day_words(day, say)) for day in strip[-STRIP_DAYS:]),
        attainment=tuple(_kept(strip, window) for window in WINDOWS) if strip else (),
    )


def _two(seen: PageSnapshot, pipeline: Pipeline) -> list[PromiseStatus]:
    """The report due today and the one after; drills and older days are shown elsewhere."""
    mine = [one for one in seen.statuses_of.get(pipeline.dag_id, ()) if one.due and not one.drill]
    today = seen.at.astimezone(seen.config.roster.tz).date()
    known = sorted((one for one in mine if _due_day(seen, one) >= today), key=lambda one: one.report_date)
    return known[:2] or sorted(mine, key=lambda one: one.report_date)[-1:]


def _due_day(seen: PageSnapshot, one: PromiseStatus) -> dt.date:
    due = one.due or seen.at
    return due.astimezone(seen.config.roster.tz).date()


def _kept(strip: Sequence[Day], window: int) -> Kept:
    first = strip[-1].report_date - dt.timedelta(days=window - 1)
    return Kept.of(attainment([day for day in strip if day.report_date >= first]), days=window)


def _links(seen: PageSnapshot, status: PromiseStatus, addresses: Links) -> LinksView:
    mine = (r for r in seen.records if r.incident.promise_key == status.promise_key)
    record = next(mine, None)
    return LinksView(
        run=external_links.run_of(status, addresses),
        runbook=addresses.runbook(
            status.pipeline.dag_id,
            status.why.cause if status.why else "",
            status.report_date if status.why else None,
        ),
        incident=f"{addresses.oncall()}incidents/{record.incident.key}" if record else None,
        alert=external_links.alert(seen, record) if record else None,
        thread=external_links.thread(seen, record) if record else None,
    )
