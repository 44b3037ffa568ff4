"""Who may read and who may act, by Airflow's own auth alone: its cookie or bearer token, its roles, its log-out.

Airflow mounts a plugin's app open to everybody, so every route here stands behind one of these dependencies.
`get_user` is the core's: it refuses a missing (401), expired (401), forged or logged-out token (403).
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_access_view
from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request, status


def reader(request: Request, user: GetUserDep) -> BaseUser:
    """Whoever may see plugins may read the page."""
    requires_access_view(AccessView.PLUGINS)(request, user)
    return user


Reader = Annotated[BaseUser, Depends(reader)]


def may_act(request: Request, user: BaseUser, dag_id: str | None) -> bool:
    """Whoever may change the runs of a pipeline (None: of any) may act on its incidents."""
    try:
        require_to_act(request, user, dag_id)
    except HTTPException:
        return False
    return True


def require_to_act(request: Request, user: BaseUser, dag_id: str | None) -> None:
    """Raises 403 for who may only look."""
    requires_access_dag("PUT", DagAccessEntity.RUN, param_dag_id=dag_id)(request, user)


def from_this_page(request: Request) -> None:
    """Refuse a form that another site sent with the user's cookie (CSRF). Raises 403.

    The browser says where a request comes from, and a page cannot forge it: `Sec-Fetch-Site`, or on plain HTTP
    `Origin`. A same-site cookie is not enough, since another host of the same domain is "same site". A request
    with neither header is no browser's; it counts only with a bearer token, which no other site has.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        ours = site == "same-origin"
    elif origin is not None:
        ours = urlsplit(origin).netloc in _our_hosts(request)
    else:
        ours = request.headers.get("authorization", "").lower().startswith("bearer ")
    if not ours:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "This form was not sent by the On-call page")


def _our_hosts(request: Request) -> set[str]:
    """The host that was asked, and Airflow's own address (a proxy in between may have changed the first)."""
    configured = urlsplit(conf.get("api", "base_url", fallback="") or "").netloc
    return {host for host in (request.headers.get("host"), configured) if host}


FromThisPage = Depends(from_this_page)
