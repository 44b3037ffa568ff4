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
from fastapi import Depends, HTTPException, Request

from oncall.past import Record
from oncall.web.auth import Reader
from oncall.web.source import Seen, source
from oncall.web.team import OfTeam, of_team, team_of


def sight(user: BaseUser, seen: Seen) -> Seen:
    """One look, without the pipelines whose DAGs this reader may not read."""
    return limited(seen, readable(user, seen.setup.pipelines))


def sight_of(request: Request, user: BaseUser, dag_id: str) -> Seen:
    """The same of the team that answers for a pipeline, whichever the address names."""
    whole = source(request).read()
    return sight(user, of_team(whole, team_of(whole.setup, dag_id)))


def sight_of_incident(request: Request, user: BaseUser, key: str) -> tuple[Seen, Record]:
    """The same of an incident's team. Raises 404 where there is no such incident, or not for this reader."""
    known = (record.incident for record in source(request).read().records)
    seen = sight_of(request, user, next((one.dag_id for one in known if one.key == key), ""))
    record = next((record for record in seen.records if record.incident.key == key), None)
    if record is None:
        raise HTTPException(404, f"There is no incident {key} of the last 90 days")
    return seen, record


def _asked_for(user: Reader, seen: OfTeam) -> Seen:
    return sight(user, seen)


InSight = Annotated[Seen, Depends(_asked_for)]


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
        whole=seen.whole or seen,
    )
