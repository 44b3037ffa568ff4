"""The page on which links that need no sign-in are made and revoked. The feeds themselves are elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.configuration import conf
from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from oncall.core.errors import Unreadable
from oncall.usecases.history import FeedLink
from oncall.web.auth import FromThisPage, Reader, may_act
from oncall.web.permissions import InSight
from oncall.web.rendering import addresses, kept, render
from oncall.web.routes.feeds import offered, path_of, team_of
from oncall.web.snapshot import PageSnapshot, source
from oncall.web.views import badge

router = APIRouter()


@router.get("/links", response_class=HTMLResponse)
def links(request: Request, user: Reader, seen: InSight) -> HTMLResponse:
    """Which links of a team there are, who made them, and what a link can be made for."""
    return _page(request, user, seen)


@router.post("/links", response_class=HTMLResponse, dependencies=[FromThisPage])
def make(
    request: Request, user: Reader, seen: InSight, what: Annotated[str, Form(max_length=200)] = ""
) -> HTMLResponse:
    """A new link. It is shown once: only a hash of its key is kept."""
    if what not in offered(seen.config):
        raise HTTPException(404, "There is no such calendar or badge")
    _allowed(user, seen, what)
    try:
        key = source(request).feeds().make(what, user.get_name(), seen.at)
    except Unreadable as error:
        raise HTTPException(503, f"Nothing was made: {error}") from error
    # Airflow's configured address: who follows the link stands elsewhere.
    base = conf.get("api", "base_url", fallback="") or str(request.base_url).rstrip("/").removesuffix(
        "/oncall"
    )
    return _page(request, user, seen, made=f"{base.rstrip('/')}/oncall{path_of(what, key)}", what=what)


@router.post("/links/{link_id}/revoke", dependencies=[FromThisPage])
def revoke(request: Request, user: Reader, seen: InSight, link_id: str) -> Response:
    """The link opens nothing any more."""
    feeds = source(request).feeds()
    try:
        link = next((one for one in _known(request, seen, feeds.all()) if one.id == link_id), None)
        if link is None:
            raise HTTPException(404, "There is no such link")
        _allowed(user, seen, link.what)
        feeds.revoke(link_id)
    except Unreadable as error:
        raise HTTPException(503, f"Nothing was revoked: {error}") from error
    return RedirectResponse(f"{addresses(request).oncall()}links{kept(seen)}", 303)


def _page(
    request: Request, user: BaseUser, seen: PageSnapshot, made: str = "", what: str = ""
) -> HTMLResponse:
    try:
        known, trouble = _known(request, seen, source(request).feeds().all()), ""
    except Unreadable as error:
        known, trouble = [], str(error)
    words = offered(seen.config)
    pictures = {
        what: Markup(badge.drawn(seen, what.removeprefix("badge:")))  # noqa: S704 - escaped where it is drawn
        for what in words
        if what.startswith("badge:")
    }
    snippet = f'<img src="{made}" alt="{what.removeprefix("badge:")}: is it fresh?">'
    mine = {what for what in {*words, *(one.what for one in known)} if _may(user, seen, what)}
    return render(
        request,
        "links.html",
        tab="rota",
        seen=seen,
        made=made,
        known=known,
        words=words,
        mine=mine,
        trouble=trouble,
        pictures=pictures,
        picture=pictures.get(what),
        snippet=snippet,
    )


def _known(request: Request, seen: PageSnapshot, links: Sequence[FeedLink]) -> list[FeedLink]:
    """Those of this team, without the badges of pipelines that the reader may not see."""
    config, team = source(request).read().config, seen.config.roster.team
    hidden = {p.report for p in config.pipelines.values()} - {
        p.report for p in seen.config.pipelines.values()
    }
    of_team = (one for one in links if team_of(config, one.what) == team)
    return [one for one in of_team if one.what.removeprefix("badge:") not in hidden]


def _allowed(user: BaseUser, seen: PageSnapshot, what: str) -> None:
    """Raises 403 for who may only look."""
    if not _may(user, seen, what):
        raise HTTPException(
            403, "Links are made and revoked by who may change the runs of a pipeline that they are about"
        )


def _may(user: BaseUser, seen: PageSnapshot, what: str) -> bool:
    """Whoever may act on a report's pipeline makes links to its badge; on any of the team's, to its calendars."""
    about = [p.dag_id for p in seen.config.pipelines.values() if what == f"badge:{p.report}"]
    return any(may_act(user, dag_id) for dag_id in about or seen.config.pipelines)
