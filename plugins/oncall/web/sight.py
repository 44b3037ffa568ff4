"""What one reader may see of everything that was read: their pipelines, by Airflow's own auth manager.

Who is on call, the rota and what is broken in the on-call system are for everybody who may open the page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, Request

from oncall.web.auth import Reader
from oncall.web.source import Seen, Source


def source(request: Request) -> Source:
    found: Source = request.app.state.source
    return found


def sight(request: Request, user: Reader) -> Seen:
    """One look, without the pipelines whose DAGs this reader may not read."""
    seen = source(request).read()
    return limited(seen, readable(user, seen.setup.pipelines))


InSight = Annotated[Seen, Depends(sight)]


def readable(user: BaseUser, dag_ids: Iterable[str]) -> frozenset[str]:
    """Those that the auth manager lets this user read: one question a team, all of them in one where there are none."""
    teams: dict[str | None, set[str]] = defaultdict(set)
    several = conf.getboolean("core", "multi_team", fallback=False)
    for dag_id in dag_ids:
        teams[DagModel.get_team_name(dag_id) if several else None].add(dag_id)
    ask = get_auth_manager().filter_authorized_dag_ids
    return frozenset(
        dag_id
        for team, theirs in teams.items()
        for dag_id in ask(dag_ids=theirs, user=user, method="GET", team_name=team)
    )


def limited(seen: Seen, dag_ids: frozenset[str]) -> Seen:
    """The same look with these DAGs' pipelines only, and how many others there are."""
    hidden = len(seen.setup.pipelines.keys() - dag_ids)
    if not hidden:
        return seen
    pipelines = {name: one for name, one in seen.setup.pipelines.items() if name in dag_ids}
    reports = {pipeline.report for pipeline in pipelines.values()}
    return replace(
        seen,
        setup=replace(seen.setup, pipelines=pipelines),
        judged=tuple(one for one in seen.judged if one.pipeline.dag_id in dag_ids),
        records=tuple(record for record in seen.records if record.incident.dag_id in dag_ids),
        published={report: made for report, made in seen.published.items() if report in reports},
        hidden=hidden,
    )
