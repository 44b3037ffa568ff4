"""The Reports view: published numbers as charts, JSON and CSV, and the release of a held report.

In a line of its own: a warehouse that takes its time keeps nobody from the page that says who is on call.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BeforeValidator

from oncall.config import dates
from oncall.core.data import report_words
from oncall.core.data.expectation import WINDOW_DAYS
from oncall.core.errors import Unreadable
from oncall.core.promises.promise import Pipeline
from oncall.usecases.report_numbers import DAYS_SHOWN, BrokenRule, ReportNumbers, StaleDays
from oncall.web.auth import FromThisPage, Reader, may_act, reader
from oncall.web.permissions import InSight, sight_of, without_hidden_names
from oncall.web.rendering import addresses, render
from oncall.web.response_cache import in_turn
from oncall.web.routes.actions import NOT_YOURS, Note
from oncall.web.routes.pages import Done
from oncall.web.snapshot import PageSnapshot, source
from oncall.web.static_files import stamp
from oncall.web.views.banners import banners
from oncall.web.views.report_figures import figures, sparkline
from oncall.web.views.report_layouts import BESIDE
from oncall.web.views.report_models import ReportDayView, ReportListed, ReportView
from oncall.web.views.report_periods import LOOK_BACK_DAYS, cohorts, period_figures, sample_ratios
from oncall.web.views.reports import (
    ReportRead,
    as_csv,
    last_day,
    listed,
    marks,
    period_view,
    report_days,
    report_view,
    thin_loads,
)

MOST_DRAWN = 12  # reports on the first page; of more the rest are named
MOST_HELD = 5  # days with all that is known of each
MOST_EXAMPLED = 2  # of these with the keys of the rows that break a contract
RELEASED = "Released: the run that waits for it goes on, or the next one publishes it."
# A number, which pydantic takes for seconds, is no day.
Day = Annotated[dt.date, BeforeValidator(dates.date)]

router = APIRouter(dependencies=[Depends(reader), Depends(in_turn("reports_turn"), scope="function")])
actions = APIRouter(dependencies=[FromThisPage, Depends(reader)])


@router.get("/reports", response_class=HTMLResponse)
def all_reports(request: Request, seen: InSight) -> HTMLResponse:
    """Each report's best-known number over the last 60 days, and what is the matter with it."""
    pipelines = list(seen.config.pipelines.values())
    say = seen.say
    cards = []
    for pipeline in pipelines[:MOST_DRAWN]:
        read = _read(request, seen, pipeline)
        known = report_days(seen, read)
        cards.append((pipeline, read, sparkline(say, read, known), _matters(known)))
    return render(
        request, "reports.html", tab="reports", seen=seen, banners=banners(seen), cards=cards,
        others=pipelines[MOST_DRAWN:], css_of_reports=stamp("reports.css"),
    )  # fmt: skip


@router.get("/reports/{report}", response_class=HTMLResponse)
def one_report(request: Request, user: Reader, report: str, done: Done = "") -> HTMLResponse:
    """One report's last 60 days. `done` is what was just done."""
    return _page(request, user, report, done=RELEASED if done == "released" else "")


@router.get("/api/reports")
def reports_listed(seen: InSight) -> list[ReportListed]:
    """The reports of the pipelines in sight."""
    return listed(list(seen.config.pipelines.values()))


