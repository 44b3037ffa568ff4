"""What a person can do to an incident: forms that are posted, checked, recorded under the Airflow user's name, sent."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from oncall.paging_by_hand import Outcome
from oncall.web.auth import FromThisPage, Reader, require_to_act
from oncall.web.pages import incident_page
from oncall.web.rendering import addresses
from oncall.web.source import source

router = APIRouter(dependencies=[FromThisPage])


@router.post("/incidents/{key}/acknowledge")
def acknowledge(request: Request, user: Reader, key: str) -> Response:
    """Somebody has it: escalation stops, in Opsgenie and in the thread too."""
    _allowed(request, user, key)
    return _answer(request, user, key, "acknowledge", source(request).acknowledge(key, user.get_name()))


@router.post("/incidents/{key}/resolve")
def resolve(
    request: Request, user: Reader, key: str, note: Annotated[str, Form(max_length=1000)] = ""
) -> Response:
    """Somebody says that it is over, and why."""
    _allowed(request, user, key)
    return _answer(request, user, key, "resolve", source(request).resolve(key, user.get_name(), note))


@router.post("/incidents/{key}/page")
def page(request: Request, user: Reader, key: str) -> Response:
    """Page the secondary now, without waiting for the escalation."""
    _allowed(request, user, key)
    return _answer(request, user, key, "page", source(request).page(key, user.get_name()))


def _allowed(request: Request, user: BaseUser, key: str) -> None:
    """Raises 403 for who may not act on this pipeline, or on the one whose incident speaks for it; 404 for no key."""
    seen = source(request).read()
    dag_id = next((part for part in key.split(":")[:2] if part in seen.setup.pipelines), None)
    if dag_id is None:
        raise HTTPException(404, "There is no such incident")
    require_to_act(request, user, dag_id)
    known = {record.incident.key: record.incident for record in seen.records}
    if key in known and (speaker := known.get(known[key].leader)):
        require_to_act(request, user, speaker.dag_id)


def _answer(request: Request, user: BaseUser, key: str, what: str, outcome: Outcome) -> Response:
    """Lead back to the incident; what could not be done is said there at once."""
    if not outcome.done:
        return incident_page(request, user, key, refused=outcome.words, status=409)
    back = f"{addresses(request).oncall()}incidents/{quote(key, safe=':')}?done={what}"
    return RedirectResponse(back, 303)
