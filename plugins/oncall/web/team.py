"""Whose page it is: what belongs to one team of everything that was read. Knows no permission; `sight` does.

Where there is only the roster at the top, everything is its and nothing changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, HTTPException, Query, Request

from oncall.config import Setup
from oncall.core.verdict import Judged
from oncall.past import Record
from oncall.web.source import Seen, source

PARAMETER = "The folder of a team with a roster of its own; without it the roster at the top"


def names(setup: Setup) -> Mapping[str, str]:
    """The teams to choose from and what each is called, the one that is shown unasked first.

    That is the roster at the top (""), unless it has no pipeline of its own. Empty where there is no other roster.
    """
    if not setup.teams:
        return {}
    top, others = {"": setup.roster.opsgenie_team}, {team: team for team in setup.teams}
    at_top = any(not pipeline.team for pipeline in setup.pipelines.values())
    return top | others if at_top else others | top


def unasked(setup: Setup) -> str:
    """The team that is shown when none is named."""
    return next(iter(names(setup)), "")


def team_of(setup: Setup, dag_id: str) -> str:
    """The team that answers for a pipeline; what is no pipeline any more is left to the one shown unasked."""
    pipeline = setup.pipelines.get(dag_id)
    return pipeline.team if pipeline else unasked(setup)


def of_team(seen: Seen, team: str) -> Seen:
    """The same look with this team's roster, pipelines, promises and incidents alone."""
    return by_team(seen)[team]


def by_team(seen: Seen) -> Mapping[str, Seen]:
    """The look of each team; the whole look where there is one roster only. Taken apart once, and kept in it."""
    kept = vars(seen)
    return kept.get("_by_team") or kept.setdefault("_by_team", _parts(seen))


def _parts(seen: Seen) -> Mapping[str, Seen]:
    setup = seen.setup
    if not setup.teams:
        return {"": seen}
    judged: defaultdict[str, list[Judged]] = defaultdict(list)
    records: defaultdict[str, list[Record]] = defaultdict(list)
    for one in seen.judged:
        judged[one.pipeline.team].append(one)
    for record in seen.records:
        records[team_of(setup, record.incident.dag_id)].append(record)
    known, published = names(setup), seen.published
    return {
        team: replace(
            seen,
            setup=mine,
            judged=tuple(judged[team]),
            records=tuple(records[team]),
            published={
                p.report: published[p.report] for p in mine.pipelines.values() if p.report in published
            },
            teams=known,
            whole=seen.whole or seen,
        )
        for team, mine in setup.by_team().items()
    }


def chosen(
    request: Request, team: Annotated[str | None, Query(max_length=100, description=PARAMETER)] = None
) -> Seen:
    """One look at the team that the address names. Raises 404 for a team that there is not."""
    seen = source(request).read()
    if team and team not in seen.setup.teams:
        there = ", ".join(seen.setup.teams) or "none, there is one roster for all"
        raise HTTPException(404, f"No team “{team}” has a roster of its own. Those that do: {there}.")
    return of_team(seen, unasked(seen.setup) if team is None else team)


OfTeam = Annotated[Seen, Depends(chosen)]
