"""Calendars and badges for who cannot sign in: a calendar program, the Investor Dashboard. A key opens one of them.

The keys are made and revoked on a page behind Airflow's auth; these routes alone stand before it.
"""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response

from oncall.core.errors import Unreadable
from oncall.web import badge, ics
from oncall.web.source import Source

router = APIRouter()


@router.get("/calendar.ics")
def calendar(request: Request, key: str = "") -> Response:
    """The shifts of one person or of the team, to subscribe to."""
    source, who = _opened(request, key, "calendar")
    seen = source.read()
    roster = seen.setup.roster
    if who != ics.TEAM and who not in roster.people:
        raise HTTPException(404, "Nobody in the roster has this name any more")
    now = ics.entries(roster, who, seen.at)
    try:
        text = source.feeds().revise(f"calendar:{who}", lambda before: ics.revised(before, now, seen.at))
    except Unreadable as error:
        raise HTTPException(503, "The calendar cannot be read now") from error
    name = "On call" if who == ics.TEAM else f"On call: {who}"
    return Response(ics.rendered(ics.said(text), name), media_type="text/calendar; charset=utf-8")


@router.get("/badge/{report}.svg")
def image(request: Request, report: str, key: str = "") -> Response:
    """Of which day the newest report is, and when it was refreshed."""
    source, allowed = _opened(request, key, "badge")
    if allowed != report:
        raise HTTPException(404, "This key opens something else")
    text = badge.drawn(source.read(), report)
    return Response(text, media_type="image/svg+xml", headers={"Cache-Control": "max-age=60"})


def _opened(request: Request, key: str, kind: str) -> tuple[Source, str]:
    """The source, and what the key opens. Raises 404 for a key that opens nothing (any more)."""
    source: Source = request.app.state.source
    try:
        what = source.feeds().find(key) if key else None
    except Unreadable as error:
        raise HTTPException(503, "The key cannot be looked up now") from error
    found, _, name = (what or "").partition(":")
    if found != kind:
        raise HTTPException(404, "This link opens nothing (any more)")
    return source, name


def offered(people: list[str], reports: list[str]) -> list[tuple[str, str]]:
    """Everything a link can be made for, with its words."""
    calendars = [(f"calendar:{who}", f"Calendar of {who}") for who in people]
    return [
        ("calendar:team", "Calendar of the team"),
        *calendars,
        *((f"badge:{report}", f"Badge of {report}") for report in reports),
    ]


def path_of(what: str, key: str) -> str:
    """The path of a new link, below the page's own."""
    kind, _, name = what.partition(":")
    return f"/calendar.ics?key={key}" if kind == "calendar" else f"/badge/{name}.svg?key={key}"
