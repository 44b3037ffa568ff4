"""The page on which links that need no sign-in are made and revoked. The feeds themselves are elsewhere."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.configuration import conf
from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from oncall.core.errors import Unreadable
from oncall.web.auth import FromThisPage, Reader, may_act, require_to_act
from oncall.web.feeds import offered, path_of, team_of
from oncall.web.rendering import addresses, kept, render
from oncall.web.sight import InSight
from oncall.web.source import Seen, source

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
    require_to_act(request, user, None)
    if what not in offered(seen.setup):
        raise HTTPException(404, "There is no such calendar or badge")
    try:
        key = source(request).feeds().make(what, user.get_name(), seen.at)
    except Unreadable as error:
        raise HTTPException(503, f"Nothing was made: {error}") from error
    # Airflow's configured address: who follows the link stands elsewhere.
    base = conf.get("api", "base_url", fallback="") or str(request.base_url).rstrip("/").removesuffix(
        "/oncall"
    )
    return _page(request, user, seen, made=f"{base.rstrip('/')}/oncall{path_of(what, key)}")


@router.post("/links/{link_id}/revoke", dependencies=[FromThisPage])
def revoke(request: Request, user: Reader, seen: InSight, link_id: str) -> Response:
    """The link opens nothing any more."""
    require_to_act(request, user, None)
    try:
        source(request).feeds().revoke(link_id)
    except Unreadable as error:
        raise HTTPException(503, f"Nothing was revoked: {error}") from error
    return RedirectResponse(f"{addresses(request).oncall()}links{kept(seen)}", 303)


def _page(request: Request, user: BaseUser, seen: Seen, made: str = "") -> HTMLResponse:
    behind = source(request)
    setup, team = behind.read().setup, seen.setup.roster.team
    try:
        known, trouble = [one for one in behind.feeds().all() if team_of(setup, one.what) == team], ""
    except Unreadable as error:
        known, trouble = [], str(error)
    return render(
        request, "links.html", tab="rota", seen=seen, made=made, known=known,
        words=offered(seen.setup), may_act=may_act(request, user, None), trouble=trouble,
    )  # fmt: skip
