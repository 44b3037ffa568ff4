"""The page on which links that need no sign-in are made and revoked. The feeds themselves are elsewhere."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.configuration import conf
from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from oncall.core.errors import Unreadable
from oncall.web.auth import FromThisPage, Reader, may_act, require_to_act
from oncall.web.feeds import offered, path_of
from oncall.web.pages import say_of
from oncall.web.rendering import addresses, render
from oncall.web.sight import sight, source
from oncall.web.source import Seen

router = APIRouter()


@router.get("/links", response_class=HTMLResponse)
def links(request: Request, user: Reader) -> HTMLResponse:
    """Which links there are, who made them, and what a link can be made for."""
    return _page(request, user)


@router.post("/links", response_class=HTMLResponse, dependencies=[FromThisPage])
def make(request: Request, user: Reader, what: Annotated[str, Form(max_length=200)] = "") -> HTMLResponse:
    """A new link. It is shown once: only a hash of its key is kept."""
    require_to_act(request, user, None)
    seen = sight(request, user)
    if what not in dict(_offered(seen)):
        raise HTTPException(404, "There is no such calendar or badge")
    try:
        key = source(request).feeds().make(what, user.get_name(), seen.at)
    except Unreadable as error:
        raise HTTPException(503, f"Nothing was made: {error}") from error
    # Airflow's configured address: who follows the link stands elsewhere.
    base = conf.get("api", "base_url", fallback="") or str(request.base_url).rstrip("/").removesuffix(
        "/oncall"
    )
    return _page(request, user, made=f"{base.rstrip('/')}/oncall{path_of(what, key)}")


@router.post("/links/{link_id}/revoke", dependencies=[FromThisPage])
def revoke(request: Request, user: Reader, link_id: str) -> Response:
    """The link opens nothing any more."""
    require_to_act(request, user, None)
    try:
        source(request).feeds().revoke(link_id)
    except Unreadable as error:
        raise HTTPException(503, f"Nothing was revoked: {error}") from error
    return RedirectResponse(f"{addresses(request).oncall()}links", 303)


def _page(request: Request, user: BaseUser, made: str = "") -> HTMLResponse:
    seen = sight(request, user)
    try:
        known, trouble = source(request).feeds().all(), ""
    except Unreadable as error:
        known, trouble = (), str(error)
    return render(
        request, "links.html", tab="rota", say=say_of(seen), made=made, known=known,
        words=dict(_offered(seen)), may_act=may_act(request, user, None), trouble=trouble,
    )  # fmt: skip


def _offered(seen: Seen) -> list[tuple[str, str]]:
    setup = seen.setup
    turns = {person for entry in setup.roster.rotation for row in entry.weeks for person in row}
    reports = [pipeline.report for pipeline in setup.pipelines.values() if pipeline.promise]
    return offered([person for person in setup.roster.people if person in turns], reports)
