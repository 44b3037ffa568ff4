"""Calendars and badges for who cannot sign in: a calendar program, the Investor Dashboard. A key opens one of them.

The keys are made and revoked on a page behind Airflow's auth; these routes alone stand before it. A key is the
parameter `token`, which Airflow masks in its access log.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import Unreadable
from oncall.web.snapshot import Source
from oncall.web.teams import of_team
from oncall.web.views import badge, calendar_feed

router = APIRouter()


Key = Annotated[str, Query(max_length=200)]


@router.get("/calendar.ics")
def calendar(request: Request, token: Key = "") -> Response:
    """The shifts of one person or of the team, to subscribe to."""
    source, name = _opened(request, token, "calendar")
    seen = source.read()
    team = team_of(seen.config, f"calendar:{name}")
    roster, who = seen.config.teams.get(team, seen.config.roster), name.removeprefix(f"{team}/")
    if who != calendar_feed.TEAM and who not in roster.people:
        raise HTTPException(404, "Nobody in the roster has this name any more")
    now = calendar_feed.entries(roster, who, seen.at)
    try:
        text = source.feeds().revise(
            f"calendar:{name}", lambda before: calendar_feed.revised(before, now, seen.at)
        )
    except Unreadable as error:
        raise HTTPException(503, "The calendar cannot be read now") from error
    title = "On call" + (f" ({team})" if team else "") + (f": {who}" if who != calendar_feed.TEAM else "")
    return Response(
        calendar_feed.rendered(calendar_feed.said(text), title), media_type="text/calendar; charset=utf-8"
    )


@router.get("/badge/{report}.svg")
def image(request: Request, report: str, token: Key = "") -> Response:
    """Of which day the newest report is, and when it was refreshed."""
    source, allowed = _opened(request, token, "badge")
    if allowed != report:
        raise HTTPException(404, "This key opens something else")
    seen = source.read()
    text = badge.drawn(of_team(seen, team_of(seen.config, f"badge:{report}")), report)
    return Response(text, media_type="image/svg+xml", headers={"Cache-Control": "max-age=60"})


def _opened(request: Request, key: str, kind: str) -> tuple[Source, str]:
    """The source, and what the key opens. Raises 404 for a key that opens nothing (any more)."""
    source: Source = request.app.state.source
    try:
        what = source.feeds().find(key, dt.datetime.now(dt.UTC)) if key else None
    except Unreadable as error:
        raise HTTPException(503, "The key cannot be looked up now") from error
    found, _, name = (what or "").partition(":")
    if found != kind:
        raise HTTPException(
            404, "This link opens nothing: it was revoked, it has expired, or it never was. Make a new one"
        )
    return source, name


def offered(config: OncallConfig) -> dict[str, str]:
    """Everything of one team that a link can be made for, and its words.

    A person's name says who it is within a team only: `calendar:DE-001` is of the roster at the top,
    `calendar:growth/DE-001` of the team growth.
    """
    roster = config.roster
    of = f"{roster.team}/" if roster.team else ""
    people = [person for person in roster.people if person in roster.turns]
    reports = [pipeline.report for pipeline in config.pipelines.values() if pipeline.promise]
    return {
        f"calendar:{of}{calendar_feed.TEAM}": "Calendar of the team",
        **{f"calendar:{of}{who}": f"Calendar of {who}" for who in people},
        **{f"badge:{report}": f"Badge of {report}" for report in reports},
    }


def team_of(config: OncallConfig, what: str) -> str:
    """The team whose calendar or badge it is; what is nobody's any more is left to the roster at the top."""
    kind, _, name = what.partition(":")
    if kind == "calendar":
        team = name.rpartition("/")[0]
        return team if team in config.teams else ""
    return next((one.team for one in config.pipelines.values() if one.report == name), "")


def path_of(what: str, key: str) -> str:
    """The path of a new link, below the page's own."""
    kind, _, name = what.partition(":")
    return f"/calendar.ics?token={key}" if kind == "calendar" else f"/badge/{name}.svg?token={key}"