@router.get("/api/reports/{report}.csv", response_class=Response)
def report_as_csv(request: Request, user: Reader, report: str) -> Response:
    """The published rows of the last 60 days as CSV."""
    view = _told(request, user, report)
    name = quote(f"{view.report}.{view.until}.csv")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(as_csv(view), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/api/reports/{report}")
def report_as_json(request: Request, user: Reader, report: str) -> ReportView:
    """One report's last 60 days: numbers, what is usual, and which days are held, late, restated or stale."""
    return _told(request, user, report)


@actions.post("/reports/{report}/{date}/release")
def release(request: Request, user: Reader, report: str, date: Day, note: Note = "") -> Response:
    """Somebody says, with a note, that the unusual numbers of a held report, or its partial loads, are true."""
    seen, pipeline = _found(request, user, report)
    if not may_act(user, pipeline.dag_id):
        raise HTTPException(403, NOT_YOURS)
    config = source(request).read().config
    outcome = source(request).reports().release(config, pipeline.dag_id, date, user.get_name(), note)
    if not outcome.done:
        return _page(request, user, report, refused=outcome.words, status=409)
    team = seen.config.roster.team
    kept = f"&team={quote(team)}" if team else ""
    return RedirectResponse(
        f"{addresses(request).oncall()}reports/{quote(pipeline.report)}?done=released{kept}", 303
    )


def _page(
    request: Request, user: BaseUser, report: str, *, done: str = "", refused: str = "", status: int = 200
) -> HTMLResponse:
    seen, pipeline = _found(request, user, report)
    read, say = _read(request, seen, pipeline), seen.say
    known = report_days(seen, read)
    held = [day for day in reversed(known) if day.held]
    drawn, not_all = figures(say, read, known)
    beside, unread = _read_beside(request, seen, pipeline)
    return render(
        request, "report.html", tab="reports", status=status, seen=seen, banners=banners(seen),
        pipeline=pipeline, read=read, days=known, held=held[:MOST_HELD], more_held=len(held[MOST_HELD:]),
        thin=thin_loads(seen, pipeline), examples=_examples(request, pipeline, held),
        figures=drawn, not_all=not_all, matters=_matters(known),
        remarkable=[(day, marks(say, day)) for day in reversed(known) if marks(say, day)],
        may_act=may_act(user, pipeline.dag_id), links=addresses(request),
        beside=beside, unread=unread, periods=period_figures(beside, read.until), cohorts=cohorts(beside),
        ratios=sample_ratios(read.numbers), done=done, refused=refused, css_of_reports=stamp("reports.css"),
    )  # fmt: skip


def _found(request: Request, user: BaseUser, report: str) -> tuple[PageSnapshot, Pipeline]:
    """The pipeline of a report, of its DAG's id, or of what is published beside it, within its team's look.

    Raises 404 for none, or not for them.
    """
    everything = source(request).read().config.pipelines
    for dag_id, pipeline in everything.items():
        if report in (pipeline.report, dag_id, *BESIDE.get(pipeline.report, ())):
            seen = sight_of(request, user, dag_id)
            if dag_id in seen.config.pipelines:
                return seen, seen.config.pipelines[dag_id]
    raise HTTPException(404, f"There is no report {report}")


def _read(request: Request, seen: PageSnapshot, pipeline: Pipeline) -> ReportRead:
    """What can be read of the report; what cannot is said, and is no reason to show nothing."""
    reports, until = source(request).reports(), last_day(seen, pipeline)
    unread: list[str] = []
    numbers, readable = ReportNumbers(), True
    everything: StaleDays = {}
    try:
        since = until - dt.timedelta(days=DAYS_SHOWN + WINDOW_DAYS)
        numbers = reports.numbers(pipeline.report, since, until)
        everything = reports.stale(source(request).read().config)
    except Unreadable as error:
        readable = bool(numbers.columns)
        what = "Which days are stale" if readable else "The report"
        unread.append(report_words.cannot_be_read(what, error))
    shown, holidays = _without_hidden_names(seen, numbers), seen.config.roster.public_holidays
    stale = {date: why for (name, date), why in everything.items() if name == pipeline.report}
    return ReportRead(pipeline, shown, until, stale, tuple(unread), readable, holidays, len(everything))


def _read_beside(
    request: Request, seen: PageSnapshot, pipeline: Pipeline
) -> tuple[Mapping[str, ReportNumbers], Sequence[str]]:
    """What is published beside the report, by table, of somewhat more than a year; and what could not be read."""
    until = last_day(seen, pipeline)
    since = until - dt.timedelta(days=LOOK_BACK_DAYS)
    found: dict[str, ReportNumbers] = {}
    for table in BESIDE.get(pipeline.report, ()):
        try:
            numbers = source(request).reports().numbers(table, since, until)
        except Unreadable as error:
            return found, (report_words.cannot_be_read("Weeks, months and cohorts", error),)
        if numbers.columns:
            found[table] = numbers
    return found, ()


def _without_hidden_names(seen: PageSnapshot, numbers: ReportNumbers) -> ReportNumbers:
    """What holds a report may name another one, which this reader may not see."""
    unnamed = without_hidden_names(seen)
    held = {
        date: [replace(one, expected=unnamed(one.expected), found=unnamed(one.found)) for one in checks]
        for date, checks in numbers.held.items()
    }
    return replace(numbers, held=held)


def _told(request: Request, user: BaseUser, report: str) -> ReportView:
    """For programs: all of it, or 503."""
    seen, pipeline = _found(request, user, report)
    if report in BESIDE.get(pipeline.report, ()):
        beside, unread = _read_beside(request, seen, pipeline)
        if unread:
            raise HTTPException(503, "; ".join(unread))
        return period_view(pipeline, report, beside.get(report, ReportNumbers()), last_day(seen, pipeline))
    read = _read(request, seen, pipeline)
    if not read.readable:
        raise HTTPException(503, "; ".join(read.unread))
    return report_view(seen, read)


def _examples(
    request: Request, pipeline: Pipeline, held: Sequence[ReportDayView]
) -> Mapping[dt.date, Sequence[BrokenRule] | str]:
    """The rows that break a contract, of the newest days held by something else than their numbers; or why not."""
    found: dict[dt.date, Sequence[BrokenRule] | str] = {}
    config = source(request).read().config
    for day in held[:MOST_EXAMPLED]:
        if all(check.number for check in day.held):
            continue
        try:
            found[day.report_date] = (
                source(request).reports().broken_rules(config, pipeline.dag_id, day.report_date)
            )
        except Unreadable as error:
            found[day.report_date] = report_words.cannot_be_read("Which rows these are", error)
    return found


def _matters(known: Sequence[ReportDayView]) -> list[tuple[str, int]]:
    """How many days are held, missing, late, stale or restated."""
    counted = {
        "held": sum(bool(day.held) for day in known),
        "missing": sum(day.missing and not day.held for day in known),
        "late": sum(bool(day.late_seconds) for day in known),
        "stale": sum(bool(day.stale) for day in known),
        "restated": sum(bool(day.restated) for day in known),
    }
    return [(kind, count) for kind, count in counted.items() if count]
