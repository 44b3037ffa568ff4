"""Who may read and who may act, by Airflow's own auth alone: its cookie or bearer token, its roles, its log-out.

Airflow mounts a plugin's app open to everybody, so every route here stands behind one of these dependencies.
`get_user` is the core's: it refuses a missing (401), expired (401), forged or logged-out token (403). The auth manager
is asked about what is shown or changed, by its name; what stands in an address never decides whom a permission is for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request, status

from oncall.core.errors import ConfigError
from oncall.web.snapshot import source

MAY_NOT_READ = "The On-call page is for people who may read DAGs in Airflow: ask for a role that may"


def reader(request: Request, user: GetUserDep) -> BaseUser:
    """Whoever may read DAGs, all of them or one of ours, or see plugins, may open the page. Raises 403 for others."""
    manager = get_auth_manager()
    if not (
        manager.is_authorized_view(access_view=AccessView.PLUGINS, user=user)
        or manager.is_authorized_dag(method="GET", user=user)
        or _reads_one_of_ours(request, user)
    ):
        raise HTTPException(status.HTTP_403_FORBIDDEN, MAY_NOT_READ)
    return user


Reader = Annotated[BaseUser, Depends(reader)]


def _reads_one_of_ours(request: Request, user: BaseUser) -> bool:
    try:
        return bool(readable(user, source(request).read().config.pipelines))
    except ConfigError:
        return False


def readable(user: BaseUser, dag_ids: Iterable[str]) -> frozenset[str]:
    """Those of these DAGs that the user may read. Asks the auth manager once for each team of Airflow's own."""
    teams: dict[str | None, set[str]] = defaultdict(set)
    for dag_id in dag_ids:
        teams[_airflow_team(dag_id)].add(dag_id)
    ask = get_auth_manager().filter_authorized_dag_ids
    return frozenset(
        dag_id
        for team, theirs in teams.items()
        for dag_id in ask(dag_ids=theirs, user=user, method="GET", team_name=team)
    )


def may_act(user: BaseUser, dag_id: str) -> bool:
    """Whoever may change the runs of a pipeline may act on its incidents, and make links to its report."""
    return _may_with_runs(user, dag_id, "PUT")


def may_trigger(user: BaseUser, dag_id: str) -> bool:
    """Whoever may trigger the DAG in Airflow may run a day again here."""
    return _may_with_runs(user, dag_id, "POST")


def _may_with_runs(user: BaseUser, dag_id: str, method: Literal["PUT", "POST"]) -> bool:
    return get_auth_manager().is_authorized_dag(
        method=method,
        access_entity=DagAccessEntity.RUN,
        details=DagDetails(id=dag_id, team_name=_airflow_team(dag_id)),
        user=user,
    )


def _airflow_team(dag_id: str) -> str | None:
    """The team of Airflow's own, where it has any."""
    return DagModel.get_team_name(dag_id) if conf.getboolean("core", "multi_team", fallback=False) else None


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
        ours = origin.partition("://")[2] in _our_hosts(request)
    else:
        ours = request.headers.get("authorization", "").lower().startswith("bearer ")
    if not ours:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "This form was not sent by the On-call page")


def _our_hosts(request: Request) -> set[str]:
    """The host that was asked, and Airflow's own address (a proxy in between may have changed the first)."""
    configured = urlsplit(conf.get("api", "base_url", fallback="") or "").netloc
    return {host for host in (request.headers.get("host"), configured) if host}


FromThisPage = Depends(from_this_page)
