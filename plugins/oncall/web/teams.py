"""Divides all that was read among the teams. Knows no permission; `permissions` does.

Where there is only the roster at the top, everything belongs to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, HTTPException, Query, Request

from oncall.config.oncall_config import OncallConfig
from oncall.core.promises.evaluation import PromiseStatus
from oncall.usecases.history import IncidentRecord
from oncall.web.snapshot import PageSnapshot, source

PARAMETER = "The folder of a team with a roster of its own; without it the roster at the top"


def names(config: OncallConfig) -> Mapping[str, str]:
    """The teams to choose from and what each is called, the one that is shown unasked first.

    That is the roster at the top (""), unless it has no pipeline of its own. Empty where there is no other roster.
    """
    if not config.teams:
        return {}
    top, others = {"": config.roster.opsgenie_team}, {team: team for team in config.teams}
    at_top = any(not pipeline.team for pipeline in config.pipelines.values())
    return top | others if at_top else others | top


def unasked(config: OncallConfig) -> str:
    """The team that is shown when none is named."""
    return next(iter(names(config)), "")


def team_of(config: OncallConfig, dag_id: str) -> str:
    """The team that answers for a pipeline; what is no pipeline any more is left to the one shown unasked."""
    pipeline = config.pipelines.get(dag_id)
    return pipeline.team if pipeline else unasked(config)


def of_team(seen: PageSnapshot, team: str) -> PageSnapshot:
    """The same look with this team's roster, pipelines, promises and incidents alone."""
    return by_team(seen)[team]


def by_team(seen: PageSnapshot) -> Mapping[str, PageSnapshot]:
    """The look of each team; the whole look where there is one roster only. Taken apart once, and kept in it."""
    kept: dict[str, Mapping[str, PageSnapshot]] = vars(seen)
    return kept.get("_by_team") or kept.setdefault("_by_team", _parts(seen))


def _parts(seen: PageSnapshot) -> Mapping[str, PageSnapshot]:
    config = seen.config
    if not config.teams:
        return {"": seen}
    statuses: defaultdict[str, list[PromiseStatus]] = defaultdict(list)
    records: defaultdict[str, list[IncidentRecord]] = defaultdict(list)
    for one in seen.statuses:
        statuses[one.pipeline.team].append(one)
    for record in seen.records:
        records[team_of(config, record.incident.dag_id)].append(record)
    known, published = names(config), seen.published
    return {
        team: replace(
            seen,
            config=mine,
            statuses=tuple(statuses[team]),
            records=tuple(records[team]),
            published={
                p.report: published[p.report] for p in mine.pipelines.values() if p.report in published
            },
            teams=known,
            whole=seen.whole or seen,
        )
        for team, mine in config.by_team().items()
    }


def chosen(
    request: Request, team: Annotated[str | None, Query(max_length=100, description=PARAMETER)] = None
) -> PageSnapshot:
    """One look at the team that the address names. Raises 404 for a team that there is not."""
    seen = source(request).read()
    if team and team not in seen.config.teams:
        there = ", ".join(seen.config.teams) or "none, there is one roster for all"
        raise HTTPException(404, f"No team “{team}” has a roster of its own. Those that do: {there}.")
    return of_team(seen, unasked(seen.config) if team is None else team)


OfTeam = Annotated[PageSnapshot, Depends(chosen)]
